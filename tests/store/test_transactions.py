"""Transactions beyond the statements of `tests/conformance/test_2b_store.py`."""

from __future__ import annotations

import pickle

import pytest
from store_support import Thing, indexer

from kubeinformer import TransactionError


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
