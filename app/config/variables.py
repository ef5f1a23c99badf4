"""The environment variables that people set for the receiver and its commands, by name.

Those of the broker's credentials are in `verifier.environment`; those of `pact-dispatch broker`, which all begin with
`BROKER_AT_HOME`, are in `broker.embedded`.
"""

from __future__ import annotations

from app.process.environment import DATABASE_URL
from verifier.environment import BROKER_KEY_PASSWORD, BROKER_PASSWORD, BROKER_TOKEN, BROKER_USERNAME

# ruff: noqa: S105 - names of secrets, not secrets

CONFIG = "PACT_DISPATCH_CONFIG"
"""The configuration file: `--config`."""
DATA_DIR = "PACT_DISPATCH_DATA_DIR"
"""The folder of the checkouts and of the embedded database: `--data-dir`."""
LOG_LEVEL = "PACT_DISPATCH_LOG_LEVEL"
"""How much the receiver logs, and `wait` and `runs log` say: `--log-level`. `debug`, `info` (unless given), `warning`,
`error` or `critical`."""
TOKENS = "PACT_DISPATCH_TOKENS"
"""`NAME:TOKEN[@OWNER/REPO...][,NAME:TOKEN...]`: who may dispatch, and for which repositories only."""
API_TOKENS = "PACT_DISPATCH_API_TOKENS"
"""`NAME:TOKEN[@read-only][,NAME:TOKEN...]`: who may use `/api`."""
WEBHOOK_SECRET = "PACT_DISPATCH_WEBHOOK_SECRET"
"""The secret that GitHub signs its own deliveries with, which go to `/github/events`."""
GITHUB_TOKEN = "PACT_DISPATCH_GITHUB_TOKEN"
"""A token for GitHub's API, for commit statuses and the relay; `setup`, `doctor` and `wait` read it, too."""
GITHUB_PRIVATE_KEY = "PACT_DISPATCH_GITHUB_PRIVATE_KEY"
"""The private key of a GitHub App, in PEM, in the place of that token."""
API_TOKEN = "PACT_DISPATCH_API_TOKEN"
"""One of a receiver's `API_TOKENS`, for the commands that ask one."""
RECEIVER_TOKEN = "PACT_DISPATCH_RECEIVER_TOKEN"
"""One of a receiver's `TOKENS`, for `setup`."""
RECEIVER_URL = "PACT_DISPATCH_RECEIVER_URL"
"""Where a receiver listens, for the commands that ask one: `--receiver-url`."""
BROKER_AT_HOME = "PACT_DISPATCH_BROKER_"
"""How the names of the variables of `pact-dispatch broker` begin."""

OF_THE_WEB_SIDE = (TOKENS, API_TOKENS, WEBHOOK_SECRET)
"""Secrets that only the web side reads: who may dispatch and look."""
OF_WORKERS = (
    GITHUB_TOKEN,
    GITHUB_PRIVATE_KEY,
    BROKER_TOKEN,
    BROKER_USERNAME,
    BROKER_PASSWORD,
    BROKER_KEY_PASSWORD,
)
"""Secrets that only workers read; those of the providers are others."""
SECRETS = (*OF_THE_WEB_SIDE, *OF_WORKERS, DATABASE_URL)
"""The receiver reads them from the variable, or from the file that `NAME_FILE` names."""
OTHERS = (CONFIG, DATA_DIR, LOG_LEVEL)
"""What else the receiver reads."""
SECRETS_OF_COMMANDS = (API_TOKEN, RECEIVER_TOKEN)
"""Secrets that only commands read which ask a receiver; from the variable or the file, too."""
OTHERS_OF_COMMANDS = (RECEIVER_URL,)
"""What else these commands read."""
KNOWN = frozenset(
    {
        *(name for one in (*SECRETS, *SECRETS_OF_COMMANDS) for name in (one, f"{one}_FILE")),
        *OTHERS,
        *OTHERS_OF_COMMANDS,
    }
)
"""Everything that is read, but for what `pact-dispatch broker` does."""
