"""Index functions that raise (design: unlike client-go §16; §17), and that use the store that calls them."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from store_support import Thing, indexer, strict, values_of

from kubeinformer import IndexNotFoundError
from kubeinformer.cache import ThreadSafeStore

Make = Callable[..., Any]


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.ERROR, "kubeinformer")
    return lambda: [record.getMessage() for record in caplog.records]


def summary(store: Any) -> dict[str, dict[str, str]]:
    return {
        index: {key: str(error) for key, error in of_index.items()} for index, of_index in store.index_errors().items()
    }


def test_object_that_begins_to_fail_leaves_its_values(make_store: Make) -> None:
    store = make_store({"strict": strict})
    store.add(Thing("a", ["x"]))
    store.update(Thing("a", ["!"]))
    assert store.list_index_func_values("strict") == []


@pytest.mark.parametrize(
    "leave",
    [
        lambda store: store.update(Thing("a", ["y"])),
        lambda store: store.delete(Thing("a")),
        lambda store: store.replace([Thing("b")]),
        lambda store: store.replace([Thing("a")]),
        lambda store: store.replace([]),
    ],
    ids=["update", "delete", "replace by others", "replace by a good one", "replace by nothing"],
)
def test_error_is_there_as_long_as_its_object(make_store: Make, leave: Callable[[Any], None]) -> None:
    store = make_store({"strict": strict})
    store.add(Thing("a", ["!1"]))
    store.update(Thing("a", ["!2"]))
    assert summary(store) == {"strict": {"a": "a has !2"}}
    leave(store)
    assert store.index_errors() == {}


def test_each_failure_is_logged_once_a_key(make_store: Make, errors: Callable[[], list[str]]) -> None:
    store = make_store({"strict": strict})
    for _ in range(3):
        store.update(Thing("a", ["!"]))
    assert len(errors()) == 1
    assert "'strict'" in errors()[0]
    assert "failed on a" in errors()[0]
    store.update(Thing("b", ["!"]))
    assert len(errors()) == 2
    store.update(Thing("a", ["x"]))
    store.update(Thing("a", ["!"]))
    assert len(errors()) == 3


@pytest.mark.parametrize("returned", ["text", 5, [5], [None], [b"x"]], ids=str)
def test_what_is_no_list_of_strings_is_an_error(make_store: Make, returned: Any) -> None:
    store = make_store({"index": lambda _: returned})
    store.add(Thing("a"))
    assert isinstance(store.index_errors()["index"]["a"], TypeError)
    assert store.list_index_func_values("index") == []


def test_half_of_an_iterable_that_fails_counts_for_nothing(make_store: Make) -> None:
    def values(_: Any) -> Any:
        yield "x"
        raise LookupError("half")

    store = make_store({"index": values})
    store.add(Thing("a"))
    assert store.list_index_func_values("index") == []
    assert summary(store) == {"index": {"a": "half"}}


def test_error_while_indexers_are_added_is_recorded(make_store: Make, errors: Callable[[], list[str]]) -> None:
    store = make_store()
    store.add(Thing("a", ["!"]))
    store.add(Thing("b", ["x"]))
    store.add_indexers({"strict": strict})
    assert store.index_keys("strict", "x") == ["b"]
    assert summary(store) == {"strict": {"a": "a has !"}}
    assert len(errors()) == 1
    store.delete(Thing("a"))
    assert store.index_errors() == {}


INTERRUPTS = pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])


@INTERRUPTS
@pytest.mark.parametrize(
    "write",
    [
        lambda store, new: store.add(new[1]),
        lambda store, new: store.replace(new, "2"),
    ],
    ids=["add", "replace"],
)
def test_interrupt_ends_the_call_and_nothing_is_written(
    make_store: Make, interrupt: type[BaseException], write: Callable[[Any, list[Thing]], None]
) -> None:
    def interrupted(thing: Thing) -> list[str]:
        if thing.key == "stop":
            raise interrupt
        return ["x"]

    store = make_store({"index": interrupted})
    store.replace([Thing("a")], "1")
    new = [Thing("b"), Thing("stop"), Thing("c")]
    with pytest.raises(interrupt):
        write(store, new)
    assert store.list_keys() == ["a"]
    assert store.last_store_sync_resource_version() == "1"
    assert store.index_keys("index", "x") == ["a"]
    assert store.index_errors() == {}


@INTERRUPTS
def test_interrupt_ends_a_transaction_and_nothing_is_written(interrupt: type[BaseException]) -> None:
    def interrupted(thing: Thing) -> list[str]:
        if thing.key == "stop":
            raise interrupt
        return ["x"]

    store = indexer({"index": interrupted})
    with pytest.raises(interrupt):
        store.transaction([("Added", Thing("a")), ("Added", Thing("stop"))])
    assert store.list() == store.by_index("index", "x") == []


@INTERRUPTS
def test_interrupt_while_indexers_are_added_takes_them_back(make_store: Make, interrupt: type[BaseException]) -> None:
    interrupted = True

    def values(thing: Thing) -> list[str]:
        if interrupted and thing.key == "b":
            raise interrupt
        return [thing.key]

    store = make_store({"values": values_of})
    for key in "abc":
        store.add(Thing(key, ["x"]))
    with pytest.raises(interrupt):
        store.add_indexers({"strict": strict, "new": values})
    assert list(store.get_indexers()) == ["values"]
    with pytest.raises(IndexNotFoundError):
        store.by_index("new", "a")
    store.add(Thing("d", ["x"]))
    assert store.index_keys("values", "x") == ["a", "b", "c", "d"]
    interrupted = False
    store.add_indexers({"new": values})
    assert [store.index_keys("new", key) for key in "abcd"] == [["a"], ["b"], ["c"], ["d"]]


def test_interrupt_in_a_query_is_raised(make_store: Make) -> None:
    def values(_: Any) -> list[str]:
        raise KeyboardInterrupt

    store = make_store({"index": values})
    with pytest.raises(KeyboardInterrupt):
        store.index("index", Thing("a"))


@pytest.mark.timeout(30)
def test_functions_may_use_the_store_that_calls_them() -> None:
    store: Any = None

    def key_func(thing: Thing) -> str:
        return f"{len(store.list()) >= 0}{thing.key}"

    def values(thing: Thing) -> list[str]:
        store.get_by_key("a")
        if thing.key == "outer":
            store.add(Thing("inner"))
        return [f"{len(store.index_errors())}"]

    store = type(indexer())(key_func, {"index": values})
    store.add(Thing("outer"))
    assert sorted(store.list_keys()) == ["Trueinner", "Trueouter"]


@pytest.mark.timeout(30)
def test_add_indexers_within_an_index_function_is_an_error_and_no_deadlock(make_store: Make) -> None:
    store = make_store()
    store.add(Thing("a"))

    def values(_: Any) -> list[str]:
        store.add_indexers({"inner": values_of})
        return []

    store.add_indexers({"outer": values})
    assert "add_indexers is already running" in summary(store)["outer"]["a"]
    assert isinstance(store.index_errors()["outer"]["a"], RuntimeError)


@pytest.mark.timeout(30)
def test_finalizers_of_errors_may_use_the_store(caplog: pytest.LogCaptureFixture) -> None:
    """What an index function raised may hold the last reference to anything."""
    caplog.set_level(logging.CRITICAL, "kubeinformer")
    store: ThreadSafeStore[Thing]
    seen: list[int] = []

    class Guest:
        def __del__(self) -> None:
            store.index_errors()
            store.update("other", Thing("other"))
            seen.append(len(store))

    class GuestError(Exception):
        def __init__(self) -> None:
            self.guest = Guest()

    def values(thing: Thing) -> list[str]:
        if thing.key != "other":
            raise GuestError
        return []

    store = ThreadSafeStore({"index": values})
    store.add("a", Thing("a"))
    store.update("a", Thing("a"))
    store.delete("a")
    gc.collect()
    assert len(seen) == 2
    assert store.index_errors() == {}
