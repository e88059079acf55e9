"""2.H: the streaming path: a watch that begins with the whole collection, and what happens when it cannot."""

from __future__ import annotations

import logging

import pytest
from core_support import CoreRig, line
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
    watching,
)
from statements import differs

from kubeinformer.errors import TransportError
from kubeinformer.transport.base import ReadTimeoutError, RefusedError


def stream(version: str = "10", *more: object) -> FakeResponse:
    return FakeResponse(event("ADDED", "3", "a"), initial_end(version), *more)


# -- the request (§97, §98) --------------------------------------------------------------------------------------------


def test_s97_lists_are_streamed_unless_that_is_switched_off_or_the_server_cannot() -> None:
    """A reflector streams unless it was told not to or knows that the server does not stream lists of that group."""
    assert Rig(stream("10", bookmark("11"))).run().kinds() == ["watch-list"]
    assert Rig(pod_list("10"), watching(), use_watch_list=False).run().kinds() == ["list", "watch"]
    for group_version, kinds in (("v1", ["list", "watch"]), ("apps/v1", ["watch-list"])):
        r = Rig()
        r.transport.capabilities.disable_watch_list(group_version, "it says so")
        r.transport.script = [pod_list("10"), watching()] if kinds[0] == "list" else [stream("10", bookmark("11"))]
        assert r.run().kinds() == kinds


def test_s98_the_request_of_a_watch_list() -> None:
    """The request is a watch with sendInitialEvents, NotOlderThan and bookmarks, at first without a version."""
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


def test_s98_a_relist_streams_from_the_last_version() -> None:
    """A later watch-list asks for a state not older than the last version seen."""
    r = Rig(stream("10", event("MODIFIED", "14"), error_event(410, "Expired")), stream("20", bookmark("21"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", "14")]
    assert r.requests[1]["resourceVersionMatch"] == "NotOlderThan"
    assert r.clock.waits == pytest.approx([0.8])


# -- the initial events (§99-§103) -------------------------------------------------------------------------------------


def test_s99_updates_and_deletions_among_the_initial_events_count() -> None:
    """What changes while the initial events come is in the list: updated objects once, deleted ones not."""
    rig = CoreRig()
    rig.watch_list(
        line("ADDED", "ns/a@1"),
        line("ADDED", "ns/b@2"),
        line("ADDED", "other/b@3"),
        line("MODIFIED", "ns/a@4"),
        line("DELETED", "ns/b@5"),
        line("ADDED", "ns/c@6"),
        line("DELETED", "ns/c@7"),
        line("ADDED", "ns/c@8"),
        line("DELETED", "never-seen@9"),
        initial_end("10"),
    )
    assert rig.hear() == [
        ("add", "ns/a@4", "initial"),
        ("add", "other/b@3", "initial"),
        ("add", "ns/c@8", "initial"),
    ]
    assert rig.core.resource_version() == "10"


@pytest.mark.parametrize("value", ["false", "True", "TRUE", "yes", "", " true", "true ", "1"])
def test_s100_only_the_value_true_marks_the_end(value: str) -> None:
    """The initial events end with the bookmark whose annotation k8s.io/initial-events-end is "true", and no other."""
    rig = CoreRig()
    reader = rig.watch_list(
        line("ADDED", "a@1"),
        bookmark("2"),
        line("BOOKMARK", "@3", annotations={"k8s.io/initial-events-end": value}),
        line("BOOKMARK", "@4", annotations={"k8s.io/other": "true"}),
        line("MODIFIED", "b@5", annotations={"k8s.io/initial-events-end": "true"}),
    )
    assert not reader.synced
    assert rig.hear() == []
    reader.feed(line("BOOKMARK", "@6", annotations={"k8s.io/initial-events-end": "true"}))
    assert reader.synced
    assert rig.hear() == [("add", "a@1", "initial"), ("add", "b@5", "initial")]


def test_s101_the_end_is_one_replace_and_the_stream_goes_on_as_the_watch() -> None:
    """At the end bookmark all is queued as one list at its version, and the same stream is the watch from there on."""
    r = Rig(stream("10", event("MODIFIED", "12")), FakeResponse(bookmark("13"))).run()
    assert r.source.log == [("replace", "10", ["a"]), ("MODIFIED", "12", "a")]
    assert r.versions() == [("watch-list", None), ("watch", "12")], "no list"
    assert r.clock.waits == []
    counters = r.reflector.counters()
    assert (counters.lists, counters.watch_lists, counters.watches) == (0, 1, 1)


def test_s101_events_in_the_same_piece_as_the_end_bookmark_are_not_lost() -> None:
    """What comes in one piece with the end bookmark is the watch's."""
    piece = event("ADDED", "3", "a") + initial_end("10") + event("MODIFIED", "12")
    r = Rig(FakeResponse(piece), FakeResponse(bookmark("13"))).run()
    assert r.source.log == [("replace", "10", ["a"]), ("MODIFIED", "12", "a")]
    rig = CoreRig()
    reader = rig.watch_list(line("ADDED", "a@3"), initial_end("10"), line("MODIFIED", "a@12"))
    assert rig.hear() == [("add", "a@3", "initial"), ("update", "a@3", "a@12")]
    assert reader.resource_version == "12"


def test_s102_nothing_reaches_the_store_before_the_end_bookmark() -> None:
    """Before the end bookmark the store is as it was, nobody is told, and has_synced is false."""
    rig = CoreRig()
    reader = rig.watch_list(line("ADDED", "a@1"), bookmark("2"))
    assert (rig.hear(), rig.stored(), rig.core.has_synced()) == ([], [], False)
    reader.feed(initial_end("3"))
    assert rig.hear() == [("add", "a@1", "initial")]
    assert rig.core.has_synced()
    rig.watch_list(line("ADDED", "b@4"))
    assert (rig.hear(), rig.stored()) == ([], ["a@1"]), "nor of a later one"


def test_s102_a_stream_that_breaks_off_leaves_nothing_behind() -> None:
    """What a stream gave that ended before its end bookmark is forgotten."""
    r = Rig(
        FakeResponse(event("ADDED", "3", "a"), event("ADDED", "2", "b"), bookmark("9")), stream("20", bookmark("21"))
    )
    r.run()
    assert r.source.log == [("replace", "20", ["a"])]


def test_s103_the_version_of_the_initial_events_is_that_of_the_end_bookmark() -> None:
    """No initial event moves the version to go on from; the end bookmark sets it, also below what events had."""
    rig = CoreRig()
    reader = rig.watch_list(line("ADDED", "a@30"), line("ADDED", "b@5"), line("MODIFIED", "a@40"), bookmark("12"))
    assert reader.resource_version == ""
    reader.feed(initial_end("35"))
    assert reader.resource_version == "35"
    reader.feed(line("ADDED", "c@36"))
    assert reader.resource_version == "36"
    r = Rig(FakeResponse(event("ADDED", "30"), event("MODIFIED", "40")), stream("50", bookmark("51"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", None)]


# -- failures (§105-§110) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        lambda: refusal(429),
        lambda: RefusedError("x"),
        lambda: FakeResponse(event("ADDED", "2", "gone"), error_event(429)),
    ],
    ids=["429", "refused", "429 in the stream"],
)
def test_s105_429_and_refused_are_waited_out_by_streaming_again(failure) -> None:
    """A 429, as an answer or in the stream, and a refused connection are waited out, and the stream begins anew."""
    r = Rig(failure(), failure(), stream("10", bookmark("11"))).run()
    assert r.kinds() == ["watch-list"] * 3
    assert r.clock.waits == pytest.approx([0.8, 1.6])
    assert r.source.log == [("replace", "10", ["a"])]


@pytest.mark.parametrize(
    "failure",
    [
        lambda: refusal(410, "Expired"),
        lambda: refusal(410, "Gone"),
        lambda: refusal(504, "Timeout", **too_large()),
        lambda: FakeResponse(error_event(504, "Timeout", **too_large())),
        lambda: FakeResponse(error_event(410, "Gone")),
    ],
)
def test_s106_a_version_the_server_lacks_is_dropped_at_once(failure) -> None:
    """A watch-list refused as expired, gone or too large is tried again at once, without a version."""
    r = Rig(stream("10", error_event(410)), failure(), stream("5", bookmark("6"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", "10"), ("watch-list", None)]
    assert len(r.clock.waits) == 1, "that of the 410 in the watch"
    assert r.transport.capabilities.supports_watch_list("v1")


def test_s106_the_version_is_used_again_once_a_stream_was_read() -> None:
    """After a stream without a version was read to its end bookmark, versions are asked for again."""
    r = Rig(
        stream("10", error_event(410)),
        refusal(504, "Timeout", **too_large()),
        stream("5", error_event(410)),
        stream("8", bookmark("9")),
    ).run()
    assert [version for _, version in r.versions()] == [None, "10", None, "5"]


@differs(
    "client-go streams again at once, for ever, when a watch-list that asked for no version is refused as expired or "
    "too large; here a list takes over, because a server that lacks every version would be asked without a pause."
)
def test_s106_a_server_that_lacks_every_version_gets_a_list() -> None:
    """A watch-list that is refused so although it asked for no version falls back to a list."""
    failure = FakeResponse(error_event(504, "Timeout", **too_large()))
    r = Rig(failure, pod_list("5"), FakeResponse(bookmark("6"))).run()
    assert r.kinds() == ["watch-list", "list", "watch"]


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
    ids=["403", "503", "no headers", "garbage", "403 in the stream", "a very short watch"],
)
def test_s107_other_failures_list_in_this_attempt_only(failure) -> None:
    """Any other failure is followed by a list in the same attempt, without a wait; the next attempt streams again."""
    r = Rig(failure(), pod_list("10"), FakeResponse(error_event(410)), stream("20", bookmark("21"))).run()
    assert r.kinds() == ["watch-list", "list", "watch", "watch-list"]
    assert r.clock.waits == pytest.approx([0.8]), "that of the 410"
    assert r.reflector.last_error() is None


@differs(
    "client-go tries to stream again at each attempt; here a server that shows that it cannot stream lists (400, 422, "
    "an ERROR event 500 or 504) gets lists from then on, because each try costs an aggregated API server an error."
)
@pytest.mark.parametrize(
    "failure",
    [
        lambda: refusal(400, "BadRequest"),
        lambda: refusal(422, "Invalid"),
        lambda: FakeResponse(error_event(500, "InternalError")),
        lambda: FakeResponse(error_event(504, "Timeout")),
    ],
)
def test_s107_a_server_that_cannot_stream_gets_lists_from_then_on(failure) -> None:
    """What shows that the server cannot stream lists is remembered for its group and version."""
    r = Rig(
        failure(),
        pod_list("10"),
        FakeResponse(bookmark("11"), error_event(410)),
        pod_list("12"),
        FakeResponse(bookmark("13")),
    ).run()
    assert r.kinds() == ["watch-list", "list", "watch", "list", "watch"]
    assert r.clock.waits == pytest.approx([0.8]), "within the same attempt"
    assert not r.transport.capabilities.supports_watch_list("v1")
    assert r.transport.capabilities.supports_watch_list("apps/v1"), "another server may serve that"


@differs(
    "client-go lists too when the connection of the watch-list failed; here the attempt ends with that failure, "
    "because the list would need the same connection."
)
def test_s107_a_server_out_of_reach_is_not_asked_for_a_list_as_well() -> None:
    """A failure of the connection ends the attempt without a list."""
    r = Rig(TransportError("certificate verify failed"), stream("10", bookmark("11"))).run()
    assert r.kinds() == ["watch-list", "watch-list"]
    assert [str(error) for error in r.errors] == ["certificate verify failed"]
    assert r.clock.waits == pytest.approx([0.8])


@differs(
    "client-go streams again at once and for ever when a stream ends without its end bookmark; here it does so once, "
    "then lists, because such a server would leave the cache empty for ever (kubernetes#140890)."
)
def test_s108_a_stream_that_ends_early_is_tried_once_more_then_listed() -> None:
    """A stream that ends before its end bookmark is tried once more at once, then a list takes over this time."""
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


@differs("client-go waits for the end bookmark for ever; here a server that sends none gets lists from then on.")
def test_s108_no_end_bookmark_in_time_means_lists_from_then_on() -> None:
    """A stream without progress for `watch_list_timeout` is given up for a list, and that is remembered."""
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


@differs("client-go streams again; here a whole timeoutSeconds without the end bookmark means lists from then on.")
def test_s108_a_server_that_never_marks_the_end_is_found_at_timeout_seconds() -> None:
    """A stream that lasts for its whole time without the end bookmark is given up for lists from then on."""
    clock = FakeClock()
    busy = [piece for n in range(45) for piece in (clock.advance(10.0), event("MODIFIED", str(n)))]
    r = Rig(FakeResponse(*busy), pod_list("10"), FakeResponse(bookmark("11")), clock=clock).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert not r.transport.capabilities.supports_watch_list("v1")


@differs(
    "client-go logs a warning every 10 s without the end bookmark, and waits on; here there is a deadline for progress "
    "(60 s unless told otherwise) after which a list takes over, and one line of the log says so."
)
def test_s109_a_stream_without_progress_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A silent stream is left after 60 s, and the log says once why."""
    caplog.set_level(logging.INFO, "kubeinformer")
    r = Rig(FakeResponse(SILENCE), pod_list("10"), FakeResponse(bookmark("11"))).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert r.clock.now == 1000.0 + 60.0
    assert sum("no end bookmark within 60 s" in record.getMessage() for record in caplog.records) == 1


@differs("client-go never aborts; here each object that arrives, and each part of a large one, puts the deadline off.")
def test_s109_progress_puts_the_deadline_off() -> None:
    """A slow stream is waited for as long as objects, or parts of a large one, arrive."""
    clock = FakeClock()
    slowly = [piece for n in range(20) for piece in (clock.advance(10.0), event("ADDED", str(n), f"p{n}"))]
    large = event("ADDED", "30", "large")
    slowly += [piece for n in range(0, len(large), 10) for piece in (clock.advance(10.0), large[n : n + 10])]
    r = Rig(FakeResponse(*slowly, initial_end("30"), bookmark("31")), clock=clock, watch_list_timeout=15.0).run()
    assert r.kinds() == ["watch-list"]
    assert len(r.source.log[0][2]) == 21


@differs("client-go never aborts; here a stream that goes on past its timeoutSeconds and a grace is given up, too.")
def test_s109_progress_does_not_put_off_the_end_of_the_stream() -> None:
    """A stream whose objects come and come, but no end bookmark, is given up when its time is over."""
    clock = FakeClock()
    slowly = [piece for n in range(99) for piece in (clock.advance(10.0), event("ADDED", str(n), f"p{n}"))]
    r = Rig(FakeResponse(*slowly), pod_list("10"), FakeResponse(bookmark("11")), clock=clock, watch_grace=5.0).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert 455.0 <= clock.now - 1000.0 <= 465.0
    assert not r.transport.capabilities.supports_watch_list("v1")


@differs("client-go never aborts; here bookmarks without the annotation do not put the deadline off.")
def test_s109_ordinary_bookmarks_are_no_progress() -> None:
    """A stream that only brings ordinary bookmarks is given up for a list."""
    clock = FakeClock()
    pieces = [piece for n in range(9) for piece in (clock.advance(20.0), bookmark(str(n)))]
    r = Rig(
        FakeResponse(*pieces), pod_list("10"), FakeResponse(bookmark("11")), clock=clock, watch_list_timeout=60.0
    ).run()
    assert r.kinds() == ["watch-list", "list", "watch"]
    assert not r.transport.capabilities.supports_watch_list("v1")


def test_s110_after_the_sync_only_a_failed_attempt_streams_again() -> None:
    """A stream lost after its end bookmark is resumed by ordinary watches; only what needs a list streams again."""
    r = Rig(
        stream("10", event("MODIFIED", "12")),
        FakeResponse(event("MODIFIED", "13"), TransportError("reset")),
        refusal(429),
        FakeResponse(event("MODIFIED", "14"), error_event(410, "Expired")),
        stream("20", bookmark("21")),
    ).run()
    assert r.versions() == [
        ("watch-list", None),
        ("watch", "12"),
        ("watch", "13"),
        ("watch", "13"),
        ("watch-list", "14"),
    ]
    assert "sendInitialEvents" not in r.requests[1]
    assert "resourceVersionMatch" not in r.requests[1]
