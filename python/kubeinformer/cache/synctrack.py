"""client-go's synctrack: whether what was begun before the source had synced is finished, and values made on demand.

A tracker is synced once its source said so (`upstream_has_synced`) at a moment with nothing unfinished; then for ever.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kubeinformer.cache.arguments import check_callable
from kubeinformer.cache.fork_guard import ForkGuard

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class _Tracker(ABC):
    """What both trackers have; a `DoneChecker`.

    Attributes:
        name: for logs.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._guard = ForkGuard(f"the tracker {name!r}")
        self._lock = threading.Lock()
        self._upstream = False
        self._synced = threading.Event()

    @abstractmethod
    def _unfinished(self) -> int:
        """How much is begun and not finished; the lock is held."""

    def _look(self) -> None:
        if self._upstream and not self._unfinished():
            self._synced.set()

    def upstream_has_synced(self) -> None:
        """The source has begun everything that belongs to its first list."""
        self._guard.check()
        with self._lock:
            self._upstream = True
            self._look()

    def has_synced(self) -> bool:
        """Whether all of that is finished; never False again."""
        self._guard.check()
        return self._synced.is_set()

    def is_done(self) -> bool:
        """The same, for `wait_for`."""
        return self.has_synced()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has synced (True), or for `timeout` seconds (None: for ever; False)."""
        self._guard.check()
        return self._synced.wait(timeout)


class SingleFileTracker(_Tracker):
    """Counts; for what is finished in any order by a single file of calls (client-go's type of this name)."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self._count = 0

    def _unfinished(self) -> int:
        return self._count

    def start(self) -> None:
        """One more is begun; before `upstream_has_synced`, for what that is about."""
        self._guard.check()
        with self._lock:
            self._count += 1

    def finished(self) -> None:
        """One is finished.

        Raises:
            RuntimeError: more were finished than begun (§170).
        """
        self._guard.check()
        with self._lock:
            if self._count == 0:
                raise RuntimeError(f"the tracker {self.name!r}: finished() without start()")
            self._count -= 1
            self._look()


class AsyncTracker(_Tracker, Generic[K]):
    """Knows by key what is unfinished; for work that many threads share (client-go's type of this name)."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self._waiting: set[K] = set()

    def _unfinished(self) -> int:
        return len(self._waiting)

    def start(self, key: K) -> None:
        """Something is begun; before `upstream_has_synced`, for what that is about. Beginning it twice counts once."""
        self._guard.check()
        with self._lock:
            self._waiting.add(key)

    def finished(self, key: K) -> None:
        """It is finished; a key that was not begun changes nothing (§170)."""
        self._guard.check()
        with self._lock:
            self._waiting.discard(key)
            self._look()


class _Evaluation(Generic[T]):
    """What is known since one `notify`: at most one thread evaluates at a time."""

    __slots__ = ("evaluator", "result")

    def __init__(self) -> None:
        self.evaluator: int | None = None
        self.result: tuple[T] | None = None


class Lazy(Generic[T]):
    """A value that is worked out again when it is asked for and something has changed (client-go's type of this name).

    An evaluation that began before a `notify` never answers a `get` that began after it (§171).
    """

    def __init__(self, evaluate: Callable[[], T]) -> None:
        """Nothing is evaluated now.

        Args:
            evaluate: gives the value; called by `get`, on its thread, with no lock held. After a `notify` a call may
                begin while an older one still runs.

        Raises:
            TypeError: it is not callable.
        """
        check_callable(evaluate=evaluate)
        self._evaluate = evaluate
        self._guard = ForkGuard("this Lazy")
        self._ended = threading.Condition(threading.Lock())
        self._current: _Evaluation[T] = _Evaluation()

    def notify(self) -> None:
        """Something has changed: what is known is out of date."""
        self._guard.check()
        with self._ended:
            self._current = _Evaluation()

    def get(self, timeout: float | None = None) -> T:
        """The value since the last `notify`; evaluated by the first thread that asks, for which others wait.

        What `evaluate` raises is raised and not kept: the next one asks again, also one that waits.

        Args:
            timeout: seconds to wait at most for another thread's evaluation; None = for ever.

        Raises:
            TimeoutError: the other thread's evaluation took longer.
            RuntimeError: called by `evaluate` itself.
            Exception: what `evaluate` raises.
        """
        self._guard.check()
        deadline = None if timeout is None else time.monotonic() + timeout
        this_thread = threading.get_ident()
        with self._ended:
            current = self._current
            while current.result is None and current.evaluator is not None:
                if current.evaluator == this_thread:
                    raise RuntimeError("evaluate() of a Lazy must not ask for its own value")
                if not self._ended.wait(None if deadline is None else deadline - time.monotonic()):
                    raise TimeoutError(f"the evaluation of another thread took longer than {timeout:g} s")
            if current.result is not None:
                return current.result[0]
            current.evaluator = this_thread
        result: tuple[T] | None = None
        try:
            result = (self._evaluate(),)
            return result[0]
        finally:
            with self._ended:
                current.evaluator = None
                current.result = result
                self._ended.notify_all()
