"""A workqueue of `str` keys: add, get and done, kubeinformer beside a queue in pure Python that does no more than that.

Invariant: in each mode every side takes and finishes the same keys, each round all of them. `line`: all are added, then
taken one by one. `turn`: each is taken and finished before the next is added. `again`: each is added twice, as a key of
its own, before it is taken. `batched`: 1000 at a time.

    python -m pytest benches/test_workqueue.py --benchmark-enable --benchmark-timer=time.process_time
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benches.pure_python.workqueue import WorkQueue
from kubeinformer.workqueue import Queue, RateLimitingQueue

KEYS = 20_000
BATCH = 1000
ROUNDS = 12

_SIDES: dict[str, Callable[[], Any]] = {
    "pure Python": WorkQueue,
    "kubeinformer": RateLimitingQueue,
    "kubeinformer, with times": lambda: Queue(name="bench"),
}


def _keys() -> list[str]:
    """New objects each time, as handlers make them."""
    return [f"namespace-{number % 10}/deployment-{number:06d}-abcde" for number in range(KEYS)]


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


_MODES = {"line": _line, "turn": _turn, "again": _again, "batched": _batched}


@pytest.mark.parametrize("side", _SIDES)
@pytest.mark.parametrize("mode", _MODES)
def test_workqueue(benchmark: Any, mode: str, side: str) -> None:
    benchmark.group = f"workqueue, {mode}"
    benchmark.extra_info.update(mode=mode, side=side, keys=KEYS)
    queue = _SIDES[side]()
    keys = [key for _ in range(2) for key in _keys()[: KEYS // 2]] if mode == "again" else _keys()
    gc.collect()
    gc.freeze()
    try:
        benchmark.pedantic(_MODES[mode], args=(queue, keys), rounds=ROUNDS, warmup_rounds=1)
    finally:
        gc.unfreeze()
    assert len(queue) == 0
    if isinstance(queue, Queue):
        rounds = ROUNDS + 1 if benchmark.enabled else 1
        assert queue.stats().done == rounds * len(set(keys))
