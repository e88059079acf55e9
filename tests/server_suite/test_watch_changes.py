"""Statements 43 to 45: what a change is to a watch with a selector, and to one that sees names alone."""

from __future__ import annotations

import pytest

from kubeinformer.testing.objects import pod

from .objects import create, maps_of, now, patch, revision_of
from .servers import Api


@pytest.fixture
def maps(namespace: str) -> str:
    return maps_of(namespace)


@pytest.mark.parametrize("selector", [{"labelSelector": "app=x"}, {"fieldSelector": "metadata.name=a"}])
def test_st43_what_does_not_match_is_not_seen(api: Api, maps: str, selector: dict[str, str]) -> None:
    with api.watch(maps, resourceVersion=now(api, maps), **selector) as stream:
        create(api, maps, "z", app="y")
        patch(api, maps, "z", {"data": {"n": "1"}})
        api.delete(f"{maps}/z")
        create(api, maps, "a", app="x")
        assert stream.take(1) == [("ADDED", "a")]


def test_st43_an_object_that_leaves_the_selector_is_deleted_as_it_was(api: Api, maps: str) -> None:
    start = now(api, maps)
    create(api, maps, "a", app="y")
    labels = [{"metadata": {"labels": {"app": app}}} for app in ("x", "y")]
    entered = patch(api, maps, "a", {**labels[0], "data": {"n": "1"}})
    changed = patch(api, maps, "a", {"data": {"n": "2"}})
    left = patch(api, maps, "a", {**labels[1], "data": {"n": "3"}})
    again = patch(api, maps, "a", {**labels[0], "data": {"n": "4"}})
    api.delete(f"{maps}/a")
    with api.watch(maps, resourceVersion=start, labelSelector="app=x") as stream:
        assert stream.next() == {"type": "ADDED", "object": entered}
        assert stream.next() == {"type": "MODIFIED", "object": changed}
        # As it last was to this watch, under the version at which it left.
        changed["metadata"]["resourceVersion"] = left["metadata"]["resourceVersion"]
        assert stream.next() == {"type": "DELETED", "object": changed}
        assert stream.next() == {"type": "ADDED", "object": again}
        gone = stream.next()
    assert gone["type"] == "DELETED"
    assert gone["object"]["data"] == {"n": "4"}
    assert revision_of(gone["object"]) > revision_of(again)


def test_st43_the_deletion_of_what_does_not_match_is_not_seen(api: Api, maps: str) -> None:
    create(api, maps, "a", "b", app="x")
    with api.watch(maps, resourceVersion=now(api, maps), labelSelector="app=x") as stream:
        patch(api, maps, "a", {"metadata": {"labels": {"app": "y"}}})
        api.delete(f"{maps}/a")
        api.delete(f"{maps}/b")
        assert stream.take(2) == [("DELETED", "a"), ("DELETED", "b")]


def test_st43_field_selector_transitions(api: Api, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    assert api.post(pods, pod("p", namespace, node="n1", phase="Pending")).status == 201
    with api.watch(pods, resourceVersion=now(api, pods), fieldSelector="status.phase=Running") as stream:
        for phase in ("Running", "Running", "Failed"):
            for reason in ("First", "Second"):
                change = {"status": {"phase": phase, "reason": reason}}
                assert api.patch(f"{pods}/p/status", change).status == 200
        assert [kind for kind, _ in stream.take(5)] == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]


def test_st44_delete_and_recreate_is_a_new_uid(api: Api, maps: str) -> None:
    start = now(api, maps)
    (first,) = create(api, maps, "a")
    api.delete(f"{maps}/a")
    (second,) = create(api, maps, "a")
    with api.watch(maps, resourceVersion=start) as stream:
        events = [stream.next() for _ in range(3)]
    assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED"]
    uids = [event["object"]["metadata"]["uid"] for event in events]
    assert uids == [first["metadata"]["uid"], first["metadata"]["uid"], second["metadata"]["uid"]]
    assert uids[1] != uids[2]
    # Who only lists sees the name stay.
    assert [item["metadata"]["uid"] for item in api.get(maps).json["items"]] == [uids[2]]


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}, {"resourceVersion": "start"}])
def test_st45_limit_is_ignored(api: Api, maps: str, query: dict[str, str]) -> None:
    start = now(api, maps)
    create(api, maps, "a", "b", "c")
    now(api, maps)
    if "start" in query.values():
        query = {"resourceVersion": start}
    with api.watch(maps, limit=1, **query) as stream:
        assert stream.take(3) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
