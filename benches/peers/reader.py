"""No cache at all: receives the bytes and drops them, which shows how fast the server is.

Invariant: it counts bytes and nothing else; a peer that comes near its rate is held back by the server.
"""

from __future__ import annotations

import urllib3

from benches.contract import Handler, Peer, Ready, Synced
from benches.http_stream import ChunkedBody


def _get(url: str) -> urllib3.BaseHTTPResponse:
    return urllib3.PoolManager().request("GET", url, preload_content=False)


def sync_list(url: str, n: int) -> Synced:
    received = sum(len(spans) for spans in ChunkedBody(_get(f"{url}/api/v1/pods")).batches())
    return Synced(None, received - 2, None)  # the head and the end of the list are chunks too


def watch_events(url: str, n: int, events: int, handler: Handler, ready: Ready) -> None:
    for _ in range(n):
        handler("ADDED", None, None)
    ready()
    response = _get(f"{url}/api/v1/pods?watch=true&resourceVersion=1")
    seen = 0
    for spans in ChunkedBody(response).batches():
        for _ in spans:
            handler("MODIFIED", None, None)
            seen += 1
            if seen == events:
                return


def peer(name: str) -> Peer:
    return Peer(name, sync_list, watch_events)
