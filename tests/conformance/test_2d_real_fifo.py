"""2.D: RealFIFO, the queue that keeps every delta in order."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
from queue_support import PATIENCE, Obj, drop, key, known, obj, pop_all, story
from statements import differs

from kubeinformer import ClosedError, ObjectKeyError
from kubeinformer.cache import BookmarkInfo, DeletedFinalStateUnknown, RealFIFO, ReplacedAllInfo, SyncAllInfo


def batches(fifo: RealFIFO[Any], max_items: int = 1000) -> list[tuple[list[str], bool]]:
    """What each batch has, as type and key, and whether it is of the first list; atomic events have no key."""

    def text(delta: tuple[str, Any]) -> str:
        kind, item = delta
        return kind if kind in ("ReplacedAll", "SyncAll", "Bookmark") else f"{kind} {key(item)}"

    popped: list[tuple[list[str], bool]] = []
    while len(fifo):
        fifo.pop_batch(
            lambda batch, initial: popped.append((list(map(text, batch)), initial)), max_items, timeout=PATIENCE
        )
    return popped


def transform(item: Obj) -> Obj:
    if key(item) == "bad":
        raise LookupError("bad object")
    return {**item, "version": item["version"] + 100}


def test_s48_every_event_is_a_delta_of_its_own_in_order() -> None:
    """Deltas come one by one in the order of their events; none is merged, and no deletion is dropped."""
    fifo = RealFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.add(obj("b"))
    fifo.update(obj("a", 1))
    fifo.delete(obj("unknown"))
    fifo.delete(obj("unknown"))
    fifo.delete(DeletedFinalStateUnknown("unknown"))
    fifo.add(obj("a", 2))
    assert len(fifo) == 7
    assert story(fifo) == [
        "Added a 0",
        "Added b 0",
        "Updated a 1",
        "Deleted unknown 0",
        "Deleted unknown 0",
        "Deleted ~unknown",
        "Added a 2",
    ]


def test_s49_replace_that_is_not_atomic_deletes_first_then_lists() -> None:
    """A list that is not atomic gives tombstones of the queued, then of the known, then each of its objects."""
    fifo = RealFIFO[Obj](known_objects=known(obj("gone", 3), obj("stays", 3), obj("queued", 3), obj("deleted", 3)))
    fifo.add(obj("queued", 4))
    fifo.update(obj("queued", 5))
    fifo.delete(obj("deleted", 4))
    fifo.delete(obj("back", 4))
    fifo.add(obj("back", 5))
    before = len(fifo)
    fifo.replace([obj("stays", 6), obj("new", 6), obj("new", 7)])
    told = story(fifo)[before:]
    assert sorted(told[:2]) == ["Deleted ~back 5", "Deleted ~queued 5"]
    assert told[2:] == ["Deleted ~gone 3", "Replaced stays 6", "Replaced new 6", "Replaced new 7"]


def test_s49_a_tombstone_never_has_a_tombstone_in_it() -> None:
    """A key whose last delta is a deletion, by a tombstone or not, gets no second one from a list."""
    fifo = RealFIFO[Obj](known_objects=known(obj("a", 1)))
    fifo.delete(DeletedFinalStateUnknown("a", obj("a", 1)))
    fifo.replace([])
    assert story(fifo) == ["Deleted ~a 1"]


def test_s50_first_list_is_all_that_is_queued_after_the_first_replace() -> None:
    """Every delta that is queued when the first replace ends is of the first list, one of a resync before it too."""
    fifo = RealFIFO[Obj](known_objects=known(obj("a"), obj("b")))
    fifo.resync()
    fifo.replace([obj("a", 1), obj("a", 2)])
    fifo.add(obj("c"))
    initial: list[bool] = []
    synced: list[bool] = []
    told: list[str] = []
    while len(fifo):
        kind, _ = fifo.pop(lambda _delta, flag: initial.append(flag), timeout=PATIENCE)
        told.append(kind)
        synced.append(fifo.has_synced())
    assert told == ["Sync", "Sync", "Deleted", "Replaced", "Replaced", "Added"]
    assert initial == [True] * 5 + [False]
    assert synced == [False] * 4 + [True] * 2


@pytest.mark.parametrize("pop", ["pop", "pop_batch"])
@pytest.mark.parametrize("atomic", [True, False])
def test_s51_synced_turns_true_when_the_processing_of_the_first_list_returns(pop: str, atomic: bool) -> None:
    """While the last delta of the first list is processed the queue is not synced, and after it, it is."""
    fifo = RealFIFO[Obj](known_objects=None if atomic else known())
    fifo.replace([obj("a")], "7")
    seen: list[bool] = []

    def process(_popped: object, initial: bool) -> None:
        seen.extend([initial, fifo.has_synced(), fifo.wait_synced(timeout=0)])

    getattr(fifo, pop)(process, timeout=PATIENCE)
    assert seen == [True, False, False]
    assert fifo.has_synced()
    assert fifo.wait_synced(timeout=PATIENCE)


def test_s51_synced_turns_true_also_if_the_processing_fails() -> None:
    """A process function that raises on the last delta of the first list has processed it."""
    fifo = RealFIFO[Obj]()
    fifo.replace([])

    def fail(_delta: object, _initial: bool) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        fifo.pop(fail, timeout=PATIENCE)
    assert fifo.has_synced()


def test_s52_a_batch_is_a_prefix_of_distinct_keys() -> None:
    """A batch takes deltas in order, as many as it may, and ends before a key that is in it already."""
    fifo = RealFIFO[Obj]()
    fifo.add_many([("Added", obj(name)) for name in "abacde"])
    fifo.delete(DeletedFinalStateUnknown("e"))
    assert [batch for batch, _ in batches(fifo, 3)] == [
        ["Added a", "Added b"],
        ["Added a", "Added c", "Added d"],
        ["Added e"],
        ["Deleted e"],
    ]


def test_s52_a_batch_ends_with_the_first_list() -> None:
    """No batch has the last delta of the first list and one that came later."""
    fifo = RealFIFO[Obj](known_objects=known())
    fifo.replace([obj("a"), obj("b"), obj("c")])
    fifo.add(obj("d"))
    fifo.add(obj("e"))
    assert batches(fifo) == [
        (["Replaced a", "Replaced b", "Replaced c"], True),
        (["Added d", "Added e"], False),
    ]


@differs(
    "client-go hands a batch of one to its function for single deltas; here pop_batch has one function, which always "
    "gets a list, because a handler of lists needs no second one"
)
def test_s53_a_batch_of_one_is_a_list_of_one() -> None:
    """A batch of one delta is a list of one, to the process function and as the result."""
    fifo = RealFIFO[Obj]()
    fifo.add(obj("a"))
    given: list[Any] = []
    result = fifo.pop_batch(lambda batch, _: given.append(batch), timeout=PATIENCE)
    assert given == [[("Added", obj("a"))]]
    assert result == given[0]


def test_s54_what_concerns_all_objects_comes_alone() -> None:
    """A list, a resync and a bookmark of the atomic mode are each a batch of their own."""
    fifo = RealFIFO[Obj](emit_delta_type_bookmark=True)
    fifo.add(obj("a"))
    fifo.replace([obj("b")], "2")
    fifo.add(obj("b"))
    fifo.resync()
    fifo.resync()
    fifo.add(obj("c"))
    fifo.bookmark("3")
    fifo.add(obj("d"))
    assert [batch for batch, _ in batches(fifo)] == [
        ["Added a"],
        ["ReplacedAll"],
        ["Added b"],
        ["SyncAll"],
        ["SyncAll"],
        ["Added c"],
        ["Bookmark"],
        ["Added d"],
    ]


@differs(
    "client-go queues an object without a key, and a batch ends behind it; here it is refused when it comes, because "
    "the producer knows what to do about it and the consumer does not"
)
@pytest.mark.parametrize("event", ["add", "update", "delete"])
def test_s55_an_object_without_a_key_is_refused_when_it_comes(event: str) -> None:
    """An object without a key never gets into the queue, and breaks no batch."""
    fifo = RealFIFO[Any]()
    fifo.add(obj("a"))
    with pytest.raises(ObjectKeyError):
        getattr(fifo, event)({"no": "metadata"})
    with pytest.raises(ObjectKeyError):
        fifo.add_many([("Added", obj("b")), ("Added", {"no": "metadata"})])
    with pytest.raises(ObjectKeyError):
        fifo.replace([obj("b"), {"no": "metadata"}])
    fifo.add(obj("c"))
    assert batches(fifo) == [(["Added a", "Added c"], False)]


class Thing:
    """What a weak reference can refer to."""

    def __init__(self, name: str) -> None:
        self.metadata = {"name": name}


@pytest.mark.parametrize("atomic", [True, False])
def test_s56_a_popped_object_is_let_go(atomic: bool) -> None:
    """An object that was popped is freed when its consumer lets it go, while others are still queued."""
    fifo = RealFIFO[Any](known_objects=None if atomic else known())
    things = [Thing("listed"), Thing("added"), Thing("batched"), Thing("last")]
    gone = [weakref.ref(thing) for thing in things]
    fifo.replace(things[:1])
    for thing in things[1:]:
        fifo.add(thing)
    things.clear()
    del thing
    fifo.pop(drop, timeout=PATIENCE)
    fifo.pop_batch(drop, 2, timeout=PATIENCE)
    gc.collect()
    assert len(fifo) == 1
    assert [reference() is None for reference in gone] == [True, True, True, False]


def test_s57_an_atomic_list_is_one_delta_of_the_transformed_objects() -> None:
    """An atomic list is one delta with all of its objects, transformed and in order, and its version."""
    fifo = RealFIFO[Obj](transformer=transform)
    fifo.add(obj("gone"))
    fifo.replace([obj("b", 1), obj("a", 2), obj("a", 3)], "5")
    assert len(fifo) == 2
    _, (kind, info) = pop_all(fifo)
    assert (kind, info.resource_version) == ("ReplacedAll", "5")
    assert [(key(item), item["version"]) for item in info.objects] == [("b", 101), ("a", 102), ("a", 103)]


@pytest.mark.parametrize("atomic", [True, False])
def test_s57_if_the_transformer_refuses_one_object_nothing_of_the_list_is_queued(atomic: bool) -> None:
    """If the transformer raises for one object of a list, that is raised and nothing of the list is queued."""
    fifo = RealFIFO[Obj](known_objects=None if atomic else known(obj("gone")), transformer=transform)
    with pytest.raises(LookupError, match="bad object"):
        fifo.replace([obj("a"), obj("bad"), obj("c")], "5")
    assert len(fifo) == 0
    assert not fifo.has_synced()


def test_s58_an_atomic_resync_is_one_delta_whatever_is_queued() -> None:
    """Each atomic resync is one delta behind what is queued, and says nothing of single objects."""
    fifo = RealFIFO[Obj]()
    fifo.resync()
    fifo.add(obj("a"))
    fifo.resync()
    fifo.resync()
    assert [delta for delta in pop_all(fifo) if delta[0] != "Added"] == [("SyncAll", SyncAllInfo())] * 3


def test_s59_an_empty_atomic_first_list_is_synced_when_it_is_processed() -> None:
    """An empty first list is a delta in the atomic mode, and the queue is synced when that is processed."""
    fifo = RealFIFO[Obj]()
    fifo.replace([], "5")
    assert len(fifo) == 1
    assert not fifo.has_synced()
    seen: list[tuple[Any, bool]] = []
    fifo.pop(lambda delta, initial: seen.append((delta, initial)), timeout=PATIENCE)
    assert seen == [(("ReplacedAll", ReplacedAllInfo("5", [])), True)]
    assert fifo.has_synced()


def test_s60_bookmarks_are_queued_only_if_asked_for() -> None:
    """A bookmark is queued by a queue that was told so, and by no other."""
    asked = RealFIFO[Obj](emit_delta_type_bookmark=True)
    asked.bookmark("6")
    assert pop_all(asked) == [("Bookmark", BookmarkInfo("6"))]
    for silent in (RealFIFO[Obj](), RealFIFO[Obj](known_objects=known())):
        silent.bookmark("6")
        assert len(silent) == 0


def test_s60_a_bookmark_is_no_event_before_the_first_list() -> None:
    """A bookmark does not make a queue synced, neither when it is queued nor when it is processed."""
    fifo = RealFIFO[Obj](emit_delta_type_bookmark=True)
    fifo.bookmark("6")
    assert not fifo.has_synced()
    fifo.pop(drop, timeout=PATIENCE)
    assert not fifo.has_synced()
    fifo.replace([obj("a")], "7")
    assert not fifo.has_synced()
    fifo.pop(drop, timeout=PATIENCE)
    assert fifo.has_synced()


@pytest.mark.parametrize(
    "options",
    [
        {"known_objects": known(), "atomic_events": True},
        {"atomic_events": False},
        {"known_objects": known(), "emit_delta_type_bookmark": True},
        {"known_objects": known(), "atomic_events": False, "emit_delta_type_bookmark": True},
    ],
    ids=["atomic, with known objects", "not atomic, without", "bookmarks, not atomic", "the same, said"],
)
def test_s61_options_that_exclude_each_other_are_refused(options: dict[str, Any]) -> None:
    """Options that exclude each other are a ValueError: the atomic mode without known objects, the other with them."""
    with pytest.raises(ValueError, match="atomic_events"):
        RealFIFO[Obj](**options)


class Consumer:
    """Pops one delta on a thread of its own and processes it until `leave`."""

    def __init__(self, fifo: RealFIFO[Obj]) -> None:
        self.entered, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=fifo.pop, args=(self._process,), kwargs={"timeout": PATIENCE})
        self._thread.start()

    def _process(self, _delta: object, _initial: bool) -> None:
        self.entered.set()
        assert self._leave.wait(PATIENCE)

    def leave(self) -> None:
        self._leave.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@differs(
    "client-go holds the queue's lock while it processes, in the atomic mode only once 2,000 deltas wait; here no lock "
    "is held and producers never block, because an informer's reader is held back by bytes, where the memory is"
)
@pytest.mark.parametrize("atomic", [True, False])
def test_s62_producers_go_on_while_a_delta_is_processed(atomic: bool) -> None:
    """Events, and lists of the atomic mode, are queued while a delta is processed, however many wait."""
    fifo = RealFIFO[Obj](known_objects=None if atomic else known(), emit_delta_type_bookmark=atomic)
    fifo.add(obj("first"))
    consumer = Consumer(fifo)
    assert consumer.entered.wait(PATIENCE)
    produced: list[int] = []

    def produce() -> None:
        for number in range(2500):
            fifo.add(obj(f"o{number}"))
        if atomic:
            fifo.replace([])
            fifo.resync()
            fifo.bookmark("1")
        produced.append(len(fifo))

    producer = threading.Thread(target=produce)
    producer.start()
    producer.join(PATIENCE)
    assert produced == [2503 if atomic else 2500]
    consumer.leave()


def test_s62_a_comparison_with_the_known_objects_waits_for_the_end_of_processing() -> None:
    """A list or resync that is not atomic waits for the delta being processed, since it compares with the result."""
    for compare in (lambda fifo: fifo.replace([]), lambda fifo: fifo.resync()):
        fifo = RealFIFO[Obj](known_objects=known())
        fifo.add(obj("a"))
        consumer = Consumer(fifo)
        assert consumer.entered.wait(PATIENCE)
        producer = threading.Thread(target=compare, args=(fifo,))
        producer.start()
        producer.join(0.05)
        assert producer.is_alive()
        consumer.leave()
        producer.join(PATIENCE)
        assert not producer.is_alive()


def test_s62_one_consumer_at_a_time() -> None:
    """A second consumer gets nothing while the first one processes."""
    fifo = RealFIFO[Obj]()
    fifo.add(obj("a"))
    fifo.add(obj("b"))
    consumer = Consumer(fifo)
    assert consumer.entered.wait(PATIENCE)
    with pytest.raises(TimeoutError):
        fifo.pop(drop, timeout=0.05)
    consumer.leave()
    assert fifo.pop(drop, timeout=PATIENCE)[1] == obj("b")
    fifo.close()
    with pytest.raises(ClosedError):
        fifo.pop(drop, timeout=PATIENCE)
