"""Requests to GitHub's API, through PyGithub: the credentials, and what its refusals mean.

Nothing is retried here: the queue does that, so that a retry outlives this process.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from github import Auth, Github, GithubException

from app.github.answers import GitHubAway, GitHubFailed, GitHubRefused, explain
from app.github.documents import NotGitHub
from app.github.exchange import exchange
from app.github.installation_tokens import InstallationTokens, NotGranted
from app.github.limited_connection import RedirectedElsewhere
from app.github.right import DISPATCH_RIGHT, STATUS_RIGHT, WORKFLOW_RIGHT, Right
from app.github.token import TokenFacts
from broker.http.no_reply import NoReply
from broker.text.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from app.github.access import GitHubAccess

TIMEOUT_SECONDS = 10
"""The time that one answer may take as a whole, with all redirects."""
USER_AGENT = "pact-dispatch"

_BY_NUMBER = re.compile(r"/repositories/\d+(?=/|$)")
"""What GitHub redirects to: the repository by its number, which stays when it is renamed."""


class GitHub:
    """GitHub's API; safe from any thread.

    Args:
        access: The address and the credentials.
        user_agent: The header of each request; by it a receiver recognises a dispatch that another one relayed.
        on_moved: Called once for each repository that was renamed or moved, when something was written to it all the
            same: with its former name and its present one, or None where GitHub doesn't tell.
    """

    def __init__(
        self,
        access: GitHubAccess,
        *,
        user_agent: str = USER_AGENT,
        on_moved: Callable[[str, str | None], None] | None = None,
    ) -> None:
        self._access = access
        self._on_moved = on_moved
        self._moved: set[str] = set()
        self._tell_expiry: Callable[[datetime | None], bool] | None = None
        self._told_expiry: datetime | str | None = "not yet"
        self._redaction = Redaction([access.token, access.private_key])
        self._options: dict[str, Any] = {
            "base_url": access.api_url,
            "timeout": TIMEOUT_SECONDS,
            "retry": None,
            "user_agent": user_agent,
            "seconds_between_requests": None,
            "seconds_between_writes": None,
        }
        self._tokens: InstallationTokens | None = None
        if access.app_id is not None and access.private_key is not None:
            self._tokens = InstallationTokens(
                access.app_id, access.private_key, access.installation_id, self._options
            )

    def dispatch(self, repository: str, event_type: str, client_payload: dict[str, Any] | None) -> str | None:
        """Create a `repository_dispatch`.

        Args:
            repository: OWNER/REPO.
            event_type: 1 to 100 characters.
            client_payload: At most 10 properties, or None.

        Returns:
            The id that GitHub gave the request.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: No request will, until a person changes something.
        """
        body: dict[str, Any] = {"event_type": event_type}
        if client_payload is not None:
            body["client_payload"] = client_payload
        # Repository.create_repository_dispatch() returns False for a refusal, without the reason
        headers = self._post(
            repository, "dispatches", body, 204, doing="pass a dispatch on to", right=DISPATCH_RIGHT
        )
        return headers.get("x-github-request-id")

    def start_workflow(
        self, repository: str, workflow: str, ref: str | None, inputs: dict[str, str]
    ) -> str | None:
        """Start a workflow by a `workflow_dispatch`.

        Args:
            repository: OWNER/REPO.
            workflow: The name of the workflow's file.
            ref: The branch that it runs on; None for the default branch, which GitHub is asked for.
            inputs: What it gets; GitHub refuses what the workflow doesn't declare.

        Returns:
            The id that GitHub gave the request.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: No request will, until a person changes something.
        """
        if ref is None:
            with self.client(repository, doing="look at", right=WORKFLOW_RIGHT) as client:
                answer = exchange(client.requester, "GET", f"/repos/{repository}")
                if answer.status >= 400:
                    raise answer.failure()
                ref = answer.json().get("default_branch", str)
        headers = self._post(
            repository,
            f"actions/workflows/{quote(workflow, safe='')}/dispatches",
            {"ref": ref, "inputs": inputs},
            # 200 where GitHub tells which run it has started
            200,
            204,
            doing=f"start the workflow {workflow} of",
            right=WORKFLOW_RIGHT,
        )
        return headers.get("x-github-request-id")

    def set_status(
        self,
        repository: str,
        sha: str,
        state: str,
        *,
        context: str,
        description: str,
        target_url: str | None = None,
    ) -> None:
        """Set a commit's status.

        Args:
            repository: OWNER/REPO.
            sha: The commit's full id.
            state: `pending`, `success`, `failure` or `error`.
            context: The name of the status, among those of the commit.
            description: At most 140 characters.
            target_url: The page with the details.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: No request will, until a person changes something.
        """
        body = {"state": state, "context": context, "description": description}
        if target_url is not None:
            body["target_url"] = target_url
        doing = f"set the status of commit {sha[:12]} in"
        self._post(repository, f"statuses/{sha}", body, 201, doing=doing, right=STATUS_RIGHT)

    def watch_token(self, tell: Callable[[datetime | None], bool]) -> None:
        """Have it told when the token expires: once GitHub has answered, and when that changes.

        That of an App expires after an hour, and is made anew by itself: it is not told.

        Args:
            tell: Called with the time, or None if GitHub names none, by the thread that waits for the answer. Returns
                whether it need not be told again.
        """
        self._tell_expiry = tell

    @contextmanager
    def client(
        self, repository: str, *, doing: str = "ask about", right: Right | None = None
    ) -> Iterator[Github]:
        """Return a PyGithub client for a repository, whose errors become `GitHubFailed`.

        Args:
            repository: OWNER/REPO.
            doing: What is being done, for the message of an error; it is followed by the repository.
            right: The right that the token needs: that of an App has no other.

        Raises:
            GitHubAway: A later request may succeed.
            GitHubRefused: No request will, until a person changes something.
        """
        what = f"{doing} {repository}"
        try:
            with Github(auth=Auth.Token(self._token(repository, right)), **self._options) as client:
                yield client
        except GithubException as error:
            if self._tokens is not None and error.status in {401, 403, 404}:
                self._tokens.forget(repository)  # the App may have been installed anew
            failure = explain(
                what,
                error.status,
                error.headers or {},
                error.data,
                right=right,
                now=time.time(),
                redaction=self._redaction,
            )
            raise self._redacted(failure) from None
        except NoReply as error:
            message = f"could not {what}: GitHub can't be reached at {self._access.api_url}: {error}"
            raise self._redacted(GitHubAway(message)) from None
        except RedirectedElsewhere as error:
            message = (
                f"could not {what}: {error}, and neither the token nor anything else is sent there. If that is "
                "GitHub's API, give its URL (github.api_url, --github-url); if the repository was renamed or moved, "
                "its new name"
            )
            raise self._redacted(GitHubRefused(message)) from None
        except NotGranted as error:
            needed = (
                f"the right {right.shown} (in its settings, and accepted by"
                if right
                else "access (granted by"
            )
            reason = f" ({error})" if str(error) else ""
            message = (
                f"could not {what}: GitHub gives the App no token for it{reason}. The App needs {needed} who installed "
                f"it), and its installation must include {repository}, by its present name"
            )
            raise self._redacted(GitHubRefused(message, status=422)) from None
        except NotGitHub as error:
            message = (
                f"could not {what}: the answer is not one of GitHub's API ({error}). Check its URL: "
                "https://api.github.com, or https://HOST/api/v3 of a GitHub Enterprise Server"
            )
            raise self._redacted(GitHubRefused(message)) from None

    def _post(
        self, repository: str, path: str, body: dict[str, Any], *expected: int, doing: str, right: Right
    ) -> Mapping[str, str]:
        with self.client(repository, doing=doing, right=right) as client:
            answer = exchange(client.requester, "POST", f"/repos/{repository}/{path}", body=body)
            if answer.status not in expected:
                raise answer.failure()
            self._look_at_token(answer.headers)
            if answer.redirected_to is not None:
                self._tell_moved(client, repository, answer.redirected_to)
            return answer.headers

    def _look_at_token(self, headers: Mapping[str, str]) -> None:
        if self._tell_expiry is None or self._access.token is None:
            return
        expires = TokenFacts.read(headers).expires
        if expires != self._told_expiry and self._tell_expiry(expires):
            self._told_expiry = expires

    def _tell_moved(self, client: Github, repository: str, url: str) -> None:
        """Tell that a repository was renamed or moved, which GitHub doesn't redirect for ever."""
        if self._on_moved is None or repository.lower() in self._moved:
            return
        self._moved.add(repository.lower())
        name = None
        if match := _BY_NUMBER.match(urlsplit(url).path.removeprefix(urlsplit(self._access.api_url).path)):
            with suppress(GithubException, NoReply, NotGitHub, RedirectedElsewhere):
                name = exchange(client.requester, "GET", match[0]).json().get("full_name", str)
        self._on_moved(repository, name)

    def _token(self, repository: str, right: Right | None) -> str:
        if self._tokens is not None:
            return self._tokens.token(repository, right)
        if self._access.token is None:
            raise GitHubRefused(f"there are no credentials for {self._access.api_url}")
        return self._access.token

    def _redacted(self, failure: GitHubFailed) -> GitHubFailed:
        return failure.reworded(self._redaction.own(str(failure)))
