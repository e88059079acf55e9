"""2.N, waiting: for informers, handlers and what is one's own."""

from __future__ import annotations

import logging
import re
import threading
import time

import pytest
from informer_support import Gate, Recorder
from statements import differs

from kubeinformer import (
    CacheSyncTimeoutError,
    ClosedError,
    Error,
    SharedInformerFactory,
    SyncResult,
    wait_for,
    wait_for_cache_sync,
    wait_for_named_cache_sync,
)
from kubeinformer.cache.synctrack import SingleFileTracker
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


def finishing(after: float, name: str = "") -> SingleFileTracker:
    tracker = SingleFileTracker(name)
    timer = threading.Timer(after, tracker.upstream_has_synced)
    timer.daemon = True
    timer.start()
    return tracker


# -- polling -----------------------------------------------------------------------------------------------------------


def test_s165_wait_for_cache_sync_looks_at_once_and_says_false_on_stop() -> None:
    """`wait_for_cache_sync` asks at once and then every 0.1 s, and says False when it is stopped."""
    assert wait_for_cache_sync(None)
    stop = threading.Event()
    stop.set()
    assert wait_for_cache_sync(stop, lambda: True)
    assert not wait_for_cache_sync(stop, lambda: False)
    asked: list[float] = []

    def second_time() -> bool:
        asked.append(time.monotonic())
        return len(asked) == 2

    assert wait_for_cache_sync(threading.Event(), second_time)
    assert 0.09 < asked[1] - asked[0] < 1


def test_s165_wait_ends_with_the_stop_event(server: APIServer, factory: SharedInformerFactory) -> None:
    """A wait for informers ends with the stop event or its time, and says which have synced."""
    server.faults.stall(times=None)
    informer = factory.core().v1().pods().informer()
    stop = threading.Event()
    factory.start(stop)
    threading.Timer(0.2, stop.set).start()
    assert factory.wait_for_cache_sync(stop, timeout=20) == {"pods": False}
    assert wait_for_cache_sync(stop, informer.has_synced) is False
    assert wait_for_cache_sync(None, lambda: True, timeout=0) is True
    assert wait_for_cache_sync(None, lambda: False, timeout=0.2) is False


def test_s165_wait_for_named_cache_sync_says_who_waits_and_what_is_missing(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """`wait_for_named_cache_sync` also logs who waits, and what had not synced."""
    caplog.set_level(logging.INFO, "kubeinformer.cache")
    caplog.set_level(logging.INFO, "kubeinformer")
    pods, nodes = factory.core().v1().pods().informer(), factory.core().v1().nodes().informer()
    registration = nodes.add_event_handler(Recorder())
    server.faults.stall(times=None, resource="nodes")
    factory.start()
    assert wait_for_named_cache_sync("my-controller", None, pods.has_synced, timeout=10)

    def mine() -> bool:
        return False

    syncs = [registration.has_synced, pods.has_synced, nodes.has_synced, mine]
    assert not wait_for_named_cache_sync("my-controller", None, *syncs, timeout=0.01)
    said = [record.getMessage() for record in caplog.records if "my-controller" in record.getMessage()]
    assert said[:3] == [
        "my-controller: waiting for caches to sync",
        "my-controller: caches are synced",
        "my-controller: waiting for caches to sync",
    ]
    assert said[3].startswith("my-controller: unable to sync caches: nodes, nodes + event handler informer_support.Rec")
    assert said[3].endswith("mine")


# -- wait_for ----------------------------------------------------------------------------------------------------------


def test_s166_the_end_of_the_last_is_seen_at_once_not_at_the_next_poll(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """`wait_for` does not poll: it returns as soon as the last one is done."""
    server.create(pod("a"))
    factory.start()
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    late = 0.0
    for _ in range(10):
        gate = Gate()
        registration = informer.add_event_handler(gate)
        assert gate.entered.wait(10)
        opened: list[float] = []

        def let_go(gate: Gate = gate, opened: list[float] = opened) -> None:
            opened.append(time.monotonic())
            gate.open.set()

        timer = threading.Timer(0.03, let_go)
        timer.start()
        assert wait_for(threading.Event(), "", registration.has_synced_checker(), timeout=10)
        late += time.monotonic() - opened[0]
        timer.join()
    assert late < 0.3


def test_s166_an_empty_set_is_done() -> None:
    """With nothing to wait for the answer is true, also when it is stopped."""
    assert wait_for(None, "nothing")
    stop = threading.Event()
    stop.set()
    assert wait_for(stop, "nothing")


def test_s166_doneness_is_looked_at_once_more_when_the_wait_is_cancelled() -> None:
    """When the wait is cancelled it looks once more whether everything is done, and if so the answer is true."""
    stop, done = threading.Event(), SingleFileTracker("done")
    done.upstream_has_synced()
    stop.set()
    assert wait_for(stop, "", done, done).synced == {"done": True, "done (2)": True}
    answers = iter([False, True])
    assert wait_for(stop, "", lambda: next(answers))


def test_s166_all_of_them_are_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """All are waited for at once, the log tells of each, and the answer is true when all are done."""
    caplog.set_level(logging.INFO, "kubeinformer")
    begin = time.monotonic()
    result = wait_for(None, "trackers", finishing(0.05, "slow"), finishing(0.01, "quick"), timeout=10)
    assert result
    assert result.as_error() is None
    assert 0.04 < time.monotonic() - begin < 2
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "waiting for trackers"
    assert sorted(lines[1:]) == ["waiting for trackers: quick is done", "waiting for trackers: slow is done"]


def test_s166_stop_ends_a_wait(caplog: pytest.LogCaptureFixture) -> None:
    """The stop event ends the wait, and the answer says which were done."""
    stop = threading.Event()
    timer = threading.Timer(0.03, stop.set)
    timer.start()
    begin = time.monotonic()
    result = wait_for(stop, "trackers", SingleFileTracker("b"), finishing(0.001, "c"), SingleFileTracker("a"))
    assert time.monotonic() - begin < 1
    timer.join()
    assert not result
    assert result.synced == {"a": False, "b": False, "c": True}
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning == "gave up waiting for trackers: the stop event was set; not done: a, b"


@differs(
    "client-go waits on for what can never be done; here its end is the cause of the wait's end, because nobody "
    "wants to wait for ever"
)
def test_s166_a_wait_for_what_can_never_be_done_ends(server: APIServer, factory: SharedInformerFactory) -> None:
    """A wait for an informer that was stopped, or a handler that was removed, ends and says so."""
    server.create(pod("a"))
    server.faults.stall(times=None)
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(Recorder())
    factory.start()
    informer.remove_event_handler(registration)
    timer = threading.Timer(0.05, informer.stop)
    timer.start()
    never = SingleFileTracker("never")
    result = wait_for(None, "", informer.has_synced_checker(), never)
    timer.join()
    assert result.synced == {"pods": False, "never": False}
    assert isinstance(result.cause, ClosedError)
    checker = registration.has_synced_checker()
    with pytest.raises(ClosedError, match=re.escape("pods + event handler informer_support.Recorder was stopped or")):
        checker.wait(10)


def test_s166_a_wait_for_a_handler_that_is_removed_in_its_first_list_ends(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A wait for a handler ends when it is removed, also while it is in a call for its first list."""
    for name in ("a", "b"):
        server.create(pod(name))
    informer = factory.core().v1().pods().informer()
    gate = Gate()
    registration = informer.add_event_handler(gate)
    factory.start()
    assert gate.entered.wait(10)
    timer = threading.Timer(0.05, informer.remove_event_handler, [registration])
    timer.start()
    result = wait_for(None, "", registration.has_synced_checker())
    timer.join()
    gate.open.set()
    assert isinstance(result.cause, ClosedError)


def test_s166_functions_are_asked_every_tenth_of_a_second() -> None:
    """A plain function may be waited for too: it is asked at once and then every 0.1 s."""
    times: list[float] = []

    def third_time() -> bool:
        times.append(time.monotonic())
        return len(times) == 3

    begin = time.monotonic()
    assert wait_for(None, "", third_time, timeout=10)
    assert times[0] - begin < 0.09, "the first time at once"
    assert times[2] - times[1] > 0.09
    assert time.monotonic() - begin < 1


def test_s166_an_informer_is_no_checker(factory: SharedInformerFactory) -> None:
    """An informer itself cannot be waited for; the error names its `has_synced_checker()`."""
    with pytest.raises(TypeError, match=r"has_synced_checker\(\)"):
        wait_for(None, "", factory.core().v1().pods().informer())  # type: ignore[arg-type]


# -- SyncResult --------------------------------------------------------------------------------------------------------


def test_s167_an_error_names_only_what_is_not_synced_sorted_with_the_cause() -> None:
    """The error of a wait names only what had not synced, sorted, with the cause; there is none when all had."""
    assert SyncResult().as_error() is None
    assert SyncResult({"pods": True}).as_error() is None
    cause = ValueError("my own reason")
    error = SyncResult({"pods": False, "nodes": True, "leases": False}, cause).as_error()
    assert isinstance(error, Error)
    assert str(error) == "failed to sync all caches: leases, pods: my own reason"
    assert error.__cause__ is cause


def test_s167_a_timeout_is_a_cache_sync_timeout_error() -> None:
    """The error of a wait whose time was over is a `CacheSyncTimeoutError`, which knows the names."""
    error = wait_for(
        None, "", SingleFileTracker("b"), finishing(0, "a"), SingleFileTracker("c"), timeout=0.05
    ).as_error()
    assert isinstance(error, CacheSyncTimeoutError)
    assert str(error) == "failed to sync all caches: b, c: not within 0.05 s"
    assert error.unsynced == {"b": None, "c": None}
    assert isinstance(error.__cause__, TimeoutError)
