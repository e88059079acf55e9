"""The queue beside client-go's statements: time limits, batches, priorities, names, bad arguments."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from workqueue_support import eventually, taken, threads

from kubeinformer import Error, workqueue
from kubeinformer.workqueue import (
    LOW_PRIORITY,
    BucketRateLimiter,
    DelayingQueue,
    FakeClock,
    ItemExponentialFailureRateLimiter,
    ItemFastSlowRateLimiter,
    MaxOfRateLimiter,
    Queue,
    QueueStats,
    RateLimitingQueue,
    ShutDown,
    WithMaxWaitRateLimiter,
)

QUEUES: list[Callable[..., Any]] = [Queue, DelayingQueue, RateLimitingQueue]


@pytest.mark.parametrize("make", QUEUES)
def test_each_queue_adds_gets_and_is_done(make: Callable[..., Any]) -> None:
    queue = make(name="pods")
    assert isinstance(queue, Queue)
    assert queue.name == "pods"
    queue.add("a")
    assert queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


def test_only_what_a_queue_is_for_can_be_called() -> None:
    assert not hasattr(Queue(), "add_after")
    assert not hasattr(DelayingQueue(), "add_rate_limited")
    assert issubclass(RateLimitingQueue, DelayingQueue)


def test_get_raises_timeout_error_in_time() -> None:
    queue: Queue[str] = Queue()
    for timeout in (0, -1, 0.05):
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            queue.get(timeout)
        passed = time.monotonic() - begin
        assert max(timeout, 0) <= passed < 1
    with pytest.raises(ValueError, match="timeout"):
        queue.get(float("nan"))


@pytest.mark.parametrize("start", ["add", "add_after", "add_all"])
def test_get_waits_for_an_item(start: str) -> None:
    queue: DelayingQueue[str] = DelayingQueue()
    got: list[str] = []
    with threads(lambda: got.append(queue.get()), lambda: got.append(queue.get(timeout=20))):
        time.sleep(0.01)  # into the wait; if not, the test is easier
        if start == "add":
            queue.add("a")
            queue.add("b")
        elif start == "add_all":
            queue.add_all(["a", "b"])
        else:
            queue.add_after("b", 0.02)
            queue.add_after("a", 0.01)
    assert sorted(got) == ["a", "b"]


def test_an_earlier_deadline_is_noticed_by_who_waits_for_a_later_one() -> None:
    clock = FakeClock()
    queue: DelayingQueue[str] = DelayingQueue(clock=clock)
    queue.add_after("late", 3600)
    got: list[str] = []
    with threads(lambda: got.append(queue.get()), lambda: got.append(queue.get())):
        time.sleep(0.01)
        queue.add_after("soon", 10)
        clock.step(10)
        eventually(lambda: got == ["soon"], "the step of the clock")
        clock.step(3600)
    assert got == ["soon", "late"]


def test_item_is_done_whatever_happens() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    context = queue.item()

    def fail() -> None:
        with context as item:
            assert item == "a"
            assert queue.stats().processing == 1
            queue.add("a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert queue.stats().processing == 0
    assert taken(queue) == ["a"]
    with pytest.raises(RuntimeError, match="entered before"):
        context.__enter__()
    with pytest.raises(TimeoutError), queue.item(timeout=0):
        pass
    queue.shut_down()
    with pytest.raises(ShutDown), queue.item():
        pass


def test_done_of_what_is_not_processed_has_no_effect() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    queue.done("a")
    queue.done("b")
    assert taken(queue) == ["a"]


def test_batches() -> None:
    queue: Queue[str] = Queue()
    queue.add_all(iter(["a", "b", "a", "c"]))
    queue.add_all(["d", "b"], priority=1)
    assert queue.get_batch(3) == ["d", "b", "a"]
    queue.add_all(("a", "d"))
    assert queue.get_batch(1000) == ["c"]
    with pytest.raises(TimeoutError):
        queue.get_batch(1, timeout=0)
    queue.done_all(["a", "b", "c", "d", "never"])
    assert queue.get_batch(5, timeout=1) == ["a", "d"]
    with pytest.raises(ValueError, match="max_items"):
        queue.get_batch(0)
    queue.shut_down()
    with pytest.raises(ShutDown):
        queue.get_batch(1)


def test_large_batches_keep_the_order() -> None:
    queue: Queue[int] = Queue()
    queue.add_all(range(10_000))
    batches = [queue.get_batch(3000) for _ in range(4)]
    assert [item for batch in batches for item in batch] == list(range(10_000))
    queue.add_all(range(10_000))
    for batch in batches:
        queue.done_all(batch)
    assert queue.get_batch(20_000) == list(range(10_000))


def test_higher_priorities_come_first_in_order_of_arrival() -> None:
    queue: Queue[str] = Queue()
    for item, priority in (("a", 0), ("low", LOW_PRIORITY), ("b", 0), ("high", 3), ("c", 0), ("low", -200), ("c", 1)):
        queue.add(item, priority)
    assert taken(queue) == ["high", "c", "a", "b", "low"]


def test_low_priorities_are_not_starved() -> None:
    def takes_until_low(**options: Any) -> int:
        queue: Queue[str] = Queue(**options)
        queue.add("low", LOW_PRIORITY)
        queue.add("a")
        for takes in range(1, 100):
            queue.add(f"b{takes}")
            with queue.item(timeout=0) as item:
                if item == "low":
                    return takes
        return 0

    assert takes_until_low() == takes_until_low(aging=10) == 11
    assert takes_until_low(aging=2) == 3
    assert takes_until_low(aging=0) == 1
    assert takes_until_low(aging=None) == 0


def test_what_is_added_again_keeps_its_priority() -> None:
    clock = FakeClock()
    queue: RateLimitingQueue[str] = RateLimitingQueue(clock=clock)
    for item in ("low", "lower"):
        queue.add(item, LOW_PRIORITY)
        with queue.item():
            if item == "low":
                queue.add_rate_limited(item)
            else:
                queue.add_after(item, 0.001, LOW_PRIORITY - 1)
    queue.add_after("normal", 0.01)
    queue.add_after("high", 0.01, 1)
    clock.step(1)
    assert taken(queue) == ["high", "normal", "low", "lower"]


def test_stats() -> None:
    clock = FakeClock()
    queue: RateLimitingQueue[str] = RateLimitingQueue(name="pods", clock=clock)
    assert queue.stats() == QueueStats(*(0,) * 11)
    queue.add("a")
    queue.add("b")
    queue.add_rate_limited("c")
    clock.step(0.001)
    assert queue.get() == "a"
    queue.add("a")
    clock.step(0.002)
    stats = queue.stats()
    assert stats == QueueStats(
        depth=2,
        processing=1,
        waiting=1,
        adds=3,
        retries=1,
        taken=1,
        queue_duration=pytest.approx(0.001),
        done=0,
        work_duration=0,
        unfinished_work=pytest.approx(0.002),
        longest_running_processor=pytest.approx(0.002),
    )
    queue.done("a")
    assert queue.stats().work_duration == pytest.approx(0.002)


def test_metrics_that_raise_are_logged_and_cost_no_item(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def __getattr__(self, _: str) -> Callable[..., Any]:
            return lambda *_: Broken() if _ == ("pods",) else 1 / 0

        def set_function(self, _: object) -> None:
            pass

    queue: RateLimitingQueue[str] = RateLimitingQueue(name="pods", metrics=Broken())
    queue.add("a")
    queue.add_rate_limited("a")
    assert taken(queue)[:1] == ["a"]
    assert "a metric of workqueue pods failed" in caplog.text


def test_metrics_of_a_queue_that_is_gone_say_nothing_runs() -> None:
    read: list[Callable[[], float]] = []

    class Provider:
        def __getattr__(self, _: str) -> Callable[..., Any]:
            return lambda *_: self

        def set_function(self, function: Callable[[], float]) -> None:
            read.append(function)

    queue: Queue[str] = Queue(name="pods", metrics=Provider())
    queue.add("a")
    queue.get()
    assert all(function() > 0 for function in read)
    del queue
    assert [function() for function in read] == [0, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RateLimitingQueue(object()), TypeError, "when"),
        (lambda: MaxOfRateLimiter(BucketRateLimiter(), 3), TypeError, "when"),
        (lambda: WithMaxWaitRateLimiter(BucketRateLimiter(), float("inf")), ValueError, "max_delay"),
        (lambda: BucketRateLimiter(0), ValueError, "qps"),
        (lambda: BucketRateLimiter(float("nan")), ValueError, "qps"),
        (lambda: BucketRateLimiter(burst=0), ValueError, "burst"),
        (lambda: ItemExponentialFailureRateLimiter(float("nan"), 1), ValueError, "base_delay"),
        (lambda: ItemFastSlowRateLimiter(1, float("inf"), 1), ValueError, "slow_delay"),
        (lambda: DelayingQueue().add_after("a", float("nan")), ValueError, "delay"),
        (lambda: DelayingQueue().add_after("a", float("inf")), ValueError, "delay"),
        (lambda: Queue().add("a", 2**31), OverflowError, "out of range|negative|too large"),
        (lambda: Queue().add([]), TypeError, "unhashable"),
        (lambda: Queue().add_all(["a", []]), TypeError, "unhashable"),
        (lambda: Queue(aging=-1), OverflowError, "out of range|negative|too large"),
        (lambda: FakeClock().step(float("nan")), ValueError, "seconds"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_shut_down_is_an_error_of_the_package() -> None:
    assert issubclass(ShutDown, Error)
    assert workqueue.LOW_PRIORITY == -100
