"""Parse the payload of a `repository_dispatch`, in either of its forms, into a `Dispatch`. No I/O.

GitHub's API takes `{"event_type", "client_payload"}`; what GitHub delivers to an App or a webhook is `{"action",
"client_payload", "repository", ...}`. Anybody who may dispatch can write it, so nothing in it is trusted.

There are two reasons for a verification: a pact has changed, which the dispatch names, or the provider has, which is
the event type `provider_changed` or a push (`app.push`). Then every pact that the broker asks for is verified.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from broker.events import PROVIDER_CHANGED
from broker.http.names import NAME_RULE, is_name
from verifier.commit_id import is_commit_id

if TYPE_CHECKING:
    from datetime import datetime

PACT_CHANGED = "pact_changed"
"""The event type of a dispatch that is sent when the content of a pact has changed."""
PUSH = "push"
"""GitHub's event of a push, which is carried out as a change of the provider."""
DRY_RUN_HEADER = "Pact-Dispatch-Dry-Run"
"""The header by which a dispatch is checked and nothing else; the receiver's answer to it has it too."""
STATES_HEADER = "Pact-Dispatch-Provider-States"
"""The header of the answer to a dry run, whose value is `none` if nothing sets the provider's states up."""
MAX_PROPERTIES = 10
"""GitHub's limit of top-level properties of a client payload."""
MAX_EVENT_TYPE = 100
MAX_URL = 8000
MAX_REPOSITORY = 140
"""Characters of OWNER/REPO: 39, the slash, and 100."""
MAX_MESSAGE = 1000
"""Characters of a message that are kept: nothing depends on it, so a longer one is cut and not refused."""

REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
"""The regular expression of OWNER/REPO, by GitHub's rules.

An owner's name has up to 39 letters, digits and hyphens; that of an Enterprise Managed User has an underscore too.
"""

_REPOSITORY = re.compile(REPOSITORY)
_CONSUMER = re.compile(r"/pacts/provider/(?P<provider>[^/]+)/consumer/(?P<consumer>[^/]+)(/|$)")


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, in the form of GitHub's `errors`.

    Attributes:
        field: The field's name.
        code: GitHub's code: `missing_field` or `invalid`.
        message: A message for people.
    """

    field: str
    code: str
    message: str


class InvalidDispatch(Exception):
    """The payload is not a dispatch that can be carried out.

    Attributes:
        errors: What is wrong, field by field.
    """

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


@dataclass(frozen=True)
class PushOrder:
    """What tells which of two pushes to a branch is the newer one: GitHub does not promise to deliver them in order.

    Attributes:
        commit: The commit that the branch was pushed to.
        before: The commit that it had before; None if there was none, or it is not known.
        at: When the repository was pushed to, in whole seconds; None if it is not known.
    """

    commit: str | None
    before: str | None
    at: datetime | None

    def is_newer_than(self, other: PushOrder) -> bool:
        """Return whether this push is to be carried out although the other one was accepted already.

        That one follows the other is sure. If both follow each other (a branch that was set back), or neither, the
        times count, and after them the order in which the pushes came.
        """
        if self == other:
            return False
        follows = self.before is not None and self.before == other.commit
        precedes = other.before is not None and other.before == self.commit
        if follows != precedes:
            return follows
        return self.at is None or other.at is None or self.at >= other.at


@dataclass(frozen=True)
class Dispatch:
    """The request to verify a pact, or every pact of a provider that has changed.

    Attributes:
        repository: OWNER/REPO.
        event_type: The event type, `pact_changed` for instance.
        pact_url: The URL of the pact; None if the provider has changed.
        sha: The provider's version to verify, a commit id in lower case; None for the version that there is. Its form
            depends on the provider: only one that is checked out needs a commit id.
        branch: The branch of that commit.
        message: A message of the sender.
        client_payload: The whole payload as it came, where the dispatch is passed on; None elsewhere.
        pact_urls: Several pacts that are verified in one run, in the place of every one; no request can name them.
        push_order: Where a push stands among those of its branch; None of anything else.
    """

    repository: str
    event_type: str
    pact_url: str | None
    sha: str | None = None
    branch: str | None = None
    message: str | None = None
    client_payload: dict[str, Any] | None = None
    pact_urls: tuple[str, ...] = ()
    push_order: PushOrder | None = None

    @property
    def consumer(self) -> str | None:
        """The consumer that the pact's URL names; None if it names none."""
        return None if self.pact_url is None else consumer_of(self.pact_url)

    @property
    def provider(self) -> str | None:
        """The provider that the pact's URL names; None if it names none."""
        return None if self.pact_url is None else _names_in(self.pact_url)[0]

    @property
    def is_push(self) -> bool:
        """Whether it is a push, which GitHub delivers: no other request can say that it is one."""
        return self.event_type == PUSH and self.pact_url is None

    @property
    def payload(self) -> dict[str, Any]:
        """The client payload: as it came, or else what is known of it."""
        if self.client_payload is not None:
            return self.client_payload
        known = {"pact_url": self.pact_url, "sha": self.sha, "branch": self.branch}
        return {name: value for name, value in known.items() if value is not None}


def consumer_of(pact_url: str) -> str | None:
    """Return the consumer that a pact's URL names; None if it names none."""
    return _names_in(pact_url)[1]


def is_repository(text: str) -> bool:
    """Tell whether a text has the form OWNER/REPO."""
    return _REPOSITORY.fullmatch(text) is not None


def from_api(repository: str, document: Any) -> Dispatch:
    """Parse the body of `POST /repos/OWNER/REPO/dispatches`.

    Raises:
        InvalidDispatch: It isn't a dispatch.
    """
    if not isinstance(document, dict):
        raise InvalidDispatch(FieldError("body", "invalid", "must be a JSON object"))
    return _read(repository, "event_type", document)


def from_delivery(document: Any) -> Dispatch:
    """Parse what GitHub delivers for the event `repository_dispatch`.

    Raises:
        InvalidDispatch: It isn't a dispatch.
    """
    if not isinstance(document, dict):
        raise InvalidDispatch(FieldError("body", "invalid", "must be a JSON object"))
    return _read(repository_of(document), "action", document)


def check(dispatch: Dispatch) -> None:
    """Check a dispatch that no request carried by the rules for those of requests.

    Raises:
        InvalidDispatch: It breaks one.
    """
    asked = {"pact_url": dispatch.pact_url, "sha": dispatch.sha, "branch": dispatch.branch}
    event_type = PROVIDER_CHANGED if dispatch.pact_url is None else dispatch.event_type
    _read(dispatch.repository, "event_type", {"event_type": event_type, "client_payload": asked})


def repository_of(document: dict[str, Any]) -> str:
    """Return the repository that GitHub names in what it delivers.

    Raises:
        InvalidDispatch: It names none.
    """
    repository = document.get("repository")
    name = repository.get("full_name") if isinstance(repository, dict) else None
    if not isinstance(name, str) or not is_repository(name):
        raise InvalidDispatch(FieldError("repository.full_name", "invalid", "must be OWNER/REPO"))
    return name


def _read(repository: str, type_field: str, document: dict[str, Any]) -> Dispatch:
    event_type = document.get(type_field)
    errors = _errors_in_event_type(type_field, document)
    payload = document.get("client_payload", {})
    if not isinstance(payload, dict):
        errors.append(FieldError("client_payload", "invalid", "must be an object"))
        payload = {}
    elif len(payload) > MAX_PROPERTIES:
        errors.append(
            FieldError("client_payload", "invalid", f"must have no more than {MAX_PROPERTIES} properties")
        )
    pact_url = _pact_url(event_type, payload, errors)
    sha = _text(payload, "sha", errors)
    if sha is not None and not is_name(sha):
        errors.append(FieldError("client_payload.sha", "invalid", NAME_RULE))
    branch = _text(payload, "branch", errors)
    if branch is not None and not is_name(branch):
        errors.append(FieldError("client_payload.branch", "invalid", NAME_RULE))
    message = payload.get("message")
    message = message[:MAX_MESSAGE] if isinstance(message, str) and message else None
    if errors:
        raise InvalidDispatch(*errors)
    if sha is not None and is_commit_id(sha):
        sha = sha.lower()
    return Dispatch(repository, str(event_type), pact_url, sha, branch, message)


def _pact_url(event_type: Any, payload: dict[str, Any], errors: list[FieldError]) -> str | None:
    field = "client_payload.pact_url"
    pact_url = _text(payload, "pact_url", errors)
    if pact_url is not None and event_type == PROVIDER_CHANGED:
        why = f"is not for {PROVIDER_CHANGED}, which has every pact verified; {PACT_CHANGED} is for one"
        errors.append(FieldError(field, "invalid", why))
    elif pact_url is not None:
        errors += _errors_in(pact_url)
    elif event_type != PROVIDER_CHANGED and not any(
        error.field.startswith("client_payload") for error in errors
    ):
        errors.append(FieldError(field, "missing_field", "is missing: which pact is to be verified?"))
    return pact_url


def _errors_in_event_type(field: str, document: dict[str, Any]) -> list[FieldError]:
    event_type = document.get(field)
    if field not in document:
        return [FieldError(field, "missing_field", "is missing")]
    if not isinstance(event_type, str) or not 1 <= len(event_type) <= MAX_EVENT_TYPE:
        return [FieldError(field, "invalid", f"must be a string of 1 to {MAX_EVENT_TYPE} characters")]
    if not event_type.isprintable():
        return [FieldError(field, "invalid", "must be printable")]
    return []


def _errors_in(pact_url: str) -> list[FieldError]:
    if len(pact_url) > MAX_URL:
        why = f"must have no more than {MAX_URL} characters"
    elif not pact_url.isprintable():
        why = "must be one line of printable text"
    elif not _is_url(pact_url):
        why = "must be an http:// or https:// URL"
    elif not all(name is None or is_name(name) for name in _names_in(pact_url)):
        why = f"names a consumer or a provider whose name can't be one: it {NAME_RULE}"
    else:
        return []
    return [FieldError("client_payload.pact_url", "invalid", why)]


def _text(payload: dict[str, Any], field: str, errors: list[FieldError]) -> str | None:
    """Return a text of the payload; None also for an empty one, as brokers send for a variable without a value."""
    value = payload.get(field)
    if value is None or value == "":
        return None
    name = f"client_payload.{field}"
    if not isinstance(value, str):
        errors.append(FieldError(name, "invalid", "must be a string"))
    elif "${" in value:
        errors.append(
            FieldError(
                name,
                "invalid",
                f"is {value[:100]}: the broker did not fill the variable in. Check the webhook's body, and that its "
                "event knows this variable",
            )
        )
    else:
        return value
    return None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _names_in(pact_url: str) -> tuple[str | None, str | None]:
    """Return the names of the provider and of the consumer that a pact's URL has; None for each that it hasn't."""
    match = _CONSUMER.search(urlsplit(pact_url).path)
    return (unquote(match["provider"]), unquote(match["consumer"])) if match else (None, None)
