"""2.B, the resourceVersion of a store."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from kubernetes import client
from statements import differs
from store_support import Thing, indexer

from kubeinformer import DeletedFinalStateUnknown, KubeObject
from kubeinformer.cache import Indexer, RealFIFO, ThreadSafeStore


def in_every_form(name: str, version: str | None) -> list[Any]:
    metadata = {"name": name, **({} if version is None else {"resourceVersion": version})}
    return [
        KubeObject(orjson.dumps({"metadata": metadata})),
        {"metadata": metadata},
        client.V1Pod(metadata=client.V1ObjectMeta(name=name, resource_version=version)),
    ]


@pytest.mark.parametrize("form", range(3))
def test_s27_every_write_sets_the_version_also_to_a_lower_one(form: int) -> None:
    """Each write sets the store's version to that of its object, also to a lower one."""
    store: Indexer[Any] = Indexer()
    for version in ("5", "12", "3"):
        store.add(in_every_form("a", version)[form])
        assert store.last_store_sync_resource_version() == version
    store.update(in_every_form("b", "7")[form])
    assert store.last_store_sync_resource_version() == "7"


@pytest.mark.parametrize("form", range(3))
def test_s27_object_without_a_version_sets_it_to_nothing(form: int) -> None:
    """An object without a version sets it to the empty string."""
    store: Indexer[Any] = Indexer()
    store.bookmark("5")
    store.add(in_every_form("a", None)[form])
    assert store.last_store_sync_resource_version() == ""


@pytest.mark.parametrize("obj", [5, "text", None, {}, {"metadata": "x"}, object()], ids=str)
def test_s27_what_has_no_metadata_leaves_it(obj: Any) -> None:
    """What has no metadata leaves the version."""
    store: ThreadSafeStore[Any] = ThreadSafeStore()
    store.bookmark("5")
    store.add("a", obj)
    store.update("a", obj)
    store.delete_with_object("a", obj)
    assert store.last_store_sync_resource_version() == "5"


@pytest.mark.parametrize("form", range(3))
def test_s28_deleting_an_object_sets_it_even_if_it_was_not_there(form: int) -> None:
    """Deleting an object sets the version, also if nothing was there."""
    store: Indexer[Any] = Indexer()
    store.delete(in_every_form("a", "5")[form])
    assert store.last_store_sync_resource_version() == "5"
    by_key: ThreadSafeStore[Any] = ThreadSafeStore()
    by_key.delete_with_object("a", in_every_form("a", "6")[form])
    assert by_key.last_store_sync_resource_version() == "6"


@pytest.mark.parametrize("form", range(3))
def test_s28_deleting_by_a_key_or_a_tombstone_leaves_it(form: int) -> None:
    """Deleting by a key alone, or by a tombstone, leaves the version."""
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
    """A transaction sets the version to that of its last object, not to the highest; a tombstone there leaves it."""
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
    by_key: ThreadSafeStore[Any] = ThreadSafeStore()
    by_key.transaction([("Added", "a", Thing("a", (), "9")), ("Deleted", "b", Thing("b", (), "3"))])
    assert by_key.last_store_sync_resource_version() == "3"
    by_key.transaction([("Added", "c", Thing("c", (), "10")), ("Deleted", "a", tombstone)])
    assert (by_key.list_keys(), by_key.last_store_sync_resource_version()) == (["c"], "3")


def test_s30_replace_and_bookmark_set_the_version_to_anything() -> None:
    """Replace and bookmark set the version to what they are given, be it lower or empty."""
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


@differs(
    'client-go answers "" unless its gate AtomicFIFO is on; here a store always tells its version, because whoever '
    "fills it from a queue that is not atomic knows that a list comes in any order"
)
def test_s31_version_is_told_whatever_queue_fills_the_store() -> None:
    """A store tells its version also in the middle of a list that is not atomic, where it may go back."""
    store: Indexer[Any] = Indexer()
    fifo: RealFIFO[Any] = RealFIFO(known_objects=store)
    fifo.replace([in_every_form("a", "9")[1], in_every_form("b", "4")[1]], "12")
    told: list[str] = []
    while len(fifo):
        store.update(fifo.pop(lambda *_: None, timeout=1)[1])
        told.append(store.last_store_sync_resource_version())
    assert told == ["9", "4"]
