"""LIST, where the embedded server is its own: tests/server_suite has what it shares with real ones."""

from __future__ import annotations

import json

from apiserver_http import Http, chunks, eventually, read_head

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

MAPS = "/api/v1/namespaces/default/configmaps"
WATCH_LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}


def test_whoever_waits_for_a_revision_is_answered_as_soon_as_it_is_reached() -> None:
    with APIServer(too_new_wait=60) as patient:
        api = Http(patient.url)
        wanted = int(patient.resource_version) + 1
        listing = api.raw(MAPS, resourceVersion=wanted)
        watching = api.raw(MAPS, watch="1", resourceVersion=wanted, **WATCH_LIST)
        with listing as first, watching as second:
            eventually(lambda: len(patient.requests) == 2)
            patient.create(config_map("a"))
            for sock in (first, second):
                assert b"200 OK" in sock.recv(4096).split(b"\r\n")[0]


def test_list_is_one_chunk_an_item(server: APIServer, api: Http) -> None:
    for number in range(3):
        server.create(pod(f"p-{number}"))
    with api.raw("/api/v1/pods") as sock:
        head, rest = read_head(sock)
        assert b"Transfer-Encoding: chunked" in head
        parts = list(chunks(sock, rest))
    assert len(parts) == 1 + 3 + 1 + 1
    assert [b'"name":"p-%d"' % number in parts[number + 1] for number in range(3)] == [True] * 3
    assert len(json.loads(b"".join(parts))["items"]) == 3


def test_a_single_namespace_is_not_its_prefix(server: APIServer, api: Http) -> None:
    for namespace in ("a", "ab", "a-b", "a.b"):
        server.create(config_map("m", namespace))
    assert len(api.get("/api/v1/namespaces/a/configmaps").names) == 1
    assert len(api.get("/api/v1/namespaces/ab/configmaps").names) == 1
