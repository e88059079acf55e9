"""2.B between threads: every answer is one cut of the store, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from store_support import Thing, indexer, values_of
from thread_runs import WRITERS, run

Make = Callable[..., Any]


def test_s9_readers_see_an_object_under_its_values_and_no_others(make_store: Make) -> None:
    """Whoever reads while objects are written sees each under all of its values and under no other."""
    store = make_store({"values": values_of})
    keys = [f"key{number}" for number in range(20)]
    values = [f"v{number}" for number in range(5)]
    for key in keys:
        store.add(Thing(key, ["all", values[0]]))

    def write(writer: int) -> None:
        for step in range(1500):
            own = [values[step % 5], "all", values[(step + writer) % 5]]
            store.update(Thing(keys[(step * 3 + writer) % len(keys)], own))

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
        assert store.index_keys("values", "all") == sorted(keys)
        assert sorted(thing.key for thing in store.index("values", Thing("asked", ["all"]))) == sorted(keys)

    def whole() -> None:
        assert sorted(store.list_keys()) == sorted(keys)
        assert sorted(thing.key for thing in store.list()) == sorted(keys)
        assert len(store) == len(keys)
        assert set(store.list_index_func_values("values")) <= {"all", *values}

    run(write, [by_key, by_index, whole])
    for value in values:
        assert store.index_keys("values", value) == sorted(t.key for t in store.list() if value in t.values)


def test_s10_s22_readers_see_a_replace_as_a_whole(make_store: Make) -> None:
    """Each answer, of objects, keys, values or by an index, is from before a replace or from after it."""
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
        assert len({key.partition("-")[0] for key in store.index_keys("values", "all")}) == 1
        assert len({key.partition("-")[0] for key in store.list_keys()}) == 1
        assert sorted(map(len, store.list_index_func_values("values"))) in ([1, 3], [2, 3], [3, 3])

    run(write, [one_generation])
    version = store.last_store_sync_resource_version()
    assert store.index_keys("values", "all") == store.index_keys("values", version)


def test_s25_readers_see_a_transaction_as_a_whole() -> None:
    """All changes of a transaction appear at once."""
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
