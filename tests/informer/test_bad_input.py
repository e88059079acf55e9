"""Bad bytes from the server: a clear error in the log or a new list; never a wrong cache, a crash or a hang.

After each of them delivery goes on, and cache, indices and replay equal a fresh LIST.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest
from fault_support import NOTE, Follower, Make, event, status
from informer_support import cached, eventually

from kubeinformer.errors import DecodeError
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

pytestmark = pytest.mark.usefixtures("quick_backoff")

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>\n"


def bad_pod(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "resourceVersion": "999", **metadata},
    }


NO_METADATA = {"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "node-0"}}
BAD_OBJECTS: dict[str, bytes] = {
    "without metadata": orjson.dumps(NO_METADATA),
    "metadata is null": orjson.dumps({**NO_METADATA, "metadata": None}),
    "without a name": orjson.dumps(bad_pod()),
    "an empty name": orjson.dumps(bad_pod(name="")),
    "a name that is a number": b'{"metadata":{"name":5,"namespace":"default","resourceVersion":"999"}}',
    "null": b"null",
    "a string": b'"pod"',
    "a list": b"[]",
    "brackets that do not match": b'{"metadata":{"name":"bad","namespace":"default"]}',
    "invalid UTF-8": b'{"metadata":{"name":"bad","namespace":"default","annotations":{"a":"\xff\xfe"}}}',
    "half a UTF-8 character": b'{"metadata":{"name":"bad","namespace":"default","annotations":{"a":"\xf0\x9f\x98"}}}',
    "an escape that is none": b'{"metadata":{"name":"ba\\q","namespace":"default"}}',
}
# What can be known of the object is in the error.
WITH_KEY = {"invalid UTF-8", "half a UTF-8 character", "brackets that do not match"}


def decode_error(follower: Follower, caplog: pytest.LogCaptureFixture) -> str:
    """The one line about bytes that cannot be read."""
    errors = [record.getMessage() for record in caplog.records if "cannot read what the server sent" in record.message]
    assert len(errors) == 1, errors
    assert "at byte " in errors[0]
    assert errors[0].startswith("v1/pods: ")
    return errors[0]


@pytest.mark.parametrize("name", BAD_OBJECTS)
def test_a_bad_object_in_a_watch(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    follower = Follower(server, make_factory())
    follower.inject(event("MODIFIED", BAD_OBJECTS[name]))
    follower.world.change(10)
    eventually(lambda: follower.counters().relists == {"decode_error": 1}, "the relist")
    follower.check_goes_on()
    line = decode_error(follower, caplog)
    assert "default/bad" in line or name not in WITH_KEY


@pytest.mark.parametrize("name", BAD_OBJECTS)
@pytest.mark.parametrize("index", [0, 3, -1])
def test_a_bad_item_in_a_list(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture, name: str, index: int
) -> None:
    server.faults.inject_list_item(BAD_OBJECTS[name], index=index)
    follower = Follower(server, make_factory(options={"use_watch_list": False}), start=False)
    follower.factory.start()
    follower.check_goes_on()
    assert follower.counters().lists == 2
    assert follower.counters().failures == 1
    line = decode_error(follower, caplog)
    assert "default/bad" in line or name not in WITH_KEY


def test_a_bad_item_stays_the_last_error_and_the_cache_as_it_was(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory(options={"use_watch_list": False}))
    follower.wait_live()
    before = cached(follower.informer)
    rule = server.faults.inject_list_item(BAD_OBJECTS["invalid UTF-8"], index=1, times=None)
    follower.inject(event("ERROR", status(410, "Expired")))
    eventually(lambda: server.faults.hits(rule) > 2, "lists that fail")
    follower.world.change(10)
    error = eventually(follower.informer.last_error, "the error").error
    assert isinstance(error, DecodeError)
    assert error.key == "default/bad"
    assert error.offset > 500
    assert cached(follower.informer) == before
    assert not follower.informer.is_live()
    server.faults.clear()
    follower.check_goes_on()


BAD_STREAMS: dict[str, bytes] = {
    "html": HTML,
    "an empty object": b"{}\n",
    "null": b"null\n",
    "a number": b"12\n",
    "truncated JSON": event("MODIFIED", pod("web-0"))[:300] + b"\n",
    "no object": b'{"type":"MODIFIED"}\n',
    "no type": b'{"object":{"metadata":{"name":"a"}}}\n',
    "a type that is no string": b'{"type":7,"object":{"metadata":{"name":"a"}}}\n',
    "two events on a line": event("ADDED", pod("a")).strip() + event("ADDED", pod("b")),
    "zero bytes": bytes(20) + b"\n",
}


@pytest.mark.parametrize("name", BAD_STREAMS)
def test_no_events_in_a_watch(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    follower = Follower(server, make_factory())
    follower.inject(BAD_STREAMS[name])
    follower.world.change(10)
    eventually(lambda: follower.counters().relists == {"decode_error": 1}, "the relist")
    follower.check_goes_on()
    decode_error(follower, caplog)


BAD_LISTS: dict[str, bytes] = {
    "html": HTML,
    "nothing": b"",
    "null": b"null",
    "truncated": b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"999"},"items":[{"metadata":{"na',
    "no items": b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"999"}',
    "items of another kind": b'{"kind":"PodList","metadata":{"resourceVersion":"999"},"items":"none"}',
    "a Status": orjson.dumps(status(500, "InternalError")),
    "two bodies": b'{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[]}{}',
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_no_list_in_a_list(server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """With status 200: a proxy's page, a body cut short."""
    follower = Follower(server, make_factory(options={"use_watch_list": False}))
    follower.wait_live()
    server.faults.respond(200, body=BAD_LISTS[name], verb="list")
    follower.inject(event("ERROR", status(410, "Expired")))
    follower.world.change(10)
    eventually(lambda: follower.counters().lists == 3, "the list after that")
    follower.check_goes_on()
    decode_error(follower, caplog)


@pytest.mark.parametrize("name", ["html", "null", "truncated JSON"])
def test_no_events_in_a_watch_list(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    rule = server.faults.respond(200, body=BAD_STREAMS[name], verb="watch")
    follower = Follower(server, make_factory())
    assert server.faults.hits(rule) == 1
    follower.check_goes_on()
    assert "using LIST" in decode_error(follower, caplog)


def test_s119_an_unknown_type_of_event_is_skipped(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory())
    follower.wait_live()
    version = server.create(config_map("other"))["metadata"]["resourceVersion"]
    follower.inject(event("TELEPORTED", {"metadata": {"name": "a", "resourceVersion": version}}))
    eventually(lambda: follower.informer.last_sync_resource_version() == version, "the version moves on")
    follower.check_goes_on()
    assert follower.counters().relists == {}


@pytest.mark.parametrize("obj", [{}, {"kind": "Pod"}, "no", None, 5, {"kind": "Status", "code": "410"}])
def test_f27_an_error_event_that_is_no_status(server: APIServer, make_factory: Make, obj: object) -> None:
    follower = Follower(server, make_factory())
    follower.inject(event("ERROR", obj))
    follower.world.change(10)
    eventually(lambda: follower.counters().relists == {"watch_error": 1}, "the relist")
    follower.check_goes_on()


@pytest.mark.parametrize("obj", [{"kind": "Pod"}, {"metadata": {}}, {"metadata": {"resourceVersion": ""}}])
def test_a_bookmark_without_a_version(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture, obj: dict[str, Any]
) -> None:
    follower = Follower(server, make_factory())
    follower.inject(event("BOOKMARK", obj))
    follower.world.change(10)
    eventually(lambda: follower.counters().relists == {"decode_error": 1}, "the relist")
    follower.check_goes_on()
    decode_error(follower, caplog)


@pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])
def test_f18_an_object_of_3_mb(server: APIServer, make_factory: Make, use_watch_list: bool) -> None:
    server.create(pod("large", size=3_000_000))
    follower = Follower(server, make_factory(options={"use_watch_list": use_watch_list}))
    server.update(pod("large", size=3_100_000, phase="Failed"))
    server.create(pod("large-too", size=3_000_000))
    follower.check_goes_on()


def test_an_object_above_the_limit_is_an_error_and_the_cache_stays(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Follower(server, make_factory(options={"max_object_bytes": 100_000}))
    server.create(pod("large", size=99_000))
    follower.check()
    before = cached(follower.informer)
    server.create(pod("too-large", size=150_000))
    eventually(lambda: isinstance(getattr(follower.informer.last_error(), "error", None), DecodeError), "the error")
    assert not follower.informer.is_live()
    assert "longer than 100000 bytes" in caplog.text
    assert 'in object "default/too-large"' in caplog.text
    assert cached(follower.informer) == before
    server.delete("pods", "too-large")
    follower.check_goes_on()


def test_f19_what_others_take_for_line_ends_and_escapes(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory())
    for number in range(20):
        server.create(pod(f"text-{number}", labels={"number": str(number)}, annotations={"note": NOTE * number}))
    follower.check_goes_on()
    found = follower.informer.indexer().get_by_key("default/text-3")
    assert found is not None
    assert found.annotations["note"] == found["metadata"]["annotations"]["note"] == NOTE * 3


def test_of_duplicate_keys_the_last_counts_everywhere(server: APIServer, make_factory: Make) -> None:
    """As for orjson: in the key, the index and what Python reads."""
    follower = Follower(server, make_factory())
    follower.wait_live()
    version = server.create(config_map("other"))["metadata"]["resourceVersion"].encode()
    raw = (
        b'{"metadata":{"name":"wrong","name":"twice","namespace":"default","namespace":"other","uid":"1",'
        b'"resourceVersion":"1","resourceVersion":"%b","labels":{"app":"a"},"labels":{"app":"b","app":"c"}},'
        b'"spec":{"nodeName":"node-8"},"spec":{"nodeName":"node-8","nodeName":"node-9"},'
        b'"kind":"Node","kind":"Pod","apiVersion":"v2","apiVersion":"v1"}' % version
    )
    follower.inject(event("ADDED", raw))
    indexer = follower.informer.indexer()
    obj = eventually(lambda: indexer.get_by_key("other/twice"), "the object")
    assert (obj.name, obj.namespace, obj.labels) == ("twice", "other", {"app": "c"})
    assert obj.to_dict() | {"apiVersion": "v1", "kind": "Pod"} == orjson.loads(raw) | {
        "apiVersion": "v1",
        "kind": "Pod",
    }
    assert indexer.index_keys("node", "node-9") == ["other/twice"] == indexer.index_keys("namespace", "other")
    assert indexer.index_keys("node", "node-8") == []
    assert [found.key for found in indexer.list("app=c")] == ["other/twice"]
    assert indexer.project(["spec.nodeName"], index="namespace", value="other") == [("node-9",)]
    follower.inject(event("ERROR", status(410, "Expired")))
    follower.check_goes_on()


def test_a_storm_of_garbage_is_one_warning_and_no_flood(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Follower(server, make_factory())
    for number in range(8):
        follower.inject(HTML if number % 2 else event("ADDED", b"null"))
        eventually(lambda number=number: follower.counters().relists == {"decode_error": number + 1}, "the relist")
    follower.check_goes_on()
    assert sum(record.levelno >= logging.WARNING for record in caplog.records) == 1
