"""Statements 46 to 51: how long a watch lasts, and the bookmarks on the way.

The bookmarks of a minute's interval take too long to wait for; those before the deadline are the same code.
"""

from __future__ import annotations

import time

import pytest

from kubeinformer.testing.objects import config_map

from .servers import Api

PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
SECONDS = 3


def _event(namespace: str) -> dict[str, object]:
    involved = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": "pod"}
    return {"metadata": {"name": "event"}, "involvedObject": involved, "reason": "Testing", "type": "Normal"}


def test_st46_st51_timeout_seconds_end_the_stream_cleanly(api: Api, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    before = time.monotonic()
    with api.watch(maps, timeoutSeconds=1, resourceVersion=api.get(maps).revision) as stream:
        assert stream.rest() == []
        assert stream.response.isclosed()  # The end of the chunked body was read; a cut connection raises.
    assert 0.9 <= time.monotonic() - before < 5


def test_st47_st48_st49_bookmarks_before_the_deadline(api: Api, namespace: str) -> None:
    folder = f"/api/v1/namespaces/{namespace}"
    maps, events = f"{folder}/configmaps", f"{folder}/events"
    start = api.get(maps).revision
    asked = {"resourceVersion": start, "timeoutSeconds": SECONDS, "allowWatchBookmarks": "true"}
    with (
        api.watch(maps, **asked) as whole,
        api.watch(maps, {"Accept": PARTIAL}, **asked) as partial,
        api.watch(maps, resourceVersion=start, timeoutSeconds=SECONDS) as unasked,
        api.watch(events, **asked) as uncached,
    ):
        written = api.post(maps, config_map("a", namespace)).json["metadata"]["resourceVersion"]
        assert api.post(events, _event(namespace)).status == 201
        first, *bookmarks = whole.rest()
        assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
        assert bookmarks
        for bookmark in bookmarks:
            assert bookmark["type"] == "BOOKMARK"
            revision = bookmark["object"]["metadata"]["resourceVersion"]
            assert int(revision) >= int(written) > int(start)
            wanted = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": revision}}
            assert bookmark["object"] == wanted
        first, *bookmarks = partial.rest()
        assert first["object"]["kind"] == "PartialObjectMetadata"
        assert {(one["type"], one["object"]["kind"]) for one in bookmarks} == {("BOOKMARK", "PartialObjectMetadata")}
        assert [one["type"] for one in unasked.rest()] == ["ADDED"]
        # Events are not in the watch cache of a real server: no bookmark but the one that ends initial events.
        assert [one["type"] for one in uncached.rest()] == ["ADDED"]


def test_st49_initial_events_of_events_end_with_a_bookmark(api: Api, namespace: str) -> None:
    events = f"/api/v1/namespaces/{namespace}/events"
    assert api.post(events, _event(namespace)).status == 201
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with api.watch(events, timeoutSeconds=1, **initial) as stream:
        added, bookmark = stream.rest()
    assert added["type"] == "ADDED"
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@pytest.mark.left_out("no Table")
def test_st50_a_bookmark_of_a_table_is_a_table(api: Api, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with api.watch(maps, {"Accept": TABLE}, timeoutSeconds=1, **initial) as stream:
        bookmark = stream.next()
    assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "Table")
    (row,) = bookmark["object"]["rows"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
