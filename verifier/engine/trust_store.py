"""The certificate authorities that the core loads."""

from __future__ import annotations

import os
from pathlib import Path

ONE_CERTIFICATE = Path(__file__).with_name("isrg-root-x1.pem")
"""The certificate: that of Let's Encrypt's authority. The core takes no store without one."""


class SmallTrustStore:
    """A trust store with a single certificate, for when the core needs none.

    The core loads the system's whole CA bundle for each interaction, even for plain HTTP (6 ms). It reads
    `SSL_CERT_FILE` and `SSL_CERT_DIR` each time.
    """

    NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

    def __init__(self, folder: Path) -> None:
        self._empty = folder / "no-certificates"
        self._empty.mkdir(exist_ok=True)
        self._before = {name: os.environ.get(name) for name in self.NAMES}

    def use(self) -> None:
        """Make the core use this store from its next request on."""
        os.environ.update(zip(self.NAMES, (str(ONE_CERTIFICATE), str(self._empty)), strict=True))

    def leave(self) -> None:
        """Make the core use the store that it had before."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
