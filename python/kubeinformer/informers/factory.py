"""`SharedInformerFactory`: one informer per resource and scope, started, awaited and stopped together.

The factory holds exactly one informer for each resource and scope that was asked for; it starts those that are not
started yet whenever `start` is called (client-go §172, §173).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kubeinformer._core import Filter, KubeObject, Transform
from kubeinformer.cache.arguments import check_period, check_stop
from kubeinformer.cache.controller import Controller, ControllerOptions, WatchErrorHandler
from kubeinformer.cache.conversion import unchanged
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.identity import InformerName
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cache.stopping import StopWatcher
from kubeinformer.cache.transforms import TransformFunc, checked
from kubeinformer.cache.waiting import wait_for_controllers, wait_for_controllers_async
from kubeinformer.errors import ClosedError, Error
from kubeinformer.informers.generated.groups import Groups
from kubeinformer.informers.generic import GenericInformer, ResourceInformer
from kubeinformer.informers.running import RunningFactory
from kubeinformer.informers.scope import Scope, checked_namespaces, informer_name, named_resource
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport import OwnTransport, Transport, TransportName, make_transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

    from kubeinformer.cache.status import FactoryStatus

R = TypeVar("R", bound="ResourceInformer[Any, Any, Any]")
T = TypeVar("T")

NewInformerFunc = Callable[[Transport, float], SharedIndexInformer[T]]
"""client-go's type of this name: makes an informer from a factory's transport and resync period."""


class SharedInformerFactory(Groups):
    """client-go's SharedInformerFactory, for built-in resources and any other.

    Methods may be called from any thread.
    """

    def __init__(
        self,
        api_client: ApiClient | Configuration | None = None,
        resync_period: float = 0,
        namespaces: Sequence[str] | None = None,
        tweak_list_options: Callable[[ListOptions], object] | None = None,
        user_agent: str | None = None,
        *,
        options: ControllerOptions | None = None,
        transport: Transport | TransportName = "auto",
        custom_resync_config: Mapping[Resource | str, float] | None = None,
        watch_error_handler: WatchErrorHandler | None = None,
        name: InformerName | None = None,
        transform: TransformFunc | Transform | None = None,
    ) -> None:
        """Make a factory; nothing is sent before `start`.

        Args:
            api_client: the kubernetes package's client: its address, TLS settings, proxy and credentials are used, the
                credentials afresh for each request. Also a `Configuration` for one; None = `ApiClient()`.
            resync_period: seconds between resyncs of handlers that name no period of their own; 0 = none.
            namespaces: names; each gets a list/watch of its own. None = the whole cluster. Resources without
                namespaces ignore it.
            tweak_list_options: called with the options of each LIST and WATCH, on a reader thread, to change them
                in place (client-go §178). If it raises, the request is put off and tried again.
            user_agent: User-Agent of this factory's requests; None = the client's.
            options: how informers read, store and compare.
            transport: what sends the requests: "native", the Rust core's own client; "python", urllib3; "auto", the
                native one wherever it can be used, see `kubeinformer.transport.AutoTransport`; or a transport of one's
                own instead of one made from `api_client`.
            transform: for all informers of this factory (client-go's WithTransform); see
                `SharedIndexInformer.set_transform`, which replaces it for one.
            custom_resync_config: instead of `resync_period`, for some resources: seconds by `Resource` or by name
                ("pods", "deployments.apps").
            watch_error_handler: see `SharedIndexInformer.set_watch_error_handler`; for every informer.
            name: identity of the informers, put before their names in threads and logs; `shutdown` releases it.

        Raises:
            TypeError: an argument is of a wrong type, such as a string for `namespaces`; the message names it.
            ValueError: a resync period is negative, a namespace is empty or named twice, or `transport` is "native" and
                the client has settings that it cannot do; the message names them.
        """
        periods = {"resync_period": resync_period}
        self._custom_resync: dict[str, float] = {}
        for resource, period in (custom_resync_config or {}).items():
            periods[f"custom_resync_config[{resource}]"] = period
            self._custom_resync[resource if isinstance(resource, str) else str(resource)] = period
        for argument, period in periods.items():
            check_period(argument, period)
        if watch_error_handler is not None and not callable(watch_error_handler):
            raise TypeError("watch_error_handler must be callable")
        if tweak_list_options is not None and not callable(tweak_list_options):
            raise TypeError("tweak_list_options must be callable")
        if not isinstance(options, ControllerOptions | None):
            raise TypeError(f"options must be a ControllerOptions or None, not {type(options).__name__}")
        if not isinstance(name, InformerName | None):
            raise TypeError(f"name must be an InformerName or None, not {type(name).__name__}")
        checked(transform)
        self._transport = made = make_transport(transport, api_client, user_agent=user_agent)
        self._own_transport = made if isinstance(made, OwnTransport) and made is not transport else None
        self._resync_period = resync_period
        self._namespaces = checked_namespaces(namespaces)
        self._tweak_list_options = tweak_list_options
        self._transform = transform
        self._options = options or ControllerOptions()
        self._watch_error_handler = watch_error_handler
        self._informer_name = name
        self._guard = ForkGuard("this factory")
        self._lock = threading.Lock()
        self._informers: dict[tuple[Resource, Scope], SharedIndexInformer[Any]] = {}
        self._started: set[tuple[Resource, Scope]] = set()
        self._watchers: dict[int, StopWatcher] = {}
        self._running = False
        self._running_stop: threading.Event | None = None
        self._shut_down = False

    def _resource_informer(
        self,
        cls: type[R],
        *,
        namespaces: Sequence[str] | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        filter: Filter | None = None,
    ) -> R:
        return cls(self._informer(cls.resource, namespaces, label_selector, field_selector, filter))

    def for_resource(
        self,
        group_version: str,
        plural: str,
        *,
        namespaced: bool = True,
        namespaces: Sequence[str] | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        filter: Filter | None = None,
    ) -> GenericInformer:
        """Informer and lister of any resource, custom ones included; nothing is asked of the server now.

        Args:
            group_version: "group/version", or "v1" for the core group.
            plural: plural name, as in URLs.
            namespaced: whether its objects live in namespaces.
            namespaces: instead of the factory's.
            label_selector: beside the factory's options.
            field_selector: beside the factory's options.
            filter: what the cache holds of that, see `kubeinformer.filter`. The server sends everything, and what the
                filter does not accept, as the server sent it, is not kept: for readers and handlers it is not there. An
                object that begins to be accepted is new, one that ceases to be is deleted, with the last state that
                was accepted as its final one, as in a watch with a selector. A filter costs no memory for what it
                rejects; a selector, where the server knows it, saves the traffic too.

        Raises:
            ValueError: an argument does not name a resource, `namespaces` are given for one that has none, or `filter`
                has a `changed` in it.
            TypeError: `namespaces`, a selector or `filter` is of a wrong type.
        """
        self._guard.check()
        resource = named_resource(group_version, plural, namespaced)
        return GenericInformer(self._informer(resource, namespaces, label_selector, field_selector, filter))

    def _informer(
        self,
        resource: Resource,
        namespaces: Sequence[str] | None,
        label_selector: str | None,
        field_selector: str | None,
        filter: Filter | None,
    ) -> SharedIndexInformer[KubeObject]:
        self._guard.check()
        own = checked_namespaces(namespaces)
        if own is not None and not resource.namespaced:
            raise ValueError(f"namespaces must be None: {resource} has none")
        default = self._namespaces if resource.namespaced else None
        scope = Scope(own or default, label_selector, field_selector, filter)
        with self._lock:
            informer = self._informers.get((resource, scope))
            if informer is not None:
                return informer
            controller = Controller(
                self._transport,
                resource,
                namespaces=scope.namespaces,
                list_options=lambda: self._list_options(scope),
                filter=filter,
                name=informer_name(resource, scope.suffix(default), {other.name for other in self._informers.values()}),
                options=self._options,
                identity=None if self._informer_name is None else self._informer_name.with_resource(resource),
            )
            controller.watch_error_handler = self._watch_error_handler
            informer = SharedIndexInformer(
                controller, resource, convert=unchanged, default_resync_period=self._resync_period_of(resource)
            )
            informer.set_transform(self._transform)
            self._informers[(resource, scope)] = informer
            running = self._running
        if running:
            self.start(self._running_stop)
        return informer

    def informer_for(self, resource: Resource, new_informer: NewInformerFunc[T]) -> SharedIndexInformer[T]:
        """The factory's informer of a resource, in the factory's scope: if there is none yet, one's own (§172).

        It is started, awaited and stopped with the others, and is what the resource's accessor and `for_resource` give.

        Args:
            resource: what it watches; only group, version and plural name count, and whether it is namespaced.
            new_informer: called when there is none, on this thread, with the factory's transport and the resync period
                of this resource. Where two threads call at the same time, one informer is dropped, unstarted. It gets
                the factory's transform and watch error handler, if there are any, in place of its own.

        Raises:
            TypeError: `new_informer` gave no informer.
            ValueError: the informer has the name of another one.
            Error: it has started, and the factory has a transform or a watch error handler for it.
        """
        self._guard.check()
        key = self._key(resource)
        with self._lock:
            known = self._informers.get(key)
        if known is None:
            made = new_informer(self._transport, self._resync_period_of(resource))
            if not isinstance(made, SharedIndexInformer):
                raise TypeError(f"new_informer must return a SharedIndexInformer, not {type(made).__name__}")
            if self._transform is not None:
                made.set_transform(self._transform)
            if self._watch_error_handler is not None:
                made.set_watch_error_handler(self._watch_error_handler)
            with self._lock:
                known = self._informers.get(key)
                if known is None:
                    if any(made.name == other.name for other in self._informers.values()):
                        raise ValueError(f"the factory has an informer of the name {made.name!r} already")
                    known = self._informers[key] = made
                running = self._running
            if running:
                self.start(self._running_stop)
        return cast("SharedIndexInformer[T]", known)

    def _key(self, resource: Resource) -> tuple[Resource, Scope]:
        resource = named_resource(resource.api_version, resource.plural, resource.namespaced)
        return resource, Scope(self._namespaces if resource.namespaced else None)

    def _resync_period_of(self, resource: Resource) -> float:
        periods = self._custom_resync
        return periods.get(str(resource), periods.get(resource.group_resource, self._resync_period))

    def _list_options(self, scope: Scope) -> ListOptions:
        options = ListOptions()
        if self._tweak_list_options is not None:
            self._tweak_list_options(options)
        return scope.narrow(options)

    def start(self, stop: threading.Event | None = None) -> None:
        """Start every informer that was asked for and does not run yet, and return (client-go §173).

        After `shutdown` it does nothing.

        Args:
            stop: when it is set, all informers of this factory stop; also if it was set before. None = `shutdown` stops
                them.

        Raises:
            TypeError: `stop` is no event.
            RuntimeError: no event loop runs, and a coroutine handler was added where none did.
            ForkedError: the factory was made by the parent of this process.
        """
        self._guard.check()
        with self._lock:
            if self._shut_down:
                return
            # The watcher of an event that is set may be past looking at the informers.
            if stop is not None and (id(stop) not in self._watchers or stop.is_set()):
                self._watchers[id(stop)] = StopWatcher(stop, self._stop_all, "factory")
            for key, informer in self._informers.items():
                if key not in self._started:
                    informer.start()
                    self._started.add(key)

    def _stop_all(self) -> None:
        with self._lock:
            informers = list(self._informers.values())
        for informer in informers:
            informer.stop()

    def wait_for_cache_sync(
        self, stop: threading.Event | None = None, timeout: float | None = None, *, fail_fast: bool = True
    ) -> dict[str, bool]:
        """Block until every started informer has synced (client-go §175).

        Args:
            stop: ends the wait when it is set.
            timeout: seconds to wait at most; None = for ever.
            fail_fast: give up when the server keeps answering 401, 403 or 404 to one of them.

        Returns:
            Whether it has synced, by informer name; values are False only when `stop` was set or the factory stopped.

        Raises:
            CacheSyncTimeoutError: the time is over, or the server refuses; it names informers and errors.
            TypeError: `stop` is no event.
            ForkedError: the factory was made by the parent of this process.
        """
        self._guard.check()
        check_stop(stop)
        return wait_for_controllers(self._started_controllers(), stop, timeout, fail_fast=fail_fast)

    async def wait_for_cache_sync_async(
        self, timeout: float | None = None, *, fail_fast: bool = True
    ) -> dict[str, bool]:
        """`wait_for_cache_sync` for coroutines: it does not block, and uses no thread. A stop of the factory ends it.

        Args:
            timeout: seconds to wait at most; None = for ever.
            fail_fast: see `wait_for_cache_sync`.

        Raises:
            CacheSyncTimeoutError: the time is over, or the server refuses; it names informers and errors.
            ForkedError: the factory was made by the parent of this process.
        """
        self._guard.check()
        return await wait_for_controllers_async(self._started_controllers(), timeout, fail_fast=fail_fast)

    def status(self) -> FactoryStatus:
        """What is known of each informer at this moment, see `SharedIndexInformer.status`; by its name.

        `status().is_live` is for a readiness probe, not for a liveness probe: see `SharedIndexInformer.is_live`.

        Raises:
            ForkedError: the factory was made by the parent of this process.
        """
        self._guard.check()
        from kubeinformer.cache.status import FactoryStatus

        # Without the lock: a signal handler may ask while its own thread holds it.
        informers = self._informers.copy().values()
        return FactoryStatus({informer.name: informer.status() for informer in informers})

    def _started_controllers(self) -> dict[str, Controller]:
        with self._lock:
            started = [informer for key, informer in self._informers.items() if key in self._started]
        return {informer.name: informer.controller for informer in started}

    def shutdown(self, timeout: float | None = None) -> list[str]:
        """Stop every informer, wait for all threads to end, close connections (client-go §174). Any number of times.

        The factory's `InformerName` is released. A handler that calls it is not waited for; two that do wait for each
        other, so give them a timeout.

        Args:
            timeout: seconds to wait at most; None = until the last handler has returned.

        Returns:
            Names of the threads that are still busy.

        Raises:
            ForkedError: the factory was made by the parent of this process.
        """
        self._guard.check()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._shut_down = True
            self._running = False
            watchers, self._watchers = list(self._watchers.values()), {}
            informers = list(self._informers.values())
        for informer in informers:
            informer.stop()
        for watcher in watchers:
            watcher.close()
        busy: list[str] = []
        for informer in informers:
            busy += informer.shutdown(None if deadline is None else max(0.0, deadline - time.monotonic()))
        for watcher in watchers:
            if watcher.thread is not threading.current_thread():
                watcher.thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        if self._own_transport is not None:
            self._own_transport.close()
        if self._informer_name is not None:
            self._informer_name.release()
        return busy

    async def shutdown_async(self, timeout: float | None = None) -> list[str]:
        """`shutdown` for coroutines: it does not block, and waits for coroutine handlers of this loop, too.

        When it is cancelled, the shutdown goes on.
        """
        from kubeinformer.cache.in_thread import in_thread

        return await in_thread("shutdown-factory", partial(self.shutdown, timeout))

    def release(self, informer: SharedIndexInformer[Any], timeout: float | None = None) -> list[str]:
        """Stop one informer and forget it: the next one asked for is new.

        Args:
            informer: of this factory.
            timeout: seconds to wait for its threads; None = until they have ended.

        Returns:
            Names of the threads that are still busy.

        Raises:
            Error: it is not one of this factory's.
        """
        self._guard.check()
        with self._lock:
            keys = [key for key, own in self._informers.items() if own.controller is informer.controller]
            if not keys:
                raise Error(f"{informer!r} is not an informer of this factory")
            del self._informers[keys[0]]
            self._started.discard(keys[0])
        identity = informer.controller.identity
        if identity is not None:
            identity.release()
        return informer.shutdown(timeout)

    def running(
        self, timeout: float | None = None, stop: threading.Event | None = None, *, fail_fast: bool = True
    ) -> RunningFactory:
        """Start, wait for the caches, and shut down at the end of the block: for `with` and `async with`.

        An informer that is asked for inside is started at once; wait for it with `wait_for_cache_sync`. `async with`
        blocks nothing. It ends when all handlers have returned; calls of coroutine handlers are cancelled.

        Args:
            timeout: seconds to wait for the caches; None = for ever.
            stop: see `start`.
            fail_fast: see `wait_for_cache_sync`.

        Raises:
            CacheSyncTimeoutError: see `wait_for_cache_sync`.
            ClosedError: the factory was shut down before, as it is after such a block.
            TypeError: `stop` is no event.
        """
        self._guard.check()
        check_stop(stop)
        return RunningFactory(self, timeout, stop, fail_fast)

    def start_running(self, stop: threading.Event | None) -> None:
        """Start as `running` does: what is asked for later is started at once.

        Raises:
            ClosedError: the factory was shut down before.
        """
        self._guard.check()
        with self._lock:
            if self._shut_down:
                raise ClosedError("the factory was shut down: make a new one")
            self._running, self._running_stop = True, stop
        self.start(stop)
