"""WATCH: statements 46 to 54 about real API servers, and where the embedded one is its own."""

from __future__ import annotations

import json
import time
from typing import Any

from apiserver_http import Http, brief, chunks, eventually, read_head

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

MAPS = "/api/v1/namespaces/default/configmaps"
WATCH_LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
END = {"k8s.io/initial-events-end": "true"}


def create(api: Http, *names: str, **labels: str) -> None:
    for name in names:
        assert api.post(MAPS, config_map(name, labels=labels)).status == 201


def now(api: Http) -> str:
    return api.get(MAPS).revision


def test_a_watch_is_one_chunk_an_event(server: APIServer, api: Http) -> None:
    with api.raw(MAPS, watch="1", resourceVersion=now(api)) as sock:
        parts = chunks(sock, read_head(sock)[1])
        for name in ("a", "b", "c"):
            server.create(config_map(name))
            chunk = next(parts)
            assert chunk.endswith(b"}\n")
            assert chunk.count(b"\n") == 1
            assert brief(json.loads(chunk)) == ("ADDED", name)


def test_the_history_of_a_resource_is_finite() -> None:
    with APIServer(history_limit=10) as server:
        api = Http(server.url)
        start = now(api)
        for number in range(21):
            server.create(config_map(f"m{number:02}"))
        with api.watch(MAPS, resourceVersion=start) as stream:
            assert stream.next()["object"]["code"] == 410
        with api.watch(MAPS, resourceVersion=int(start) + 11) as stream:
            assert stream.take(10) == [("ADDED", f"m{number}") for number in range(11, 21)]


def test_s46_timeout_seconds_ends_the_stream_cleanly_and_keeps_the_connection(api: Http) -> None:
    before = time.monotonic()
    with api.raw(MAPS, watch="1", resourceVersion=now(api), timeoutSeconds=1) as sock:
        _, rest = read_head(sock)
        assert list(chunks(sock, rest)) == [b""]
        assert 1.0 <= time.monotonic() - before < 2.0
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        assert read_head(sock)[0].startswith(b"HTTP/1.1 200 ")


def test_s46_the_default_timeout_is_drawn_from_a_range() -> None:
    with APIServer(watch_timeout=(0.1, 0.2)) as server, Http(server.url).watch(MAPS) as stream:
        before = time.monotonic()
        assert stream.rest() == []
        assert time.monotonic() - before < 1.0


def bookmarks(events: list[dict[str, Any]]) -> list[str]:
    return [event["object"]["metadata"]["resourceVersion"] for event in events if event["type"] == "BOOKMARK"]


def test_s47_a_bookmark_has_the_kind_and_only_a_resource_version() -> None:
    with APIServer(bookmark_interval=0.05) as server:
        api = Http(server.url)
        with api.watch(MAPS, resourceVersion=now(api), allowWatchBookmarks="true") as stream:
            server.create(pod("elsewhere"))
            assert stream.next() == {
                "type": "BOOKMARK",
                "object": {
                    "kind": "ConfigMap",
                    "apiVersion": "v1",
                    "metadata": {"resourceVersion": server.resource_version},
                },
            }


def test_s48_bookmarks_come_at_intervals_and_before_the_deadline(server: APIServer, api: Http) -> None:
    start = now(api)
    server.create(pod("elsewhere"))
    before = time.monotonic()
    with api.watch(MAPS, resourceVersion=start, allowWatchBookmarks="true", timeoutSeconds=3) as stream:
        assert stream.next()["type"] == "BOOKMARK"
        assert 0.9 < time.monotonic() - before < 2.0
        assert stream.rest() == []


def test_s48_no_bookmark_while_nothing_happened_and_none_unasked() -> None:
    with APIServer(bookmark_interval=0.05) as server:
        api = Http(server.url)
        start = now(api)
        with api.watch(MAPS, resourceVersion=start, allowWatchBookmarks="true", timeoutSeconds=1) as stream:
            assert stream.rest() == []
        server.create(pod("elsewhere"))
        with api.watch(MAPS, resourceVersion=start, timeoutSeconds=1) as stream:
            assert stream.rest() == []
        with api.watch(MAPS, resourceVersion=start, allowWatchBookmarks="true", timeoutSeconds=1) as stream:
            sent = bookmarks(stream.rest())
        # The same revision may be sent again.
        assert len(sent) >= 2
        assert set(sent) == {server.resource_version}


def test_s48_a_bookmark_never_overtakes_an_event() -> None:
    with APIServer(bookmark_interval=0.001) as server:
        api = Http(server.url)
        with api.watch(MAPS, resourceVersion=now(api), allowWatchBookmarks="true") as stream:
            for number in range(200):
                server.create(config_map(f"m{number:03}"))
            names: list[str] = []
            last = 0
            while len(names) < 200:
                event = stream.next()
                revision = int(event["object"]["metadata"]["resourceVersion"])
                assert revision >= last
                if event["type"] == "ADDED":
                    # An event whose revision a bookmark already covered would be lost to a client that resumed there.
                    assert revision > last
                    names.append(event["object"]["metadata"]["name"])
                last = revision
    assert names == [f"m{number:03}" for number in range(200)]


def test_a_watch_of_all_namespaces_and_one_of_one(server: APIServer, api: Http) -> None:
    start = server.resource_version
    server.create(config_map("a", "x"))
    server.create(config_map("b", "y"))
    with api.watch("/api/v1/configmaps", resourceVersion=start) as everywhere:
        assert everywhere.take(2) == [("ADDED", "a"), ("ADDED", "b")]
    with api.watch("/api/v1/namespaces/y/configmaps", resourceVersion=start) as one:
        assert one.take(1) == [("ADDED", "b")]


def test_a_watch_whose_client_leaves_is_forgotten(server: APIServer, api: Http) -> None:
    with api.watch(MAPS):
        server.wait_for_watches(1, verb="watch", resource="configmaps", namespace="default")
        assert server.watch_count(resource="pods") == 0
    eventually(lambda: server.watch_count() == 0)


def test_a_watch_that_is_far_behind_misses_nothing(server: APIServer, api: Http) -> None:
    start = server.resource_version
    for number in range(2500):
        server.create(config_map(f"m{number:04}"))
    with api.watch(MAPS, resourceVersion=start) as stream:
        assert stream.take(2500) == [("ADDED", f"m{number:04}") for number in range(2500)]
        server.create(config_map("z"))
        assert stream.take(1) == [("ADDED", "z")]


def test_every_change_reaches_every_watch_in_order(server: APIServer, api: Http) -> None:
    start = server.resource_version
    with (
        api.watch(MAPS, resourceVersion=start) as first,
        api.watch(MAPS, resourceVersion=start, labelSelector="odd=1") as second,
    ):
        for number in range(300):
            server.create(config_map(f"m{number:03}", labels={"odd": str(number % 2)}))
        assert first.take(300) == [("ADDED", f"m{number:03}") for number in range(300)]
        assert second.take(150) == [("ADDED", f"m{number:03}") for number in range(1, 300, 2)]
