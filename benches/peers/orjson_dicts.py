"""Hand-written, the usual way: `orjson` dicts in an indexed store, handlers on the thread that reads.

Invariant: after every event the store and its three indices equal what the server said so far. The variant `-nogc`
runs without the cyclic collector, which otherwise walks through the whole cache again and again.
"""

from __future__ import annotations

from typing import Any

import orjson
import urllib3

from benches.contract import Handler, Peer, Ready, Synced
from benches.http_stream import ChunkedBody
from benches.pure_python import IndexedStore, Prepared

Pod = dict[str, Any]


def _node(obj: Pod) -> str:
    return str(obj["spec"].get("nodeName", ""))


def _controller(obj: Pod) -> str:
    for reference in obj["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return ""


INDEXERS = {
    "namespace": lambda obj: [obj["metadata"]["namespace"]],
    "node": lambda obj: [_node(obj)],
    "owner": lambda obj: [_controller(obj)],
}


def _prepare(obj: Pod) -> Prepared[Pod]:
    metadata = obj["metadata"]
    namespace = metadata["namespace"]
    return f"{namespace}/{metadata['name']}", (namespace, _node(obj), _controller(obj)), obj


def _list(pool: urllib3.PoolManager, url: str, store: IndexedStore[Pod]) -> str:
    response = pool.request("GET", f"{url}/api/v1/pods", preload_content=False)
    body = orjson.loads(ChunkedBody(response).read_all())
    response.release_conn()
    store.replace_prepared(map(_prepare, body["items"]))
    return str(body["metadata"]["resourceVersion"])


def sync_list(url: str, n: int) -> Synced:
    store: IndexedStore[Pod] = IndexedStore(INDEXERS)
    _list(urllib3.PoolManager(), url, store)
    return Synced(store, len(store), lambda node: len(store.index_keys("node", node)))


def watch_events(url: str, n: int, events: int, handler: Handler, ready: Ready) -> IndexedStore[Pod]:
    store: IndexedStore[Pod] = IndexedStore(INDEXERS)
    pool = urllib3.PoolManager()
    version = _list(pool, url, store)
    for obj in store.list():
        handler("ADDED", None, obj)
    ready()
    target = f"{url}/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion={version}"
    body = ChunkedBody(pool.request("GET", target, preload_content=False))
    view, loads, update = body.view, orjson.loads, store.update_prepared
    seen = 0
    for spans in body.batches():
        for start, stop in spans:
            event = loads(view[start:stop])
            kind, obj = event["type"], event["object"]
            if kind in ("ADDED", "MODIFIED"):
                handler(kind, update(*_prepare(obj)), obj)
            elif kind == "DELETED":
                handler(kind, store.delete(_prepare(obj)[0]), obj)
            elif kind == "BOOKMARK":
                continue
            else:
                raise ConnectionError(f"the watch failed: {obj}")
            seen += 1
            if seen == events:
                return store
    raise ConnectionError("the watch ended too early")


def peer(name: str) -> Peer:
    return Peer(name, sync_list, watch_events, collect_garbage=not name.endswith("-nogc"))
