"""Informers that belong to no factory (client-go's NewSharedIndexInformer, NewInformer and NewIndexerInformer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubeinformer._core import Index, KubeObject, Transform
from kubeinformer.cache.arguments import check_period
from kubeinformer.cache.controller import Controller, ControllerOptions
from kubeinformer.cache.conversion import unchanged
from kubeinformer.cache.event_handler import AnyEventHandler
from kubeinformer.cache.index_functions import IndexFunc
from kubeinformer.cache.list_watch import ListWatch
from kubeinformer.cache.shared_indexer import SharedIndexer
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cache.transforms import TransformFunc
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport import make_transport
from kubeinformer.transport.base import Transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Indexers = Mapping[str, str | Index | IndexFunc]


def new_shared_index_informer(
    list_watch: Transport | ApiClient,
    resource: Resource,
    resync_period: float = 0,
    indexers: Indexers | None = None,
    *,
    namespaces: Sequence[str] | None = None,
    name: str = "",
    options: ControllerOptions | None = None,
    transform: TransformFunc | Transform | None = None,
) -> SharedIndexInformer[KubeObject]:
    """An informer that belongs to no factory; nothing is asked before its `start` or `run`.

    Args:
        list_watch: a `ListWatch`, or an ApiClient (or transport), whose collection of the resource is then watched.
        resource: what its objects are.
        resync_period: seconds between resyncs of handlers that name no period of their own; 0 = none.
        indexers: see `SharedIndexInformer.add_indexers`; there always is "namespace".
        namespaces: with an ApiClient, names that get a list/watch each; None = the whole cluster, or what the
            functions of a `ListWatch` list.
        name: for threads and logs; "" = `plural.group`.
        options: how it reads, stores and compares.
        transform: see `SharedIndexInformer.set_transform`.

    Raises:
        TypeError: `list_watch` is none of these, `namespaces` is a string, or an indexer is none.
        ValueError: `resync_period` is negative, a namespace is empty or named twice, there are `namespaces` with a
            `ListWatch`, or a path of an index does not parse.
    """
    check_period("resync_period", resync_period)
    if isinstance(namespaces, str):
        raise TypeError(f"namespaces must be a sequence of names, not a string: [{namespaces!r}]")
    if namespaces is not None and (not namespaces or not all(namespaces) or len(set(namespaces)) < len(namespaces)):
        raise ValueError(f"namespaces must be names, each once, or None for the whole cluster: {[*namespaces]}")
    controller = Controller(
        to_transport(list_watch, scoped=namespaces is not None),
        resource,
        namespaces=namespaces,
        list_options=ListOptions,
        name=name or resource.group_resource,
        options=options or ControllerOptions(),
    )
    informer = SharedIndexInformer(controller, resource, convert=unchanged, default_resync_period=resync_period)
    informer.set_transform(transform)
    if indexers:
        informer.add_indexers(indexers)
    return informer


def new_informer(
    list_watch: Transport | ApiClient,
    resource: Resource,
    resync_period: float,
    handler: AnyEventHandler[KubeObject],
    *,
    name: str = "",
    options: ControllerOptions | None = None,
    transform: TransformFunc | Transform | None = None,
) -> tuple[SharedIndexer[KubeObject], Controller]:
    """A store that follows the server, and the controller that makes it do so and calls one handler.

    The handler runs on a thread of its own, as every handler does, so it may be behind the store (client-go calls it on
    the controller's own goroutine, and a panic in it ends the process, §74).

    Args:
        list_watch: see `new_shared_index_informer`, as for the rest.
        resource: what its objects are.
        resync_period: seconds after which the handler gets an update of each object with itself; 0 = never.
        handler: see `SharedIndexInformer.add_event_handler`.
        name: for threads and logs.
        options: how it reads, stores and compares.
        transform: see `SharedIndexInformer.set_transform`.

    Returns:
        The store, for reading, and the controller: `run(stop)` starts it; its `has_synced` is True when the handler has
        seen the first list.

    Raises:
        TypeError: see `new_shared_index_informer`; or the handler lacks a method.
        ValueError: `resync_period` is negative.
    """
    return new_indexer_informer(
        list_watch, resource, resync_period, handler, {}, name=name, options=options, transform=transform
    )


def new_indexer_informer(
    list_watch: Transport | ApiClient,
    resource: Resource,
    resync_period: float,
    handler: AnyEventHandler[KubeObject],
    indexers: Indexers,
    *,
    name: str = "",
    options: ControllerOptions | None = None,
    transform: TransformFunc | Transform | None = None,
) -> tuple[SharedIndexer[KubeObject], Controller]:
    """The same with indices: see `new_informer`, and `SharedIndexInformer.add_indexers` for `indexers`."""
    informer = new_shared_index_informer(
        list_watch, resource, resync_period, indexers, name=name, options=options, transform=transform
    )
    registration = informer.add_event_handler(handler)
    informer.controller.include(registration)
    return informer.indexer(), informer.controller


def to_transport(list_watch: Transport | ApiClient, *, scoped: bool = False) -> Transport:
    """What sends requests for this: itself, or for an ApiClient a transport of its own.

    Args:
        list_watch: see `new_shared_index_informer`.
        scoped: a namespace is asked for, of which the functions of a `ListWatch` hear nothing.
    """
    source: Any = list_watch
    if scoped and isinstance(source, ListWatch):
        raise ValueError("the functions of a ListWatch choose what they list: namespaces have no use beside it")
    if hasattr(source, "request") and hasattr(source, "capabilities"):
        transport: Transport = source
        return transport
    if hasattr(source, "configuration") and hasattr(source, "update_params_for_auth"):
        return make_transport("auto", source)
    raise TypeError(f"list_watch must be a ListWatch, a transport or an ApiClient, not {type(source).__name__}")
