"""`MetadataSharedInformerFactory`: informers of metadata alone (client-go's metadatainformer).

Handlers and readers see PartialObjectMetadata, whatever the server sends: name, labels, annotations, owners and the
rest of `metadata`, under the apiVersion and kind of that type.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from kubeinformer._core import Filter, KubeObject, Transform
from kubeinformer.cache.controller import ControllerOptions, WatchErrorHandler
from kubeinformer.cache.identity import InformerName
from kubeinformer.cache.listers import GenericLister
from kubeinformer.cache.reflector_state import logger
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cache.transforms import TransformFunc
from kubeinformer.informers.dynamic import DynamicSharedInformerFactory
from kubeinformer.informers.generic import GenericInformer
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource
from kubeinformer.transport import OwnTransport, Transport, TransportName, make_transport
from kubeinformer.transport.metadata import MetadataTransport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

_KIND = "PartialObjectMetadata"


class MetadataSharedInformerFactory(DynamicSharedInformerFactory):
    """One informer for each resource and scope, which reads and keeps the metadata of its objects alone.

    A server that answers with whole objects all the same (an old aggregated one) is reported in the log, once for a
    resource. What handlers, listers and indexers give is cut then, while the cache holds whole objects; `list_json`,
    `project`, transforms and indices by path see those.
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
        made = make_transport(transport, api_client, user_agent=user_agent)
        self._own_transport = made if isinstance(made, OwnTransport) and made is not transport else None
        super().__init__(
            None,
            resync_period,
            namespaces,
            tweak_list_options,
            options=options,
            transport=MetadataTransport(made),
            custom_resync_config=custom_resync_config,
            watch_error_handler=watch_error_handler,
            name=name,
            transform=transform,
        )
        self._lock = threading.Lock()
        self._reported: set[str] = set()

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
    ) -> MetadataInformer:
        """See `DynamicSharedInformerFactory.for_resource`."""
        whole = super().for_resource(
            group_version,
            plural,
            namespaced=namespaced,
            namespaces=namespaces,
            label_selector=label_selector,
            field_selector=field_selector,
            filter=filter,
        )
        return MetadataInformer(whole.informer(), self._cut)

    def shutdown(self, timeout: float | None = None) -> list[str]:
        """See `SharedInformerFactory.shutdown`."""
        busy = super().shutdown(timeout)
        if self._own_transport is not None:
            self._own_transport.close()
        return busy

    def _cut(self, obj: KubeObject) -> KubeObject:
        if obj.kind == _KIND:
            return obj
        with self._lock:
            news = obj.resource not in self._reported
            self._reported.add(obj.resource)
        if news:
            logger.warning("%s: the server sends whole objects where metadata was asked for", obj.resource)
        cut = {"apiVersion": "meta.k8s.io/v1", "kind": _KIND, "metadata": obj.to_dict("metadata")}
        return KubeObject(orjson.dumps(cut), obj.resource)


class MetadataInformer(GenericInformer):
    """Informer and lister of the metadata of a resource."""

    def __init__(self, informer: SharedIndexInformer[KubeObject], cut: Callable[[KubeObject], KubeObject]) -> None:
        super().__init__(informer.with_conversion(cut))
        self._cut = cut

    def lister(self) -> GenericLister[KubeObject]:
        """Read access by namespace, key and label selector."""
        return GenericLister(self._informer._core, self._informer.resource, self._cut)
