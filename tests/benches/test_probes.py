"""What is measured beside the work is noted by what really happened, and can be told from the work."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from benches.probes import Computing, Reader, StallProbe, beside, percentile, rss
from benches.touch import touch
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_percentile_is_the_smallest_value_that_enough_do_not_exceed(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_percentile_of_nothing_is_none() -> None:
    assert percentile([], 99) is None


def test_a_stall_counts_iff_it_overlaps_the_time_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = StallProbe()
    clock = iter([10.0, 10.001, 20.0, 20.501, 30.0, 30.003])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(probe, "_over", Over(3))
    probe._repeat()
    assert probe.longest(0, 100) == pytest.approx(0.5)
    assert probe.longest(20.4, 20.45) == pytest.approx(0.5)
    assert probe.longest(29, 100) == pytest.approx(0.002)
    assert probe.longest(40, 100) == 0.0


def test_a_reader_reads_by_key_and_each_tenth_time_by_node(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    class Indexer:
        def get_by_key(self, key: str) -> None:
            asked.append((key,))

        def by_index(self, name: str, value: str) -> None:
            asked.append((name, value))

    reader = Reader(Indexer(), ["a/b"], ["node-1"], seed=0)
    clock = iter(float(second) for second in range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(reader, "_over", Over(20))
    reader._repeat()
    assert asked == [*[("a/b",)] * 9, ("node", "node-1")] * 2
    assert len(reader.latencies(0, 100)) == 20
    assert len(reader.latencies(0, 1.5)) == 1


class Over:
    """An event that is set after so many looks."""

    def __init__(self, looks: int) -> None:
        self._left = looks

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def test_the_cpu_time_of_a_thread_is_its_own() -> None:
    computing = Computing()
    computing.start()
    deadline = time.monotonic() + 30
    while computing.cpu_seconds() < 0.01 and time.monotonic() < deadline:
        time.sleep(0.01)
    mine = time.thread_time()
    spent = computing.cpu_seconds()
    computing.stop()
    assert 0.01 <= spent <= time.process_time() - mine + 0.1


def test_nobody_computes_any_more_when_it_is_over() -> None:
    with beside("python") as threads:
        assert [thread.__class__ for thread in threads] == [Computing]
        assert "Computing" in {thread.name for thread in threading.enumerate()}
    assert "Computing" not in {thread.name for thread in threading.enumerate()}
    with beside("process") as threads:
        assert threads == []
    with beside("idle") as threads:
        assert threads == []


def test_touched_memory_is_counted_and_given_back() -> None:
    before = rss()
    assert touch(200 << 20) == 192 << 20
    assert rss() < before + (64 << 20)
