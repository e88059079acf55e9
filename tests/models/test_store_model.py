"""Stores beside a model: a dict of objects, and for each index a dict of the values under which an object was put."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from machines import run
from store_support import KeyedStore, Thing, indexer

KEYS = st.sampled_from(["a", "b", "c", "d/e", "é", ""])
VALUES = st.lists(st.sampled_from(["x", "y", "z", "", "!"]), max_size=4)
THINGS = st.builds(Thing, KEYS, VALUES, st.sampled_from(["", "1", "2", "10"]))
FUNCTIONS = {
    "values": lambda thing: thing.values,
    "strict": lambda thing: [*thing.values, 1 / 0] if "!" in thing.values else thing.values,
    "count": lambda thing: [str(len(thing.values))],
    "late": lambda thing: thing.values[:1] or None,
}


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        first = {"values": FUNCTIONS["values"]}
        self.stores: list[Any] = [indexer(first), KeyedStore(first)]
        self.functions: dict[str, Any] = dict(first)
        self.things: dict[str, Thing] = {}
        self.entries: dict[str, dict[str, set[str] | None]] = {"values": {}}
        """Index -> key -> values; None: the function failed."""
        self.version = ""

    def put_in_model(self, thing: Thing) -> None:
        self.things[thing.key] = thing
        for name, entries in self.entries.items():
            entries[thing.key] = self.values(name, thing)

    def delete_in_model(self, key: str) -> None:
        self.things.pop(key, None)
        for entries in self.entries.values():
            entries.pop(key, None)

    @rule(thing=THINGS, method=st.sampled_from(["add", "update"]))
    def put(self, thing: Thing, method: str) -> None:
        for store in self.stores:
            getattr(store, method)(thing)
        self.put_in_model(thing)
        self.version = thing.resource_version

    @rule(thing=THINGS)
    def delete(self, thing: Thing) -> None:
        for store in self.stores:
            store.delete(thing)
        self.delete_in_model(thing.key)
        self.version = thing.resource_version

    @rule(things=st.lists(THINGS, max_size=8), version=st.sampled_from(["", "5"]))
    def replace(self, things: list[Thing], version: str) -> None:
        for store in self.stores:
            store.replace(things, version)
        for key in list(self.things):
            self.delete_in_model(key)
        for thing in things:
            self.put_in_model(thing)
        self.version = version

    @rule(changes=st.lists(st.tuples(st.sampled_from(["Added", "Updated", "Deleted"]), THINGS), min_size=1, max_size=6))
    def transaction(self, changes: list[tuple[str, Thing]]) -> None:
        self.stores[0].transaction(changes)
        for kind, thing in changes:
            if kind == "Deleted":
                self.stores[1].delete(thing)
                self.delete_in_model(thing.key)
            else:
                self.stores[1].add(thing)
                self.put_in_model(thing)
        self.version = changes[-1][1].resource_version

    @rule(version=st.sampled_from(["", "7"]))
    def bookmark(self, version: str) -> None:
        for store in self.stores:
            store.bookmark(version)
        self.version = version

    @rule(name=st.sampled_from(sorted(FUNCTIONS)))
    def add_indexers(self, name: str) -> None:
        if name in self.functions:
            for store in self.stores:
                with pytest.raises(ValueError, match=name):
                    store.add_indexers({"another": FUNCTIONS["count"], name: FUNCTIONS[name]})  # §21
                assert "another" not in store.get_indexers()
            return
        self.functions[name] = FUNCTIONS[name]
        for store in self.stores:
            store.add_indexers({name: FUNCTIONS[name]})
        self.entries[name] = {key: self.values(name, thing) for key, thing in self.things.items()}

    @precondition(lambda self: self.things)
    @rule(data=st.data(), values=VALUES)
    def change_in_place(self, data: st.DataObject, values: list[str]) -> None:
        """An object that its user changes stays where it is until it is put again (§15)."""
        thing = self.things[data.draw(st.sampled_from(sorted(self.things)))]
        thing.values = values

    @precondition(lambda self: self.things)
    @rule(data=st.data())
    def put_the_same_again(self, data: st.DataObject) -> None:
        self.put(self.things[data.draw(st.sampled_from(sorted(self.things)))], "update")

    def values(self, name: str, thing: Thing) -> set[str] | None:
        try:
            return set(self.functions[name](thing) or ())
        except ZeroDivisionError:
            return None

    @invariant()
    def answers_are_those_of_the_model(self) -> None:
        for store in self.stores:
            assert len(store) == len(self.things)
            assert sorted(store.list_keys()) == sorted(self.things)
            assert {thing.key: thing for thing in store.list()} == self.things
            assert store.last_store_sync_resource_version() == self.version
            for key in ("a", "é", "never"):
                assert store.get_by_key(key) is self.things.get(key)
                assert (key in store) == (key in self.things)
            for name in self.functions:
                of_value: dict[str, list[str]] = {}
                for thing_key, values in self.entries[name].items():
                    for value in values or ():
                        of_value.setdefault(value, []).append(thing_key)
                assert sorted(store.list_index_func_values(name)) == sorted(of_value)
                for value in (*of_value, "never"):
                    keys = sorted(of_value.get(value, []))
                    assert store.index_keys(name, value) == keys
                    found = store.by_index(name, value)
                    assert {thing.key: thing for thing in found} == {key: self.things[key] for key in keys}
                    assert len(found) == len(keys)
            failed = {key for key, values in self.entries.get("strict", {}).items() if values is None}
            expected = {"strict": failed} if failed else {}
            assert {name: set(errors) for name, errors in store.index_errors().items()} == expected


def test_stores_do_what_the_model_does() -> None:
    run(StoreMachine, examples=100, steps=30)
