"""`DynamicSharedInformerFactory`: informers by group, version and plural name (client-go's dynamicinformer).

It is a `SharedInformerFactory` that knows resources by what they are called alone: no accessors, no models.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from kubeinformer._core import Filter, Transform
from kubeinformer.cache.controller import ControllerOptions, WatchErrorHandler
from kubeinformer.cache.identity import InformerName
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cache.transforms import TransformFunc
from kubeinformer.informers.factory import SharedInformerFactory
from kubeinformer.informers.generic import GenericInformer
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport import Transport, TransportName

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration


class DynamicSharedInformerFactory:
    """One informer for each resource and scope, of any kind; objects are KubeObjects.

    Methods may be called from any thread. For arguments, what they block on and what they raise, see
    `SharedInformerFactory`.
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
        self._factory = SharedInformerFactory(
            api_client,
            resync_period,
            namespaces,
            tweak_list_options,
            user_agent,
            options=options,
            transport=transport,
            custom_resync_config=custom_resync_config,
            watch_error_handler=watch_error_handler,
            name=name,
            transform=transform,
        )

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
        """Informer and lister; whether the server knows the resource shows when it is listed (client-go §183).

        Args:
            group_version: "group/version", or "v1" for the core group.
            plural: plural name, as in URLs.
            namespaced: False = `namespaces` do not apply; of a built-in resource it is known.
            namespaces: instead of the factory's.
            label_selector: beside the factory's options.
            field_selector: beside the factory's options.
            filter: what the cache holds of that; see `SharedInformerFactory.for_resource`.
        """
        return self._factory.for_resource(
            group_version,
            plural,
            namespaced=namespaced,
            namespaces=namespaces,
            label_selector=label_selector,
            field_selector=field_selector,
            filter=filter,
        )

    def start(self, stop: threading.Event | None = None) -> None:
        """Start every informer that was asked for and does not run yet, and return."""
        self._factory.start(stop)

    def wait_for_cache_sync(
        self, stop: threading.Event | None = None, timeout: float | None = None, *, fail_fast: bool = True
    ) -> dict[str, bool]:
        """Block until every started informer has synced; the answer says which have, by informer name."""
        return self._factory.wait_for_cache_sync(stop, timeout, fail_fast=fail_fast)

    def shutdown(self, timeout: float | None = None) -> list[str]:
        """Stop every informer and wait for all threads to end; names of those that are still busy."""
        return self._factory.shutdown(timeout)

    def release(self, informer: SharedIndexInformer[Any], timeout: float | None = None) -> list[str]:
        """Stop one informer and forget it."""
        return self._factory.release(informer, timeout)

    @contextmanager
    def running(
        self, timeout: float | None = None, stop: threading.Event | None = None, *, fail_fast: bool = True
    ) -> Iterator[Self]:
        """Start, wait for the caches, and shut down at the end of the block."""
        try:
            with self._factory.running(timeout, stop, fail_fast=fail_fast):
                yield self
        finally:
            self.shutdown()
