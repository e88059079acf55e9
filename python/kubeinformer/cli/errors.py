"""How a command ends other than well: the exit statuses, and the exceptions that lead to them.

A command prints a traceback iff it has a bug: what the user, the cluster or the machine did wrong is a `CommandError`.
"""

from __future__ import annotations

from importlib.util import find_spec

OK = 0
FAILED = 1
"""The cluster refused or could not be reached, or a check failed."""
USAGE = 2
"""The command line, the kubeconfig, the resource or a selector is wrong; argparse's own status too."""
INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT, as shells have it."""
PIPE_CLOSED = 141
"""Nobody reads the output any more: 128 + SIGPIPE, as of a program that the signal killed."""


class CommandError(Exception):
    """The command cannot go on; the message is the one line that the user gets.

    Attributes:
        status: exit status.
    """

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


class PipeClosedError(Exception):
    """Nobody reads the output any more."""


def require(command: str, *modules: str) -> None:
    """Raise CommandError, naming the extra, iff one of the modules that `command` needs is not installed."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise CommandError(f"{command} needs {' and '.join(missing)}: pip install 'kubeinformer[cli]'", USAGE)
