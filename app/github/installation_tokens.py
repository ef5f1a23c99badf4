"""The access tokens of a GitHub App's installations, each requested once and shared until it expires."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from github import Auth, GithubIntegration

from app.github.documents import NotGitHub
from app.github.exchange import exchange
from app.github.token import is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.github.documents import GitHubJson

RENEW_BEFORE = timedelta(minutes=5)
"""One thread requests a new token when the present one is about to expire; the others go on with that one."""
USABLE_UNTIL = timedelta(seconds=20)
"""A token that expires sooner is not used any more: the request with it may take a while."""


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
        self._tokens: dict[str, _Token] = {}
        self._requests: dict[str, Future[_Token]] = {}

    def token(self, repository: str) -> str:
        """Return a valid token for a repository.

        Args:
            repository: OWNER/REPO.

        Raises:
            github.GithubException: GitHub refuses it.
            NoReply: GitHub can't be reached.
            NotGitHub: The answer is not one of GitHub's API.
        """
        key = repository.lower()
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
        """Forget the token of a repository: GitHub refused it, and the App may have been installed anew."""
        with self._lock:
            self._tokens.pop(repository.lower(), None)

    def _renew(self, key: str, request: Future[_Token]) -> _Token:
        try:
            token = self._request(key)
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

    def _request(self, repository: str) -> _Token:
        with GithubIntegration(auth=self._app, **self._options) as integration:
            number = self._installation_id
            if number is None:
                number = _ask(integration, "GET", f"/repos/{repository}/installation").get("id", int)
            granted = _ask(integration, "POST", f"/app/installations/{number}/access_tokens", {})
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
