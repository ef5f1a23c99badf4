"""The configuration that the processes of one parent have last taken: one that starts in the place of another takes it.

The files may have been edited since then, and be wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from typing import TYPE_CHECKING

from pydantic import ValidationError

from app.config.settings import Settings

if TYPE_CHECKING:
    from app.reload.reloader import Configured

_DIGEST_BYTES = 32


class LastTaken:
    """A file without a name, which a parent makes and its children share."""

    def __init__(self) -> None:
        # not every container has a writable folder for temporary files
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create("configuration")
        else:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
            self._descriptor = self._file.fileno()

    def note(self, settings: Settings, configured: Configured) -> None:
        """Note what a process has taken; those that take the same at once write the same."""
        content = json.dumps(
            [configured.digest, list(configured.restart), settings.model_dump(mode="json")]
        ).encode()
        digest = hashlib.sha256(content).digest()
        os.pwrite(self._descriptor, digest + len(content).to_bytes(8, "big") + content, 0)

    def read(self) -> tuple[Settings, str | None, tuple[str, ...]] | None:
        """Return what was taken last: the settings, the digest of the files, and the keys that wait for a start.

        Returns:
            None if nothing was taken yet, or it can't be used any more.
        """
        head = os.pread(self._descriptor, _DIGEST_BYTES + 8, 0)
        content = os.pread(self._descriptor, int.from_bytes(head[_DIGEST_BYTES:], "big"), _DIGEST_BYTES + 8)
        if not content or hashlib.sha256(content).digest() != head[:_DIGEST_BYTES]:
            return None
        digest, restart, document = json.loads(content)
        try:
            return Settings.model_validate(document), digest, tuple(restart)
        except ValidationError:  # a folder that it names is gone
            return None
