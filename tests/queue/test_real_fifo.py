"""`RealFIFO` on any Python objects (client-go 2.D)."""

from __future__ import annotations

from typing import Any

import pytest

from kubeinformer.cache import (
    BookmarkInfo,
    DeletedFinalStateUnknown,
    Indexer,
    RealFIFO,
    ReplacedAllInfo,
    SyncAllInfo,
)

Obj = dict[str, Any]


def obj(name: str, version: int = 0) -> Obj:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "version": version}


def key(item: Any) -> str:
    return item.key if isinstance(item, DeletedFinalStateUnknown) else item["metadata"]["name"]


def pop_all(fifo: RealFIFO[Any]) -> list[tuple[str, Any]]:
    popped: list[tuple[str, Any]] = []
    while len(fifo):
        fifo.pop(lambda delta, _initial: popped.append(delta), timeout=1)
    return popped


def test_s48_every_event_is_its_own_delta_in_order() -> None:
    fifo = RealFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.add(obj("b"))
    fifo.update(obj("a", 1))
    fifo.delete(obj("unknown"))
    assert [(kind, key(o)) for kind, o in pop_all(fifo)] == [
        ("Added", "a"),
        ("Added", "b"),
        ("Updated", "a"),
        ("Deleted", "unknown"),
    ]


def test_s49_replace_that_is_not_atomic_deletes_first_then_lists() -> None:
    known = Indexer[Obj]()
    known.add(obj("gone"))
    known.add(obj("stays"))
    fifo = RealFIFO[Obj](known_objects=known)
    fifo.add(obj("queued"))
    fifo.replace([obj("stays", 1), obj("new")])
    assert [(kind, key(o)) for kind, o in pop_all(fifo)] == [
        ("Added", "queued"),
        ("Deleted", "queued"),
        ("Deleted", "gone"),
        ("Replaced", "stays"),
        ("Replaced", "new"),
    ]


def test_s51_has_synced_after_the_processing_of_the_last_initial_delta() -> None:
    fifo = RealFIFO[Obj]()
    fifo.replace([obj("a")], "7")
    seen: list[tuple[bool, bool]] = []
    fifo.pop(lambda _delta, initial: seen.append((initial, fifo.has_synced())))
    assert seen == [(True, False)]
    assert fifo.has_synced()


def test_s52_s54_a_batch_has_each_key_once_and_no_atomic_event() -> None:
    fifo = RealFIFO[Obj](emit_delta_type_bookmark=True)
    fifo.replace([])
    fifo.add_many([("Added", obj("a")), ("Added", obj("b")), ("Updated", obj("a", 1))])
    fifo.bookmark("9")
    fifo.add(obj("c"))
    batches: list[list[str]] = []
    while len(fifo):
        fifo.pop_batch(lambda batch, _initial: batches.append([kind for kind, _ in batch]), timeout=1)
    assert batches == [["ReplacedAll"], ["Added", "Added"], ["Updated"], ["Bookmark"], ["Added"]]


def test_s57_s58_s60_atomic_events_carry_their_infos() -> None:
    fifo = RealFIFO[Obj](emit_delta_type_bookmark=True)
    first = obj("a")
    fifo.replace([first], "5")
    fifo.resync()
    fifo.bookmark("6")
    replaced, synced, bookmark = pop_all(fifo)
    assert replaced == ("ReplacedAll", ReplacedAllInfo("5", [first]))
    assert replaced[1].objects[0] is first
    assert synced == ("SyncAll", SyncAllInfo())
    assert bookmark == ("Bookmark", BookmarkInfo("6"))
    quiet = RealFIFO[Obj]()
    quiet.bookmark("6")
    assert len(quiet) == 0


def test_s57_a_transformer_that_fails_on_one_object_queues_nothing_of_the_list() -> None:
    def transform(item: Obj) -> Obj:
        if key(item) == "bad":
            raise LookupError("bad")
        return item

    fifo = RealFIFO[Obj](transformer=transform)
    with pytest.raises(LookupError):
        fifo.replace([obj("a"), obj("bad")])
    assert len(fifo) == 0


def test_s61_options_that_conflict_are_refused() -> None:
    known = Indexer[Obj]()
    for options in (
        {"known_objects": known, "atomic_events": True},
        {"atomic_events": False},
        {"known_objects": known, "emit_delta_type_bookmark": True},
    ):
        with pytest.raises(ValueError, match="atomic_events"):
            RealFIFO[Obj](**options)  # type: ignore[arg-type]
