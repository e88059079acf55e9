"""The watch loop: §111-§121, §124."""

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
    watching,
)

from kubeinformer.errors import APIStatusError, DecodeError, TransportError
from kubeinformer.options import ListOptions
from kubeinformer.transport.base import ReadTimeoutError, RefusedError


def rig(*script, **options):
    return Rig(pod_list("10", "a"), *script, use_watch_list=False, **options)


def test_s111_the_request_of_a_watch():
    r = rig(FakeResponse()).run()
    assert r.requests[1] == {
        "watch": "true",
        "resourceVersion": "10",
        "timeoutSeconds": "450",
        "allowWatchBookmarks": "true",
    }
    assert r.transport.calls[1]["path"] == "/api/v1/pods"


def test_timeout_seconds_are_between_min_watch_timeout_and_twice_it():
    assert rig(FakeResponse(), min_watch_timeout=60.0).run().requests[1]["timeoutSeconds"] == "90"


def test_timeout_seconds_of_the_tweak_win():
    r = rig(FakeResponse(), list_options=lambda: ListOptions(timeout_seconds=45)).run()
    assert r.requests[1]["timeoutSeconds"] == "45"
    assert "timeoutSeconds" not in r.requests[0]
    assert r.transport.responses[1].timeouts[0] == 45 + 15.0


def test_s112_a_clean_close_is_followed_by_the_next_watch_at_once():
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


def test_s113_a_very_short_watch_backs_off_and_lists():
    r = rig(FakeResponse(), pod_list("11"), FakeResponse(event("ADDED", "12"))).run()
    assert r.kinds() == ["list", "watch", "list", "watch"]
    assert r.clock.waits == pytest.approx([0.8])
    assert r.errors == [], "§81: not for the error handler"
    assert r.reflector.counters().relists == {"very_short_watch": 1}


def test_s113_a_watch_of_one_second_that_lasted_it_is_not_very_short():
    clock = FakeClock()
    options = {"list_options": lambda: ListOptions(timeout_seconds=1), "clock": clock}
    r = rig(FakeResponse(clock.advance(0.98)), FakeResponse(clock.advance(0.3)), pod_list("11"), watching(), **options)
    assert r.run().versions() == [("list", "0"), ("watch", "10"), ("watch", "10"), ("list", "10"), ("watch", "11")]
    assert r.reflector.counters().relists == {"very_short_watch": 1}


def test_s113_the_short_rest_of_a_watch_list_whose_first_list_took_long_is_not_very_short():
    clock = FakeClock()
    first = FakeResponse(event("ADDED", "9"), clock.advance(20.0), initial_end("10"))
    r = Rig(first, watching(), clock=clock).run()
    assert r.versions() == [("watch-list", None), ("watch", "10")]
    assert clock.waits == []


def test_s113_an_event_makes_a_watch_long_enough_even_an_unknown_one_s119():
    r = rig(FakeResponse(event("TELEPORTED", "11")), FakeResponse(event("ADDED", "12"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "11")]
    assert r.clock.waits == []


@pytest.mark.parametrize("reason", ["Expired", "Gone", ""])
def test_s114_410_in_the_stream_backs_off_and_lists_at_the_last_version(reason):
    r = rig(
        FakeResponse(event("ADDED", "12"), error_event(410, reason)), pod_list("20"), FakeResponse(bookmark("21"))
    ).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "12"), ("watch", "20")]
    assert r.clock.waits == pytest.approx([0.8]), "§76"
    assert r.errors == []


def test_s115_410_as_http_status_lists_and_is_reported_s81():
    r = rig(refusal(410, "Expired"), pod_list("20"), FakeResponse(bookmark("21"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "10"), ("watch", "20")]
    assert [error.code for error in r.errors] == [410]
    assert r.reflector.counters().relists == {"expired": 1}


def test_s114_429_in_the_stream_backs_off_and_does_not_list():
    details = {"details": {"retryAfterSeconds": 4}}
    r = rig(FakeResponse(event("ADDED", "12"), error_event(429, **details)), FakeResponse(bookmark("13"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "12")]
    assert r.clock.waits == [4.0]
    assert r.errors == []


@pytest.mark.parametrize("error", [error_event(500, "InternalError"), error_event(None), error_event(403, "Forbidden")])
def test_s114_other_errors_in_the_stream_back_off_and_list(error):
    r = rig(FakeResponse(event("ADDED", "12"), error), pod_list("20"), FakeResponse(bookmark("21"))).run()
    assert r.kinds() == ["list", "watch", "list", "watch"]
    assert r.clock.waits == pytest.approx([0.8])
    assert r.errors == []
    assert r.reflector.counters().relists == {"watch_error": 1}


@pytest.mark.parametrize(
    "failure",
    [
        lambda: refusal(429),
        lambda: RefusedError("refused"),
        lambda: TransportError("reset"),
        lambda: ReadTimeoutError("no headers"),
    ],
)
def test_s115_429_and_failures_to_connect_do_not_list(failure):
    r = rig(FakeResponse(event("ADDED", "12")), failure(), failure(), FakeResponse(bookmark("13")), failure()).run()
    assert r.kinds() == ["list", "watch", "watch", "watch", "watch", "watch"]
    assert [version for _, version in r.versions()][2:] == ["12", "12", "12", "13"]
    assert r.clock.waits == pytest.approx([0.8, 1.6, 3.2]), "§79: one backoff for all"
    assert r.errors == [], "§81"


def test_s115_retry_after_at_connect():
    r = rig(refusal(429, headers={"Retry-After": "9"}), FakeResponse(bookmark("13"))).run()
    assert r.clock.waits == [9.0]


@pytest.mark.parametrize("code", [401, 403, 404, 500, 503])
def test_s115_other_refusals_are_reported_and_list(code):
    r = rig(refusal(code), pod_list("11"), FakeResponse(bookmark("13"))).run()
    assert [error.code for error in r.errors] == [code]
    assert r.kinds() == ["list", "watch", "list", "watch"]
    assert r.reflector.counters().relists == {f"status_{code}": 1}


def test_s124_a_stream_that_breaks_off_resumes_at_once():
    r = rig(FakeResponse(event("ADDED", "12"), TransportError("reset")), FakeResponse(bookmark("13"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "12")]
    assert r.clock.waits == []


def test_f20_an_event_cut_off_comes_again_on_the_next_watch():
    whole = event("ADDED", "13", "b")
    r = rig(FakeResponse(event("ADDED", "12"), whole[:20]), FakeResponse(whole)).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "12")]
    assert r.source.log[1:] == [("ADDED", "12", "a"), ("ADDED", "13", "b")]


def test_a_line_that_is_no_event_backs_off_and_lists_from_the_last_good_event(caplog):
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


def test_f1_f3_silence_past_timeout_seconds_ends_the_watch_without_a_list():
    r = rig(FakeResponse(bookmark("11"), SILENCE), FakeResponse(bookmark("13")), watch_grace=5.0).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "11")]
    assert r.transport.responses[1].timeouts[0] == 450 + 5.0
    assert r.clock.now == 1000.0 + 455.0
    assert r.clock.waits == []


def test_f3_a_server_that_goes_on_past_timeout_seconds_is_left():
    clock = FakeClock()
    steps = [step for version in range(11, 60) for step in (event("MODIFIED", str(version)), clock.advance(100.0))]
    r = rig(FakeResponse(*steps), FakeResponse(bookmark("70")), clock=clock).run()
    assert r.kinds() == ["list", "watch", "watch"]
    assert 465 <= clock.now - 1000.0 <= 600
    assert r.transport.responses[1].closed is False


def test_s117_bookmarks_advance_only_the_version():
    r = rig(FakeResponse(bookmark("44")), FakeResponse(bookmark("45"))).run()
    assert r.versions()[-1] == ("watch", "44")
    assert r.source.log == [("replace", "10", ["a"])]


def test_a_bookmark_that_goes_back_is_settled_by_one_consistent_list():
    r = rig(FakeResponse(event("ADDED", "44"), bookmark("40")), pod_list("41"), FakeResponse(bookmark("42"))).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", None), ("watch", "41")]
    assert r.reflector.counters().relists == {"version_went_back": 1}


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (pod_list("9"), ("list", None)),
        (pod_list("10"), ("watch", "10")),
        (pod_list("11"), ("watch", "10")),
        (refusal(429), ("watch", "10")),
        (RefusedError("no"), ("watch", "10")),
        (FakeResponse(b"<html>"), ("watch", "10")),
    ],
)
def test_f10_after_a_watch_that_was_silent_throughout_the_server_is_asked_for_its_version(answer, then):
    r = rig(FakeResponse(SILENCE), answer, watching() if then[0] == "watch" else pod_list("9"), watching()).run()
    assert r.versions()[:4] == [("list", "0"), ("watch", "10"), ("list", None), then]
    assert r.requests[2] == {"limit": "1"}
    assert r.reflector.counters().relists == ({"version_went_back": 1} if then[0] == "list" else {})
    assert r.reflector.last_sync_resource_version() == "999"
    assert r.errors == []


def test_f10_after_a_watch_with_a_bookmark_it_is_not():
    assert rig(FakeResponse(bookmark("10"), SILENCE), watching()).run().kinds() == ["list", "watch", "watch"]


@pytest.mark.parametrize("second", ["44", "45", "x9"])
def test_a_bookmark_that_does_not_go_back_is_no_suspicion(second):
    r = rig(FakeResponse(event("ADDED", "44"), bookmark(second)), FakeResponse(bookmark("46"))).run()
    assert r.kinds() == ["list", "watch", "watch"]


def test_s121_events_move_the_version_in_arrival_order():
    r = rig(FakeResponse(event("ADDED", "44"), event("ADDED", "41", "b")), FakeResponse(bookmark("46"))).run()
    assert r.versions()[-1] == ("watch", "41")


def test_last_error_shows_what_is_retried_in_place():
    seen = []
    r = rig(FakeResponse(event("ADDED", "12")), refusal(429), refusal(429))
    r.transport.script.append(lambda: seen.append(r.reflector.last_error()) or FakeResponse(bookmark("13")))
    r.run()
    assert isinstance(seen[0].error, APIStatusError)
    assert seen[0].count == 2
    assert r.reflector.last_error() is None


def test_f6_the_last_event_needs_no_line_end():
    r = rig(
        FakeResponse(event("ADDED", "12").rstrip()), FakeResponse(error_event(410).rstrip()), pod_list("20"), watching()
    )
    r.run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "12"), ("list", "12"), ("watch", "20")]
    assert r.source.log[1] == ("ADDED", "12", "a")
