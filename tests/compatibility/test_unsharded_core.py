"""`verify` beside the core alone, over pacts that nobody wrote: the same outcome, differences and state changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.compatibility.varied_pacts import REFUSED, Case, cases
from tests.support.loopback import Loopback, Received, Reply
from tests.support.plain_pact_python import plain_results
from verifier.engine.process import Engine
from verifier.request import ProviderUnderTest, VerificationRequest
from verifier.run import verify
from verifier.transport import Transport
from verifier.verification import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.verification import InteractionResult, Verification

EXAMPLES = 25
"""Some hundreds were tried, too."""
Difference = tuple[str, str, str | None, str | None, str]


class Provider:
    """Answers the requests and messages of all cases, for the core and for `verify`, and keeps what it was sent."""

    def __init__(self, varied: list[Case]) -> None:
        self._varied = varied
        self.changes: dict[str, list[Any]] = {}
        self.asked: dict[str, list[Any]] = {}

    def __call__(self, request: Received) -> Reply:
        _, side, number, what, *_ = request.path.split("/", 4)
        case, of_case = self._varied[int(number)], f"{side}/{number}"
        if what == "_health":
            return Reply()
        if what == "_states":
            self.changes.setdefault(of_case, []).append(request.json)
            return Reply(400 if request.json["state"] == REFUSED else 200, {})
        path = request.path.removeprefix(f"/{of_case}")
        self.asked.setdefault(of_case, []).append((request.method, path, request.body))
        return case.answers[request.json["description"] if what == "_messages" else path.partition("?")[0]]


@pytest.fixture(scope="module")
def varied() -> list[Case]:
    """Draw the cases, to be verified together: the core needs a process of its own."""
    found: list[Case] = []

    @given(cases())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


@pytest.fixture(scope="module")
def provider(varied: list[Case]) -> Provider:
    return Provider(varied)


@pytest.fixture(scope="module")
def server(provider: Provider) -> Iterator[Loopback]:
    with Loopback(provider) as listening:
        yield listening


@pytest.fixture(scope="module")
def of_the_core(varied: list[Case], server: Loopback, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    orders = [
        {
            "document": case.document,
            "base_url": f"{server.url}/core/{number}",
            "transports": [vars(messages_at(server, f"core/{number}"))],
            "states_url": f"{server.url}/core/{number}/_states",
            "teardown": number % 2 == 0,
        }
        for number, case in enumerate(varied)
    ]
    return plain_results(tmp_path_factory.mktemp("core"), orders)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def messages_at(server: Loopback, of_case: str) -> Transport:
    return Transport("message", server.port, f"/{of_case}/_messages")


@pytest.fixture(scope="module")
def ours(
    varied: list[Case], server: Loopback, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> list[Verification]:
    file = tmp_path_factory.mktemp("ours") / "pact.json"
    return [
        verified(file, case, f"ours/{number}", server, engine, states_teardown=number % 2 == 0)
        for number, case in enumerate(varied)
    ]


def verified(
    file: Path, case: Case, of_case: str, server: Loopback, engine: Engine, **options: Any
) -> Verification:
    file.write_text(json.dumps(case.document), encoding="utf-8")
    provider = ProviderUnderTest(
        base_url=f"{server.url}/{of_case}",
        health_path="/_health",
        transports=(messages_at(server, of_case),),
        states_url=f"{server.url}/{of_case}/_states",
        **options,
    )
    return verify(VerificationRequest(str(file), provider), engine=engine)


def test_interactions_have_the_outcome_and_differences_that_the_core_finds(
    varied: list[Case], of_the_core: list[Any], ours: list[Verification]
) -> None:
    for case, core, found in zip(varied, of_the_core, ours, strict=True):
        results = core["interactionResults"]
        assert [result.description for result in found.interactions] == [
            result["description"] for result in results
        ]
        for interaction, entry, result in zip(document_parts(case), results, found.interactions, strict=True):
            shown = json.dumps([interaction, entry], ensure_ascii=False, indent=1)
            assert result.outcome == (Outcome.PASSED if entry["result"] == "OK" else Outcome.FAILED), shown
            assert differences(result) == core_differences(entry), shown
        assert found.outcome == (Outcome.PASSED if core["result"] else Outcome.FAILED)
        assert sum(result.is_pending_failure for result in found.interactions) == len(core["pendingErrors"])


def test_states_are_changed_as_the_core_changes_them(
    varied: list[Case], provider: Provider, of_the_core: list[Any], ours: list[Verification]
) -> None:
    assert len(of_the_core) == len(ours) == len(varied)
    for number, case in enumerate(varied):
        assert provider.changes[f"ours/{number}"] == provider.changes[f"core/{number}"], case.document
        changed = [change["state"] for change in provider.changes[f"ours/{number}"]]
        assert changed, "an interaction without states has an empty one"


def test_the_provider_is_asked_as_the_core_asks_it(
    varied: list[Case], provider: Provider, of_the_core: list[Any], ours: list[Verification]
) -> None:
    assert len(of_the_core) == len(ours) == len(varied)
    for number, case in enumerate(varied):
        asked = [provider.asked.get(f"{side}/{number}") for side in ("ours", "core")]
        assert asked[0] == asked[1], case.document


def test_the_cases_are_of_all_kinds(varied: list[Case], ours: list[Verification]) -> None:
    """Hold that the comparison is one: passed and failed, of all parts, with states and without."""
    results = [result for found in ours for result in found.interactions]
    assert {result.outcome for result in results} == {Outcome.PASSED, Outcome.FAILED}
    assert {mismatch.attribute for result in results for mismatch in result.mismatches} == {
        "status",
        "header",
        "body",
        "metadata",
    }
    assert {bool(result.states) for result in results} == {True, False}
    assert {case.document["metadata"]["pactSpecification"]["version"] for case in varied} == {
        "2.0.0",
        "3.0.0",
        "4.0",
    }
    assert any(result.is_pending_failure for result in results)
    assert any("was answered with 400" in str(result.reason) for result in results), "a state was refused"


def document_parts(case: Case) -> list[Any]:
    parts: list[Any] = case.document["messages" if "messages" in case.document else "interactions"]
    return parts


def differences(result: InteractionResult) -> list[Difference]:
    return sorted(
        (found.attribute, found.identifier, found.expected, found.actual, found.description)
        for found in result.mismatches
    )


def core_differences(entry: dict[str, Any]) -> list[Difference]:
    found = entry.get("mismatch") or {}
    return sorted(
        (
            item["type"].removesuffix("Mismatch").removesuffix("Type").lower(),
            item.get("path", item.get("key", "")),
            text(item.get("expected")),
            text(item.get("actual")),
            item["mismatch"],
        )
        for item in found.get("mismatches", ())
    )


def text(value: Any) -> str | None:
    return None if value is None else str(value)
