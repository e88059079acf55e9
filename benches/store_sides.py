"""The rivals of kubeinformer's queue and store: one for each row, on the same pure-Python queue and store.

Invariant: a side does what its name says and nothing less: key and index functions are called where the row has no
prepared ones, JSON is decoded where it has bytes, and every delta is processed against the store.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from benches.contract import BATCH, Item, QueueAndStore, Row
from benches.pure_python import Batch, DeltaFIFO, Deltas, IndexedStore, Prepared

Pod = dict[str, Any]


def _namespace(obj: Pod) -> list[str]:
    return [obj["metadata"]["namespace"]]


def _node(obj: Pod) -> list[str]:
    node = obj["spec"].get("nodeName")
    return [node] if node else []


def _owner(obj: Pod) -> list[str]:
    for reference in obj["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return [reference["uid"]]
    return []


INDEXERS = {"namespace": _namespace, "node": _node, "owner": _owner}


class PythonObjects:
    """Dicts in, the same dicts out; key and index functions are Python."""

    row: Row = "objects"
    name = "pure Python"
    collect_garbage = True

    def __init__(self) -> None:
        self._store: IndexedStore[Pod] = IndexedStore(INDEXERS)
        self._queue: DeltaFIFO[Pod] = DeltaFIFO(self._store)

    def prepare(self, items: Sequence[Item]) -> Sequence[Any]:
        return [item.obj for item in items]

    def load(self, inputs: Sequence[Any]) -> None:
        self.batched(inputs)

    def single(self, inputs: Sequence[Any]) -> None:
        update, pop, process = self._queue.update, self._queue.pop, self._process
        for obj in inputs:
            update(obj)
            pop(process)

    def batched(self, inputs: Sequence[Any]) -> None:
        for begin in range(0, len(inputs), BATCH):
            self._queue.update_many(inputs[begin : begin + BATCH])
            self._queue.pop_batch(self._process_batch, BATCH)

    def index_keys(self, name: str, value: str) -> Sequence[str]:
        return self._store.index_keys(name, value)

    def _process(self, key: str, deltas: Deltas, _: bool) -> None:
        update = self._store.update
        for _kind, obj in deltas:
            update(key, obj)

    def _process_batch(self, batch: Batch, _: bool) -> None:
        self._store.apply(batch)


class PythonBytes(PythonObjects):
    """JSON in: `orjson` decodes it, and then it is an object as above."""

    row: Row = "bytes"

    def __init__(self, *, collect_garbage: bool) -> None:
        super().__init__()
        self.collect_garbage = collect_garbage
        self.name = "orjson + pure Python" + ("" if collect_garbage else ", gc off")

    def prepare(self, items: Sequence[Item]) -> Sequence[Any]:
        return [item.raw for item in items]

    def single(self, inputs: Sequence[Any]) -> None:
        update, pop, process, loads = self._queue.update, self._queue.pop, self._process, orjson.loads
        for raw in inputs:
            update(loads(raw))
            pop(process)

    def batched(self, inputs: Sequence[Any]) -> None:
        for begin in range(0, len(inputs), BATCH):
            self._queue.update_many(list(map(orjson.loads, inputs[begin : begin + BATCH])))
            self._queue.pop_batch(self._process_batch, BATCH)


class PythonPrepared:
    """Dicts with their keys and index values at hand: each version with texts of its own, or equal texts interned.

    Interning is not timed, so it is a gift: it costs what it saves later, a look-up of each text by its content.
    """

    row: Row = "prepared"
    collect_garbage = True

    def __init__(self, *, interned: bool = False) -> None:
        self.name = "pure Python" + (", texts interned" if interned else "")
        self._text: Callable[[str], str] = sys.intern if interned else str
        self._store: IndexedStore[Pod] = IndexedStore(INDEXERS)
        self._queue: DeltaFIFO[Prepared[Pod]] = DeltaFIFO(key_func=lambda prepared: prepared[0])

    def prepare(self, items: Sequence[Item]) -> Sequence[Any]:
        text = self._text
        return [(text(item.key), tuple(map(text, item.values)), item.obj) for item in items]

    def load(self, inputs: Sequence[Any]) -> None:
        self.batched(inputs)

    def single(self, inputs: Sequence[Any]) -> None:
        update, pop, process = self._queue.update_prepared, self._queue.pop, self._process
        for prepared in inputs:
            update(prepared[0], prepared)
            pop(process)

    def batched(self, inputs: Sequence[Any]) -> None:
        for begin in range(0, len(inputs), BATCH):
            self._queue.update_many_prepared(inputs[begin : begin + BATCH])
            self._queue.pop_batch(self._process_batch, BATCH)

    def index_keys(self, name: str, value: str) -> Sequence[str]:
        return self._store.index_keys(name, value)

    def _process(self, _key: str, deltas: Deltas, _: bool) -> None:
        update = self._store.update_prepared
        for _kind, (key, values, obj) in deltas:
            update(key, values, obj)

    def _process_batch(self, batch: Batch, _: bool) -> None:
        self._store.apply_prepared(batch)


def rivals() -> Sequence[QueueAndStore]:
    """Fresh sides, for every row at least one."""
    return (
        PythonObjects(),
        PythonBytes(collect_garbage=True),
        PythonBytes(collect_garbage=False),
        PythonPrepared(),
        PythonPrepared(interned=True),
    )
