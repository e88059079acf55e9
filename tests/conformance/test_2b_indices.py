"""2.B, the indices of a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from statements import differs
from store_support import Thing, strict, values_of

from kubeinformer import Error, IndexNotFoundError

Make = Callable[..., Any]


def test_s12_value_without_objects_is_gone(make_store: Make) -> None:
    """A value whose last object leaves it is no value of the index any more."""
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x", "y"]))
    store.add(Thing("b", ["y"]))
    assert sorted(store.list_index_func_values("values")) == ["x", "y"]
    store.update(Thing("a", ["z"]))
    assert sorted(store.list_index_func_values("values")) == ["y", "z"]
    store.delete(Thing("b"))
    assert store.list_index_func_values("values") == ["z"]
    store.delete(Thing("a"))
    assert store.list_index_func_values("values") == []


def test_s13_value_with_objects_left_stays(make_store: Make) -> None:
    """A value stays while an object is left under it."""
    store = make_store({"values": values_of})
    things = [Thing(key, ["x"]) for key in "abc"]
    for thing in things:
        store.add(thing)
    store.delete(things[1])
    assert store.index_keys("values", "x") == ["a", "c"]


def test_s14_object_moves_between_all_its_old_and_new_values(make_store: Make) -> None:
    """An object is under each value that its index function gives, none or many, once, and under no old one."""
    store = make_store({"values": values_of})
    steps = [["x", "y"], ["y", "z"], [], ["x", "x", "x"], ["z"]]
    for values in steps:
        thing = Thing("a", values)
        store.update(thing)
        for value in "xyz":
            assert store.by_index("values", value) == ([thing] if value in values else [])
        assert sorted(store.list_index_func_values("values")) == sorted(set(values))


@differs(
    "client-go asks the index function about the old object again, so one that was changed in place stays for ever "
    "under the values it was stored with; here the store knows an object's values, because a stale entry is no use"
)
def test_s15_object_changed_in_place_leaves_nothing_stale(make_store: Make) -> None:
    """An object that was changed in place leaves the values under which it was stored."""
    store = make_store({"values": values_of})
    thing = Thing("a", ["old"])
    store.add(thing)
    thing.values = ["new"]
    store.update(thing)
    assert store.list_index_func_values("values") == ["new"]
    thing.values = ["newer"]
    store.delete(thing)
    assert store.list_index_func_values("values") == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.by_index("missing", "x"),
        lambda store: store.index_keys("missing", "x"),
        lambda store: store.index("missing", Thing("a")),
    ],
)
def test_s18_unknown_index_is_an_error(make_store: Make, ask: Callable[[Any], Any]) -> None:
    """An unknown index is an error that names it, except to the list of its values, which is empty."""
    store = make_store({"values": values_of})
    with pytest.raises(IndexNotFoundError, match=r"^Index with name missing does not exist$") as caught:
        ask(store)
    assert isinstance(caught.value, Error)
    assert isinstance(caught.value, LookupError)
    assert store.list_index_func_values("missing") == []


def test_s19_unknown_value_has_no_objects(make_store: Make) -> None:
    """A value that no object has gives nothing, without an error."""
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x"]))
    assert store.by_index("values", "nothing") == []
    assert store.index_keys("values", "nothing") == []


def test_s20_objects_that_share_a_value_count_once(make_store: Make) -> None:
    """A query by an object gives all that share any of its values, each once."""
    store = make_store({"values": values_of})
    a, b, c = Thing("a", ["x", "y"]), Thing("b", ["y", "x"]), Thing("c", ["z"])
    for thing in (a, b, c):
        store.add(thing)
    shared = store.index("values", Thing("not stored", ["x", "y", "nothing"]))
    assert sorted(thing.key for thing in shared) == ["a", "b"]
    union = store.index("values", Thing("not stored", ["z", "x"]))
    assert sorted(thing.key for thing in union) == ["a", "b", "c"]
    assert store.index("values", Thing("a", ["z"])) == [c]
    assert store.index("values", Thing("none")) == []


def test_s21_indexers_may_be_added_when_there_are_objects(make_store: Make) -> None:
    """Indexers that are added index what is stored before the call returns."""
    store = make_store({"values": values_of})
    a, b = Thing("a", ["x"]), Thing("b", ["y"])
    store.add(a)
    store.add(b)
    store.add_indexers({"key": lambda thing: [thing.key], "all": lambda _: ["all"]})
    assert store.by_index("key", "a") == [a]
    assert store.index_keys("all", "all") == ["a", "b"]
    assert store.by_index("values", "y") == [b]
    store.delete(a)
    assert store.index_keys("all", "all") == ["b"]


def test_s21_indexers_are_added_all_or_none(make_store: Make) -> None:
    """If one name is taken, no indexer of the call is added."""
    store = make_store({"values": values_of})
    store.add(Thing("a", ["x"]))
    with pytest.raises(ValueError, match="values"):
        store.add_indexers({"new": values_of, "values": values_of})
    assert list(store.get_indexers()) == ["values"]
    with pytest.raises(IndexNotFoundError):
        store.by_index("new", "x")
    store.add_indexers({"new": values_of})
    assert store.index_keys("new", "x") == ["a"]


@differs(
    "client-go panics, with the object in the map and the indices half done; here the write is whole and the failure "
    "is reported, because one bad object must not end the process"
)
def test_s16_object_is_stored_under_no_value_of_the_index_that_fails(make_store: Make) -> None:
    """A write whose index function raises is done, and the object is under no value of that index."""
    store = make_store({"strict": strict, "values": values_of})
    good, bad = Thing("a", ["x"]), Thing("b", ["x", "!"])
    store.add(good)
    store.add(bad)
    assert store.get_by_key("b") is bad
    assert sorted(store.list_keys()) == ["a", "b"]
    assert store.index_keys("strict", "x") == ["a"]
    assert store.index_keys("values", "x") == ["a", "b"]
    assert store.list_index_func_values("strict") == ["x"]
    ((index, errors),) = store.index_errors().items()
    assert (index, list(errors), str(errors["b"])) == ("strict", ["b"], "b has !")
    store.update(Thing("a", ["!"]))
    assert store.list_index_func_values("strict") == []
    assert sorted(store.index_errors()["strict"]) == ["a", "b"]


def test_s17_error_of_a_query_is_raised(make_store: Make) -> None:
    """What an index function raises in a query is raised by the query."""
    store = make_store({"strict": strict})
    with pytest.raises(ValueError, match="q has !"):
        store.index("strict", Thing("q", ["!"]))
    with pytest.raises(TypeError, match="not a string"):
        make_store({"text": lambda _: "text"}).index("text", Thing("q"))
    assert store.index_errors() == {}


def test_s10_keys_of_an_index_are_sorted(make_store: Make) -> None:
    """The keys under a value come in ascending order; no other answer has an order."""
    store = make_store({"values": values_of})
    keys = ["b", "a", "c/d", "c", "B", "", "ä", "z"]
    for key in keys:
        store.add(Thing(key, ["x"]))
    assert store.index_keys("values", "x") == sorted(keys)
    assert sorted(store.list_keys()) == sorted(keys)
