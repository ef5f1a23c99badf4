"""Which error a request's error is about."""

from __future__ import annotations

import pytest

from broker.http.limited_request import send_request
from broker.http.limits import Limits
from broker.http.no_reply import NoReply
from tests.support.loopback import closed_port


def test_an_error_that_was_there_before_the_request_is_not_taken_for_its_reason() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(NoReply) as outside:
        send_request("GET", url, limits=Limits(5, 100))
    try:
        int("nonsense")
    except ValueError:
        with pytest.raises(NoReply) as inside:
            send_request("GET", url, limits=Limits(5, 100))
    assert str(inside.value) == str(outside.value)
    assert "nonsense" not in str(inside.value)
