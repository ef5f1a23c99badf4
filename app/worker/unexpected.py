"""Exceptions that nobody expected: each ends its piece of work with a reason that a person can read."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import structlog

from app.records.run import INTERNAL_ERROR, Failure

if TYPE_CHECKING:
    from verifier.redaction import Redaction

log = structlog.get_logger("worker")


def failure_of(error: Exception, redaction: Redaction) -> Failure:
    """Log an exception, and return it as a failure that may heal by itself; neither shows a secret."""
    message = redaction.text(f"{type(error).__name__}: {error}")
    place = redaction.text("".join(traceback.format_tb(error.__traceback__)))
    log.error("unexpected error", error=message, traceback=place)
    return Failure(INTERNAL_ERROR, message, retryable=True)
