"""`MutationCache`: an informer's cache with one's own writes laid over it (client-go's MutationCache).

Of the overlay and the store it gives the newer object. The overlay forgets an object when the store has caught up, when
its time is over, or when newer ones need its place; so it may always give what the store has, and never something older
than it gave before.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kubeinformer._core import Indexer, KubeObject
from kubeinformer.cache import reports
from kubeinformer.cache.clock import Clock, SystemClock
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.keys import meta_namespace_key_func
from kubeinformer.cache.list_watch_bodies import object_json
from kubeinformer.cache.shared_indexer import SharedIndexer
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown

T = TypeVar("T")

DEFAULT_TTL = 300.0
"""Seconds."""

_SIZE = 100


class MutationCache(Generic[T]):
    """See the module. Its methods may be called from any thread; none contacts the server.

    Give it what a write returned (`mutation`), and read through it. Call `on_add_or_update` and `on_delete` from an
    event handler of the informer, so that the overlay forgets at once what the store knows better; `on_add_or_update`
    of an object that is older than the overlay's changes nothing.

    resourceVersions have to be integers that grow with every write, as etcd's are; "" counts as 0.

    Args:
        backing_cache: an informer's indexer (`informer.indexer()`), for which `mutation` takes KubeObjects, dicts and
            models alike and which decides what comes back; or an `Indexer`, whose objects come back as they were given.
        ttl: seconds that an object stays in the overlay, at most.
        include_adds: give objects of the overlay also when the store has none of their key. Without, a key that the
            store lacks is missing: it cannot be told from one that was deleted since. With it, an object whose creation
            and deletion the informer never saw stays until its time is over.
        clock: None = the system's.

    Raises:
        TypeError: `backing_cache` is neither.
        ValueError: `ttl` is not above 0.
    """

    def __init__(
        self,
        backing_cache: SharedIndexer[T] | Indexer[T],
        ttl: float = DEFAULT_TTL,
        include_adds: bool = False,
        *,
        clock: Clock | None = None,
    ) -> None:
        if not ttl > 0:
            raise ValueError(f"ttl must be above 0 seconds, not {ttl}")
        self._backing = _backing(backing_cache)
        self._include_adds = include_adds
        self._overlay = _Overlay(ttl, clock or SystemClock())
        self._guard = ForkGuard("this MutationCache")

    def mutation(self, obj: Any) -> None:
        """Lay an object over the store: what a create, update or patch returned.

        It is ignored when the overlay has a newer one, or knows that this one was deleted (§198).

        Raises:
            ObjectKeyError: it has no name.
            ValueError: its resourceVersion is no integer (client-go panics).
        """
        self._guard.check()
        obj = self._backing.take(obj)
        key = meta_namespace_key_func(obj)
        uid, version = _uid(obj), _version(obj)

        def newer(present: _Entry) -> bool:
            if version < present.version:
                return False
            return not (present.deleted and (version == present.version or uid == present.uid))

        self._overlay.put(key, _Entry(obj, uid, version), newer)

    def on_add_or_update(self, obj: Any) -> None:
        """Forget the overlay's object of that key unless it is newer than this one, which the store has.

        Raises:
            ObjectKeyError: it has no name.
            ValueError: its resourceVersion is no integer.
        """
        self._guard.check()
        version = _version(obj)
        self._overlay.remove(meta_namespace_key_func(obj), lambda present: version >= present.version)

    def on_delete(self, obj: Any) -> None:
        """Forget the overlay's object of that key, and ignore a `mutation` with what is known to be deleted (§198).

        An object of the overlay that has another uid and is newer stays: it may exist.

        Args:
            obj: the final state, or a `DeletedFinalStateUnknown`, of which the last known state counts.

        Raises:
            ValueError: its resourceVersion is no integer.
        """
        self._guard.check()
        if isinstance(obj, DeletedFinalStateUnknown):
            if obj.obj is None:
                return
            obj = obj.obj
        uid, version = _uid(obj), _version(obj)

        def gone(present: _Entry) -> bool:
            return version >= present.version or uid == present.uid

        key = meta_namespace_key_func(obj)
        self._overlay.put(key, _Entry(None, uid, version, deleted=True), gone)

    def get_by_key(self, key: str) -> T | None:
        """The newer of the overlay's and the store's object, or None.

        Raises:
            ValueError: the resourceVersion of the store's object is no integer.
        """
        self._guard.check()
        # In this order: what the overlay has forgotten is in the store.
        entry = self._overlay.get(key)
        obj = self._newer(key, entry, self._backing.get(key))
        return None if obj is None else self._backing.give(obj)

    def by_index(self, index_name: str, indexed_value: str) -> list[T]:
        """The newer of both for each key under a value of an index; with `include_adds`, more of the overlay's.

        A newer object comes also when it is under other values itself. Index functions run on this thread; one that
        raises on an object of the overlay leaves that out, and the log says so.

        Raises:
            IndexNotFoundError: there is no such index.
            ValueError: the resourceVersion of an object of the store is no integer.
        """
        self._guard.check()
        overlay = self._overlay.all()
        keys = self._backing.index_keys(index_name, indexed_value)
        found: list[Any] = []
        for key in keys:
            present = self._backing.get(key)
            if present is not None:
                found.append(self._newer(key, overlay.get(key), present))
        if self._include_adds:
            known = set(keys)
            for key, entry in overlay.items():
                if key in known or entry.deleted:
                    continue
                try:
                    values = self._backing.index_values(index_name, entry.obj)
                except Exception as error:
                    reports.index_function_failed(index_name, key, error)
                    continue
                if indexed_value in values:
                    found.append(entry.obj)
        return [self._backing.give(obj) for obj in found]

    def _newer(self, key: str, entry: _Entry | None, present: Any) -> Any:
        if entry is None:
            return present
        if present is None:
            return entry.obj if self._include_adds and not entry.deleted else None
        version = _version(present)
        if version >= entry.version:
            self._overlay.remove(key, lambda now: now is entry)
            return present
        return present if entry.deleted else entry.obj


def new_integer_resource_version_mutation_cache(
    backing_cache: SharedIndexer[T] | Indexer[T], ttl: float = DEFAULT_TTL, include_adds: bool = False
) -> MutationCache[T]:
    """client-go's name for `MutationCache(...)`; store and indexer are one here."""
    return MutationCache(backing_cache, ttl, include_adds)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """An object of the overlay, or (`deleted`) what is known of one that is gone."""

    obj: Any
    uid: str
    version: int
    deleted: bool = False


class _Overlay:
    """The 100 entries that were used last, each for a time."""

    def __init__(self, ttl: float, clock: Clock) -> None:
        self._ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[_Entry, float]] = OrderedDict()

    def get(self, key: str) -> _Entry | None:
        with self._lock:
            return self._unexpired(key, self._clock.monotonic())

    def all(self) -> dict[str, _Entry]:
        """All of them; none counts as used."""
        now = self._clock.monotonic()
        with self._lock:
            return {key: entry for key, (entry, end) in self._entries.items() if now <= end}

    def put(self, key: str, entry: _Entry, replaces: Callable[[_Entry], bool]) -> None:
        """Put an entry in place of the present one, if there is none or `replaces` says so of it."""
        now = self._clock.monotonic()
        with self._lock:
            present = self._unexpired(key, now)
            if present is not None and not replaces(present):
                return
            self._entries[key] = (entry, now + self._ttl)
            self._entries.move_to_end(key)
            if len(self._entries) > _SIZE:
                self._entries.popitem(last=False)

    def remove(self, key: str, condition: Callable[[_Entry], bool]) -> None:
        with self._lock:
            present = self._entries.get(key)
            if present is not None and condition(present[0]):
                del self._entries[key]

    def _unexpired(self, key: str, now: float) -> _Entry | None:
        found = self._entries.get(key)
        if found is None:
            return None
        if now > found[1]:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return found[0]


class _SharedBacking:
    """An informer's: holds KubeObjects, and gives what its indexer does."""

    def __init__(self, indexer: SharedIndexer[Any]) -> None:
        self._indexer = indexer
        self.give = indexer._convert
        self.get = indexer._core.get
        self.index_keys = indexer._core.index_keys

    def take(self, obj: Any) -> KubeObject:
        return obj if isinstance(obj, KubeObject) else KubeObject(object_json(obj), self._indexer.resource)

    def index_values(self, index_name: str, obj: KubeObject) -> list[str]:
        return list(self._indexer.index_values(index_name, obj))


class _IndexerBacking:
    """An `Indexer`'s: any objects."""

    def __init__(self, indexer: Indexer[Any]) -> None:
        self._indexer = indexer
        self.get = indexer.get_by_key
        self.index_keys = indexer.index_keys

    def take(self, obj: Any) -> Any:
        return obj

    def give(self, obj: Any) -> Any:
        return obj

    def index_values(self, index_name: str, obj: Any) -> list[str]:
        return list(self._indexer.get_indexers()[index_name](obj) or ())


def _backing(cache: Any) -> _SharedBacking | _IndexerBacking:
    if isinstance(cache, SharedIndexer):
        return _SharedBacking(cache)
    if isinstance(cache, Indexer):
        return _IndexerBacking(cache)
    raise TypeError(f"backing_cache must be an informer's indexer or an Indexer, not {type(cache).__name__}")


def _uid(obj: Any) -> str:
    return str(_field(obj, "uid", "uid") or "")


def _version(obj: Any) -> int:
    version = str(_field(obj, "resource_version", "resourceVersion") or "0")
    if not version.isdecimal():
        raise ValueError(f"{meta_namespace_key_func(obj)}: the resourceVersion {version!r} is no integer")
    return int(version)


def _field(obj: Any, attribute: str, member: str) -> Any:
    """A field of the metadata of a KubeObject, a dict or a model."""
    if isinstance(obj, KubeObject):
        return getattr(obj, attribute)
    metadata = obj.get("metadata") if isinstance(obj, Mapping) else getattr(obj, "metadata", None)
    if isinstance(metadata, Mapping):
        return metadata.get(member)
    return getattr(metadata, attribute, None)
