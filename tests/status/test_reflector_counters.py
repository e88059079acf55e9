"""What a reflector counts for client-go's `reflector_*` metrics, and when."""

from __future__ import annotations

from reflector_fakes import FakeResponse, Rig, bookmark, error_event, event, initial_end, pod_list, refusal

from kubeinformer.errors import TransportError
from kubeinformer.transport.base import RefusedError


def rig(*script: object, **options: object) -> Rig:
    return Rig(*script, use_watch_list=False, **options)


def test_a_list_is_counted_when_it_is_read() -> None:
    page = pod_list("10", "a", "b", continue_="more")
    r = rig(page)
    last = pod_list("10", "c")
    r.transport.script += [lambda: (r.clock.advance(3)(), last)[1]]
    r.run()
    counters = r.reflector.counters()
    assert (counters.lists, counters.lists_read, counters.list_seconds, counters.list_items) == (1, 1, 3.0, 3)


def test_a_list_that_fails_is_begun_but_not_read() -> None:
    r = rig(refusal(500), FakeResponse(TransportError("cut")), pod_list("10", "a")).run()
    counters = r.reflector.counters()
    assert (counters.lists, counters.lists_read, counters.list_items, counters.failures) == (3, 1, 1, 2)
    assert counters.list_seconds == 0.0, "of the one that was read, without the pauses before it"


def test_a_watch_list_is_a_list_and_the_rest_of_it_a_watch() -> None:
    r = Rig()
    first = [event("ADDED", "1", "a"), event("ADDED", "2", "b"), r.clock.advance(2), initial_end("10")]
    r.transport.script += [FakeResponse(*first, r.clock.advance(5), event("ADDED", "11", "c"), bookmark("12"))]
    r.run()
    counters = r.reflector.counters()
    assert (counters.lists, counters.watch_lists, counters.watches) == (0, 1, 0)
    assert (counters.lists_read, counters.list_seconds, counters.list_items) == (1, 2.0, 2)
    assert (counters.watches_read, counters.watch_seconds, counters.watch_items) == (1, 7.0, 2)


def test_watches_and_reconnects() -> None:
    r = rig(pod_list("10", "a"))
    r.transport.script += [
        FakeResponse(event("ADDED", "11", "b"), r.clock.advance(300)),
        RefusedError("no"),
        RefusedError("no"),
        pod_list("11"),  # the answer to which version it has
        FakeResponse(bookmark("12"), r.clock.advance(50), TransportError("cut")),
        FakeResponse(r.clock.advance(9), error_event(410, "Expired")),
        pod_list("20", "a"),
        FakeResponse(bookmark("21"), r.clock.advance(1)),
    ]
    r.run()
    counters = r.reflector.counters()
    assert (counters.watches, counters.reconnects) == (4, 2), "what follows a list is no reconnect"
    assert (counters.watches_read, counters.watch_seconds, counters.watch_items) == (4, 360.0, 3)
    assert counters.relists == {"expired": 1}


def test_very_short_watches_are_counted_too() -> None:
    r = rig(pod_list("10", "a"), FakeResponse(), pod_list("11", "a"), FakeResponse()).run()
    counters = r.reflector.counters()
    assert (counters.short_watches, counters.watches, counters.watches_read) == (2, 2, 2)
