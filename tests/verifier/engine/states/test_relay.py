"""State changes on their way: passed on, refused with a reason, or not answered."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from broker.text.cut import LONGEST_READ
from tests.support.loopback import Loopback, Received, Reply, closed_port
from verifier.engine.states.change import StateChange, StateChangeFailed, StateFailure
from verifier.engine.states.handlers import PythonHandler, StateHandler, UrlHandler
from verifier.engine.states.relay import RelayedChange, StateRelay, by_interaction

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGE = {"state": "a product exists", "action": "setup", "params": {"id": 7}}


def ask(handler: StateHandler, change: dict[str, Any] = CHANGE) -> bytes:
    return handler(StateChange.from_json(json.dumps(change).encode()))


def refusal(handler: StateHandler, change: dict[str, Any] = CHANGE) -> StateFailure:
    with pytest.raises(StateChangeFailed) as error:
        ask(handler, change)
    assert str(error.value) == error.value.failure.reason
    return error.value.failure


def url_refusal(url: str, *, timeout: float = 60) -> StateFailure:
    return refusal(UrlHandler(url, timeout=timeout))


# --- by URL


def test_url_is_posted_the_change_as_the_pact_verifiers_do() -> None:
    with Loopback(Reply(body={"id": 42})) as provider:
        values = ask(UrlHandler(f"{provider.url}/_states?shop=1", timeout=60))
    assert json.loads(values) == {"id": 42}
    [request] = provider.received
    assert (request.method, request.path) == ("POST", "/_states?shop=1")
    assert request.headers["content-type"] == "application/json"
    assert request.json == CHANGE


def test_headers_for_the_url_go_with_each_request_to_its_host_alone() -> None:
    with Loopback(Reply(200, b"")) as other:
        places = {"/_states": "/moved", "/moved": f"{other.url}/_states"}
        with Loopback(lambda asked: Reply(307, headers={"Location": places[asked.path]})) as provider:
            headers = (("authorization", "Basic abc"), ("content-TYPE", "application/vnd.acme+json"))
            ask(UrlHandler(f"{provider.url}/_states", timeout=60, headers=headers))
    assert [request.path for request in provider.received] == ["/_states", "/moved"]
    for request in provider.received:
        assert request.headers["authorization"] == "Basic abc"
        assert request.headers["content-type"] == "application/vnd.acme+json"
    [request] = other.received
    assert request.json == CHANGE
    assert "authorization" not in request.headers


def test_url_that_wants_credentials_says_which_option_gives_them() -> None:
    with Loopback(Reply(401, b"")) as provider:
        assert "give them by --provider-states-header" in url_refusal(provider.url).reason


@pytest.mark.parametrize(("status", "body"), [(200, b""), (201, {"a": 1}), (204, b"")])
def test_any_2xx_is_a_state_that_was_set_up(status: int, body: Any) -> None:
    with Loopback(Reply(status, body)) as provider:
        assert ask(UrlHandler(provider.url, timeout=60)) == (json.dumps(body).encode() if body else b"")


@pytest.mark.parametrize("status", [400, 422, 500])
def test_url_that_refuses_has_answered(status: int) -> None:
    with Loopback(Reply(status, {"error": "no such product"})) as provider:
        failure = url_refusal(provider.url)
    assert failure.answered
    assert f"answered with {status}" in failure.reason
    assert "no such product" in failure.reason
    assert '"a product exists"' in failure.reason


def test_404_is_a_handlers_word_only_where_a_handler_was_found() -> None:
    """A wrong URL answers 404 to every state: that says nothing of the contract."""

    def answer(request: Received) -> Reply:
        return Reply(200 if request.json["state"] == "known" else 404, "<html>not found</html>")

    with Loopback(answer) as provider:
        handler = UrlHandler(provider.url, timeout=60)
        wrong = refusal(handler, {**CHANGE, "state": "unknown"})
        ask(handler, {**CHANGE, "state": "known"})
        unknown = refusal(handler, {**CHANGE, "state": "unknown"})
    assert not wrong.answered
    assert "is --provider-states-setup-url right?" in wrong.reason
    assert "<html>" not in wrong.reason
    assert unknown.answered


@pytest.mark.parametrize("status", [401, 403, 405, 501, 502, 503, 504])
def test_what_answers_in_a_handlers_place_is_not_its_word(status: int) -> None:
    with Loopback(Reply(status, "bad gateway")) as provider:
        failure = url_refusal(provider.url)
        assert len(provider.received) == 1
    assert not failure.answered
    assert f"answered with {status}" in failure.reason
    assert failure.reason.endswith(": bad gateway")


def test_refused_connection_is_no_answer() -> None:
    failure = url_refusal(f"http://127.0.0.1:{closed_port()}/_states")
    assert not failure.answered
    assert "refused" in failure.reason
    assert "0x" not in failure.reason, "addresses of objects help nobody"


def test_timeout_is_no_answer() -> None:
    with Loopback(Reply(hang=True)) as provider:
        failure = url_refusal(provider.url, timeout=0.3)
    assert not failure.answered
    assert "timed out" in failure.reason


def test_answer_that_breaks_off_is_no_answer() -> None:
    with Loopback(Reply(body="0123456789", cut=4)) as provider:
        assert not url_refusal(provider.url).answered


@pytest.mark.parametrize("status", [307, 308])
def test_redirect_is_followed_with_the_change(status: int) -> None:
    def answer(request: Received) -> Reply:
        if request.path == "/_states":
            return Reply(status, headers={"Location": "/_states/"})
        return Reply(body={"id": request.json["params"]["id"]})

    with Loopback(answer) as provider:
        assert json.loads(ask(UrlHandler(f"{provider.url}/_states", timeout=60))) == {"id": 7}
    assert [request.method for request in provider.received] == ["POST", "POST"]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirect_that_loses_the_change_is_not_followed(status: int) -> None:
    with Loopback(Reply(status, headers={"Location": "/sign-in?token=s3cret"})) as provider:
        failure = url_refusal(f"{provider.url}/_states")
    assert len(provider.received) == 1
    assert not failure.answered
    assert "a redirect to /sign-in that is followed without the state" in failure.reason
    assert "s3cret" not in failure.reason


@pytest.mark.parametrize(
    ("content_type", "is_taken"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/hal+json", True),
        ("text/plain", False),
        ("", False),
    ],
)
def test_values_are_those_of_an_answer_that_says_it_is_json(content_type: str, is_taken: bool) -> None:  # noqa: FBT001
    with Loopback(Reply(body=b'{"id": 42}', headers={"Content-Type": content_type})) as provider:
        values = ask(UrlHandler(provider.url, timeout=60))
    assert values == (b'{"id": 42}' if is_taken else b"")


def test_endless_redirect_is_a_failure() -> None:
    with Loopback(Reply(307, headers={"Location": "/"})) as provider:
        assert "redirect" in url_refusal(provider.url).reason
        assert len(provider.received) < 10


def test_long_answer_is_cut_in_the_reason() -> None:
    with Loopback(Reply(500, "x" * 100_000)) as provider:
        assert len(url_refusal(provider.url).reason) < LONGEST_READ + 300


# --- by Python


class Calls(list[dict[str, Any]]):
    """Functions as people write them for pact-python, each noting what it was called with."""

    def by_name(self, state: str, action: str, parameters: dict[str, Any]) -> None:
        self.append({"state": state, "action": action, "parameters": parameters})

    def other_order(self, parameters: dict[str, Any], state: str) -> None:
        self.append({"parameters": parameters, "state": state})

    def params(self, state: str, params: dict[str, Any]) -> None:
        self.append({"state": state, "params": params})

    def positional(self, one: str, two: str, three: dict[str, Any]) -> None:
        self.append({"one": one, "two": two, "three": three})

    def two_positional(self, one: str, two: dict[str, Any]) -> None:
        self.append({"one": one, "two": two})

    def one_positional(self, one: str) -> None:
        self.append({"one": one})

    def with_default(self, state: str, speed: int = 5) -> None:
        self.append({"state": state, "speed": speed})

    def keyword_only(self, *, action: str, state: str) -> None:
        self.append({"action": action, "state": state})

    def everything(self, **values: Any) -> None:
        self.append(values)

    def by_name_and_the_rest(self, action: str, **values: Any) -> None:
        self.append({"action": action, "values": values})

    def all_positions(self, *values: Any) -> None:
        self.append({"values": values})

    def position_and_the_rest(self, state: str, speed: int = 5, *values: Any) -> None:
        self.append({"state": state, "speed": speed, "values": values})

    def positions_only(self, one: str, action: str, /) -> None:
        self.append({"one": one, "action": action})

    def nothing(self) -> None:
        self.append({})


STATE, PARAMS = "a product exists", {"id": 7}


@pytest.mark.parametrize(
    ("name", "called_with"),
    [
        ("by_name", {"state": STATE, "action": "setup", "parameters": PARAMS}),
        ("other_order", {"parameters": PARAMS, "state": STATE}),
        ("params", {"state": STATE, "params": PARAMS}),
        ("positional", {"one": STATE, "two": "setup", "three": PARAMS}),
        ("two_positional", {"one": STATE, "two": PARAMS}),
        ("one_positional", {"one": STATE}),
        ("with_default", {"state": STATE, "speed": 5}),
        ("keyword_only", {"action": "setup", "state": STATE}),
        ("everything", {"state": STATE, "action": "setup", "parameters": PARAMS}),
        ("by_name_and_the_rest", {"action": "setup", "values": {"state": STATE, "parameters": PARAMS}}),
        ("all_positions", {"values": (STATE, "setup", PARAMS)}),
        ("position_and_the_rest", {"state": STATE, "speed": 5, "values": ("setup", PARAMS)}),
        ("positions_only", {"one": STATE, "action": "setup"}),
        ("nothing", {}),
    ],
)
def test_one_function_is_given_what_it_asks_for(name: str, called_with: dict[str, Any]) -> None:
    calls = Calls()
    assert ask(PythonHandler(getattr(calls, name))) == b""
    assert calls == [called_with]


class StateCalls(list[dict[str, Any]]):
    """The same for the functions of a dict, which know their state."""

    def by_name(self, action: str, parameters: dict[str, Any]) -> None:
        self.append({"action": action, "parameters": parameters})

    def params(self, params: dict[str, Any]) -> None:
        self.append({"params": params})

    def one_positional(self, one: dict[str, Any]) -> None:
        self.append({"one": one})

    def two_positional(self, one: str, two: dict[str, Any]) -> None:
        self.append({"one": one, "two": two})

    def everything(self, **values: Any) -> None:
        self.append(values)

    def nothing(self) -> None:
        self.append({})


@pytest.mark.parametrize(
    ("name", "called_with"),
    [
        ("by_name", {"action": "setup", "parameters": PARAMS}),
        ("params", {"params": PARAMS}),
        ("one_positional", {"one": PARAMS}),
        ("two_positional", {"one": "setup", "two": PARAMS}),
        ("everything", {"action": "setup", "parameters": PARAMS}),
        ("nothing", {}),
    ],
)
def test_function_of_a_dict_is_given_what_it_asks_for(name: str, called_with: dict[str, Any]) -> None:
    calls = StateCalls()
    assert ask(PythonHandler({STATE: getattr(calls, name), "another": calls.nothing})) == b""
    assert calls == [called_with]


def test_missing_params_are_an_empty_dict() -> None:
    calls = Calls()
    ask(PythonHandler(calls.by_name), {"state": "one", "action": "teardown"})
    assert calls == [{"state": "one", "action": "teardown", "parameters": {}}]


def test_returned_dict_gives_values() -> None:
    assert json.loads(ask(PythonHandler(lambda: {"id": 42}))) == {"id": 42}
    assert ask(PythonHandler(lambda: "no values")) == b""


def test_missing_state_names_those_that_there_are() -> None:
    failure = refusal(PythonHandler({"one": print, "two": print}))
    assert failure.answered
    assert 'no handler for state "a product exists"' in failure.reason
    assert '"one", "two"' in failure.reason


def test_interaction_without_states_needs_no_handler_in_a_dict() -> None:
    calls = StateCalls()
    change = {"state": "", "action": "setup"}
    assert ask(PythonHandler({"one": calls.nothing}), change) == b""
    assert calls == []
    ask(PythonHandler({"": calls.nothing}), change)
    assert calls == [{}]


def broken() -> None:
    raise LookupError("no database")


@pytest.mark.parametrize("handlers", [broken, {STATE: broken}])
def test_exception_is_an_answer_with_its_text(handlers: Any) -> None:
    failure = refusal(PythonHandler(handlers))
    assert failure.answered
    assert "LookupError: no database" in failure.reason


def test_function_that_wants_too_much_says_nothing_about_the_contract() -> None:
    def greedy(one: str, two: str, three: str, four: str) -> None:
        raise AssertionError((one, two, three, four))

    failure = refusal(PythonHandler(greedy))
    assert not failure.answered
    assert "the handler can't be called: missing a required argument: 'four'" in failure.reason


def test_returned_dict_that_is_no_json_is_a_failure_with_a_reason() -> None:
    failure = refusal(PythonHandler(lambda: {"when": object()}))
    assert "JSON" in failure.reason


def test_function_without_a_signature_is_a_failure_with_a_reason() -> None:
    failure = refusal(PythonHandler(dict))
    assert not failure.answered
    assert "no signature" in failure.reason


async def coroutine() -> None:
    raise AssertionError


@contextmanager
def context() -> Iterator[None]:
    yield


@pytest.mark.parametrize("make", [lambda: coroutine(), lambda: iter_once(), lambda: context()])  # noqa: PLW0108
def test_what_nobody_runs_sets_nothing_up(make: Callable[[], Any]) -> None:
    made = []

    def handler() -> Any:
        made.append(make())
        return made[0]

    failure = refusal(PythonHandler(handler))
    assert not failure.answered
    assert "which nobody runs: nothing was set up" in failure.reason
    if isinstance(made[0], Coroutine):
        made[0].close()


def iter_once() -> Iterator[None]:
    yield


# --- the relay


def failing(status: int) -> Callable[[Received], Reply]:
    return lambda request: Reply(status, f"{request.json['state']}, {request.json['action']}")


def post(relay: StateRelay, state: str, action: str = "setup") -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(relay.url, json={"state": state, "action": action, "params": {}}, timeout=60)


def test_relay_passes_the_change_on_and_the_values_back() -> None:
    with Loopback(Reply(body={"id": 42})) as provider:
        relay = StateRelay(UrlHandler(provider.url, timeout=60))
        try:
            response = post(relay, "one")
        finally:
            relay.close()
    assert (response.status_code, response.json()) == (200, {"id": 42})
    assert provider.received[0].json == {"state": "one", "action": "setup", "params": {}}
    assert relay.take() == [RelayedChange("setup", "one", None)]


@pytest.mark.parametrize("status", [400, 500, 503])
def test_relay_answers_any_failure_with_400_which_the_core_does_not_repeat(status: int) -> None:
    with Loopback(failing(status)) as provider:
        relay = StateRelay(UrlHandler(provider.url, timeout=60))
        try:
            assert post(relay, "one").status_code == 400
        finally:
            relay.close()
    [change] = relay.take()
    assert change.failure is not None
    assert change.failure.answered is (status != 503)
    assert relay.take() == [], "a change is taken once"


NO, AWAY = StateFailure(answered=True, reason="no"), StateFailure(answered=False, reason="away")


def setup(state: str, failure: StateFailure | None = None) -> RelayedChange:
    return RelayedChange("setup", state, failure)


def teardown(state: str, failure: StateFailure | None = None) -> RelayedChange:
    return RelayedChange("teardown", state, failure)


@pytest.mark.parametrize(
    ("changes", "interactions", "expected"),
    [
        ([setup("a", NO), setup("a")], [("a",), ("a",)], [NO, None]),
        ([setup("a"), setup("a", NO)], [("a",), ("a",)], [None, NO]),
        # the core goes on to the second state although the first failed; neither failure is the next one's
        ([setup("a", NO), setup("b", NO), setup("b", AWAY)], [("a", "b"), ("b",)], [NO, AWAY]),
        # an outage beside a refusal is an outage
        ([setup("a", NO), setup("b", AWAY)], [("a", "b")], [AWAY]),
        ([setup("", NO), setup("a")], [(), ("a",)], [NO, None]),
        ([setup("a"), teardown("a", NO), setup("b")], [("a",), ("b",)], [NO, None]),
        ([setup("a", NO)], [("a",), ("b",)], [NO, None]),
        # what doesn't fit is not guessed at
        ([setup("b", NO), setup("a", NO)], [("a",), ("b",)], [None, None]),
        ([], [("a",), ()], [None, None]),
    ],
)
def test_failures_belong_to_the_interaction_that_they_stopped(
    changes: list[RelayedChange], interactions: list[tuple[str, ...]], expected: list[StateFailure | None]
) -> None:
    assert [states.failure for states in by_interaction(changes, interactions)] == expected


def test_relay_listens_on_loopback_alone_and_stops() -> None:
    relay = StateRelay(PythonHandler(lambda: None))
    assert relay.url.startswith("http://127.0.0.1:")
    relay.close()
    with pytest.raises(requests.ConnectionError):
        post(relay, "one")
