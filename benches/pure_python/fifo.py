"""client-go's DeltaFIFO in pure Python, with batches.

Invariant: a key is in the line iff it has deltas, and a key with deltas never changes its place (§32). The dict of the
deltas therefore has the keys in the order of the line, which is what lets a batch take a whole queue by exchanging the
dict for a new one. A batch takes the lock once, and the condition is only notified when somebody waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Generic

from .deltas import (
    ADDED,
    DELETED,
    REPLACED,
    SYNC,
    UPDATED,
    DeletedFinalStateUnknown,
    Deltas,
    FIFOClosedError,
    KnownObjects,
    Prepared,
    Process,
    ProcessBatch,
    T,
    meta_namespace_key,
)

_KEY = itemgetter(0)


def _dedup(deltas: Deltas) -> None:
    """Merge two trailing deletes: the newer one stays iff the older one is a tombstone (§34)."""
    if len(deltas) > 1 and deltas[-1][0] is DELETED and deltas[-2][0] is DELETED:
        if isinstance(deltas[-2][1], DeletedFinalStateUnknown):
            del deltas[-2]
        else:
            del deltas[-1]


class DeltaFIFO(Generic[T]):
    """A queue of keys with the changes of each since it was last popped (client-go's DeltaFIFO, §32 to §47).

    `known_objects` is asked under the queue's lock, so it must not call back into the queue from another thread.
    Any method may be called from any thread; a process function runs on the thread that pops, under the queue's lock.
    """

    __slots__ = (
        "_closed",
        "_cond",
        "_emit_replaced",
        "_initial_count",
        "_items",
        "_key_func",
        "_known",
        "_line",
        "_lock",
        "_populated",
        "_transformer",
        "_waiting",
    )

    def __init__(
        self,
        known_objects: KnownObjects[T] | None = None,
        *,
        key_func: Callable[[Any], str] = meta_namespace_key,
        emit_delta_type_replaced: bool = False,
        transformer: Callable[[T], T] | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._cond = threading.Condition(self._lock)
        self._items: dict[str, Deltas] = {}
        self._line: deque[str] = deque()
        self._known = known_objects
        self._key_func = key_func
        self._emit_replaced = emit_delta_type_replaced
        self._transformer = transformer
        self._populated = False
        self._initial_count = 0
        self._waiting = 0
        self._closed = False

    def add(self, obj: T) -> None:
        self._enqueue(ADDED, self.key_of(obj), obj)

    def update(self, obj: T) -> None:
        self._enqueue(UPDATED, self.key_of(obj), obj)

    def delete(self, obj: T | DeletedFinalStateUnknown[T]) -> None:
        """Queue a delete; one of a key that neither the queue nor the known objects have is dropped (§35)."""
        key = self.key_of(obj)
        with self._lock:
            self._populated = True
            if key not in self._items and not self._is_known(key):
                return
            self._push(DELETED, key, self._transformed(obj))

    def update_prepared(self, key: str, obj: T) -> None:
        """`update` with the key at hand and no transformer."""
        with self._lock:
            self._populated = True
            deltas = self._items.get(key)
            if deltas is None:
                self._items[key] = [(UPDATED, obj)]
                self._line.append(key)
                if self._waiting:
                    self._cond.notify_all()
            else:
                deltas.append((UPDATED, obj))

    def update_many(self, objs: Sequence[T]) -> None:
        """`update` each under one lock, without a transformer."""
        self._update_pairs(zip(list(map(self._key_func, objs)), objs, strict=True))

    def update_many_prepared(self: DeltaFIFO[Prepared[Any]], prepared: Sequence[Prepared[Any]]) -> None:
        """`update_prepared` each prepared object under one lock."""
        self._update_pairs(zip(map(_KEY, prepared), prepared, strict=True))

    def replace(self, objs: Iterable[T]) -> None:
        """Make the queue lead to exactly these objects: them first, then a tombstone for whatever is missing (§37)."""
        keyed = [(self.key_of(obj), obj) for obj in objs]
        with self._lock:
            keys = set()
            delta_type = REPLACED if self._emit_replaced else SYNC
            for key, obj in keyed:
                keys.add(key)
                self._push(delta_type, key, self._transformed(obj))
            deleted = 0
            for key in [key for key in self._items if key not in keys]:
                newest = self._items[key][-1][1]
                last = newest.obj if isinstance(newest, DeletedFinalStateUnknown) else newest
                self._push(DELETED, key, DeletedFinalStateUnknown(key, last))
                deleted += 1
            for key in self._known.list_keys() if self._known is not None else ():
                if key not in keys and key not in self._items:
                    self._push(DELETED, key, DeletedFinalStateUnknown(key, self._last_known(key)))
                    deleted += 1
            if not self._populated:
                self._populated = True
                self._initial_count = len(keys) + deleted

    def resync(self) -> None:
        """Queue a Sync of every known object that has nothing queued (§40)."""
        with self._lock:
            for key in self._known.list_keys() if self._known is not None else ():
                if key not in self._items:
                    obj = self._last_known(key)
                    if obj is not None:
                        self._push(SYNC, key, obj)

    def pop(self, process: Process) -> Deltas:
        """Wait for a key, hand it to `process` and return its deltas.

        Blocks without limit until there is one or the queue is closed and empty (FIFOClosedError). What `process`
        raises is raised, and the key is gone all the same (§47).
        """
        with self._lock:
            if not self._line:
                self._wait()
            initial = self._initial_count > 0 or not self._populated
            key = self._line.popleft()
            if self._initial_count:
                self._initial_count -= 1
            deltas = self._items.pop(key)
            process(key, deltas, initial)
            return deltas

    def pop_batch(self, process: ProcessBatch, max_size: int = 1000) -> int:
        """Like `pop` for up to `max_size` keys, never across the end of the initial list; how many there were."""
        with self._lock:
            line = self._line
            if not line:
                self._wait()
            initial = self._initial_count > 0 or not self._populated
            size = min(len(line), max_size)
            if self._initial_count:
                size = min(size, self._initial_count)
                self._initial_count -= size
            items = self._items
            if size == len(line):
                # Both containers have the keys in the same order, so that the whole line is the whole dict.
                self._items = {}
                line.clear()
                batch = list(items.items())
            else:
                popleft, take = line.popleft, items.pop
                batch = [(key, take(key)) for key in (popleft() for _ in range(size))]
            process(batch, initial)
            return size

    def has_synced(self) -> bool:
        """Whether the first Replace was popped completely, or something else came before one (§41 to §43)."""
        with self._lock:
            return self._populated and self._initial_count == 0

    def close(self) -> None:
        """Let every pop that waits, or that finds the queue empty, raise FIFOClosedError."""
        with self._lock:
            self._closed = True
            self._cond.notify_all()

    def __len__(self) -> int:
        return len(self._line)

    def key_of(self, obj: T | DeletedFinalStateUnknown[T]) -> str:
        """The key of an object or of a tombstone, which names its own (§3)."""
        return obj.key if isinstance(obj, DeletedFinalStateUnknown) else self._key_func(obj)

    def _enqueue(self, delta_type: str, key: str, obj: T) -> None:
        with self._lock:
            self._populated = True
            self._push(delta_type, key, self._transformed(obj))

    def _transformed(self, obj: Any) -> Any:
        if self._transformer is None or isinstance(obj, DeletedFinalStateUnknown):
            return obj
        return self._transformer(obj)

    def _push(self, delta_type: str, key: str, obj: Any) -> None:
        deltas = self._items.get(key)
        if deltas is None:
            self._items[key] = [(delta_type, obj)]
            self._line.append(key)
            if self._waiting:
                self._cond.notify_all()
        else:
            deltas.append((delta_type, obj))
            if delta_type is DELETED:
                _dedup(deltas)

    def _update_pairs(self, pairs: Iterable[tuple[str, T]]) -> None:
        with self._lock:
            self._populated = True
            items, append = self._items, self._line.append
            for key, obj in pairs:
                deltas = items.get(key)
                if deltas is None:
                    items[key] = [(UPDATED, obj)]
                    append(key)
                else:
                    deltas.append((UPDATED, obj))
            if self._waiting:
                self._cond.notify_all()

    def _is_known(self, key: str) -> bool:
        if self._known is None:
            return False
        try:
            return self._known.get(key) is not None
        except Exception:
            return True  # not knowing is no reason to lose a delete (§35)

    def _last_known(self, key: str) -> T | None:
        try:
            return self._known.get(key) if self._known is not None else None
        except Exception:
            return None

    def _wait(self) -> None:
        self._waiting += 1
        try:
            while not self._line:
                if self._closed:
                    raise FIFOClosedError
                self._cond.wait()
        finally:
            self._waiting -= 1
