"""What is measured beside the work: stalls of other threads, latencies of readers, memory; and who computes beside it.

Invariant: the CPU time of every thread that is started here can be asked for while it runs, so that it can be taken off
the process's.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

Beside = Literal["idle", "python", "process"]
"""Nobody; a Python thread of the same process that computes; a process that computes and is not Python."""

PAUSE = 0.001
"""Seconds that a probe and a reader sleep."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Measuring(ABC):
    """A thread that repeats one thing until it is stopped."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True, name=type(self).__name__)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def cpu_seconds(self) -> float:
        """So far; only between `start` and `stop`."""
        assert self._thread.ident is not None
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident))

    @abstractmethod
    def _repeat(self) -> None:
        """Until `_over` is set."""


class StallProbe(Measuring):
    """Sleeps a millisecond, again and again, and notes how much later than that it ran."""

    def __init__(self) -> None:
        super().__init__()
        self._samples: list[tuple[float, float]] = []

    def _repeat(self) -> None:
        note, now = self._samples.append, time.perf_counter
        while not self._over.is_set():
            begin = now()
            time.sleep(PAUSE)
            note((begin, now() - begin - PAUSE))

    def longest(self, begin: float, end: float) -> float:
        """Seconds: the longest stall that overlaps this time; 0.0 if there was no sample."""
        return max((late for at, late in self._samples if at + PAUSE + late >= begin and at <= end), default=0.0)


class Reader(Measuring):
    """Reads objects by key as a request handler would, and each tenth time those of a node; notes how long it took."""

    def __init__(self, indexer: Any, keys: Sequence[str], nodes: Sequence[str], seed: int) -> None:
        super().__init__()
        self._indexer = indexer
        self._keys = keys
        self._nodes = nodes
        self._random = random.Random(seed)
        self._samples: list[tuple[float, float]] = []

    def _repeat(self) -> None:
        note, now, choose = self._samples.append, time.perf_counter, self._random.choice
        get, by_index = self._indexer.get_by_key, self._indexer.by_index
        reads = 0
        while not self._over.is_set():
            reads += 1
            if reads % 10:
                key = choose(self._keys)
                begin = now()
                get(key)
            else:
                node = choose(self._nodes)
                begin = now()
                by_index("node", node)
            note((begin, now() - begin))
            time.sleep(PAUSE)

    def latencies(self, begin: float, end: float) -> list[float]:
        """Seconds: of the reads that overlap this time."""
        return [took for at, took in self._samples if at + took >= begin and at <= end]


class Computing(Measuring):
    """A Python thread that never waits."""

    def _repeat(self) -> None:
        over, number = self._over.is_set, 1
        while not over():
            for _ in range(1000):
                number = number * 1_103_515_245 % 2_147_483_647


@contextmanager
def beside(who: Beside) -> Iterator[list[Measuring]]:
    """Let somebody compute meanwhile; gives the threads of this process that do."""
    if who == "python":
        computing = Computing()
        computing.start()
        try:
            yield [computing]
        finally:
            computing.stop()
    elif who == "process":
        # On the same core, because it inherits that. It ends with its parent, however that ends.
        with subprocess.Popen(["sh", "-c", "while kill -0 $PPID; do :; done"], stderr=subprocess.DEVNULL) as process:
            try:
                yield []
            finally:
                process.terminate()
    else:
        yield []


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that is not below so many percent of them; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * percent // 100) - 1))]


def rss() -> int:
    """Bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * _PAGE


def peak_rss() -> int:
    """Bytes: the highest since `reset_peak_rss`, or since the process began if the kernel does not allow that."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def reset_peak_rss() -> bool:
    """Whether the kernel allowed it."""
    try:
        with open("/proc/self/clear_refs", "w") as clear:
            clear.write("5")
    except OSError:
        return False
    return True
