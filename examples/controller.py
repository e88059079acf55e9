"""A whole controller: writes onto every ReplicaSet how many of its pods run, as an annotation.

The informers put keys into a queue; four workers take them and make true, for one ReplicaSet at a time, what the caches
say. What fails is tried again, later and later.

Run it against the cluster of your kubeconfig: `python examples/controller.py`. Ctrl-C ends it.
"""

from __future__ import annotations

import logging
import threading

from kubernetes import config
from kubernetes.client import ApiClient, AppsV1Api

from kubeinformer import NotFoundError, SharedInformerFactory, index
from kubeinformer.cache import split_meta_namespace_key
from kubeinformer.workqueue import RateLimitingQueue, run_workers

ANNOTATION = "example.com/running-pods"


class RunningPods:
    """The controller: its informers, its queue and its reconcile function."""

    def __init__(self, api: ApiClient) -> None:
        self._apps = AppsV1Api(api)
        self._factory = SharedInformerFactory(api, user_agent="running-pods")
        self._replica_sets = self._factory.apps().v1().replica_sets()
        self._pods = self._factory.core().v1().pods().informer()
        self._queue: RateLimitingQueue[str] = RateLimitingQueue(name="running-pods")

        replica_set = index.controller_owner("ReplicaSet")
        self._pods.add_indexers({"replica set": replica_set})
        self._pods.enqueue(self._queue, replica_set)
        self._replica_sets.informer().enqueue(self._queue)

    def reconcile(self, key: str) -> None:
        """Write the number of one ReplicaSet if it is not there; whatever raises is tried again."""
        namespace, name = split_meta_namespace_key(key)
        try:
            replica_set = self._replica_sets.lister().replica_sets(namespace).get(name)
        except NotFoundError:
            return  # It is gone, and its annotation with it.
        pods = self._pods.indexer().by_index("replica set", key)
        running = str(sum(pod.get_path("status.phase") == "Running" for pod in pods))
        if replica_set.annotations.get(ANNOTATION) != running:
            patch = {"metadata": {"annotations": {ANNOTATION: running}}}
            self._apps.patch_namespaced_replica_set(name, namespace, patch)
            print(f"{key}: {running} running", flush=True)

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set."""
        with self._factory.running(timeout=60, stop=stop):
            run_workers(self._queue, self.reconcile, workers=4, stop=stop)


if __name__ == "__main__":
    logging.basicConfig()
    try:
        RunningPods(config.new_client_from_config()).run(threading.Event())  # type: ignore[no-untyped-call]
    except KeyboardInterrupt:
        pass
