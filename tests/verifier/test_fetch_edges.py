"""Whatever a broker answers, fetching the pact ends with a pact or a reason."""

from __future__ import annotations

import pytest

from tests.support.loopback import Loopback, Reply
from tests.verifier.test_publishing_edges import NO_URLS
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify


@pytest.mark.parametrize("location", NO_URLS)
@pytest.mark.parametrize("status", [200, 302, 307])
def test_location_that_is_no_url_is_an_outcome_with_a_reason(status: int, location: str) -> None:
    with Loopback(Reply(status, body={"a": 1}, headers={"Location": location})) as server:
        url = f"{server.url}/pacts/provider/P/consumer/C/latest"
        provider = ProviderUnderTest(base_url="http://127.0.0.1:1")
        verification = verify(VerificationRequest(url, provider))
    assert verification.error is not None
    assert verification.error.kind == "not-a-pact"
    assert verification.error.message
