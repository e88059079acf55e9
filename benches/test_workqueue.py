"""A workqueue of `str` keys: add, get and done, kubeinformer beside a queue in pure Python that does no more than that.

Invariant: in each mode every side takes and finishes the same keys, each round all of them. `line`: all are added, then
taken one by one. `turn`: each is taken and finished before the next is added. `again`: each is added twice, as a key of
its own, before it is taken. `batched`: 1000 at a time. `rate limited`: each fails once, and is taken again at once.
For threads see `workqueue_threads.py`.

    python -m pytest benches/test_workqueue.py --benchmark-enable --benchmark-timer=time.process_time
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import pytest

from benches.workqueue_sides import SIDES, Side, keys
from kubeinformer.workqueue import Queue

KEYS = 20_000
BATCH = 1000
ROUNDS = 12


def _line(queue: Any, keys: Sequence[str]) -> None:
    add, get, done = queue.add, queue.get, queue.done
    for key in keys:
        add(key)
    for _ in keys:
        done(get())


def _turn(queue: Any, keys: Sequence[str]) -> None:
    add, get, done = queue.add, queue.get, queue.done
    for key in keys:
        add(key)
        done(get())


def _again(queue: Any, keys: Sequence[str]) -> None:
    add, get, done = queue.add, queue.get, queue.done
    half = len(keys) // 2
    for key, same in zip(keys[:half], keys[half:], strict=True):
        add(key)
        add(same)
    for _ in range(half):
        done(get())


def _batched(queue: Any, keys: Sequence[str]) -> None:
    for begin in range(0, len(keys), BATCH):
        queue.add_all(keys[begin : begin + BATCH])
        queue.done_all(queue.get_batch(BATCH))


def _rate_limited(queue: Any, keys: Sequence[str]) -> None:
    add, get, done, again, forget = queue.add, queue.get, queue.done, queue.add_rate_limited, queue.forget
    for key in keys:
        add(key)
        failed = get()
        again(failed)
        done(failed)
        succeeded = get()
        forget(succeeded)
        done(succeeded)


_MODES = {"line": _line, "turn": _turn, "again": _again, "batched": _batched, "rate limited": _rate_limited}
_RUNS = [(mode, side) for mode in _MODES for side in SIDES if side.make_limited or mode != "rate limited"]


@pytest.mark.parametrize(("mode", "side"), _RUNS, ids=[f"{mode}-{side.name}" for mode, side in _RUNS])
def test_workqueue(benchmark: Any, mode: str, side: Side) -> None:
    benchmark.group = f"workqueue, {mode}"
    benchmark.extra_info.update(mode=mode, side=side.name, ours=side.ours, keys=KEYS)
    queue = side.make_limited() if mode == "rate limited" and side.make_limited else side.make()
    given = [key for _ in range(2) for key in keys(KEYS // 2)] if mode == "again" else keys(KEYS)
    gc.collect()
    gc.freeze()
    try:
        benchmark.pedantic(_MODES[mode], args=(queue, given), rounds=ROUNDS, warmup_rounds=1)
    finally:
        gc.unfreeze()
    assert len(queue) == 0
    if isinstance(queue, Queue):
        rounds = ROUNDS + 1 if benchmark.enabled else 1
        assert queue.stats().done == rounds * len(set(given)) * (2 if mode == "rate limited" else 1)
