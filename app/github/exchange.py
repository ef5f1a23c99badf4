"""One request to GitHub's API and its answer, of which nothing is believed: another server may answer instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from github import GithubException, UnknownObjectException

from app.github.documents import GitHubJson, NotGitHub
from app.github.limited_connection import RedirectedElsewhere, one_exchange
from broker.http.no_reply import NoReply
from broker.http.strict_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from github.Requester import Requester


@dataclass(frozen=True)
class Answer:
    """An answer of GitHub's API.

    Attributes:
        status: The HTTP status.
        headers: The headers, with their names in lower case.
        text: The body.
        redirected_to: The URL on GitHub's origin that it came from, after a redirect; None if there was none.
    """

    status: int
    headers: Mapping[str, Any]
    text: str
    redirected_to: str | None = None

    def failure(self) -> GithubException:
        """Return the exception that PyGithub has for such an answer."""
        kind = UnknownObjectException if self.status == 404 else GithubException
        return kind(self.status, self.text, dict(self.headers))

    def json(self) -> GitHubJson:
        """Return the JSON document.

        Raises:
            NotGitHub: It is none.
        """
        try:
            return GitHubJson(parse_json(self.text.encode("utf-8", "surrogatepass"), encodable=True))
        except NotJson as error:
            raise NotGitHub(f"it {error}") from None


def exchange(
    requester: Requester,
    method: str,
    path: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Answer:
    """Send a request; redirects are followed on GitHub's own origin, and take no more time than one answer may.

    Raises:
        github.GithubException: GitHub refuses the credentials, or limits the rate.
        NoReply: GitHub can't be reached, or gave no whole answer in time.
        RedirectedElsewhere: The answer is a redirect to another origin.
        NotGitHub: The answer is not one of GitHub's API.
    """
    try:
        with one_exchange() as sent:
            status, headers, text = requester.requestJson(
                method, path, parameters=dict(parameters or {}), input=None if body is None else dict(body)
            )
    except (GithubException, NoReply, NotGitHub, RedirectedElsewhere):
        raise
    except Exception as error:  # PyGithub reads headers and bodies as if they could only be GitHub's
        raise NotGitHub(f"{type(error).__name__}: {error}") from error
    return Answer(status, headers, text, sent.redirected_to)
