"""The store's resourceVersion and transactions (client-go §23, §25, §27-§30)."""

from __future__ import annotations

import pickle
from typing import Any

import orjson
import pytest
from kubernetes import client
from store_support import Thing, indexer, values_of

from kubeinformer import DeletedFinalStateUnknown, Error, KubeObject, ObjectKeyError, TransactionError
from kubeinformer.cache import Indexer, ThreadSafeStore


def in_every_form(name: str, version: str | None) -> list[Any]:
    metadata = {"name": name, **({} if version is None else {"resourceVersion": version})}
    return [
        KubeObject(orjson.dumps({"metadata": metadata})),
        {"metadata": metadata},
        client.V1Pod(metadata=client.V1ObjectMeta(name=name, resource_version=version)),
    ]


@pytest.mark.parametrize("form", range(3))
def test_s27_every_write_sets_the_version_also_to_a_lower_one(form: int) -> None:
    store: Indexer[Any] = Indexer()
    for version in ("5", "12", "3"):
        store.add(in_every_form("a", version)[form])
        assert store.last_store_sync_resource_version() == version
    store.update(in_every_form("b", "7")[form])
    assert store.last_store_sync_resource_version() == "7"


@pytest.mark.parametrize("form", range(3))
def test_s27_object_without_a_version_sets_it_to_nothing(form: int) -> None:
    store: Indexer[Any] = Indexer()
    store.bookmark("5")
    store.add(in_every_form("a", None)[form])
    assert store.last_store_sync_resource_version() == ""


@pytest.mark.parametrize("obj", [5, "text", None, {}, {"metadata": "x"}, object()], ids=str)
def test_s27_what_has_no_metadata_leaves_it(obj: Any) -> None:
    store: ThreadSafeStore[Any] = ThreadSafeStore()
    store.bookmark("5")
    store.add("a", obj)
    store.update("a", obj)
    store.delete_with_object("a", obj)
    assert store.last_store_sync_resource_version() == "5"


@pytest.mark.parametrize("form", range(3))
def test_s28_deleting_an_object_sets_it_even_if_it_was_not_there(form: int) -> None:
    store: Indexer[Any] = Indexer()
    store.delete(in_every_form("a", "5")[form])
    assert store.last_store_sync_resource_version() == "5"
    by_key: ThreadSafeStore[Any] = ThreadSafeStore()
    by_key.delete_with_object("a", in_every_form("a", "6")[form])
    assert by_key.last_store_sync_resource_version() == "6"


@pytest.mark.parametrize("form", range(3))
def test_s28_deleting_by_a_key_or_a_tombstone_leaves_it(form: int) -> None:
    obj = in_every_form("a", "9")[form]
    store: Indexer[Any] = Indexer()
    store.add(obj)
    store.bookmark("5")
    store.delete(DeletedFinalStateUnknown("a", obj))
    assert (len(store), store.last_store_sync_resource_version()) == (0, "5")
    by_key: ThreadSafeStore[Any] = ThreadSafeStore()
    by_key.add("a", obj)
    by_key.delete("a")
    assert (len(by_key), by_key.last_store_sync_resource_version()) == (0, "9")


def test_s29_transaction_sets_the_version_of_its_last_object() -> None:
    store = indexer()
    store.transaction([("Added", Thing("a", (), "9")), ("Added", Thing("b", (), "3"))])
    assert store.last_store_sync_resource_version() == "3"
    store.transaction([("Updated", Thing("a", (), "4")), ("Deleted", Thing("b", (), "7"))])
    assert store.last_store_sync_resource_version() == "7"
    tombstone = DeletedFinalStateUnknown("a", Thing("a", (), "8"))
    store.transaction([("Added", Thing("c", (), "10")), ("Deleted", tombstone)])
    assert (store.list_keys(), store.last_store_sync_resource_version()) == (["c"], "7")
    store.transaction([])
    assert store.last_store_sync_resource_version() == "7"


def test_s30_replace_and_bookmark_set_the_version_to_anything() -> None:
    store = indexer()
    store.replace([Thing("a", (), "3")], "12")
    assert store.last_store_sync_resource_version() == "12"
    store.bookmark("5")
    assert store.last_store_sync_resource_version() == "5"
    store.replace([Thing("a", (), "3")])
    assert store.last_store_sync_resource_version() == ""
    by_key: ThreadSafeStore[Any] = ThreadSafeStore()
    by_key.replace({}, "4")
    assert by_key.last_store_sync_resource_version() == "4"


def test_s23_last_of_several_with_one_key_stays() -> None:
    store = indexer({"values": values_of})
    last = Thing("a", ["y"])
    store.replace([Thing("a", ["x"]), Thing("b"), last])
    assert store.get_by_key("a") is last
    assert len(store) == 2
    assert store.list_index_func_values("values") == ["y"]


def test_s23_replace_with_an_object_without_a_key_changes_nothing() -> None:
    store = indexer()
    kept = Thing("a", (), "1")
    store.add(kept)
    with pytest.raises(ObjectKeyError):
        store.replace([Thing("b"), object()], "9")
    assert (store.list(), store.last_store_sync_resource_version()) == ([kept], "1")


def test_s25_transaction_makes_all_changes_in_order() -> None:
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
    store = indexer()
    store.add(Thing("a", (), "1"))
    with pytest.raises(TransactionError) as caught:
        store.transaction([("Deleted", 5)])
    assert caught.value.successful_indices == []
    assert (store.list_keys(), store.last_store_sync_resource_version()) == (["a"], "1")


def test_transaction_error_pickles() -> None:
    error = TransactionError([0, 2], [ValueError("x")])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.successful_indices) == (str(error), [0, 2])
    assert [str(failure) for failure in again.errors] == ["x"]


def test_unknown_type_of_a_change_is_a_value_error_and_nothing_is_done() -> None:
    store = indexer()
    with pytest.raises(ValueError, match=r"changes\[1\].*Bookmark"):
        store.transaction([("Added", Thing("a")), ("Bookmark", Thing("b"))])
    assert len(store) == 0
