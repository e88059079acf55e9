"""Indexer and ThreadSafeStore on any Python objects (client-go §8-§22, §26; their errors and threads: other files)."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from store_support import KeyedStore, Thing, indexer, values_of

from kubeinformer import Error, IndexNotFoundError
from kubeinformer.cache import Indexer, Store, ThreadSafeStore

Make = Callable[..., Any]


def test_empty_store(make_store: Make) -> None:
    store = make_store({"values": values_of})
    assert (len(store), store.list(), store.list_keys(), store.list_index_func_values("values")) == (0, [], [], [])
    assert store.get_by_key("a") is None
    assert "a" not in store
    assert store.last_store_sync_resource_version() == ""
    assert store.index_errors() == {}


@pytest.mark.parametrize("method", ["add", "update"])
def test_s8_add_and_update_put_in_place_of_what_has_the_key(make_store: Make, method: str) -> None:
    store = make_store({"values": values_of})
    old, new = Thing("a", ["x"]), Thing("a", ["y"])
    getattr(store, method)(old)
    getattr(store, method)(new)
    assert store.list() == [new]
    assert store.list_keys() == ["a"]
    assert store.by_index("values", "x") == []
    assert store.by_index("values", "y") == [new]


def test_s10_keys_of_an_index_are_sorted(make_store: Make) -> None:
    store = make_store({"values": values_of})
    keys = ["b", "a", "c/d", "c", "B", "", "ä", "z"]
    for key in keys:
        store.add(Thing(key, ["x"]))
    assert store.index_keys("values", "x") == sorted(keys)
    assert sorted(store.list_keys()) == sorted(keys)


@pytest.mark.parametrize("obj", [5, "text", None, [1], {"a": 1}, object, float("nan")], ids=str)
def test_s11_any_object_comes_back_as_the_very_same(obj: Any) -> None:
    store: ThreadSafeStore[Any] = ThreadSafeStore({"all": lambda _: ["x"]})
    store.add("a", obj)
    assert store.get("a") is obj
    assert store.list()[0] is obj
    assert store.by_index("all", "x")[0] is obj
    assert store.index("all", obj)[0] is obj
    assert "a" in store


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


def test_s12_value_without_objects_is_gone(make_store: Make) -> None:
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x", "y"]))
    store.add(Thing("b", ["y"]))
    assert sorted(store.list_index_func_values("values")) == ["x", "y"]
    store.update(Thing("a", ["z"]))
    assert sorted(store.list_index_func_values("values")) == ["y", "z"]
    store.delete(Thing("b"))
    assert store.list_index_func_values("values") == ["z"]
    store.delete(Thing("a"))
    assert store.list_index_func_values("values") == []


def test_s13_value_with_objects_left_stays(make_store: Make) -> None:
    store = make_store({"values": values_of})
    things = [Thing(key, ["x"]) for key in "abc"]
    for thing in things:
        store.add(thing)
    store.delete(things[1])
    assert store.index_keys("values", "x") == ["a", "c"]


def test_s14_object_moves_between_all_its_old_and_new_values(make_store: Make) -> None:
    store = make_store({"values": values_of})
    steps = [["x", "y"], ["y", "z"], [], ["x", "x", "x"], ["z"]]
    for values in steps:
        thing = Thing("a", values)
        store.update(thing)
        for value in "xyz":
            assert store.by_index("values", value) == ([thing] if value in values else [])
        assert sorted(store.list_index_func_values("values")) == sorted(set(values))


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


def test_s15_object_changed_in_place_leaves_nothing_stale(make_store: Make) -> None:
    """Unlike in client-go, which asks the index function for the old values again."""
    store = make_store({"values": values_of})
    thing = Thing("a", ["old"])
    store.add(thing)
    thing.values = ["new"]
    store.update(thing)
    assert store.list_index_func_values("values") == ["new"]
    thing.values = ["newer"]
    store.delete(thing)
    assert store.list_index_func_values("values") == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.by_index("missing", "x"),
        lambda store: store.index_keys("missing", "x"),
        lambda store: store.index("missing", Thing("a")),
    ],
)
def test_s18_unknown_index_is_an_error(make_store: Make, ask: Callable[[Any], Any]) -> None:
    store = make_store({"values": values_of})
    with pytest.raises(IndexNotFoundError, match="missing") as caught:
        ask(store)
    assert isinstance(caught.value, Error)
    assert isinstance(caught.value, LookupError)
    assert store.list_index_func_values("missing") == []


def test_s19_unknown_value_has_no_objects(make_store: Make) -> None:
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x"]))
    assert store.by_index("values", "nothing") == []
    assert store.index_keys("values", "nothing") == []


def test_s20_objects_that_share_a_value_count_once(make_store: Make) -> None:
    store = make_store({"values": values_of})
    a, b, c = Thing("a", ["x", "y"]), Thing("b", ["y", "x"]), Thing("c", ["z"])
    for thing in (a, b, c):
        store.add(thing)
    shared = store.index("values", Thing("not stored", ["x", "y", "nothing"]))
    assert sorted(thing.key for thing in shared) == ["a", "b"]
    assert store.index("values", Thing("a", ["z"])) == [c]
    assert store.index("values", Thing("none")) == []


def test_s21_indexers_may_be_added_when_there_are_objects(make_store: Make) -> None:
    store = make_store({"values": values_of})
    a, b = Thing("a", ["x"]), Thing("b", ["y"])
    store.add(a)
    store.add(b)
    store.add_indexers({"key": lambda thing: [thing.key], "all": lambda _: ["all"]})
    assert store.by_index("key", "a") == [a]
    assert store.index_keys("all", "all") == ["a", "b"]
    assert store.by_index("values", "y") == [b]
    store.delete(a)
    assert store.index_keys("all", "all") == ["b"]


def test_s21_indexers_are_added_all_or_none(make_store: Make) -> None:
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x"]))
    with pytest.raises(ValueError, match="values"):
        store.add_indexers({"new": values_of, "values": values_of})
    assert list(store.get_indexers()) == ["values"]
    with pytest.raises(IndexNotFoundError):
        store.by_index("new", "x")
    store.add_indexers({"new": values_of})
    assert store.index_keys("new", "x") == ["a"]


def test_indexers_come_back_by_name(make_store: Make) -> None:
    store = make_store({"values": values_of})
    store.add_indexers({"other": str})
    assert store.get_indexers() == {"values": values_of, "other": str}


def test_s22_replace_holds_these_and_nothing_else(make_store: Make) -> None:
    store = make_store({"values": values_of})
    for key in "abc":
        store.add(Thing(key, ["old"]))
    things = [Thing("b", ["new"]), Thing("d", ["new"])]
    store.replace(things)
    assert sorted(store.list_keys()) == ["b", "d"]
    assert all(any(found is thing for found in store.list()) for thing in things)
    assert store.list_index_func_values("values") == ["new"]
    store.replace([])
    assert len(store) == 0
    assert store.list_index_func_values("values") == []


def test_s26_deleting_what_is_not_there_does_nothing(make_store: Make) -> None:
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x"]))
    store.delete(Thing("b", ["x"]))
    assert store.list_keys() == ["a"]
    assert store.index_keys("values", "x") == ["a"]


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
