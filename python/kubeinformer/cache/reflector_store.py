"""A `Reflector` over a store or queue of one's own (client-go's NewReflector and ReflectorStore).

What the server sends reaches the store in its order, as KubeObjects, on the reflector's thread: a list as one
`replace`, each event as one call.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kubeinformer._core import Indexer, InformerCore, KubeObject, take_deltas
from kubeinformer.cache import reports
from kubeinformer.cache.arguments import check_period
from kubeinformer.cache.backoff import Backoff
from kubeinformer.cache.clock import Clock
from kubeinformer.cache.keys import NAMESPACE_INDEX, meta_namespace_index_func, meta_namespace_key_func
from kubeinformer.cache.new_informers import to_transport
from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.reflector_source import ListReader, Relist, WatchReader
from kubeinformer.cache.reflector_state import Phase
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport.base import Transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


class ReflectorStore(Protocol):
    """What a reflector writes to: a `Store`, an `Indexer`, a `DeltaFIFO`, a `RealFIFO`, or one's own.

    Two more methods are called if they are there: `bookmark(resource_version)` (client-go's ReflectorBookmarkStore) and
    `update_resource_version(resource_version)` (ResourceVersionUpdater, §116), after each event of a watch.
    """

    def add(self, obj: Any, /) -> object:
        """An ADDED event."""

    def update(self, obj: Any, /) -> object:
        """A MODIFIED event."""

    def delete(self, obj: Any, /) -> object:
        """A DELETED event, with the final state."""

    def replace(self, list: Sequence[Any], resource_version: str, /) -> object:
        """A list: all that there is."""

    def resync(self) -> object:
        """It is time for a resync."""


def new_reflector(
    list_watch: Transport | ApiClient,
    resource: Resource,
    store: ReflectorStore,
    resync_period: float = 0,
    name: str = "",
    *,
    namespace: str | None = None,
    list_options: Callable[[], ListOptions] = ListOptions,
    page_size: int = 500,
    min_watch_timeout: float = 300.0,
    use_watch_list: bool = True,
    keep_managed_fields: bool = False,
    max_object_bytes: int | None = None,
    max_list_bytes: int | None = None,
    backoff: Backoff | None = None,
    clock: Clock | None = None,
    on_error: Callable[[Exception], None] | None = None,
) -> Reflector:
    """A reflector that keeps `store` equal to the server's collection; `run(stop)` does it.

    If `replace` raises, the attempt has failed and is made again after a wait (§94); if another method raises, that is
    logged with the object's key, and the event is lost until the next list (§120).

    Args:
        list_watch: a `ListWatch`, a transport or an ApiClient.
        resource: what its objects are.
        store: see `ReflectorStore`; its methods are called on the thread that runs the reflector.
        resync_period: seconds between calls of `store.resync()`, while it watches; 0 = none. They come from a thread of
            their own, as client-go's come from a goroutine. If one raises, the collection is listed again when the next
            event or bookmark comes (§133).
        name: for the log and threads; "" = made of resource and namespace.
        namespace: with an ApiClient: one namespace, or None for the whole cluster.
        list_options: see `Reflector`, as for the rest.
        page_size: items a page of a LIST.
        min_watch_timeout: shortest time in seconds for which a watch is asked.
        use_watch_list: False = LIST always.
        keep_managed_fields: keep `metadata.managedFields`, which are cut by default.
        max_object_bytes: largest object, and longest line of a watch; None = 64 MiB.
        max_list_bytes: largest list, all its pages together; None = any.
        backoff: waits between attempts.
        clock: None = the system's.
        on_error: called with each failure, see `Reflector`.

    Raises:
        TypeError: `store` lacks a method, or `list_watch` is no source.
        ValueError: a number that makes no sense, or a `namespace` with a `ListWatch`.
    """
    for method in ("add", "update", "delete", "replace", "resync"):
        if not callable(getattr(store, method, None)):
            raise TypeError(
                f"store must have add, update, delete, replace and resync: {type(store).__name__} lacks one"
            )
    check_period("resync_period", resync_period)
    core = InformerCore(
        str(resource),
        keep_managed_fields=keep_managed_fields,
        max_object_bytes=max_object_bytes,
        max_list_bytes=max_list_bytes,
        decode_cache=0,
    )
    name = name or (f"{resource} in {namespace}" if namespace is not None else str(resource))
    source = _StoreSource(core, store, name)
    resync = _Resync(source, resync_period, name) if resync_period > 0 else None
    return Reflector(
        source,
        to_transport(list_watch, scoped=namespace is not None),
        resource,
        namespace=namespace,
        list_options=list_options,
        name=name,
        page_size=page_size,
        min_watch_timeout=min_watch_timeout,
        use_watch_list=use_watch_list,
        backoff=backoff,
        clock=clock,
        random=random.random,
        on_error=on_error,
        on_phase=None if resync is None else resync.on_phase,
    )


def new_namespace_keyed_indexer_and_reflector(
    list_watch: Transport | ApiClient, resource: Resource, resync_period: float = 0
) -> tuple[Indexer[KubeObject], Reflector]:
    """An `Indexer` with the namespace index and a reflector that fills it (client-go's function of this name)."""
    indexer: Indexer[KubeObject] = Indexer(meta_namespace_key_func, {NAMESPACE_INDEX: meta_namespace_index_func})
    return indexer, new_reflector(list_watch, resource, indexer, resync_period)


class _StoreSource:
    """A `Source` whose readers are the core's: they queue, and what they have queued goes on to the store at once."""

    def __init__(self, core: InformerCore, store: ReflectorStore, name: str) -> None:
        self.store = store
        self.resync_error: Exception | None = None
        self._core = core
        self._source = core.add_source("")
        self._name = name
        self._synced = False
        self._bookmark = getattr(store, "bookmark", None)
        self._update_resource_version = getattr(store, "update_resource_version", None)

    def begin_relist(self) -> Relist:
        return _StoreRelist(self, self._source.begin_relist())

    def watch_reader(self, *, chunked: bool, any_version: bool = False, not_older_than: str = "") -> WatchReader:
        reader = self._source.watch_reader(chunked=chunked, any_version=any_version, not_older_than=not_older_than)
        return _StoreWatchReader(self, reader)

    def watch_list_reader(self, *, chunked: bool, not_older_than: str = "") -> WatchReader:
        return _StoreWatchReader(self, self._source.watch_list_reader(chunked=chunked, not_older_than=not_older_than))

    def has_synced(self) -> bool:
        return self._synced

    def forward(self) -> None:
        """Bring what is queued to the store."""
        for kind, about in take_deltas(self._core):
            if kind == "ReplacedAll":
                self.store.replace(about.objects, about.resource_version)
                self._synced = True
                continue
            key = "" if kind == "Bookmark" else about.key
            try:
                self._event(kind, about)
            except Exception as error:
                reports.store_failed(self._name, key, error)

    def _event(self, kind: str, about: Any) -> None:
        try:
            if kind == "Added":
                self.store.add(about)
            elif kind == "Updated":
                self.store.update(about)
            elif kind == "Deleted":
                self.store.delete(about)
            elif self._bookmark is not None:
                self._bookmark(about.resource_version)
        finally:
            if self._update_resource_version is not None:
                self._update_resource_version(about.resource_version)

    def check_resync(self) -> None:
        """Raise what a resync raised, once."""
        error, self.resync_error = self.resync_error, None
        if error is not None:
            raise error


class _StoreRelist:
    def __init__(self, source: _StoreSource, relist: Relist) -> None:
        self._source = source
        self._relist = relist

    def page(self, *, chunked: bool) -> ListReader:
        return self._relist.page(chunked=chunked)

    def commit(self, resource_version: str) -> None:
        self._relist.commit(resource_version)
        self._source.forward()

    def __len__(self) -> int:
        return len(self._relist)


class _StoreWatchReader:
    def __init__(self, source: _StoreSource, reader: WatchReader) -> None:
        self._source = source
        self._reader = reader

    def feed(self, data: bytes) -> bool:
        self._source.check_resync()
        try:
            return self._reader.feed(data)
        finally:
            self._source.forward()

    def finish(self) -> None:
        try:
            self._reader.finish()
        finally:
            self._source.forward()

    @property
    def events(self) -> int:
        return self._reader.events

    @property
    def bookmarks(self) -> int:
        return self._reader.bookmarks

    @property
    def unknown_events(self) -> int:
        return self._reader.unknown_events

    @property
    def resource_version(self) -> str:
        return self._reader.resource_version

    @property
    def went_back_to(self) -> str:
        return self._reader.went_back_to

    @property
    def synced(self) -> bool:
        return self._reader.synced

    @property
    def error(self) -> bytes | None:
        return self._reader.error


class _Resync:
    """Calls `store.resync()` every period while it watches, from watch to watch but not from wait to wait (§126)."""

    def __init__(self, source: _StoreSource, period: float, name: str) -> None:
        self._source = source
        self._period = period
        self._name = name
        self._end: threading.Event | None = None

    def on_phase(self, phase: Phase) -> None:
        """Called on the reflector's thread."""
        if phase is Phase.WATCHING and self._end is None:
            end = self._end = threading.Event()
            name = f"kubeinformer-resync-{self._name}"
            threading.Thread(target=self._run, args=(end,), name=name, daemon=True).start()
        elif phase in (Phase.BACKOFF, Phase.LISTING, Phase.STOPPED) and self._end is not None:
            self._end.set()
            self._end = None

    def _run(self, end: threading.Event) -> None:
        while not end.wait(self._period):
            try:
                self._source.store.resync()
            except Exception as error:
                reports.store_failed(self._name, "", error)
                self._source.resync_error = error
                return
