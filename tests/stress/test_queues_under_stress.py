"""Queues with many producers and consumers, closed in the middle of it: each item is popped once, everybody ends."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from queue_support import PATIENCE, Obj, key, obj

from kubeinformer import ClosedError
from kubeinformer.cache import DeltaFIFO, RealFIFO

pytestmark = pytest.mark.usefixtures("frequent_switches")

PRODUCERS = CONSUMERS = 4
ITEMS = 300
LONG = 6 * PATIENCE
ROUNDS = 40


@pytest.mark.parametrize("batch", [False, True], ids=["pop", "pop_batch"])
@pytest.mark.parametrize("queue", [DeltaFIFO, RealFIFO])
def test_close_during_pops_loses_and_repeats_nothing(queue: Any, batch: bool) -> None:
    """§45: what was queued before and after the close is popped; §34, §48: each delta once, of one key in order."""
    pauses = random.Random(7)
    for _ in range(ROUNDS):
        fifo = queue()
        popped: list[tuple[str, int]] = []
        processing = Counter[str]()
        close_at = threading.Semaphore(0)

        def note(item: Any, _initial: bool, popped: list[Any] = popped, processing: Counter[str] = processing) -> None:
            processing["now"] += 1
            assert processing["now"] == 1, "two batches are processed at once"
            deltas = [item] if isinstance(item, tuple) else item
            for delta in deltas:
                for _, each in [delta] if isinstance(delta, tuple) else delta:
                    popped.append((key(each), each["version"]))
            processing["now"] -= 1

        def consume(fifo: Any = fifo, note: Any = note) -> None:
            while True:
                try:
                    fifo.pop_batch(note, 7, timeout=LONG) if batch else fifo.pop(note, timeout=LONG)
                except ClosedError:
                    return

        def produce(number: int, fifo: Any = fifo, close_at: Any = close_at) -> None:
            for version in range(ITEMS):
                made: Obj = obj(f"{number}-{version % 3}", version)
                if version % 5 == 0:
                    fifo.add_many([("Updated", made)])
                else:
                    fifo.update(made)
                close_at.release()

        with ThreadPoolExecutor(PRODUCERS + CONSUMERS) as threads:
            futures = [threads.submit(consume) for _ in range(CONSUMERS)]
            producers = [threads.submit(produce, number) for number in range(PRODUCERS)]
            for _ in range(pauses.randrange(PRODUCERS * ITEMS)):
                assert close_at.acquire(timeout=PATIENCE)
            fifo.close()
            _, waiting = wait([*producers, *futures], PATIENCE)
            fifo.close()
            assert not waiting, "the close does not end every pop that waits"
            for future in [*producers, *futures]:
                future.result(PATIENCE)
        while len(fifo):
            fifo.pop(note, timeout=0)
        for number in range(PRODUCERS):
            for name in (f"{number}-{place}" for place in range(3)):
                versions = [version for popped_name, version in popped if popped_name == name]
                assert versions == [version for version in range(ITEMS) if f"{number}-{version % 3}" == name], name


@pytest.mark.parametrize("queue", [DeltaFIFO, RealFIFO])
def test_replace_and_resync_while_producers_and_a_consumer_run(queue: Any) -> None:
    """§49, §62: the list is compared with what the consumer knows at that moment, so nothing outlives its list."""
    lock = threading.Lock()

    class Consumed(dict[str, Obj]):
        def list_keys(self) -> list[str]:
            with lock:
                return list(self)

        def get_by_key(self, name: str) -> Obj | None:
            with lock:
                return self.get(name)

    known = Consumed()
    fifo = queue(None, known)

    def process(deltas: Any, _initial: bool) -> None:
        for kind, item in [deltas] if isinstance(deltas, tuple) else deltas:
            with lock:
                if kind == "Deleted":
                    known.pop(key(item), None)
                else:
                    known[key(item)] = item

    def consume() -> None:
        while True:
            try:
                fifo.pop(process, timeout=PATIENCE)
            except ClosedError:
                return

    def resync(stop: threading.Event) -> None:
        while not stop.is_set():
            fifo.resync()

    stop = threading.Event()
    with ThreadPoolExecutor(3) as threads:
        futures = [threads.submit(consume), threads.submit(resync, stop)]
        version = 0
        for number in range(300):
            for name in range(number % 7):
                version += 1
                fifo.update(obj(f"only-{number}-{name}", version))
            version += 1
            listed = [obj("always", version), obj(f"sometimes-{number % 3}", version)]
            fifo.replace(listed)
        stop.set()
        futures[1].result(PATIENCE)
        fifo.close()
        futures[0].result(PATIENCE)
    assert dict(known) == {key(item): item for item in listed}, "what no list had lives on, or an old state came back"
