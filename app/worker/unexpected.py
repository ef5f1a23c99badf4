"""Exceptions that nobody expected: each ends its piece of work with a reason that a person can read."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import structlog

from app.database.failures import is_unstorable
from app.records.run import INTERNAL_ERROR, UNSTORABLE, Failure

if TYPE_CHECKING:
    from broker.text.redaction import Redaction

log = structlog.get_logger("worker")


def failure_of(error: Exception, redaction: Redaction) -> Failure:
    """Log an exception, and return it as a failure; neither shows a secret.

    It may heal by itself, unless the database can't store a value: then it would not another time either.
    """
    message = redaction.text(f"{type(error).__name__}: {error}")
    place = redaction.own("".join(traceback.format_tb(error.__traceback__)))
    log.error("unexpected error", error=message, traceback=place)
    if is_unstorable(error):
        return Failure(UNSTORABLE, f"what came of it can't be stored: {message}")
    return Failure(INTERNAL_ERROR, message, retryable=True)
