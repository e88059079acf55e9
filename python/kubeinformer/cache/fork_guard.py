"""`ForkGuard`: what belongs to the process that made it, and says so in a forked child.

In a child its parent's threads do not run, and a lock that one of them held at the fork is never released: so `check`
comes before any lock is taken.
"""

from __future__ import annotations

from kubeinformer._core import fork_count
from kubeinformer.errors import ForkedError


class ForkGuard:
    """Kept by what has locks or threads.

    Args:
        what: names its owner in the error.
    """

    __slots__ = ("_forks", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._forks = fork_count()

    def check(self) -> None:
        """Return iff this is the process that made the guard.

        Raises:
            ForkedError: it is a child of that process.
        """
        if self._forks != fork_count():
            raise ForkedError(
                f"{self._what} belongs to the parent process, whose threads do not run in a forked child; make a new "
                "factory in the child (gunicorn: post_fork; ASGI: lifespan; multiprocessing: in the target)"
            )
