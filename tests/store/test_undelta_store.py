"""UndeltaStore: everything there is, after every write."""

from __future__ import annotations

from typing import Any

import pytest
from store_support import Thing

from kubeinformer import ObjectKeyError
from kubeinformer.cache import UndeltaStore


def key_of(thing: Thing) -> str:
    return thing.key


def test_each_write_tells_all_objects() -> None:
    told: list[list[str]] = []
    store: UndeltaStore[Thing] = UndeltaStore(lambda things: told.append(sorted(map(key_of, things))), key_of)
    a, b = Thing("a"), Thing("b")
    store.add(a)
    store.add(b)
    store.update(a)
    store.delete(Thing("missing"))
    store.delete(b)
    store.replace([Thing("c"), Thing("d")], "5")
    store.resync()
    store.bookmark("6")
    assert told == [["a"], ["a", "b"], ["a", "b"], ["a", "b"], ["a"], ["c", "d"]]
    assert store.last_store_sync_resource_version() == "6"
    assert sorted(store.list_keys()) == sorted(map(key_of, store.list())) == ["c", "d"]
    assert (len(store), "c" in store, "a" in store) == (2, True, False)
    assert store.get(Thing("c")) is store.get_by_key("c") is not None


def test_a_write_that_fails_tells_nothing_and_a_failure_to_tell_comes_after_the_write() -> None:
    def fail(_: list[Any]) -> None:
        raise LookupError("no")

    store: UndeltaStore[Any] = UndeltaStore(fail)
    with pytest.raises(ObjectKeyError):
        store.add({})
    with pytest.raises(LookupError):
        store.add({"metadata": {"name": "a"}})
    assert store.list_keys() == ["a"]
