"""Indexers that are added, and errors of index functions, while other threads write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from store_support import Thing, values_of
from thread_runs import run

Make = Callable[..., Any]


def test_objects_written_while_indexers_are_added_are_indexed(make_store: Make) -> None:
    store = make_store()
    for number in range(200):
        store.add(Thing(f"old{number}", ["x"]))
    added: list[str] = []
    adding = threading.Lock()

    def write(writer: int) -> None:
        for step in range(30):
            for number in range(10):
                store.update(Thing(f"new{writer}-{number}", [f"step{step}"]))
                store.delete(Thing(f"old{step * 5 + number % 5}"))
            with adding:
                name = f"index{len(added)}"
                store.add_indexers({name: values_of})
                added.append(name)

    def indices_agree() -> None:
        for name in added[-2:]:
            for thing in store.by_index(name, "x"):
                assert thing.values == ["x"]

    run(write, [indices_agree])
    assert len(added) == 60
    things = store.list()
    for name in added:
        for value in ("x", "step29", "step28"):
            assert store.index_keys(name, value) == sorted(t.key for t in things if value in t.values)


def test_index_errors_are_those_of_the_stored_objects(make_store: Make) -> None:
    def strict(thing: Thing) -> list[str]:
        if thing.values:
            raise ValueError(thing.values[0])
        return ["good"]

    store = make_store({"strict": strict})

    def write(writer: int) -> None:
        for step in range(400):
            store.update(Thing("shared", [f"{writer}-{step}"] if (step + writer) % 2 else []))

    def consistent() -> None:
        for errors in store.index_errors().values():
            assert list(errors) == ["shared"]

    run(write, [consistent])
    stored = store.get_by_key("shared")
    if stored.values:
        assert str(store.index_errors()["strict"]["shared"]) == stored.values[0]
        assert store.index_keys("strict", "good") == []
    else:
        assert store.index_errors() == {}
        assert store.index_keys("strict", "good") == ["shared"]
