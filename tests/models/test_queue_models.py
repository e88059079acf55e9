"""`DeltaFIFO` and `RealFIFO` beside their models: what each pop gives, when they have synced, what a consumer knows."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from machines import run
from queue_models import Delta, DeltaFIFOModel, Known, RealFIFOModel
from queue_support import PATIENCE, Obj, key, obj

from kubeinformer import ClosedError
from kubeinformer.cache import BookmarkInfo, DeletedFinalStateUnknown, DeltaFIFO, RealFIFO, ReplacedAllInfo

NAMES = st.sampled_from("abcdef")
REFUSED = "refused"


def transform(item: Obj) -> Obj:
    if key(item) == REFUSED:
        raise LookupError(REFUSED)
    return {**item, "transformed": item.get("transformed", 0) + 1}


def said(delta: Delta) -> tuple[Any, ...]:
    """A delta as it can be compared: with the object itself, so that a transformer that ran twice is noticed."""
    kind, item = delta
    if isinstance(item, DeletedFinalStateUnknown):
        return kind, "tombstone", item.key, item.obj
    if isinstance(item, ReplacedAllInfo):
        return kind, item.resource_version, list(item.objects)
    return kind, item.resource_version if isinstance(item, BookmarkInfo) else item


class QueueMachine(RuleBasedStateMachine):
    """The queue with the model, a consumer, and the producer's `truth`: what the consumer must know in the end."""

    def __init__(self, queue: str, *, has_known: bool, transforms: bool, option: bool) -> None:
        super().__init__()
        self.known = Known()
        known = self.known if has_known else None
        transformer = transform if transforms else None
        self.transform = transform if transforms else dict
        self.fifo: Any
        self.model: DeltaFIFOModel | RealFIFOModel
        if queue == "DeltaFIFO":
            self.fifo = DeltaFIFO[Obj](None, known, emit_delta_type_replaced=option, transformer=transformer)
            self.model = DeltaFIFOModel(known, "Replaced" if option else "Sync")
        else:
            bookmarks = option and not has_known
            self.fifo = RealFIFO[Obj](None, known, emit_delta_type_bookmark=bookmarks, transformer=transformer)
            self.model = RealFIFOModel(known, bookmarks=bookmarks)
        self.has_known = has_known
        self.transforms = transforms
        self.truth: dict[str, Obj] = {}
        self.version = 0
        self.closed = False

    def new(self, name: str) -> Obj:
        self.version += 1
        return obj(name, self.version)

    @rule(name=NAMES, kind=st.sampled_from(["Added", "Updated"]))
    def put(self, name: str, kind: str) -> None:
        item = self.new(name)
        (self.fifo.add if kind == "Added" else self.fifo.update)(item)
        self.truth[name] = self.transform(item)
        self.model.event(kind, self.truth[name])
        self.compare()

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        item = self.new(name)
        self.fifo.delete(item)
        self.model.event("Deleted", self.transform(item))
        self.truth.pop(name, None)
        self.compare()

    @rule(name=NAMES, has_object=st.booleans())
    def delete_tombstone(self, name: str, has_object: bool) -> None:
        tombstone = DeletedFinalStateUnknown(name, self.new(name) if has_object else None)
        self.fifo.delete(tombstone)
        self.model.event("Deleted", tombstone)
        self.truth.pop(name, None)
        self.compare()

    @rule(changes=st.lists(st.tuples(st.sampled_from(["Added", "Updated", "Deleted"]), NAMES), max_size=6))
    def add_many(self, changes: list[tuple[str, str]]) -> None:
        items = [(kind, self.new(name)) for kind, name in changes]
        self.fifo.add_many(items)
        transformed = [(kind, self.transform(item)) for kind, item in items]
        self.model.events(transformed)
        for kind, item in transformed:
            self.truth.pop(key(item), None)
            if kind != "Deleted":
                self.truth[key(item)] = item
        self.compare()

    @rule(names=st.lists(NAMES, max_size=5))
    def replace(self, names: list[str]) -> None:
        items = [self.new(name) for name in names]
        self.fifo.replace(items, str(self.version))
        listed = [self.transform(item) for item in items]
        self.model.replace(listed, str(self.version))
        self.truth = {key(item): item for item in listed}
        self.compare()

    @precondition(lambda self: self.transforms)
    @rule(names=st.lists(NAMES, max_size=3), place=st.integers(0, 3))
    def refused(self, names: list[str], place: int) -> None:
        """§46, §57: what the transformer refuses is not queued, nor the list or events beside it."""
        items = [self.new(name) for name in names]
        bad = self.new(REFUSED)
        items.insert(place, bad)
        for call in (
            partial(self.fifo.add, bad),
            partial(self.fifo.delete, bad),
            partial(self.fifo.replace, items),
            partial(self.fifo.add_many, [("Updated", item) for item in items]),
        ):
            with pytest.raises(LookupError):
                call()
        self.compare()

    @rule()
    def resync(self) -> None:
        self.fifo.resync()
        self.model.resync()
        self.compare()

    @rule()
    def bookmark(self) -> None:
        if isinstance(self.fifo, RealFIFO):
            self.fifo.bookmark(str(self.version))
        self.model.bookmark(str(self.version))
        self.compare()

    @precondition(lambda self: self.has_known)
    @rule(name=NAMES)
    def lookups_fail(self, name: str) -> None:
        """§4, §35: of a known object that cannot be read."""
        self.known.broken ^= {name}

    @rule(most=st.one_of(st.integers(1, 4), st.just(1000)), batch=st.booleans(), fails=st.booleans())
    def pop(self, most: int, batch: bool, fails: bool) -> None:
        if not len(self.model):
            with pytest.raises(ClosedError if self.closed else TimeoutError):
                self.fifo.pop(lambda _popped, _initial: None, timeout=0)
            return
        count = self.model.next(most if batch else 1)
        synced = self.model.synced()
        expected: list[Any] = self.model.pop(count)
        seen: list[Any] = []

        def process(popped: Any, initial: bool) -> None:
            seen.append((popped if batch else [popped], initial))
            assert self.fifo.has_synced() == synced, "synced while the first list is processed (§44, §51)"
            for one in seen[0][0]:
                self.known.process(one if isinstance(one, list) else [one])
            if fails:
                raise ZeroDivisionError

        arguments = [process, most] if batch else [process]
        call = partial(self.fifo.pop_batch if batch else self.fifo.pop, *arguments, timeout=PATIENCE)
        if fails:
            with pytest.raises(ZeroDivisionError):
                call()  # §47: it is gone all the same
        else:
            assert call() is not None
        [(popped, initial)] = seen
        assert initial == (not synced), "is_in_initial_list (§44, §50)"
        shown = [[said(each) for each in one] if isinstance(one, list) else said(one) for one in popped]
        assert shown == [[said(each) for each in one] if isinstance(one, list) else said(one) for one in expected]
        self.compare()

    @precondition(lambda self: self.version > 20)
    @rule()
    def close(self) -> None:
        """§45: what is queued, now and later, can still be popped."""
        self.fifo.close()
        self.closed = True
        self.compare()

    def compare(self) -> None:
        assert len(self.fifo) == len(self.model)
        assert self.fifo.has_synced() == self.model.synced()
        assert self.fifo.is_closed() == self.closed

    def teardown(self) -> None:
        while len(self.model):
            self.pop(3, True, False)
        if self.has_known or not isinstance(self.fifo, DeltaFIFO):
            assert dict(self.known) == self.truth, "the consumer knows what the producer told (§39)"


@pytest.mark.parametrize("transforms", [False, True], ids=["", "transformer"])
@pytest.mark.parametrize("has_known", [False, True], ids=["", "known"])
@pytest.mark.parametrize("option", [False, True], ids=["", "option"])
@pytest.mark.parametrize("queue", ["DeltaFIFO", "RealFIFO"])
def test_queue_does_what_the_model_does(queue: str, has_known: bool, transforms: bool, option: bool) -> None:
    """Without known objects `RealFIFO` has atomic events. The option: type "Replaced", or bookmarks."""
    run(partial(QueueMachine, queue, has_known=has_known, transforms=transforms, option=option), examples=25, steps=30)
