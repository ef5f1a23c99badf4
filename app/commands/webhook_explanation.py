"""What the answer of a webhook's target means, and what to do about it (no I/O).

GitHub answers 404 both for a repository that isn't there and for a token that may not see it; which of the two, the
headers of its answer tell in some cases. The receiver answers as GitHub does.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.commands.dispatch_url import DispatchUrl
from broker.http.json_values import text_at, value_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.webhooks import Execution

_NEEDED = "contents: write for a fine-grained token or an App, the scope repo for a classic one"
_NEEDED_BY_WORKFLOW = "actions: write for a fine-grained token or an App, the scope repo for a classic one"
UUID = "UUID"
"""What stands for a webhook's UUID where it isn't known."""
_NO_ANSWER = (
    (
        ("refused",),
        (
            "Nothing listens at {host}, seen from the broker. Is the target running, and is the port right? An "
            "address such as 127.0.0.1 or localhost means the broker's own machine or container."
        ),
    ),
    (
        ("whitelist", "not sent"),
        (
            "The broker may not send there: its administrator must allow host, scheme and method (pact-dispatch "
            "broker: --webhook-hosts, --webhook-schemes, --webhook-methods; the open-source broker: "
            "PACT_BROKER_WEBHOOK_HOST_WHITELIST, ..._SCHEME_WHITELIST, ..._HTTP_METHOD_WHITELIST)."
        ),
    ),
    (
        ("getaddrinfo", "name or service", "not known", "resolution", "nodename"),
        "The broker can't find the host {host}: is it spelled right, and does the broker's network know it?",
    ),
    (
        ("certificate", "ssl", "tls"),
        (
            "The broker doesn't trust the TLS connection to {host}: its certificate is expired, for another host, or "
            "signed by an authority that the broker doesn't know."
        ),
    ),
    (("unreachable", "no route"), "There is no way from the broker's network to {host}."),
    (
        ("time", "no answer", "expired"),
        "{host} didn't answer in time. A broker waits about 15 seconds: a firewall may be swallowing the request.",
    ),
)
"""Words in a broker's reason for having no answer, and what they mean; the first match counts."""


@dataclass(frozen=True)
class Target:
    """The target of a webhook's request.

    Attributes:
        url: The URL.
        repository: The repository of a dispatch, OWNER/REPO.
        is_github: Whether it is known to be GitHub, by its URL or by its answer.
        workflow: The file of the workflow that a `workflow_dispatch` starts.
    """

    url: str
    repository: str | None
    is_github: bool
    workflow: str | None = None

    @property
    def needed(self) -> str:
        """The right that the token needs."""
        return _NEEDED if self.workflow is None else _NEEDED_BY_WORKFLOW

    @classmethod
    def of(cls, execution: Execution) -> Target:
        """Return the target that a request was sent to."""
        url = execution.line.partition(" ")[2]
        dispatches = DispatchUrl.read(url)
        if dispatches is None:
            return cls(url, None, is_github=False)
        headers = execution.answer_headers
        answered = "github.com" in headers.get("server", "").lower() or "x-github-media-type" in headers
        return cls(url, dispatches.repository, dispatches.is_github or answered, dispatches.workflow)


def explain(execution: Execution, uuid: str = UUID) -> str:
    """Return what the answer means, and what to do; an empty text where it needs no explanation.

    Args:
        execution: The request and its answer.
        uuid: The webhook's UUID, if it is known.
    """
    return _explained(execution).replace(f" {UUID} ", f" {uuid} ")


def _explained(execution: Execution) -> str:
    target = Target.of(execution)
    if execution.status is None:
        return _no_answer(execution, target)
    if execution.success:
        return _taken(execution, target)
    answer = {
        400: _bad_request,
        401: _bad_credentials,
        403: _forbidden,
        404: _not_found,
        413: _too_large,
        415: _media_type,
        422: _unprocessable,
        429: _busy,
        503: _busy,
    }.get(execution.status)
    if answer is not None:
        return answer(execution, target)
    if 300 <= execution.status < 400:
        return _redirected(execution.answer_headers.get("location", "another URL"), target)
    if execution.status >= 500:
        return "The target failed by itself. Look into its log; the broker tries again after real events."
    return "A broker counts 200 to 206 as success, nothing else."


def _taken(execution: Execution, target: Target) -> str:
    kind = value_at(execution.body, "event_type")
    if target.workflow is not None:
        return f"GitHub has started {target.workflow} of {target.repository}."
    if target.is_github:
        return (
            f"GitHub took the dispatch for {target.repository}. A run starts if a workflow on the default branch "
            f"listens to repository_dispatch of the type {kind or '(none)'}."
        )
    if target.repository is not None and execution.status == 204:
        return f"The dispatch for {target.repository} was stored and queued."
    return ""


def _no_answer(execution: Execution, target: Target) -> str:
    reason = (execution.error or "").lower()
    host = urlsplit(target.url).netloc.rpartition("@")[2]
    meaning = next((meaning for words, meaning in _NO_ANSWER if any(word in reason for word in words)), None)
    return (meaning or "The broker got no answer; its log says more.").format(host=host)


def _redirected(where: str, target: Target) -> str:
    redirects = f"The target redirects to {where}, and brokers don't follow redirects."
    if DispatchUrl.read(where) is not None and urlsplit(where)[:2] == urlsplit(target.url)[:2]:
        return f"{redirects} Give the webhook that URL: pact-dispatch webhooks update {UUID} --url {shlex.quote(where)}"
    if target.repository is not None:
        return (
            f"{redirects} A repository that was renamed or moved answers like that: {target.repository} has another "
            f"name now, which belongs into the webhook's URL (pact-dispatch webhooks update {UUID} --url ...); with a "
            "token for GitHub, pact-dispatch doctor tells it."
        )
    return f"{redirects} Give the webhook the URL that answers itself."


def _bad_credentials(execution: Execution, target: Target) -> str:
    if target.is_github:
        return (
            f"GitHub doesn't know the token: it is wrong, revoked or expired. Make a new one for {target.repository} "
            f"({target.needed}), and give it to the secret that the webhook uses, or to the webhook."
        )
    if target.repository is not None:
        return (
            "The token is wrong: for the receiver it must be one of its PACT_DISPATCH_TOKENS; for GitHub it must be "
            "valid and not expired."
        )
    challenge = execution.answer_headers.get("www-authenticate")
    wants = f" (it asks for {challenge.partition(' ')[0]})" if challenge else ""
    return f"The target wants other credentials{wants}: check the webhook's Authorization, or its user and password."


def _forbidden(execution: Execution, target: Target) -> str:
    headers = execution.answer_headers
    if "x-github-sso" in headers:
        return "The token isn't authorised for the organisation's single sign-on: authorise it in GitHub's settings."
    if headers.get("x-ratelimit-remaining") == "0" or "rate limit" in _message(execution).lower():
        return "The token's rate limit is used up: wait, or give the webhook a token of its own."
    if target.repository is not None:
        return (
            f"The token is valid, but may not dispatch to {target.repository}: it needs {target.needed}. If it has "
            "that, its organisation may not have approved it yet."
        )
    return "The target knows who asks, and says no: give the webhook credentials that may do this."


def _not_found(execution: Execution, target: Target) -> str:
    if target.repository is None:
        return "There is nothing at this URL: check its path."
    if not target.is_github:
        return (
            f"The target doesn't know {target.repository}, or got no token that it can use. The receiver answers so "
            "for a repository that isn't in its configuration (repository in [[providers]]), for a token that is "
            "limited to other repositories, and for a request without a token, or with a ${user.NAME} that the broker "
            "had no secret for."
        )
    if target.workflow is not None:
        return (
            f"GitHub says this for a workflow file {target.workflow} that isn't on the default branch of "
            f"{target.repository}, for a wrong repository, and for a missing or too weak token: it needs "
            f"{target.needed}."
        )
    return _not_found_by_github(execution.answer_headers, target.repository)


def _not_found_by_github(headers: Mapping[str, str], repository: str) -> str:
    """Distinguish a wrong repository from a token without the right, as far as GitHub's headers allow."""
    until = headers.get("github-authentication-token-expiration")
    scopes = headers.get("x-oauth-scopes")
    if scopes or (scopes is not None and "x-accepted-github-permissions" not in headers):
        return _not_found_for_scopes(scopes, repository)
    if "x-accepted-github-permissions" in headers or until:
        return (
            f"The token is valid{f' until {until}' if until else ''}: a fine-grained one or an App's. Either it wasn't "
            f"given {repository} with {_NEEDED}, or that is misspelled: GitHub says the same for both."
        )
    return (
        "GitHub says this both for a wrong repository and for a missing or too weak token, and here nothing tells "
        f"which. Check that {repository} exists, that the webhook sends a token at all (with ${{user.NAME}}: that the "
        f"broker has a secret of the name), and that the token may dispatch: {_NEEDED}."
    )


def _not_found_for_scopes(scopes: str, repository: str) -> str:
    has = {scope.strip() for scope in scopes.split(",")} - {""}
    if "repo" in has:
        return (
            f"The token is valid and has the scope repo, so {repository} is misspelled or gone, or the token's owner "
            "has no access to it."
        )
    if "public_repo" in has:
        return (
            f"The token's scope public_repo is good for public repositories: {repository} is private (then the scope "
            "repo is needed), or misspelled."
        )
    return (
        f"The token is valid, but without the right: its scopes are {', '.join(sorted(has)) or 'none'}, and repo is "
        f"needed. Whether {repository} exists can't be told from this."
    )


def _unprocessable(execution: Execution, target: Target) -> str:
    errors = value_at(execution.answer_body, "errors")
    fields = []
    for error in errors if isinstance(errors, list) else []:
        field = value_at(error, "field") or value_at(error, "resource")
        reason = value_at(error, "message") or value_at(error, "code")
        named = field and reason and str(field) not in str(reason)
        fields.append(f"{field}: {reason}" if named else str(reason or error))
    what = ("; ".join(fields) or _message(execution) or "it doesn't say why").rstrip(".?")
    if target.workflow is not None:
        advice = (
            f"The workflow {target.workflow} must have on: workflow_dispatch: on that branch (ref), with the inputs "
            "that the webhook's body has, and require no other; and it must be enabled."
        )
    elif "client_payload.sha" in what:
        advice = (
            "What the broker sends as sha is the provider's version, and here it must be a commit: publish the "
            "provider's results with the commit id as its version."
        )
    elif "client_payload." in what:
        advice = "The value stands in the webhook's body, or the broker fills it in."
    else:
        advice = (
            "A dispatch has an event_type of 1 to 100 characters, and a client_payload that is an object with at most "
            "10 properties."
        )
    return f"The target read the body and refused it: {what}. {advice}"


def _bad_request(execution: Execution, _: Target) -> str:
    message = _message(execution)
    return f"The target can't read the request{f': {message}' if message else ''}. Check body and headers."


def _media_type(execution: Execution, _: Target) -> str:
    sent = execution.headers.get("content-type")
    return (
        f"The target doesn't take the media type {sent or '(none was sent)'}: give the webhook the header "
        "'Content-Type: application/json'."
    )


def _too_large(_: Execution, __: Target) -> str:
    return "The body is too large: a dispatch has at most 64 KB. Send the pact's URL, not the pact."


def _busy(execution: Execution, target: Target) -> str:
    after = execution.answer_headers.get("retry-after")
    when = f" (it asks to wait {after} s)" if after else ""
    stored = (
        " The receiver says so when it can't store a dispatch: is its database up?"
        if (target.repository is not None and not target.is_github and execution.status == 503)
        else ""
    )
    return f"The target can't take it now{when}. After a real event the broker tries again by itself.{stored}"


def _message(execution: Execution) -> str:
    return text_at(execution.answer_body, "message") or ""
