"""`pact-dispatch reload`: have the processes of a receiver take their configuration anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_json, add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Have the receiver that runs on this machine with this data directory take its configuration as it now is: the file,
conf.d/*.toml beside it, and the secrets in files. No request and no run is dropped: what is under way goes on with what
it began with. If something is wrong, every mistake is told, and all processes keep what they have.
It reaches `serve`, and `web` and `worker` apart, of the same account (or all of them, as root); each reads the file
that it was started with. It waits until each process has taken the configuration, and prints which have; the name of a
configuration is a digest of what it says.
SIGHUP to `serve`, `web` or `worker` does the same for that process and those it has started, and logs what comes of it.
What counts when a process starts (data_dir, server.processes, worker.concurrency and others) is named, and waits until
then. A variable of the environment, unlike a file, can't change while a process runs.
"""

EPILOG = """\
exit codes:
  0  every process has taken it
  2  something in it is wrong, or in the options: nothing has changed anywhere
  3  there is no process, or not every one has answered or taken it: it is said which, and whether anything has changed
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "reload",
        help="have a running receiver take its configuration anew",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_receiver_options(parser)
    add_json(parser)
