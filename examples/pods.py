"""The main job: follow the pods of one application, with a handler, indices and a resync of the handler's own.

Run it against the cluster of your kubeconfig: `python examples/pods.py`. Ctrl-C ends it.
"""

from __future__ import annotations

import threading

from kubernetes import config

from kubeinformer import (
    DeletedFinalStateUnknown,
    KubeObject,
    ListOptions,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
    index,
)


def only_my_app(options: ListOptions) -> None:
    options.label_selector = "app=my-app"


def added(pod: KubeObject) -> None:
    print(f"added {pod.key} on {pod.get_path('spec.nodeName')}")


def updated(old: KubeObject, new: KubeObject) -> None:
    if old.resource_version == new.resource_version:
        print(f"resync {new.key}")
    else:
        print(f"updated {new.key}: {old.get_path('status.phase')} -> {new.get_path('status.phase')}")


def deleted(pod: KubeObject | DeletedFinalStateUnknown) -> None:
    missed = " (the event was missed)" if isinstance(pod, DeletedFinalStateUnknown) else ""
    print(f"deleted {pod.key}{missed}")


def main(stop: threading.Event) -> None:
    api = config.new_client_from_config()  # type: ignore[no-untyped-call]
    factory = SharedInformerFactory(api, resync_period=0, tweak_list_options=only_my_app, user_agent="informer")
    pods = factory.core().v1().pods()
    informer = pods.informer()
    informer.add_indexers(
        {
            "node": "spec.nodeName",
            "owner": index.controller_owner(),
            "app": lambda pod: [pod.labels.get("app", "")],
        }
    )
    informer.add_event_handler(
        ResourceEventHandlerFuncs(add_func=added, update_func=updated, delete_func=deleted), resync_period=30.0
    )

    factory.start(stop)
    factory.wait_for_cache_sync(stop, timeout=60)
    indexer = informer.indexer()
    for node in sorted(indexer.list_index_func_values("node")):
        print(f"{node}: {', '.join(indexer.index_keys('node', node))}")
    print(f"{len(pods.lister().list('tier in (web, api)'))} of {len(indexer)} pods are web or api")

    stop.wait()
    factory.shutdown(timeout=10)


if __name__ == "__main__":
    stop = threading.Event()
    try:
        main(stop)
    except KeyboardInterrupt:
        stop.set()
