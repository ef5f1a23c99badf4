"""`pact-dispatch alive`: whether a worker of a data directory is alive, for what supervises it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.options import add_receiver_options

if TYPE_CHECKING:
    from app.commands import Commands

DESCRIPTION = """\
Tell whether a worker that uses this data directory is alive: its process is there, and it has lately done its round and
spoken with its database. "Lately" is within 30 s, or 3 times worker.stalled_seconds if that is more.

One that was killed is dead at once where this command runs beside it: on the same machine, in the same container.
Elsewhere, as in another container with the same data directory, it is after these seconds. One that stopped, or left
because its database was lost, is dead at once everywhere.

For what supervises a worker, which listens nowhere: a probe of Kubernetes, the health check of a container. Nothing
else is asked, and the configuration is read only where neither --data-dir nor its variable is given.
"""

EPILOG = """\
exit codes:
  0  a worker is alive
  1  none is
  2  the options or the configuration can't be used
"""


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "alive",
        help="tell whether a worker of this machine is alive, for a probe",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_receiver_options(parser)
