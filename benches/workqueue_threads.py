"""A workqueue between threads, as controllers have it: producers add keys, workers get them and say done.

Invariant: in each case every side gets the same keys, no two of them equal, and each is done once. A round lasts from
the moment that lets all threads go until the last worker has ended; sides take turns, round by round. The threads of a
case have all cores, unless it says "one core".

    python -m benches.workqueue_threads
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from benches.workqueue_sides import SIDES, Side, keys

KEYS = 100_000
ROUNDS = 11


@dataclass(frozen=True)
class Case:
    producers: int
    workers: int
    one_core: bool = False

    @property
    def name(self) -> str:
        threads = [_count(self.producers, "producer"), _count(self.workers, "worker")]
        return ", ".join([*threads, *(["one core"] if self.one_core else [])])


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


CASES = (Case(1, 1), Case(2, 8), Case(2, 8, one_core=True))


@dataclass
class _Times:
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def measure(rounds: int = ROUNDS, count: int = KEYS) -> list[dict[str, Any]]:
    """One record a case and side: microseconds a key of wall time, and of CPU time of all threads."""
    records = []
    cores = os.sched_getaffinity(0)
    for case in CASES:
        os.sched_setaffinity(0, {min(cores)} if case.one_core else cores)
        times = {side.name: _Times() for side in SIDES}
        # Of the first round nothing is kept.
        for number in range(rounds + 1):
            for side in SIDES:
                wall, cpu = run_round(case, side, count)
                if number > 0:
                    times[side.name].wall.append(wall / count * 1e6)
                    times[side.name].cpu.append(cpu / count * 1e6)
        records += [
            {
                "mode": case.name,
                "side": side.name,
                "ours": side.ours,
                "best_us": min(times[side.name].wall),
                "median_us": statistics.median(times[side.name].wall),
                "cpu_us": min(times[side.name].cpu),
            }
            for side in SIDES
        ]
    os.sched_setaffinity(0, cores)
    return records


def run_round(case: Case, side: Side, count: int) -> tuple[float, float]:
    """Wall and CPU seconds; AssertionError if the side lost a key or handed one out twice."""
    queue = side.make()
    given = keys(count)
    done_by: list[int] = []
    start = threading.Barrier(case.producers + case.workers + 1)

    def produce(mine: list[str]) -> None:
        add = queue.add
        start.wait()
        for key in mine:
            add(key)

    def work() -> None:
        get, done, count = queue.get, queue.done, 0
        start.wait()
        try:
            while True:
                done(get())
                count += 1
        except side.shut_down:
            done_by.append(count)

    producers = [
        threading.Thread(target=produce, args=(given[number :: case.producers],)) for number in range(case.producers)
    ]
    workers = [threading.Thread(target=work) for _ in range(case.workers)]
    for thread in (*producers, *workers):
        thread.start()
    gc.collect()
    gc.freeze()
    start.wait()
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in producers:
        thread.join()
    # What was added before is still handed out.
    queue.shut_down()
    for thread in workers:
        thread.join()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    gc.unfreeze()
    if (sum(done_by), len(done_by), len(queue)) != (count, case.workers, 0):
        raise AssertionError(f"{side.name}: {done_by} done of {count}, and {len(queue)} left")
    return wall, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures workqueues between threads; JSON on standard output.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    print(json.dumps(measure(parser.parse_args().rounds), indent=1))


if __name__ == "__main__":
    main()
