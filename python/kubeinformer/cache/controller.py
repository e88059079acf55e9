"""`Controller`: an informer's reflectors and its processor, and the threads they run on (client-go's Controller).

While it runs, the store follows the server: each source has a reader thread that lists and watches, and one processor
thread takes what they read to the store and the handlers. All threads have ended when `join` returns nothing. One that
`new_informer` made has a handler too, whose thread is one of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Union

from kubeinformer._core import Filter, InformerCore, Transform, Untransformed
from kubeinformer.cache import reports
from kubeinformer.cache.arguments import check_stop
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.function_errors import FunctionErrorCounts
from kubeinformer.cache.identity import InformerNameAndResource
from kubeinformer.cache.index_functions import IndexFunctions
from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.reflector_state import LastError
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.cache.transform_retries import TransformRetries
from kubeinformer.cache.transforms import Transforms
from kubeinformer.errors import APIStatusError, ClosedError
from kubeinformer.index import namespace as namespace_index
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport.base import Transport

if TYPE_CHECKING:
    from kubeinformer.cache.handler_task import HandlerTask

Joinable = Union[threading.Thread, "HandlerTask"]
"""What calls a handler, and what else an informer's end waits for."""

WatchErrorHandler = Callable[[Reflector, Exception], object]
"""client-go's type of this name: what is called, on a reader's thread, with each failure to list or watch."""


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """How an informer reads, stores and compares.

    Attributes:
        keep_managed_fields: keep `metadata.managedFields`, which are cut by default.
        recreate_as_update: a new uid under a known key is one update, as in client-go (§75), instead of a deletion and
            an addition.
        notify_unchanged_on_relist: a relist gives handlers an update for every unchanged object, as in client-go
            without resync (§136).
        max_object_bytes: largest object, and longest line of a watch, that is accepted; None = 64 MiB. A larger one
            is a `TooLargeError`: the cache keeps its last state, and it is tried again after a wait.
        max_list_bytes: the same for a list, its JSON with all its pages or initial events together; None = no limit.
            With one, a server that does not end its list cannot take all memory; a watch can still bring new objects.
        queue_bytes: bytes that may wait between readers and processor before readers wait; None = 256 MiB.
        decode_cache: how many decoded objects are kept, besides those of live handles, for the next handler or reader
            that looks at the same version; 0 = none. At least half as many are found again, so take twice as many as a
            program reads again and again. Each takes several times its JSON, and Python's cyclic garbage collector
            walks all of them: thousands make every event dearer, and a single handler is fastest with 0.
        use_watch_list: stream the first list when the server can.
        page_size: items a page of a LIST.
        watch_timeout: shortest time in seconds for which a watch is asked; the longest is twice that.
        watch_grace: seconds past that after which a silent watch is given up.
        connect_timeout: seconds to wait for a connection.
        first_byte_timeout: seconds to wait for an answer to begin.
        watch_list_timeout: seconds without progress after which a watch-list is given up for LIST.
        bookmark_timeout: seconds without a byte on a watch, where bookmarks come, after which the server is asked
            whether its version went back, and watched anew; at most a fifth more.
        queue: what is between reading and the store; the modes of client-go, named by its feature gates:
            "atomic" = `RealFIFO` with `AtomicFIFO`, its default since 1.36: changes in the order in which they came; a
            list is one change, told as deletions first, and all of it is in the store before the first handler hears.
            "in_order" = `RealFIFO` with `InOrderInformers` alone: the same order, but a list is taken up to 1000
            objects at a time. "delta" = `DeltaFIFO`, up to 1.32: what happens to a key while it waits is processed
            together, so that another key may overtake; deletions of a list come last, of two deletions in a row one is
            told, and that of an object that nobody knew is not. In the last two an empty first list is synced at once,
            and the store has no resource version (§31), so that `wait_for_resource_version` raises RuntimeError.
            Resyncs are the same in all: every stored object.
        keep_paths: leave out everything else while objects are read, as `transform.keep` does; () = keep all. A
            function given to `set_transform` gets what is left.
        drop_paths: leave out what these paths lead to, as `transform.drop` does; not together with `keep_paths`, nor
            with a declared transform.
        compression: "zstd" = keep the JSON of objects compressed in queue, store and backlogs, which takes a fifth to a
            tenth of the memory. The reader compresses (3 to 20 us an object of 8 KB); what looks at more than key,
            uid, versions, kind, labels, generation and deletion timestamp decompresses, once a handle (2 to 10 us); so
            do declared indices and transforms that are functions. A dictionary, 0.6 MB an informer, is learnt from
            the first 1,000 objects of the first list (from 100, when there are no more), which holds up the reading
            for a tenth of a second; with fewer objects, once the cache has 1,000. What was read before stays as it is
            until its next version. It changes nothing but memory and time. (`HTTPTransport(compression=...)` is
            about the bytes on the wire.)
    """

    keep_managed_fields: bool = False
    recreate_as_update: bool = False
    notify_unchanged_on_relist: bool = False
    max_object_bytes: int | None = None
    max_list_bytes: int | None = None
    queue_bytes: int | None = None
    decode_cache: int = 256
    use_watch_list: bool = True
    page_size: int = 500
    watch_timeout: float = 300.0
    watch_grace: float = 15.0
    connect_timeout: float = 10.0
    first_byte_timeout: float = 65.0
    watch_list_timeout: float = 60.0
    bookmark_timeout: float = 150.0
    queue: Literal["atomic", "in_order", "delta"] = "atomic"
    keep_paths: Sequence[str] = ()
    drop_paths: Sequence[str] = ()
    compression: Literal["zstd"] | None = None

    def cuts(self) -> Transform | None:
        """What `keep_paths` or `drop_paths` declare.

        Raises:
            TypeError: one of them is no sequence of strings.
            ValueError: both are given, or a path does not parse or cannot be left out.
        """
        for name, paths in (("keep_paths", self.keep_paths), ("drop_paths", self.drop_paths)):
            # An iterator would be used up by the first informer: every other would keep nothing, or everything.
            is_sequence = isinstance(paths, Sequence) and not isinstance(paths, str)
            if not is_sequence or not all(isinstance(path, str) for path in paths):
                raise TypeError(f"{name} must be a sequence of paths, not {paths!r}")
        if self.keep_paths and self.drop_paths:
            raise ValueError("keep_paths and drop_paths exclude each other")
        if self.keep_paths:
            return Transform.keep(*self.keep_paths)
        return Transform.drop(*self.drop_paths) if self.drop_paths else None


class Controller:
    """See the module."""

    def __init__(
        self,
        transport: Transport,
        resource: Resource,
        *,
        namespaces: Sequence[str] | None,
        list_options: Callable[[], ListOptions],
        name: str,
        options: ControllerOptions,
        identity: InformerNameAndResource | None = None,
        filter: Filter | None = None,
    ) -> None:
        """Make it; nothing is sent and no thread runs before `start`.

        Args:
            transport: sends the requests.
            resource: what is listed and watched.
            namespaces: a source for each; None = one source for the whole cluster.
            list_options: called for each request on a reader thread (client-go §178).
            name: for threads and logs.
            options: the rest.
            identity: whose name is put before `name` in threads and logs.
            filter: what is stored of what is listed and watched; None = everything.
        """
        self.name = name
        self.identity = identity
        self.watch_error_handler: WatchErrorHandler | None = None
        self.label = name if identity is None else f"{identity.name}/{name}"
        self.guard = ForkGuard(f"the informer of {name}")
        self.core = InformerCore(
            str(resource),
            keep_managed_fields=options.keep_managed_fields,
            recreate_as_update=options.recreate_as_update,
            notify_unchanged_on_relist=options.notify_unchanged_on_relist,
            max_object_bytes=options.max_object_bytes,
            max_list_bytes=options.max_list_bytes,
            queue_bytes=options.queue_bytes,
            decode_cache=options.decode_cache,
            queue=options.queue,
            compression=options.compression,
            filter=filter,
        )
        self.function_errors = errors = FunctionErrorCounts()
        self.index_functions = IndexFunctions(self.core, partial(errors.count, "index"))
        self.index_functions.add({"namespace": namespace_index()})
        self._retries = TransformRetries(
            self.core,
            transport,
            resource,
            name=name,
            max_object_bytes=options.max_object_bytes or 64 << 20,
            connect_timeout=options.connect_timeout,
            read_timeout=options.first_byte_timeout,
        )
        self.transforms = Transforms(self.core, self._retries, options.cuts(), partial(errors.count, "transform"))
        self.reflectors: dict[str, Reflector] = {}
        for namespace in (None,) if namespaces is None else namespaces:
            source = namespace or ""
            reflector_name = ""
            if identity is not None:
                reflector_name = self.label if namespace is None else f"{self.label} in {namespace}"
            self.reflectors[source] = Reflector(
                self.core.add_source(source),
                transport,
                resource,
                namespace=namespace,
                list_options=partial(self._options_of_request, list_options),
                page_size=options.page_size,
                min_watch_timeout=options.watch_timeout,
                connect_timeout=options.connect_timeout,
                first_byte_timeout=options.first_byte_timeout,
                watch_list_timeout=options.watch_list_timeout,
                watch_grace=options.watch_grace,
                bookmark_timeout=options.bookmark_timeout,
                use_watch_list=options.use_watch_list,
                name=reflector_name,
                on_error=partial(self._failed, source),
            )
        self._threads: list[Joinable] = []
        self._on_failure: tuple[Callable[[], object], ...] = ()
        self._lock = threading.Lock()
        self._included: list[HandlerRegistration[Any]] = []

    def include(self, registration: HandlerRegistration[Any]) -> None:
        """Make a handler part of it, before `start`: its thread starts with the others, `has_synced` waits for it.

        Raises:
            RuntimeError: there is no event loop for a coroutine handler.
        """
        if registration.task is not None:
            registration.task.check_startable()
        self._included.append(registration)
        self._threads.append(registration.thread)

    def run(self, stop: threading.Event | None = None) -> None:
        """Start, and block until `stop` is set, or `stop()` called, and all threads have ended (client-go's Run, §156).

        Once: if it was started before, it says so in the log and returns. Ctrl-C in the main thread stops it, too.

        Raises:
            TypeError: `stop` is no event.
            ForkedError: it was made by the parent of this process.
        """
        check_stop(stop)
        if not self.start():
            reports.run_twice(self.name)
            return
        self.wait_stopped(stop)
        join(self.threads(), None)

    def wait_stopped(self, stop: threading.Event | None) -> None:
        """Block until `stop` is set or somebody else has stopped it; it is stopped then, also by Ctrl-C."""
        pause = stop if stop is not None else threading.Event()
        try:
            while not pause.wait(0.1) and not self.core.is_stopped():
                pass
        finally:
            self.stop()

    def has_synced(self) -> bool:
        """Whether the first list is in the store, and the handler it was made with has returned from all of it."""
        return self.core.has_synced() and all(registration.has_synced() for registration in self._included)

    def is_stopped(self) -> bool:
        """Whether it was stopped."""
        return self.core.is_stopped()

    @contextmanager
    def calling_when_it_fails(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call `callback` on a reader's thread after each failure to list or watch, as long as the block lasts."""
        with self._lock:
            self._on_failure = (*self._on_failure, callback)
        try:
            yield
        finally:
            with self._lock:
                self._on_failure = tuple(other for other in self._on_failure if other is not callback)

    def _failed(self, source: str, error: Exception) -> None:
        for callback in self._on_failure:
            callback()
        if self.watch_error_handler is not None:
            try:
                self.watch_error_handler(self.reflectors[source], error)
            except BaseException:
                self.function_errors.count("watch_error_handler")
                raise

    def _options_of_request(self, list_options: Callable[[], ListOptions]) -> ListOptions:
        try:
            return list_options()
        except Exception:
            self.function_errors.count("list_options")
            raise

    def start(self) -> bool:
        """Start the threads. False when they were started before (client-go §156)."""
        if self.core.is_stopped() or not self.core.start():
            return False
        self._threads.append(
            threading.Thread(target=self._process, name=f"kubeinformer-processor-{self.label}", daemon=True)
        )
        for source, reflector in self.reflectors.items():
            suffix = f"-{source}" if source else ""
            name = f"kubeinformer-reader-{self.label}{suffix}"
            self._threads.append(threading.Thread(target=reflector.run, name=name, daemon=True))
        for thread in self._threads:
            thread.start()
        return True

    def _process(self) -> None:
        try:
            while True:
                change = self.core.process()
                if isinstance(change, Untransformed):
                    change = self.transforms.run(change)
                if change is not None:
                    self.index_functions.commit(change)
        except ClosedError:
            pass

    def stop(self) -> None:
        """End every thread, from any thread; does not wait for them. What is queued is dropped (client-go §73)."""
        self.core.stop()
        self._retries.stop()
        for reflector in self.reflectors.values():
            reflector.stop()

    def threads(self) -> list[Joinable]:
        """The threads, as long as they run."""
        return [thread for thread in [*self._threads, *self._retries.threads()] if thread.is_alive()]

    def last_sync_resource_version(self) -> str:
        """What was received last (client-go §123); with several sources, that of the first. "" = nothing yet (§160)."""
        self.guard.check()
        return next(iter(self.reflectors.values())).last_sync_resource_version()

    def is_live(self) -> bool:
        """Whether changes of every source arrive at this moment."""
        return not self.core.is_stopped() and all(reflector.is_live() for reflector in self.reflectors.values())

    def staleness(self) -> float:
        """Seconds for which the server has not been heard, of the source that waits longest; infinite before a list."""
        self.guard.check()
        return max(reflector.staleness() for reflector in self.reflectors.values())

    def last_errors(self) -> dict[str, LastError]:
        """The failure that nothing has mended since, by source ("" = the whole cluster)."""
        self.guard.check()
        errors = {source: reflector.last_error() for source, reflector in self.reflectors.items()}
        return {source: error for source, error in errors.items() if error is not None}

    def lasting_refusal(self) -> tuple[str, Exception] | None:
        """Source and error, when the server keeps answering 401, 403 or 404."""
        for source, last in self.last_errors().items():
            if last.count > 1 and isinstance(last.error, APIStatusError) and last.error.code in (401, 403, 404):
                return source, last.error
        return None


def join(threads: Sequence[Joinable], timeout: float | None) -> list[Joinable]:
    """Wait for threads to end, for `timeout` seconds in all (None: for ever). Returns those that still run.

    The calling thread is not waited for: a handler may shut its own informer down.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
    return [thread for thread in threads if thread.is_alive() and thread is not threading.current_thread()]
