"""Stores between threads (client-go §9, §10): every answer is one cut, whatever is written meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from store_support import Thing, indexer, values_of

Make = Callable[..., Any]
READERS, WRITERS = 8, 2


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run(write: Callable[[int], None], reads: list[Callable[[], None]]) -> None:
    """Runs `write` with the number of each writer, and reads over and over again until the writers are through."""
    done = threading.Event()
    start = threading.Barrier(READERS + WRITERS, timeout=30)

    def reader(number: int) -> int:
        start.wait()
        rounds = 0
        while not done.is_set() or rounds < 2 * len(reads):
            reads[(number + rounds) % len(reads)]()
            rounds += 1
        return rounds

    def writer(number: int) -> None:
        start.wait()
        write(number)

    with ThreadPoolExecutor(READERS + WRITERS) as threads:
        readers = [threads.submit(reader, number) for number in range(READERS)]
        writers = [threads.submit(writer, number) for number in range(WRITERS)]
        try:
            for future in writers:
                future.result(60)
        finally:
            done.set()
        assert all(future.result(60) > 1 for future in readers)


def test_readers_see_each_object_under_the_values_it_has(make_store: Make) -> None:
    store = make_store({"values": values_of})
    keys = [f"key{number}" for number in range(20)]
    values = [f"v{number}" for number in range(5)]
    for key in keys:
        store.add(Thing(key, values[:1]))

    def write(writer: int) -> None:
        for step in range(1500):
            store.update(Thing(keys[(step * 3 + writer) % len(keys)], [values[step % 5], values[(step + writer) % 5]]))

    def by_key() -> None:
        for key in keys:
            assert store.get_by_key(key).key == key
            assert key in store

    def by_index() -> None:
        for value in values:
            for thing in store.by_index("values", value):
                assert value in thing.values
            index_keys = store.index_keys("values", value)
            assert index_keys == sorted(set(index_keys))

    def whole() -> None:
        assert sorted(store.list_keys()) == sorted(keys)
        assert sorted(thing.key for thing in store.list()) == sorted(keys)
        assert len(store) == len(keys)
        assert set(store.list_index_func_values("values")) <= set(values)

    run(write, [by_key, by_index, whole])
    for value in values:
        assert store.index_keys("values", value) == sorted(t.key for t in store.list() if value in t.values)


def test_readers_see_a_replace_as_a_whole(make_store: Make) -> None:
    store = make_store({"values": values_of})

    def generation(number: int) -> list[Thing]:
        return [Thing(f"{number}-{place}", [str(number), "all"], str(number)) for place in range(50)]

    store.replace(generation(0), "0")

    def write(writer: int) -> None:
        for step in range(100):
            number = step * WRITERS + writer
            store.replace(generation(number), str(number))

    def one_generation() -> None:
        for things in (store.list(), store.by_index("values", "all")):
            assert len(things) == 50
            assert len({thing.resource_version for thing in things}) == 1
        assert len({key.partition("-")[0] for key in store.list_keys()}) == 1
        assert sorted(map(len, store.list_index_func_values("values"))) in ([1, 3], [2, 3], [3, 3])

    run(write, [one_generation])
    version = store.last_store_sync_resource_version()
    assert store.index_keys("values", "all") == store.index_keys("values", version)


def test_readers_see_a_transaction_as_a_whole() -> None:
    store = indexer({"values": values_of})
    store.add(Thing("left", ["token"]))

    def write(_: int) -> None:
        for _ in range(500):
            store.transaction([("Deleted", Thing("left")), ("Added", Thing("right", ["token"]))])
            store.transaction([("Deleted", Thing("right")), ("Added", Thing("left", ["token"]))])

    def one_token() -> None:
        assert store.list_keys() in (["left"], ["right"])
        assert len(store.by_index("values", "token")) == 1

    run(write, [one_token])


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
