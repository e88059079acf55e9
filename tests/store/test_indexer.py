"""Indexer and ThreadSafeStore on any Python objects, beyond the statements of `tests/conformance/test_2b_*.py`."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from store_support import KeyedStore, Thing, indexer, values_of

from kubeinformer.cache import Indexer, Store, ThreadSafeStore

Make = Callable[..., Any]


def test_empty_store(make_store: Make) -> None:
    store = make_store({"values": values_of})
    assert (len(store), store.list(), store.list_keys(), store.list_index_func_values("values")) == (0, [], [], [])
    assert store.get_by_key("a") is None
    assert "a" not in store
    assert store.last_store_sync_resource_version() == ""
    assert store.index_errors() == {}


def test_s11_store_frees_what_leaves_it(make_store: Make) -> None:
    def add(store: Any, key: str) -> weakref.ref[Thing]:
        made = Thing(key, ["x"])
        store.add(made)
        return weakref.ref(made)

    store = make_store({"values": values_of})
    updated, deleted, replaced = add(store, "a"), add(store, "b"), add(store, "c")
    assert None not in (updated(), deleted(), replaced())
    kept = add(store, "a")
    assert updated() is None
    store.delete(Thing("b"))
    assert deleted() is None
    store.replace([Thing("d")])
    assert (replaced(), kept()) == (None, None)
    last = add(store, "e")
    del store
    gc.collect()
    assert last() is None


@pytest.mark.parametrize("kind", [tuple, iter, set, dict.fromkeys, lambda values: (value for value in values)])
def test_s14_index_function_may_return_any_iterable_of_strings(make_store: Make, kind: Any) -> None:
    store = make_store({"values": lambda thing: kind(thing.values)})
    store.add(Thing("a", ["x", "y"]))
    assert store.index_keys("values", "x") == store.index_keys("values", "y") == ["a"]


def test_s14_index_function_may_return_none(make_store: Make) -> None:
    store = make_store({"values": lambda _: None})
    store.add(Thing("a"))
    assert store.list_index_func_values("values") == []
    assert store.index_errors() == {}


def test_indexers_come_back_by_name(make_store: Make) -> None:
    store = make_store({"values": values_of})
    store.add_indexers({"other": str})
    assert store.get_indexers() == {"values": values_of, "other": str}


def test_store_delete_takes_the_key_alone() -> None:
    store: ThreadSafeStore[Thing] = ThreadSafeStore()
    store.add("a", Thing("a"))
    store.delete("a")
    store.delete("a")
    assert len(store) == 0


def test_store_takes_any_text_as_a_key(make_store: Make) -> None:
    store = make_store()
    keys = ["", "ä/ö", "a" * 10_000, "nul\0", "\n", "a/b/c"]
    for key in keys:
        store.add(Thing(key))
    assert sorted(store.list_keys()) == sorted(keys)
    assert all(store.get_by_key(key).key == key for key in keys)


@pytest.mark.parametrize(
    ("use", "named"),
    [
        (lambda: Indexer(5), "key_func"),  # type: ignore[arg-type]
        (lambda: Indexer(str, [values_of]), "indexers"),  # type: ignore[arg-type]
        (lambda: ThreadSafeStore({"values": "spec.nodeName"}), "indexers"),  # type: ignore[arg-type]
        (lambda: ThreadSafeStore({5: values_of}), "indexers"),  # type: ignore[dict-item]
        (lambda: ThreadSafeStore().add(5, 5), "key"),  # type: ignore[arg-type]
        (lambda: ThreadSafeStore().replace([5]), "items"),  # type: ignore[arg-type]
        (lambda: Indexer().replace(5), "items"),  # type: ignore[arg-type]
        (lambda: Indexer().transaction(5), "changes"),  # type: ignore[arg-type]
    ],
)
def test_bad_argument_is_a_type_error_that_names_it(use: Callable[[], Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        use()


def test_stores_are_generic_and_store_is_an_indexer() -> None:
    assert Store is Indexer
    typed = Indexer[int](str)
    typed.add(5)
    assert typed.list() == [5]
    assert ThreadSafeStore[int]().list() == []
    indexer().resync()


def test_store_without_a_key_function_takes_kubernetes_objects() -> None:
    store: Indexer[dict[str, Any]] = Indexer()
    pod = {"metadata": {"name": "a", "namespace": "b"}}
    store.add(pod)
    assert store.get_by_key("b/a") is pod
    assert store.get({"metadata": {"name": "a", "namespace": "b"}}) is pod


def test_contains_takes_keys_only() -> None:
    for store in (indexer(), KeyedStore().store):
        with pytest.raises(TypeError):
            5 in store  # type: ignore[operator] # noqa: B015
