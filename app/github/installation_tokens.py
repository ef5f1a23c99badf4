"""The access tokens of a GitHub App's installations, each requested once and shared until it expires.

A token is good for one repository and for one right, so that one that leaks is worth no more than that.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from github import Auth, GithubException, GithubIntegration

from app.github.answers import reason_of
from app.github.documents import NotGitHub
from app.github.exchange import exchange
from app.github.token import is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.github.documents import GitHubJson
    from app.github.right import Right

    Key: TypeAlias = tuple[str, Right | None]

RENEW_BEFORE = timedelta(minutes=5)
"""One thread requests a new token when the present one is about to expire; the others go on with that one."""
USABLE_UNTIL = timedelta(seconds=20)
"""A token that expires sooner is not used any more: the request with it may take a while."""


class NotGranted(Exception):
    """GitHub gives the App no token with the right for the repository; the message is GitHub's reason."""


@dataclass(frozen=True)
class _Token:
    value: str
    expires_at: datetime

    def lasts(self, time: timedelta) -> bool:
        return self.expires_at - datetime.now(UTC) > time


class InstallationTokens:
    """The access tokens of a GitHub App; safe from any thread.

    No lock is held while GitHub is asked, so threads that have a valid token never wait for one that has none.

    Args:
        app_id: The App's id or client id.
        private_key: The App's private key, in PEM.
        installation_id: The App's installation; found by repository where it is None.
        options: The options of PyGithub's clients.
    """

    def __init__(
        self, app_id: str, private_key: str, installation_id: int | None, options: Mapping[str, Any]
    ) -> None:
        self._app = Auth.AppAuth(app_id, private_key)
        self._installation_id = installation_id
        self._options = options
        self._lock = threading.Lock()
        self._tokens: dict[Key, _Token] = {}
        self._requests: dict[Key, Future[_Token]] = {}

    def token(self, repository: str, right: Right | None) -> str:
        """Return a valid token for a repository.

        Args:
            repository: OWNER/REPO.
            right: What it is for; None for all that the App may do there.

        Raises:
            github.GithubException: GitHub refuses it.
            NotGranted: The App doesn't have the right, or not for this repository.
            NoReply: GitHub can't be reached.
            NotGitHub: The answer is not one of GitHub's API.
        """
        key = repository.lower(), right
        with self._lock:
            present = self._tokens.get(key)
            if present is not None and present.lasts(RENEW_BEFORE):
                return present.value
            pending = self._requests.get(key)
            if pending is None:
                own = self._requests[key] = Future[_Token]()
        if pending is None:
            return self._renew(key, own).value
        if present is not None and present.lasts(USABLE_UNTIL):
            return present.value
        return pending.result().value

    def forget(self, repository: str) -> None:
        """Forget the tokens of a repository: GitHub refused one, and the App may have been installed anew."""
        with self._lock:
            for key in [key for key in self._tokens if key[0] == repository.lower()]:
                del self._tokens[key]

    def _renew(self, key: Key, request: Future[_Token]) -> _Token:
        try:
            token = self._request(*key)
        except BaseException as error:
            with self._lock:
                del self._requests[key]
            request.set_exception(error)
            raise
        with self._lock:
            self._tokens[key] = token
            del self._requests[key]
        request.set_result(token)
        return token

    def _request(self, repository: str, right: Right | None) -> _Token:
        with GithubIntegration(auth=self._app, **self._options) as integration:
            number = self._installation_id
            if number is None:
                number = _ask(integration, "GET", f"/repos/{repository}/installation").get("id", int)
            wanted: dict[str, Any] = {"repositories": [repository.partition("/")[2]]}
            if right is not None:
                wanted["permissions"] = {right.permission: right.level}
            try:
                granted = _ask(integration, "POST", f"/app/installations/{number}/access_tokens", wanted)
            except GithubException as error:
                if error.status != 422:
                    raise
                raise NotGranted(reason_of(error.data)) from error
            token = granted.get("token", str)
            if not is_token(token):
                raise NotGitHub("its token is none")
            return _Token(token, granted.time("expires_at"))


def _ask(
    integration: GithubIntegration, method: str, path: str, body: Mapping[str, Any] | None = None
) -> GitHubJson:
    answer = exchange(integration.requester, method, path, body=body)
    if answer.status >= 400:
        raise answer.failure()
    return answer.json()
