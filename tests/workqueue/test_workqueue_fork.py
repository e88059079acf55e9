"""Workqueues across `fork()`: the parent's are refused in the child, before any lock; new ones work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from workqueue_support import in_child, taken

from kubeinformer import ForkedError
from kubeinformer.workqueue import (
    BucketRateLimiter,
    FakeClock,
    MaxOfRateLimiter,
    RateLimitingQueue,
    default_controller_rate_limiter,
    run_workers,
)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    # That a process with threads forks is what these tests are about.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

USES: list[Callable[[Any], object]] = [
    lambda queue: queue.add("a"),
    lambda queue: queue.add_all(["a"]),
    lambda queue: queue.add_after("a", 1),
    lambda queue: queue.add_rate_limited("a"),
    lambda queue: queue.forget("a"),
    lambda queue: queue.num_requeues("a"),
    lambda queue: queue.get(timeout=5),
    lambda queue: queue.get_batch(5, timeout=5),
    lambda queue: queue.done("a"),
    lambda queue: queue.done_all(["a"]),
    lambda queue: queue.item(timeout=5),
    lambda queue: queue.shut_down(),
    lambda queue: queue.shut_down_with_drain(timeout=5),
    lambda queue: queue.shutting_down(),
    lambda queue: queue.stats(),
    lambda queue: run_workers(queue, print),
    len,
]


def test_everything_of_the_parent_is_refused() -> None:
    queue: RateLimitingQueue[str] = RateLimitingQueue()
    limiter, clock = default_controller_rate_limiter(), FakeClock()
    context = queue.item(timeout=5)
    queue.add("a")

    def check() -> None:
        others: list[Callable[[], object]] = [
            lambda: limiter.when("a"),
            lambda: limiter.forget("a"),
            lambda: limiter.num_requeues("a"),
            lambda: MaxOfRateLimiter(limiter),
            lambda: RateLimitingQueue(limiter),
            lambda: RateLimitingQueue(clock=clock),
            lambda: BucketRateLimiter(clock=clock),
            lambda: clock.step(1),
            context.__enter__,
        ]
        for use in [*[lambda use=use: use(queue) for use in USES], *others]:
            with pytest.raises(ForkedError, match="forked child"):
                use()

    in_child(check)
    assert taken(queue) == ["a"]


def test_a_new_queue_works_in_the_child() -> None:
    parents: RateLimitingQueue[str] = RateLimitingQueue()

    def check() -> None:
        queue: RateLimitingQueue[str] = RateLimitingQueue(name="child")
        queue.add("a")
        queue.add_rate_limited("b")
        reconciled: list[str] = []

        def reconcile(item: str) -> None:
            reconciled.append(item)
            if len(reconciled) == 2:
                queue.shut_down()

        run_workers(queue, reconcile, workers=2)
        assert reconciled == ["a", "b"]
        with pytest.raises(ForkedError):
            parents.add("a")

    in_child(check)


def test_child_touches_no_lock_that_a_thread_of_the_parent_holds() -> None:
    """A child that waits for such a lock waits for ever."""
    queue: RateLimitingQueue[str] = RateLimitingQueue()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            queue.add("a")
            try:
                queue.done(queue.get(timeout=0.001))
            except TimeoutError:
                continue

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()

    def check() -> None:
        for use in USES:
            with pytest.raises(ForkedError):
                use(queue)

    try:
        for _ in range(20):
            in_child(check)
    finally:
        stop.set()
        for worker in workers:
            worker.join()
