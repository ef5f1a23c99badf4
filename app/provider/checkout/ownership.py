"""What another account than this process's may do in a slot: where root runs the worker, git works as root.

All folders above the checkout, and the repository, stay root's: what an account can write to, root must not work in.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from app.process.environment import child_environment

if TYPE_CHECKING:
    from pathlib import Path

    from app.provider.checkout.process import Supervision
    from app.provider.checkout.slots import Slot
    from verifier.confinement import Account


def open_way(slot: Slot, account: Account) -> None:
    """Let an account get to a slot's checkout, to what is cached for it, and to the repository, to read."""
    home = slot.path.parent
    os.chown(home, -1, account.gid)
    home.chmod(0o710)
    slot.setups.mkdir(exist_ok=True)
    for folder in (slot.path, slot.setups):
        folder.chmod(0o711)


def hand_over(folder: Path, account: Account, supervision: Supervision) -> None:
    """Give a checkout to an account.

    Raises:
        CheckoutFailed: Time ran out.
        OSError: It can't be given away.
    """
    output: deque[str] = deque(maxlen=1)
    code = supervision.run(
        ("chown", "-R", "-h", f"{account.uid}:{account.gid}", str(folder)),
        doing="the checkout was given to the provider's account",
        folder=folder.parent,
        environment=child_environment(os.environ),
        on_line=output.append,
    )
    if code != 0:
        raise OSError(code, "".join(output) or "chown failed", str(folder))
