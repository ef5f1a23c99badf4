"""Publishing a verification to the broker, and confirming what the broker recorded.

The engine's core could publish as well, but it only logs what went wrong. The result has the form of the Pact
verifiers' results, as a Pact Broker shows it. Each test result also has the id of the verification, since the broker
keeps `testResults` as they are: by this a retry recognises an earlier try that was successful.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from broker.client import BrokerClient
from broker.http.errors import BrokerError, BrokerRefused, BrokerUnreachable, NotFound, UnexpectedAnswer
from broker.http.json_values import objects_at, text_at, value_at
from broker.traces.spans import span
from verifier.errors import PublishFailed
from verifier.report.interface import more_differences
from verifier.verification import LONGEST_DESCRIPTION, LONGEST_REASON, Outcome, PublishedResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from broker.http.access import BrokerAccess
    from verifier.verification import InteractionResult, Mismatch, Verification

IMPLEMENTATION = "pact-dispatch"
TOO_LARGE = 413
"""The status of a broker, or of a proxy in front of it, that takes no body of this size."""
LONGEST_PUBLISHED_VALUE = 1000
"""The most characters of an expected or actual value that are published; the sentence has the rest."""
WITHOUT_DETAILS = "The differences were left out, since the broker takes no result as large as they make it"
NOTHING_RECORDED = "Nothing was recorded in the broker"
NO_RESULT_RECORDED = "The result was not recorded in the broker"
NOT_KNOWN = (
    "Whether the result was recorded is not known: look at the pact in the broker before you publish again"
)


def publish(
    verification: Verification,
    access: BrokerAccess,
    *,
    resumed: bool = False,
    retry_time: float = 60.0,
    deadline: float | None = None,
    on_retry: Callable[[str], None] | None = None,
) -> PublishedResult:
    """Publish a verification, and read back what the broker recorded.

    The provider version's branch and tags are recorded first, so that they are there for what the result triggers in
    the broker. It is safe to call this again for the same verification: it is recorded once.

    Args:
        verification: The verification, just made or loaded.
        access: The broker that its pact is on.
        resumed: Whether an earlier call, in this process or another one, may have been successful.
        retry_time: For how many seconds requests to a broker that is away are repeated.
        deadline: The `time.monotonic()` after which nothing is tried.
        on_retry: Called with a sentence before each wait.

    Raises:
        PublishFailed: The broker did not accept it, or something else went wrong.
        ValueError: The verification must not be published: it has no outcome, was filtered, or has no version.
    """
    _check(verification)
    with (
        _whatever_happens(),
        BrokerClient(access, retry_time=retry_time, deadline=deadline, on_retry=on_retry) as client,
    ):
        return publish_by(client, verification, resumed=resumed)


def publish_by(
    client: BrokerClient,
    verification: Verification,
    *,
    resumed: bool = False,
    records_version: bool = True,
) -> PublishedResult:
    """Publish a verification as `publish` does, in a session that is there.

    Args:
        client: The session with the broker.
        verification: The verification.
        resumed: Whether an earlier call may have been successful.
        records_version: Whether the provider version's branch and tags are recorded; not if another result of the same
            run has done so.

    Raises:
        PublishFailed: The broker did not accept it, or something else went wrong.
        ValueError: The verification must not be published.
    """
    _check(verification)
    with _whatever_happens(), span("publish result", pact__outcome=str(verification.outcome)):
        publication = _Publication(client, verification, verification.provider_version or "")
        publication.version_recorded = not records_version
        return publication.publish(resumed=resumed)


@contextmanager
def _whatever_happens() -> Iterator[None]:
    """Raise `PublishFailed` for any exception, so that the verification is not lost to it."""
    try:
        yield
    except PublishFailed:
        raise
    except Exception as error:
        raise PublishFailed(
            f"publishing the result failed unexpectedly: {type(error).__name__}: {error}. {NOT_KNOWN}",
            retryable=True,
        ) from error


def _check(verification: Verification) -> None:
    """Raise unless a verification may be published.

    Raises:
        ValueError: It has no outcome, was filtered, or has no version.
    """
    if verification.outcome == Outcome.ERROR:
        raise ValueError("a verification without an answer is not published")
    if verification.filtered:
        raise ValueError("a filtered verification is not published")
    if not verification.provider_version:
        raise ValueError("a verification is published for a provider version, and this one has none")


@dataclass
class _Publication:
    client: BrokerClient
    verification: Verification
    provider_version: str
    version_recorded: bool = False

    def publish(self, *, resumed: bool) -> PublishedResult:
        url = self._publish_link()
        self._record_version()
        if resumed and (found := self._find()):
            return found
        waits = self.client.waits()
        with_details = True
        while True:
            document = result_document(self.verification, with_details=with_details)
            try:
                answer = self.client.post_once(url, document)
            except BrokerUnreachable as error:
                # The broker may have recorded it, and only the answer was lost: look before it is sent again.
                try:
                    waits.wait_after(error)
                except BrokerUnreachable as last:
                    return self._found_or_failed(last)
                if found := self._find():
                    return found
            except UnexpectedAnswer as error:
                return self._found_or_failed(error)
            except BrokerError as error:
                if with_details and isinstance(error, BrokerRefused) and error.status == TOO_LARGE:
                    with_details = False  # better a result that doesn't say why than none
                    continue
                raise self._failed("the broker did not accept the result", error) from error
            else:
                return self._confirm(answer.location, answer.document)

    def _found_or_failed(self, error: BrokerError) -> PublishedResult:
        """Return the result of a try that may have been successful.

        Raises:
            PublishFailed: It was not, or that can't be told.
        """
        if found := self._find():
            return found
        raise self._failed("the broker did not accept the result", error) from error

    def _failed(self, what: str, error: BrokerError) -> PublishFailed:
        return PublishFailed(f"{what}: {error}. {self._recorded()}", retryable=error.transient)

    def _recorded(self) -> str:
        if self.version_recorded:
            return f"{NO_RESULT_RECORDED} (the provider version, its branch and tags were)"
        return NOTHING_RECORDED

    def _publish_link(self) -> str:
        link = self.verification.links.get("publish")
        if link is None:
            raise PublishFailed(
                "the pact has no link to publish results to (pb:publish-verification-results): it does not come from "
                f"a Pact Broker that takes results, or the address is not the broker's. {NOTHING_RECORDED}",
                retryable=False,
            )
        return link

    def _record_version(self) -> None:
        """Record the provider version's branch and tags, unless that was done."""
        verification = self.verification
        if self.version_recorded:
            return
        if not verification.provider_branch and not verification.provider_tags:
            return
        provider = self.verification.links.get("provider")
        if provider is None:
            raise PublishFailed(
                f"the pact has no link to its provider, for the version's branch and tags. {NOTHING_RECORDED}",
                retryable=False,
            )
        try:
            document = self.client.get(provider).document
            if verification.provider_branch:
                self._put(document, "pb:branch-version", "branch", branch=verification.provider_branch)
            for tag in verification.provider_tags:
                self._put(document, "pb:version-tag", "tag", tag=tag)
        except BrokerError as error:
            raise self._failed(
                "the broker did not accept the provider version's branch or tags", error
            ) from error

    def _put(self, document: Any, rel: str, what: str, **parameters: str) -> None:
        link = self.client.link(document, rel, version=self.provider_version, **parameters)
        if link is None:
            raise PublishFailed(
                f"the broker has no link to record the provider version's {what} ({rel}): it may be too old for it. "
                f"{self._recorded()}",
                retryable=False,
            )
        self.client.put(link, {})
        self.version_recorded = True

    def _confirm(self, location: str | None, document: Any) -> PublishedResult:
        """Read the recorded result back, and make sure that it is this verification's."""
        try:
            url = location or self.client.link(document, "self")
            if url is None:
                raise PublishFailed(
                    "the broker answered the result without saying where it is, so it can't be confirmed",
                    retryable=False,
                )
            recorded = self.client.get(url).document
        except BrokerError as error:
            raise PublishFailed(
                f"the broker took the result, but it could not be read back to confirm it: {error}",
                retryable=error.transient,
            ) from error
        result = self._published(url, recorded)
        if result is None:
            raise PublishFailed(
                f"the broker took the result, but has something else at {url}", retryable=False
            )
        return result

    def _find(self) -> PublishedResult | None:
        """Return the result if it is already recorded: the pact's latest one, else one in the matrix."""
        try:
            for url in self._candidates():
                document = self._get_if_there(url)
                found = self._published(self.client.link(document, "self") or url, document)
                results = objects_at(document, "testResults") or []
                if found is not None and any(
                    r.get("verificationId") == self.verification.id for r in results
                ):
                    return replace(found, already_there=True)
        except BrokerError as error:
            raise PublishFailed(
                f"the broker could not be asked whether it has the result: {error}. {NOT_KNOWN}",
                retryable=error.transient,
            ) from error
        return None

    def _candidates(self) -> list[str]:
        """Return the URLs of results that may be this one."""
        links = self.verification.links
        candidates = [links["latest"]] if "latest" in links else []
        matrix = self._get_if_there(links["matrix"]) if "matrix" in links else None
        for row in objects_at(matrix, "matrix") or []:
            if text_at(row, "provider", "version", "number") == self.provider_version:
                link = self.client.link(row.get("verificationResult"), "self")
                candidates += [link] if link else []
        return candidates

    def _get_if_there(self, url: str) -> Any:
        try:
            return self.client.get(url).document
        except NotFound:
            return None

    def _published(self, url: str, document: Any) -> PublishedResult | None:
        """Return a verification result of the broker, or None if it differs from this verification."""
        success = self.verification.outcome == Outcome.PASSED
        if (
            value_at(document, "success") is success
            and text_at(document, "providerApplicationVersion") == self.provider_version
        ):
            return PublishedResult(url, success, self.provider_version)
        return None


def result_document(verification: Verification, *, with_details: bool = True) -> dict[str, Any]:
    """Return a verification as the JSON that a Pact Broker accepts.

    Args:
        verification: The verification.
        with_details: Whether to say of each interaction that failed what differs.
    """
    document: dict[str, Any] = {
        "success": verification.outcome == Outcome.PASSED,
        "providerApplicationVersion": verification.provider_version,
        "verifiedBy": {"implementation": IMPLEMENTATION, "version": version("pact-dispatch")},
        # an interaction that could not be verified says nothing about the provider
        "testResults": [
            _test_result(result, verification.id, with_details=with_details)
            for result in verification.interactions
            if result.outcome != Outcome.ERROR
        ],
    }
    if verification.build_url:
        document["buildUrl"] = verification.build_url
    return document


def _mismatch(mismatch: Mismatch) -> dict[str, str]:
    """Return a difference as it is published: brokers keep what else a result has, and ours shows both values."""
    document = {
        "attribute": mismatch.attribute,
        "identifier": mismatch.identifier,
        "description": mismatch.description[:LONGEST_DESCRIPTION],
    }
    values = {"expected": mismatch.expected, "actual": mismatch.actual}
    return document | {
        name: value
        for name, value in values.items()
        if value is not None and len(value) <= LONGEST_PUBLISHED_VALUE
    }


def _test_result(result: InteractionResult, verification_id: str, *, with_details: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "interactionId": result.id,
        "interactionDescription": result.description,
        "success": result.outcome == Outcome.PASSED,
        "verificationId": verification_id,
    }
    if not with_details:
        if result.outcome != Outcome.PASSED:
            document["exceptions"] = [{"message": WITHOUT_DETAILS}]
        return document
    if result.mismatches:
        document["mismatches"] = list(map(_mismatch, result.mismatches))
    if more := more_differences(result.more_mismatches):
        document["mismatches"].append({"attribute": "body", "identifier": "", "description": more})
    if result.reason:
        document["exceptions"] = [{"message": result.reason[:LONGEST_REASON]}]
    return document
