"""What a verifier shows beside a pact: why it is verified, and what its pending state means (no I/O)."""

from __future__ import annotations

_READ_MORE = "Read more at https://docs.pact.io/go/pending"

# By when they are shown: whether the verification succeeded, and whether its result was published.
_PENDING = {
    "before_verification": (
        "This pact is in pending state for this version of {provider} because a successful verification result for "
        "a version of {provider} from branch '{branch}' has not yet been published. If this verification fails, it "
        f"will not cause the overall build to fail. {_READ_MORE}"
    ),
    "after_verification:success_true_published_false": (
        "This pact is still in pending state for any version of {provider} from branch '{branch}' as the successful "
        "verification results have not yet been published."
    ),
    "after_verification:success_false_published_false": (
        "This pact is still in pending state for any version of {provider} from branch '{branch}' as a successful "
        "verification result has not yet been published"
    ),
    "after_verification:success_true_published_true": (
        "This pact is no longer in pending state for any version of {provider} from branch '{branch}', as a "
        "successful verification result has been published. If a verification for a version of {provider} fails in "
        f"the future, it will fail the build. {_READ_MORE}"
    ),
    "after_verification:success_false_published_true": (
        "This pact is still in pending state for any version of {provider} from branch '{branch}' as a successful "
        "verification result has not yet been published"
    ),
}
_NOT_PENDING = {
    "before_verification": (
        "This pact has previously been successfully verified by a version of {provider} from branch '{branch}'. If "
        f"this verification fails, it will fail the build. {_READ_MORE}"
    )
}


def chosen(pact_version_url: str, criteria: list[str]) -> dict[str, str]:
    """Return the notice that says why a pact is verified."""
    what = (
        "consumer version matching the following criterion"
        if len(criteria) == 1
        else "consumer versions matching the following criteria"
    )
    listed = "".join(f"\n    * {criterion}" for criterion in criteria)
    text = f"The pact at {pact_version_url} is being verified because the pact content belongs to the {what}:{listed}"
    return {"when": "before_verification", "text": text}


def pending(provider: str, branch: str, *, pending: bool) -> list[dict[str, str]]:
    """Return the notices on the pending state of a pact for versions on a branch of the provider."""
    texts = _PENDING if pending else _NOT_PENDING
    return [
        {"when": when, "text": text.format(provider=provider, branch=branch)} for when, text in texts.items()
    ]
