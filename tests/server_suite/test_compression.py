"""Statements 76 and 77: gzip of large bodies, and of the watches that start with a list."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from kubeinformer.testing.objects import config_map

from .servers import Api

GZIP = {"Accept-Encoding": "gzip"}
KIBI = 1024
INITIAL = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
BOOKMARKS = {"allowWatchBookmarks": "true"}


@pytest.fixture
def maps(api: Api, namespace: str) -> str:
    """The path of two config maps, of 70 KB each."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b"):
        assert api.post(path, config_map(name, namespace, data={"k": "x" * 70 * KIBI})).status == 201
    return path


def test_st76_large_bodies_are_compressed_for_who_offers_gzip(api: Api, maps: str) -> None:
    for offer in ("gzip", "deflate, gzip"):
        answer = api.get(maps, {"Accept-Encoding": offer})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert json.loads(gzip.decompress(answer.body))["items"] == api.get(maps).json["items"]
    for offer in ("identity", "deflate", "gzip;q=0"):
        answer = api.get(maps, {"Accept-Encoding": offer})
        assert answer.headers["Content-Encoding"] is None
        assert answer.names == ["a", "b"]


def test_st76_small_bodies_are_not(api: Api, namespace: str, maps: str) -> None:
    for path, query in ((f"{maps}/a", {}), (maps, {"limit": "1"}), (maps, {"fieldSelector": "metadata.name=a"})):
        answer = api.get(path, GZIP, **query)
        assert answer.headers["Content-Encoding"] is None
        assert answer.json
    assert api.post(maps, config_map("c", namespace, data={"k": "x" * 140 * KIBI})).status == 201
    answer = api.get(f"{maps}/c", GZIP)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body))["metadata"]["name"] == "c"


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}, INITIAL], ids=["unset", "0", "initial"])
def test_st76_watches_are_not_unless_a_bookmark_ends_their_list(api: Api, maps: str, query: dict[str, str]) -> None:
    with api.watch(maps, GZIP, **query) as stream:
        assert stream.response.headers["Content-Encoding"] is None
        assert stream.take(2) == [("ADDED", "a"), ("ADDED", "b")]


@pytest.mark.parametrize("query", [INITIAL, {"resourceVersion": "0"}, {}], ids=["initial", "legacy-0", "legacy-unset"])
def test_st77_a_watch_list_is_compressed_and_flushed(
    api: Api, namespace: str, maps: str, query: dict[str, str]
) -> None:
    """Each event can be read when it comes: members are concatenated, and each is complete when it is flushed."""
    with api.watch(maps, GZIP, timeoutSeconds=2, **query, **BOOKMARKS) as stream:
        assert stream.response.headers["Content-Encoding"] == "gzip"
        assert stream.response.headers["Vary"] == "Accept-Encoding"
        lines, members = _Members(), []
        while len(members) < 3:
            members += lines.feed(stream.response.read1())
        assert [event["type"] for event in members] == ["ADDED", "ADDED", "BOOKMARK"]
        assert api.post(maps, config_map("c", namespace)).status == 201
        later: list[dict[str, Any]] = []
        while not later:
            # Under load another bookmark may come first.
            later = [event for event in lines.feed(stream.response.read1()) if event["type"] != "BOOKMARK"]
        (added,) = later
        assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "c")
        assert lines.ended > 1


class _Members:
    """Decompresses concatenated gzip members and gives out the events that are whole."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._rest = b""
        self.ended = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        assert data, "the stream ended"
        while data:
            self._rest += self._member.decompress(data)
            data = self._member.unused_data
            if self._member.eof:
                self.ended += 1
                self._member = zlib.decompressobj(wbits=31)
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]


def test_st77_a_watch_list_is_plain_for_who_offers_nothing(api: Api, maps: str) -> None:
    with api.watch(maps, {"Accept-Encoding": "identity"}, **INITIAL, **BOOKMARKS) as stream:
        assert stream.response.headers["Content-Encoding"] is None
        assert [stream.next()["type"] for _ in range(3)] == ["ADDED", "ADDED", "BOOKMARK"]
