"""The step that stores the token: as a secret of the broker, or else for the webhook itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.commands.finding import Finding, State
from app.commands.setup.request import RECEIVER, WORKFLOW
from app.commands.setup.token_description import TokenDescription, fingerprint
from broker.http.errors import BrokerRefused
from broker.webhooks.user_secrets import NoSecrets, UserSecrets

if TYPE_CHECKING:
    from datetime import datetime

    from app.commands.setup.request import SetupRequest
    from broker.client import BrokerClient

_RECEIVER = "The receiver (--target receiver): the broker then holds a token that is good for nothing else."
_RELAY = (
    "The relay, a receiver that keeps GitHub's token and passes dispatches on: --target receiver with its URL, and "
    "relay = true for the provider in its configuration."
)
_ANOTHER_WAY = (
    "--target workflow-dispatch, with --token-in-webhook: its token (Actions: write) can start workflows, and can't "
    "push."
)
_IN_WEBHOOK = (
    "Knowingly, the token in the webhook itself (--token-in-webhook): the broker's database has it as it is."
)
_OF_RECEIVER = (
    "The token stands in the broker's database and its backups. It is good for this receiver alone: limit it to this "
    "repository, NAME:TOKEN@OWNER/REPO in the receiver's PACT_DISPATCH_TOKENS."
)
_PUSHES = (
    "Who reads this token in the broker can push to {repository} with it (Contents: write). To avoid that: --target "
    "workflow-dispatch, whose token needs Actions: write and can't push; or the relay, which keeps GitHub's token out "
    "of the broker."
)


class SecretStep:
    """The step that stores the token.

    Args:
        request: What is to be set up.
        client: The session with the broker.

    Attributes:
        request: What is to be set up, as this step found that it can be.
        wrote: Whether the secret has just been given the token.
        unchanged: Whether nothing was written, since the broker shows no difference.
    """

    def __init__(self, request: SetupRequest, client: BrokerClient) -> None:
        self.request = request
        self.wrote = False
        self.unchanged = False
        self._secrets = UserSecrets(client)
        self._fingerprint = fingerprint(request.token, str(client.origin))
        self._description = ""

    def take(self, expires: datetime | None) -> Finding:
        """Store the token as a secret, unless it is there.

        Args:
            expires: When the token expires, for the description of the secret.
        """
        name = self.request.secret
        if name is None:
            return self._token_in_webhook()
        ours = TokenDescription(self.request.holder, self._fingerprint)
        self._description = ours.text(expires)
        try:
            existing = self._secrets.find(name)
        except NoSecrets as error:
            return self._without_secrets(error)
        theirs = TokenDescription.read(existing.description) if existing else None
        warnings = self._what_it_can_do()
        if existing is None:
            found, done = f"The broker has no secret {name} yet.", "create it"
        elif ours.is_of_same_token(theirs):
            self.unchanged = True
            return Finding(State.OK, found=f"The broker has this token as its secret {name}.")
        elif theirs is None:
            found, done = (
                f"The broker has a secret {name}, and doesn't show of which token.",
                "give it this token",
            )
            warnings += (
                f"Other webhooks that use {name} get this token too: if they must not, take --secret.",
            )
        elif theirs.holder != ours.holder:
            own = re.sub(r"[^A-Za-z0-9_]", "_", self.request.repository) + "_token"
            return Finding(
                State.FAILED,
                found=f"The broker's secret {name} is the token for {theirs.holder}, and not this one.",
                to_do=f"Give this one another name, as in --secret {own}.",
            )
        else:
            found, done = (
                f"The broker's secret {name} is another token for {ours.holder}.",
                "give it this token",
            )
        if self.request.plan:
            return Finding(State.PLANNED, found=found, done=f"Would {done}.", warnings=warnings)
        self._secrets.put(name, self.request.token, self._description)
        self.wrote = True
        done = "Created it." if existing is None else "Gave it this token."
        return Finding(State.CHANGED, found=found, done=done, warnings=warnings)

    def write_again(self) -> None:
        """Give the secret the token, whatever it is now."""
        assert self.request.secret is not None  # noqa: S101 - it was found to be there
        self._secrets.put(self.request.secret, self.request.token, self._description)

    def _without_secrets(self, error: NoSecrets) -> Finding:
        """Put the receiver's token into the webhook; for GitHub's, which is good for more, name the ways there are."""
        if self.request.tells_receiver:
            self.request = self.request.with_token_in_webhook()
            return Finding(
                State.OK,
                found=f"{error}. So the token goes into the webhook.",
                warnings=(_OF_RECEIVER,),
            )
        ways = [_RECEIVER, _RELAY, *((_ANOTHER_WAY,) if self.request.target != WORKFLOW else ()), _IN_WEBHOOK]
        listed = " ".join(f"{number}. {way}" for number, way in enumerate(ways, start=1))
        return Finding(State.FAILED, found=f"{error}.", to_do=f"Take one of these ways. {listed}")

    def _token_in_webhook(self) -> Finding:
        """Leave the token to the webhook, with a warning."""
        warnings: tuple[str, ...] = (
            "The token stands in the webhook, and so in the broker's database and its backups.",
        )
        try:
            self._secrets.all()
            warnings += ("This broker has secrets: without --token-in-webhook it would keep it as one.",)
        except (NoSecrets, BrokerRefused):
            pass
        return Finding(
            State.OK,
            found="Not wanted: --token-in-webhook puts the token there.",
            warnings=warnings + self._what_it_can_do(),
        )

    def _what_it_can_do(self) -> tuple[str, ...]:
        if self.request.target in {RECEIVER, WORKFLOW}:
            return ()
        return (_PUSHES.format(repository=self.request.repository),)
