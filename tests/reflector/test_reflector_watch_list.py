"""The streaming path beyond the statements of conformance 2.H: what comes in one piece, what two reflectors share."""

from __future__ import annotations

import pytest
from reflector_fakes import (
    SILENCE,
    FakeResponse,
    Rig,
    bookmark,
    error_event,
    event,
    initial_end,
    pod_list,
    refusal,
)


def stream(version: str = "10", *more) -> FakeResponse:
    return FakeResponse(event("ADDED", "3", "a"), initial_end(version), *more)


def test_an_error_in_the_same_piece_as_the_end_bookmark_is_seen():
    r = Rig(FakeResponse(initial_end("10") + error_event(410, "Expired")), stream("20", bookmark("21"))).run()
    assert r.versions() == [("watch-list", None), ("watch-list", "10")]
    assert len(r.transport.responses[0].timeouts) == 1, "the stream is over: nothing more is read from it"


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
