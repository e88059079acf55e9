"""`DoneChecker`: something that gets done once, has a name, and can be waited for without polling (client-go §166)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from kubeinformer.errors import ClosedError


@runtime_checkable
class DoneChecker(Protocol):
    """What `wait_for` waits for: an informer's or a registration's `has_synced_checker()`, a tracker, or one's own."""

    @property
    def name(self) -> str:
        """For logs and errors."""

    def is_done(self) -> bool:
        """Whether it is done, now and for ever; does not block."""

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it is done (True), or for `timeout` seconds (None: for ever; 0: not at all; False).

        Raises:
            ClosedError: it can never be done any more.
        """


def is_done(checker: DoneChecker) -> bool:
    """Whether it is done; does not block (client-go's IsDone)."""
    return checker.is_done()


class SyncChecker:
    """The `DoneChecker` of an informer or a registration.

    Attributes:
        name: the informer's name; of a registration "<informer> + event handler <handler>" (client-go §168).
    """

    def __init__(self, name: str, is_done: Callable[[], bool], wait: Callable[[float | None], bool | None]) -> None:
        """Make it.

        Args:
            name: see above.
            is_done: looks.
            wait: blocks for so many seconds at most: True = done, False = it never will be, None = the time is over.
        """
        self.name = name
        self._is_done = is_done
        self._wait = wait

    def is_done(self) -> bool:
        """Whether it has synced."""
        return self._is_done()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has synced (True), or for `timeout` seconds (None: for ever; False).

        Raises:
            ClosedError: it was stopped or removed before.
        """
        done = self._wait(timeout)
        if done is False:
            raise ClosedError(f"{self.name} was stopped or removed before it had synced")
        return done is True

    def __repr__(self) -> str:
        return f"<SyncChecker {self.name}>"
