"""Statements 1 to 13: resource versions, and which state a LIST shows."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kubeinformer.cache.api_status import event_error, is_too_large_resource_version, status_error
from kubeinformer.testing.objects import config_map

from .objects import END, WATCH_LIST, create, maps_of, now, patch, revision_of
from .servers import EMBEDDED, REAL, Answer, Api, Server

FAR = 10**9


@pytest.fixture
def maps(namespace: str) -> str:
    return maps_of(namespace)


def test_st01_one_revision_for_the_whole_store(server: Server, api: Api, namespace: str, maps: str) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    (first,) = create(api, maps, "a")
    secret = api.post(secrets, {"metadata": {"name": "s"}, "stringData": {"k": "v"}}).json
    (second,) = create(api, maps, "b")
    revisions = [revision_of(obj) for obj in (first, secret, second)]
    assert revisions == sorted(set(revisions))
    if server.name == EMBEDDED:  # to the real one its own components write beside the tests
        assert revisions[2] == revisions[0] + 2
    assert int(now(api, maps)) >= revisions[2]
    # Deletions count too, and a list of anything has the store's revision, above that of its items.
    assert api.delete(f"{maps}/b").status == 200
    listed = api.get(secrets)
    assert int(listed.revision) > revisions[2] > revision_of(listed.json["items"][0])


def test_st02_a_write_that_changes_nothing_is_none(api: Api, namespace: str, maps: str) -> None:
    (stored,) = create(api, maps, "a")
    before = now(api, maps)
    with api.watch(maps, resourceVersion=before) as stream:
        assert api.put(f"{maps}/a", stored).json == stored
        assert api.put(f"{maps}/a", config_map("a", namespace, data={"n": "0"})).json == stored
        assert patch(api, maps, "a", {"data": {"n": "0"}}) == stored
        assert api.get(f"{maps}/a").json == stored
        create(api, maps, "b")
        assert stream.take(1) == [("ADDED", "b")]


def test_st03_a_deleted_event_has_the_revision_of_the_deletion(api: Api, maps: str) -> None:
    (stored,) = create(api, maps, "a")
    with api.watch(maps, resourceVersion=now(api, maps)) as stream:
        api.delete(f"{maps}/a")
        event = stream.next()
    assert event["type"] == "DELETED"
    assert revision_of(stored) < revision_of(event["object"]) <= int(now(api, maps))
    event["object"]["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
    assert event["object"] == stored


def test_st04_a_list_without_a_version_shows_every_write_before_it(api: Api, maps: str) -> None:
    names = [f"m{number:02}" for number in range(20)]
    for count, name in enumerate(names, 1):
        (stored,) = create(api, maps, name)
        answer = api.get(maps)
        assert answer.names == names[:count]
        assert int(answer.revision) >= revision_of(stored)


def test_st05_version_0_ignores_the_limit(api: Api, maps: str) -> None:
    create(api, maps, *(f"m{number}" for number in range(5)))
    now(api, maps)
    for query in ({}, {"resourceVersionMatch": "NotOlderThan"}):
        answer = api.get(maps, resourceVersion="0", limit=2, **query)
        assert len(answer.names) == 5
        assert set(answer.json["metadata"]) == {"resourceVersion"}


def test_st05_but_not_where_there_is_no_watch_cache(api: Api, namespace: str) -> None:
    events = f"/api/v1/namespaces/{namespace}/events"
    for name in ("a", "b", "c"):
        involved = {"namespace": namespace, "kind": "ConfigMap", "name": "m"}
        assert api.post(events, {"metadata": {"name": name}, "involvedObject": involved}).status == 201
    assert api.get(events, resourceVersion="0", limit=2).names == ["a", "b"]


def test_st06_a_version_with_a_limit_is_exact_without_one_not_older(api: Api, maps: str) -> None:
    (first,) = create(api, maps, "a")
    then = first["metadata"]["resourceVersion"]
    create(api, maps, "b")
    assert api.get(maps, resourceVersion=then).names == ["a", "b"]
    exact = api.get(maps, resourceVersion=then, limit=10)
    assert (exact.names, exact.revision) == (["a"], then)


def test_st07_exact_is_the_state_at_that_revision(api: Api, maps: str) -> None:
    create(api, maps, "a", "b")
    then = api.get(maps)
    patch(api, maps, "a", {"data": {"k": "v"}})
    api.delete(f"{maps}/b")
    create(api, maps, "c")
    exact = api.get(maps, resourceVersion=then.revision, resourceVersionMatch="Exact")
    assert exact.json == then.json
    page = api.get(maps, resourceVersion=then.revision, resourceVersionMatch="Exact", limit=1)
    assert (page.names, page.revision) == (["a"], then.revision)
    assert page.json["metadata"]["remainingItemCount"] == 1


def test_st07_exact_at_the_first_revision_is_nothing(server: Server, api: Api, maps: str) -> None:
    create(api, maps, "a")
    first = api.get(maps, resourceVersion="1", resourceVersionMatch="Exact")
    if server.name == REAL and first.status == 410:
        # A real server compacts every five minutes, and other tests may have used this one for as long.
        assert first.json["reason"] == "Expired"
    else:
        assert (first.names, first.revision) == ([], "1")


def test_st08_not_older_than_is_the_newest_state(api: Api, maps: str) -> None:
    (first,) = create(api, maps, "a")
    create(api, maps, "b", "c")
    query = {"resourceVersion": first["metadata"]["resourceVersion"], "resourceVersionMatch": "NotOlderThan"}
    current = now(api, maps)
    answer = api.get(maps, **query)
    assert answer.names == ["a", "b", "c"]
    assert int(answer.revision) >= int(current)
    page = api.get(maps, **query, limit=2)
    assert page.names == ["a", "b"]
    assert page.json["metadata"]["remainingItemCount"] == 1


WITHOUT = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
CONTINUED = "Forbidden: resourceVersionMatch is forbidden when continue is provided"
ZERO = 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
UNKNOWN = 'Unsupported value: "Sometimes": supported values: "Exact", "NotOlderThan", ""'


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"resourceVersionMatch": "Exact"}, [WITHOUT]),
        ({"resourceVersionMatch": "NotOlderThan"}, [WITHOUT]),
        ({"resourceVersionMatch": "NotOlderThan", "continue": "x"}, [WITHOUT, CONTINUED]),
        ({"resourceVersionMatch": "NotOlderThan", "continue": "x", "resourceVersion": "1"}, [CONTINUED]),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, [ZERO]),
        ({"resourceVersionMatch": "Sometimes", "resourceVersion": "1"}, [UNKNOWN]),
        ({"resourceVersionMatch": "Sometimes"}, [WITHOUT, UNKNOWN]),
    ],
)
def test_st09_a_match_that_makes_no_sense_is_422(
    api: Api, maps: str, query: dict[str, str], messages: list[str]
) -> None:
    assert_invalid(api.get(maps, **query), [("resourceVersionMatch", message) for message in messages])


@pytest.mark.parametrize("value", ["true", "false", ""])
def test_st10_send_initial_events_on_list_is_422(api: Api, maps: str, value: str) -> None:
    forbidden = [("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")]
    assert_invalid(api.get(maps, sendInitialEvents=value), forbidden)


def assert_invalid(answer: Answer, causes: list[tuple[str, str]]) -> None:
    listed = [f"{field}: {message}" for field, message in causes]
    assert answer.status == 422
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'ListOptions.meta.k8s.io "" is invalid: '
        + (listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"),
        "reason": "Invalid",
        "details": {
            "group": "meta.k8s.io",
            "kind": "ListOptions",
            "causes": [
                {
                    "reason": "FieldValueNotSupported" if message.startswith("Unsupported") else "FieldValueForbidden",
                    "message": message,
                    "field": field,
                }
                for field, message in causes
            ],
        },
        "code": 422,
    }


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("abc", "invalid syntax"),
        ("-1", "invalid syntax"),
        ("1.5", "invalid syntax"),
        (str(2**64), "value out of range"),
    ],
)
def test_st11_a_version_that_is_no_number(api: Api, maps: str, version: str, why: str) -> None:
    parsing = f'resourceVersion: Invalid value: "{version}": strconv.ParseUint: parsing "{version}": {why}'
    create(api, maps, "a")
    failure = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    bad_request = {"message": f"invalid resource version: {parsing}", "reason": "BadRequest", "code": 400}
    for query in ({}, {"limit": 1}, {"resourceVersionMatch": "NotOlderThan"}):
        assert api.get(maps, resourceVersion=version, **query).json == {**failure, **bad_request}
    # A watch and a GET are refused with the same parse error, but as errors of the server, without a reason.
    for answer in (
        api.get(maps, watch="1", resourceVersion=version),
        api.get(maps, watch="1", resourceVersion=version, **WATCH_LIST),
        api.get(f"{maps}/a", resourceVersion=version),
    ):
        assert answer.status == 500
        assert answer.json == {**failure, "message": parsing, "code": 500}


@pytest.mark.parametrize(
    ("query", "parsed"),
    [({"limit": "x"}, "x"), ({"limit": ""}, ""), ({"timeoutSeconds": "1.5"}, "1.5"), ({"timeoutSeconds": ""}, "")],
)
def test_st11_nor_are_other_options(api: Api, maps: str, query: dict[str, str], parsed: str) -> None:
    for watch in ({}, {"watch": "1"}):
        answer = api.get(maps, **query, **watch)
        assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
        assert answer.json["message"] == f'strconv.ParseInt: parsing "{parsed}": invalid syntax'


def test_st12_st36_a_version_that_is_not_reached_is_504_after_three_seconds(api: Api, maps: str) -> None:
    create(api, maps, "a")
    current = int(now(api, maps))
    lists: list[dict[str, Any]] = [{}, {"limit": 1}]
    lists += [{"resourceVersionMatch": match} for match in ("NotOlderThan", "Exact")]
    with ThreadPoolExecutor(8) as pool:
        listed = [pool.submit(timed, api, maps, query) for query in lists]
        listed.append(pool.submit(timed, api, f"{maps}/a", {}))
        watched = pool.submit(timed, api, maps, {"watch": "1", **WATCH_LIST, "timeoutSeconds": 1})
        for answer, seconds in (future.result() for future in listed):
            assert seconds > 2.9
            assert answer.status == 504
            assert answer.headers["Retry-After"] == "1"
            assert_too_large(answer.json, current)
        answer, seconds = watched.result()
    # The watch has begun before it waits: what it waits for in vain is said by an event, and then it ends.
    assert seconds > 2.9
    assert answer.status == 200
    (event,) = map(json.loads, answer.body.splitlines())
    assert event["type"] == "ERROR"
    assert_too_large(event["object"], current)


def timed(api: Api, path: str, query: dict[str, Any], version: int = FAR) -> tuple[Answer, float]:
    before = time.monotonic()
    return api.get(path, resourceVersion=version, **query), time.monotonic() - before


def assert_too_large(status: dict[str, Any], current: int) -> None:
    said = re.fullmatch(rf"Timeout: Too large resource version: {FAR}, current: (\d+)", status["message"])
    assert said is not None
    assert int(said[1]) >= current
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    assert status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": said[0],
        "reason": "Timeout",
        "details": {"causes": causes, "retryAfterSeconds": 1},
        "code": 504,
    }


def test_st12_the_answer_comes_as_soon_as_the_version_is_reached(api: Api, maps: str) -> None:
    wanted = int(now(api, maps)) + 2
    with ThreadPoolExecutor(2) as pool:
        listed = pool.submit(timed, api, maps, {}, wanted)
        streamed = pool.submit(timed, api, maps, {"watch": "1", **WATCH_LIST, "timeoutSeconds": 1}, wanted)
        stored = create(api, maps, "a", "b", "c")
        answer, _ = listed.result()
        stream, _ = streamed.result()
    asked_for = {obj["metadata"]["name"] for obj in stored if revision_of(obj) <= wanted}
    assert (answer.status, stream.status) == (200, 200)
    assert int(answer.revision) >= wanted
    assert asked_for <= set(answer.names)
    events = [json.loads(line) for line in stream.body.splitlines()]
    (end,) = [at for at, event in enumerate(events) if event["object"]["metadata"].get("annotations") == END]
    assert revision_of(events[end]["object"]) >= wanted
    assert asked_for <= {event["object"]["metadata"]["name"] for event in events[:end]}


def test_st12_without_a_watch_cache_nobody_waits(api: Api, namespace: str) -> None:
    answer, seconds = timed(api, f"/api/v1/namespaces/{namespace}/events", {})
    assert seconds < 2.9
    assert answer.status == 504
    assert "Retry-After" not in answer.headers
    assert answer.json["details"] == {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    }


def test_st13_servers_up_to_1_18_say_it_in_the_message_alone(api: Api, namespace: str) -> None:
    status = api.get(f"/api/v1/namespaces/{namespace}/events", resourceVersion=FAR).json
    for details in (status["details"], {"retryAfterSeconds": 1}):
        body = json.dumps({**status, "details": details}).encode()
        assert is_too_large_resource_version(event_error("test", body))
        assert is_too_large_resource_version(status_error("test", 504, {}, body, 0))
    other = json.dumps({**status, "details": {}, "message": "Timeout: request did not complete"}).encode()
    assert not is_too_large_resource_version(event_error("test", other))
