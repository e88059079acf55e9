"""2.N, synctrack: trackers and Lazy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import eventually
from statements import differs

from kubeinformer import wait_for
from kubeinformer.cache import DoneChecker
from kubeinformer.cache.synctrack import AsyncTracker, Lazy, SingleFileTracker


def calls(tracker: SingleFileTracker | AsyncTracker[str]) -> tuple[Callable[[], None], Callable[[], None]]:
    if isinstance(tracker, SingleFileTracker):
        return tracker.start, tracker.finished
    return lambda: tracker.start("key"), lambda: tracker.finished("key")


BOTH = pytest.mark.parametrize("make", [SingleFileTracker, AsyncTracker])


@BOTH
@pytest.mark.parametrize(
    "order", [["start", "finished", "upstream"], ["start", "upstream", "finished"], ["upstream"]], ids="-".join
)
def test_s170_a_tracker_is_synced_when_the_source_is_and_nothing_is_unfinished(make: Any, order: list[str]) -> None:
    """A tracker has synced once its source has at a moment with nothing unfinished, in whatever order, and then for
    ever.
    """
    tracker = make("mine")
    start, finished = calls(tracker)
    steps = {"start": start, "finished": finished, "upstream": tracker.upstream_has_synced}
    for step in order:
        assert not tracker.has_synced()
        assert not tracker.wait(0)
        steps[step]()
    assert tracker.has_synced()
    assert tracker.is_done()
    assert tracker.wait(0)
    start()
    assert tracker.has_synced(), "never false again"


@BOTH
@pytest.mark.parametrize("order", [[], ["start"], ["start", "finished"], ["start", "upstream"]], ids=str)
def test_s170_a_tracker_is_not_synced_before(make: Any, order: list[str]) -> None:
    """A tracker has not synced before its source has, nor while something is unfinished."""
    tracker = make()
    start, finished = calls(tracker)
    for step in order:
        {"start": start, "finished": finished, "upstream": tracker.upstream_has_synced}[step]()
    assert not tracker.has_synced()


def test_s170_single_file_tracker_counts() -> None:
    """A `SingleFileTracker` has synced when as many are finished as were begun."""
    tracker = SingleFileTracker()
    for _ in range(3):
        tracker.start()
    tracker.upstream_has_synced()
    for _ in range(3):
        assert not tracker.has_synced()
        tracker.finished()
    assert tracker.has_synced()


def test_s170_finished_without_start_raises_for_a_single_file_and_is_harmless_for_an_async_tracker() -> None:
    """`finished` without `start` raises for a `SingleFileTracker`; for a key that an `AsyncTracker` does not know it
    changes nothing.
    """
    single = SingleFileTracker("mine")
    with pytest.raises(RuntimeError, match=r"'mine': finished\(\) without start\(\)"):
        single.finished()
    single.start()
    single.finished()
    with pytest.raises(RuntimeError):
        single.finished()
    tracker = AsyncTracker[str]()
    tracker.finished("never begun")
    tracker.start("a")
    tracker.start("a")
    tracker.upstream_has_synced()
    tracker.finished("b")
    assert not tracker.has_synced()
    tracker.finished("a")
    assert tracker.has_synced()


def test_s170_async_tracker_with_many_threads() -> None:
    """An `AsyncTracker` has synced when the last of many threads is finished, and not before."""
    tracker = AsyncTracker[int]()
    count, go = 16, threading.Event()
    for key in range(count):
        tracker.start(key)
    tracker.upstream_has_synced()

    def finish(key: int) -> None:
        go.wait(10)
        assert not tracker.has_synced()
        tracker.finished(key)

    threads = [threading.Thread(target=finish, args=(key,)) for key in range(1, count)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert not tracker.has_synced()
    tracker.finished(0)
    assert tracker.has_synced()


@BOTH
def test_s170_a_tracker_can_be_waited_for(make: Any) -> None:
    """A tracker is something that `wait_for` waits for."""
    tracker = make("mine")
    assert isinstance(tracker, DoneChecker)
    start, finished = calls(tracker)
    start()
    tracker.upstream_has_synced()
    timer = threading.Timer(0.05, finished)
    timer.start()
    assert wait_for(None, "", tracker, timeout=10)
    timer.join()
    assert not wait_for(None, "", make("other"), timeout=0.01)


# -- Lazy --------------------------------------------------------------------------------------------------------------


class Slow:
    """An evaluation that waits for its gate; its value is its number."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.gates: dict[int, threading.Event] = {}

    def __call__(self) -> int:
        number = len(self.begun)
        gate = self.gates.setdefault(number, threading.Event())
        self.begun.append(number)
        assert gate.wait(10)
        return number


def ask(lazy: Lazy[int], answers: list[int]) -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(lazy.get(timeout=10)))
    thread.start()
    return thread


def test_s171_a_value_is_kept_until_something_changes() -> None:
    """A value is worked out once, and again when it is asked for after a `notify`."""
    numbers = iter(range(10))
    lazy = Lazy(lambda: next(numbers))
    assert [lazy.get(), lazy.get()] == [0, 0]
    lazy.notify()
    lazy.notify()
    assert [lazy.get(), lazy.get()] == [1, 1]


def test_s171_none_is_a_value_too() -> None:
    """None is a value, and kept like any other."""
    count: list[int] = []
    lazy = Lazy(lambda: count.append(1))
    assert [lazy.get(), lazy.get()] == [None, None]
    assert count == [1]


def test_s171_concurrent_gets_share_one_evaluation() -> None:
    """Threads that ask at the same time share one evaluation."""
    slow, answers = Slow(), list[int]()
    lazy = Lazy(slow)
    threads = [ask(lazy, answers) for _ in range(8)]
    eventually(lambda: slow.begun, "an evaluation")
    assert answers == []
    slow.gates[0].set()
    for thread in threads:
        thread.join(10)
    assert answers == [0] * 8
    assert slow.begun == [0]


def test_s171_errors_are_not_kept() -> None:
    """What an evaluation raises is raised and not kept: the next one who asks evaluates again."""
    outcomes: list[Any] = [ValueError("no"), ValueError("no"), 5]

    def evaluate() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    lazy = Lazy(evaluate)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            lazy.get()
    assert [lazy.get(), lazy.get()] == [5, 5]


def test_s171_who_waits_for_an_evaluation_that_fails_evaluates_itself() -> None:
    """Who waits for an evaluation that fails evaluates itself, and may give up waiting."""
    gate, begun = threading.Event(), list[str]()

    def evaluate() -> str:
        begun.append(threading.current_thread().name)
        if len(begun) == 1:
            assert gate.wait(10)
            raise ValueError("no")
        return "second"

    lazy, answers = Lazy(evaluate), list[str]()

    def first() -> None:
        with pytest.raises(ValueError, match="no"):
            lazy.get()

    threads = [threading.Thread(target=first), threading.Thread(target=lambda: answers.append(lazy.get(10)))]
    threads[0].start()
    eventually(lambda: begun, "the first evaluation")
    threads[1].start()
    with pytest.raises(TimeoutError):
        lazy.get(timeout=0.02)
    gate.set()
    for thread in threads:
        thread.join(10)
    assert answers == ["second"]


def test_s171_a_stale_slow_evaluation_never_overwrites_a_newer_one() -> None:
    """A slow evaluation from before a `notify` never takes the place of a newer one."""
    slow, old, new = Slow(), list[int](), list[int]()
    lazy = Lazy(slow)
    stale = ask(lazy, old)
    eventually(lambda: slow.begun == [0], "the first evaluation")
    lazy.notify()
    fresh = ask(lazy, new)
    eventually(lambda: slow.begun == [0, 1], "a second one, beside the first")
    slow.gates[1].set()
    fresh.join(10)
    slow.gates[0].set()
    stale.join(10)
    assert (old, new) == ([0], [1])
    assert lazy.get() == 1


@differs(
    "client-go evaluates under a lock, so that `Notify` waits and a value that asks for itself hangs; here neither "
    "does, because no callback runs under a lock"
)
def test_s171_no_lock_is_held_while_it_evaluates() -> None:
    """No lock is held while a value is worked out: `notify` returns, and a value that asks for itself is an error."""
    lazy: Lazy[int] = Lazy(lambda: (lazy.notify(), 7)[1])
    assert lazy.get(timeout=10) == 7
    begin = time.monotonic()
    itself: Lazy[int] = Lazy(lambda: itself.get() + 1)
    with pytest.raises(RuntimeError, match="its own value"):
        itself.get()
    assert time.monotonic() - begin < 1
