"""`DeltaFIFO` beyond the statements of `tests/conformance/test_2c_delta_fifo.py`; the same holds for `RealFIFO`."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
from queue_support import Obj, drop, obj

from kubeinformer import ForkedError
from kubeinformer.cache import DeltaFIFO, Indexer


def test_objects_come_out_as_they_went_in() -> None:
    fifo = DeltaFIFO[Obj]()
    original = obj("a")
    fifo.add(original)
    assert fifo.pop(drop)[0][1] is original
    assert fifo.key_of(original) == "a"


def test_pop_batch_takes_many_keys_and_add_many_many_events() -> None:
    fifo = DeltaFIFO[Obj]()
    fifo.add_many([("Added", obj("a")), ("Updated", obj("a", 1)), ("Added", obj("b")), ("Deleted", obj("c"))])
    batches: list[Any] = []
    assert len(fifo.pop_batch(lambda batch, _initial: batches.append(batch), max_items=2)) == 2
    assert len(fifo.pop_batch(drop)) == 1
    assert [[kind for kind, _ in deltas] for deltas in batches[0]] == [["Added", "Updated"], ["Added"]]
    with pytest.raises(ValueError, match="Changed"):
        fifo.add_many([("Changed", obj("a"))])


def test_the_process_function_cannot_wait_for_itself() -> None:
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))

    def reenter(_deltas: object, _initial: bool) -> None:
        fifo.add(obj("b"))
        with pytest.raises(RuntimeError, match="own process function"):
            fifo.replace([])
        with pytest.raises(RuntimeError, match="own process function"):
            fifo.pop(drop)

    fifo.pop(reenter)
    assert len(fifo) == 1


def test_a_replace_waits_for_the_item_that_is_being_processed() -> None:
    known = Indexer[Obj]()
    fifo = DeltaFIFO[Obj](known_objects=known)
    fifo.add(obj("a"))
    entered, leave = threading.Event(), threading.Event()

    def process(deltas: list[tuple[str, Obj]], _initial: bool) -> None:
        entered.set()
        leave.wait(5)
        known.add(deltas[-1][1])

    consumer = threading.Thread(target=fifo.pop, args=(process,))
    consumer.start()
    assert entered.wait(5)
    producer = threading.Thread(target=fifo.replace, args=([],))
    producer.start()
    producer.join(0.1)
    assert producer.is_alive()
    leave.set()
    consumer.join(5)
    producer.join(5)
    ((kind, tombstone),) = fifo.pop(drop, timeout=1)
    assert (kind, tombstone.key) == ("Deleted", "a")


def test_wait_synced_blocks_until_the_first_list_is_processed() -> None:
    fifo = DeltaFIFO[Obj]()
    fifo.replace([obj("a")])
    begin = time.monotonic()
    assert fifo.wait_synced(timeout=0.05) is False
    assert time.monotonic() - begin >= 0.05
    fifo.pop(drop)
    assert fifo.wait_synced(timeout=5) is True


def test_a_forked_child_gets_forked_error() -> None:
    fifo = DeltaFIFO[Obj]()
    child = os.fork()
    if child == 0:
        try:
            fifo.add(obj("a"))
        except ForkedError:
            fresh = DeltaFIFO[Obj]()
            fresh.add(obj("a"))
            os._exit(len(fresh) - 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_known_objects_must_be_able_to_tell() -> None:
    with pytest.raises(TypeError, match="known_objects"):
        DeltaFIFO[Any](known_objects=[])  # type: ignore[arg-type]
