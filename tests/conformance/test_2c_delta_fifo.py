"""2.C: DeltaFIFO, the queue that merges the deltas of a key."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from queue_support import PATIENCE, Obj, drop, known, obj, pop_all, story
from statements import differs

from kubeinformer import ClosedError
from kubeinformer.cache import DeletedFinalStateUnknown, DeltaFIFO


def tombstone(name: str, version: int | None = None) -> DeletedFinalStateUnknown:
    return DeletedFinalStateUnknown(name, None if version is None else obj(name, version))


def test_s32_a_queued_key_keeps_its_place_and_collects_its_deltas() -> None:
    """A key is in line once, however many deltas it has, and further ones do not move it."""
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.add(obj("b"))
    fifo.update(obj("a", 1))
    fifo.update(obj("a", 2))
    assert len(fifo) == 2
    assert story(fifo) == [["Added a 0", "Updated a 1", "Updated a 2"], ["Added b 0"]]
    assert len(fifo) == 0


def test_s33_a_popped_key_goes_to_the_back_of_the_line() -> None:
    """A key that comes again after its pop is behind those that were in line meanwhile."""
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.add(obj("b"))
    fifo.pop(drop, timeout=PATIENCE)
    fifo.update(obj("a", 1))
    fifo.update(obj("b", 1))
    assert story(fifo) == [["Added b 0", "Updated b 1"], ["Updated a 1"]]


@pytest.mark.parametrize(
    ("older", "newer", "kept"),
    [
        (obj("a", 2), obj("a", 3), "Deleted a 2"),
        (obj("a", 2), tombstone("a", 1), "Deleted a 2"),
        (tombstone("a", 1), obj("a", 3), "Deleted a 3"),
        (tombstone("a", 1), tombstone("a", 2), "Deleted ~a 2"),
    ],
    ids=["object-object", "object-tombstone", "tombstone-object", "tombstone-tombstone"],
)
def test_s34_of_two_deletions_the_older_is_kept_unless_it_is_a_tombstone(older: Any, newer: Any, kept: str) -> None:
    """Of two deletions in a row one is left: the older, or the newer if the older is a tombstone."""
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.delete(older)
    fifo.delete(newer)
    assert story(fifo) == [["Added a 0", kept]]


def test_s34_nothing_else_is_merged() -> None:
    """Equal updates stay apart, and so do deletions with something between them."""
    fifo = DeltaFIFO[Obj]()
    for _ in range(2):
        fifo.add(obj("a"))
        fifo.update(obj("a", 1))
        fifo.update(obj("a", 1))
        fifo.delete(obj("a", 1))
    assert story(fifo) == [["Added a 0", "Updated a 1", "Updated a 1", "Deleted a 1"] * 2]


class Failing:
    """Known objects that cannot be looked up."""

    def list_keys(self) -> list[str]:
        return []

    def get_by_key(self, key: str) -> Any:
        raise LookupError(key)


@pytest.mark.parametrize(
    ("known_objects", "queued"),
    [(None, []), (known(obj("other")), []), (known(obj("a")), [["Deleted a 1"]]), (Failing(), [["Deleted a 1"]])],
    ids=["nothing is known", "others are known", "it is known", "the look-up fails"],
)
def test_s35_deletion_of_what_is_neither_queued_nor_known_is_dropped(known_objects: Any, queued: list[Any]) -> None:
    """A deletion is dropped if its key is neither queued nor known, and queued if the look-up fails."""
    fifo = DeltaFIFO[Obj](known_objects=known_objects)
    fifo.delete(obj("a", 1))
    assert story(fifo) == queued
    fifo.add(obj("a"))
    fifo.delete(obj("a", 1))
    assert story(fifo) == [["Added a 0", "Deleted a 1"]]


@pytest.mark.parametrize("emit", [False, True])
def test_s36_what_is_listed_comes_as_sync_unless_replaced_is_asked_for(emit: bool) -> None:
    """What a list has comes as `Sync`, and as `Replaced` from a queue that was told to tell them apart."""
    fifo = DeltaFIFO[Obj](emit_delta_type_replaced=emit)
    fifo.replace([obj("a")])
    fifo.add(obj("b"))
    fifo.replace([obj("a", 1), obj("b", 1)])
    listed = "Replaced" if emit else "Sync"
    assert story(fifo) == [[f"{listed} a 0", f"{listed} a 1"], ["Added b 0", f"{listed} b 1"]]


def test_s37_replace_adds_what_is_listed_then_tombstones_of_the_queued_then_of_the_known() -> None:
    """A list's objects come first, then tombstones of queued keys, then of known keys that are not queued."""
    fifo = DeltaFIFO[Obj](known_objects=known(obj("known", 3), obj("queued", 3), obj("stays", 3)))
    fifo.add(obj("queued", 4))
    fifo.update(obj("queued", 5))
    fifo.replace([obj("stays", 6), obj("new", 6)])
    assert story(fifo) == [
        ["Added queued 4", "Updated queued 5", "Deleted ~queued 5"],
        ["Sync stays 6"],
        ["Sync new 6"],
        ["Deleted ~known 3"],
    ]


def test_s37_a_tombstone_never_has_a_tombstone_in_it() -> None:
    """If the newest that is queued of a missing key is a tombstone, the new one has that one's object."""
    last = obj("a", 2)
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.delete(DeletedFinalStateUnknown("a", last))
    fifo.replace([])
    ((_, (kind, deleted)),) = pop_all(fifo)
    assert (kind, deleted.key) == ("Deleted", "a")
    assert deleted.obj is last


def test_s37_the_tombstone_has_the_very_object_that_is_known() -> None:
    """The tombstone of a known key has the object that is known."""
    last = obj("gone", 3)
    fifo = DeltaFIFO[Obj](known_objects=known(last))
    fifo.replace([])
    ((kind, deleted),) = fifo.pop(drop, timeout=PATIENCE)
    assert (kind, deleted.key) == ("Deleted", "gone")
    assert deleted.obj is last


def test_s38_a_deleted_key_that_is_listed_comes_again() -> None:
    """A key whose last queued delta is a deletion, and which a list has, gets both."""
    fifo = DeltaFIFO[Obj](known_objects=known(obj("a")), emit_delta_type_replaced=True)
    fifo.delete(obj("a", 1))
    fifo.replace([obj("a", 2)])
    assert story(fifo) == [["Deleted a 1", "Replaced a 2"]]


def test_s39_what_was_only_queued_and_is_not_listed_is_added_and_deleted() -> None:
    """An object that came and went before anyone processed it is told as added and deleted, known or not."""
    fifo = DeltaFIFO[Obj](known_objects=known())
    fifo.add(obj("a"))
    fifo.replace([])
    assert story(fifo) == [["Added a 0", "Deleted ~a 0"]]


class Vanished:
    """Known objects of which one is gone, and one cannot be looked up, when they are asked for."""

    def list_keys(self) -> list[str]:
        return ["gone", "failing", "there"]

    def get_by_key(self, key: str) -> Any:
        if key == "failing":
            raise LookupError(key)
        return obj(key) if key == "there" else None


def test_s40_resync_queues_what_is_known_and_has_nothing_queued() -> None:
    """A resync queues a `Sync` of each known object, but of none that has anything queued or is not found."""
    fifo = DeltaFIFO[Obj](known_objects=known(obj("a"), obj("b"), obj("c")))
    fifo.update(obj("a", 1))
    fifo.delete(obj("b", 1))
    fifo.resync()
    fifo.resync()
    assert story(fifo) == [["Updated a 1"], ["Deleted b 1"], ["Sync c 0"]]
    raced = DeltaFIFO[Obj](known_objects=Vanished())
    raced.resync()
    assert story(raced) == [["Sync there 0"]]
    bare = DeltaFIFO[Obj]()
    bare.add(obj("a"))
    bare.pop(drop, timeout=PATIENCE)
    bare.resync()
    assert len(bare) == 0


def test_s41_the_first_list_is_its_distinct_keys_and_the_tombstones_that_it_makes() -> None:
    """The first list is through when its distinct keys and the deletions that it revealed are processed."""
    fifo = DeltaFIFO[Obj](known_objects=known(obj("gone"), obj("a")))
    fifo.replace([obj("a", 1), obj("a", 2), obj("b", 1)])
    fifo.add(obj("later"))
    initial: list[bool] = []
    synced: list[bool] = []
    while len(fifo):
        fifo.pop(lambda _deltas, flag: initial.append(flag), timeout=PATIENCE)
        synced.append(fifo.has_synced())
    assert initial == [True, True, True, False]
    assert synced == [False, False, True, True]


@pytest.mark.parametrize("event", ["add", "update", "delete"])
@pytest.mark.parametrize("held", [False, True], ids=["unknown", "known"])
def test_s42_an_event_before_the_first_list_makes_the_queue_synced(event: str, held: bool) -> None:
    """Any event before the first list makes the queue synced at once, also a deletion that is dropped."""
    fifo = DeltaFIFO[Obj](known_objects=known(obj("a")) if held else None)
    assert not fifo.has_synced()
    getattr(fifo, event)(obj("a", 1))
    assert fifo.has_synced()
    fifo.replace([obj("b")])
    assert fifo.has_synced()


def test_s43_an_empty_first_list_is_synced_without_a_pop() -> None:
    """An empty first list makes the queue synced at once if nothing is known, else after the tombstones."""
    fifo = DeltaFIFO[Obj](known_objects=known())
    fifo.replace([])
    assert fifo.has_synced()
    holding = DeltaFIFO[Obj](known_objects=known(obj("a")))
    holding.replace([])
    assert not holding.has_synced()
    holding.pop(drop, timeout=PATIENCE)
    assert holding.has_synced()


def test_s44_the_last_key_of_the_first_list_is_in_it() -> None:
    """Each key of the first list is processed as one of it, the last one too."""
    fifo = DeltaFIFO[Obj]()
    fifo.replace([obj("a"), obj("b")])
    fifo.add(obj("a", 1))
    fifo.add(obj("c"))
    initial: list[bool] = []
    for _ in range(3):
        fifo.pop(lambda _deltas, flag: initial.append(flag), timeout=PATIENCE)
    assert initial == [True, True, False]


@differs(
    "client-go closes the done channel just before it processes the last key of the first list, while HasSynced blocks "
    "until that is through; here neither blocks and both turn true after it, because who waits wants it processed"
)
def test_s44_synced_turns_true_when_the_last_key_is_processed() -> None:
    """While the last key of the first list is processed, the queue is not synced, and nobody blocks to learn that."""
    fifo = DeltaFIFO[Obj]()
    fifo.replace([obj("a")])
    seen: list[bool] = []
    fifo.pop(lambda *_: seen.extend([fifo.has_synced(), fifo.wait_synced(timeout=0)]), timeout=PATIENCE)
    assert seen == [False, False]
    assert fifo.has_synced()
    assert fifo.wait_synced(timeout=PATIENCE)


def test_s45_pop_blocks_until_an_item() -> None:
    """A pop waits until something is queued."""
    fifo = DeltaFIFO[Obj]()
    with pytest.raises(TimeoutError):
        fifo.pop(drop, timeout=0.05)
    popped: list[object] = []
    thread = threading.Thread(target=lambda: popped.append(fifo.pop(drop, timeout=PATIENCE)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    fifo.add(obj("a"))
    thread.join(PATIENCE)
    assert popped == [[("Added", obj("a"))]]


def test_s45_close_ends_a_blocked_pop_and_lets_the_rest_out() -> None:
    """Closing ends a pop that waits; what is queued then, or added later, is popped before ClosedError."""
    fifo = DeltaFIFO[Obj]()
    failures: list[BaseException] = []

    def pop_closed() -> None:
        try:
            fifo.pop(drop, timeout=PATIENCE)
        except (ClosedError, TimeoutError) as error:
            failures.append(error)

    thread = threading.Thread(target=pop_closed)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    fifo.close()
    thread.join(PATIENCE)
    assert [type(failure) for failure in failures] == [ClosedError]
    assert fifo.is_closed()
    fifo.add(obj("late"))
    fifo.update(obj("later"))
    assert story(fifo) == [["Added late 0"], ["Updated later 0"]]
    with pytest.raises(ClosedError):
        fifo.pop(drop, timeout=PATIENCE)


class Transformer:
    """Marks what it was asked about, and fails on objects called "bad"."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def __call__(self, item: Obj) -> Obj:
        self.asked.append((item["metadata"]["name"], item["version"]))
        if item["metadata"]["name"] == "bad":
            raise LookupError("bad object")
        return {**item, "version": item["version"] + 100}


def test_s46_the_transformer_runs_once_for_each_object_that_is_queued() -> None:
    """The transformer runs once for an object that is added, updated, deleted or listed, and its result is queued."""
    transform = Transformer()
    fifo = DeltaFIFO[Obj](known_objects=known(obj("b")), transformer=transform, emit_delta_type_replaced=True)
    fifo.add(obj("a", 1))
    fifo.update(obj("a", 2))
    fifo.delete(obj("a", 3))
    fifo.delete(obj("b", 4))
    fifo.replace([obj("a", 5), obj("b", 6)])
    assert transform.asked == [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("a", 5), ("b", 6)]
    assert story(fifo) == [
        ["Added a 101", "Updated a 102", "Deleted a 103", "Replaced a 105"],
        ["Deleted b 104", "Replaced b 106"],
    ]


def test_s46_the_transformer_never_sees_tombstones_or_a_resync() -> None:
    """Neither a tombstone, given or made by a list, nor a resync is transformed: their objects have been already."""
    transform = Transformer()
    fifo = DeltaFIFO[Obj](known_objects=known(obj("gone"), obj("given"), obj("stays")), transformer=transform)
    fifo.delete(tombstone("given", 7))
    fifo.resync()
    assert story(fifo) == [["Deleted ~given 7"], ["Sync gone 0"], ["Sync stays 0"]]
    fifo.replace([])
    assert sorted(popped[0] for popped in story(fifo)) == ["Deleted ~given 0", "Deleted ~gone 0", "Deleted ~stays 0"]
    assert transform.asked == []


@pytest.mark.parametrize("event", ["add", "update", "delete"])
def test_s46_what_the_transformer_raises_is_raised_and_nothing_is_queued(event: str) -> None:
    """What the transformer raises comes out of the call that brought the object, which is not queued."""
    fifo = DeltaFIFO[Obj](known_objects=known(obj("bad")), transformer=Transformer())
    with pytest.raises(LookupError, match="bad object"):
        getattr(fifo, event)(obj("bad"))
    assert len(fifo) == 0


@differs(
    "client-go has queued the objects before the one on which the transformer fails, and makes no deletions; here "
    "nothing of such a list is queued, because half a list is no state that the server ever had"
)
def test_s46_a_list_with_an_object_that_the_transformer_refuses_is_not_queued() -> None:
    """If the transformer raises for one object of a list, nothing of the list is queued."""
    fifo = DeltaFIFO[Obj](known_objects=known(obj("gone")), transformer=Transformer())
    with pytest.raises(LookupError, match="bad object"):
        fifo.replace([obj("a"), obj("bad"), obj("c")])
    assert len(fifo) == 0
    assert not fifo.has_synced()


def test_s47_what_process_raises_is_raised_and_the_item_is_gone() -> None:
    """What the process function raises comes out of the pop, and the deltas are not queued again."""
    fifo = DeltaFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.add(obj("b"))

    def fail(_deltas: object, _initial: bool) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        fifo.pop(fail, timeout=PATIENCE)
    assert story(fifo) == [["Added b 0"]]
