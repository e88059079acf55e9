"""The store against a model: any writes in any order."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeinformer.testing.objects import config_map, pod
from kubeinformer.testing.resources import Registry
from kubeinformer.testing.storage import FIRST_REVISION, Store, encode

REGISTRY = Registry()
MAPS = REGISTRY.resolve("configmaps")

KEYS = st.sampled_from(["a", "b", "c", "a-b", "a.b"])
WRITES = st.lists(st.tuples(KEYS, st.sampled_from(["put", "remove"]), st.integers(0, 99)), max_size=40)


def run(store: Store, writes: list[tuple[str, str, int]]) -> dict[int, dict[str, Any]]:
    """Do the writes and return the state after each revision, by key, kept in the plainest way."""
    model: dict[str, Any] = {}
    states = {store.revision: dict(model)}
    for name, operation, value in writes:
        key = f"default/{name}"
        if operation == "put":
            store.put(MAPS, config_map(name, data={"v": str(value)}))
            model[key] = str(value)
        elif key in model:
            store.remove(store.collection("configmaps"), key)
            del model[key]
        states[store.revision] = dict(model)
    return states


def values(items: dict[str, Any]) -> dict[str, str]:
    return {key: record.to_dict(MAPS)["data"]["v"] for key, record in items.items()}


@given(WRITES)
def test_the_state_at_any_revision_is_what_it_was(writes: list[tuple[str, str, int]]) -> None:
    changes: list[str] = []
    store = Store(1000, changes.append)
    states = run(store, writes)
    assert len(changes) == store.revision - FIRST_REVISION == len(states) - 1
    for revision, expected in states.items():
        state = store.collection("configmaps").state_at(revision)
        assert state is not None
        keys, items = state
        assert keys == sorted(expected)
        assert values(items) == expected


@given(WRITES)
def test_replaying_the_events_after_any_revision_gives_the_state_now(writes: list[tuple[str, str, int]]) -> None:
    store = Store(1000, lambda _: None)
    states = run(store, writes)
    for revision, state in states.items():
        replayed = dict(state)
        events = store.collection("configmaps").after(revision)
        assert events is not None
        assert [event.revision for event in events] == list(range(revision + 1, store.revision + 1))
        for event in events:
            content = event.record.to_dict(MAPS)
            assert content["metadata"]["resourceVersion"] == str(event.revision)
            if event.type == "DELETED":
                assert replayed.pop(event.record.key) == content["data"]["v"]
            else:
                assert (event.type == "ADDED") is (event.record.key not in replayed)
                replayed[event.record.key] = content["data"]["v"]
        assert replayed == states[store.revision]


@settings(max_examples=50)
@given(WRITES, st.integers(1, 5))
def test_a_short_history_says_what_it_no_longer_knows(writes: list[tuple[str, str, int]], limit: int) -> None:
    store = Store(limit, lambda _: None)
    states = run(store, writes)
    collection = store.collection("configmaps")
    assert len(collection.history) <= 2 * limit
    assert len(collection.history) >= min(limit, store.revision - FIRST_REVISION)
    for revision, expected in states.items():
        state = collection.state_at(revision)
        if revision < collection.dropped:
            assert state is None
        else:
            assert state is not None
            assert values(state[1]) == expected


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_a_record_under_another_revision_differs_in_nothing_else(first: int, second: int) -> None:
    tricky = pod("a", labels={"resourceVersion": "7"}, annotations={"resourceVersion": '"resourceVersion":"1"'})
    tricky["metadata"]["generateName"] = '"resourceVersion":"9"'
    resource = REGISTRY.resolve("pods")
    record = encode(resource, tricky, first)
    moved = record.at_revision(second)
    assert record.to_dict(resource)["metadata"]["resourceVersion"] == str(first)
    again = moved.to_dict(resource)
    assert again["metadata"]["resourceVersion"] == str(second)
    again["metadata"]["resourceVersion"] = str(first)
    assert again == record.to_dict(resource)
    for one in (record, moved):
        assert orjson.loads(b"{" + one.body[: one.meta_end] + b"}") == {"metadata": one.to_dict(resource)["metadata"]}
