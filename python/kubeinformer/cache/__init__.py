"""client-go's tools/cache: stores, queues, reflectors and informers, usable on their own.

`Indexer`, `ThreadSafeStore`, `DeltaFIFO` and `RealFIFO` hold any Python objects and need no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeinformer._core import DeltaFIFO, Event, Indexer, RealFIFO, ThreadSafeStore
from kubeinformer._lazy import lazily
from kubeinformer.cache.batch_handler import ResourceEventBatchHandler, ResourceEventBatchHandlerFunc
from kubeinformer.cache.controller import Controller, ControllerOptions, WatchErrorHandler
from kubeinformer.cache.done_checker import DoneChecker, is_done
from kubeinformer.cache.enqueueing import EnqueueRegistration
from kubeinformer.cache.event_handler import (
    ResourceEventHandler,
    ResourceEventHandlerDetailedFuncs,
    ResourceEventHandlerFuncs,
)
from kubeinformer.cache.event_stream import EventStream
from kubeinformer.cache.filtering_handler import FilteringResourceEventHandler
from kubeinformer.cache.identity import InformerName, InformerNameAndResource
from kubeinformer.cache.indexer_snapshot import IndexerSnapshot
from kubeinformer.cache.keys import (
    NAMESPACE_INDEX,
    ExplicitKey,
    deletion_handling_meta_namespace_key_func,
    index_func_to_key_func_adapter,
    meta_namespace_index_func,
    meta_namespace_key_func,
    split_meta_namespace_key,
)
from kubeinformer.cache.listers import GenericLister
from kubeinformer.cache.memory import MemoryUsage
from kubeinformer.cache.object_name import (
    ObjectName,
    deletion_handling_object_to_name,
    object_to_name,
    parse_object_name,
)
from kubeinformer.cache.reflector import Reflector
from kubeinformer.cache.reflector_state import LastError, Phase, ReflectorCounters
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.cache.shared_indexer import SharedIndexer
from kubeinformer.cache.shared_informer import SharedIndexInformer
from kubeinformer.cache.tombstone import DeletedFinalStateUnknown
from kubeinformer.cache.transforms import TransformFunc
from kubeinformer.cache.waiting import (
    SyncResult,
    wait_for,
    wait_for_async,
    wait_for_cache_sync,
    wait_for_named_cache_sync,
)

if TYPE_CHECKING:
    from kubeinformer.cache.deltas import BookmarkInfo, ReplacedAllInfo, SyncAllInfo
    from kubeinformer.cache.expiration_cache import (
        ExpirationCache,
        ExpirationPolicy,
        TimestampedEntry,
        TTLPolicy,
        new_ttl_store,
    )
    from kubeinformer.cache.list_watch import ListWatch
    from kubeinformer.cache.mutation_cache import MutationCache, new_integer_resource_version_mutation_cache
    from kubeinformer.cache.new_informers import new_indexer_informer, new_informer, new_shared_index_informer
    from kubeinformer.cache.pager import ListPager
    from kubeinformer.cache.reflector_store import (
        ReflectorStore,
        new_namespace_keyed_indexer_and_reflector,
        new_reflector,
    )
    from kubeinformer.cache.status import (
        FactoryStatus,
        HandlerStatus,
        InformerStatus,
        ProcessingLatency,
        SourceStatus,
    )
    from kubeinformer.cache.undelta_store import UndeltaStore
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "BookmarkInfo": "deltas",
            "ReplacedAllInfo": "deltas",
            "SyncAllInfo": "deltas",
            "ExpirationCache": "expiration_cache",
            "ExpirationPolicy": "expiration_cache",
            "TimestampedEntry": "expiration_cache",
            "TTLPolicy": "expiration_cache",
            "new_ttl_store": "expiration_cache",
            "ListWatch": "list_watch",
            "MutationCache": "mutation_cache",
            "new_integer_resource_version_mutation_cache": "mutation_cache",
            "new_indexer_informer": "new_informers",
            "new_informer": "new_informers",
            "new_shared_index_informer": "new_informers",
            "ListPager": "pager",
            "ReflectorStore": "reflector_store",
            "new_namespace_keyed_indexer_and_reflector": "reflector_store",
            "new_reflector": "reflector_store",
            "FactoryStatus": "status",
            "HandlerStatus": "status",
            "InformerStatus": "status",
            "ProcessingLatency": "status",
            "SourceStatus": "status",
            "UndeltaStore": "undelta_store",
        },
    )

Store = Indexer
"""client-go's Store is an Indexer of which only the store's methods are used."""

__all__ = [
    "NAMESPACE_INDEX",
    "BookmarkInfo",
    "Controller",
    "ControllerOptions",
    "DeletedFinalStateUnknown",
    "DeltaFIFO",
    "DoneChecker",
    "EnqueueRegistration",
    "Event",
    "EventStream",
    "ExpirationCache",
    "ExpirationPolicy",
    "ExplicitKey",
    "FactoryStatus",
    "FilteringResourceEventHandler",
    "GenericLister",
    "HandlerRegistration",
    "HandlerStatus",
    "Indexer",
    "IndexerSnapshot",
    "InformerName",
    "InformerNameAndResource",
    "InformerStatus",
    "LastError",
    "ListPager",
    "ListWatch",
    "MemoryUsage",
    "MutationCache",
    "ObjectName",
    "Phase",
    "ProcessingLatency",
    "RealFIFO",
    "Reflector",
    "ReflectorCounters",
    "ReflectorStore",
    "ReplacedAllInfo",
    "ResourceEventBatchHandler",
    "ResourceEventBatchHandlerFunc",
    "ResourceEventHandler",
    "ResourceEventHandlerDetailedFuncs",
    "ResourceEventHandlerFuncs",
    "SharedIndexInformer",
    "SharedIndexer",
    "SourceStatus",
    "Store",
    "SyncAllInfo",
    "SyncResult",
    "TTLPolicy",
    "ThreadSafeStore",
    "TimestampedEntry",
    "TransformFunc",
    "UndeltaStore",
    "WatchErrorHandler",
    "deletion_handling_meta_namespace_key_func",
    "deletion_handling_object_to_name",
    "index_func_to_key_func_adapter",
    "is_done",
    "meta_namespace_index_func",
    "meta_namespace_key_func",
    "new_indexer_informer",
    "new_informer",
    "new_integer_resource_version_mutation_cache",
    "new_namespace_keyed_indexer_and_reflector",
    "new_reflector",
    "new_shared_index_informer",
    "new_ttl_store",
    "object_to_name",
    "parse_object_name",
    "split_meta_namespace_key",
    "wait_for",
    "wait_for_async",
    "wait_for_cache_sync",
    "wait_for_named_cache_sync",
]
