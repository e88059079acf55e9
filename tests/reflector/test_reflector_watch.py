"""The watch loop beyond the statements of conformance 2.I: deadlines, versions that go back, what is told."""

from __future__ import annotations

import math
from dataclasses import replace

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

from kubeinformer.errors import APIStatusError
from kubeinformer.options import ListOptions
from kubeinformer.transport.base import ReadTimeoutError, RefusedError


def rig(*script, **options):
    return Rig(pod_list("10", "a"), *script, use_watch_list=False, **options)


def test_timeout_seconds_of_the_tweak_win():
    r = rig(FakeResponse(), list_options=lambda: ListOptions(timeout_seconds=45)).run()
    assert r.requests[1]["timeoutSeconds"] == "45"
    assert "timeoutSeconds" not in r.requests[0]
    assert r.transport.responses[1].timeouts[0] == 45 + 15.0


def test_retry_after_at_connect():
    r = rig(refusal(429, headers={"Retry-After": "9"}), FakeResponse(bookmark("13"))).run()
    assert r.clock.waits == [9.0]


def test_f3_a_server_that_goes_on_past_timeout_seconds_is_left():
    clock = FakeClock()
    steps = [step for version in range(11, 60) for step in (event("MODIFIED", str(version)), clock.advance(100.0))]
    r = rig(FakeResponse(*steps), FakeResponse(bookmark("70")), clock=clock).run()
    assert r.kinds() == ["list", "watch", "watch"]
    assert 465 <= clock.now - 1000.0 <= 600
    assert r.transport.responses[1].closed is False


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (pod_list("9"), ("list", None)),
        (pod_list("10"), ("watch", "10")),
        (pod_list("11"), ("watch", "10")),
        (refusal(403), ("watch", "10")),
        (refusal(500), ("watch", "10")),
        (FakeResponse(b"<html>"), ("watch", "10")),
    ],
)
def test_f10_after_a_watch_that_was_silent_throughout_the_server_is_asked_for_its_version(answer, then):
    r = rig(FakeResponse(SILENCE), answer, watching() if then[0] == "watch" else pod_list("9"), watching()).run()
    assert r.versions()[:4] == [("list", "0"), ("watch", "10"), ("list", None), then]
    assert r.requests[2] == {"limit": "1"}
    assert r.reflector.counters().relists == ({"version_went_back": 1} if then[0] == "list" else {})
    assert r.reflector.last_sync_resource_version() == "999"
    assert [type(error) for error in r.errors[:1]] == [ReadTimeoutError]
    assert answer.status == 200 or type(r.errors[1]) is APIStatusError
    assert len(r.clock.waits) == (then[0] == "list")


@pytest.mark.parametrize("answer", [lambda: refusal(429), lambda: RefusedError("no")], ids=["429", "refused"])
@pytest.mark.parametrize("version", ["9", "10"])
def test_f10_the_server_is_asked_for_its_version_until_it_answers(answer, version):
    rest = (watching(),) if version == "10" else (pod_list("9"), watching())
    r = rig(FakeResponse(SILENCE), answer(), answer(), pod_list(version), *rest).run()
    assert r.requests[2] == r.requests[3] == r.requests[4] == {"limit": "1"}
    assert r.kinds()[5:] == (["watch"] if version == "10" else ["list", "watch"])
    assert r.clock.waits[:2] == [0.8, 1.6]
    assert r.reflector.counters().relists == ({} if version == "10" else {"version_went_back": 1})


def test_f10_when_nobody_was_reached_the_server_is_asked_for_its_version_before_the_next_watch():
    """A restored server has reached the old version soon, and a watch from there on would seem to be well."""
    script = FakeResponse(event("ADDED", "20")), RefusedError("no"), pod_list("12"), pod_list("12"), watching()
    r = rig(*script).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "20"), *[("list", None)] * 2, ("watch", "12")]
    assert r.reflector.counters().relists == {"version_went_back": 1}


def test_f11_a_server_that_cannot_say_its_version_is_watched_all_the_same_and_asked_again():
    """Where etcd stands still a consistent LIST has no answer, and a watch goes on."""
    silent = ReadTimeoutError("etcd stands still")
    r = rig(FakeResponse(SILENCE), silent, FakeResponse(event("ADDED", "20")), pod_list("20"), watching()).run()
    expected = [("list", "0"), ("watch", "10"), ("list", None), ("watch", "10"), ("list", None), ("watch", "20")]
    assert r.versions() == expected
    assert r.clock.waits == []


def test_f10_the_question_is_for_one_object_whatever_the_tweak_says():
    tweaked = ListOptions(limit=500, label_selector="a=b")
    r = rig(FakeResponse(SILENCE), pod_list("10"), watching(), list_options=lambda: replace(tweaked)).run()
    assert r.requests[2] == {"limit": "1", "labelSelector": "a=b"}


def test_f10_a_version_that_is_no_number_is_not_asked_for():
    r = rig(FakeResponse(event("ADDED", "x")), RefusedError("no"), watching()).run()
    assert r.kinds() == ["list", "watch", "watch", "watch"]


def test_f10_after_a_watch_with_an_event_it_is_not():
    assert rig(FakeResponse(event("ADDED", "11"), SILENCE), watching()).run().kinds() == ["list", "watch", "watch"]


@pytest.mark.parametrize(
    ("answer", "then"),
    [(pod_list("9"), ("list", None)), (pod_list("11"), ("watch", "11")), (refusal(500), ("watch", "11"))],
    ids=["restored", "quiet", "unanswered"],
)
def test_f10_where_bookmarks_come_silence_is_a_hint_that_costs_one_question(answer, then):
    """It is no error, and neither proof nor reason enough for a list."""
    rest = (watching(),) if then[0] == "watch" else (pod_list("9"), watching())
    r = rig(FakeResponse(bookmark("11"), SILENCE), answer, *rest).run()
    assert r.versions()[:4] == [("list", "0"), ("watch", "10"), ("list", None), then]
    assert r.requests[2] == {"limit": "1"}
    assert r.transport.responses[1].timeouts == [450 + 15.0, 150.0 * 1.1]
    assert r.clock.now == 1000.0 + 150.0 * 1.1 + sum(r.clock.waits)
    assert r.clock.waits == ([] if then[0] == "watch" else [0.8])
    assert [error.code for error in r.errors] == ([500] if answer.status == 500 else [])
    assert r.reflector.counters().relists == ({"version_went_back": 1} if then[0] == "list" else {})


def test_f10_bookmarks_of_one_watch_are_expected_of_the_next_and_bytes_put_it_off():
    clock = FakeClock()
    events = [step for n in range(13, 17) for step in (clock.advance(40.0), event("MODIFIED", str(n)))]
    stream = FakeResponse(*events, SILENCE)
    r = rig(FakeResponse(bookmark("11")), stream, pod_list("16"), watching(), clock=clock, bookmark_timeout=50.0).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("watch", "11"), ("list", None), ("watch", "16")]
    assert clock.now == 1000.0 + 4 * 40.0 + 50.0 * 1.1


def test_f10_the_end_bookmark_of_a_watch_list_promises_no_others():
    """Events have that one only (statement 49)."""
    r = Rig(FakeResponse(initial_end("10"), SILENCE), watching()).run()
    assert r.kinds() == ["watch-list", "watch"]
    assert r.clock.now == 1000.0 + 450 + 15.0


def test_f10_no_bookmark_is_awaited_past_the_end_of_the_watch():
    script = FakeResponse(bookmark("11"), SILENCE), watching()
    r = rig(*script, bookmark_timeout=math.inf).run()
    assert r.kinds() == ["list", "watch", "watch"]
    assert r.clock.now == 1000.0 + 450 + 15.0


# -- lists that go back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", ["12", "9"], ids=["a lagging server", "a restored server"])
def test_f10_f17_a_list_that_goes_back_is_not_stored_before_a_consistent_one_confirms_it(second):
    script = FakeResponse(event("ADDED", "11", "b"), error_event(410)), pod_list("9"), pod_list(second, "a", "b")
    r = rig(*script, watching()).run()
    assert r.versions() == [("list", "0"), ("watch", "10"), ("list", "11"), ("list", None), ("watch", second)]
    assert r.source.log == [("replace", "10", ["a"]), ("ADDED", "11", "b"), ("replace", second, ["a", "b"])]
    assert r.reflector.counters().relists == {"expired": 1, "version_went_back": 1}
    assert r.clock.waits == pytest.approx([0.8]), "one for the 410 (§76), none between the lists"


def test_f10_f17_a_watch_list_that_goes_back_is_not_stored_either():
    first = FakeResponse(event("ADDED", "5", "a"), initial_end("11"), error_event(410))
    lower = FakeResponse(initial_end("9"), event("ADDED", "12", "c"))
    again = FakeResponse(event("ADDED", "5", "a"), initial_end("11"), bookmark("13"))
    r = Rig(first, lower, again).run()
    assert r.versions() == [("watch-list", None), ("watch-list", "11"), ("watch-list", None)]
    assert r.source.log == [("replace", "11", ["a"])] * 2
    assert r.reflector.counters().relists == {"expired": 1, "version_went_back": 1}
    assert lower.closed is not None


def test_f17_an_event_that_goes_back_in_the_same_piece_as_the_end_bookmark_is_seen():
    first = FakeResponse(initial_end("11") + event("ADDED", "9", "old"))
    r = Rig(first, FakeResponse(initial_end("12"), bookmark("13"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", None)]
    assert r.source.log == [("replace", "11", []), ("replace", "12", [])]


def test_a_version_that_is_no_number_is_not_compared():
    r = rig(FakeResponse(error_event(410)), pod_list("abc"), watching()).run()
    assert r.kinds() == ["list", "watch", "list", "watch"]


@pytest.mark.parametrize("second", ["44", "45", "x9"])
def test_a_bookmark_that_does_not_go_back_is_no_suspicion(second):
    r = rig(FakeResponse(event("ADDED", "44"), bookmark(second)), FakeResponse(bookmark("46"))).run()
    assert r.kinds() == ["list", "watch", "watch"]


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
