"""`Handlers`: the registrations of an informer, which all its views of one type or another share.

The thread of a registration runs iff the informer was started and the registration was added; none starts twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from kubeinformer._core import InformerCore
from kubeinformer.cache.controller import Joinable
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.cache.stopping import StopWatcher

DEFAULT_BACKLOG = (100_000, 256 << 20)
"""Notifications and bytes that wait for one handler before later ones are merged per key."""

Backlog = tuple[int, int] | str


class Handlers:
    """See the module. `lock` is held while an informer starts, and to look at the other attributes.

    Attributes:
        lock: see above.
        started: whether the informer was started.
        registrations: those that were added and not removed.
        watchers: the stop events of the informer's own `start`.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.started = False
        self.registrations: list[HandlerRegistration[Any]] = []
        self.watchers: list[StopWatcher] = []
        self._ended: list[HandlerRegistration[Any]] = []

    def start(self, begin: Callable[[], bool], watch: Callable[[], StopWatcher] | None) -> bool:
        """Start the threads, and a watcher, if `begin` says so, which is called once; False if it does not.

        Raises:
            RuntimeError: there is no event loop for a coroutine handler; nothing has begun then.
        """
        with self.lock:
            if self.started:
                return False
            for registration in self.registrations:
                check_startable(registration)
            if not begin():
                return False
            self.started = True
            for registration in self.registrations:
                registration.thread.start()
            if watch is not None:
                self.watchers.append(watch())
        return True

    def add(self, registration: HandlerRegistration[Any]) -> None:
        """Add one; its thread starts now, or with the informer.

        Raises:
            RuntimeError: the informer runs, and there is no event loop for a coroutine handler, or no thread to be had.
        """
        with self.lock:
            if self.started:
                check_startable(registration)
                # It may fail, too: then it was never one of these.
                registration.thread.start()
            self.registrations.append(registration)

    def remove(self, registration: HandlerRegistration[Any], core: InformerCore) -> None:
        """Forget one and its listener, but not its thread while that runs; nothing if it is none of these."""
        with self.lock:
            if registration not in self.registrations:
                return
            self.registrations.remove(registration)
            if registration.thread.is_alive():
                self._ended = [ended for ended in self._ended if ended.thread.is_alive()]
                self._ended.append(registration)
            # Under the lock: who finds it removed may rely on that nothing more is handed out.
            core.remove_listener(registration.listener)

    def copy(self) -> list[HandlerRegistration[Any]]:
        """The registrations at this moment."""
        with self.lock:
            return self.registrations.copy()

    def close(self) -> list[Joinable]:
        """Let the watchers end, cancel coroutine handlers; all that is to be waited for, of removed handlers too."""
        with self.lock:
            for watcher in self.watchers:
                watcher.close()
            threads: list[Joinable] = [watcher.thread for watcher in self.watchers]
            for registration in [*self.registrations, *self._ended]:
                if registration.task is not None:
                    registration.task.cancel()
                if registration.thread.ident and not registration.is_current():
                    threads.append(registration.thread)
            return threads


def check_startable(registration: HandlerRegistration[Any]) -> None:
    """Return iff its thread can be started.

    Raises:
        RuntimeError: there is no event loop for a coroutine handler.
    """
    if registration.task is not None:
        registration.task.check_startable()


def backlog_limits(backlog: Backlog) -> tuple[int, int] | None:
    """What a backlog means to the core: (notifications, bytes), None = it grows.

    Raises:
        TypeError: it is neither a pair nor a string.
        ValueError: another string than "grow", not two whole numbers, or one below 1.
    """
    if backlog == "grow":
        return None
    if not isinstance(backlog, tuple | list | str):
        raise TypeError(f'backlog must be (notifications, bytes) or "grow", not {type(backlog).__name__}')
    if isinstance(backlog, str) or len(backlog) != 2 or not all(isinstance(limit, int) for limit in backlog):
        raise ValueError(f'backlog must be (notifications, bytes) or "grow", not {backlog!r}')
    notifications, size = backlog
    if notifications < 1 or size < 1:
        raise ValueError(f"backlog must be positive: {backlog}")
    return notifications, size
