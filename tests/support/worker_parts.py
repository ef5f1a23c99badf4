"""The parts of a worker, without a database, a broker or a child process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from app.config.settings import Settings
from app.records.run import Publishing, Run
from app.worker.child_input import ChildInputs
from app.worker.executor import Executor
from app.worker.protocol import Verified
from app.worker.publisher import Publisher
from broker.http.access import BrokerAccess
from verifier.verification import InteractionResult, PublishedResult, Verification

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cret-of-the-broker"
BROKER = "http://broker.example.org"
PACT = f"{BROKER}/pacts/provider/P/consumer/C/version/1"
SETTINGS = Settings.model_validate(
    {
        "broker": {"url": BROKER},
        "providers": [
            {"name": "P", "repository": "acme/p", "base_url": "http://127.0.0.1:1", "version": "1"}
        ],
        "worker": {"retry_seconds": [10, 30], "publish_retry_seconds": [5], "publish_hours": 1},
    }
)
ACCESS = BrokerAccess(BROKER, token=SECRET)
INPUTS = ChildInputs(SETTINGS, ACCESS, Path("/nowhere"), {}, {})


def a_run(**values: Any) -> Run:
    """A run that is under way, but for some values."""
    fields: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    fields.update(
        id=uuid4(), provider="P", reason="dispatched", status="running", publishing="none", pact_url=PACT
    )
    fields.update(attempt=1, failures=0, publish_attempts=0, cancel_requested=False)
    return Run(**{**fields, **values})


def passed(run: Run) -> Verification:
    """A verification that passed."""
    result = InteractionResult.__dataclass_fields__  # what has no default is filled in
    values: dict[str, Any] = dict.fromkeys(result)
    values.update(index=0, description="a thing", outcome="passed", states=(), comments=(), mismatches=())
    values.update(test_name="", pending=False)
    return Verification.from_dict(
        {
            "schema_version": 1,
            "id": str(run.id),
            "pact_url": run.pact_url,
            "started_at": "2026-01-01T00:00:00+00:00",
            "provider_version": "1",
            "interactions": [values],
            "interactions_in_pact": 1,
        }
    )


class NoDatabase:
    """Calls functions with itself as the connection; answers nothing but a stored verification."""

    def __init__(self, saved: dict[str, Any] | None = None) -> None:
        self._saved = saved

    async def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return function(self, *arguments, **options)

    def execute(self, query: str, *_: Any) -> Any:
        return self if "SELECT verification" in query else []

    def fetchone(self) -> Any:
        return [self._saved]


class Changes:
    """Remembers the changes of one run, by their names, with what was given."""

    def __init__(self, run: Run, **failing: Exception) -> None:
        self.run: Run | None = run
        self.made: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._failing = failing

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def change(_: Any, *arguments: Any, **options: Any) -> Any:
            self.made.append((name, arguments, options))
            if name in self._failing:
                raise self._failing[name]
            if name == "verified" and self.run is not None:
                return replace(self.run, publishing=Publishing.PENDING)
            return {"begin": self.run, "cancelled": False, "try_again": True}.get(name)

        return change

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.made]


class OneChild:
    """A child that ends each request in the same way; it is its own pool."""

    def __init__(self, ended: Any = None) -> None:
        self._ended = ended
        self.usable: list[bool] = []

    async def take(self) -> OneChild:
        return self

    async def put_back(self, _: Any, *, usable: bool) -> None:
        self.usable.append(usable)

    async def carry_out(self, *_: Any) -> Any:
        if isinstance(self._ended, Exception):
            raise self._ended
        return self._ended


def publisher(
    changes: Changes,
    *,
    saved: Any = None,
    publish: Callable[..., Any] | None = None,
    access: BrokerAccess = ACCESS,
) -> Publisher:
    """A publisher; the broker takes everything unless `publish` is given."""

    def take(*_: Any, **__: Any) -> PublishedResult:
        return PublishedResult(f"{BROKER}/results/1", True, "1")

    return Publisher(
        NoDatabase(saved),
        changes,  # type: ignore[arg-type]
        access,
        plan=SETTINGS.worker.publish_retry_plan,
        log_bytes=1000,
        publish=publish or take,
    )


def executor(changes: Changes, child: OneChild | None = None) -> Executor:
    """An executor."""
    assert changes.run is not None or child is None
    ended = None if changes.run is None else Verified(passed(changes.run))
    return Executor(
        SETTINGS,
        database=NoDatabase(),
        changes=changes,  # type: ignore[arg-type]
        children=child or OneChild(ended),  # type: ignore[arg-type]
        publisher=publisher(changes),
        worker="worker",
        inputs=INPUTS,
    )
