"""Queue and store with three indices, in three rows, single and batched, kubeinformer beside its rivals.

Invariant: within a group (row and mode) every side gets the same updates of the same 10,000 pods, and after the last
one the index by node of each says what the updates say. A round of the benchmark is 10,000 updates.

    python -m pytest benches/test_store.py --benchmark-enable --benchmark-timer=time.process_time
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from benches import ours, pods, store_sides
from benches.contract import QueueAndStore
from benches.versions import PodVersion, Rounds

PODS = 10_000
ROUNDS_OF_UPDATES = 4
TIMED_ROUNDS = {"objects": 12, "bytes": 5, "prepared": 12}

_OURS = tuple(ours.queues_and_stores())
_SIDES = (*store_sides.rivals(), *_OURS)


@pytest.fixture(scope="session")
def updates() -> Rounds:
    return Rounds(PODS, ROUNDS_OF_UPDATES)


@pytest.fixture(params=_SIDES, ids=[f"{side.row}-{side.name}" for side in _SIDES])
def side(request: pytest.FixtureRequest) -> Iterator[QueueAndStore]:
    chosen: QueueAndStore = request.param
    if not chosen.collect_garbage:
        gc.disable()
    yield chosen
    gc.enable()


@pytest.mark.parametrize("mode", ["single", "batched"])
def test_update(benchmark: Any, side: QueueAndStore, mode: str, updates: Rounds) -> None:
    benchmark.group = f"{side.row}, {mode}"
    benchmark.extra_info.update(row=side.row, mode=mode, side=side.name, updates=PODS, ours=side in _OURS)
    inputs = [side.prepare(versions) for versions in updates.rounds]
    side.load(side.prepare(updates.initial))
    # What was made up to here is the benchmark's own; no side pays for walking through it.
    gc.collect()
    gc.freeze()
    sent = 0

    def next_round() -> tuple[tuple[Sequence[Any]], dict[str, Any]]:
        nonlocal sent
        sent += 1
        return (inputs[(sent - 1) % len(inputs)],), {}

    try:
        benchmark.pedantic(getattr(side, mode), setup=next_round, rounds=TIMED_ROUNDS[side.row], warmup_rounds=1)
    finally:
        gc.unfreeze()
    _check(side, updates.rounds[(sent - 1) % len(inputs)])


def _check(side: QueueAndStore, last: Sequence[PodVersion]) -> None:
    for node in (pods.node_of(0, 0), pods.node_of(1, 1)):
        expected = sorted(version.key for version in last if version.values[1] == node)
        assert list(side.index_keys("node", node)) == expected
