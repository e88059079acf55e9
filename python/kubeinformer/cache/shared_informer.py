"""`SharedIndexInformer`: one list/watch and one store for any number of handlers (client-go's type of this name)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kubeinformer._core import Filter, Index, KubeObject, Queue, Transform
from kubeinformer.cache import reports
from kubeinformer.cache.arguments import check_period, check_stop
from kubeinformer.cache.batch_handler import MAX_BATCH, check_max_batch
from kubeinformer.cache.controller import Controller, WatchErrorHandler, join
from kubeinformer.cache.done_checker import SyncChecker
from kubeinformer.cache.enqueueing import LOW_PRIORITY, EnqueueRegistration, check_filter
from kubeinformer.cache.event_handler import AnyEventHandler, check_handler
from kubeinformer.cache.event_stream import EventStream
from kubeinformer.cache.handlers import DEFAULT_BACKLOG, Backlog, Handlers, backlog_limits
from kubeinformer.cache.memory import MemoryUsage
from kubeinformer.cache.reflector_state import LastError
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.cache.resource_version import wait_for_resource_version, wait_for_resource_version_async
from kubeinformer.cache.shared_indexer import SharedIndexer
from kubeinformer.cache.stopping import StopWatcher
from kubeinformer.cache.transforms import TransformFunc
from kubeinformer.errors import Error
from kubeinformer.resource import Resource

if TYPE_CHECKING:
    from kubeinformer.cache.status import InformerStatus

T = TypeVar("T")

MINIMUM_RESYNC_PERIOD = 1.0
"""Seconds; a shorter period of a handler is raised to it (client-go §129)."""


class SharedIndexInformer(Generic[T]):
    """Keeps a store in sync with the server and tells handlers what changes.

    Handlers, readers and lifecycle calls may come from any thread. An informer runs once: after its stop it stays
    readable but does not start again (client-go §156).

    Attributes:
        name: unique within its factory: the resource, and its scope when that is not the factory's; of a second
            version of a resource that is watched in another already, also the version.
        resource: what it watches.
    """

    def __init__(
        self,
        controller: Controller,
        resource: Resource,
        *,
        convert: Callable[[KubeObject], T],
        default_resync_period: float = 0.0,
        handlers: Handlers | None = None,
    ) -> None:
        self.name = controller.name
        self.resource = resource
        self._controller = controller
        self._core = controller.core
        self._convert = convert
        self._default_resync_period = default_resync_period
        self._handlers = handlers or Handlers()

    def with_conversion(self, convert: Callable[[KubeObject], Any]) -> SharedIndexInformer[Any]:
        """The same informer, whose handlers and readers get what `convert` makes of a KubeObject."""
        return SharedIndexInformer(
            self._controller,
            self.resource,
            convert=convert,
            default_resync_period=self._default_resync_period,
            handlers=self._handlers,
        )

    def add_event_handler(
        self,
        handler: AnyEventHandler[T],
        resync_period: float | None = None,
        *,
        backlog: Backlog = DEFAULT_BACKLOG,
        filter: Filter | None = None,
        max_batch: int = MAX_BATCH,
    ) -> HandlerRegistration[T]:
        """Call `handler` for everything that is in the store and for every later change (client-go §141, §142).

        May be called at any time, also from a callback. Each registration has a thread of its own, on which it is
        called; a slow handler delays no other. A handler with coroutine functions has a task instead, on the event loop
        that runs now, or else where the informer is started: each call is awaited before the next one. The end of the
        informer by `shutdown` cancels a call that is under way; the end of the loop removes the handler.

        Args:
            handler: has `on_add(obj, is_in_initial_list)`, `on_update(old, new)` and `on_delete(obj)`; or
                `on_batch(events)`, which is called instead of them with a list of events. Each may be a coroutine
                function.
            resync_period: seconds after which the handler gets an update of each object with itself, again and again;
                None = the factory's period, 0 = never; below 1 it is raised to 1 (§129, §132). It counts also where
                the factory's period is 0 (unlike §131).
            backlog: (notifications, bytes) that may wait before they are merged per key, so that the handler still
                learns every object's state but not every step; "grow" = without bound, as in client-go.
            filter: what the handler wants to hear of, see `kubeinformer.filter`: evaluated in Rust, on the thread that
                writes the cache. It looks at the object as the cache has it, also for a typed informer.
            max_batch: how many events `on_batch` gets at most; no effect on other handlers.

        Returns:
            The registration, for `remove_event_handler` and `has_synced`.

        Raises:
            TypeError: `handler` lacks a method, `resync_period` or `max_batch` is no number, or `filter` no filter.
            ValueError: `resync_period` is negative, `max_batch` is below 1, or `backlog` is not as above.
            RuntimeError: the informer runs, and no event loop does, which a coroutine handler needs.
            Error: the informer is stopped (§143).
        """
        check_handler(handler)
        check_filter("filter", filter)
        check_max_batch(max_batch)
        period = self._resync_period(resync_period)
        listener = self._core.add_listener(resync_period=period, backlog=backlog_limits(backlog), filter=filter)
        if listener is None:
            raise Error(f"handler was not added to shared informer {self.name} because it has stopped already")
        registration = HandlerRegistration(
            self._core,
            listener,
            handler,
            self._convert,
            informer_name=self._controller.label,
            max_batch=max_batch,
            on_error=partial(self._controller.function_errors.count, "handler"),
        )
        try:
            self._handlers.add(registration)
        except RuntimeError:
            self._core.remove_listener(listener)
            raise
        return registration

    def add_event_handler_with_resync_period(
        self, handler: AnyEventHandler[T], resync_period: float
    ) -> HandlerRegistration[T]:
        """client-go's name for `add_event_handler(handler, resync_period)`."""
        return self.add_event_handler(handler, resync_period)

    def _resync_period(self, period: float | None) -> float:
        if period is None:
            period = self._default_resync_period
        check_period("resync_period", period)
        return max(period, MINIMUM_RESYNC_PERIOD) if period > 0 else 0.0

    def remove_event_handler(self, registration: HandlerRegistration[Any]) -> None:
        """Stop calling a handler. A call that is under way goes on; what waits is dropped (client-go §145, §146).

        May be called at any time, again and again, and from the handler itself. The registration of another informer
        is ignored.

        Raises:
            TypeError: not a registration.
        """
        if not isinstance(registration, HandlerRegistration):
            raise TypeError(f"registration must be what add_event_handler returned, not {registration!r}")
        self._controller.guard.check()
        self._handlers.remove(registration, self._core)

    def shut_down_event_handler(self, registration: HandlerRegistration[Any], timeout: float | None = None) -> bool:
        """Remove a handler and wait until it returned from the call that is under way (client-go §147).

        Args:
            registration: what `add_event_handler` returned.
            timeout: seconds to wait at most; None = for ever.

        Returns:
            Whether it has returned. Called from that handler, or on the event loop of a coroutine handler, it does not
            wait and may say False. A registration of another informer is left as it is, and not waited for.
        """
        self.remove_event_handler(registration)
        thread = registration.thread
        if registration.is_current():
            return False
        if thread.ident is not None and registration.is_of(self._core):
            thread.join(timeout)
        return not thread.is_alive()

    async def shut_down_event_handler_async(
        self, registration: HandlerRegistration[Any], timeout: float | None = None
    ) -> bool:
        """`shut_down_event_handler` for coroutines: does not block, and waits for coroutine handlers of this loop."""
        from kubeinformer.cache.in_thread import in_thread

        self.remove_event_handler(registration)
        shut_down = partial(self.shut_down_event_handler, registration, timeout)
        return await in_thread(f"shutdown-{self.name}", shut_down)

    def events(
        self,
        timeout: float | None = None,
        *,
        backlog: Backlog = DEFAULT_BACKLOG,
        filter: Filter | None = None,
    ) -> EventStream[T]:
        """Pull instead of push: everything that is in the store, then every change, from the moment of this call.

        To be read with `for` or `async for`.

        Args:
            timeout: seconds without an event after which the iteration ends; None = it ends when the informer stops.
            backlog: see `add_event_handler`.
            filter: see `add_event_handler`. What it keeps out is no event for `timeout` either.

        Raises:
            TypeError: `filter` is no filter.
            Error: the informer is stopped.
        """
        check_filter("filter", filter)
        listener = self._core.add_listener(backlog=backlog_limits(backlog), filter=filter)
        if listener is None:
            raise Error(f"informer {self.name} has stopped already")
        return EventStream(self._core, listener, self._convert, timeout)

    def enqueue(
        self,
        queue: Queue[str],
        key: Index | str | None = None,
        when: Filter | None = None,
        resync_period: float | None = None,
        *,
        priority: int = 0,
        low_priority: int = LOW_PRIORITY,
    ) -> EnqueueRegistration:
        """Put the keys of what is in the store, and of what changes, into a workqueue, straight from Rust.

        The queue gets what `add_event_handler(enqueue_handler(queue, key), filter=when)` would add to it, but no Python
        code is called for it and no thread runs: a key waits in the queue before it is a Python object, once however
        often it comes. Of an update the old state's keys are added too, so with the key of an owner the former owner
        hears of it. May be called at any time. A subclass's `add` is not called. A metrics provider is told of the
        adds when the queue is used next.

        Args:
            queue: where to.
            key: None = the object's `namespace/name`; else each value that this index has for an object, such as
                `index.controller_owner("ReplicaSet")` (controller-runtime's EnqueueRequestForOwner), a path, or
                `index.join(...)`. An object without a value adds nothing.
            when: what to hear of, see `kubeinformer.filter`.
            resync_period: see `add_event_handler`.
            priority: of changes.
            low_priority: of objects of the first list and of resyncs.

        Returns:
            The registration, to end it.

        Raises:
            TypeError: an argument is of a wrong type.
            ValueError: `resync_period` is negative, or the path does not parse.
            Error: the informer is stopped.
        """
        return EnqueueRegistration(
            self._core,
            self._controller.label,
            queue,
            key,
            when,
            priority=priority,
            low_priority=low_priority,
            resync_period=self._resync_period(resync_period),
        )

    def set_watch_error_handler(self, handler: WatchErrorHandler) -> None:
        """Call `handler(reflector, error)` on the reader's thread for each failure to list or watch (client-go §82).

        It hears of everything (unlike §81): lists and watches that fail, ERROR events, streams that break off, and why
        a watch-list was given up for LIST. The reader waits for it; what it raises is logged, and nothing is lost. The
        reflector tells its name, phase and resourceVersion. client-go's variant with a context is the same here.

        Args:
            handler: replaces the one that was set before.

        Raises:
            TypeError: it is not callable.
            Error: the informer has started.
        """
        if not callable(handler):
            raise TypeError(f"handler must be callable, not {type(handler).__name__}")
        self._controller.guard.check()
        with self._handlers.lock:
            if self._handlers.started:
                raise Error(f"informer {self.name} has already started")
            self._controller.watch_error_handler = handler

    def add_indexers(self, indexers: Mapping[str, str | Index | Callable[[T], Iterable[str]]]) -> None:
        """Add indices, before or after the start (client-go §21, §161).

        Args:
            indexers: name -> a path ("spec.nodeName") or a ready-made index of `kubeinformer.index`, evaluated in Rust,
                or a function that takes the object and returns a list of strings, which is called on the processor's
                thread, and for objects that are there on the caller's.

        Raises:
            ValueError: a name is taken (no index is added then), or a path does not parse.
            TypeError: an indexer is none of these.
            ClosedError: the informer is stopped.
        """
        self.indexer().add_indexers(indexers)

    def set_transform(self, transform: TransformFunc | Transform | None) -> None:
        """Change each object before the cache, index functions and handlers see it (client-go §82, §162).

        Before the start only; the last one set counts. Deleted objects' final state is transformed too; tombstones and
        resyncs give what is in the cache.

        Args:
            transform: `kubeinformer.transform.drop` or `keep`, evaluated in Rust while an object is read; or a function
                that takes the decoded object, a dict that it may change in place, and returns it, which is called on
                the processor's thread. It may not change namespace, name, uid or resourceVersion. Where it raises, what
                the cache had of the object stays, the error is in `transform_errors`, and the object is asked for
                again with a GET, with backoff (unlike §120). None = no transform.

        Raises:
            Error: the informer was started.
            TypeError: it is none of these.
        """
        self._controller.guard.check()
        with self._handlers.lock:
            if self._handlers.started:
                raise Error(f"informer has already started: {self.name}")
            self._controller.transforms.set(transform)

    def transform_errors(self) -> dict[str, BaseException]:
        """Key -> what the transform raised, until a later version of the object passes or it is gone."""
        return self._controller.transforms.errors()

    def indexer(self) -> SharedIndexer[T]:
        """Read access to store and indices."""
        return SharedIndexer(self._core, self._controller.index_functions, self._convert, str(self.resource))

    def memory(self) -> MemoryUsage:
        """What the informer keeps in memory now. Looks at no object; waits for the write of one batch at most.

        Snapshots that were taken, handles of objects and decoded data are not in it.
        """
        return MemoryUsage(*self._core.sizes())

    def store(self) -> SharedIndexer[T]:
        """The same as `indexer()` (client-go's GetStore)."""
        return self.indexer()

    def start(self, stop: threading.Event | None = None) -> bool:
        """Start the threads and return. Once; a second call changes nothing (client-go §156).

        Args:
            stop: when it is set the informer stops; None = `shutdown` does it.

        Returns:
            Whether this call started it.

        Raises:
            TypeError: `stop` is no event.
            RuntimeError: no event loop runs, and a coroutine handler was added where none did.
            ForkedError: it was made by the parent of this process.
        """
        check_stop(stop)
        self._core.is_stopped()
        controller = self._controller
        watch = None if stop is None else partial(StopWatcher, stop, controller.stop, self.name)
        return self._handlers.start(controller.start, watch)

    def run(self, stop: threading.Event | None = None) -> None:
        """Start, and block until `stop` is set and all threads have ended (client-go's Run).

        `stop()`, `shutdown()` and Ctrl-C in the main thread end it, too. If it was started before, it says so in the
        log and returns (§156).

        Args:
            stop: ends it when it is set; None = nothing but the above.

        Raises:
            TypeError: `stop` is no event.
            ForkedError: it was made by the parent of this process.
        """
        if not self.start(stop):
            reports.run_twice(self.name)
            return
        self._controller.wait_stopped(stop)
        self.shutdown()

    def stop(self) -> None:
        """Begin to stop: no wait. Readers, processor and handlers end; what waits is dropped (client-go §153)."""
        self._controller.stop()

    def shutdown(self, timeout: float | None = None) -> list[str]:
        """Stop and wait for the threads to end. Blocks for `timeout` seconds at most (None: for ever).

        Coroutine handlers are cancelled; on their event loop's own thread they are not waited for.

        Returns:
            Names of the threads that are still busy: handlers that have not returned. The calling thread is not
            waited for; two handlers that call this wait for each other, so give them a timeout.
        """
        self.stop()
        threads = self._handlers.close()
        threads += self._controller.threads()
        return [thread.name for thread in join(threads, timeout)]

    async def shutdown_async(self, timeout: float | None = None) -> list[str]:
        """`shutdown` for coroutines: it does not block, and waits for coroutine handlers of this loop, too."""
        from kubeinformer.cache.in_thread import in_thread

        return await in_thread(f"shutdown-{self.name}", partial(self.shutdown, timeout))

    def has_synced(self) -> bool:
        """Whether the first list of every source is in the store; never False again (client-go §150, §158)."""
        return self._core.has_synced()

    def has_synced_checker(self) -> SyncChecker:
        """`has_synced` for `wait_for`, which is then told of it at once. It says nothing about handlers (§150)."""
        return SyncChecker(self._controller.label, self.has_synced, self._wait_synced)

    def _wait_synced(self, timeout: float | None) -> bool | None:
        return self._core.wait_synced(timeout) or (False if self._core.is_stopped() else None)

    def wait_for_cache_sync(self, timeout: float | None = None) -> bool:
        """Block until it has synced, for `timeout` seconds at most (None: for ever), or is stopped; True iff it has."""
        return self._core.wait_synced(timeout)

    async def wait_for_cache_sync_async(self, timeout: float | None = None) -> bool:
        """`wait_for_cache_sync` for coroutines: it does not block, and uses no thread."""
        from kubeinformer.cache.loop_waker import LoopWaker

        return bool(await LoopWaker.running().wait(self._core.poll_synced, self._core.forget, timeout))

    def is_stopped(self) -> bool:
        """Whether it was stopped (client-go §157)."""
        return self._core.is_stopped()

    def last_sync_resource_version(self) -> str:
        """Version of what was received last; the store may be behind (client-go §123). "" before the first list."""
        return self._controller.last_sync_resource_version()

    def last_store_sync_resource_version(self, namespace: str | None = None) -> str:
        """Version of what is in the store: of the last change, list or bookmark written, in one cut with it (§27-§31).

        It goes back when a list or bookmark does: a restored server.

        Args:
            namespace: of an informer of several namespaces, whose version; None = the lowest of all, so that each is
                at or past it, "" while one has none.

        Returns:
            "" before the first list, and always where the queue is not "atomic" (§31).

        Raises:
            ValueError: the informer does not watch this namespace.
        """
        return self._core.resource_version(namespace)

    def wait_for_resource_version(
        self,
        resource_version: str,
        handlers: bool = False,
        timeout: float | None = None,
        namespace: str | None = None,
    ) -> bool:
        """Block until the store is at or past a version: read what you have written (client-go has no such call).

        Write an object, then wait for the `metadata.resourceVersion` that the server answered. Versions of one resource
        are compared as integers, which Kubernetes defines since 1.35; that of another resource says nothing here.

        An informer with a label or field selector, or of other namespaces than the one written to, is not told of every
        write: the next bookmark, after about a minute, or the next event of its own brings it past the version. With
        several namespaces, name the one that was written to.

        Args:
            resource_version: a decimal number without leading zeros; for "" and "0" there is nothing to wait for.
            handlers: also until every handler that is registered then has returned from all that led to the version.
                One that is removed meanwhile is not waited for. A handler that calls this is not waited for either;
                two that wait for each other end with their timeouts only. `events` streams are no handlers.
            timeout: seconds to wait at most; None = for ever.
            namespace: of an informer of several namespaces, the one whose store counts; None = all of them. An informer
                of the whole cluster takes any.

        Returns:
            False when the time is over or the informer stops before.

        Raises:
            ValueError: `resource_version` is no decimal number, or the informer does not watch this namespace.
            RuntimeError: the informer's queue is not "atomic" (see `ControllerOptions`), or this blocks the event loop
                of a coroutine handler that is to be waited for.
            ForkedError: it was made by the parent of this process.
        """
        return wait_for_resource_version(
            self._core, resource_version, self._handlers.copy if handlers else tuple, timeout, namespace
        )

    async def wait_for_resource_version_async(
        self,
        resource_version: str,
        handlers: bool = False,
        timeout: float | None = None,
        namespace: str | None = None,
    ) -> bool:
        """`wait_for_resource_version` for coroutines: it does not block, and uses no thread."""
        return await wait_for_resource_version_async(
            self._core, resource_version, self._handlers.copy if handlers else tuple, timeout, namespace
        )

    def status(self) -> InformerStatus:
        """What is known of it now: phase, errors, versions, counters, backlogs, memory; see `InformerStatus`.

        At any time, from any thread, also from handlers and signal handlers, before the start and after the end. It
        looks at no object and asks no server; it waits for the write of one batch at most.

        Raises:
            ForkedError: this is a forked child.
        """
        self._controller.guard.check()
        from kubeinformer.cache.status import informer_status

        # Without the lock: a signal handler may ask while its own thread holds it.
        handlers = self._handlers.registrations.copy()
        return informer_status(self.name, self.resource, self._controller, handlers)

    def is_live(self) -> bool:
        """Whether changes arrive at this moment: every source has listed and watches, or will a moment from now.

        For a readiness probe, not for a liveness probe. Where this is False the server is down, frozen or refuses, or
        the network is cut: a restart of the program mends none of that, all replicas would restart at once, and each
        would lose a cache that is old but whole, and list everything again as soon as the server is back. The informer
        recovers by itself.
        """
        return self._controller.is_live()

    def staleness(self) -> float:
        """Seconds since the server was last heard; infinite before the first list."""
        return self._controller.staleness()

    def last_error(self) -> LastError | None:
        """The failure that nothing has mended since, of the first source that has one; None when all is well."""
        return next(iter(self._controller.last_errors().values()), None)

    def last_errors(self) -> dict[str, LastError]:
        """The same by source: a namespace, or "" for the whole cluster."""
        return self._controller.last_errors()

    def index_errors(self) -> dict[str, dict[str, Exception]]:
        """Index -> key -> what the index function raised (unlike client-go §16, which ends the process)."""
        return self._controller.index_functions.errors()

    @property
    def controller(self) -> Controller:
        """Reflectors and processor."""
        return self._controller

    def __repr__(self) -> str:
        return f"<SharedIndexInformer {self.name}>"
