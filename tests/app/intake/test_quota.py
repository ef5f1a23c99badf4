"""A quota, by a clock of the test's own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app.intake.quota import Quota

if TYPE_CHECKING:
    import pytest


def test_a_quota_is_used_up_and_grows_again_up_to_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    quota = Quota(10, 60)

    assert quota.take(8)
    assert not quota.take(3)  # nothing is taken
    assert quota.take(2)
    assert not quota.take()
    now += 2.0
    assert quota.take(2)
    now += 3600.0
    assert not quota.take(11)
    assert quota.take(10)
