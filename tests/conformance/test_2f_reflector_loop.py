"""2.F: the loop of a reflector: when it tries again, what it reports, how it stops."""

from __future__ import annotations

import itertools
import json
import random
import threading

import pytest
from reflector_fakes import (
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

from kubeinformer import Error, SharedInformerFactory
from kubeinformer.cache.backoff import Backoff
from kubeinformer.cache.reflector_state import Phase
from kubeinformer.errors import APIStatusError, TransportError
from kubeinformer.options import ListOptions
from kubeinformer.testing import APIServer
from kubeinformer.transport.base import RefusedError


def lists_only(*script: object, **options: object) -> Rig:
    return Rig(*script, use_watch_list=False, **options)


# -- waits -------------------------------------------------------------------------------------------------------------


def test_s76_every_attempt_but_the_first_waits() -> None:
    """The first attempt is made at once, each later one after a wait that begins when the one before has ended."""
    r = lists_only(*[refusal(500) for _ in range(4)])
    started: list[float] = []
    r.transport.script = [lambda answer=answer: started.append(r.clock.now) or answer for answer in r.transport.script]
    r.run()
    assert started == pytest.approx([1000.0, 1000.8, 1002.4, 1005.6])
    assert r.clock.waits == pytest.approx([0.8, 1.6, 3.2, 6.4])


def test_s76_an_attempt_that_ended_without_an_error_waits_too() -> None:
    """A watch that expired costs a wait of 0.8 s to 1.6 s, although that is no error."""
    for jitter, wait in ((0.0, 0.8), (0.999, 0.8 * 1.999)):
        clock = FakeClock()
        backoff = Backoff(clock=clock.monotonic, random=lambda jitter=jitter: jitter)
        r = lists_only(
            pod_list("10"), FakeResponse(error_event(410)), pod_list("20"), watching(), clock=clock, backoff=backoff
        )
        r.run()
        assert r.clock.waits == pytest.approx([wait])


def test_s77_waits_double_from_800_ms_to_30_s() -> None:
    """The shortest waits are 0.8, 1.6, 3.2, 6.4, 12.8, 25.6 and then always 30 s."""
    clock = FakeClock()
    backoff = Backoff(clock=clock.monotonic, random=lambda: 0.0)
    waits = [backoff.next() for _ in range(9)]
    assert waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0])


def test_s77_jitter_is_up_to_once_the_wait() -> None:
    """Jitter adds up to once the wait to each, so the longest is just below 60 s."""
    longest = Backoff(clock=FakeClock().monotonic, random=lambda: 0.999)
    waits = [longest.next() for _ in range(7)]
    assert waits == pytest.approx([d * 1.999 for d in (0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0)])
    uniform = random.Random(7)
    many = [Backoff(clock=FakeClock().monotonic, random=uniform.random).next() for _ in range(1000)]
    assert all(0.8 <= wait < 1.6 for wait in many)
    assert min(many) < 0.82
    assert max(many) > 1.58


@differs(
    "client-go starts over at 0.8 s two minutes after it last started over, failures or not, so an outage brings a "
    "burst of requests every two minutes; here after two minutes in which no wait was needed, as its comment has it."
)
def test_s78_two_quiet_minutes_start_over() -> None:
    """The waits begin at 0.8 s again when none was needed for more than two minutes."""
    clock = FakeClock()
    backoff = Backoff(clock=clock.monotonic, random=lambda: 0.0)
    for _ in range(4):
        clock.now += backoff.next()
    clock.now += 120.0
    assert backoff.next() == pytest.approx(12.8)
    clock.now += 12.8 + 120.1
    assert backoff.next() == pytest.approx(0.8)


@differs("client-go begins at 0.8 s again every two minutes of an outage; here never before it is over.")
def test_s78_a_lasting_failure_never_starts_over() -> None:
    """While attempts keep failing the waits stay at their longest."""
    clock = FakeClock()
    backoff = Backoff(clock=clock.monotonic, random=lambda: 0.0)
    waits = []
    for _ in range(60):
        waits.append(backoff.next())
        clock.now += waits[-1] + 10.0  # each attempt takes 10 s to fail
    assert set(waits[6:]) == {30.0}


def test_s79_all_waits_of_a_reflector_are_one_series() -> None:
    """Watch-lists, lists and watches that are refused, and watches that expire, lengthen one and the same wait."""
    r = Rig(
        refusal(429),
        refusal(403),
        refusal(500),
        FakeResponse(initial_end("10"), error_event(429)),
        RefusedError("refused"),
        pod_list("10"),
        FakeResponse(error_event(410)),
        FakeResponse(initial_end("11"), bookmark("12")),
    ).run()
    assert r.kinds() == ["watch-list", "watch-list", "list", "watch-list", "watch", "list", "watch", "watch-list"]
    assert r.clock.waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8])


def test_s80_a_backoff_of_the_callers_replaces_the_policy() -> None:
    """A backoff that is given to a reflector decides about all of its waits."""
    clock = FakeClock()
    backoff = Backoff(initial=0.1, factor=3.0, jitter=0.0, cap=0.5, clock=clock.monotonic)
    r = lists_only(*[refusal(500) for _ in range(4)], pod_list("10"), FakeResponse(error_event(429)), watching())
    r = lists_only(*r.transport.script, clock=clock, backoff=backoff).run()
    assert r.clock.waits == pytest.approx([0.1, 0.3, 0.5, 0.5, 0.5])


# -- what is reported --------------------------------------------------------------------------------------------------


def test_s81_errors_that_end_an_attempt_are_reported() -> None:
    """The error callback gets a refused list, one that could not be queued, and a watch that was refused, also 410."""
    r = lists_only()

    def pods_that_cannot_be_queued(error: Exception | None) -> FakeResponse:
        r.source.commit_error = error
        return pod_list("10")

    r.transport.script = [
        refusal(403),
        TransportError("no route"),
        lambda: pods_that_cannot_be_queued(RuntimeError("replace")),
        lambda: pods_that_cannot_be_queued(None),
        refusal(410, "Expired"),
        pod_list("10"),
        refusal(500),
        pod_list("10"),
        watching(),
    ]
    r.run()
    told = [error.code if isinstance(error, APIStatusError) else str(error) for error in r.errors]
    assert told == [403, "no route", "replace", 410, 500]


@differs(
    "client-go's watch error handler does not hear of what happens in a stream or is retried in place; here it hears "
    "of every failure, because one that nobody hears of is looked for elsewhere."
)
def test_s81_what_happens_in_a_stream_or_is_retried_in_place_is_reported_too() -> None:
    """The error callback also gets ERROR events, streams that break off, 429, and why a list took over."""
    r = Rig(
        refusal(429),
        refusal(403),
        pod_list("10"),
        FakeResponse(event("ADDED", "11")),
        FakeResponse(event("ADDED", "12"), TransportError("reset")),
        refusal(429),
        FakeResponse(error_event(429)),
        FakeResponse(error_event(500)),
        FakeResponse(initial_end("20"), error_event(410)),
        FakeResponse(initial_end("21")),
        FakeResponse(initial_end("22"), bookmark("23")),
    ).run()
    assert r.kinds() == ["watch-list", "watch-list", "list", *["watch"] * 5, *["watch-list"] * 3]
    told = [error.code if isinstance(error, APIStatusError) else str(error) for error in r.errors]
    assert told == [429, 403, "reset", 429, 429, 500, 410, "a watch ended after 0.0 s without an event"]


def test_s81_an_error_is_reported_before_the_wait() -> None:
    """The callback is called at once, and `last_error` knows the error by then."""
    r = lists_only(refusal(500), pod_list("1"), FakeResponse(bookmark("2")))
    order: list[object] = []
    wait = r.clock.wait
    r.clock.wait = lambda stop, seconds: (order.append("wait"), wait(stop, seconds))[1]  # type: ignore[method-assign]
    r.reflector._state._on_error = lambda error: order.append(r.reflector.last_error().error is error)  # type: ignore[union-attr]
    r.run()
    assert order == [True, "wait"]


def test_s82_the_error_handler_is_set_before_the_start_and_the_last_one_wins(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A watch error handler can be set until the informer starts, again and again, and the last one is called."""
    informer = factory.core().v1().pods().informer()
    first: list[Exception] = []
    last: list[Exception] = []
    informer.set_watch_error_handler(lambda _, error: first.append(error))
    informer.set_watch_error_handler(lambda _, error: last.append(error))
    server.faults.respond(503, times=1)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    with pytest.raises(Error, match="informer pods has already started"):
        informer.set_watch_error_handler(lambda _, error: first.append(error))
    factory.shutdown(10)
    with pytest.raises(Error, match="informer pods has already started"):
        informer.set_watch_error_handler(lambda _, error: first.append(error))
    assert [error.code for error in last if isinstance(error, APIStatusError)] == [503]
    assert first == []


# -- the end -----------------------------------------------------------------------------------------------------------


def test_s83_stopped_before_it_runs_it_asks_nothing() -> None:
    """A reflector that was stopped before it ran sends no request."""
    r = Rig(pod_list("10"))
    r.reflector.stop()
    r.reflector.run()
    assert r.requests == []
    assert r.reflector.phase() is Phase.STOPPED


def test_s83_a_stop_after_the_list_sends_no_watch() -> None:
    """A reflector that is stopped when its list is queued opens no watch."""
    calls = itertools.count()

    def stop_before_the_watch() -> ListOptions:
        if next(calls) == 1:
            r.reflector.stop()
        return ListOptions()

    r = lists_only(pod_list("10", "a"), watching(), list_options=stop_before_the_watch)
    r.reflector.run()
    assert r.kinds() == ["list"]
    assert r.source.log == [("replace", "10", ["a"])]


def test_s83_a_stop_closes_the_watch_that_runs() -> None:
    """A stop ends the watch and closes its response; nothing of it is an error."""
    r = lists_only(pod_list("10", "a"))
    response = FakeResponse(event("ADDED", "12"), r.reflector.stop, TransportError("stopped"))
    r.transport.script.append(response)
    r.run()
    assert response.closed is False, "not to be used again"
    assert r.phases[-1] == "stopped"
    assert r.reflector.last_error() is None
    assert r.errors == []


def streaming(connection: Connection) -> None:
    connection.request()
    connection.send(head(), event("ADDED", "3", "a"), initial_end("10"))
    connection.until_closed()


def hanging(connection: Connection) -> None:
    connection.request()
    connection.until_closed()


def refusing(connection: Connection) -> None:
    while connection.request():
        connection.answer(b"no", "Retry-After: 30", status="429 Too Many Requests")


@pytest.mark.parametrize(
    ("handler", "phase"),
    [(streaming, Phase.WATCHING), (hanging, Phase.CONNECTING), (refusing, Phase.BACKOFF)],
    ids=["in a read", "before the answer", "in a wait"],
)
def test_s83_stop_ends_whatever_it_does_at_once(handler, phase) -> None:
    """A stop ends a blocked read, a request without an answer and a wait at once."""
    with SocketServer(handler) as server:
        running = RunningReflector(server)
        running.reached(phase)
        assert running.stop_takes() < 0.2
        assert running.reflector.phase() is Phase.STOPPED
        assert len(server.requests) <= 1


@pytest.mark.parametrize("slow", ["the answer", "the body"])
def test_s84_a_stop_during_a_slow_list_returns_at_once(slow: str) -> None:
    """A stop does not wait for a list that is slow to begin or to go on, and nothing of it is queued."""
    whole = json.dumps({"metadata": {"resourceVersion": "10"}, "items": [{"metadata": {"name": "a"}}]}).encode()
    sent = threading.Event()

    def handler(connection: Connection) -> None:
        connection.request()
        if slow == "the body":
            connection.send(head(), whole[:40])
        sent.set()
        connection.until_closed()

    with SocketServer(handler) as server:
        running = RunningReflector(server, use_watch_list=False)
        running.reached(Phase.LISTING if slow == "the body" else Phase.CONNECTING)
        assert sent.wait(10)
        assert running.stop_takes() < 0.2
    assert running.source.log == []
    assert running.reflector.last_error() is None


def test_s84_a_list_that_arrives_after_the_stop_is_ignored() -> None:
    """A list that is complete only after the stop does not reach the store."""
    r = lists_only()
    response = pod_list("10", "a")
    r.transport.script.append(FakeResponse(r.reflector.stop, response.read()))
    r.reflector.run()
    assert r.source.log == []


@differs(
    "client-go re-raises a panic of the list function on the reflector's goroutine and so ends the process; here an "
    "exception of the user's function is a failure of that attempt, because a thread that died would leave a cache "
    "that nobody fills and nobody notices."
)
def test_s85_a_user_function_that_raises_is_reported_and_tried_again() -> None:
    """An exception of the function that makes the options of a request is reported, and the attempt is repeated."""
    calls = itertools.count()

    def tweak() -> ListOptions:
        if next(calls) < 2:
            raise ZeroDivisionError("mine")
        return ListOptions(label_selector="app=a")

    r = lists_only(pod_list("10"), watching(), list_options=tweak).run()
    assert [type(error) for error in r.errors] == [ZeroDivisionError] * 2
    assert r.clock.waits == pytest.approx([0.8, 1.6])
    assert r.requests[0]["labelSelector"] == "app=a"
