"""kubeinformer: client-go's informers for Python, on a Rust core.

A `SharedInformerFactory` makes informers; an informer keeps a cache of a resource in sync with the API server, tells
handlers what changes, and answers listers and indices from the cache.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kubeinformer import cache, index, transform
from kubeinformer._core import (
    Event,
    Filter,
    Index,
    JSONMapping,
    JSONSequence,
    KubeObject,
    Selector,
    after_fork_in_child,
)
from kubeinformer._lazy import lazily
from kubeinformer.cache.batch_handler import ResourceEventBatchHandler, ResourceEventBatchHandlerFunc
from kubeinformer.cache.controller import ControllerOptions
from kubeinformer.cache.enqueueing import EnqueueRegistration
from kubeinformer.cache.event_handler import (
    ResourceEventHandler,
    ResourceEventHandlerDetailedFuncs,
    ResourceEventHandlerFuncs,
)
from kubeinformer.cache.event_stream import EventStream
from kubeinformer.cache.filtering_handler import FilteringResourceEventHandler
from kubeinformer.cache.identity import InformerName
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown
from kubeinformer.cache.waiting import (
    SyncResult,
    wait_for,
    wait_for_async,
    wait_for_cache_sync,
    wait_for_named_cache_sync,
)
from kubeinformer.errors import (
    APIStatusError,
    CacheSyncTimeoutError,
    ClosedError,
    DecodeError,
    Error,
    ForkedError,
    IndexNotFoundError,
    ModelError,
    NotFoundError,
    ObjectKeyError,
    TooLargeError,
    TransactionError,
    TransportError,
)
from kubeinformer.informers.factory import SharedInformerFactory
from kubeinformer.options import ListOptions
from kubeinformer.resource import Resource

if TYPE_CHECKING:
    from kubeinformer import filter as filter
    from kubeinformer import metrics as metrics
    from kubeinformer import workqueue
    from kubeinformer.cache.status import FactoryStatus, HandlerStatus, InformerStatus, SourceStatus
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "FactoryStatus": "cache.status",
            "HandlerStatus": "cache.status",
            "InformerStatus": "cache.status",
            "SourceStatus": "cache.status",
            "filter": None,
            "metrics": None,
            "workqueue": None,
        },
    )

os.register_at_fork(after_in_child=after_fork_in_child)
# Also what makes `match` take them apart.
Mapping.register(KubeObject)
Mapping.register(JSONMapping)
Sequence.register(JSONSequence)

__version__ = "0.1.0"

__all__ = [
    "APIStatusError",
    "CacheSyncTimeoutError",
    "ClosedError",
    "ControllerOptions",
    "DecodeError",
    "DeletedFinalStateUnknown",
    "EnqueueRegistration",
    "Error",
    "Event",
    "EventStream",
    "FactoryStatus",
    "Filter",
    "FilteringResourceEventHandler",
    "ForkedError",
    "HandlerRegistration",
    "HandlerStatus",
    "Index",
    "IndexNotFoundError",
    "InformerName",
    "InformerStatus",
    "JSONMapping",
    "JSONSequence",
    "KubeObject",
    "ListOptions",
    "ModelError",
    "NotFoundError",
    "ObjectKeyError",
    "Resource",
    "ResourceEventBatchHandler",
    "ResourceEventBatchHandlerFunc",
    "ResourceEventHandler",
    "ResourceEventHandlerDetailedFuncs",
    "ResourceEventHandlerFuncs",
    "Selector",
    "SharedIndexInformer",
    "SharedInformerFactory",
    "SourceStatus",
    "SyncResult",
    "TooLargeError",
    "TransactionError",
    "TransportError",
    "cache",
    "index",
    "transform",
    "wait_for",
    "wait_for_async",
    "wait_for_cache_sync",
    "wait_for_named_cache_sync",
    "workqueue",
]
