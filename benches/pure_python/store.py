"""An indexed thread-safe store in pure Python.

Invariant: a key is in the set of an index value iff the stored object of that key has that value, and no empty set is
kept (§9, §12). Two flat dicts in place of a record an object, and index values that compare equal are not looked at
again: an update that changes no index value is two look-ups, a comparison and one assignment.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Generic

from .deltas import DELETED, Batch, IndexFunc, IndexValue, IndexValues, Notification, Prepared, T


class IndexedStore(Generic[T]):
    """Objects by key under one lock with any number of indices (client-go's ThreadSafeStore, §8 to §26).

    Every method is one cut: no reader sees an object without its index entries. Index functions run before the lock is
    taken, except those of `add_indexers` on a store that has objects; one that raises leaves the store as it was. The
    old index values are remembered, never computed again, so that an object which somebody changed in place leaves no
    stale entry (other than §15).
    """

    __slots__ = ("_funcs", "_indices", "_items", "_lock", "_names", "_values")

    def __init__(self, indexers: Mapping[str, IndexFunc] | None = None) -> None:
        self._lock = threading.RLock()
        self._items: dict[str, T] = {}
        self._values: dict[str, IndexValues] = {}
        self._names: dict[str, int] = {}
        self._funcs: tuple[IndexFunc, ...] = ()
        self._indices: tuple[dict[str, set[str]], ...] = ()
        self.add_indexers(indexers or {})

    def add_indexers(self, indexers: Mapping[str, IndexFunc]) -> None:
        """Add indices and index what is stored; ValueError, and no change, if one of the names exists (§21)."""
        with self._lock:
            taken = sorted(self._names.keys() & indexers.keys())
            if taken:
                raise ValueError(f"indexers exist: {', '.join(taken)}")
            funcs = self._funcs + tuple(indexers.values())
            values = {key: _values_of(funcs, obj) for key, obj in self._items.items()}
            self._names = {name: n for n, name in enumerate([*self._names, *indexers])}
            self._funcs = funcs
            self._rebuild(self._items, values)

    def update(self, key: str, obj: T) -> T | None:
        """Store an object, new or not (§8); what was there before."""
        while True:
            funcs = self._funcs
            try:
                return self.update_prepared(key, _values_of(funcs, obj), obj)
            except ValueError:
                if funcs is self._funcs:
                    raise

    add = update

    def update_prepared(self, key: str, values: IndexValues, obj: T) -> T | None:
        """`update` with the index values at hand: one entry for each index, in their order, else ValueError."""
        with self._lock:
            old_values = self._values.get(key)
            if old_values != values:
                self._move(key, old_values, values)
            old = self._items.get(key)
            self._items[key] = obj
            return old

    def delete(self, key: str) -> T | None:
        """Forget a key; what was there, None if nothing was (§26)."""
        with self._lock:
            return self._delete_locked(key)

    def apply(self, batch: Batch) -> builtins.list[Notification]:
        """Process a popped batch under one lock, and say for each delta what was there and what is (§63, §65)."""
        funcs = self._funcs
        prepared = _prepare(funcs, batch)
        with self._lock:
            return self.apply_prepared(prepared if funcs is self._funcs else _prepare(self._funcs, batch))

    def apply_prepared(self, batch: Batch) -> builtins.list[Notification]:
        """`apply` for prepared objects. A delete carries the object itself or a tombstone."""
        notifications: list[Notification] = []
        notify = notifications.append
        with self._lock:
            items, move = self._items, self._move
            item_at, values_at = items.get, self._values.get
            for key, deltas in batch:
                for kind, delta in deltas:
                    if kind is DELETED:
                        self._delete_locked(key)
                        notify((delta, None))
                        continue
                    _, values, obj = delta
                    old_values = values_at(key)
                    if old_values != values:
                        move(key, old_values, values)
                    notify((item_at(key), obj))
                    items[key] = obj
        return notifications

    def replace(self, objs: Mapping[str, T]) -> None:
        """Hold exactly these objects; all indices are built anew (§22)."""
        funcs = self._funcs
        values = {key: _values_of(funcs, obj) for key, obj in objs.items()}
        with self._lock:
            if funcs is not self._funcs:
                values = {key: _values_of(self._funcs, obj) for key, obj in objs.items()}
            self._rebuild(dict(objs), values)

    def replace_prepared(self, prepared: Iterable[Prepared[T]]) -> None:
        """`replace` for prepared objects."""
        items: dict[str, T] = {}
        values_of: dict[str, IndexValues] = {}
        for key, values, obj in prepared:
            items[key] = obj
            values_of[key] = values
        with self._lock:
            self._rebuild(items, values_of)

    def get(self, key: str) -> T | None:
        return self._items.get(key)

    def list(self) -> builtins.list[T]:
        with self._lock:
            return list(self._items.values())

    def list_keys(self) -> builtins.list[str]:
        with self._lock:
            return list(self._items)

    def by_index(self, name: str, value: str) -> builtins.list[T]:
        """The objects under a value of an index; KeyError for an index that does not exist (§18, §19)."""
        with self._lock:
            items = self._items
            return [items[key] for key in self._index_named(name).get(value, ())]

    def index(self, name: str, obj: T) -> builtins.list[T]:
        """The objects that share at least one value of an index with `obj`, each once (§20)."""
        (entry,) = _values_of((self._funcs[self._position_of(name)],), obj)
        with self._lock:
            index = self._index_named(name)
            keys: set[str] = set()
            for value in (entry,) if type(entry) is str else entry:
                keys |= index.get(value, frozenset())
            return [self._items[key] for key in keys]

    def index_keys(self, name: str, value: str) -> builtins.list[str]:
        """The sorted keys under a value of an index (§10); KeyError for an index that does not exist."""
        with self._lock:
            return sorted(self._index_named(name).get(value, ()))

    def list_index_func_values(self, name: str) -> builtins.list[str]:
        """The values that an index has at least one object under; none for an index that does not exist (§18)."""
        with self._lock:
            return list(self._index_named(name)) if name in self._names else []

    def __len__(self) -> int:
        return len(self._items)

    def _position_of(self, name: str) -> int:
        try:
            return self._names[name]
        except KeyError:
            raise KeyError(f"Index with name {name} does not exist") from None

    def _index_named(self, name: str) -> dict[str, set[str]]:
        return self._indices[self._position_of(name)]

    def _delete_locked(self, key: str) -> T | None:
        values = self._values.get(key)
        if values is not None:
            self._move(key, values, None)
        return self._items.pop(key, None)

    def _rebuild(self, items: dict[str, T], values_of: dict[str, IndexValues]) -> None:
        indices: tuple[dict[str, set[str]], ...] = tuple({} for _ in self._funcs)
        for position, index in enumerate(indices):
            for key, values in values_of.items():
                entry = values[position]
                for value in (entry,) if type(entry) is str else entry:
                    keys = index.get(value)
                    if keys is None:
                        index[value] = {key}
                    else:
                        keys.add(key)
        self._items, self._values, self._indices = items, values_of, indices

    def _move(self, key: str, old_values: IndexValues | None, values: IndexValues | None) -> None:
        """Take a key out of the index values that it no longer has, put it under the new ones, and remember them."""
        indices = self._indices
        if values is None:
            del self._values[key]
            values = ((),) * len(indices)
        elif len(values) != len(indices):
            raise ValueError(f"{len(values)} index values for {len(indices)} indices: {key}")
        else:
            self._values[key] = values
        for index, old, new in zip(indices, old_values or ((),) * len(indices), values, strict=True):
            if old == new:
                continue
            for value in (old,) if type(old) is str else old:
                keys = index[value]
                keys.discard(key)
                if not keys:
                    del index[value]
            for value in (new,) if type(new) is str else new:
                if value in index:
                    index[value].add(key)
                else:
                    index[value] = {key}


def _values_of(funcs: tuple[IndexFunc, ...], obj: Any) -> IndexValues:
    entries: list[IndexValue] = []
    for func in funcs:
        values = func(obj)
        entries.append(values[0] if len(values) == 1 else tuple(dict.fromkeys(values)))
    return tuple(entries)


def _prepare(funcs: tuple[IndexFunc, ...], batch: Batch) -> Batch:
    return [
        (key, [(kind, obj if kind is DELETED else (key, _values_of(funcs, obj), obj)) for kind, obj in deltas])
        for key, deltas in batch
    ]
