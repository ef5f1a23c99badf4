"""Links to the page of a run: those that are for others may be signed, and then open that page without a sign-in.

A signature is good for one run, as long as the run is kept, the key is the same and `server.share_links` is on. It
shows no other run, and nobody finds one by trying: it has 256 bits.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from itsdangerous import Signer

if TYPE_CHECKING:
    from uuid import UUID

    from app.config.sections import ServerSettings

SHARED = "shared"
"""The parameter of a link that has its signature."""
_SALT = "pact-dispatch link to a run"


class RunLinks:
    """The links to runs of one receiver.

    Args:
        server: Where people reach it, and whether links are shared.
        key: The key of the dashboard; None where no link is shared.
    """

    def __init__(self, server: ServerSettings, key: bytes | None) -> None:
        self._server = server
        self._signer = (
            None
            if key is None or not server.share_links
            else Signer(key, salt=_SALT, digest_method=hashlib.sha256, key_derivation="hmac")
        )

    def page_of(self, run_id: UUID) -> str | None:
        """Return the URL of a run's page for others, signed if links are shared; None if it isn't known."""
        url = self._server.page_of_run(run_id)
        signature = self.signature_of(run_id)
        return url if url is None or signature is None else f"{url}?{urlencode({SHARED: signature})}"

    def signature_of(self, run_id: UUID) -> str | None:
        """Return the signature of the link to a run; None if links are not shared."""
        return None if self._signer is None else self._signer.get_signature(str(run_id)).decode()

    def is_signature_of(self, run_id: UUID, given: str) -> bool:
        """Return whether what a link has is the signature for a run."""
        return self._signer is not None and self._signer.verify_signature(
            str(run_id).encode(), given.encode("utf-8", "surrogatepass")
        )
