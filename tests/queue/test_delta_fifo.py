"""`DeltaFIFO` on any Python objects (client-go 2.C); the core's own tests prove the merging on random operations."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from kubeinformer import ClosedError, ForkedError, ObjectKeyError
from kubeinformer.cache import DeletedFinalStateUnknown, DeltaFIFO, Indexer

Obj = dict[str, Any]


def obj(name: str, version: int = 0) -> Obj:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "version": version}


def name_of(item: Obj) -> str:
    return item["metadata"]["name"]


def drop(_deltas: object, _initial: bool) -> None:
    """Process nothing."""


def pop_all(fifo: DeltaFIFO[Any]) -> list[list[tuple[str, Any]]]:
    popped: list[list[tuple[str, Any]]] = []
    while len(fifo):
        fifo.pop(lambda deltas, _initial: popped.append(deltas), timeout=1)
    return popped


def test_s32_s33_deltas_of_a_key_are_popped_together_and_a_requeued_key_keeps_its_place() -> None:
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.add(obj("b"))
    fifo.update(obj("a", 1))
    popped = pop_all(fifo)
    assert [[(kind, o["version"]) for kind, o in deltas] for deltas in popped] == [
        [("Added", 0), ("Updated", 1)],
        [("Added", 0)],
    ]
    fifo.add(obj("b"))
    fifo.add(obj("a"))
    assert [name_of(deltas[0][1]) for deltas in pop_all(fifo)] == ["b", "a"]


def test_objects_come_out_as_they_went_in() -> None:
    fifo = DeltaFIFO[Obj]()
    original = obj("a")
    fifo.add(original)
    assert fifo.pop(drop)[0][1] is original
    assert fifo.key_of(original) == "a"


def test_s34_only_consecutive_deletions_are_merged_and_the_one_with_a_state_is_kept() -> None:
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.update(obj("a", 1))
    fifo.delete(obj("a", 2))
    fifo.delete(DeletedFinalStateUnknown("a", obj("a", 1)))
    (deltas,) = pop_all(fifo)
    assert [(kind, o["version"]) for kind, o in deltas] == [("Added", 0), ("Updated", 1), ("Deleted", 2)]


def test_s35_delete_of_an_unknown_key_is_dropped() -> None:
    known = Indexer[Obj]()
    known.add(obj("known"))
    with_known = DeltaFIFO[Obj](known_objects=known)
    with_known.delete(obj("unknown"))
    assert len(with_known) == 0
    with_known.delete(obj("known"))
    assert [deltas[0][0] for deltas in pop_all(with_known)] == ["Deleted"]
    without = DeltaFIFO[Obj]()
    without.delete(obj("known"))
    assert len(without) == 0


@pytest.mark.parametrize("emit", [False, True])
def test_s36_s37_replace_adds_what_is_listed_then_tombstones_for_what_is_missing(emit: bool) -> None:
    known = Indexer[Obj]()
    known.add(obj("gone"))
    known.add(obj("stays"))
    fifo = DeltaFIFO[Obj](known_objects=known, emit_delta_type_replaced=emit)
    fifo.add(obj("queued"))
    fifo.replace([obj("stays", 1), obj("new", 1)], "5")
    popped = {
        name_of(o) if isinstance(o, dict) else o.key: [kind for kind, _ in deltas]
        for deltas in pop_all(fifo)
        for o in [deltas[-1][1]]
    }
    listed = "Replaced" if emit else "Sync"
    assert popped == {"queued": ["Added", "Deleted"], "stays": [listed], "new": [listed], "gone": ["Deleted"]}


def test_s37_the_tombstone_carries_the_last_known_state() -> None:
    known = Indexer[Obj]()
    last = obj("gone", 3)
    known.add(last)
    fifo = DeltaFIFO[Obj](known_objects=known)
    fifo.replace([])
    ((kind, tombstone),) = fifo.pop(drop)
    assert kind == "Deleted"
    assert isinstance(tombstone, DeletedFinalStateUnknown)
    assert tombstone.key == "gone"
    assert tombstone.obj is last


def test_s40_resync_queues_what_is_known_and_has_nothing_queued() -> None:
    known = Indexer[Obj]()
    known.add(obj("a"))
    known.add(obj("b"))
    fifo = DeltaFIFO[Obj](known_objects=known)
    fifo.update(obj("a", 1))
    fifo.resync()
    assert [[kind for kind, _ in deltas] for deltas in pop_all(fifo)] == [["Updated"], ["Sync"]]
    bare = DeltaFIFO[Obj]()
    bare.resync()
    assert len(bare) == 0


def test_s41_s43_s44_has_synced_and_is_in_initial_list() -> None:
    fifo = DeltaFIFO[Obj]()
    assert not fifo.has_synced()
    fifo.replace([obj("a"), obj("b")])
    initial: list[bool] = []
    for _ in range(2):
        assert not fifo.has_synced()
        fifo.pop(lambda _deltas, flag: initial.append(flag))
    assert fifo.has_synced()
    fifo.add(obj("c"))
    fifo.pop(lambda _deltas, flag: initial.append(flag))
    assert initial == [True, True, False]
    empty = DeltaFIFO[Obj]()
    empty.replace([])
    assert empty.has_synced()
    early = DeltaFIFO[Obj]()
    early.add(obj("a"))
    assert early.has_synced()


def test_s45_pop_blocks_until_an_item_or_close_and_close_lets_the_rest_out() -> None:
    fifo = DeltaFIFO[Obj]()
    with pytest.raises(TimeoutError):
        fifo.pop(drop, timeout=0.05)
    popped: list[object] = []
    thread = threading.Thread(target=lambda: popped.append(fifo.pop(drop)))
    thread.start()
    fifo.add(obj("a"))
    thread.join(5)
    assert len(popped) == 1
    failures: list[BaseException] = []

    def pop_closed() -> None:
        try:
            fifo.pop(drop)
        except ClosedError as error:
            failures.append(error)

    thread = threading.Thread(target=pop_closed)
    thread.start()
    fifo.close()
    thread.join(5)
    assert len(failures) == 1
    assert fifo.is_closed()
    fifo.add(obj("late"))
    assert len(fifo.pop(drop)) == 1
    with pytest.raises(ClosedError):
        fifo.pop(drop)


def test_s46_the_transformer_runs_once_an_object_and_never_on_tombstones_and_its_error_is_raised() -> None:
    def transform(item: Obj) -> Obj:
        if name_of(item) == "bad":
            raise LookupError("bad object")
        return {**item, "transformed": item.get("transformed", 0) + 1}

    known = Indexer[Obj]()
    known.add(obj("gone"))
    fifo = DeltaFIFO[Obj](known_objects=known, transformer=transform)
    fifo.add(obj("a"))
    fifo.replace([obj("a", 1)])
    with pytest.raises(LookupError, match="bad object"):
        fifo.update(obj("bad"))
    with pytest.raises(LookupError, match="bad object"):
        fifo.replace([obj("a", 2), obj("bad")])
    first, second = pop_all(fifo)
    assert [o["transformed"] for _, o in first] == [1, 1]
    assert "transformed" not in second[0][1].obj


def test_s47_an_error_of_process_is_raised_and_the_item_is_gone() -> None:
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))

    def fail(_deltas: object, _initial: bool) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        fifo.pop(fail)
    assert len(fifo) == 0
    fifo.add(obj("b"))
    assert len(fifo.pop(drop, timeout=1)) == 1


def test_pop_batch_takes_many_keys_and_add_many_many_events() -> None:
    fifo = DeltaFIFO[Obj]()
    fifo.add_many([("Added", obj("a")), ("Updated", obj("a", 1)), ("Added", obj("b")), ("Deleted", obj("c"))])
    batches: list[Any] = []
    assert len(fifo.pop_batch(lambda batch, _initial: batches.append(batch), max_items=2)) == 2
    assert len(fifo.pop_batch(drop)) == 1
    assert [[kind for kind, _ in deltas] for deltas in batches[0]] == [["Added", "Updated"], ["Added"]]
    with pytest.raises(ValueError, match="Changed"):
        fifo.add_many([("Changed", obj("a"))])


def test_s6_an_object_without_a_key_is_refused_and_named() -> None:
    fifo = DeltaFIFO[Any]()
    with pytest.raises(ObjectKeyError) as raised:
        fifo.add({"no": "metadata"})
    assert raised.value.obj == {"no": "metadata"}
    by_id = DeltaFIFO[Any](key_function=lambda item: item["id"])
    assert by_id.key_of({"id": "x"}) == "x"
    with pytest.raises(ObjectKeyError) as raised:
        by_id.add({"name": "x"})
    assert isinstance(raised.value.__cause__, KeyError)
    with pytest.raises(TypeError, match="known_objects"):
        DeltaFIFO[Any](known_objects=[])  # type: ignore[arg-type]


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
