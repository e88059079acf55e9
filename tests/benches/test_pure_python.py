"""The pure-Python rival behaves as client-go's DeltaFIFO and ThreadSafeStore do: a fast rival that is wrong is none.

Invariant: each test names the statement (§) that it holds the rival to; the last two compare it with a plain model.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from benches.pure_python import (
    ADDED,
    DELETED,
    REPLACED,
    SYNC,
    UPDATED,
    DeletedFinalStateUnknown,
    DeltaFIFO,
    Deltas,
    FIFOClosedError,
    IndexedStore,
    meta_namespace_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

Pod = dict[str, Any]


def pod(name: str, version: int = 0, *, namespace: str = "default", labels: tuple[str, ...] = ()) -> Pod:
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": str(version)},
        "labels": list(labels),
    }


def by_namespace(obj: Pod) -> list[str]:
    return [obj["metadata"]["namespace"]]


def by_label(obj: Pod) -> list[str]:
    return list(obj["labels"])


class Known:
    """Known objects that a test sets by hand; `broken` makes every look-up fail."""

    def __init__(self, *pods: Pod, broken: bool = False) -> None:
        self.objects = {meta_namespace_key(p): p for p in pods}
        self.broken = broken

    def list_keys(self) -> list[str]:
        return list(self.objects)

    def get(self, key: str) -> Pod | None:
        if self.broken:
            raise RuntimeError("no look-up today")
        return self.objects.get(key)


class Popped:
    """Pops a queue and remembers what came out of it."""

    def __init__(self, fifo: DeltaFIFO[Any]) -> None:
        self.fifo = fifo
        self.seen: list[tuple[str, Deltas, bool]] = []

    def one(self) -> tuple[str, Deltas, bool]:
        self.fifo.pop(lambda key, deltas, initial: self.seen.append((key, deltas, initial)))
        return self.seen[-1]

    def all(self) -> list[tuple[str, Deltas]]:
        while len(self.fifo):
            self.one()
        return [(key, deltas) for key, deltas, _ in self.seen]

    def batch(self, size: int) -> tuple[list[str], bool]:
        taken: list[tuple[list[str], bool]] = []
        count = self.fifo.pop_batch(lambda batch, initial: taken.append(([key for key, _ in batch], initial)), size)
        assert count == len(taken[0][0])
        return taken[0]


def test_key_of_an_object_and_of_a_tombstone() -> None:
    """§1, §3."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    assert fifo.key_of(pod("a")) == "default/a"
    assert fifo.key_of({"metadata": {"name": "node-1"}}) == "node-1"
    assert fifo.key_of(DeletedFinalStateUnknown("else/where", pod("a"))) == "else/where"


def test_a_queued_key_collects_deltas_and_keeps_its_place() -> None:
    """§32."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    fifo.add(pod("a", 1))
    fifo.add(pod("b", 1))
    fifo.update(pod("a", 2))
    fifo.update_prepared("default/a", pod("a", 3))
    assert len(fifo) == 2
    assert Popped(fifo).all() == [
        ("default/a", [(ADDED, pod("a", 1)), (UPDATED, pod("a", 2)), (UPDATED, pod("a", 3))]),
        ("default/b", [(ADDED, pod("b", 1))]),
    ]


def test_a_popped_key_goes_to_the_back() -> None:
    """§33."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    fifo.add(pod("a"))
    fifo.add(pod("b"))
    popped = Popped(fifo)
    popped.one()
    fifo.update(pod("a", 2))
    assert [key for key, _ in popped.all()] == ["default/a", "default/b", "default/a"]


def test_two_deletes_merge_and_the_better_one_stays() -> None:
    """§34."""
    tombstone: DeletedFinalStateUnknown[Pod] = DeletedFinalStateUnknown("default/a", None)
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    fifo.add(pod("a", 1))
    fifo.delete(tombstone)
    fifo.delete(pod("a", 2))
    assert Popped(fifo).one()[1] == [(ADDED, pod("a", 1)), (DELETED, pod("a", 2))]
    fifo.add(pod("a", 1))
    fifo.delete(pod("a", 2))
    fifo.delete(tombstone)
    assert Popped(fifo).one()[1] == [(ADDED, pod("a", 1)), (DELETED, pod("a", 2))]


def test_updates_never_merge() -> None:
    """§34."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    for _ in range(3):
        fifo.update(pod("a", 1))
    assert [kind for kind, _ in Popped(fifo).one()[1]] == [UPDATED] * 3


def test_a_delete_of_an_unknown_key_is_dropped() -> None:
    """§35, and §42: it counts as population all the same."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(pod("known")))
    fifo.delete(pod("unknown"))
    assert len(fifo) == 0
    assert fifo.has_synced()
    fifo.delete(pod("known"))
    assert Popped(fifo).all() == [("default/known", [(DELETED, pod("known"))])]
    without: DeltaFIFO[Pod] = DeltaFIFO()
    without.delete(pod("known"))
    assert len(without) == 0


def test_a_delete_is_queued_when_the_lookup_fails() -> None:
    """§35."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(broken=True))
    fifo.delete(pod("a"))
    assert Popped(fifo).all() == [("default/a", [(DELETED, pod("a"))])]


@pytest.mark.parametrize(("emit", "expected"), [(True, REPLACED), (False, SYNC)])
def test_replace_delta_type(emit: bool, expected: str) -> None:
    """§36."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(emit_delta_type_replaced=emit)
    fifo.replace([pod("a")])
    assert Popped(fifo).one()[1] == [(expected, pod("a"))]


def test_replace_makes_deletions() -> None:
    """§37, §39: the new ones, then what is only queued, then what is only known."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(pod("known", 5), pod("kept", 5)))
    fifo.add(pod("queued", 1))
    fifo.update(pod("queued", 2))
    fifo.replace([pod("kept", 6), pod("new", 6)])
    assert Popped(fifo).all() == [
        (
            "default/queued",
            [
                (ADDED, pod("queued", 1)),
                (UPDATED, pod("queued", 2)),
                (DELETED, DeletedFinalStateUnknown("default/queued", pod("queued", 2))),
            ],
        ),
        ("default/kept", [(SYNC, pod("kept", 6))]),
        ("default/new", [(SYNC, pod("new", 6))]),
        ("default/known", [(DELETED, DeletedFinalStateUnknown("default/known", pod("known", 5)))]),
    ]


def test_replace_unwraps_a_queued_tombstone() -> None:
    """§37."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(pod("a", 1)))
    fifo.replace([])
    fifo.replace([])
    assert Popped(fifo).all() == [("default/a", [(DELETED, DeletedFinalStateUnknown("default/a", pod("a", 1)))])]


def test_replace_takes_the_last_state_from_the_queue_before_the_store() -> None:
    """§37: what is queued is newer than what is known, and one tombstone is enough."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(pod("a", 1)))
    fifo.update(pod("a", 2))
    fifo.replace([])
    tombstone = DeletedFinalStateUnknown("default/a", pod("a", 2))
    assert Popped(fifo).all() == [("default/a", [(UPDATED, pod("a", 2)), (DELETED, tombstone)])]


def test_replace_after_a_queued_delete_delivers_both() -> None:
    """§38."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(pod("a", 1)))
    fifo.delete(pod("a", 2))
    fifo.replace([pod("a", 3)])
    assert Popped(fifo).one()[1] == [(DELETED, pod("a", 2)), (SYNC, pod("a", 3))]


def test_replace_tombstone_without_state_when_the_lookup_fails() -> None:
    """§4."""
    known = Known(pod("a"))
    known.broken = True
    fifo: DeltaFIFO[Pod] = DeltaFIFO(known)
    fifo.replace([])
    assert Popped(fifo).all() == [("default/a", [(DELETED, DeletedFinalStateUnknown("default/a", None))])]


def test_resync_skips_what_is_queued() -> None:
    """§40."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(pod("idle"), pod("busy")))
    fifo.update(pod("busy", 2))
    fifo.resync()
    assert Popped(fifo).all() == [
        ("default/busy", [(UPDATED, pod("busy", 2))]),
        ("default/idle", [(SYNC, pod("idle"))]),
    ]
    without: DeltaFIFO[Pod] = DeltaFIFO()
    without.resync()
    assert len(without) == 0


def test_has_synced_counts_the_first_replace() -> None:
    """§41, §44: distinct keys and the tombstones it made; is_in_initial_list is true for the last one too."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO(Known(pod("gone")))
    assert not fifo.has_synced()
    fifo.replace([pod("a"), pod("a", 2), pod("b")])
    popped = Popped(fifo)
    for _ in range(3):
        assert not fifo.has_synced()
        assert popped.one()[2] is True
    assert fifo.has_synced()
    fifo.replace([pod("c")])
    assert fifo.has_synced()
    assert popped.one()[2] is False


def test_has_synced_at_once() -> None:
    """§42, §43."""
    empty: DeltaFIFO[Pod] = DeltaFIFO()
    empty.replace([])
    assert empty.has_synced()
    added: DeltaFIFO[Pod] = DeltaFIFO()
    added.add(pod("a"))
    assert added.has_synced()
    added.replace([pod("a"), pod("b")])
    assert added.has_synced()


def test_pop_batch_stops_at_the_end_of_the_initial_list() -> None:
    """§52 for batches: never across the boundary, and in line order however much is taken."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    fifo.replace([pod(name) for name in "abc"])
    fifo.update_many([pod(name) for name in "cde"])
    popped = Popped(fifo)
    assert popped.batch(2) == (["default/a", "default/b"], True)
    assert popped.batch(9) == (["default/c"], True)
    assert fifo.has_synced()
    assert popped.batch(9) == (["default/d", "default/e"], False)
    assert len(fifo) == 0


def test_a_whole_batch_leaves_the_queue_usable() -> None:
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    fifo.update_many([pod("a"), pod("b"), pod("a", 2)])
    popped = Popped(fifo)
    assert popped.batch(9) == (["default/a", "default/b"], False)
    fifo.update(pod("b", 3))
    assert popped.all() == [("default/b", [(UPDATED, pod("b", 3))])]


def test_prepared_batches_merge_like_single_updates() -> None:
    fifo: DeltaFIFO[Any] = DeltaFIFO(key_func=lambda prepared: prepared[0])
    first, second = ("k", ("v",), pod("a", 1)), ("k", ("v",), pod("a", 2))
    fifo.update_many_prepared([first, second])
    assert Popped(fifo).all() == [("k", [(UPDATED, first), (UPDATED, second)])]


@pytest.mark.parametrize("pop", ["pop", "pop_batch"])
def test_a_pop_waits_for_an_object(pop: str) -> None:
    """§45."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    ways: list[Callable[[], None]] = [
        lambda: fifo.add(pod("a")),
        lambda: fifo.update_prepared("default/a", pod("a")),
        lambda: fifo.update_many([pod("a")]),
    ]
    for enqueue in ways:
        seen: list[Any] = []
        thread = threading.Thread(
            target=getattr(fifo, pop), args=(lambda *args, seen=seen: seen.append(args),), daemon=True
        )
        thread.start()
        enqueue()
        thread.join(10)
        assert not thread.is_alive()
        assert len(seen) == 1


def test_close_ends_a_pop_that_waits() -> None:
    """§45: what is left can still be popped, and adding goes on."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    ended: list[bool] = []

    def wait() -> None:
        with pytest.raises(FIFOClosedError):
            fifo.pop(lambda *_: None)
        ended.append(True)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    fifo.close()
    thread.join(10)
    assert ended == [True]
    fifo.add(pod("a"))
    assert Popped(fifo).one()[0] == "default/a"
    with pytest.raises(FIFOClosedError):
        fifo.pop_batch(lambda *_: None)


def test_transformer_sees_objects_but_no_tombstones_and_no_resync() -> None:
    """§46."""
    seen: list[str] = []

    def transform(obj: Pod) -> Pod:
        if obj["metadata"]["name"] == "bad":
            raise RuntimeError("bad pod")
        seen.append(obj["metadata"]["name"])
        return {**obj, "transformed": True}

    known = Known(pod("gone"), pod("idle"))
    fifo: DeltaFIFO[Pod] = DeltaFIFO(known, transformer=transform)
    fifo.add(pod("a"))
    with pytest.raises(RuntimeError, match="bad pod"):
        fifo.update(pod("bad"))
    fifo.resync()
    assert seen == ["a"]
    fifo.replace([pod("b")])
    assert seen == ["a", "b"]
    assert all(key != "default/bad" for key, _ in Popped(fifo).all())


def test_a_process_error_is_raised_and_the_key_is_gone() -> None:
    """§47."""
    fifo: DeltaFIFO[Pod] = DeltaFIFO()
    fifo.add(pod("a"))

    def fail(*_: object) -> None:
        raise RuntimeError("handler")

    with pytest.raises(RuntimeError, match="handler"):
        fifo.pop(fail)
    assert len(fifo) == 0


def indexed(*pods: Pod) -> IndexedStore[Pod]:
    store: IndexedStore[Pod] = IndexedStore({"namespace": by_namespace, "label": by_label})
    for p in pods:
        store.add(meta_namespace_key(p), p)
    return store


def test_index_follows_updates_and_drops_empty_values() -> None:
    """§8, §12, §13, §14."""
    store = indexed(pod("a", labels=("x", "y", "x")), pod("b", labels=("x",)))
    assert store.index_keys("label", "x") == ["default/a", "default/b"]
    store.update("default/a", pod("a", 2, labels=("y", "z")))
    assert store.index_keys("label", "x") == ["default/b"]
    assert store.by_index("label", "z") == [pod("a", 2, labels=("y", "z"))]
    store.update("default/b", pod("b", 2))
    assert sorted(store.list_index_func_values("label")) == ["y", "z"]
    store.delete("default/a")
    assert store.list_index_func_values("label") == []
    assert store.index_keys("namespace", "default") == ["default/b"]


def test_the_store_gives_back_the_object_it_was_given() -> None:
    """§11."""
    mine = pod("a")
    store = indexed(mine)
    assert store.get("default/a") is mine
    assert store.list()[0] is mine
    assert store.by_index("namespace", "default")[0] is mine
    newer = pod("a", 2)
    assert store.update("default/a", newer) is mine
    assert store.delete("default/a") is newer
    assert store.delete("default/a") is None


def test_unknown_index_and_unknown_value() -> None:
    """§18, §19."""
    store = indexed(pod("a"))
    for ask in (store.by_index, store.index_keys):
        with pytest.raises(KeyError, match="Index with name nope does not exist"):
            ask("nope", "x")
        assert ask("label", "nope") == []
    with pytest.raises(KeyError, match="Index with name nope does not exist"):
        store.index("nope", pod("a"))
    assert store.list_index_func_values("nope") == []


def test_index_of_an_object_is_the_union_once() -> None:
    """§20."""
    both, one = pod("a", labels=("x", "y")), pod("b", labels=("y",))
    store = indexed(both, one)
    found = store.index("label", pod("z", labels=("x", "y")))
    assert sorted(p["metadata"]["name"] for p in found) == ["a", "b"]
    assert store.index("label", pod("z")) == []


def test_add_indexers_later() -> None:
    """§21."""
    store = indexed(pod("a", 7))
    store.add_indexers({"version": lambda p: [p["metadata"]["resourceVersion"]]})
    assert store.index_keys("version", "7") == ["default/a"]
    store.update("default/a", pod("a", 8))
    assert store.list_index_func_values("version") == ["8"]
    with pytest.raises(ValueError, match="label"):
        store.add_indexers({"fresh": by_label, "label": by_label})
    with pytest.raises(KeyError):
        store.index_keys("fresh", "x")


def test_replace_rebuilds_everything() -> None:
    """§22."""
    store = indexed(pod("a", labels=("x",)), pod("b"))
    store.replace({"default/b": pod("b", 2, labels=("y",))})
    assert store.list_keys() == ["default/b"]
    assert store.list_index_func_values("label") == ["y"]
    store.replace_prepared([("default/c", ("default", ("x", "y")), pod("c"))])
    assert store.list_keys() == ["default/c"]
    assert store.index_keys("label", "x") == store.index_keys("label", "y") == ["default/c"]


def test_a_failing_index_function_changes_nothing() -> None:
    before = pod("a", labels=("x",))
    store = indexed(before)
    with pytest.raises(KeyError):
        store.update("default/a", {"metadata": {"namespace": "default"}})
    assert store.get("default/a") is before
    assert store.index_keys("label", "x") == ["default/a"]


def test_wrong_number_of_prepared_values_changes_nothing() -> None:
    before = pod("a", labels=("x",))
    store = indexed(before)
    with pytest.raises(ValueError, match="default/a"):
        store.update_prepared("default/a", ("default",), pod("a", 2))
    assert store.get("default/a") is before
    assert store.index_keys("label", "x") == ["default/a"]


def test_apply_tells_old_and_new() -> None:
    """§63, §65: add or update is decided by the store, a delete is told even if nothing was there."""
    store = indexed(pod("a", 1))
    tombstone: DeletedFinalStateUnknown[Pod] = DeletedFinalStateUnknown("default/a", pod("a", 1))
    batch: list[tuple[str, Deltas]] = [
        ("default/a", [(ADDED, pod("a", 2)), (DELETED, tombstone)]),
        ("default/b", [(UPDATED, pod("b", 1, labels=("x",))), (SYNC, pod("b", 2, labels=("y",)))]),
        ("default/c", [(DELETED, pod("c"))]),
    ]
    assert store.apply(batch) == [
        (pod("a", 1), pod("a", 2)),
        (tombstone, None),
        (None, pod("b", 1, labels=("x",))),
        (pod("b", 1, labels=("x",)), pod("b", 2, labels=("y",))),
        (pod("c"), None),
    ]
    assert store.list_keys() == ["default/b"]
    assert store.list_index_func_values("label") == ["y"]


NAMES = st.sampled_from("abcd")
LABELS = st.lists(st.sampled_from("xyz"), max_size=3).map(tuple)
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("update"), NAMES, LABELS),
        st.tuples(st.just("delete"), NAMES, st.just(())),
    ),
    max_size=30,
)


def prepared_of(obj: Pod) -> tuple[str, tuple[Any, ...], Pod]:
    labels = tuple(dict.fromkeys(obj["labels"]))
    return (
        meta_namespace_key(obj),
        (obj["metadata"]["namespace"], labels[0] if len(labels) == 1 else labels),
        obj,
    )


@settings(max_examples=200, deadline=None)
@given(WRITES, st.booleans())
def test_store_and_indices_equal_a_model(writes: list[tuple[str, str, tuple[str, ...]]], prepared: bool) -> None:
    store = indexed()
    model: dict[str, Pod] = {}
    for version, (action, name, labels) in enumerate(writes):
        obj = pod(name, version, labels=labels)
        key = meta_namespace_key(obj)
        if action == "delete":
            assert store.delete(key) == model.pop(key, None)
            continue
        old = store.update_prepared(*prepared_of(obj)) if prepared else store.update(key, obj)
        assert old == model.get(key)
        model[key] = obj
        assert_equals_model(store, model)
    assert_equals_model(store, model)


def assert_equals_model(store: IndexedStore[Pod], model: dict[str, Pod]) -> None:
    expected: dict[str, set[str]] = defaultdict(set)
    for key, obj in model.items():
        for label in obj["labels"]:
            expected[label].add(key)
    assert {key: store.get(key) for key in store.list_keys()} == model
    assert {value: set(store.index_keys("label", value)) for value in store.list_index_func_values("label")} == expected


@settings(max_examples=200, deadline=None)
@given(WRITES, st.integers(1, 5))
def test_single_batched_and_prepared_paths_lead_to_the_same(
    writes: list[tuple[str, str, tuple[str, ...]]], size: int
) -> None:
    """Queue and store together: what comes out is the last write, whichever way it went."""
    single, batched, prepared = indexed(), indexed(), indexed()
    fifos: list[DeltaFIFO[Any]] = [
        DeltaFIFO(single),
        DeltaFIFO(batched),
        DeltaFIFO(prepared, key_func=lambda item: item[0]),
    ]
    model: dict[str, Pod] = {}
    for version, (action, name, labels) in enumerate(writes):
        obj = pod(name, version, labels=labels)
        key = meta_namespace_key(obj)
        for fifo, item in zip(fifos, (obj, obj, prepared_of(obj)), strict=True):
            if action == "delete":
                fifo.delete(item)
            else:
                fifo.update(item)
        if action == "delete":
            model.pop(key, None)
        else:
            model[key] = obj

    def process(key: str, deltas: Deltas, _: bool) -> None:
        for kind, obj in deltas:
            if kind is DELETED:
                single.delete(key)
            else:
                single.update(key, obj)

    while len(fifos[0]):
        fifos[0].pop(process)
    while len(fifos[1]):
        fifos[1].pop_batch(lambda batch, _: batched.apply(batch), size)
    while len(fifos[2]):
        fifos[2].pop_batch(lambda batch, _: prepared.apply_prepared(batch), size)
    for store in (single, batched, prepared):
        assert_equals_model(store, model)
