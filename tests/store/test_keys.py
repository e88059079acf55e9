"""Tombstones as values, and key and index functions beyond the statements of `tests/conformance/test_2a_keys.py`."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from store_support import named

from kubeinformer import DeletedFinalStateUnknown, ObjectKeyError
from kubeinformer.cache import (
    NAMESPACE_INDEX,
    ExplicitKey,
    Indexer,
    index_func_to_key_func_adapter,
    meta_namespace_index_func,
)


def test_tombstones_are_values() -> None:
    tombstone = DeletedFinalStateUnknown("a/b", {"x": 1})
    assert tombstone == DeletedFinalStateUnknown("a/b", {"x": 1})
    assert tombstone != DeletedFinalStateUnknown("a/c", {"x": 1})
    assert tombstone != DeletedFinalStateUnknown("a/b", {"x": 2})
    assert tombstone != "a/b"
    assert hash(tombstone) == hash(DeletedFinalStateUnknown("a/b", {"x": 1}))
    for again in (pickle.loads(pickle.dumps(tombstone)), copy.copy(tombstone), copy.deepcopy(tombstone)):
        assert again == tombstone
    assert repr(DeletedFinalStateUnknown("a/b")) == "DeletedFinalStateUnknown('a/b', None)"


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_interrupt_in_a_key_function_is_no_key_error(interrupt: type[BaseException]) -> None:
    def key_func(obj: Any) -> str:
        raise interrupt

    store: Indexer[Any] = Indexer(key_func)
    for write in (store.add, store.delete, store.get, lambda obj: store.transaction([("Added", obj)])):
        with pytest.raises(interrupt):
            write(object())
    assert len(store) == 0


def test_namespace_index_function() -> None:
    assert NAMESPACE_INDEX == "namespace"
    assert [meta_namespace_index_func(obj) for obj in named("web-0", "default")] == [["default"]] * 6
    assert [meta_namespace_index_func(obj) for obj in named("node-1", "")] == [[""]] * 6
    with pytest.raises(ObjectKeyError):
        meta_namespace_index_func({})


def test_index_function_of_one_value_is_a_key_function() -> None:
    key_func = index_func_to_key_func_adapter(lambda obj: obj["ids"])
    store: Indexer[Any] = Indexer(key_func)
    store.add({"ids": ("a",)})
    assert store.list_keys() == ["a"]
    for ids, says in (("ab", "too many keys: \\['a', 'b'\\]"), ("", "no value"), (None, "no value")):
        with pytest.raises(ObjectKeyError, match=says) as caught:
            store.add({"ids": ids})
        assert isinstance(caught.value.__cause__, ValueError)
    assert index_func_to_key_func_adapter(meta_namespace_index_func)(ExplicitKey("a/b")) == "a"
