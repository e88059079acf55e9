"""`run_workers`: what comes of each call of reconcile, and how it ends."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from workqueue_support import eventually, taken, threads

from kubeinformer.workqueue import (
    LOW_PRIORITY,
    FakeClock,
    ItemExponentialFailureRateLimiter,
    Queue,
    RateLimitingQueue,
    enqueue_handler,
    run_workers,
)

Make = Callable[[], RateLimitingQueue[str]]


@pytest.fixture
def queue() -> RateLimitingQueue[str]:
    return RateLimitingQueue(ItemExponentialFailureRateLimiter(0.002, 1), name="pods")


def test_items_are_reconciled_until_shutdown_and_the_rest_first(queue: RateLimitingQueue[str]) -> None:
    queue.add_all([str(number) for number in range(100)])
    seen: list[str] = []
    names = set()

    def reconcile(item: str) -> None:
        seen.append(item)
        names.add(threading.current_thread().name)
        time.sleep(0.0005)

    queue.shut_down()
    run_workers(queue, reconcile, workers=3)
    assert sorted(seen, key=int) == [str(number) for number in range(100)]
    assert names <= {f"kubeinformer-worker-pods-{number}" for number in range(3)}
    assert queue.stats().processing == 0


def test_a_failure_is_logged_and_tried_again_when_the_limiter_says(
    queue: RateLimitingQueue[str], caplog: pytest.LogCaptureFixture
) -> None:
    requeues = []

    def reconcile(item: str) -> None:
        requeues.append(queue.num_requeues(item))
        if len(requeues) <= 3:
            raise OSError("the server is away")
        queue.shut_down()

    queue.add("default/web-0")
    run_workers(queue, reconcile)
    assert requeues == [0, 1, 2, 3]
    assert queue.num_requeues("default/web-0") == 0, "success forgets"
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        f"reconcile failed on 'default/web-0', again in {delay:.3f} s: OSError('the server is away')"
        for delay in (0.002, 0.004, 0.008)
    ]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_no_exception_ends_a_worker(queue: RateLimitingQueue[str], error: type[BaseException]) -> None:
    calls: list[str] = []

    def reconcile(item: str) -> None:
        calls.append(item)
        if len(calls) == 1:
            raise error
        queue.shut_down()

    queue.add("a")
    run_workers(queue, reconcile, workers=1)
    assert calls == ["a", "a"]


@pytest.mark.parametrize("seconds", [0.02, 0, -1, 1])
def test_a_number_means_again_after_that_time(queue: RateLimitingQueue[str], seconds: float) -> None:
    clock = FakeClock()
    queue = RateLimitingQueue(clock=clock)
    queue.add("a", LOW_PRIORITY)
    queue.add_rate_limited("a")
    calls = []

    def reconcile(_: str) -> float | None:
        calls.append(queue.num_requeues("a"))
        return seconds if len(calls) == 1 else None

    with threads(lambda: run_workers(queue, reconcile, workers=2)):
        eventually(lambda: len(calls) == (1 if seconds > 0 else 2), "the first call")
        eventually(lambda: queue.stats().processing == 0, "its end")
        if seconds > 0:
            assert queue.stats().waiting == 1
            clock.step(seconds)
            eventually(lambda: len(calls) == 2, "the second call")
        queue.shut_down()
    assert calls == [1, 0], "what failed before is forgotten"


@pytest.mark.parametrize("result", [True, False, "soon", object(), float("nan"), float("inf")])
def test_another_result_is_a_failure(
    queue: RateLimitingQueue[str], result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def reconcile(item: str) -> Any:
        calls.append(item)
        if len(calls) == 2:
            queue.shut_down()
            return None
        return result

    queue.add("a")
    run_workers(queue, reconcile)
    assert calls == ["a", "a"]
    assert "reconcile failed on 'a'" in caplog.text


def test_a_limiter_that_raises_costs_no_item(caplog: pytest.LogCaptureFixture) -> None:
    class Limiter:
        def when(self, _: str) -> float:
            raise ValueError("no idea")

        def forget(self, _: str) -> None:
            pass

        def num_requeues(self, _: str) -> int:
            return 0

    clock = FakeClock()
    queue: RateLimitingQueue[str] = RateLimitingQueue(Limiter(), clock=clock)
    calls: list[str] = []

    def reconcile(item: str) -> None:
        calls.append(item)
        if len(calls) == 1:
            raise OSError
        queue.shut_down()

    queue.add("a")
    with threads(lambda: run_workers(queue, reconcile)):
        eventually(lambda: queue.stats().waiting, "it waits all the same")
        clock.step(1)
    assert calls == ["a", "a"]
    assert "the rate limiter failed on 'a'" in caplog.text


def test_stop_ends_each_worker_after_its_item(queue: RateLimitingQueue[str]) -> None:
    stop, let_go = threading.Event(), threading.Event()
    begun: list[str] = []
    finished: list[str] = []

    def reconcile(item: str) -> None:
        begun.append(item)
        let_go.wait(10)
        finished.append(item)

    queue.add_all(["a", "b", "c", "d"])
    with threads(lambda: run_workers(queue, reconcile, workers=2, stop=stop)) as (runner,):
        eventually(lambda: len(begun) == 2, "two have begun")
        stop.set()
        eventually(queue.shutting_down, "the queue is shut down")
        assert runner.is_alive()
        let_go.set()
    assert sorted(finished) == sorted(begun) == ["a", "b"]
    assert taken(queue) == ["c", "d"]
    assert queue.stats().processing == 0


def test_stop_that_is_set_before_ends_it_at_once(queue: RateLimitingQueue[str]) -> None:
    stop = threading.Event()
    stop.set()
    begin = time.monotonic()
    run_workers(queue, print, stop=stop)
    assert time.monotonic() - begin < 1
    assert queue.shutting_down()


def test_shutdown_ends_it_although_stop_is_never_set(queue: RateLimitingQueue[str]) -> None:
    with threads(lambda: run_workers(queue, print, stop=threading.Event())):
        time.sleep(0.01)
        queue.shut_down()

    def ours() -> list[str]:
        names = ("kubeinformer-worker-pods", "kubeinformer-stop-pods")
        return [thread.name for thread in threading.enumerate() if thread.name.startswith(names)]

    eventually(lambda: ours() == [], "no thread is left")


def test_no_item_is_reconciled_twice_at_once(queue: RateLimitingQueue[str]) -> None:
    busy: Counter[str] = Counter()
    most: list[int] = []

    def reconcile(item: str) -> float | None:
        busy[item] += 1
        most.append(busy[item])
        queue.add(item if len(most) < 300 else "last")
        time.sleep(0.0002)
        busy[item] -= 1
        if len(most) >= 300:
            queue.shut_down()
        return 0.0 if len(most) < 200 else None

    queue.add_all(["a", "b", "c"])
    run_workers(queue, reconcile, workers=8)
    assert max(most) == 1
    assert len(most) >= 300


def test_bad_arguments_are_named(queue: RateLimitingQueue[str]) -> None:
    with pytest.raises(ValueError, match="workers"):
        run_workers(queue, print, workers=0)
    with pytest.raises(TypeError, match="reconcile"):
        run_workers(queue, None)


def test_arguments_of_a_wrong_type_are_named() -> None:
    queue: RateLimitingQueue[str] = RateLimitingQueue()
    with pytest.raises(TypeError, match="queue must be a RateLimitingQueue, not Queue"):
        run_workers(Queue(), lambda _item: None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="workers must be a whole number, not str"):
        run_workers(queue, lambda _item: None, workers="4")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"stop must be a threading.Event or None, not int"):
        run_workers(queue, lambda _item: None, stop=4)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="queue must be a Queue, not str"):
        enqueue_handler("pods")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="key must be callable, not str"):
        enqueue_handler(queue, "namespace")  # type: ignore[arg-type]
