"""The pure-Python workqueue, kubeinformer's rival, behaves as client-go's does: a fast rival that is wrong is none.

Invariant: each test is run on both of its classes where both have what it needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from benches.pure_python.workqueue import RateLimitingWorkQueue, ShutDownError, WorkQueue
from benches.workqueue_sides import SIDES

from benches import workqueue_threads

Make = Callable[[], WorkQueue[str]]
both = pytest.mark.parametrize("make", [WorkQueue, lambda: RateLimitingWorkQueue(0.001, 1.0)], ids=["plain", "limited"])


def drained(queue: WorkQueue[str]) -> list[str]:
    items = []
    while len(queue):
        items.append(queue.get())
        queue.done(items[-1])
    return items


@both
def test_an_item_is_there_once_and_comes_again_after_an_add_while_it_is_processed(make: Make) -> None:
    """§184, §185."""
    queue = make()
    for item in ("a", "b", "a"):
        queue.add(item)
    assert queue.get() == "a"
    queue.add("a")
    assert len(queue) == 1
    queue.done("a")
    assert drained(queue) == ["b", "a"]


@both
def test_batches_do_what_single_calls_do(make: Make) -> None:
    queue = make()
    queue.add_all(["a", "b", "a", "c"])
    assert queue.get_batch(2) == ["a", "b"]
    queue.add_all(["b", "c"])
    queue.done_all(["a", "b"])
    assert queue.get_batch(9) == ["c", "b"]


@both
def test_after_shutdown_adds_are_ignored_and_the_rest_is_handed_out(make: Make) -> None:
    """§187."""
    queue = make()
    queue.add("a")
    queue.shut_down()
    queue.add("b")
    queue.add_all(["c"])
    assert drained(queue) == ["a"]
    with pytest.raises(ShutDownError):
        queue.get()


@both
def test_a_get_waits_for_an_item(make: Make) -> None:
    queue = make()
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(queue.get()), daemon=True)
    thread.start()
    queue.add("a")
    thread.join(10)
    assert got == ["a"]


def test_a_rate_limited_add_is_due_later_and_doubles_until_it_is_forgotten() -> None:
    """§189, §190."""
    queue: RateLimitingWorkQueue[str] = RateLimitingWorkQueue(0.001, 0.003)
    assert [queue.add_rate_limited("a") for _ in range(3)] == [0.001, 0.002, 0.003]
    assert len(queue) == 0
    assert queue.get() == "a", "waits until it is due"
    queue.done("a")
    queue.forget("a")
    assert queue.add_rate_limited("a") == 0.001
    queue.add("b")
    got = []
    for _ in range(2):
        got.append(queue.get())
        queue.done(got[-1])
    assert sorted(got) == ["a", "b"]
    assert (len(queue), queue._deadlines, queue._failures) == (0, {}, {"a": 1})


@pytest.mark.parametrize("side", SIDES, ids=[side.name for side in SIDES])
def test_a_round_between_threads_ends_with_each_key_done_once(side: workqueue_threads.Side) -> None:
    workqueue_threads.run_round(workqueue_threads.Case(2, 3), side, 500)


def test_a_side_that_loses_a_key_is_an_error_and_not_fast() -> None:
    class Loses(WorkQueue[str]):
        def add(self, item: str) -> None:
            if not item.endswith("7-abcde"):
                super().add(item)

    side = workqueue_threads.Side("loses", Loses, None, ShutDownError, ours=False)
    with pytest.raises(AssertionError, match=r"loses: .* done of 100"):
        workqueue_threads.run_round(workqueue_threads.Case(1, 2), side, 100)
