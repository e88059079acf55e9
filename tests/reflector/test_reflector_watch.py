"""The watch loop beyond the statements of conformance 2.I: deadlines, versions that go back, what is told."""

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
    unanswered = {429: APIStatusError, 0: RefusedError}.get(getattr(answer, "status", 0))
    assert [type(error) for error in r.errors[:1]] == [ReadTimeoutError]
    assert unanswered is None or type(r.errors[1]) is unanswered


def test_f10_after_a_watch_with_a_bookmark_it_is_not():
    assert rig(FakeResponse(bookmark("10"), SILENCE), watching()).run().kinds() == ["list", "watch", "watch"]


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
