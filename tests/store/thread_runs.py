"""Threads that read a store over and over while others write to it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

READERS, WRITERS = 8, 2


@contextmanager
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def run(write: Callable[[int], None], reads: list[Callable[[], None]]) -> None:
    """Runs `write` with the number of each writer, and reads over and over again until the writers are through."""
    done = threading.Event()
    start = threading.Barrier(READERS + WRITERS, timeout=30)

    def reader(number: int) -> int:
        start.wait()
        rounds = 0
        while not done.is_set() or rounds < 2 * len(reads):
            reads[(number + rounds) % len(reads)]()
            rounds += 1
        return rounds

    def writer(number: int) -> None:
        start.wait()
        write(number)

    with _switching_often(), ThreadPoolExecutor(READERS + WRITERS) as threads:
        readers = [threads.submit(reader, number) for number in range(READERS)]
        writers = [threads.submit(writer, number) for number in range(WRITERS)]
        try:
            for future in writers:
                future.result(60)
        finally:
            done.set()
        assert all(future.result(60) > 1 for future in readers)
