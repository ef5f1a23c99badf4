"""What the table of the web side says of who may look at the dashboard, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.config.sections import ServerSettings
from tests.support.traces import ABOVE

PROXY = {"trusted_proxies": ["10.0.0.7"]}


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ({"user_header": "X-Forwarded-User"}, "user_header needs trusted_proxies"),
        ({**PROXY, "user_operators": ["ann"]}, "user_operators needs user_header"),
        ({**PROXY, "user_header": "X User"}, "must be the name of a header: letters, digits and hyphens"),
        ({**PROXY, "user_header": ""}, "must be the name of a header"),
        ({**PROXY, "user_header": "X" * 101}, "must be the name of a header"),
        ({"share_links": True}, "share_links needs public_url"),
        ({"share_links": "yes"}, "valid boolean"),
        ({"trace_url": "https://tempo.example.org/"}, "{trace_id} must be in it"),
        ({"trace_url": "tempo/{trace_id}"}, "URL"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ServerSettings.model_validate(given)
    assert mistake in str(caught.value)


def test_what_goes_together_is_taken() -> None:
    given = {**PROXY, "user_header": "X-Forwarded-User", "user_operators": ["ann@example.org"]}
    assert ServerSettings.model_validate(given).user_header == "X-Forwarded-User"


def test_a_trace_has_a_link_if_it_is_kept() -> None:
    where = 'https://grafana.example.org/explore?left={"queries":["{trace_id}"]}'
    server = ServerSettings.model_validate({"trace_url": where})
    assert server.page_of_trace(ABOVE) == where.replace("{trace_id}", ABOVE.trace_id)
    assert server.page_of_trace(ABOVE._replace(is_sampled=False)) is None
    assert server.page_of_trace(None) is None
    assert ServerSettings().page_of_trace(ABOVE) is None
