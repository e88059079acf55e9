"""What a type checker must say about typed informers: checked by test_typing.py, never run.

A line that must be refused ends in a comment with the code of the error; every other line must be accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_type

from kubernetes.client import V1Deployment, V1Node, V1Pod

from kubeinformer import (
    DeletedFinalStateUnknown,
    EnqueueRegistration,
    Event,
    EventStream,
    FactoryStatus,
    FilteringResourceEventHandler,
    HandlerRegistration,
    HandlerStatus,
    InformerStatus,
    KubeObject,
    Resource,
    ResourceEventBatchHandlerFunc,
    ResourceEventHandlerDetailedFuncs,
    ResourceEventHandlerFuncs,
    SharedIndexInformer,
    SharedInformerFactory,
    SyncResult,
    filter,
    metrics,
    wait_for,
    workqueue,
)
from kubeinformer.cache import IndexerSnapshot, LastError, MemoryUsage
from kubeinformer.cache.synctrack import AsyncTracker, Lazy, SingleFileTracker
from kubeinformer.transport import Transport
from kubeinformer.workqueue import RateLimitingQueue


def takes_pod(pod: V1Pod) -> None: ...
def takes_pods(old: V1Pod, new: V1Pod) -> None: ...
def takes_pod_and_flag(pod: V1Pod, is_in_initial_list: bool) -> None: ...
def takes_deleted(pod: V1Pod | DeletedFinalStateUnknown) -> None: ...
def takes_node(node: V1Node) -> None: ...
def takes_object(obj: KubeObject) -> None: ...
def accepts_pod(pod: V1Pod | DeletedFinalStateUnknown) -> bool: ...  # type: ignore[empty-body]


def takes_pod_events(events: list[Event[V1Pod]]) -> None: ...
async def awaits_pod(pod: V1Pod) -> None: ...


class PodBatches:
    def on_batch(self, events: list[Event[V1Pod]]) -> None: ...


class PodCoroutines:
    async def on_add(self, obj: V1Pod, is_in_initial_list: bool) -> None: ...
    async def on_update(self, old: V1Pod, new: V1Pod) -> None: ...
    async def on_delete(self, obj: V1Pod | DeletedFinalStateUnknown) -> None: ...


class PodHandler:
    def on_add(self, obj: V1Pod, is_in_initial_list: bool) -> None: ...
    def on_update(self, old: V1Pod, new: V1Pod) -> None: ...
    def on_delete(self, obj: V1Pod | DeletedFinalStateUnknown) -> None: ...


class ForgetsTombstones(PodHandler):
    def on_delete(self, obj: V1Pod) -> None: ...  # error: override


class LacksOnDelete:
    def on_add(self, obj: V1Pod, is_in_initial_list: bool) -> None: ...
    def on_update(self, old: V1Pod, new: V1Pod) -> None: ...


def handlers(informer: SharedIndexInformer[V1Pod]) -> None:
    registration = informer.add_event_handler(
        ResourceEventHandlerFuncs(add_func=takes_pod, update_func=takes_pods, delete_func=takes_deleted)
    )
    assert_type(registration, HandlerRegistration[V1Pod])
    moved = filter.labels("app=web") & ~filter.changed("spec.nodeName")
    assert_type(informer.add_event_handler(PodHandler(), filter=moved), HandlerRegistration[V1Pod])
    informer.add_event_handler(PodHandler(), filter="app=web")  # error: arg-type
    assert_type(informer.enqueue(RateLimitingQueue[str](), "spec.nodeName", moved), EnqueueRegistration)
    informer.enqueue(RateLimitingQueue[int]())  # error: arg-type
    filter.labels("app=web") & "tier=a"  # error: operator
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=lambda pod: assert_type(pod, V1Pod)))
    informer.add_event_handler(ResourceEventHandlerDetailedFuncs(add_func=takes_pod_and_flag))
    informer.add_event_handler(FilteringResourceEventHandler(accepts_pod, PodHandler()))
    informer.add_event_handler(PodHandler())

    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=takes_node))  # error: arg-type
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=takes_object))  # error: arg-type
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=takes_pods))  # error: arg-type
    informer.add_event_handler(ResourceEventHandlerFuncs(update_func=takes_pod))  # error: arg-type
    informer.add_event_handler(ResourceEventHandlerFuncs(delete_func=takes_pod))  # error: arg-type
    informer.add_event_handler(ResourceEventHandlerDetailedFuncs(add_func=takes_pod))  # error: arg-type
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=awaits_pod))
    informer.add_event_handler(PodCoroutines())
    informer.add_event_handler(ResourceEventBatchHandlerFunc(takes_pod_events), max_batch=10)
    informer.add_event_handler(ResourceEventBatchHandlerFunc(takes_pods))  # error: arg-type
    informer.add_event_handler(FilteringResourceEventHandler(accepts_pod, PodBatches()))
    informer.add_event_handler(PodBatches())
    informer.add_event_handler(LacksOnDelete())  # error: arg-type
    informer.add_event_handler(takes_pod)  # error: arg-type


def untyped_handlers(informer: SharedIndexInformer[KubeObject]) -> None:
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=takes_object))
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=takes_pod))  # error: arg-type


def attributes(pod: V1Pod, obj: KubeObject, deleted: V1Pod | DeletedFinalStateUnknown) -> None:
    if pod.spec is not None:
        assert_type(pod.spec.node_name, str | None)
    print(pod.spec.node_name)  # error: union-attr
    print(pod.node_name)  # error: attr-defined
    assert_type(obj.labels, Mapping[str, str])
    print(obj.node_name)  # error: attr-defined
    if not isinstance(deleted, DeletedFinalStateUnknown):
        assert_type(deleted, V1Pod)


def views(factory: SharedInformerFactory) -> None:
    pods, nodes = factory.core().v1().pods(), factory.core().v1().nodes()
    assert_type(pods.informer(), SharedIndexInformer[KubeObject])
    assert_type(pods.typed().informer(), SharedIndexInformer[V1Pod])
    assert_type(factory.apps().v1().deployments().typed().informer(), SharedIndexInformer[V1Deployment])
    assert_type(pods.typed().lister().pods("default").get("a"), V1Pod)
    assert_type(pods.typed().lister().list(), list[V1Pod])
    assert_type(nodes.typed().lister().get("a"), V1Node)
    pods.typed().lister().get("a")  # error: attr-defined
    nodes.typed().lister().nodes("default")  # error: attr-defined

    informer = pods.typed().informer()
    assert_type(informer.indexer().get_by_key("default/a"), V1Pod | None)
    assert_type(informer.indexer().by_index("node", "node-1"), Sequence[V1Pod])
    assert_type(informer.indexer().snapshot(), IndexerSnapshot[V1Pod])
    assert_type(informer.indexer().snapshot().list("app=web"), list[V1Pod])
    informer.indexer().snapshot().add_indexers({})  # error: attr-defined
    assert_type(informer.memory(), MemoryUsage)
    informer.memory().bytes = 0  # error: misc
    assert_type(informer.status(), InformerStatus)
    assert_type(informer.status().sources[""].last_error, LastError | None)
    informer.status().is_live = True  # error: misc
    assert_type(informer.events(), EventStream[V1Pod])
    for event in informer.events():
        assert_type(event, Event[V1Pod])
        assert_type(event.old, V1Pod | None)
    print(informer.events().old)  # error: attr-defined
    informer.add_indexers({"node": "spec.nodeName", "name": lambda pod: [str(assert_type(pod, V1Pod).metadata)]})
    informer.add_indexers({"name": lambda pod: [pod.name]})  # error: attr-defined


def own_informer(factory: SharedInformerFactory, mine: SharedIndexInformer[V1Pod]) -> None:
    def new_informer(transport: Transport, resync_period: float) -> SharedIndexInformer[V1Pod]:
        return mine

    assert_type(factory.status(), FactoryStatus)
    for status in factory.status().informers.values():
        assert_type(status.handlers, tuple[HandlerStatus, ...])
    metrics.InformerCollector(factory, mine)
    metrics.InformerCollector(1)  # error: arg-type
    workqueue.set_provider(metrics.WorkqueueCollector())
    assert_type(factory.informer_for(Resource("", "v1", "pods"), new_informer), SharedIndexInformer[V1Pod])
    factory.informer_for("pods", new_informer)  # error: arg-type


async def coroutines(factory: SharedInformerFactory, informer: SharedIndexInformer[V1Pod]) -> None:
    async with factory.running(timeout=1) as running:
        assert_type(running, SharedInformerFactory)
    with factory.running() as running:
        assert_type(running, SharedInformerFactory)
    async for event in informer.events():
        assert_type(event, Event[V1Pod])
    assert_type(await informer.wait_for_cache_sync_async(), bool)
    assert_type(await factory.wait_for_cache_sync_async(), dict[str, bool])
    assert_type(await informer.wait_for_resource_version_async("1", handlers=True), bool)
    assert_type(await factory.shutdown_async(), list[str])


def waiting(informer: SharedIndexInformer[Any], registration: HandlerRegistration[Any]) -> None:
    checkers = (informer.has_synced_checker(), registration.has_synced_checker())
    trackers = (SingleFileTracker("single"), AsyncTracker[str]("async"))
    assert_type(wait_for(None, "", *checkers, *trackers, informer.has_synced), SyncResult)
    wait_for(None, "", informer)  # error: arg-type
    trackers[1].start(1)  # error: arg-type
    assert_type(Lazy(lambda: 1).get(), int)
