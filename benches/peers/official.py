"""The official client's `kubernetes.informer.SharedInformer`, used as its documentation says.

It has typed models, one dict and no index; its handlers run on the thread that reads. Invariant: nothing of it is
replaced or tuned, except that the variant `-nogc` runs without the cyclic collector. Its thread is a daemon that ends
with the process: `stop()` waits for ever if it comes while the informer turns from its list to its watch.
"""

from __future__ import annotations

import threading
from typing import Any

from kubernetes import client
from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer

from benches.contract import Handler, Peer, Ready, Synced


def _informer(url: str) -> Any:
    configuration = client.Configuration()
    configuration.host = url
    api = client.CoreV1Api(client.ApiClient(configuration))
    make: Any = SharedInformer
    return make(api.list_pod_for_all_namespaces)


def sync_list(url: str, n: int) -> Synced:
    informer = _informer(url)
    full = threading.Event()
    seen = 0

    def added(_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == n:
            full.set()

    informer.add_event_handler(ADDED, added)
    informer.start()
    full.wait()
    return Synced(informer, len(informer.cache.list_keys()), None)


def watch_events(url: str, n: int, events: int, handler: Handler, ready: Ready) -> None:
    informer = _informer(url)
    synced, done = threading.Event(), threading.Event()
    added_count = modified_count = 0

    def added(obj: Any) -> None:
        nonlocal added_count
        handler(ADDED, None, obj)
        added_count += 1
        if added_count == n:
            synced.set()

    def modified(obj: Any) -> None:
        nonlocal modified_count
        handler(MODIFIED, None, obj)
        modified_count += 1
        if modified_count == events:
            done.set()

    informer.add_event_handler(ADDED, added)
    informer.add_event_handler(MODIFIED, modified)
    informer.add_event_handler(DELETED, lambda obj: handler(DELETED, obj, None))
    informer.start()
    synced.wait()
    ready()
    done.wait()


def peer(name: str) -> Peer:
    return Peer(name, sync_list, watch_events, collect_garbage=not name.endswith("-nogc"))
