"""What a process holds: memory, threads and descriptors, sampled from the kernel's own count.

A soak leaks iff it ends with more threads or descriptors than it began with, or the memory it needs in its last third
is above that of its first third by more than `GROWTH`. What it needs in the first minutes does not count: caches, pools
and the arenas of dozens of threads that come and go are still being filled then.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

GROWTH = 0.05
WARM_UP_SECONDS = 180.0
GROWTH_MINUTES = 8.0
"""Minutes of a soak from which on memory is judged."""

_SETTLE_SECONDS = 15.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """One look at this process.

    Attributes:
        at: seconds since the soak began.
        rss: bytes resident.
        threads: how many, those without Python included.
        descriptors: how many are open.
    """

    at: float
    rss: int
    threads: int
    descriptors: int


def look(at: float = 0.0) -> Sample:
    """Sample now."""
    rss = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    return Sample(at, rss, len(os.listdir("/proc/self/task")), len(open_descriptors()))


def open_descriptors() -> list[str]:
    """What the open descriptors lead to, sorted; that of the look itself is not among them."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return sorted(found)


@dataclass
class Sampler:
    """A thread that looks every `interval` seconds, from `start` to `stop`."""

    interval: float
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-sampler", daemon=True)
        self._began = 0.0

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self.interval):
            self.samples.append(look(time.monotonic() - self._began))


def thirds(values: Sequence[int]) -> tuple[float, float]:
    """Median of the first and of the last third."""
    third = max(1, len(values) // 3)
    return median(values[:third]), median(values[-third:])


def judged(samples: Sequence[Sample]) -> tuple[float, float]:
    """Memory in the first and in the last third of what comes after the warm-up; of all, if nothing does."""
    return thirds(
        [sample.rss for sample in samples if sample.at >= WARM_UP_SECONDS] or [sample.rss for sample in samples]
    )


def grown(samples: Sequence[Sample], minutes: float) -> list[str]:
    """What is wrong with the memory: a line, or nothing."""
    first, last = judged(samples)
    if minutes < GROWTH_MINUTES or last <= first * (1 + GROWTH):
        return []
    return [f"memory grew from {first / 1e6:.1f} to {last / 1e6:.1f} MB, by more than {GROWTH:.0%}"]


@dataclass(frozen=True)
class Baseline:
    """Threads and descriptors before a soak, to be compared with after it."""

    threads: int
    descriptors: list[str]

    @classmethod
    def take(cls) -> Baseline:
        """Of this moment."""
        gc.collect()
        return cls(look().threads, open_descriptors())

    def leaked(self, timeout: float = _SETTLE_SECONDS) -> list[str]:
        """What is left over, a line each. Waits for what is still ending, `timeout` seconds at most."""
        deadline = time.monotonic() + timeout
        while found := self._more():
            if time.monotonic() > deadline:
                return found
            time.sleep(0.1)
        return []

    def _more(self) -> list[str]:
        gc.collect()
        lines = []
        if (threads := look().threads) > self.threads:
            names = sorted(thread.name for thread in threading.enumerate())
            lines.append(f"{threads} threads, {self.threads} before; those of Python: {', '.join(names)}")
        if len(descriptors := open_descriptors()) > len(self.descriptors):
            # A socket's number says nothing; its kind does.
            kinds = Counter(name.split(":")[0] for name in descriptors)
            kinds.subtract(Counter(name.split(":")[0] for name in self.descriptors))
            more = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count > 0)
            lines.append(f"{len(descriptors)} descriptors, {len(self.descriptors)} before; more: {more}")
        return lines
