"""The engine: a child process that can be trusted, and that finds what one unsharded run finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from tests.support.examples import http_interaction, pact_document
from tests.support.loopback import Loopback, Received, Reply
from tests.support.paths import ROOT
from tests.support.plain_pact_python import plain_results
from verifier.engine.core_results import STATE_CHANGE_FAILED, interaction_result
from verifier.engine.process import Engine, _read
from verifier.engine.protocol import Job
from verifier.errors import CannotVerify, ErrorKind, UsageError
from verifier.pact_document import parse_pact
from verifier.transport import Transport
from verifier.verification import InteractionResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOT_FOUND = Reply(404, {"error": "not found"})
OTHERS = {
    "/text": Reply(body="plain words", headers={"Content-Type": "text/plain"}),
    "/nothing": Reply(204),
    "/dropped": Reply(drop=True),
}


class Catalogue:
    """A provider: products, messages, provider states. No interaction changes what another one sees."""

    def __init__(self) -> None:
        self.products: dict[int, dict[str, Any]] = {7: {"id": 7, "name": "Kettle", "price": 34.9}}

    def __call__(self, request: Received) -> Reply:
        parts = urlsplit(request.path)
        if parts.path == "/_states":
            return self._state(request.json)
        if parts.path == "/_messages":
            return _message(request.json["description"])
        if parts.path == "/products":
            return self._list(parts.query, request)
        if parts.path.startswith("/products/") and parts.path[10:].isdigit():
            product = self.products.get(int(parts.path[10:]))
            return Reply(body=product, headers={"X-Shelf": "a-1"}) if product else NOT_FOUND
        return OTHERS.get(parts.path, NOT_FOUND)

    def _state(self, change: dict[str, Any]) -> Reply:
        state, params = change["state"], change.get("params") or {}
        if state == "the database is broken":
            return Reply(422, {"error": "no such table"})
        if state == "a product exists" and not isinstance(params.get("id"), int):
            return Reply(400, {"error": "which product?"})
        if state == "a product exists" and change.get("action") != "teardown":
            self.products[params["id"]] = {"name": "Lamp", "price": 12.5, **params}
            return Reply(body={"id": params["id"], "productName": self.products[params["id"]]["name"]})
        return Reply(body={})

    def _list(self, query: str, request: Received) -> Reply:
        if request.method == "POST":
            sent = request.json
            return (
                Reply(201, {**sent, "id": 9})
                if sent.get("name")
                else Reply(422, {"error": "name is missing"})
            )
        values = parse_qs(query)
        found = [{"id": 7, "name": "Kettle", "tags": ["kitchen", "steel"]}]
        return Reply(body={"products": [] if values.get("tag") == ["garden"] else found, "asked": values})


def _message(description: str) -> Reply:
    if description.startswith("a product was sold"):
        return Reply(body={"event": "sold", "id": 7, "to": "Ada"})
    if description == "what is the stock?":
        return Reply(body={"stock": 4})
    return NOT_FOUND


def matcher(**rule: Any) -> dict[str, Any]:
    return {"combine": "AND", "matchers": [rule]}


def spec(version: str) -> dict[str, Any]:
    return {"pactSpecification": {"version": version}}


def get(path: str, **parts: Any) -> dict[str, Any]:
    return {"method": "GET", "path": path, **parts}


def json_answer(body: Any, **parts: Any) -> dict[str, Any]:
    return {"status": 200, "headers": {"Content-Type": "application/json"}, "body": body, **parts}


def json_body(content: Any) -> dict[str, Any]:
    return {"content": content, "contentType": "application/json", "encoded": False}


def v1() -> dict[str, Any]:
    return pact_document(
        http_interaction(
            "passes", request=get("/products/7"), response=json_answer({"id": 7, "name": "Kettle"})
        ),
        http_interaction("another status", request=get("/products/99"), response={"status": 200}),
        http_interaction(
            "another body",
            request=get("/products/7"),
            response=json_answer({"name": "Toaster", "price": "1"}),
        ),
        http_interaction(
            "a set state",
            provider_state="the shop is open",
            request=get("/products/7"),
            response=json_answer({"id": 7}),
        ),
        http_interaction(
            "a state that is refused", provider_state="the database is broken", request=get("/products/7")
        ),
        http_interaction("a query", request=get("/products", query="tag=garden"), response={"status": 200}),
        http_interaction("plain text", request=get("/text"), response={"status": 200, "body": "other words"}),
        metadata={"pactSpecificationVersion": "1.0.0"},
    )


def v2() -> dict[str, Any]:
    return pact_document(
        http_interaction(
            "types match",
            providerState="the shop is open",
            request=get("/products/7"),
            response=json_answer(
                {"id": 1, "name": "any", "price": 1.5},
                matchingRules={
                    "$.body": {"match": "type"},
                    "$.body.name": {"match": "regex", "regex": "K.*"},
                },
            ),
        ),
        http_interaction(
            "a regex that does not match",
            request=get("/products/7"),
            response=json_answer(
                {"name": "Toaster"}, matchingRules={"$.body.name": {"match": "regex", "regex": "T.*"}}
            ),
        ),
        http_interaction(
            "too few",
            request=get("/products", query="tag=kitchen&page=2"),
            response=json_answer(
                {"products": [{"id": 1}]}, matchingRules={"$.body.products": {"min": 3, "match": "type"}}
            ),
        ),
        http_interaction(
            "headers",
            request=get("/products/7"),
            response={
                "status": 200,
                "headers": {"X-Shelf": "b-2", "X-None": "there"},
                "matchingRules": {"$.headers.X-Shelf": {"match": "regex", "regex": "[a-z]-\\d"}},
            },
        ),
        metadata=spec("2.0.0"),
    )


def v3() -> dict[str, Any]:
    def state(state_name: str, **params: Any) -> dict[str, Any]:
        return {"name": state_name, "params": params} if params else {"name": state_name}

    twins = [
        http_interaction(
            "the same words", request=get(f"/products/{number}"), response=json_answer({"id": number})
        )
        for number in (7, 98, 7, 97)
    ]
    return pact_document(
        http_interaction(
            "a state with parameters",
            providerStates=[state("the shop is open"), state("a product exists", id=11, name="Vase")],
            request=get("/products/11"),
            response=json_answer({"id": 11, "name": "Vase"}),
        ),
        http_interaction(
            "a state whose parameters are refused",
            providerStates=[state("a product exists", id="eleven")],
            request=get("/products/11"),
        ),
        http_interaction(
            "a value that the state gives",
            providerStates=[state("a product exists", id=21)],
            request=get(
                "/products/1",
                generators={
                    "path": {"type": "ProviderState", "expression": "/products/${id}", "dataType": "STRING"}
                },
            ),
            response=json_answer(
                {"id": 1, "name": "x"},
                generators={
                    "body": {
                        "$.id": {"type": "ProviderState", "expression": "${id}", "dataType": "INTEGER"},
                        "$.name": {
                            "type": "ProviderState",
                            "expression": "${productName}",
                            "dataType": "STRING",
                        },
                    }
                },
            ),
        ),
        *twins,
        http_interaction(
            "matchers",
            request=get("/products", query={"tag": ["kitchen", "steel"]}),
            response=json_answer(
                {"products": [{"id": "seven", "tags": ["a"]}], "asked": {"tag": ["x"]}},
                matchingRules={
                    "body": {
                        "$.products": matcher(match="type", min=1),
                        "$.products[*].id": matcher(match="type"),
                        "$.products[*].tags": matcher(match="type", min=1),
                        "$.products[*].tags[*]": matcher(match="type"),
                        "$.asked.tag": matcher(match="type", max=1),
                    }
                },
            ),
        ),
        http_interaction("no connection", request=get("/dropped")),
        http_interaction("text for JSON", request=get("/text"), response=json_answer({"id": 7})),
        http_interaction("nothing", request=get("/nothing"), response={"status": 204}),
        http_interaction("nothing for JSON", request=get("/nothing"), response=json_answer([1], status=204)),
        http_interaction(
            "headers",
            request=get("/products/7", headers={"Accept": "application/json, text/plain", "X-Two": "a, b"}),
            response={
                "status": 200,
                "headers": {"Content-Type": "text/html", "X-Shelf": "b-2"},
                "matchingRules": {"header": {"X-Shelf": matcher(match="regex", regex="b-\\d")}},
            },
        ),
        http_interaction(
            "a new product without a name",
            request={
                "method": "POST",
                "path": "/products",
                "headers": {"Content-Type": "application/json"},
                "body": {"price": 1},
            },
            response={"status": 201, "body": {"id": 9}},
        ),
    )


def v3_messages() -> dict[str, Any]:
    document = pact_document(
        messages=[
            {
                "description": "a product was sold",
                "providerStates": [{"name": "the shop is open"}],
                "contents": {"event": "sold", "id": 1},
                "matchingRules": {"body": {"$.id": matcher(match="integer")}},
                "metaData": {"contentType": "application/json"},
            },
            {
                "description": "a product was sold twice",
                "contents": {"event": "returned", "to": 4},
                "metaData": {"contentType": "application/json"},
            },
            {
                "description": "a product was sold to nobody",
                "providerStates": [{"name": "the database is broken"}],
                "contents": {"event": "sold"},
                "metaData": {"contentType": "application/json"},
            },
        ]
    )
    del document["interactions"]
    return document


def v4() -> dict[str, Any]:
    def http(description: str, path: str, body: Any, **parts: Any) -> dict[str, Any]:
        return {
            "type": "Synchronous/HTTP",
            "description": description,
            "request": get(path),
            "response": {
                "status": 200,
                "headers": {"Content-Type": ["application/json"]},
                "body": json_body(body),
            },
            **parts,
        }

    return pact_document(
        http("passes", "/products/7", {"id": 7}, key="k-7"),
        http("fails, but is pending", "/products/7", {"name": "Toaster"}, pending=True, key="k-8"),
        http("fails", "/products/7", {"id": 8, "size": "big"}, pending=False),
        http("not there", "/products/96", {"id": 96}),
        http(
            "a state with parameters",
            "/products/31",
            {"id": 31, "name": "Lamp"},
            providerStates=[{"name": "a product exists", "params": {"id": 31}}],
        ),
        http(
            "pending, and its state is refused",
            "/products/7",
            {"id": 7},
            pending=True,
            providerStates=[{"name": "the database is broken"}],
        ),
        metadata=spec("4.0"),
    )


def v4_messages() -> dict[str, Any]:
    def sold(description: str, contents: Any, **parts: Any) -> dict[str, Any]:
        return {
            "type": "Asynchronous/Messages",
            "description": description,
            "contents": json_body(contents),
            "metadata": {"contentType": "application/json"},
            **parts,
        }

    def stock(number: Any) -> dict[str, Any]:
        return {
            "type": "Synchronous/Messages",
            "description": "what is the stock?",
            "request": {"contents": json_body({"id": 7})},
            "response": [{"contents": json_body({"stock": number})}],
        }

    return pact_document(
        sold("a product was sold", {"event": "sold", "id": 7}),
        stock(4),
        sold("a product was sold again", {"event": "sold", "id": "7"}),
        stock("none"),
        sold("a product was sold late", {"event": "late"}, pending=True),
        {
            "type": "Synchronous/HTTP",
            "description": "one over HTTP",
            "request": get("/products/7"),
            "response": {"status": 200},
        },
        metadata=spec("4.0"),
    )


def many() -> dict[str, Any]:
    """More than one shard, even on one thread: 25 is the largest."""
    return pact_document(
        *(
            http_interaction(
                f"product {number % 20}",
                request=get("/products/7"),
                response=json_answer({"id": 7 + number % 3}, status=200 + number % 2),
            )
            for number in range(60)
        )
    )


PACTS = [v1, v2, v3, v3_messages, v4, v4_messages, many]


def with_ids(document: dict[str, Any]) -> dict[str, Any]:
    """Give each interaction an `_id`, as a broker does: so the core tells twins apart."""
    for kind in ("interactions", "messages"):
        for number, interaction in enumerate(document.get(kind, ())):
            interaction["_id"] = f"id-{number}"
    return document


Found = dict[str, tuple[Outcome, frozenset[tuple[str, str, str]]]]


def found(result: InteractionResult) -> tuple[Outcome, frozenset[tuple[str, str, str]]]:
    """Take from a result what is to be compared."""
    reason = [("error", "", result.reason)] if result.reason else []
    differences = [(m.attribute, m.identifier, m.description) for m in result.mismatches]
    return result.outcome, frozenset([*reason, *differences])


@pytest.fixture
def catalogue() -> Iterator[Loopback]:
    with Loopback(Catalogue()) as server:
        yield server


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def run(
    engine: Engine, job: Job, *, seconds: float = 60, watch: Callable[[], None] | None = None
) -> list[InteractionResult]:
    """Run a job, and return its results."""
    results: list[InteractionResult] = []
    engine.run(
        job,
        deadline=time.monotonic() + seconds,
        on_results=results.extend,
        on_note=lambda _: None,
        watch=watch or (lambda: None),
    )
    return results


def job_for(document: dict[str, Any], base_url: str | None, **values: Any) -> Job:
    pact = parse_pact(document)
    return Job(pact, tuple(range(len(pact.interactions))), base_url, **values)


def plainly(tmp_path: Path, document: dict[str, Any], provider: Loopback, transports: Any) -> Found:
    """Verify the whole document with pact-python itself, as one source."""
    [results] = plain_results(
        tmp_path,
        [
            {
                "document": document,
                "base_url": provider.url,
                "transports": [vars(transport) for transport in transports],
                "states_url": f"{provider.url}/_states",
                "teardown": True,
            }
        ],
    )
    interactions = {interaction.id: interaction for interaction in parse_pact(document).interactions}
    return {
        entry["interactionId"]: found(interaction_result(interactions[entry["interactionId"]], entry))
        for entry in results["interactionResults"]
    }


@pytest.mark.parametrize("make", PACTS, ids=lambda make: str(make.__name__))
def test_sharded_outcome_equals_one_unsharded_run(
    make: Callable[[], dict[str, Any]], tmp_path: Path, catalogue: Loopback, engine: Engine
) -> None:
    document = with_ids(make())
    has_messages = "messages" in make.__name__
    transports = (Transport("message", catalogue.port, "/_messages"),) if has_messages else ()
    plain = plainly(tmp_path, document, catalogue, transports)
    pact = parse_pact(document)
    assert len(plain) == len(pact.interactions)
    assert len(set(plain.values())) > 1, "a pact of which nothing fails, or everything alike, proves little"
    for jobs in (1, 3):
        job = job_for(
            document,
            catalogue.url,
            transports=transports,
            states_url=f"{catalogue.url}/_states",
            states_teardown=jobs == 1,  # without them states are asked for where the provider is
            jobs=jobs,
        )
        results = run(engine, job)
        assert sorted(result.index for result in results) == [i.index for i in pact.interactions]
        for result in results:
            outcome, differences = plain[result.id]
            if STATE_CHANGE_FAILED in str(differences):
                # the core does not know why; the relay does, and that the handler refused the state
                assert result.outcome == Outcome.FAILED
                assert "was answered with 4" in str(result.reason)
            elif "error sending request" in str(differences):
                # nor what became of a request
                assert result.outcome == Outcome.ERROR
                assert "the connection was closed without an answer" in str(result.reason)
            else:
                assert found(result) == (outcome, differences)


def test_each_interaction_is_verified_once_and_only_those_chosen(catalogue: Loopback, engine: Engine) -> None:
    document = pact_document(*(http_interaction(f"{n}", request=get(f"/products/{n}")) for n in range(40)))
    chosen = tuple(range(0, 40, 3))
    run(engine, Job(parse_pact(document), chosen, catalogue.url, jobs=3))
    assert sorted(request.path for request in catalogue.received) == sorted(f"/products/{n}" for n in chosen)


def test_headers_and_base_path_reach_the_provider(engine: Engine) -> None:
    with Loopback(Reply()) as provider:
        document = pact_document(http_interaction(request=get("/products")))
        [result] = run(
            engine,
            job_for(
                document, provider.url + "/shop/", headers=(("Authorization", "Bearer x: y"), ("X-B", "2"))
            ),
        )
    assert result.outcome == Outcome.PASSED
    [request] = provider.received
    assert request.path == "/shop/products"
    assert request.headers["authorization"] == "Bearer x: y"
    assert request.headers["x-b"] == "2"


def test_python_states_are_set_up_and_give_values(
    tmp_path: Path, catalogue: Loopback, engine: Engine
) -> None:
    states = tmp_path / "states.py"
    states.write_text(
        "def product(parameters):\n    return {'id': parameters['id'] + 6}\nhandlers = {'one': product}\n"
    )
    generator = {"type": "ProviderState", "expression": "/products/${id}", "dataType": "STRING"}
    document = pact_document(
        http_interaction(
            "a given one",
            providerStates=[{"name": "one", "params": {"id": 1}}],
            request=get("/products/0", generators={"path": generator}),
        ),
        http_interaction("an unknown state", providerStates=[{"name": "two"}]),
    )
    job = job_for(document, catalogue.url, states_file=(str(states), "handlers"))
    by_index = {result.index: result for result in run(engine, job)}
    assert by_index[0].outcome == Outcome.PASSED
    assert by_index[1].outcome == Outcome.FAILED
    assert 'no handler for state "two"' in str(by_index[1].reason)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('no database')", "RuntimeError: no database"),
        ("handlers = 5", "neither a function nor a dict"),
        ("handlers = {'one': 1}", "neither a function nor a dict"),
        ("", "handlers in"),
        ("def handlers(:", "SyntaxError"),
    ],
)
def test_states_that_can_not_be_loaded_are_a_usage_error(
    code: str, said: str, tmp_path: Path, catalogue: Loopback, engine: Engine
) -> None:
    states = tmp_path / "states.py"
    states.write_text(code)
    job = job_for(pact_document(http_interaction()), catalogue.url, states_file=(str(states), "handlers"))
    with pytest.raises(UsageError, match="--provider-states") as error:
        run(engine, job)
    assert said in str(error.value)


def test_refused_state_says_what_the_handler_said(catalogue: Loopback, engine: Engine) -> None:
    document = pact_document(http_interaction(providerStates=[{"name": "the database is broken"}]))
    [result] = run(engine, job_for(document, catalogue.url, states_url=f"{catalogue.url}/_states"))
    assert result.outcome == Outcome.FAILED
    assert "no such table" in str(result.reason)


@pytest.mark.parametrize("status", [500, 503])
def test_state_change_answered_with_5xx_is_not_repeated(status: int, engine: Engine) -> None:
    with Loopback(Reply(status, "out of order")) as states:
        document = pact_document(http_interaction(providerStates=[{"name": "one"}]))
        [result] = run(engine, job_for(document, states.url, states_url=f"{states.url}/_states"))
    assert len(states.received) == 1
    assert result.outcome == (Outcome.FAILED if status == 500 else Outcome.ERROR)
    assert "out of order" in str(result.reason)


def test_a_job_after_another_works(catalogue: Loopback, engine: Engine) -> None:
    for path, outcome in (
        ("/products/7", Outcome.PASSED),
        ("/products/95", Outcome.FAILED),
        ("/products/7", Outcome.PASSED),
    ):
        [result] = run(engine, job_for(pact_document(http_interaction(request=get(path))), catalogue.url))
        assert result.outcome == outcome


def test_a_job_after_one_that_could_not_be_run_works(
    tmp_path: Path, catalogue: Loopback, engine: Engine
) -> None:
    (tmp_path / "states.py").write_text("1 / 0")
    document = pact_document(http_interaction(request=get("/products/7")))
    with pytest.raises(UsageError):
        run(engine, job_for(document, catalogue.url, states_file=(str(tmp_path / "states.py"), "x")))
    [result] = run(engine, job_for(document, catalogue.url))
    assert result.outcome == Outcome.PASSED


def test_killed_child_is_a_failed_engine_and_no_pass() -> None:
    with Loopback(Reply(hang=True)) as provider, Engine() as engine:
        job = job_for(pact_document(http_interaction()), provider.url, request_timeout=60)
        killed: list[int] = []

        def watch() -> None:
            if provider.received and not killed:
                killed.append(engine.pid)
                os.kill(engine.pid, signal.SIGKILL)

        with pytest.raises(CannotVerify, match="killed by SIGKILL") as error:
            run(engine, job, watch=watch)
    assert killed
    assert error.value.kind == "engine-failed"
    assert error.value.retryable


def test_job_for_a_child_that_is_gone_is_a_failed_engine() -> None:
    with Engine() as engine:
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(CannotVerify, match="killed by SIGKILL") as error:
            run(engine, job_for(pact_document(http_interaction()), "http://127.0.0.1:1"))
    assert error.value.kind == "engine-failed"


def test_child_killed_in_the_middle_of_a_line_is_a_failed_engine() -> None:
    with Engine() as engine:
        reader, writer = os.pipe()
        os.write(writer, b'{"type": "Results", "resu')
        os.close(writer)
        _read(os.fdopen(reader, "rb"), engine._events)
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(CannotVerify, match="killed by SIGKILL"):
            run(engine, job_for(pact_document(http_interaction()), "http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "line", [b"not JSON\n", b'{"type": "Results", "results": [{"index": 0}]}\n', b"\xff\n"]
)
def test_line_that_is_no_message_of_the_engine_is_a_failed_engine(line: bytes) -> None:
    with Engine() as engine:
        reader, writer = os.pipe()
        os.write(writer, line)
        os.close(writer)
        _read(os.fdopen(reader, "rb"), engine._events)
        with pytest.raises(CannotVerify, match="can't be understood") as error:
            run(engine, job_for(pact_document(http_interaction()), "http://127.0.0.1:1"))
        assert not psutil.pid_exists(engine.pid)
    assert error.value.kind == "engine-failed"


def test_child_that_is_sent_no_message_ends_and_says_why() -> None:
    with Engine() as engine:
        engine._child.commands.write(b"{}\n")
        engine._child.commands.flush()
        engine._child.wait(60)
        with pytest.raises(CannotVerify, match="ended with exit code 1") as error:
            run(engine, job_for(pact_document(http_interaction()), "http://127.0.0.1:1"))
    assert "not a message to the engine" in error.value.output


def test_deadline_ends_a_job_on_a_provider_that_hangs() -> None:
    with Loopback(Reply(hang=True)) as provider, Engine() as engine:
        job = job_for(pact_document(http_interaction()), provider.url, request_timeout=60)
        with pytest.raises(CannotVerify, match="--timeout") as error:
            run(engine, job, seconds=1)
        assert not psutil.pid_exists(engine.pid)
    assert error.value.kind == "timed-out"
    assert error.value.retryable


def test_what_the_watch_raises_ends_the_job() -> None:
    with Loopback(Reply(hang=True)) as provider, Engine() as engine:

        def watch() -> None:
            raise CannotVerify("the provider is gone", kind=ErrorKind.PROVIDER_DIED)

        job = job_for(pact_document(http_interaction()), provider.url, request_timeout=60)
        with pytest.raises(CannotVerify, match="the provider is gone"):
            run(engine, job, watch=watch)


def test_request_that_takes_too_long_is_no_mismatch() -> None:
    with Loopback(Reply(hang=True)) as provider, Engine() as engine:
        [result] = run(engine, job_for(pact_document(http_interaction()), provider.url, request_timeout=0.3))
    assert result.outcome == Outcome.ERROR
    assert "timed out: no whole answer within 0.3 s" in str(result.reason)


def test_close_removes_its_folder_and_its_child() -> None:
    with Engine() as engine:
        folder, child = engine.folder, psutil.Process(engine.pid)
        assert folder.is_dir()
        assert child.is_running()
    assert not folder.exists()
    assert not child.is_running()


def test_guard_of_a_child_that_was_ended_is_fine() -> None:
    with Engine() as engine:
        engine._child.kill()
        engine.guard(None)
    engine.guard(None)


def test_closing_twice_is_fine() -> None:
    with Engine() as engine:
        engine.close()


def test_child_ends_when_its_parent_is_gone() -> None:
    """Also when the parent had no time to say so: the child reads the end of its standard input."""
    code = (
        "import sys, time; from verifier.engine.process import Engine; engine = Engine(); "
        "print(engine.pid, engine.folder, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        child = psutil.Process(int(pid))
        parent.kill()
        parent.wait()
        gone, alive = psutil.wait_procs([child], timeout=60)
        assert gone, alive
        assert not Path(folder).exists()
    finally:
        parent.kill()
        parent.wait()
        if parent.stdout is not None:
            parent.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_child_does_not_know_the_broker_credentials(
    monkeypatch: pytest.MonkeyPatch, catalogue: Loopback
) -> None:
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"PACT_BROKER_{name}", f"hidden-{name}")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    with Engine() as engine:
        run(engine, job_for(pact_document(http_interaction()), catalogue.url))
        process = psutil.Process(engine.pid)
        environment = Path(f"/proc/{engine.pid}/environ").read_bytes()
        assert b"SOMETHING_ELSE=kept" in environment
        assert b"hidden-" not in environment
        assert b"PACT_BROKER_" not in environment
        assert "hidden-" not in " ".join(process.cmdline())


def test_header_values_are_on_no_command_line(engine: Engine) -> None:
    seen: list[str] = []

    def answer(_: Received) -> Reply:
        seen.extend(psutil.Process(engine.pid).cmdline())
        return Reply()

    with Loopback(answer) as provider:
        run(
            engine,
            job_for(
                pact_document(http_interaction()), provider.url, headers=(("Authorization", "Bearer s3cret"),)
            ),
        )
        assert provider.received[0].headers["authorization"] == "Bearer s3cret"
    assert "verifier.engine.child" in seen
    assert "s3cret" not in " ".join(seen)


@pytest.mark.parametrize(
    ("values", "small"),
    [
        ({}, True),
        ({"base_url": "https://provider.example"}, True),  # the relay asks it
        ({"base_url": "HTTPS://provider.example"}, True),
        ({"base_url": "https://p", "transports": (Transport("grpc", 1),)}, False),
        ({"base_url": "http://p", "states_url": "https://p/_states"}, False),
        ({"base_url": "http://p", "states_url": "http://p/_states"}, True),
        ({"base_url": "http://p", "states_file": ("states.py", "handlers")}, False),
        ({"transports": (Transport("message", 1),)}, True),  # likewise
        ({"transports": (Transport("message", 1), Transport("grpc", 2))}, False),
    ],
)
def test_small_trust_store_is_used_only_where_nothing_can_need_more(
    values: dict[str, Any],
    small: bool,  # noqa: FBT001
) -> None:
    job = Job(parse_pact(pact_document(http_interaction())), (0,), **{"base_url": "http://p", **values})
    assert job.small_trust_store is small


def test_small_trust_store_is_not_used_with_plugins() -> None:
    document = pact_document(http_interaction(), metadata={"plugins": [{"name": "grpc"}]})
    assert not job_for(document, "http://p").small_trust_store


def test_module_in_the_current_folder_does_not_stand_in_for_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalogue: Loopback
) -> None:
    for name in ("pact", "verifier", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the provider was imported')")
    monkeypatch.chdir(tmp_path)
    with Engine() as engine:
        [result] = run(
            engine, job_for(pact_document(http_interaction(request=get("/products/7"))), catalogue.url)
        )
    assert result.outcome == Outcome.PASSED
