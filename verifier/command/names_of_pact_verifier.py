"""What options of `pact verifier` are called here, for whoever types them by habit.

`docs/coming-from-pact-verifier.md` has all of them. `--publish` is not here: who takes what a message suggests without
reading it must not publish by that.
"""

from __future__ import annotations

NAMES = {
    "--file": "--pact-url",
    "--url": "--pact-url",
    "--webhook-callback-url": "--pact-url",
    "--broker-url": "--pact-broker-base-url",
    "--user": "--broker-username",
    "--password": "--broker-password",
    "--token": "--broker-token",
    "--hostname": "--provider-base-url",
    "--port": "--provider-base-url",
    "--base-path": "--provider-base-url",
    "--transports": "--transport",
    "--provider-name": "--provider",
    "--header": "--custom-provider-header",
    "--state-change-url": "--provider-states-setup-url",
    "--state-change-teardown": "--provider-states-teardown",
    "--provider-version": "--provider-app-version",
    "--provider-branch": "--provider-version-branch",
    "--provider-tags": "--provider-version-tag",
    "--loglevel": "--log-level",
}
"""The options that have another name here."""
