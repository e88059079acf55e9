"""client-go's workqueue (queue.go) in pure Python, with batches.

Invariant: an item is in the line iff it is dirty and not processed. The condition is only notified when somebody waits;
the dirty set needs no look at the processing set for an item that is dirty already.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class ShutDownError(Exception):
    """The queue is shut down and empty."""


class WorkQueue(Generic[T]):
    """Add, get and done (§184 to §187); without delays, priorities and metrics."""

    __slots__ = ("_cond", "_dirty", "_line", "_lock", "_processing", "_shutting_down", "_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cond = threading.Condition(self._lock)
        self._line: deque[T] = deque()
        self._dirty: set[T] = set()
        self._processing: set[T] = set()
        self._waiting = 0
        self._shutting_down = False

    def add(self, item: T) -> None:
        with self._lock:
            if item in self._dirty or self._shutting_down:
                return
            self._dirty.add(item)
            if item in self._processing:
                return
            self._line.append(item)
            if self._waiting:
                self._cond.notify()

    def get(self) -> T:
        with self._lock:
            if not self._line:
                self._wait()
            item = self._line.popleft()
            self._processing.add(item)
            self._dirty.remove(item)
            return item

    def done(self, item: T) -> None:
        with self._lock:
            self._processing.discard(item)
            if item in self._dirty:
                self._line.append(item)
                if self._waiting:
                    self._cond.notify()

    def add_all(self, items: Iterable[T]) -> None:
        with self._lock:
            if self._shutting_down:
                return
            dirty, processing, append = self._dirty, self._processing, self._line.append
            for item in items:
                if item not in dirty:
                    dirty.add(item)
                    if item not in processing:
                        append(item)
            if self._waiting:
                self._cond.notify_all()

    def get_batch(self, max_items: int) -> list[T]:
        with self._lock:
            line = self._line
            if not line:
                self._wait()
            if max_items >= len(line):
                items = list(line)
                line.clear()
            else:
                popleft = line.popleft
                items = [popleft() for _ in range(max_items)]
            self._processing.update(items)
            self._dirty.difference_update(items)
            return items

    def done_all(self, items: Iterable[T]) -> None:
        with self._lock:
            dirty = self._dirty
            self._processing.difference_update(items)
            if dirty:
                self._line.extend(item for item in items if item in dirty)
            if self._waiting:
                self._cond.notify_all()

    def shut_down(self) -> None:
        with self._lock:
            self._shutting_down = True
            self._cond.notify_all()

    def __len__(self) -> int:
        return len(self._line)

    def _wait(self) -> None:
        self._waiting += 1
        try:
            while not self._line:
                if self._shutting_down:
                    raise ShutDownError
                self._cond.wait()
        finally:
            self._waiting -= 1


class RateLimitingWorkQueue(WorkQueue[T]):
    """The same with `add_rate_limited` and `forget` (§189, §190): `base` · 2ⁿ seconds, at most `longest`; no thread.

    Invariant: an item waits iff it has a deadline; entries of the heap with another one count no more.
    """

    __slots__ = ("_base", "_deadlines", "_failures", "_heap", "_longest", "_tickets")

    def __init__(self, base: float, longest: float) -> None:
        super().__init__()
        self._base = base
        self._longest = longest
        self._failures: dict[T, int] = {}
        self._deadlines: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._tickets = 0

    def add_rate_limited(self, item: T) -> float:
        with self._lock:
            failures = self._failures.get(item, 0)
            self._failures[item] = failures + 1
            # Above 2 to the 62nd no delay is below the longest.
            delay = min(self._base * (1 << min(failures, 62)), self._longest)
            if self._shutting_down:
                return delay
            due = time.monotonic() + delay
            known = self._deadlines.get(item)
            if known is None or due < known:
                self._deadlines[item] = due
                self._tickets += 1
                heapq.heappush(self._heap, (due, self._tickets, item))
                if self._waiting:
                    self._cond.notify()
            return delay

    def forget(self, item: T) -> None:
        with self._lock:
            self._failures.pop(item, None)

    def get(self) -> T:
        with self._lock:
            if self._heap:
                self._promote()
            if not self._line:
                self._wait()
            item = self._line.popleft()
            self._processing.add(item)
            self._dirty.remove(item)
            return item

    def _promote(self) -> None:
        now = time.monotonic()
        heap = self._heap
        while heap and heap[0][0] <= now:
            due, _, item = heapq.heappop(heap)
            if self._deadlines.get(item) != due:
                continue
            del self._deadlines[item]
            if item not in self._dirty:
                self._dirty.add(item)
                if item not in self._processing:
                    self._line.append(item)

    def _wait(self) -> None:
        self._waiting += 1
        try:
            while True:
                self._promote()
                if self._line:
                    return
                if self._shutting_down:
                    raise ShutDownError
                self._cond.wait(max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None)
        finally:
            self._waiting -= 1
