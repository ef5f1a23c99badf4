"""What each reason of a refusal means, and how to fix it: the words of pages, `doctor` and the documentation."""

from __future__ import annotations

from dataclasses import dataclass

from app.config.variables import TOKENS, WEBHOOK_SECRET


@dataclass(frozen=True)
class RefusalWords:
    """What a refusal means.

    Attributes:
        meaning: What was wrong with the request, in a sentence.
        to_do: How to fix it, in a sentence or two.
    """

    meaning: str
    to_do: str


WORDS = {
    "no-token": RefusalWords(
        "The request had no token, or the variable of a secret that the broker has not filled in.",
        "Give the webhook the header `Authorization: Bearer ${user.NAME}`, and the broker a secret of that name; "
        "`pact-dispatch setup` does both.",
    ),
    "bad-token": RefusalWords(
        f"The token is none of {TOKENS}.",
        f"Give the webhook's secret the value of a token of {TOKENS}, or add the token there.",
    ),
    "other-repository": RefusalWords(
        "The token may not dispatch for this repository.",
        f"Add `@OWNER/REPO` behind the token in {TOKENS}, or send another token, or to another repository.",
    ),
    "unknown-repository": RefusalWords(
        "No provider has this repository.",
        "Correct the repository in the webhook's URL, or add it to a provider: `repository` in `[[providers]]`.",
    ),
    "no-secret": RefusalWords(
        "GitHub's events are not accepted, since nothing can check their signature.",
        f"Set {WEBHOOK_SECRET} to the secret of the App or of the repository's webhook.",
    ),
    "bad-signature": RefusalWords(
        "The signature of GitHub's event is missing or wrong.",
        f"The secret of the App or of the repository's webhook must be the value of {WEBHOOK_SECRET}.",
    ),
    "other-event": RefusalWords(
        "GitHub delivered an event that is neither `repository_dispatch` nor `push`.",
        "Subscribe the App or the webhook to these two events alone.",
    ),
    "event-type": RefusalWords(
        "The event type is none that is configured.",
        "Correct `event_type` in the webhook's body, or add it to `event_types` in `[dispatches]`.",
    ),
    "other-broker": RefusalWords(
        "The pact is not on the configured Pact Broker.",
        "Is this the right receiver? If it is, add the broker's other address to `aliases` in `[broker]`.",
    ),
    "other-provider": RefusalWords(
        "The pact is another provider's than the one that has this repository.",
        "Correct the repository in the webhook's URL, or have the webhook triggered by this provider's pacts alone.",
    ),
    "invalid": RefusalWords(
        "A field of the request is missing, or has a value that it can't have.",
        "Correct the named field in the webhook's body (`pact-dispatch webhooks update`).",
    ),
    "loop": RefusalWords(
        "The dispatch was passed on by a receiver already, and would come back without end.",
        "Send GitHub's events of a repository to the receiver only if it does not relay to that repository.",
    ),
    "not-json": RefusalWords(
        "The body is no JSON.",
        "Correct the webhook's body; `pact-dispatch webhooks test` shows what is sent.",
    ),
    "media-type": RefusalWords(
        "The body has a media type that is not JSON's.",
        "Give the webhook the header `Content-Type: application/json`.",
    ),
    "too-large": RefusalWords(
        "The body is too large.",
        "Send the pact's URL, and not the pact. A push of GitHub's that is too large is found by `reconcile`.",
    ),
    "incomplete": RefusalWords(
        "The body did not arrive as a whole.",
        "Look at the network and the proxy between the sender and the receiver; then deliver it again from the sender.",
    ),
    "not-stored": RefusalWords(
        "The dispatch could not be stored, since the database was away or too busy.",
        "Nothing: a broker sends it again by itself. If it goes on, look at the database.",
    ),
    "unstorable": RefusalWords(
        "The database can't store a value of the dispatch.",
        "Correct what the webhook sends: a text may be too long, or not be text.",
    ),
}
"""The words for each reason, in the order in which a request is checked."""
_ANY = RefusalWords(
    "It was refused by another version of the receiver.", "Do what the reason says; then deliver it again."
)


def words_of(reason: str) -> RefusalWords:
    """Return the words for a reason; for one that another version of the receiver has given, general ones."""
    return WORDS.get(reason, _ANY)
