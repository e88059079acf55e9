"""Typed objects: a type checker knows what handlers, listers and indices give, down to the fields of V1Pod.

Run it against the cluster of your kubeconfig: `python examples/typed.py`. Ctrl-C ends it. `mypy --strict` accepts this
file only as long as every `assert_type` holds.
"""

from __future__ import annotations

import threading
from typing import assert_type

from kubernetes import config
from kubernetes.client import ApiClient, V1Pod

from kubeinformer import (
    DeletedFinalStateUnknown,
    HandlerRegistration,
    KubeObject,
    ResourceEventHandlerFuncs,
    SharedIndexInformer,
    SharedInformerFactory,
    wait_for,
)


def node_of(pod: V1Pod) -> str:
    """Every field of a model may be missing, and a type checker insists that you think of it."""
    return (pod.spec.node_name if pod.spec else None) or "no node"


def added(pod: V1Pod) -> None:
    print(f"added {pod.metadata.name if pod.metadata else None} on {node_of(pod)}")


def updated(old: V1Pod, new: V1Pod) -> None:
    if node_of(old) != node_of(new):
        print(f"moved from {node_of(old)} to {node_of(new)}")


def deleted(pod: V1Pod | DeletedFinalStateUnknown) -> None:
    if isinstance(pod, DeletedFinalStateUnknown):
        print(f"deleted {pod.key} (the event was missed)")
    else:
        print(f"deleted from {node_of(assert_type(pod, V1Pod))}")


def main(stop: threading.Event, api: ApiClient | None = None) -> None:
    factory = SharedInformerFactory(api or config.new_client_from_config())  # type: ignore[no-untyped-call]
    pods = factory.core().v1().pods()
    typed = pods.typed()

    # One informer, two views of it: handlers, indices and listers of `typed` get models, others get KubeObjects.
    informer = assert_type(typed.informer(), SharedIndexInformer[V1Pod])
    assert_type(pods.informer(), SharedIndexInformer[KubeObject])

    informer.add_indexers({"node": lambda pod: [node_of(assert_type(pod, V1Pod))]})
    registration = informer.add_event_handler(
        ResourceEventHandlerFuncs(add_func=added, update_func=updated, delete_func=deleted)
    )
    assert_type(registration, HandlerRegistration[V1Pod])

    factory.start(stop)
    if error := wait_for(stop, "pods", registration.has_synced_checker(), timeout=60).as_error():
        factory.shutdown(timeout=10)
        raise error

    everything = assert_type(typed.lister().list(), list[V1Pod])
    print(f"{len(everything)} pods")
    for namespace in sorted({obj.namespace or "" for obj in assert_type(pods.lister().list(), list[KubeObject])}):
        print(f"{namespace}: {len(typed.lister().pods(namespace).list())}")
    for pod in informer.indexer().by_index("node", "no node"):
        print(f"{assert_type(pod, V1Pod).metadata} waits for a node")

    stop.wait()
    factory.shutdown(timeout=10)


if __name__ == "__main__":
    stop = threading.Event()
    try:
        main(stop)
    except KeyboardInterrupt:
        stop.set()
