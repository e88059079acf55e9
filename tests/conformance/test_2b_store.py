"""2.B, the objects of a store: writes, transactions, transformer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from statements import differs
from store_support import Thing, indexer, values_of

from kubeinformer import DeletedFinalStateUnknown, Error, ObjectKeyError, TransactionError
from kubeinformer.cache import Indexer, ThreadSafeStore

Make = Callable[..., Any]


@pytest.mark.parametrize("method", ["add", "update"])
def test_s8_add_and_update_put_in_place_of_what_has_the_key(make_store: Make, method: str) -> None:
    """Adding what is there already overwrites it, as an update does."""
    store = make_store({"values": values_of})
    old, new = Thing("a", ["x"]), Thing("a", ["y"])
    getattr(store, method)(old)
    getattr(store, method)(new)
    assert store.list() == [new]
    assert store.list_keys() == ["a"]
    assert store.by_index("values", "x") == []
    assert store.by_index("values", "y") == [new]


@pytest.mark.parametrize("obj", [5, "text", None, [1], {"a": 1}, object, float("nan")], ids=str)
def test_s11_any_object_comes_back_as_the_very_same(obj: Any) -> None:
    """A store gives back the very object that it was given, whatever it is."""
    store: ThreadSafeStore[Any] = ThreadSafeStore({"all": lambda _: ["x"]})
    store.add("a", obj)
    assert store.get("a") is obj
    assert store.list()[0] is obj
    assert store.by_index("all", "x")[0] is obj
    assert store.index("all", obj)[0] is obj
    assert "a" in store


def test_s22_replace_holds_these_and_nothing_else(make_store: Make) -> None:
    """After a replace the store and its indices hold what was given and nothing else."""
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
    """Deleting what is not there changes nothing and is no error."""
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x"]))
    store.delete(Thing("b", ["x"]))
    assert store.list_keys() == ["a"]
    assert store.index_keys("values", "x") == ["a"]


def test_s23_last_of_several_with_one_key_stays() -> None:
    """Of several objects with one key in a replace the last one stays."""
    store = indexer({"values": values_of})
    last = Thing("a", ["y"])
    store.replace([Thing("a", ["x"]), Thing("b"), last])
    assert store.get_by_key("a") is last
    assert len(store) == 2
    assert store.list_index_func_values("values") == ["y"]


def test_s23_replace_with_an_object_without_a_key_changes_nothing() -> None:
    """A replace in which one object has no key changes nothing."""
    store = indexer()
    kept = Thing("a", (), "1")
    store.add(kept)
    with pytest.raises(ObjectKeyError):
        store.replace([Thing("b"), object()], "9")
    assert (store.list(), store.last_store_sync_resource_version()) == ([kept], "1")


def test_s25_transaction_makes_all_changes_in_order() -> None:
    """A transaction makes its changes in their order."""
    store = indexer({"values": values_of})
    kept, last = Thing("b", ["x"]), Thing("c", ["y"])
    store.add(Thing("a", ["x"]))
    store.transaction(
        [
            ("Deleted", Thing("a")),
            ("Added", kept),
            ("Added", Thing("d", ["z"])),
            ("Replaced", Thing("c", ["z"])),
            ("Sync", last),
            ("Deleted", Thing("d")),
            ("Deleted", Thing("never there")),
        ]
    )
    assert sorted(store.list(), key=lambda thing: thing.key) == [kept, last]
    assert sorted(store.list_index_func_values("values")) == ["x", "y"]


def test_s25_changes_without_a_key_are_left_out_and_reported() -> None:
    """Changes without a key are left out and reported, and the places of the others are those in the input."""
    store = indexer()
    bad = [object(), object()]
    good = [("Added", Thing("a", (), "1")), ("Updated", Thing("b", (), "2"))]
    with pytest.raises(TransactionError, match="2 of 4 changes failed") as caught:
        store.transaction([("Added", bad[0]), *good, ("Deleted", bad[1])])
    error = caught.value
    assert isinstance(error, Error)
    assert error.successful_indices == [1, 2]
    assert [failure.obj for failure in error.errors if isinstance(failure, ObjectKeyError)] == bad
    assert "couldn't create key for object of type object" in str(error)
    assert sorted(store.list_keys()) == ["a", "b"]
    assert store.last_store_sync_resource_version() == "2"


def test_s25_transaction_of_which_nothing_has_a_key_changes_nothing() -> None:
    """A transaction of which nothing has a key changes nothing."""
    store = indexer()
    store.add(Thing("a", (), "1"))
    with pytest.raises(TransactionError) as caught:
        store.transaction([("Deleted", 5)])
    assert caught.value.successful_indices == []
    assert (store.list_keys(), store.last_store_sync_resource_version()) == (["a"], "1")


def test_s22_replace_asks_the_index_functions_about_every_object_again(make_store: Make) -> None:
    """A replace builds every index anew, also for objects that were in the store before."""
    asked: list[str] = []

    def values(thing: Thing) -> Any:
        asked.append(thing.key)
        return thing.values

    store = make_store({"values": values})
    kept, gone = Thing("a", ["old"]), Thing("b", ["old"])
    store.replace([kept, gone])
    asked.clear()
    kept.values = ["new"]
    store.replace([kept])
    assert asked == ["a"]
    assert store.list_index_func_values("values") == ["new"]
    assert store.index_keys("values", "new") == ["a"]


@differs(
    "client-go makes the caller's map its own, so that a later change of the map changes the store without its lock; "
    "here the objects are taken over, because no write may go past the lock"
)
def test_s22_the_dict_that_is_given_stays_the_callers() -> None:
    """Changing the dict after a replace does not change the store."""
    store: ThreadSafeStore[Any] = ThreadSafeStore()
    items = {"a": 1}
    store.replace(items)
    items["b"] = 2
    del items["a"]
    assert store.list_keys() == ["a"]
    store.delete("a")
    assert items == {"b": 2}


class Transformer:
    """Gives a thing of another key and version, and notes what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, thing: Thing) -> Thing:
        self.asked.append(thing)
        if "bad" in thing.values:
            raise LookupError("bad thing")
        return Thing(f"transformed {thing.key}", ["transformed"], f"1{thing.resource_version}")


def key_of(obj: Any) -> str:
    key: str = obj.key
    return key


@pytest.mark.parametrize("write", ["add", "update", "replace"])
def test_s24_key_is_that_from_before_the_transformer(write: str) -> None:
    """Add, update and replace store what the transformer gives under the key that the object had before it."""
    transformer = Transformer()
    store: Indexer[Any] = Indexer(key_of, {"values": values_of}, transformer=transformer)
    thing = Thing("a", ["x"], "5")
    if write == "replace":
        store.replace([thing], "7")
    else:
        getattr(store, write)(thing)
    assert transformer.asked == [thing]
    assert store.list_keys() == ["a"]
    assert store.get_by_key("a").key == "transformed a"
    assert store.list_index_func_values("values") == ["transformed"]
    assert store.last_store_sync_resource_version() == ("7" if write == "replace" else "15")
    store.delete(Thing("a"))
    assert (store.list_keys(), transformer.asked) == ([], [thing])


def test_s24_an_object_without_a_key_never_reaches_the_transformer() -> None:
    """The key comes first: an object without one is refused before the transformer sees it."""
    transformer = Transformer()
    store: Indexer[Any] = Indexer(key_of, transformer=transformer)
    for write in (store.add, store.update, lambda obj: store.replace([obj])):
        with pytest.raises(ObjectKeyError):
            write(object())
    assert transformer.asked == []


def test_s23_replace_of_which_the_transformer_refuses_one_changes_nothing() -> None:
    """A replace in which the transformer raises for one object raises that, and changes nothing."""
    store: Indexer[Any] = Indexer(key_of, transformer=Transformer())
    store.replace([Thing("a")], "1")
    for write in (store.add, store.update, lambda bad: store.replace([Thing("b"), bad, Thing("c")], "9")):
        with pytest.raises(LookupError, match="bad thing"):
            write(Thing("a", ["bad"], "9"))
    assert (store.list_keys(), store.last_store_sync_resource_version()) == (["a"], "1")
    assert store.get_by_key("a").key == "transformed a"


def test_s25_transaction_does_not_transform() -> None:
    """What a transaction stores is what it was given: the transformer is not called."""
    transformer = Transformer()
    store: Indexer[Any] = Indexer(key_of, transformer=transformer)
    things = [Thing(key, (), "1") for key in "abcd"]
    store.transaction(list(zip(["Added", "Updated", "Replaced", "Sync"], things, strict=True)))
    assert transformer.asked == []
    assert sorted(store.list(), key=key_of) == things


def test_s25_transaction_of_a_thread_safe_store_takes_keys() -> None:
    """A store whose caller gives the keys takes them in a transaction as well, in order."""
    store: ThreadSafeStore[Any] = ThreadSafeStore({"values": values_of})
    kept, last = Thing("b", ["x"]), Thing("c", ["y"])
    store.add("a", Thing("a", ["x"]))
    store.transaction(
        [
            ("Deleted", "a", DeletedFinalStateUnknown("a")),
            ("Added", "d", Thing("d", ["z"])),
            ("Replaced", "c", Thing("c", ["z"])),
            ("Updated", "b", kept),
            ("Deleted", "d", None),
            ("Deleted", "never there", None),
            ("Sync", "c", last),
        ]
    )
    assert sorted(store.list(), key=key_of) == [kept, last]
    assert sorted(store.list_index_func_values("values")) == ["x", "y"]
    with pytest.raises(ValueError, match=r"changes\[1\].*Bookmark"):
        store.transaction([("Deleted", "b", None), ("Bookmark", "c", None)])
    assert sorted(store.list_keys()) == ["b", "c"]
