"""Statements 14, 20, 22, 38 and 39: versions and tokens that are too old, all from before one loss of the history."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from kubeinformer import ListOptions
from kubeinformer.cache import ListPager
from kubeinformer.cache.api_status import event_error, is_expired, status_error
from kubeinformer.errors import APIStatusError

from .objects import END, WATCH_LIST, create, maps_of, now, revision_of
from .servers import Answer, Api, Server

LIST_TOO_OLD = "The resourceVersion for the provided list is too old."
PAGE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True)
class Past:
    """What a client holds since before: the version of its list, and a first page of two of four objects.

    ``a``, ``b``, ``c``, ``d`` were there, ``bb`` and ``cc`` came after.
    """

    maps: str
    version: str
    page: Answer


@pytest.fixture(scope="module")
def past(own_server: Server) -> Past:
    api = own_server.api
    maps = maps_of(api.new_namespace())
    create(api, maps, "a", "b", "c", "d")
    page = api.get(maps, limit=2)
    create(api, maps, "bb", "cc")
    own_server.expire_history()
    return Past(maps, page.revision, page)


@pytest.fixture
def api(own_api: Api) -> Api:
    return own_api


def expired(message: str, **metadata: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": metadata,
        "status": "Failure",
        "message": message,
        "reason": "Expired",
        "code": 410,
    }


@pytest.mark.parametrize("query", [{"resourceVersionMatch": "Exact"}, {"limit": 5}])
def test_st14_exact_at_a_compacted_version_is_410(api: Api, past: Past, query: dict[str, Any]) -> None:
    answer = api.get(past.maps, resourceVersion=past.version, **query)
    assert answer.status == 410
    assert answer.json == expired(LIST_TOO_OLD)
    first = api.get(past.maps, resourceVersion="1", **query)
    assert (first.status, first.json) == (410, expired(LIST_TOO_OLD))


def test_st14_not_older_than_it_is_the_newest_state(api: Api, past: Past) -> None:
    for query in ({}, {"resourceVersionMatch": "NotOlderThan"}):
        answer = api.get(past.maps, resourceVersion=past.version, **query)
        assert answer.names == ["a", "b", "bb", "c", "cc", "d"]
        assert int(answer.revision) > int(past.version)
    current = now(api, past.maps)
    assert api.get(past.maps, resourceVersion=current, resourceVersionMatch="Exact").status == 200


@pytest.mark.parametrize("query", [{}, {"limit": 2}, {"limit": 2, "resourceVersion": "0"}])
def test_st20_an_expired_token_comes_with_one_for_the_rest(api: Api, past: Past, query: dict[str, Any]) -> None:
    answer = api.get(past.maps, **{"continue": past.page.json["metadata"]["continue"]}, **query)
    assert answer.status == 410
    token = answer.json["metadata"]["continue"]
    assert answer.json == expired(PAGE_TOO_OLD, **{"continue": token})
    # The rest as it is now: what came meanwhile behind the page is there, what came before it is missed.
    rest = api.get(past.maps, **{"continue": token})
    assert rest.names == ["bb", "c", "cc", "d"]
    assert int(past.version) < int(rest.revision) <= int(now(api, past.maps))
    page = api.get(past.maps, **{"continue": token}, limit=3)
    assert page.names == ["bb", "c", "cc"]
    last = api.get(past.maps, **{"continue": page.json["metadata"]["continue"]}, limit=3)
    assert (last.names, last.revision) == (["d"], page.revision)


def test_st22_the_pager_lists_once_more_in_one_piece(api: Api, past: Past) -> None:
    asked: list[dict[str, Any]] = []

    def one_page(options: ListOptions) -> bytes:
        asked.append(dict(options.to_query()))
        answer = past.page if len(asked) == 1 else api.get(past.maps, **asked[-1])
        if answer.status != 200:
            raise status_error("test", answer.status, dict(answer.headers), answer.body, 0)
        return answer.body

    whole, paged = ListPager(one_page, page_size=2).list(ListOptions(resource_version="0"))
    assert paged
    assert [item["metadata"]["name"] for item in whole["items"]] == ["a", "b", "bb", "c", "cc", "d"]
    first, second, full = asked
    assert first == {"limit": "2", "resourceVersion": "0"}
    assert second == {"limit": "2", "continue": past.page.json["metadata"]["continue"]}
    assert full == {"resourceVersion": "0"}
    del asked[:]
    with pytest.raises(APIStatusError):
        ListPager(one_page, page_size=2, full_list_if_expired=False).list()


@pytest.mark.parametrize("version", ["past", "1"])
@pytest.mark.parametrize("query", [{}, {"allowWatchBookmarks": "true"}, {"labelSelector": "x=y"}])
def test_st38_too_old_a_version_is_one_error_event(api: Api, past: Past, version: str, query: dict[str, Any]) -> None:
    version = past.version if version == "past" else version
    with api.watch(past.maps, resourceVersion=version, **query) as stream:
        assert stream.status == 200
        (event,) = stream.rest()
    said = re.fullmatch(rf"too old resource version: {version} \((\d+)\)", event["object"]["message"])
    assert said is not None
    assert int(version) < int(said[1]) <= int(now(api, past.maps))
    assert event == {"type": "ERROR", "object": expired(said[0])}


def test_st38_where_there_is_no_watch_cache_it_is_said_in_other_words(api: Api, past: Past) -> None:
    with api.watch(past.maps.replace("configmaps", "events"), resourceVersion=past.version) as stream:
        assert stream.status == 200
        (event,) = stream.rest()
    assert event == {"type": "ERROR", "object": expired("The resourceVersion for the provided watch is too old.")}


def test_st38_a_watch_list_from_there_is_everything_there_is_now(api: Api, past: Past) -> None:
    with api.watch(past.maps, resourceVersion=past.version, **WATCH_LIST) as stream:
        assert stream.take(6) == [("ADDED", name) for name in ("a", "b", "bb", "c", "cc", "d")]
        end = stream.next()["object"]
    assert end["metadata"]["annotations"] == END
    assert revision_of(end) > int(past.version)


def test_st39_an_old_version_is_told_in_any_of_its_forms(api: Api, past: Past) -> None:
    with api.watch(past.maps, resourceVersion=past.version) as stream:
        event = stream.next()["object"]
    listed = api.get(past.maps, resourceVersion=past.version, resourceVersionMatch="Exact").json
    # Servers of other versions say Gone, or leave out the code or the reason.
    for status in (event, listed):
        for change in ({}, {"reason": "Gone"}, {"code": None}, {"reason": "Gone", "code": None}, {"reason": None}):
            said = {name: value for name, value in {**status, **change}.items() if value is not None}
            assert is_expired(event_error("test", json.dumps(said).encode()))
        assert is_expired(status_error("test", 410, {}, json.dumps({**status, "reason": "Gone"}).encode(), 0))
    other = {**event, "code": 500, "reason": "InternalError"}
    assert not is_expired(event_error("test", json.dumps(other).encode()))
