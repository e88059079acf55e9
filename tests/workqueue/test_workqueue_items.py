"""Items of any kind: what makes two the same, whose code runs when, and when they are let go."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from workqueue_support import eventually, taken, threads

from kubeinformer.workqueue import (
    ItemExponentialFailureRateLimiter,
    MaxOfRateLimiter,
    Queue,
    RateLimitingQueue,
    WithMaxWaitRateLimiter,
)


class Request(NamedTuple):
    namespace: str
    name: str


class Odd:
    """Equal to others of its name; all have one hash, and comparing runs a function."""

    def __init__(self, name: str, comparing: Callable[[], object] = lambda: None) -> None:
        self.name = name
        self.comparing = comparing

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        self.comparing()
        return isinstance(other, Odd) and self.name == other.name


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["a/b", "a/" + "b", "a/c", "é", "é", ""], ["a/b", "a/c", "é", ""]),
        ([1, 2, 1, 2**70, 2**70, -1, -2], [1, 2, 2**70, -1, -2]),
        ([1, 1.0, True, 0, False], [1, 0]),
        (["a", b"a", b"a", "a"], ["a", b"a"]),
        ([Request("a", "b"), ("a", "b"), Request("a", "c")], [("a", "b"), ("a", "c")]),
        ([None, frozenset("ab"), frozenset("ba"), None], [None, frozenset("ab")]),
        ([hash("x"), "x", hash("x")], [hash("x"), "x"]),
    ],
)
def test_equality_is_pythons(items: list[Any], expected: list[Any]) -> None:
    queue: Queue[Any] = Queue()
    for item in items:
        queue.add(item)
    queue.add_all(items)
    got = taken(queue)
    assert [(type(item), item) for item in got if not isinstance(item, tuple)] == [
        (type(item), item) for item in expected if not isinstance(item, tuple)
    ]
    assert got == expected


def test_the_first_object_is_given_back() -> None:
    queue: Queue[Any] = Queue()
    first, second = Odd("a"), Odd("a")
    queue.add(first)
    queue.add(second)
    item = queue.get()
    assert item is first
    queue.add(second)
    queue.done(second)
    assert queue.get() is first


def test_comparing_may_use_the_queue() -> None:
    queue: Queue[Any] = Queue()
    compared = []

    def use() -> None:
        compared.append(len(queue))
        queue.add("from within")
        queue.stats()

    for name in ("a", "b", "a", "c"):
        queue.add(Odd(name, use))
    queue.add_all([Odd("c", use), Odd("d", use)])
    item = queue.get()
    queue.done(Odd("a", use))
    assert item.name == "a"
    assert [getattr(item, "name", item) for item in taken(queue)] == ["from within", "b", "c", "d"]
    assert compared


def test_an_error_of_comparing_comes_out_and_nothing_is_added() -> None:
    queue: RateLimitingQueue[Any] = RateLimitingQueue()
    queue.add(Odd("a", lambda: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        queue.add(Odd("b"))
    with pytest.raises(ZeroDivisionError):
        queue.add_after(Odd("b"), 1)
    with pytest.raises(ZeroDivisionError):
        queue.add_all(["x", Odd("b"), "y"])
    with pytest.raises(ZeroDivisionError):
        queue.done(Odd("b"))
    assert [getattr(item, "name", item) for item in taken(queue)] == ["a", "x"]
    assert queue.stats().waiting == 0


def test_what_changes_while_items_are_compared_is_noticed() -> None:
    queue: Queue[Any] = Queue()
    old = Odd("a", lambda: taken(queue))
    queue.add(old)
    new = Odd("a")
    queue.add(new)
    assert taken(queue) == [new], "the old one went while the two were compared"
    assert queue.stats().adds == 2


def test_items_are_let_go_when_nobody_needs_them() -> None:
    queue: RateLimitingQueue[Any] = RateLimitingQueue()
    used = []

    class Noisy(Odd):
        def __del__(self) -> None:
            used.append(len(queue))  # no lock may be held here

    def refs(name: str) -> weakref.ref[Noisy]:
        item = Noisy(name)
        queue.add(item)
        return weakref.ref(item)

    first, second = refs("a"), refs("b")
    queue.add(Noisy("a"))
    assert used == [2], "an equal one is not kept"
    queue.add_after(Noisy("later"), 3600)
    item = queue.get()
    queue.done(item)
    del item
    assert first() is None
    assert second() is not None
    queue.shut_down()
    assert len(used) == 3, "what waits is dropped at shutdown"
    queue.done(queue.get())
    assert second() is None


def test_a_limiter_lets_an_item_go_when_it_is_forgotten() -> None:
    limiter = ItemExponentialFailureRateLimiter(0.001, 1)
    item = Odd("a")
    ref = weakref.ref(item)
    limiter.when(item)
    del item
    assert ref() is not None
    assert limiter.num_requeues(Odd("a")) == 1
    limiter.forget(Odd("a"))
    assert ref() is None


def test_foreign_items_between_threads() -> None:
    queue: Queue[Any] = Queue()
    processed: dict[str, int] = {}

    def add() -> None:
        for number in range(1500):
            queue.add(Odd(str(number % 5)))
            queue.add(("x", number))

    def work() -> None:
        for item in iter(queue.get, "end"):
            if isinstance(item, Odd):
                processed[item.name] = processed.get(item.name, 0) + 1
            queue.done(item)
        queue.done("end")

    with threads(work, work, work) as workers:
        with threads(add, add):
            pass
        for _ in workers:
            eventually(lambda: len(queue) == 0 and queue.stats().depth == 0, "all is taken")
            queue.add("end")
            eventually(lambda: len(queue) == 0, "one worker ends")
    assert sorted(processed) == ["0", "1", "2", "3", "4"]


class Python:
    """A limiter of one's own: as many tenths of a second as there were attempts."""

    def __init__(self) -> None:
        self.attempts: dict[Any, int] = {}

    def when(self, item: Any) -> float:
        self.attempts[item] = self.attempts.get(item, 0) + 1
        return self.attempts[item] / 10

    def forget(self, item: Any) -> None:
        self.attempts.pop(item, None)

    def num_requeues(self, item: Any) -> int:
        return self.attempts.get(item, 0)


def test_a_rate_limiter_can_be_written_in_python() -> None:
    limiter = Python()
    queue: RateLimitingQueue[str] = RateLimitingQueue(limiter)
    assert [queue.add_rate_limited("a") for _ in range(3)] == [0.1, 0.2, 0.3]
    assert queue.num_requeues("a") == limiter.num_requeues("a") == 3
    both = MaxOfRateLimiter(limiter, ItemExponentialFailureRateLimiter(0.35, 10))
    assert [both.when("a") for _ in range(2)] == [0.4, 0.7]
    assert [WithMaxWaitRateLimiter(limiter, 0.65).when("a") for _ in range(2)] == [0.6, 0.65]
    queue.forget("a")
    assert queue.num_requeues("a") == 0


def test_what_a_limiter_in_python_raises_comes_out() -> None:
    class Bad(Python):
        def when(self, item: Any) -> float:
            return {"text": "soon", "nan": float("nan")}.get(item) or 1 / 0

    counted = ItemExponentialFailureRateLimiter(1, 1)
    queue: RateLimitingQueue[str] = RateLimitingQueue(MaxOfRateLimiter(Bad(), counted))
    for item, error in (("text", TypeError), ("nan", ValueError), ("other", ZeroDivisionError)):
        with pytest.raises(error):
            queue.add_rate_limited(item)
        assert counted.num_requeues(item) == 1, "the others are asked all the same"
    assert queue.stats().waiting == 0
