"""The streaming path: §97-§110, and where we differ from it on purpose."""

from __future__ import annotations

import pytest
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
    too_large,
)

from kubeinformer.errors import TransportError
from kubeinformer.transport.base import ReadTimeoutError, RefusedError


def stream(version: str = "10", *more) -> FakeResponse:
    return FakeResponse(event("ADDED", "3", "a"), initial_end(version), *more)


def test_s98_the_request_of_a_watch_list():
    r = Rig(stream("10", bookmark("11"))).run()
    assert r.requests == [
        {
            "watch": "true",
            "resourceVersionMatch": "NotOlderThan",
            "timeoutSeconds": "450",
            "allowWatchBookmarks": "true",
            "sendInitialEvents": "true",
        }
    ]


def test_s101_the_same_stream_goes_on_as_the_watch_and_is_resumed_by_an_ordinary_one_s110():
    r = Rig(stream("10", event("MODIFIED", "12")), FakeResponse(bookmark("13"))).run()
    assert r.source.log == [("replace", "10", ["a"]), ("MODIFIED", "12", "a")]
    assert r.versions() == [("watch-list", None), ("watch", "12")]
    assert r.clock.waits == []
    counters = r.reflector.counters()
    assert (counters.lists, counters.watch_lists, counters.watches) == (0, 1, 1)


def test_s101_events_in_the_same_piece_as_the_end_bookmark_are_not_lost():
    piece = event("ADDED", "3", "a") + initial_end("10") + event("MODIFIED", "12")
    r = Rig(FakeResponse(piece), FakeResponse(bookmark("13"))).run()
    assert r.source.log == [("replace", "10", ["a"]), ("MODIFIED", "12", "a")]


def test_s102_nothing_reaches_the_store_before_the_end_bookmark():
    r = Rig(
        FakeResponse(event("ADDED", "3", "a"), event("ADDED", "2", "b"), bookmark("9")), stream("20", bookmark("21"))
    )
    r.run()
    assert r.source.log == [("replace", "20", ["a"])]


def test_s98_a_relist_streams_from_the_last_version():
    r = Rig(stream("10", error_event(410, "Expired")), stream("20", bookmark("21"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", "10")]
    assert r.clock.waits == pytest.approx([0.8])


def test_an_error_in_the_same_piece_as_the_end_bookmark_is_seen():
    r = Rig(FakeResponse(initial_end("10") + error_event(410, "Expired")), stream("20", bookmark("21"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", "10")]
    assert len(r.transport.responses[0].timeouts) == 1, "the stream is over: nothing more is read from it"


@pytest.mark.parametrize(
    "failure", [lambda: refusal(429), lambda: RefusedError("x"), lambda: FakeResponse(error_event(429))]
)
def test_s105_429_and_refused_are_waited_out_by_streaming_again(failure):
    r = Rig(failure(), failure(), stream("10", bookmark("11"))).run()
    assert r.kinds() == ["watch-list"] * 3
    assert r.clock.waits == pytest.approx([0.8, 1.6])
    assert len(r.errors) == 2


@pytest.mark.parametrize(
    "failure",
    [
        lambda: refusal(410, "Expired"),
        lambda: refusal(504, "Timeout", **too_large()),
        lambda: FakeResponse(error_event(504, "Timeout", **too_large())),
        lambda: FakeResponse(error_event(410, "Gone")),
    ],
)
def test_s106_a_version_the_server_lacks_is_dropped_at_once(failure):
    r = Rig(stream("10", error_event(410)), failure(), stream("5", bookmark("6"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", "10"), ("watch-list", None)]
    assert len(r.clock.waits) == 1, "that of the 410 in the watch"
    assert len(r.errors) == 2
    assert r.transport.capabilities.supports_watch_list("v1")


def test_s106_the_version_is_used_again_once_a_stream_was_read():
    r = Rig(
        stream("10", error_event(410)),
        refusal(504, "Timeout", **too_large()),
        stream("5", error_event(410)),
        stream("8", bookmark("9")),
    ).run()
    assert [version for _, version in r.versions()] == [None, "10", None, "5"]


def test_s106_a_server_that_lacks_every_version_gets_a_list():
    failure = FakeResponse(error_event(504, "Timeout", **too_large()))
    r = Rig(failure, pod_list("5"), FakeResponse(bookmark("6"))).run()
    assert r.kinds() == ["watch-list", "list", "watch"]


@pytest.mark.parametrize(
    "failure",
    [
        lambda: refusal(400, "BadRequest"),
        lambda: refusal(422, "Invalid"),
        lambda: FakeResponse(error_event(500, "InternalError")),
        lambda: FakeResponse(error_event(504, "Timeout")),
    ],
)
def test_f12_a_server_that_cannot_stream_gets_lists_from_then_on(failure):
    r = Rig(
        failure(),
        pod_list("10"),
        FakeResponse(bookmark("11"), error_event(410)),
        pod_list("12"),
        FakeResponse(bookmark("13")),
    ).run()
    assert r.kinds() == ["watch-list", "list", "watch", "list", "watch"]
    assert [error.code for error in r.errors] == [r.errors[0].code, 410], "why it falls back, unlike §81"
    assert r.clock.waits == pytest.approx([0.8]), "§107: within the same attempt"
    assert not r.transport.capabilities.supports_watch_list("v1")
    assert r.transport.capabilities.supports_watch_list("apps/v1"), "another server may serve that"


@pytest.mark.parametrize(
    "failure",
    [
        lambda: refusal(403, "Forbidden"),
        lambda: refusal(503),
        lambda: ReadTimeoutError("no headers"),
        lambda: FakeResponse(b"<html>\n"),
        lambda: FakeResponse(error_event(403, "Forbidden")),
        FakeResponse,
    ],
)
def test_s107_other_failures_list_in_this_attempt_only(failure):
    r = Rig(failure(), pod_list("10"), FakeResponse(error_event(410)), stream("20", bookmark("21"))).run()
    assert r.kinds() == ["watch-list", "list", "watch", "watch-list"]
    assert len(r.errors) == 2, "why it falls back, and the 410; unlike §81"
    assert r.reflector.last_error() is None


def test_s107_a_server_out_of_reach_is_not_asked_for_a_list_as_well():
    r = Rig(TransportError("certificate verify failed"), stream("10", bookmark("11"))).run()
    assert r.kinds() == ["watch-list", "watch-list"]
    assert [str(error) for error in r.errors] == ["certificate verify failed"]
    assert r.clock.waits == pytest.approx([0.8])


def test_s108_a_stream_that_ends_early_is_tried_once_more_then_listed():
    early = [event("ADDED", "3", "a"), event("ADDED", "4", "b")]
    r = Rig(
        FakeResponse(*early),
        FakeResponse(*early, TransportError("reset")),
        pod_list("10"),
        FakeResponse(bookmark("11")),
    ).run()
    assert r.kinds() == ["watch-list", "watch-list", "list", "watch"]
    assert r.clock.waits == []
    assert r.transport.capabilities.supports_watch_list("v1"), "a restarting server does that too"


def test_s108_no_end_bookmark_in_time_means_lists_from_then_on():
    r = Rig(
        FakeResponse(event("ADDED", "3", "a"), SILENCE),
        pod_list("10", "a"),
        FakeResponse(bookmark("11")),
        watch_list_timeout=30.0,
    ).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert r.clock.now == 1000.0 + 30.0
    assert not r.transport.capabilities.supports_watch_list("v1")
    assert r.source.log == [("replace", "10", ["a"])]


def test_s109_progress_puts_the_deadline_off():
    clock = FakeClock()
    slowly = [piece for n in range(20) for piece in (clock.advance(20.0), event("ADDED", str(n), f"p{n}"))]
    r = Rig(FakeResponse(*slowly, initial_end("30"), bookmark("31")), clock=clock, watch_list_timeout=30.0).run()
    assert r.kinds() == ["watch-list"]
    assert len(r.source.log[0][2]) == 20


def test_s109_parts_of_a_large_object_are_progress():
    clock = FakeClock()
    line = event("ADDED", "3", "a")
    parts = [piece for n in range(0, len(line), 10) for piece in (clock.advance(20.0), line[n : n + 10])]
    r = Rig(FakeResponse(*parts, initial_end("30"), bookmark("31")), clock=clock, watch_list_timeout=30.0).run()
    assert r.source.log == [("replace", "30", ["a"])]
    assert r.transport.capabilities.supports_watch_list("v1")


def test_s108_ordinary_bookmarks_are_no_progress():
    clock = FakeClock()
    pieces = [piece for n in range(9) for piece in (clock.advance(20.0), bookmark(str(n)))]
    r = Rig(
        FakeResponse(*pieces), pod_list("10"), FakeResponse(bookmark("11")), clock=clock, watch_list_timeout=60.0
    ).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert not r.transport.capabilities.supports_watch_list("v1")


def test_s108_a_server_that_never_marks_the_end_is_found_at_timeout_seconds():
    clock = FakeClock()
    busy = [piece for n in range(45) for piece in (clock.advance(10.0), event("MODIFIED", str(n)))]
    r = Rig(FakeResponse(*busy), pod_list("10"), FakeResponse(bookmark("11")), clock=clock).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert not r.transport.capabilities.supports_watch_list("v1")


def test_capabilities_are_shared_by_the_reflectors_of_a_transport():
    first = Rig(refusal(422), pod_list("10"), FakeResponse(bookmark("11"))).run()
    second = Rig(pod_list("10"), FakeResponse(bookmark("11")))
    second.transport.capabilities = first.transport.capabilities
    second.run()
    assert second.kinds() == ["list", "watch"]


def test_the_stream_has_the_clients_own_deadline_after_the_sync():
    r = Rig(stream("10", SILENCE), FakeResponse(bookmark("13"))).run()
    assert r.kinds() == ["watch-list", "watch"]
    assert r.clock.now == 1000.0 + 450 + 15


def test_the_end_bookmark_needs_no_line_end():
    r = Rig(FakeResponse(event("ADDED", "3", "a"), initial_end("10").rstrip()), stream("20", bookmark("21"))).run()
    assert r.source.log[0] == ("replace", "10", ["a"])
    assert r.clock.waits == pytest.approx([0.8]), "§113, of a watch that ended as soon as it began"


def test_f6_an_error_event_for_a_whole_body():
    r = Rig(
        FakeResponse(error_event(500, "InternalError").rstrip()), pod_list("10"), FakeResponse(bookmark("11"))
    ).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert not r.transport.capabilities.supports_watch_list("v1")


def test_garbage_in_the_same_piece_as_the_end_bookmark_is_followed_by_a_list():
    r = Rig(FakeResponse(initial_end("10") + b"<html>\n"), pod_list("12", "a"), FakeResponse(bookmark("13"))).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert r.source.log[-1] == ("replace", "12", ["a"])
