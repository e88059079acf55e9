"""Section 2.P: the workqueue and its rate limiters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kubeinformer.workqueue import (
    BucketRateLimiter,
    DelayingQueue,
    FakeClock,
    ItemExponentialFailureRateLimiter,
    ItemFastSlowRateLimiter,
    MaxOfRateLimiter,
    Queue,
    RateLimitingQueue,
    ShutDown,
    default_controller_rate_limiter,
    default_item_based_rate_limiter,
    set_provider,
)


def taken(queue: Queue[str]) -> list[str]:
    """Take and finish whatever can be taken, in order."""
    items = []
    while len(queue):
        with queue.item(timeout=0) as item:
            items.append(item)
    return items


@contextmanager
def thread(run: Callable[[], object]) -> Iterator[threading.Thread]:
    """Run a function meanwhile; it must have ended 10 s after the block."""
    started = threading.Thread(target=run, daemon=True)
    started.start()
    yield started
    started.join(10)
    assert not started.is_alive()


def test_s184_an_item_that_is_queued_is_not_queued_again() -> None:
    """An item that is added again before a worker took it is handed out once, at its first place."""
    queue: Queue[str] = Queue()
    for item in ("a", "b", "a", "c", "a"):
        queue.add(item)
    assert taken(queue) == ["a", "b", "c"]
    assert taken(queue) == []


def test_s184_an_item_added_while_it_is_processed_comes_again_once() -> None:
    """However often an item is added while it is processed, `done` puts it into the queue once more."""
    queue: Queue[str] = Queue()
    queue.add("a")
    assert queue.get(timeout=0) == "a"
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert len(queue) == 1
    queue.done(queue.get(timeout=0))
    with pytest.raises(TimeoutError):
        queue.get(timeout=0)
    queue.done("a")
    assert taken(queue) == ["a"]


def test_s185_no_two_workers_have_the_same_item() -> None:
    """While one worker has an item, no other gets it, whatever is added."""
    queue: Queue[int] = Queue()
    busy: set[int] = set()
    overlaps, processed = [], [0] * 20

    def work() -> None:
        while True:
            try:
                item = queue.get()
            except ShutDown:
                return
            if item in busy:
                overlaps.append(item)
            busy.add(item)
            processed[item] += 1
            queue.add((item + 1) % 20)
            time.sleep(0.0001)
            busy.discard(item)
            queue.done(item)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for _ in range(40):
        for item in range(20):
            queue.add(item)
        time.sleep(0.002)
    queue.shut_down()
    for worker in workers:
        worker.join(10)
    assert overlaps == []
    assert min(processed) > 1


def test_s186_len_counts_what_can_be_taken() -> None:
    """The length is the number of queued items; those that are processed or wait for a deadline do not count."""
    queue: DelayingQueue[str] = DelayingQueue()
    assert len(queue) == 0
    queue.add("a")
    queue.add("b")
    queue.add_after("c", 3600)
    assert len(queue) == 2
    item = queue.get()
    assert len(queue) == 1
    queue.add(item)
    assert len(queue) == 1
    queue.done(item)
    assert len(queue) == 2


def test_s187_after_shutdown_the_rest_is_handed_out_and_nothing_is_taken_in() -> None:
    """After shutdown adds are ignored, what is queued is still handed out, and then `get` raises `ShutDown`."""
    queue: Queue[str] = Queue()
    queue.add("a")
    queue.add("b")
    queue.shut_down()
    assert queue.shutting_down()
    queue.add("c")
    assert taken(queue) == ["a", "b"]
    with pytest.raises(ShutDown):
        queue.get()


def test_s187_shutdown_ends_the_workers_that_wait() -> None:
    """Every worker that waits in `get` has `ShutDown` when the queue is shut down."""
    queue: Queue[str] = Queue()
    ended = []

    def work() -> None:
        with pytest.raises(ShutDown):
            queue.get()
        ended.append(1)

    with thread(work), thread(work), thread(work):
        time.sleep(0.01)  # into the wait; if not, the test is easier
        queue.shut_down()
    assert ended == [1, 1, 1]


def test_s188_a_drain_waits_for_what_is_processed() -> None:
    """A shutdown with drain returns when each item that a worker had taken is done."""
    queue: Queue[str] = Queue()
    queue.add("a")
    queue.add("b")
    first, second = queue.get(), queue.get()
    assert queue.shut_down_with_drain(timeout=0.01) is False
    drained = []
    with thread(lambda: drained.append(queue.shut_down_with_drain())):
        queue.done(first)
        assert queue.shut_down_with_drain(timeout=0.05) is False
        assert drained == []
        queue.done(second)
    assert drained == [True]


def test_s188_a_drain_does_not_wait_for_what_nobody_took() -> None:
    """A shutdown with drain does not wait for queued items: they stay there to be taken."""
    queue: Queue[str] = Queue()
    queue.add("a")
    assert queue.shut_down_with_drain(timeout=0) is True
    assert taken(queue) == ["a"]


def test_s188_a_later_shutdown_releases_a_drain() -> None:
    """A plain shutdown ends the wait of a drain at once."""
    queue: Queue[str] = Queue()
    queue.add("a")
    queue.get()
    released = []
    with thread(lambda: released.append(queue.shut_down_with_drain())):
        while not queue.shutting_down():
            time.sleep(0.001)
        queue.shut_down()
    assert released == [False]


def test_s189_no_delay_adds_now() -> None:
    """Adding after no time, or less, is adding."""
    queue: DelayingQueue[str] = DelayingQueue(clock=FakeClock())
    queue.add_after("a", 0)
    queue.add_after("b", -1.5)
    assert taken(queue) == ["a", "b"]


def test_s189_an_item_comes_when_its_time_has_passed() -> None:
    """An item added after a delay can be taken from its deadline on, and not before."""
    clock = FakeClock()
    queue: DelayingQueue[str] = DelayingQueue(clock=clock)
    queue.add_after("a", 0.05)
    clock.step(0.049)
    assert len(queue) == 0
    clock.step(0.001)
    assert taken(queue) == ["a"]
    clock.step(1000)
    assert len(queue) == 0


def test_s189_the_earlier_deadline_of_a_waiting_item_wins() -> None:
    """An item that waits for two deadlines comes once, at the earlier one."""
    clock = FakeClock()
    queue: DelayingQueue[str] = DelayingQueue(clock=clock)
    for delay in (0.05, 0.03, 0.04):
        queue.add_after("a", delay)
    clock.step(0.03)
    assert taken(queue) == ["a"]
    clock.step(1)
    assert taken(queue) == []


def test_s189_what_waits_at_shutdown_is_dropped() -> None:
    """Shutdown drops the items that wait for a deadline."""
    clock = FakeClock()
    queue: DelayingQueue[str] = DelayingQueue(clock=clock)
    queue.add_after("a", 0.05)
    queue.shut_down()
    clock.step(1)
    with pytest.raises(ShutDown):
        queue.get()


def test_s190_the_delay_of_an_item_doubles_up_to_its_cap() -> None:
    """The exponential limiter waits base · 2ⁿ after n failures of an item, each counted on its own, up to the cap."""
    limiter = ItemExponentialFailureRateLimiter(0.001, 0.05)
    assert [limiter.when("a") for _ in range(8)] == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05]
    assert [limiter.when("b") for _ in range(2)] == [0.001, 0.002]
    assert limiter.num_requeues("a") == 8


def test_s190_no_number_of_failures_overflows() -> None:
    """However many failures there were, the delay is the cap."""
    for limiter in (ItemExponentialFailureRateLimiter(0.001, 1000), ItemExponentialFailureRateLimiter(1e9, 1e9)):
        delays = [limiter.when("a") for _ in range(3000)]
        assert delays == sorted(delays)
        assert delays[-1] == (1000 if delays[0] == 0.001 else 1e9)


def test_s190_forget_starts_over_and_nothing_else_does() -> None:
    """Failures of an item count until it is forgotten; then its delay starts at the base again."""
    clock = FakeClock()
    limiter = ItemExponentialFailureRateLimiter(0.001, 1)
    queue: RateLimitingQueue[str] = RateLimitingQueue(limiter, clock=clock)
    for _ in range(3):
        queue.add_rate_limited("a")
        clock.step(3600)
        assert taken(queue) == ["a"]
    assert queue.num_requeues("a") == 3
    queue.forget("a")
    assert queue.num_requeues("a") == 0
    assert queue.add_rate_limited("a") == 0.001


def test_s191_the_slowest_limiter_decides_and_all_are_advanced() -> None:
    """The max-of limiter asks each of its limiters every time, and waits as long as the slowest says."""
    fast_slow = ItemFastSlowRateLimiter(0.005, 3, 3)
    exponential = ItemExponentialFailureRateLimiter(0.001, 1)
    limiter = MaxOfRateLimiter(fast_slow, exponential)
    assert [limiter.when("a") for _ in range(5)] == [0.005, 0.005, 0.005, 3, 3]
    assert exponential.num_requeues("a") == fast_slow.num_requeues("a") == limiter.num_requeues("a") == 5
    assert [limiter.when("b") for _ in range(3)] == [0.005, 0.005, 0.005]
    limiter.forget("a")
    assert exponential.when("a") == 0.001


def test_s190_s191_the_defaults_are_the_slower_of_item_and_bucket() -> None:
    """By default an item waits 5 ms · 2ⁿ up to 1000 s; past a hundred retries there are 10 a second over all."""
    limiter = default_controller_rate_limiter(clock=FakeClock())
    assert [limiter.when("a") for _ in range(4)] == [0.005, 0.01, 0.02, 0.04]
    for number in range(96):
        assert limiter.when(number) == 0.005
    assert [limiter.when("b"), limiter.when("c")] == [0.1, 0.2]
    assert max(limiter.when("d") for _ in range(30)) == 1000
    item_based = default_item_based_rate_limiter()
    assert [item_based.when("a") for _ in range(21)][::10] == [0.001, 1.024, 1000]


def test_s191_the_bucket_saves_a_burst() -> None:
    """The bucket lets a burst through at once and fills again with time."""
    clock = FakeClock()
    bucket = BucketRateLimiter(10, 3, clock=clock)
    assert [bucket.when("a") for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    clock.step(3600)
    assert [bucket.when("a") for _ in range(4)] == [0, 0, 0, 0.1]


class Metric:
    """Any of the metrics: a sum, observations, or a function."""

    def __init__(self) -> None:
        self.value = 0.0
        self.observed: list[float] = []
        self.read: Callable[[], float]

    def inc(self, amount: float = 1.0, /) -> None:
        self.value += amount

    def dec(self, amount: float = 1.0, /) -> None:
        self.value -= amount

    def observe(self, amount: float, /) -> None:
        self.observed.append(round(amount, 6))

    def set_function(self, f: Callable[[], float], /) -> None:
        self.read = f


class Provider:
    """Keeps the metrics that it made, by their names."""

    def __init__(self) -> None:
        self.metrics: dict[str, Metric] = {}

    def __getattr__(self, method: str) -> Callable[[str], Metric]:
        kind = method.removeprefix("new_").removesuffix("_metric")
        return lambda name: self.metrics.setdefault(f"{name} {kind}", Metric())


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    set_provider(provider)
    yield provider
    set_provider(None)


def test_s192_metrics_follow_a_named_queue(provider: Provider) -> None:
    """The provider's metrics of a named queue tell depth, adds, latency, work duration, unfinished work and retries."""
    clock = FakeClock()
    queue: RateLimitingQueue[str] = RateLimitingQueue(
        ItemExponentialFailureRateLimiter(1, 100), name="test", clock=clock
    )
    queue.add("a")
    queue.add("b")
    clock.step(0.05)
    for item in (queue.get(), queue.get()):
        queue.add(item)
    metrics = provider.metrics
    assert metrics["test depth"].value == 2
    assert metrics["test adds"].value == 4
    assert metrics["test latency"].observed == [0.05, 0.05]
    clock.step(0.25)
    assert metrics["test unfinished_work_seconds"].read() == pytest.approx(0.5)
    assert metrics["test longest_running_processor_seconds"].read() == pytest.approx(0.25)
    queue.done("a")
    assert metrics["test work_duration"].observed == [0.25]
    queue.add_rate_limited("c")
    assert metrics["test retries"].value == 1
    assert metrics["test adds"].value == 4
    clock.step(1)
    assert taken(queue) == ["a", "c"]
    assert metrics["test adds"].value == 5
    assert metrics["test depth"].value == 1
    queue.done("b")
    assert taken(queue) == ["b"]
    assert metrics["test depth"].value == 0
    assert metrics["test unfinished_work_seconds"].read() == 0


def test_s192_repeated_adds_that_collapse_count_once(provider: Provider) -> None:
    """Adds of an item that is queued already count neither as adds nor for the depth."""
    queue: Queue[str] = Queue(name="test")
    for _ in range(5):
        queue.add("a")
    assert provider.metrics["test adds"].value == provider.metrics["test depth"].value == 1


def test_s192_a_queue_without_a_name_has_no_metrics(provider: Provider) -> None:
    """A queue without a name is not told to the provider."""
    queue: Queue[str] = Queue()
    queue.add("a")
    assert provider.metrics == {}


def test_s192_a_provider_that_comes_later_is_not_told() -> None:
    """A provider that is set after a queue was made hears nothing of it."""
    queue: Queue[str] = Queue(name="test")
    provider = Provider()
    set_provider(provider)
    try:
        queue.add("a")
        assert provider.metrics == {}
    finally:
        set_provider(None)
