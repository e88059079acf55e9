"""The queue against a model in plain Python, for items of every kind and with a limiter of each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kubeinformer.workqueue import FakeClock, ItemExponentialFailureRateLimiter, RateLimitingQueue, ShutDown


class Same:
    """One hash for all."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        return hash("a")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.name == self.name

    def __repr__(self) -> str:
        return f"Same({self.name!r})"


# Made anew each time, so that equal ones are seldom the same object.
ITEMS = st.one_of(
    st.sampled_from(["a", "b", "é"]).map(lambda text: (text + "!")[:-1]),
    st.sampled_from([b"a", 1, 1.0, True, ("a", 1), None]),
    st.builds(Same, st.sampled_from("xyz")),
)
PRIORITIES = st.integers(-1, 1)
BASE, MAX = 0.008, 0.1


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.queue: RateLimitingQueue[Any] = RateLimitingQueue(
            ItemExponentialFailureRateLimiter(BASE, MAX), aging=None, clock=self.clock
        )
        self.now = 0
        self.line: list[tuple[Any, int]] = []
        # By item: the priority it was taken with, and that of an add meanwhile.
        self.processing: dict[Any, tuple[int, int | None]] = {}
        self.waiting: dict[Any, tuple[int, int]] = {}
        self.failures: dict[Any, int] = {}
        self.shut_down = False

    def _add(self, item: Any, priority: int) -> None:
        if self.shut_down:
            return
        if item in self.processing:
            taken, again = self.processing[item]
            self.processing[item] = (taken, priority if again is None else max(again, priority))
            return
        queued = next((entry for entry in self.line if entry[0] == item), None)
        if queued is None:
            self.line.append((item, priority))
        elif queued[1] < priority:
            self.line.remove(queued)
            self.line.append((queued[0], priority))

    def _add_after(self, item: Any, milliseconds: int, priority: int | None) -> None:
        if priority is None:
            priority = self.processing.get(item, (0, None))[0]
        if milliseconds == 0:
            self._add(item, priority)
        elif not self.shut_down:
            due, other = self.waiting.get(item, (10**9, priority))
            new = self.now + milliseconds
            if new < due:
                # To the end of those that wait for the same time.
                self.waiting.pop(item, None)
            self.waiting[item] = (min(due, new), max(other, priority))

    @rule(item=ITEMS, priority=PRIORITIES)
    def add(self, item: Any, priority: int) -> None:
        self.queue.add(item, priority)
        self._add(item, priority)

    @rule(items=st.lists(ITEMS, max_size=5), priority=PRIORITIES)
    def add_all(self, items: list[Any], priority: int) -> None:
        self.queue.add_all(items, priority)
        for item in items:
            self._add(item, priority)

    @rule(item=ITEMS, milliseconds=st.integers(0, 20), priority=st.none() | PRIORITIES)
    def add_after(self, item: Any, milliseconds: int, priority: int | None) -> None:
        self.queue.add_after(item, milliseconds / 1000, priority)
        self._add_after(item, milliseconds, priority)

    @rule(item=ITEMS)
    def add_rate_limited(self, item: Any) -> None:
        failures = self.failures.get(item, 0)
        delay = min(BASE * 2**failures, MAX)
        assert self.queue.add_rate_limited(item) == delay
        self.failures[item] = failures + 1
        self._add_after(item, round(delay * 1000), None)

    @rule(item=ITEMS)
    def forget(self, item: Any) -> None:
        self.queue.forget(item)
        self.failures.pop(item, None)

    @rule(milliseconds=st.integers(1, 30))
    def step(self, milliseconds: int) -> None:
        # A nanosecond more: milliseconds are no sums of powers of two.
        self.clock.step(milliseconds / 1000 + 1e-9)
        self.now += milliseconds
        for item, (due, priority) in sorted(self.waiting.items(), key=lambda entry: entry[1][0]):
            if due <= self.now:
                del self.waiting[item]
                self._add(item, priority)

    @rule(batch=st.integers(0, 3))
    def get(self, batch: int) -> None:
        if not self.line:
            with pytest.raises(ShutDown if self.shut_down else TimeoutError):
                self.queue.get(timeout=0)
            return
        got = self.queue.get_batch(batch, timeout=0) if batch else [self.queue.get(timeout=0)]
        for item in got:
            highest = max(priority for _, priority in self.line)
            expected = next(entry for entry in self.line if entry[1] == highest)
            self.line.remove(expected)
            self.processing[expected[0]] = (highest, None)
            assert item == expected[0]
        assert len(got) == max(batch, 1) or not self.line

    @rule(item=ITEMS)
    def done(self, item: Any) -> None:
        self.queue.done(item)
        if item in self.processing:
            original = next(taken for taken in self.processing if taken == item)
            _, again = self.processing.pop(item)
            if again is not None:
                self.line.append((original, again))

    @rule()
    def done_all(self) -> None:
        items = list(self.processing)
        self.queue.done_all(items)
        for item in items:
            _, again = self.processing.pop(item)
            if again is not None:
                self.line.append((item, again))

    @rule(really=st.integers(0, 9))
    def shut_it_down(self, really: int) -> None:
        if really == 0:
            self.queue.shut_down()
            self.shut_down = True
            self.waiting.clear()

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        assert len(self.queue) == len(self.line)
        stats = self.queue.stats()
        assert stats.processing == len(self.processing)
        assert stats.waiting == len(self.waiting)
        assert stats.depth == len(self.line) + sum(again is not None for _, again in self.processing.values())
        assert self.queue.shutting_down() == self.shut_down
        for item in ("a", 1, None):
            assert self.queue.num_requeues(item) == self.failures.get(item, 0)


QueueMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestQueue = QueueMachine.TestCase
