"""WATCH: statements 26 to 54 about real API servers."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
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


def test_s26_the_head_comes_before_any_event_then_a_line_and_a_chunk_an_event(server: APIServer, api: Http) -> None:
    with api.raw(MAPS, watch="1", resourceVersion=now(api)) as sock:
        head, rest = read_head(sock)
        lines = head.decode().split("\r\n")
        assert lines[0] == "HTTP/1.1 200 OK"
        assert "Content-Type: application/json" in lines
        assert "Transfer-Encoding: chunked" in lines
        assert rest == b""
        parts = chunks(sock, rest)
        for name in ("a", "b", "c"):
            server.create(config_map(name))
            chunk = next(parts)
            assert chunk.endswith(b"}\n")
            assert chunk.count(b"\n") == 1
            assert brief(json.loads(chunk)) == ("ADDED", name)


def test_s27_s28_events_after_the_revision_in_order_then_live(api: Http) -> None:
    create(api, "before")
    start = now(api)
    create(api, "a")
    api.patch(MAPS + "/a", {"data": {"k": "v"}})
    with api.watch(MAPS, resourceVersion=start) as stream:
        assert stream.take(2) == [("ADDED", "a"), ("MODIFIED", "a")]
        api.delete(MAPS + "/a")
        create(api, "b")
        events = [stream.next(), stream.next()]
    assert [brief(event) for event in events] == [("DELETED", "a"), ("ADDED", "b")]
    revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert revisions == [int(start) + 3, int(start) + 4]


@pytest.mark.parametrize("revision", ["", "0"])
def test_s29_a_legacy_watch_starts_with_everything_in_the_order_of_keys(api: Http, revision: str) -> None:
    create(api, "c", "a", "b")
    with api.watch(MAPS, resourceVersion=revision) as stream:
        assert stream.take(3) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
        create(api, "d")
        assert stream.take(1) == [("ADDED", "d")]


@pytest.mark.parametrize("revision", ["", "0"])
def test_s30_a_legacy_watch_with_bookmarks_gets_the_end_bookmark_unasked(api: Http, revision: str) -> None:
    create(api, "a")
    with api.watch(MAPS, resourceVersion=revision, allowWatchBookmarks="true") as stream:
        assert stream.take(1) == [("ADDED", "a")]
        bookmark = stream.next()
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == END


@pytest.mark.parametrize("revision", ["", "0", "now"])
def test_s32_watch_list(api: Http, revision: str) -> None:
    create(api, "b", "a")
    current = now(api)
    wanted = current if revision == "now" else revision
    with api.watch(MAPS, **WATCH_LIST, resourceVersion=wanted) as stream:
        assert stream.take(2) == [("ADDED", "a"), ("ADDED", "b")]
        assert stream.next() == {
            "type": "BOOKMARK",
            "object": {
                "kind": "ConfigMap",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": current, "annotations": END},
            },
        }
        api.delete(MAPS + "/a")
        assert stream.take(1) == [("DELETED", "a")]


def test_s24_watch_list_in_a_namespace_that_never_existed_is_the_end_bookmark(api: Http) -> None:
    with api.watch("/api/v1/namespaces/nowhere/configmaps", **WATCH_LIST) as stream:
        assert stream.next()["object"]["metadata"]["annotations"] == END


def test_s33_without_bookmarks_there_is_no_end_marker(api: Http) -> None:
    create(api, "a")
    query = {name: value for name, value in WATCH_LIST.items() if name != "allowWatchBookmarks"}
    with api.watch(MAPS, **query) as stream:
        assert stream.take(1) == [("ADDED", "a")]
        create(api, "b")
        assert stream.take(1) == [("ADDED", "b")]


def test_s34_send_initial_events_false_starts_now(api: Http) -> None:
    create(api, "a")
    query = {**WATCH_LIST, "sendInitialEvents": "false"}
    with api.watch(MAPS, **query) as stream:
        create(api, "b")
        assert stream.take(1) == [("ADDED", "b")]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"sendInitialEvents": "true"}, ["resourceVersionMatch"]),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "Exact"}, ["resourceVersionMatch"] * 2),
        ({"resourceVersionMatch": "NotOlderThan"}, ["resourceVersionMatch"]),
        ({**WATCH_LIST, "continue": "x"}, ["resourceVersionMatch"]),
    ],
)
def test_s35_half_a_watch_list_is_422(api: Http, query: dict[str, str], fields: list[str]) -> None:
    answer = api.get(MAPS, watch="1", **query)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == fields


def test_s36_watch_list_from_a_future_revision_is_one_error_event(api: Http) -> None:
    current = now(api)
    before = time.monotonic()
    with api.watch(MAPS, **WATCH_LIST, resourceVersion="900000") as stream:
        assert stream.status == 200
        (event,) = stream.rest()
    assert time.monotonic() - before >= 0.2
    status = event["object"]
    assert (event["type"], status["code"], status["reason"]) == ("ERROR", 504, "Timeout")
    assert status["message"] == f"Timeout: Too large resource version: 900000, current: {current}"


def test_s37_a_plain_watch_from_a_future_revision_drops_events_up_to_there_in_silence(api: Http) -> None:
    start = int(now(api)) + 3
    with api.watch(MAPS, resourceVersion=start, allowWatchBookmarks="true") as stream:
        create(api, "m1", "m2", "m3", "m4", "m5")
        assert stream.take(2) == [("ADDED", "m4"), ("ADDED", "m5")]


def test_s38_too_old_rv_is_one_error_event(server: APIServer, api: Http) -> None:
    create(api, "a")
    old = now(api)
    create(api, "b")
    server.compact()
    with api.watch(MAPS, resourceVersion=old) as stream:
        assert stream.status == 200
        (event,) = stream.rest()
    assert event["type"] == "ERROR"
    assert event["object"] == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"too old resource version: {old} ({now(api)})",
        "reason": "Expired",
        "code": 410,
    }


def test_s38_the_history_of_a_resource_is_finite() -> None:
    with APIServer(history_limit=10) as server:
        api = Http(server.url)
        start = now(api)
        for number in range(21):
            server.create(config_map(f"m{number:02}"))
        with api.watch(MAPS, resourceVersion=start) as stream:
            assert stream.next()["object"]["code"] == 410
        with api.watch(MAPS, resourceVersion=int(start) + 11) as stream:
            assert stream.take(10) == [("ADDED", f"m{number}") for number in range(11, 21)]


def test_s42_compaction_leaves_running_watches_and_the_current_revision_alone(server: APIServer, api: Http) -> None:
    create(api, "a")
    with api.watch(MAPS, resourceVersion=now(api)) as running:
        create(api, "b")
        server.compact()
        create(api, "c")
        assert running.take(2) == [("ADDED", "b"), ("ADDED", "c")]
    compacted_at = int(now(api)) - 1
    with api.watch(MAPS, resourceVersion=compacted_at) as stream:
        assert stream.take(1) == [("ADDED", "c")]


@pytest.mark.parametrize("selector", [{"labelSelector": "app=x"}, {"fieldSelector": "metadata.name=a"}])
def test_s43_scopes_of_a_watch(api: Http, selector: dict[str, str]) -> None:
    with api.watch(MAPS, resourceVersion=now(api), **selector) as stream:
        create(api, "z", app="y")
        create(api, "a", app="x")
        assert stream.take(1) == [("ADDED", "a")]


def test_s43_an_object_that_leaves_the_selector_is_deleted_as_it_was(api: Http) -> None:
    start = now(api)
    create(api, "a", app="y")
    api.patch(MAPS + "/a", {"metadata": {"labels": {"app": "x"}}, "data": {"n": "1"}})
    api.patch(MAPS + "/a", {"data": {"n": "2"}})
    api.patch(MAPS + "/a", {"metadata": {"labels": {"app": "y"}}, "data": {"n": "3"}})
    left_at = now(api)
    api.patch(MAPS + "/a", {"metadata": {"labels": {"app": "x"}}, "data": {"n": "4"}})
    api.delete(MAPS + "/a")
    with api.watch(MAPS, resourceVersion=start, labelSelector="app=x", timeoutSeconds=1) as stream:
        events = stream.rest()
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert [event["object"]["data"]["n"] for event in events] == ["1", "2", "2", "4", "4"]
    assert events[2]["object"]["metadata"]["labels"] == {"app": "x"}
    assert events[2]["object"]["metadata"]["resourceVersion"] == left_at


def test_s43_field_selector_transitions(server: APIServer, api: Http) -> None:
    stored = server.create(pod("p", node=None, phase="Pending"))
    pods = "/api/v1/pods"
    with api.watch(pods, resourceVersion=server.resource_version, fieldSelector="spec.nodeName=n1") as stream:
        stored["spec"]["nodeName"] = "n1"
        stored = server.update(stored)
        stored["status"]["phase"] = "Running"
        stored = server.update(stored)
        stored["spec"]["nodeName"] = "n2"
        server.update(stored)
        assert stream.take(3) == [("ADDED", "p"), ("MODIFIED", "p"), ("DELETED", "p")]


def test_s44_delete_and_recreate_is_a_new_uid(api: Http) -> None:
    start = now(api)
    create(api, "a")
    api.delete(MAPS + "/a")
    create(api, "a")
    with api.watch(MAPS, resourceVersion=start) as stream:
        events = [stream.next() for _ in range(3)]
    assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED"]
    uids = [event["object"]["metadata"]["uid"] for event in events]
    assert uids[0] == uids[1] != uids[2]


def test_s45_limit_is_ignored(api: Http) -> None:
    create(api, "a", "b", "c")
    with api.watch(MAPS, limit=1) as stream:
        assert stream.take(3) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]


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


def test_s54_a_watch_on_one_object(api: Http) -> None:
    create(api, "a", "b")
    with api.watch(MAPS + "/b") as stream:
        assert stream.take(1) == [("ADDED", "b")]
        api.delete(MAPS + "/a")
        api.delete(MAPS + "/b")
        assert stream.take(1) == [("DELETED", "b")]


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
