"""The msgspec rival with its bytes taken from urllib3's public interface alone, as most people would write it.

Invariant: it differs from `msgspec_raw` in where the bytes come from, and in nothing else.
"""

from __future__ import annotations

import urllib3

from benches.contract import Handler, Peer, Ready, Synced
from benches.peers.msgspec_raw import END, INDEXERS, MODIFIED, Pod, decode_list, handle_other, prepare
from benches.pure_python import IndexedStore


def _list(pool: urllib3.PoolManager, url: str, store: IndexedStore[Pod]) -> str:
    listed = decode_list(pool.request("GET", f"{url}/api/v1/pods").data)
    store.replace_prepared(map(prepare, listed.items))
    return listed.metadata.resource_version


def sync_list(url: str, n: int) -> Synced:
    store: IndexedStore[Pod] = IndexedStore(INDEXERS)
    _list(urllib3.PoolManager(), url, store)
    return Synced(store, len(store), lambda node: len(store.index_keys("node", node)))


def watch_events(url: str, n: int, events: int, handler: Handler, ready: Ready) -> IndexedStore[Pod]:
    store: IndexedStore[Pod] = IndexedStore(INDEXERS)
    pool = urllib3.PoolManager()
    version = _list(pool, url, store)
    for pod in store.list():
        handler("ADDED", None, pod)
    ready()
    target = f"{url}/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion={version}"
    response = pool.request("GET", target, preload_content=False)
    update, skip = store.update_prepared, len(MODIFIED)
    seen = 0
    for chunk in response.stream(None):
        if chunk.startswith(MODIFIED):
            key, values, pod = prepare(chunk[skip:-END])
            handler("MODIFIED", update(key, values, pod), pod)
        elif not handle_other(chunk, store, handler):
            continue
        seen += 1
        if seen == events:
            return store
    raise ConnectionError("the watch ended too early")


def peer(name: str) -> Peer:
    return Peer(name, sync_list, watch_events)
