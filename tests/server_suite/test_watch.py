"""Statements 26 to 37: where a watch begins, and how its events come."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from apiserver.binaries import Binaries
from apiserver.cluster import TOKEN, Cluster
from apiserver.old_etcd import OldEtcd
from testing.apiserver_http import Stream, brief, chunks, read_head

from .objects import END, WATCH_LIST, create, maps_of, now, patch, revision_of
from .servers import Api

WITHOUT_BOOKMARKS = {name: value for name, value in WATCH_LIST.items() if name != "allowWatchBookmarks"}


@pytest.fixture
def maps(namespace: str) -> str:
    return maps_of(namespace)


def initial(stream: Stream, count: int) -> list[str]:
    """Read the initial events, all of them ADDED."""
    events = stream.take(count)
    assert {kind for kind, _ in events} == {"ADDED"}
    return [name for _, name in events]


def test_st26_the_head_comes_before_any_event_then_a_line_an_event(api: Api, maps: str) -> None:
    with api.raw(maps, watch="1", resourceVersion=now(api, maps)) as sock:
        head, rest = read_head(sock)
        lines = head.decode().split("\r\n")
        assert lines[0] == "HTTP/1.1 200 OK"
        assert "Content-Type: application/json" in lines
        assert "Transfer-Encoding: chunked" in lines
        assert rest == b""
        parts = chunks(sock, rest)
        for name in ("a", "b", "c"):
            (stored,) = create(api, maps, name)
            line = next(parts)
            while not line.endswith(b"\n"):
                line += next(parts)
            assert line.count(b"\n") == 1
            assert list(json.loads(line)) == ["type", "object"]
            assert json.loads(line) == {"type": "ADDED", "object": stored}


def test_st27_st28_every_change_after_the_version_in_order_then_live(api: Api, maps: str) -> None:
    create(api, maps, "before")
    start = now(api, maps)
    (added,) = create(api, maps, "a")
    changed = patch(api, maps, "a", {"data": {"k": "v"}})
    with api.watch(maps, resourceVersion=start) as stream:
        assert stream.next() == {"type": "ADDED", "object": added}
        assert stream.next() == {"type": "MODIFIED", "object": changed}
        api.delete(f"{maps}/a")
        create(api, maps, "b")
        deleted, created = stream.next(), stream.next()
    assert [brief(deleted), brief(created)] == [("DELETED", "a"), ("ADDED", "b")]
    assert revision_of(changed) < revision_of(deleted["object"]) < revision_of(created["object"])


def test_st27_a_bookmark_and_an_error_are_events_too(api: Api, maps: str) -> None:
    with api.watch(maps, **WATCH_LIST) as stream:
        assert stream.next()["type"] == "BOOKMARK"
    events = f"{maps.removesuffix('configmaps')}events"
    with api.watch(events, **WATCH_LIST, resourceVersion=10**9) as stream:
        (error,) = stream.rest()
    assert (error["type"], error["object"]["kind"]) == ("ERROR", "Status")


def test_st28_from_the_version_of_any_event_the_rest_follows(api: Api, maps: str) -> None:
    start = now(api, maps)
    names = [f"m{number}" for number in range(6)]
    stored = create(api, maps, *names)
    for version, rest in zip([int(start), *map(revision_of, stored)], range(7), strict=True):
        with api.watch(maps, resourceVersion=version) as stream:
            assert stream.take(6 - rest) == [("ADDED", name) for name in names[rest:]]
            # Nothing else came before the next write.
            patch(api, maps, names[0], {"data": {"n": str(rest + 1)}})
            for count in range(1, rest + 2):
                assert stream.next()["object"]["data"]["n"] == str(count)


@pytest.mark.parametrize("query", [{}, {"resourceVersion": ""}, {"resourceVersion": "0"}])
def test_st29_a_legacy_watch_starts_with_everything_in_the_order_of_keys(
    api: Api, maps: str, query: dict[str, str]
) -> None:
    create(api, maps, "c", "a", "b")
    current = now(api, maps)
    with api.watch(maps, **query) as stream:
        assert initial(stream, 3) == ["a", "b", "c"]
        create(api, maps, "d")
        event = stream.next()
    assert brief(event) == ("ADDED", "d")
    assert revision_of(event["object"]) > int(current)


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
def test_st30_a_legacy_watch_with_bookmarks_gets_the_end_bookmark_unasked(
    api: Api, maps: str, query: dict[str, str]
) -> None:
    create(api, maps, "b", "a")
    current = now(api, maps)
    with api.watch(maps, allowWatchBookmarks="true", **query) as stream:
        assert initial(stream, 2) == ["a", "b"]
        assert_end(stream.next(), current)


def test_st30_so_a_legacy_watch_with_a_token_is_half_a_watch_list(api: Api, maps: str) -> None:
    answer = api.get(maps, watch="1", **{"continue": "x"})
    assert answer.status == 422
    (cause,) = answer.json["details"]["causes"]
    assert cause["message"] == "Forbidden: resourceVersionMatch is forbidden when continue is provided"
    # With a version of its own it is none, and the token means nothing.
    with api.watch(maps, resourceVersion=now(api, maps), **{"continue": "x"}) as stream:
        create(api, maps, "a")
        assert stream.take(1) == [("ADDED", "a")]


@pytest.fixture
def on_old_etcd(binaries: Binaries) -> Iterator[Api]:
    """Give the API of a server whose etcd knows no RequestWatchProgress, and which reaches no other."""
    with OldEtcd() as etcd, Cluster(binaries) as cluster:
        etcd.serve(cluster)
        server = cluster.add_apiserver(etcd_port=etcd.port)
        yield Api(server.url, ssl.create_default_context(cafile=cluster.ca_certificate), TOKEN)


def first_of_a_legacy_watch(api: Api, maps: str, query: dict[str, str]) -> tuple[str, str]:
    """Its first event, of the first watch for which the server's cache was new enough.

    Without progress notifications the cache of a resource stands still while others are written, as the server itself
    does now and then; a watch from "" waits three seconds for the newest version, and then says 504. A write moves it.
    """
    for attempt in range(5):
        create(api, maps, f"b-{len(query)}-{attempt}")
        with api.watch(maps, **query) as stream:
            first = stream.next()
        if first["type"] != "ERROR":
            return first["type"], first["object"]["metadata"]["name"]
        assert (first["object"]["code"], first["object"]["reason"]) == (504, "Timeout")
    raise AssertionError("the server writes all the time")


def test_st31_on_an_etcd_without_progress_notifications_that_legacy_watch_is_one_error_event(on_old_etcd: Api) -> None:
    """On the real server alone: there is no etcd below the embedded one."""
    maps = maps_of(on_old_etcd.new_namespace())
    create(on_old_etcd, maps, "a")
    for query in ({}, {"resourceVersion": "0"}):
        with on_old_etcd.watch(maps, allowWatchBookmarks="true", **query) as stream:
            assert stream.status == 200
            (event,) = stream.rest()
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (500, "InternalError")
        assert "RequestWatchProgress is disabled" in event["object"]["message"]
        # Without bookmarks it is served.
        assert first_of_a_legacy_watch(on_old_etcd, maps, query) == ("ADDED", "a")
    with on_old_etcd.watch(maps, allowWatchBookmarks="true", resourceVersion=now(on_old_etcd, maps)) as stream:
        create(on_old_etcd, maps, "b")
        assert stream.take(1) == [("ADDED", "b")]


def assert_end(bookmark: dict[str, Any], at_least: str) -> None:
    meta = bookmark["object"]["metadata"]
    assert int(meta["resourceVersion"]) >= int(at_least)
    assert bookmark == {
        "type": "BOOKMARK",
        "object": {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": meta["resourceVersion"], "annotations": END},
        },
    }


@pytest.mark.parametrize("version", ["none", "", "0", "old", "now"])
def test_st32_watch_list(api: Api, maps: str, version: str) -> None:
    (first,) = create(api, maps, "b")
    create(api, maps, "c", "a")
    current = now(api, maps)
    wanted = {"old": first["metadata"]["resourceVersion"], "now": current}.get(version, version)
    query = {} if version == "none" else {"resourceVersion": wanted}
    with api.watch(maps, **WATCH_LIST, **query) as stream:
        # Everything there is now, though an older version would do.
        assert initial(stream, 3) == ["a", "b", "c"]
        assert_end(stream.next(), current)
        api.delete(f"{maps}/a")
        create(api, maps, "d")
        assert stream.take(2) == [("DELETED", "a"), ("ADDED", "d")]


@pytest.mark.parametrize(
    ("selector", "names"), [({"labelSelector": "app=x"}, ["a", "c"]), ({"fieldSelector": "metadata.name=b"}, ["b"])]
)
def test_st32_watch_list_with_a_selector(api: Api, maps: str, selector: dict[str, str], names: list[str]) -> None:
    create(api, maps, "c", "a", app="x")
    create(api, maps, "b", app="y")
    current = now(api, maps)
    with api.watch(maps, **WATCH_LIST, **selector) as stream:
        assert initial(stream, len(names)) == names
        assert_end(stream.next(), current)


def test_st33_without_bookmarks_there_is_no_end_marker(api: Api, maps: str) -> None:
    create(api, maps, "a")
    with api.watch(maps, **WITHOUT_BOOKMARKS) as stream:
        assert initial(stream, 1) == ["a"]
        create(api, maps, "b")
        assert stream.take(1) == [("ADDED", "b")]


@pytest.mark.parametrize("query", [{}, {"resourceVersion": ""}])
def test_st34_without_initial_events_it_starts_now(api: Api, maps: str, query: dict[str, str]) -> None:
    create(api, maps, "a")
    now(api, maps)
    with api.watch(maps, **{**WATCH_LIST, "sendInitialEvents": "false"}, **query) as stream:
        create(api, maps, "b")
        assert stream.take(1) == [("ADDED", "b")]


def test_st34_or_at_its_version(api: Api, maps: str) -> None:
    start = now(api, maps)
    create(api, maps, "a", "b")
    with api.watch(maps, **{**WATCH_LIST, "sendInitialEvents": "false"}, resourceVersion=start) as stream:
        assert stream.take(2) == [("ADDED", "a"), ("ADDED", "b")]


NEEDED = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
ALONE = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
CONTINUED = "Forbidden: resourceVersionMatch is forbidden when continue is provided"
UNKNOWN = 'Unsupported value: "Exact": supported values: "NotOlderThan"'


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"sendInitialEvents": "true"}, [NEEDED]),
        ({"sendInitialEvents": "false"}, [NEEDED]),
        ({"sendInitialEvents": ""}, [NEEDED]),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "Exact"}, [NEEDED, UNKNOWN]),
        ({"resourceVersionMatch": "NotOlderThan"}, [ALONE]),
        ({"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"}, [ALONE]),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "1"}, [ALONE, UNKNOWN]),
        ({**WATCH_LIST, "continue": "x"}, [CONTINUED]),
    ],
)
def test_st35_half_a_watch_list_is_422(api: Api, maps: str, query: dict[str, str], messages: list[str]) -> None:
    answer = api.get(maps, watch="1", **query)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    causes = answer.json["details"]["causes"]
    assert [(cause["field"], cause["message"]) for cause in causes] == [
        ("resourceVersionMatch", message) for message in messages
    ]


def test_st36_nothing_is_sent_while_a_watch_list_waits_for_its_version(api: Api, maps: str) -> None:
    """What it waits for in vain: test_st12_st36_a_version_that_is_not_reached_is_504_after_three_seconds."""
    with api.raw(maps, watch="1", resourceVersion=10**9, **WATCH_LIST) as sock:
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_st37_a_plain_watch_from_a_future_version_drops_what_comes_up_to_there(api: Api, maps: str) -> None:
    wanted = int(now(api, maps)) + 6
    with api.watch(maps, resourceVersion=wanted, allowWatchBookmarks="true") as stream:
        stored = create(api, maps, *(f"m{number}" for number in range(10)))
        later = [obj for obj in stored if revision_of(obj) > wanted]
        assert 0 < len(later) < len(stored)
        for obj in later:
            assert stream.next() == {"type": "ADDED", "object": obj}
