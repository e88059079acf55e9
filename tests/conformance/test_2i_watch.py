"""2.I: the watch loop: how a watch is asked for, what ends it, and which event moves the version."""

from __future__ import annotations

import json
import logging
import threading

import pytest
from core_support import CoreRig, line
from informer_support import eventually
from reflector_fakes import (
    SILENCE,
    FakeClock,
    FakeResponse,
    Rig,
    bookmark,
    error_event,
    event,
    initial_end,
    pod_list,
    refusal,
    watching,
)
from reflector_running import RunningReflector
from socket_server import Connection, SocketServer, head
from statements import differs

from kubeinformer import KubeObject, SharedInformerFactory
from kubeinformer.errors import DecodeError, TransportError
from kubeinformer.options import ListOptions
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport.base import ReadTimeoutError, RefusedError


def rig(*script: object, **options: object) -> Rig:
    """A reflector that has listed pod a at version 10."""
    return Rig(pod_list("10", "a"), *script, use_watch_list=False, **options)


# -- the request (§111) ------------------------------------------------------------------------------------------------


def test_s111_the_request_of_a_watch() -> None:
    """A watch asks from the last version on, for bookmarks, and for an end after a random 300 to 600 s."""
    for uniform, timeout in ((0.0, "300"), (0.5, "450"), (0.99999, "599")):
        r = rig(FakeResponse())
        r.reflector._session._random = lambda uniform=uniform: uniform
        r.run()
        assert r.requests[1] == {
            "watch": "true",
            "resourceVersion": "10",
            "timeoutSeconds": timeout,
            "allowWatchBookmarks": "true",
        }
        assert r.transport.calls[1]["path"] == "/api/v1/pods"


@differs(
    "client-go ignores a shortest watch below five minutes; here it counts, because a load balancer may drop "
    "connections that were idle for less."
)
@pytest.mark.parametrize(("least", "timeout"), [(60.0, "90"), (600.0, "900")])
def test_s111_timeout_seconds_are_between_min_watch_timeout_and_twice_it(least: float, timeout: str) -> None:
    """The shortest watch can be set; the longest is twice that."""
    assert rig(FakeResponse(), min_watch_timeout=least).run().requests[1]["timeoutSeconds"] == timeout


# -- how a watch ends (§112, §113) -------------------------------------------------------------------------------------


def test_s112_a_clean_close_is_followed_by_the_next_watch_at_once() -> None:
    """A watch that ends after a second, or after an event, is followed at once by the next, at the last version."""
    clock = FakeClock()
    r = rig(
        FakeResponse(event("MODIFIED", "11")),
        FakeResponse(bookmark("11"), clock.advance(1.0)),
        FakeResponse(bookmark("15")),
        FakeResponse(event("DELETED", "16")),
        clock=clock,
    ).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "11"), ("watch", "11"), ("watch", "15")]
    assert r.clock.waits == []
    assert r.errors == []
    assert r.reflector.last_sync_resource_version() == "16"
    assert r.reflector.counters().watches == 4
    assert r.reflector.counters().relists == {}


@pytest.mark.parametrize("seconds", [0.0, 0.99])
def test_s113_a_very_short_watch_backs_off_and_lists(seconds: float) -> None:
    """A watch that ends within a second without an event is waited out and followed by a list."""
    clock = FakeClock()
    short = FakeResponse(clock.advance(seconds))
    r = rig(short, pod_list("11"), FakeResponse(event("ADDED", "12")), clock=clock).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "10"), ("watch", "11")]
    assert r.clock.waits == pytest.approx([0.8])
    assert r.reflector.counters().relists == {"very_short_watch": 1}


def test_s113_a_silent_watch_of_a_second_is_not_very_short() -> None:
    """A watch without events that lasted a second is no sign of trouble."""
    clock = FakeClock()
    r = rig(FakeResponse(clock.advance(1.0)), pod_list("10"), watching(), clock=clock).run()
    assert r.kinds() == ["list", "watch", "list", "watch"]
    assert r.requests[2] == {"limit": "1"}, "the question for the server's version, no relist"
    assert r.clock.waits == []
    assert r.reflector.counters().relists == {}


@differs(
    "client-go calls a watch of less than a second very short even if one second was all it asked for; here one that "
    "lasted for half of what was asked for is not."
)
def test_s113_a_watch_of_one_second_that_lasted_it_is_not_very_short() -> None:
    """A watch that was asked for one second is very short if it ends within half of that."""
    clock = FakeClock()
    options = {"list_options": lambda: ListOptions(timeout_seconds=1), "clock": clock}
    r = rig(FakeResponse(clock.advance(0.98)), FakeResponse(clock.advance(0.3)), pod_list("11"), watching(), **options)
    assert r.run().versions() == [("list", "0"), ("watch", "10"), ("watch", "10"), ("list", "10"), ("watch", "11")]
    assert r.reflector.counters().relists == {"very_short_watch": 1}


def test_s113_the_short_rest_of_a_watch_list_whose_first_list_took_long_is_not_very_short() -> None:
    """What counts is the whole stream, also when its first part was the list."""
    clock = FakeClock()
    first = FakeResponse(event("ADDED", "9"), clock.advance(20.0), initial_end("10"))
    r = Rig(first, watching(), clock=clock).run()
    assert r.versions() == [("watch-list", None), ("watch", "10")]
    assert clock.waits == []


# -- ERROR events and refusals (§114, §115) ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [(410, "Expired"), (410, "Gone"), (410, ""), (None, "Expired"), (None, "Gone")])
def test_s114_410_in_the_stream_backs_off_and_lists_at_the_last_version(error: tuple[int | None, str]) -> None:
    """A 410 in the stream, in any form, is waited out and followed by a list at the last version."""
    r = rig(FakeResponse(event("ADDED", "12"), error_event(*error)), pod_list("20"), FakeResponse(bookmark("21"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "12"), ("watch", "20")]
    assert r.clock.waits == pytest.approx([0.8]), "§76"
    assert r.reflector.counters().relists == {"expired": 1}


def test_s114_429_in_the_stream_backs_off_and_does_not_list() -> None:
    """A 429 in the stream is waited out and followed by a watch."""
    r = rig(FakeResponse(event("ADDED", "12"), error_event(429)), FakeResponse(bookmark("13"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "12")]
    assert r.clock.waits == pytest.approx([0.8])


@differs("client-go's reflector does not look at retryAfterSeconds; here it is the least wait, up to 60 s.")
def test_s114_the_wait_of_a_429_is_at_least_what_the_server_asks_for() -> None:
    """A 429 in the stream that says how long to wait is waited out for so long."""
    r = rig(FakeResponse(error_event(429, details={"retryAfterSeconds": 4})), FakeResponse(bookmark("13"))).run()
    assert r.kinds() == ["list", "watch", "watch"]
    assert r.clock.waits == [4.0]


@pytest.mark.parametrize("error", [error_event(500, "InternalError"), error_event(None), error_event(403, "Forbidden")])
def test_s114_other_errors_in_the_stream_back_off_and_list(error: bytes) -> None:
    """Any other ERROR event, also an internal error, is waited out and followed by a list at the last version."""
    r = rig(FakeResponse(event("ADDED", "12"), error), pod_list("20"), FakeResponse(bookmark("21"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "12"), ("watch", "20")]
    assert r.clock.waits == pytest.approx([0.8])
    assert r.reflector.counters().relists == {"watch_error": 1}


@differs(
    "client-go's Reflector has MaxInternalErrorRetryDuration, 0 unless set, in which it watches again at once after "
    "an internal error; here there is no such time, because no informer of client-go's can be told of one either."
)
def test_s114_internal_errors_are_never_watched_on_from_at_once() -> None:
    """Each internal error costs a wait and a list, however many come in a row."""
    errors = [step for _ in range(3) for step in (FakeResponse(error_event(500, "InternalError")), pod_list("20"))]
    r = rig(*errors, watching()).run()
    assert r.kinds() == ["list", "watch"] * 4
    assert r.clock.waits == pytest.approx([0.8, 1.6, 3.2])


def test_s115_429_and_refused_connections_do_not_list() -> None:
    """A watch that is answered with 429, or whose connection is refused, is waited out and asked for again."""
    failures = refusal(429), refusal(429), FakeResponse(bookmark("13")), RefusedError("refused")
    r = rig(FakeResponse(event("ADDED", "12")), *failures, pod_list("13"), FakeResponse(bookmark("14"))).run()
    assert r.kinds() == ["list", "watch", "watch", "watch", "watch", "watch", "list", "watch"]
    assert r.requests[6] == {"limit": "1"}, "the question for the server's version, no relist"
    assert [version for _, version in r.versions()][2:] == ["12", "12", "12", "13", None, "13"]
    assert r.clock.waits == pytest.approx([0.8, 1.6, 3.2]), "§79: one backoff for all"
    assert r.reflector.counters().relists == {}


@differs(
    "client-go lists after every failure to connect a watch but a refused connection; here none of them costs the "
    "server a list, because it says 410 itself if too much time has passed."
)
@pytest.mark.parametrize("failure", [TransportError("reset"), ReadTimeoutError("no headers")], ids=str)
def test_s115_no_failure_to_connect_lists(failure: Exception) -> None:
    """A watch that reaches nobody is waited out and asked for again, whatever the failure is. A server that does not
    answer when it is asked for its version may have a watch all the same.
    """
    then = (pod_list("13"), FakeResponse(bookmark("13")))
    silent = isinstance(failure, ReadTimeoutError)
    r = rig(FakeResponse(event("ADDED", "12")), failure, failure, *then[silent:]).run()
    questions = ["list"] if silent else ["list", "list"]
    assert r.kinds()[: 4 + len(questions)] == ["list", "watch", "watch", *questions, "watch"]
    assert r.requests[3] == r.requests[2 + len(questions)] == {"limit": "1"}, "the server's version, no relist"
    assert r.versions()[3 + len(questions)] == ("watch", "12")
    assert r.clock.waits[:2] == pytest.approx([0.8] if silent else [0.8, 1.6])
    assert r.reflector.counters().relists == {}


@pytest.mark.parametrize("code", [401, 403, 404, 500, 503])
def test_s115_other_refusals_are_reported_and_list(code: int) -> None:
    """Any other refusal of a watch is reported, waited out and followed by a list at the last version."""
    r = rig(FakeResponse(event("ADDED", "12")), refusal(code), pod_list("13"), FakeResponse(bookmark("14"))).run()
    assert [error.code for error in r.errors] == [code]
    assert r.versions()[2:] == [("watch", "12"), ("list", "12"), ("watch", "13")]
    assert r.clock.waits == pytest.approx([0.8])
    assert r.reflector.counters().relists == {f"status_{code}": 1}


def test_s115_410_as_an_answer_lists_and_is_reported() -> None:
    """A watch that is refused with 410 is reported and followed by a list at the last version."""
    r = rig(refusal(410, "Expired"), pod_list("20"), FakeResponse(bookmark("21"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "10"), ("watch", "20")]
    assert [error.code for error in r.errors] == [410]
    assert r.reflector.counters().relists == {"expired": 1}


# -- what moves the version (§116-§121) --------------------------------------------------------------------------------


def test_s116_a_watch_from_a_version_moves_with_every_event() -> None:
    """Each event of a watch from a version moves the version to go on from, additions too."""
    r = rig(FakeResponse(event("ADDED", "11")), FakeResponse(event("MODIFIED", "12")), FakeResponse(bookmark("13")))
    assert [version for _, version in r.run().versions()] == ["0", "10", "11", "12"]
    assert r.reflector.last_sync_resource_version() == "13"


@pytest.mark.parametrize("version", ["", "0"])
@pytest.mark.parametrize("kind", ["MODIFIED", "DELETED", "TELEPORTED", "BOOKMARK"])
def test_s116_a_watch_from_any_version_moves_when_it_has_brought_what_is_there(version: str, kind: str) -> None:
    """A watch from "" or "0" begins with what is there, as additions; the version moves only with what follows."""
    other = event(kind, "8")
    r = Rig(
        pod_list(version),
        FakeResponse(event("ADDED", "9", "a"), event("ADDED", "5", "b")),
        FakeResponse(event("ADDED", "9", "a"), other, event("ADDED", "11", "c")),
        FakeResponse(bookmark("12")),
        use_watch_list=False,
    ).run()
    asked = version or None
    assert r.versions() == [("list", "0"), ("watch", asked), ("watch", asked), ("watch", "11")]
    core = CoreRig()
    reader = core.source.watch_reader(chunked=False, any_version=True)
    reader.feed(event("ADDED", "9", "a") + event("ADDED", "5", "b"))
    assert reader.resource_version == ""
    reader.feed(other)
    assert reader.resource_version == "8"


def test_s117_bookmarks_advance_only_the_version() -> None:
    """A bookmark moves the version to go on from and that of the store, changes no object and calls nobody."""
    r = rig(FakeResponse(bookmark("44")), FakeResponse(bookmark("45"))).run()
    assert r.versions()[-1] == ("watch", "44")
    assert r.source.log == [("replace", "10", ["a"])]
    core = CoreRig()
    core.list("10", "a@3")
    core.hear()
    reader = core.watch(bookmark("44"))
    assert (core.hear(), core.stored()) == ([], ["a@3"])
    assert reader.resource_version == core.core.resource_version() == "44"


@differs(
    "client-go skips an event whose object has no metadata, and its version with it; here such bytes end the watch and "
    "a list follows, because nobody can know what was missed."
)
@pytest.mark.parametrize("obj", [{}, {"kind": "Table", "metadata": {}, "rows": []}, {"metadata": None}, None, "pod", 5])
def test_s118_an_object_without_a_name_is_followed_by_a_list(obj: object) -> None:
    """An event whose object has no name, as that of a Table, is an error; the version stays at the event before it."""
    core = CoreRig()
    core.list("10", "a@3")
    reader = core.source.watch_reader(chunked=False)
    bad = json.dumps({"type": "MODIFIED", "object": obj}).encode() + b"\n"
    with pytest.raises(DecodeError):
        reader.feed(line("ADDED", "b@11") + bad + line("ADDED", "c@13"))
    assert reader.resource_version == "11"
    assert reader.events == 1
    core.hear()
    assert core.stored() == ["a@3", "b@11"]


@differs(
    "client-go skips objects of another kind than the informer's; here, as in its dynamic informers, whatever has a "
    "name is stored, because the server serves one kind at a path and comparing costs every event."
)
def test_s118_an_object_of_another_kind_is_stored() -> None:
    """The kind of an object is not compared with the informer's."""
    core = CoreRig()
    core.list("10", "a@3")
    core.hear()
    other = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "b", "resourceVersion": "11"}}
    reader = core.watch(json.dumps({"type": "ADDED", "object": other}).encode() + b"\n")
    assert core.hear() == [("add", "b@11")]
    assert reader.resource_version == "11"


def test_s119_an_unknown_type_of_event_counts_and_moves_the_version(caplog: pytest.LogCaptureFixture) -> None:
    """An event of a type that nobody knows is logged and skipped, but counts as an event and moves the version."""
    r = rig(FakeResponse(event("TELEPORTED", "11"), event("TELEPORTED", "12")), FakeResponse(event("ADDED", "13")))
    r.run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "12")]
    assert r.clock.waits == [], "it was no very short watch"
    assert r.source.log == [("replace", "10", ["a"]), ("ADDED", "13", "a")]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "a type that nobody knows" in warnings[0]
    core = CoreRig()
    core.list("10", "a@3")
    reader = core.watch(line("TELEPORTED", "a@11"), line("ADDED", "b@12"), line("TELEPORTED", "b@13"))
    core.hear()
    assert core.stored() == ["a@3", "b@12"]
    assert (reader.events, reader.unknown_events, reader.resource_version) == (3, 2, "13")


@differs(
    "client-go logs that the store did not take an event, moves the version on, and has lost the event until a relist; "
    "here the version stays before an event that cannot be taken in, and a list follows."
)
def test_s120_an_event_that_cannot_be_taken_in_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    """An event that cannot be read ends the watch at the last good event, is reported, and is followed by a list."""
    r = rig(
        FakeResponse(event("ADDED", "12") + b"<html>\n" + event("ADDED", "14")),
        pod_list("20"),
        FakeResponse(bookmark("21")),
    )
    r.run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "12"), ("watch", "20")]
    assert isinstance(r.errors[0], DecodeError)
    assert r.reflector.counters().relists == {"decode_error": 1}
    assert any("at byte 17 (object default/bad)" in record.getMessage() for record in caplog.records)


@differs(
    "client-go takes an event whose version is lower than that of one before it, and goes on from there; here such an "
    "event is not stored, because it may be an old state of an object whose newer one came before it, and the "
    "collection is listed without a version."
)
@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED", "TELEPORTED"])
def test_s121_an_event_that_goes_back_is_settled_by_one_consistent_list(kind: str) -> None:
    """An event with a lower version than one before it is not taken, and followed by a list without a version."""
    stream = FakeResponse(event("ADDED", "44"), event(kind, "41"), event("ADDED", "45", "b"))
    r = rig(stream, pod_list("45", "a", "b"), FakeResponse(bookmark("46"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", None), ("watch", "45")]
    assert r.source.log[1:] == [("ADDED", "44", "a"), ("replace", "45", ["a", "b"])]
    assert r.reflector.counters().relists == {"version_went_back": 1}
    core = CoreRig()
    core.list("10", "a@3")
    reader = core.watch(line("ADDED", "b@44"), line(kind, "a@41"), line("ADDED", "c@45"))
    core.hear()
    assert core.stored() == ["a@3", "b@44"]
    assert (reader.resource_version, reader.went_back_to) == ("44", "41")


@differs("client-go takes an event of the version that it watches from, or of one before it; see above.")
def test_s121_the_version_that_was_asked_for_counts() -> None:
    """An event of a lower version than the watch was asked from is not taken; one of the same version is."""
    r = rig(FakeResponse(event("DELETED", "9")), pod_list("10", "a"), FakeResponse(event("MODIFIED", "10"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", None), ("watch", "10")]
    assert r.source.log == [("replace", "10", ["a"])] * 2 + [("MODIFIED", "10", "a")]


def test_s121_versions_that_are_no_numbers_move_in_arrival_order() -> None:
    """The version to go on from is that of the last event, where versions cannot be compared."""
    r = rig(FakeResponse(event("ADDED", "b4"), event("ADDED", "a1", "b")), FakeResponse(bookmark("46"))).run()
    assert r.versions()[-1] == ("watch", "a1")
    assert CoreRig().watch(line("ADDED", "a@b4"), line("ADDED", "b@a1")).resource_version == "a1"


@differs(
    "client-go believes a bookmark whose version is lower than the last event's; here it forces one consistent list, "
    "because a server that was restored from a backup shows itself so."
)
def test_s121_a_bookmark_that_goes_back_is_settled_by_one_consistent_list() -> None:
    """A bookmark with a lower version than the last event's is followed at once by a list without a version."""
    r = rig(FakeResponse(event("ADDED", "44"), bookmark("40")), pod_list("41"), FakeResponse(bookmark("42"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", None), ("watch", "41")]
    assert r.reflector.counters().relists == {"version_went_back": 1}
    core = CoreRig()
    core.watch(line("ADDED", "a@44"), bookmark("40"))
    core.hear()
    assert core.core.resource_version() == "44", "the store's version does not go back with it"


# -- what is expected and what was received (§122, §123) ---------------------------------------------------------------


@pytest.mark.parametrize(
    "type_meta",
    [{}, {"apiVersion": "v1"}, {"kind": "Pod"}, {"apiVersion": "example.com/v1", "kind": "Certificate"}],
    ids=["neither", "no kind", "no apiVersion", "of a custom resource"],
)
def test_s122_any_kind_is_accepted(type_meta: dict[str, str]) -> None:
    """Objects of any apiVersion and kind are accepted, with those fields or without."""
    core = CoreRig()
    core.list("10", "a@3")
    obj = {**type_meta, "metadata": {"name": "b", "resourceVersion": "11"}}
    core.watch(json.dumps({"type": "ADDED", "object": obj}).encode() + b"\n")
    core.hear()
    assert core.stored() == ["a@3", "b@11"]


def test_s123_the_last_version_is_what_was_received(server: APIServer, factory: SharedInformerFactory) -> None:
    """`last_sync_resource_version` is the version received last; the store's own may be behind it."""
    informer = factory.core().v1().pods().informer()
    reached, gate = threading.Event(), threading.Event()

    def slow(obj: KubeObject) -> list[str]:
        if obj.name == "web-1":
            reached.set()
            gate.wait(20)
        return []

    informer.add_indexers({"slow": slow})
    assert informer.last_sync_resource_version() == ""
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1)
    first = server.create(pod("web-0"))["metadata"]["resourceVersion"]
    eventually(lambda: informer.indexer().last_store_sync_resource_version() == first, "the first pod")
    second = server.create(pod("web-1"))["metadata"]["resourceVersion"]
    try:
        assert reached.wait(10)
        eventually(lambda: informer.last_sync_resource_version() == second, "it was received")
        assert informer.indexer().last_store_sync_resource_version() == first
    finally:
        gate.set()
    eventually(lambda: informer.indexer().last_store_sync_resource_version() == second, "it is stored")


# -- HTTP (§124) -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [TransportError("reset"), ReadTimeoutError("silent"), event("ADDED", "13", "b")[:20]],
    ids=["reset", "timed out", "cut off inside an event"],
)
def test_s124_a_stream_that_breaks_off_resumes_at_once(end: object) -> None:
    """A stream that is reset, times out or is cut off inside an event is followed at once by the next watch."""
    whole = event("ADDED", "13", "b")
    r = rig(FakeResponse(event("ADDED", "12"), end), FakeResponse(whole)).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "12")]
    assert r.source.log[1:] == [("ADDED", "12", "a"), ("ADDED", "13", "b")], "what was cut off comes again, once"
    assert r.clock.waits == []


def test_s124_a_connection_that_breaks_inside_an_event_resumes_at_once() -> None:
    """On the wire, too: what was whole is queued, what was cut off comes again, and no list is needed."""
    whole = event("ADDED", "13", "b")

    def handler(connection: Connection) -> None:
        while connection.request():
            if len(server.requests) == 1:
                connection.answer(b'{"metadata":{"resourceVersion":"10"},"items":[]}')
                continue
            connection.send(head("Connection: close"))
            if len(server.requests) == 2:
                connection.send(event("ADDED", "12"), whole[:20])
                connection.hang_up()
            else:
                connection.send(whole)
                connection.until_closed()
            return

    with SocketServer(handler) as server:
        running = RunningReflector(server, use_watch_list=False)
        eventually(lambda: len(running.source.log) == 3, "the event that was cut off")
        running.stop_takes()
        assert ["resourceVersion=12" in request.target for request in server.requests] == [False, False, True]
    assert running.source.log == [("replace", "10", []), ("ADDED", "12", "a"), ("ADDED", "13", "b")]
    assert running.reflector.counters().relists == {}


@differs(
    "client-go turns a failure to connect that survives its retries into an empty watch, and so lists after a wait; "
    "here the watch is asked for again after the wait, because no list is needed."
)
@pytest.mark.parametrize("failure", [TransportError("EOF"), ReadTimeoutError("no headers")], ids=str)
def test_s124_a_watch_that_ends_before_its_headers_is_asked_for_again(failure: Exception) -> None:
    """A connection that ends or times out before the headers of a watch is waited out, without a list."""
    r = rig(failure, pod_list("12"), FakeResponse(bookmark("13"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", None), ("watch", "10")]
    assert r.requests[2] == {"limit": "1"}, "the question for the server's version, no relist"
    assert r.clock.waits == pytest.approx([0.8])


@differs(
    "client-go makes an ERROR event 500 of bytes that it cannot decode, which no error handler hears of; here it is an "
    "error that names the offset, and `on_error` gets it."
)
def test_s124_bytes_that_are_no_event_are_reported() -> None:
    """Bytes that are no event end the watch with an error that is reported, waited out and followed by a list."""
    r = rig(FakeResponse(event("ADDED", "12"), b"not JSON\n"), pod_list("20"), watching()).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "12"), ("watch", "20")]
    assert r.clock.waits == pytest.approx([0.8])
    (error,) = r.errors
    assert isinstance(error, DecodeError)
    assert error.offset == 17


@differs(
    "client-go has no deadline of its own for a watch; here one that is silent past its timeoutSeconds and a grace is "
    "left for the next, because a dead connection says nothing."
)
def test_s124_silence_past_timeout_seconds_ends_the_watch_without_a_list() -> None:
    """A watch on which nothing comes until some seconds after its end is left for the next one."""
    r = rig(FakeResponse(event("ADDED", "11"), SILENCE), FakeResponse(bookmark("13")), watch_grace=5.0).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "11")]
    assert r.transport.responses[1].timeouts[0] == 450 + 5.0
    assert r.clock.now == 1000.0 + 455.0
    assert r.clock.waits == []
