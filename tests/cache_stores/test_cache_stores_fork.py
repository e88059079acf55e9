"""Stores and sources across `fork()`: those of the parent say in the child that they are unusable."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from kubeinformer import ForkedError, ListOptions
from kubeinformer.cache import Indexer, ListWatch, MutationCache, new_ttl_store

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

POD = {"metadata": {"name": "a", "resourceVersion": "1"}}


def test_everything_of_the_parent_is_refused() -> None:
    indexer: Indexer[Any] = Indexer()
    store = new_ttl_store(ttl=5)
    overlay = MutationCache(indexer)
    source = ListWatch(lambda options: {}, lambda options: [])
    uses: list[Callable[[], object]] = [
        lambda: store.add(POD),
        lambda: store.delete(POD),
        lambda: store.replace([]),
        lambda: store.get_by_key("a"),
        store.list,
        store.list_keys,
        lambda: overlay.mutation(POD),
        lambda: overlay.on_add_or_update(POD),
        lambda: overlay.on_delete(POD),
        lambda: overlay.get_by_key("a"),
        lambda: overlay.by_index("node", "n1"),
        lambda: source.list(ListOptions()),
        lambda: source.request("/api/v1/pods", [], read_timeout=1, connect_timeout=1),
    ]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        wrong = []
        for place, use in enumerate(uses):
            try:
                use()
            except ForkedError:
                continue
            except BaseException:
                pass
            wrong.append(place)
        os.write(write, repr(wrong).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert said == b"[]"
