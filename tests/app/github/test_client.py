"""`app.github` against GitHub's API on loopback: what is sent, and what each refusal is taken for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.config.settings import Settings
from app.config.values import ConfigurationError
from app.github.access import GitHubAccess, github_access
from app.github.answers import GitHubAway, GitHubRefused
from app.github.client import GitHub
from app.github.repository import GitHubRepository
from app.github.right import DISPATCH_RIGHT
from tests.support.github_api import Fault, GitHubApi
from tests.support.github_state import READ, App, Repository, Token, WorkflowRun
from tests.support.loopback import Loopback, Reply
from tests.support.receiver import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "github_pat_11AAAAAAA0123456789abcdef"
SHA = "0123456789" * 4
PAYLOAD = {"pact_url": "http://broker/pacts/1", "sha": SHA, "message": "Grüße \N{HONEYBEE}\0"}


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(Repository("acme/products"), tokens=(Token(SECRET),)) as server:
        yield server


def with_token(api: GitHubApi, token: str = SECRET) -> GitHub:
    return GitHub(GitHubAccess(api.url, token))


def refusal(github: GitHub, repository: str = "acme/products") -> GitHubRefused:
    with pytest.raises(GitHubRefused) as caught:
        github.dispatch(repository, "pact_changed", PAYLOAD)
    assert not caught.value.retryable
    assert SECRET not in str(caught.value)
    return caught.value


def private_key_of(key: Any) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return text.decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def app_of(key: rsa.RSAPrivateKey) -> App:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return App("12345", public.decode(), {77: {"acme/products"}})


def test_a_dispatch_arrives_as_it_is(api: GitHubApi) -> None:
    request_id = with_token(api).dispatch("acme/products", "pact_changed", PAYLOAD)
    assert api.repository("acme/products").dispatches == [
        {"event_type": "pact_changed", "client_payload": PAYLOAD}
    ]
    assert request_id == "ABCD:1"


def test_a_commit_status_is_set(api: GitHubApi) -> None:
    with_token(api).set_status(
        "acme/products", SHA, "success", context="pact/Storefront", description="3 interactions passed"
    )
    assert api.repository("acme/products").status_of(SHA, "pact/Storefront") == "success"


def test_a_wrong_revoked_or_expired_token_is_a_refusal_that_says_so(api: GitHubApi) -> None:
    api.tokens.append(Token("expired-token", expires=datetime.now(UTC) - timedelta(minutes=1)))
    for token in ("unknown-token", "expired-token"):
        error = refusal(with_token(api, token))
        assert error.status == 401
        assert "has expired: make a new one" in str(error)
        assert token not in str(error)


@pytest.mark.parametrize(("classic", "status"), [(True, 404), (False, 403)])
def test_a_token_without_the_right_is_told_which(api: GitHubApi, *, classic: bool, status: int) -> None:
    api.tokens[0].classic, api.tokens[0].rights = classic, {"contents": READ}
    error = refusal(with_token(api))
    assert error.status == status
    assert "Contents: write (a classic token: repo)" in str(error)
    with pytest.raises(GitHubRefused, match="Commit statuses: write"):
        with_token(api).set_status("acme/products", SHA, "error", context="pact/C", description="")


def test_an_unknown_repository_is_named(api: GitHubApi) -> None:
    assert "acme/nothing: GitHub answered 404" in str(refusal(with_token(api), "acme/nothing"))


def test_a_renamed_repository_is_written_to_and_told_once(api: GitHubApi) -> None:
    api.repository("acme/products").moved_to = "acme/catalogue"
    told: list[tuple[str, str | None]] = []
    github = GitHub(
        GitHubAccess(api.url, SECRET), on_moved=lambda former, present: told.append((former, present))
    )
    for _ in range(2):
        github.dispatch("acme/products", "pact_changed", PAYLOAD)
    github.set_status("acme/products", SHA, "success", context="pact/C", description="d")
    assert len(api.repository("acme/products").dispatches) == 2
    assert api.repository("acme/products").status_of(SHA, "pact/C") == "success"
    assert told == [("acme/products", "acme/catalogue")]


def test_a_redirect_keeps_the_query(api: GitHubApi) -> None:
    repository = api.repository("acme/products")
    repository.runs.append(WorkflowRun(1, "w.yml", "push", "main", SHA))
    repository.moved_to = "acme/catalogue"
    assert GitHubRepository(with_token(api), "acme/products").runs() == []  # it asks for dispatches alone


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_to_another_origin_is_said_and_not_followed(api: GitHubApi, host: str) -> None:
    api.repository("acme/products").moved_to = "acme/catalogue"
    with Loopback(Reply(204)) as elsewhere:
        api.moves_at = elsewhere.url.replace("127.0.0.1", host)
        error = refusal(with_token(api))
        with pytest.raises(GitHubRefused):
            GitHubRepository(with_token(api), "acme/products").facts()
        assert elsewhere.received == []
    assert f"redirects to another server, {api.moves_at}/repositories/1/dispatches" in str(error)
    assert "renamed or moved" in str(error)


def test_a_redirect_without_end_is_given_up(api: GitHubApi) -> None:
    api.faults.append(
        Fault("POST", "/dispatches", 307, headers={"Location": "/repos/acme/products/dispatches"})
    )
    assert "redirects more than 5 times" in str(refusal(with_token(api)))


def test_each_request_names_the_version_of_the_api(api: GitHubApi, key: rsa.RSAPrivateKey) -> None:
    api.app = app_of(key)
    with_token(api).dispatch("acme/products", "pact_changed", PAYLOAD)
    as_app(api, key).set_status("acme/products", SHA, "success", context="pact/C", description="d")
    GitHubRepository(with_token(api), "acme/products").facts()
    assert len(api.asked) == 5
    assert {asked.headers.get("x-github-api-version") for asked in api.asked} == {"2022-11-28"}


def test_a_token_of_an_app_is_for_one_repository_and_one_right(key: rsa.RSAPrivateKey) -> None:
    with GitHubApi(Repository("acme/products"), Repository("acme/other"), app=app_of(key)) as api:
        assert api.app is not None
        api.app.installations = {77: {"acme/products", "acme/other"}}
        github = as_app(api, key)
        github.dispatch("acme/products", "pact_changed", PAYLOAD)
        github.set_status("acme/products", SHA, "success", context="pact/C", description="d")
        given = [(token.repositories, token.rights) for token in api.app.issued]
        assert given == [
            ({"acme/products"}, {"metadata": READ, "contents": "write"}),
            ({"acme/products"}, {"metadata": READ, "statuses": "write"}),
        ]


def test_what_an_app_was_not_granted_is_said(key: rsa.RSAPrivateKey) -> None:
    with GitHubApi(Repository("acme/products"), Repository("acme/other"), app=app_of(key)) as api:
        assert api.app is not None
        api.app.rights = {"statuses": "write"}
        assert "permissions requested are not granted" in str(refusal(as_app(api, key)))
        assert "Contents: write" in str(refusal(as_app(api, key)))
        access = GitHubAccess(api.url, app_id="12345", private_key=private_key_of(key), installation_id=77)
        error = refusal(GitHub(access), "acme/other")
        assert "not accessible to the parent installation" in str(error)
        assert "must include acme/other" in str(error)


def test_what_github_finds_wrong_is_told_in_its_own_words(api: GitHubApi) -> None:
    api.repository("acme/products").commits = set()
    with pytest.raises(GitHubRefused, match=f"No commit found for SHA: {SHA}"):
        with_token(api).set_status("acme/products", SHA, "success", context="pact/C", description="")
    with pytest.raises(GitHubRefused, match=r"422 \(Validation Failed; .*too many properties"):
        with_token(api).dispatch("acme/products", "pact_changed", {str(number): 1 for number in range(11)})
    assert len(api.problems) == 1
    api.problems.clear()


@pytest.mark.parametrize("status", [500, 502, 503, 429, 0])
def test_an_outage_may_heal(api: GitHubApi, status: int) -> None:
    api.faults.append(Fault("POST", "/dispatches", status, times=1))
    github = with_token(api)
    with pytest.raises(GitHubAway) as caught:
        github.dispatch("acme/products", "pact_changed", PAYLOAD)
    assert caught.value.retryable
    github.dispatch("acme/products", "pact_changed", PAYLOAD)


def test_a_github_that_is_away_may_come_back(api: GitHubApi) -> None:
    github = with_token(api)
    api.stop()
    with pytest.raises(GitHubAway, match="can't be reached at http"):
        github.dispatch("acme/products", "pact_changed", PAYLOAD)
    api.start()
    github.dispatch("acme/products", "pact_changed", PAYLOAD)


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_rate_limit_says_how_long_to_wait(api: GitHubApi, status: int) -> None:
    api.faults.append(Fault.secondary_rate_limit(42, status=status))
    with pytest.raises(GitHubAway) as caught:
        with_token(api).dispatch("acme/products", "pact_changed", PAYLOAD)
    assert caught.value.retry_after == 42


def test_a_used_up_rate_limit_is_waited_for_until_its_reset(api: GitHubApi) -> None:
    api.remaining, api.reset = 0, int(time.time()) + 100
    with pytest.raises(GitHubAway, match="rate limit exceeded") as caught:
        with_token(api).dispatch("acme/products", "pact_changed", PAYLOAD)
    assert 90 < (caught.value.retry_after or 0) <= 101


def test_the_page_of_a_gateway_is_not_repeated(api: GitHubApi) -> None:
    api.faults.append(Fault("POST", "", 502, "<html>" + "x" * 5000))
    with pytest.raises(GitHubAway) as caught:
        with_token(api).dispatch("acme/products", "pact_changed", PAYLOAD)
    assert len(str(caught.value)) < 500


def test_a_github_enterprise_server_is_reached_by_its_base_url() -> None:
    with GitHubApi(Repository("acme/products"), tokens=(Token(SECRET),), prefix="/api/v3") as api:
        with_token(api).dispatch("acme/products", "pact_changed", PAYLOAD)
        assert api.asked[0].path == "/api/v3/repos/acme/products/dispatches"


def test_a_client_can_be_asked_for_workflows_their_runs_and_the_end_of_the_token(api: GitHubApi) -> None:
    repository, file = api.repository("acme/products"), ".github/workflows/verify.yml"
    repository.files[file] = "on:\n  repository_dispatch:\n    types: [pact_changed]\n"
    api.tokens[0].expires = datetime(2100, 1, 2, 3, 4, 5, tzinfo=UTC)
    github = with_token(api)
    github.dispatch("acme/products", "pact_changed", PAYLOAD)
    github.dispatch("acme/products", "another_event", PAYLOAD)
    with github.client("acme/products") as client:
        found = client.get_repo("acme/products")
        assert found.permissions.push
        assert [workflow.path for workflow in found.get_workflows()] == [file]
        content = found.get_contents(file, ref=found.default_branch)
        assert not isinstance(content, list)
        assert content.decoded_content.decode() == repository.files[file]
        [run] = found.get_workflow_runs(event="repository_dispatch")
        assert (run.status, run.conclusion, run.head_branch) == ("completed", "success", "main")
        headers, _ = client.requester.requestJsonAndCheck("GET", "/rate_limit")
        assert headers["github-authentication-token-expiration"] == "2100-01-02 03:04:05 UTC"


@pytest.mark.parametrize("installation_id", [None, 77])
def test_an_app_acts_with_tokens_of_its_installation(
    key: rsa.RSAPrivateKey, installation_id: int | None
) -> None:
    with GitHubApi(Repository("acme/products"), app=app_of(key)) as api:
        access = GitHubAccess(
            api.url, app_id="12345", private_key=private_key_of(key), installation_id=installation_id
        )
        github = GitHub(access)
        for _ in range(3):
            github.dispatch("acme/products", "pact_changed", PAYLOAD)
        assert len(api.repository("acme/products").dispatches) == 3
        assert api.count("POST", "/access_tokens") == 1
        assert api.count("GET", "/installation") == (installation_id is None)


def test_the_token_of_an_installation_is_renewed_before_it_expires(key: rsa.RSAPrivateKey) -> None:
    with GitHubApi(Repository("acme/products"), app=app_of(key)) as api:
        assert api.app is not None
        api.app.lifetime = timedelta(seconds=10)
        github = GitHub(GitHubAccess(api.url, app_id="12345", private_key=private_key_of(key)))
        github.dispatch("acme/products", "pact_changed", PAYLOAD)
        github.dispatch("acme/products", "pact_changed", PAYLOAD)
        assert api.count("POST", "/access_tokens", 201) == 2


@pytest.fixture
def app_api(key: rsa.RSAPrivateKey) -> Iterator[GitHubApi]:
    with GitHubApi(Repository("acme/products"), Repository("acme/slow"), app=app_of(key)) as api:
        assert api.app is not None
        api.app.installations[77].add("acme/slow")
        yield api


def as_app(api: GitHubApi, key: rsa.RSAPrivateKey) -> GitHub:
    return GitHub(GitHubAccess(api.url, app_id="12345", private_key=private_key_of(key)))


@pytest.mark.parametrize(
    ("unanswered", "slow", "lifetime"),
    [("GET /installation", "acme/slow", 60), ("POST /access_tokens", "acme/products", 2)],
)
def test_a_slow_github_holds_up_no_thread_that_has_a_valid_token(
    app_api: GitHubApi, key: rsa.RSAPrivateKey, unanswered: str, slow: str, lifetime: int
) -> None:
    assert app_api.app is not None
    app_api.app.lifetime = timedelta(minutes=lifetime)
    github = as_app(app_api, key)
    github.dispatch("acme/products", "pact_changed", PAYLOAD)
    answer = threading.Event()
    method, path = unanswered.split()
    fault = Fault(method, path, 500, until=answer, times=1)
    app_api.faults.append(fault)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(github.dispatch, slow, "pact_changed", PAYLOAD)
        try:
            wait_until(lambda: fault.times == 0, "GitHub was asked")
            threads.submit(github.dispatch, "acme/products", "pact_changed", PAYLOAD).result(timeout=60)
        finally:
            answer.set()
        assert isinstance(waiting.exception(), GitHubAway)


def test_a_token_that_several_threads_need_is_requested_once(
    app_api: GitHubApi, key: rsa.RSAPrivateKey
) -> None:
    github = as_app(app_api, key)
    answer = threading.Event()
    app_api.faults.append(Fault("POST", "/access_tokens", 500, until=answer, times=1))
    with ThreadPoolExecutor(8) as threads:

        def dispatch() -> list[Future[str | None]]:
            return [
                threads.submit(github.dispatch, "acme/products", "pact_changed", PAYLOAD) for _ in range(8)
            ]

        def all_wait() -> bool:
            assert github._tokens is not None
            requested = github._tokens._requests.get(("acme/products", DISPATCH_RIGHT))
            return requested is not None and len(requested._condition._waiters) == 7  # type: ignore[attr-defined]

        failed = dispatch()
        try:
            wait_until(all_wait, "all wait for one request")
        finally:
            answer.set()
        assert all(isinstance(one.exception(), GitHubAway) for one in failed)
        assert app_api.count("POST", "/access_tokens") == 1
        assert all(one.result() for one in dispatch())
        assert app_api.count("POST", "/access_tokens") == 2


def test_an_app_that_is_not_installed_or_has_another_key_is_refused(key: rsa.RSAPrivateKey) -> None:
    repositories = Repository("acme/products"), Repository("acme/other")
    with GitHubApi(*repositories, app=app_of(key)) as api:
        github = GitHub(GitHubAccess(api.url, app_id="12345", private_key=private_key_of(key)))
        assert refusal(github, "acme/other").status == 404
        other = private_key_of(rsa.generate_private_key(65537, 2048))
        error = refusal(GitHub(GitHubAccess(api.url, app_id="12345", private_key=other)))
        assert error.status == 401
        assert "PRIVATE" not in str(error)
        github.dispatch("acme/products", "pact_changed", PAYLOAD)


def test_an_app_that_was_installed_anew_is_found_again(key: rsa.RSAPrivateKey) -> None:
    with GitHubApi(Repository("acme/products"), app=app_of(key)) as api:
        assert api.app is not None
        github = GitHub(GitHubAccess(api.url, app_id="12345", private_key=private_key_of(key)))
        github.dispatch("acme/products", "pact_changed", PAYLOAD)
        api.app.installations = {78: {"acme/products"}}
        api.app.issued[0].revoked = True
        assert refusal(github).status == 401
        github.dispatch("acme/products", "pact_changed", PAYLOAD)


def settings(**github: Any) -> Settings:
    provider = {"name": "Products", "repository": "acme/products", "base_url": "http://p", "version": "1"}
    return Settings.model_validate(
        {"broker": {"url": "http://broker"}, "providers": [provider], "github": github}
    )


def test_credentials_are_only_wanted_where_they_are_needed() -> None:
    assert github_access(settings(), {}) is None
    with pytest.raises(
        ConfigurationError, match=r"github\.statuses needs credentials .*PACT_DISPATCH_GITHUB"
    ):
        github_access(settings(statuses=True), {})


def test_credentials_may_come_from_a_file(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n", encoding="utf-8")
    access = github_access(settings(), {"PACT_DISPATCH_GITHUB_TOKEN_FILE": str(tmp_path / "token")})
    assert access == GitHubAccess("https://api.github.com", SECRET)
    (tmp_path / "key.pem").write_text(private_key_of(key), encoding="utf-8")
    file = {"PACT_DISPATCH_GITHUB_PRIVATE_KEY_FILE": str(tmp_path / "key.pem")}
    access = github_access(settings(app_id=12345), file)
    assert access is not None
    assert (access.app_id, access.token) == ("12345", None)
    assert "PRIVATE KEY" not in repr(access)


@pytest.mark.parametrize(
    ("github", "environment", "mistake"),
    [
        ({}, {"PACT_DISPATCH_GITHUB_TOKEN": "two words"}, "printable ASCII without spaces"),
        ({}, {"PACT_DISPATCH_GITHUB_TOKEN": "line\nend"}, "printable ASCII without spaces"),
        ({"app_id": 1}, {"PACT_DISPATCH_GITHUB_TOKEN": SECRET}, "give one"),
        ({"app_id": 1}, {}, "PACT_DISPATCH_GITHUB_PRIVATE_KEY .*is missing"),
        (
            {"app_id": 1},
            {"PACT_DISPATCH_GITHUB_PRIVATE_KEY": "-----BEGIN nothing"},
            "must be the App's private key",
        ),
        ({}, {"PACT_DISPATCH_GITHUB_PRIVATE_KEY": "x"}, r"github\.app_id is missing"),
    ],
)
def test_unusable_credentials_are_named_and_not_shown(
    github: dict[str, Any], environment: dict[str, str], mistake: str
) -> None:
    with pytest.raises(ConfigurationError, match=mistake) as caught:
        github_access(settings(**github), environment)
    assert not any(value in str(caught.value) for value in environment.values() if len(value) > 8)


def test_a_key_of_another_kind_is_named() -> None:
    other = private_key_of(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ConfigurationError, match="must be the App's private key"):
        github_access(settings(app_id=1), {"PACT_DISPATCH_GITHUB_PRIVATE_KEY": other})


def test_it_is_told_when_the_token_expires_once_and_until_somebody_has_noted_it(api: GitHubApi) -> None:
    expires = datetime(2999, 1, 1, tzinfo=UTC)
    api.tokens.append(Token("expiring-token", expires=expires))
    told: list[datetime | None] = []
    for token, expected in (("expiring-token", expires), (SECRET, None)):
        github = with_token(api, token)
        answers = iter([False, True])

        def tell(when: datetime | None, answers: Iterator[bool] = answers) -> bool:
            told.append(when)
            return next(answers)

        github.watch_token(tell)
        for _ in range(3):
            github.dispatch("acme/products", "pact_changed", PAYLOAD)
        assert told == [expected, expected]
        told.clear()


def test_the_token_of_an_app_is_not_told(api: GitHubApi, key: rsa.RSAPrivateKey) -> None:
    api.app = app_of(key)
    github = GitHub(GitHubAccess(api.url, app_id="12345", private_key=private_key_of(key)))
    told = []

    def tell(when: datetime | None) -> bool:
        told.append(when)
        return True

    github.watch_token(tell)
    github.dispatch("acme/products", "pact_changed", PAYLOAD)
    assert told == []
