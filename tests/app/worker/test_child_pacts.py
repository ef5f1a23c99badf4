"""Every pact, verified in a worker's child: what is sent of each, with a verifier that is none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from app.worker import child_pacts
from app.worker.child_pacts import verify_all
from app.worker.protocol import AllVerified, AttemptRequest, PactVerified
from app.worker.run_failed import RunFailed
from broker.client.for_verification import Selection
from tests.support.worker_parts import ACCESS, BROKER, a_run, passed
from verifier.errors import ErrorKind
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.verification import VerificationError

if TYPE_CHECKING:
    import pytest

    from verifier.verification import Verification

GOOD = passed(a_run())
DIED = replace(
    GOOD, interactions=(), error=VerificationError(ErrorKind.PROVIDER_DIED, "it died", retryable=True)
)


class Worker:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def log(self, text: str) -> None: ...


def sent(monkeypatch: pytest.MonkeyPatch, *verifications: Verification) -> list[Any]:
    """Give what is sent of verifications with a provider whose version is not known any more."""

    def verify_many(_: Any, __: Any, ___: Any, keep: Any) -> Any:
        for verification in verifications:
            keep(SimpleNamespace(asked=None, name="C 1"), verification)
        return SimpleNamespace(notes=(), error=None, planned=len(verifications))

    def check_after() -> None:
        raise RunFailed("nothing answers", kind="version-unknown", retryable=True)

    monkeypatch.setattr(child_pacts, "verify_many", verify_many)
    worker: Any = Worker()
    provider = ProviderUnderTest(base_url="http://127.0.0.1:1")
    template = VerificationRequest(
        f"{BROKER}/every", provider, provider_name="P", broker=ACCESS, provider_version="1", publish=True
    )
    engine: Any = None
    request = AttemptRequest(None, {"name": "P"}, ACCESS, "/nowhere")
    try:
        ended = verify_all(request, template, Selection(()), worker, engine, check_after)
    except RunFailed as error:
        return [*worker.sent, error.kind]
    return [*worker.sent, ended]


def test_no_outcome_is_sent_of_a_version_that_is_not_known_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(monkeypatch, GOOD, GOOD) == ["version-unknown"]


def test_a_provider_that_died_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(monkeypatch, DIED, DIED) == [*[PactVerified(DIED, pending=False)] * 2, AllVerified(2)]
