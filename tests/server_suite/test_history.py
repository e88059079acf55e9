"""Statements 21 and 40 to 42: how far back the history reaches, and what a compaction and a restart take of it."""

from __future__ import annotations

import pytest

from .objects import create, maps_of, now, patch, revision_of
from .servers import Api, Server


@pytest.fixture
def maps(own_namespace: str) -> str:
    return maps_of(own_namespace)


@pytest.mark.real_only("what is compacted is gone: the embedded server has one history, not a cache in front of etcd's")
def test_st21_st42_what_the_memory_of_the_server_holds_outlasts_a_compaction(
    own_server: Server, own_api: Api, maps: str
) -> None:
    create(own_api, maps, "a", "b", "c")
    page = own_api.get(maps, limit=1)
    create(own_api, maps, "d")
    own_server.compact()
    create(own_api, maps, "e")
    rest = own_api.get(maps, **{"continue": page.json["metadata"]["continue"]})
    assert (rest.names, rest.revision) == (["b", "c"], page.revision)
    exact = own_api.get(maps, resourceVersion=page.revision, resourceVersionMatch="Exact")
    assert (exact.names, exact.revision) == (["a", "b", "c"], page.revision)
    with own_api.watch(maps, resourceVersion=page.revision) as stream:
        assert stream.take(2) == [("ADDED", "d"), ("ADDED", "e")]


def test_st40_after_a_restart_every_version_before_its_first_list_is_too_old(
    own_server: Server, own_api: Api, maps: str
) -> None:
    create(own_api, maps, "a")
    old = now(own_api, maps)
    create(own_api, maps, "b")
    own_server.restart()
    with own_api.watch(maps, resourceVersion=old) as stream:
        (event,) = stream.rest()
    assert event["object"]["message"].startswith(f"too old resource version: {old} (")
    assert event["object"]["code"] == 410
    # From its first list on it knows everything again.
    current = now(own_api, maps)
    create(own_api, maps, "c")
    with own_api.watch(maps, resourceVersion=current) as stream:
        assert stream.take(1) == [("ADDED", "c")]


def test_st41_a_hundred_events_and_more_are_kept(own_api: Api, maps: str) -> None:
    """What is older than 75 seconds may go (it would take minutes to show), and from 102,400 events on all of it."""
    create(own_api, maps, "a")
    start = now(own_api, maps)
    versions = [revision_of(patch(own_api, maps, "a", {"data": {"n": str(number)}})) for number in range(1, 201)]
    with own_api.watch(maps, resourceVersion=start) as stream:
        events = [stream.next() for _ in range(200)]
    assert {event["type"] for event in events} == {"MODIFIED"}
    assert [event["object"]["data"]["n"] for event in events] == [str(number) for number in range(1, 201)]
    assert [revision_of(event["object"]) for event in events] == versions


def test_st42_a_compaction_leaves_running_watches_alone(own_server: Server, own_api: Api, maps: str) -> None:
    create(own_api, maps, "a")
    with own_api.watch(maps, resourceVersion=now(own_api, maps)) as running:
        create(own_api, maps, "b")
        own_server.compact()
        create(own_api, maps, "c")
        assert running.take(2) == [("ADDED", "b"), ("ADDED", "c")]
        current = now(own_api, maps)
        create(own_api, maps, "d")
        assert running.take(1) == [("ADDED", "d")]
    with own_api.watch(maps, resourceVersion=current) as stream:
        assert stream.take(1) == [("ADDED", "d")]
