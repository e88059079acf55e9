"""Stores against a model: a dict, of which every index is worked out anew for each answer."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
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
        self.version = ""

    @rule(thing=THINGS, method=st.sampled_from(["add", "update"]))
    def put(self, thing: Thing, method: str) -> None:
        for store in self.stores:
            getattr(store, method)(thing)
        self.things[thing.key] = thing
        self.version = thing.resource_version

    @rule(thing=THINGS)
    def delete(self, thing: Thing) -> None:
        for store in self.stores:
            store.delete(thing)
        self.things.pop(thing.key, None)
        self.version = thing.resource_version

    @rule(things=st.lists(THINGS, max_size=8), version=st.sampled_from(["", "5"]))
    def replace(self, things: list[Thing], version: str) -> None:
        for store in self.stores:
            store.replace(things, version)
        self.things = {thing.key: thing for thing in things}
        self.version = version

    @rule(changes=st.lists(st.tuples(st.sampled_from(["Added", "Updated", "Deleted"]), THINGS), min_size=1, max_size=6))
    def transaction(self, changes: list[tuple[str, Thing]]) -> None:
        self.stores[0].transaction(changes)
        for kind, thing in changes:
            if kind == "Deleted":
                self.stores[1].delete(thing)
                self.things.pop(thing.key, None)
            else:
                self.stores[1].add(thing)
                self.things[thing.key] = thing
        self.version = changes[-1][1].resource_version

    @rule(version=st.sampled_from(["", "7"]))
    def bookmark(self, version: str) -> None:
        for store in self.stores:
            store.bookmark(version)
        self.version = version

    @rule(name=st.sampled_from(sorted(FUNCTIONS)))
    def add_indexers(self, name: str) -> None:
        if name not in self.functions:
            self.functions[name] = FUNCTIONS[name]
            for store in self.stores:
                store.add_indexers({name: FUNCTIONS[name]})

    def values(self, name: str, thing: Thing) -> set[str]:
        try:
            return set(self.functions[name](thing) or ())
        except ZeroDivisionError:
            return set()

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
                for thing in self.things.values():
                    for value in self.values(name, thing):
                        of_value.setdefault(value, []).append(thing.key)
                assert sorted(store.list_index_func_values(name)) == sorted(of_value)
                for value in (*of_value, "never"):
                    keys = sorted(of_value.get(value, []))
                    assert store.index_keys(name, value) == keys
                    found = store.by_index(name, value)
                    assert {thing.key: thing for thing in found} == {key: self.things[key] for key in keys}
                    assert len(found) == len(keys)
            failed = {key for key, thing in self.things.items() if "!" in thing.values}
            expected = {"strict": failed} if failed and "strict" in self.functions else {}
            assert {name: set(errors) for name, errors in store.index_errors().items()} == expected


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestStores = StoreMachine.TestCase
