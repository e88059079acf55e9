"""`ExpirationCache` (client-go §199): what is still to be seen, and what reading does."""

from __future__ import annotations

from typing import Any

import pytest

from kubeinformer.cache import ExpirationCache, TimestampedEntry, TTLPolicy, new_ttl_store
from kubeinformer.errors import ObjectKeyError
from kubeinformer.transport.base import StopSignal


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def wait(self, stop: StopSignal, seconds: float) -> bool:
        raise AssertionError("a store does not wait")


def obj(name: str, value: int = 0) -> dict[str, Any]:
    return {"metadata": {"name": name}, "value": value}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> ExpirationCache[Any]:
    return new_ttl_store(ttl=10, clock=clock)


def test_s199_an_object_lives_up_to_its_time_and_no_longer(store: ExpirationCache[Any], clock: FakeClock) -> None:
    """An object is there until exactly its time to live, and gone after it."""
    store.add(obj("a"))
    clock.now += 10
    assert store.get_by_key("a") == obj("a")
    assert store.list() == [obj("a")]
    clock.now += 0.001
    assert store.list_keys() == ["a"], "only a read throws it away"
    assert store.get_by_key("a") is None
    assert store.list_keys() == []


@pytest.mark.parametrize("ttl", [0, -1])
def test_s199_without_a_time_nothing_expires(ttl: float, clock: FakeClock) -> None:
    """A time to live of 0 or less means that nothing expires."""
    store = new_ttl_store(ttl=ttl, clock=clock)
    store.add(obj("a"))
    clock.now += 1e9
    assert store.list() == [obj("a")]


def test_s199_list_and_get_throw_away_what_expired_and_list_keys_does_not(
    store: ExpirationCache[Any], clock: FakeClock
) -> None:
    """Reads of objects throw away what has expired; `list_keys` shows it still."""
    for name in ("a", "b", "c"):
        store.add(obj(name))
    clock.now += 11
    store.add(obj("new"))
    assert store.get(obj("a")) is None
    assert sorted(store.list_keys()) == ["b", "c", "new"]
    assert store.list() == [obj("new")]
    assert store.list_keys() == ["new"]


def test_s199_an_update_begins_its_time_anew(store: ExpirationCache[Any], clock: FakeClock) -> None:
    """An update begins the object's time anew."""
    store.add(obj("a"))
    clock.now += 8
    store.update(obj("a", 2))
    clock.now += 8
    assert store.get_by_key("a") == obj("a", 2)
    clock.now += 3
    assert store.get_by_key("a") is None


def test_s199_a_replace_holds_what_it_is_given_as_of_now(store: ExpirationCache[Any], clock: FakeClock) -> None:
    """A replace begins the time of all that it brings; of equal keys the last counts."""
    store.add(obj("old"))
    clock.now += 8
    store.replace([obj("a"), obj("b", 1), obj("b", 2)], "7")
    clock.now += 8
    assert sorted(one["metadata"]["name"] for one in store.list()) == ["a", "b"]
    assert store.get_by_key("b") == obj("b", 2)


def test_s199_a_deletion(store: ExpirationCache[Any]) -> None:
    """A deleted object is gone; deleting what is not there does nothing."""
    store.add(obj("a"))
    store.delete(obj("a"))
    store.delete(obj("never there"))
    store.resync()
    assert store.list() == []


def test_s199_a_key_function_that_fails_is_told_with_the_object(clock: FakeClock) -> None:
    """A key function that fails is an `ObjectKeyError` with the object and the cause."""
    store: ExpirationCache[int] = ExpirationCache(lambda number: {1: "one"}[number], TTLPolicy(5, clock), clock=clock)
    store.add(1)
    assert store.get(1) == 1
    with pytest.raises(ObjectKeyError) as failed:
        store.add(2)
    assert failed.value.obj == 2
    assert isinstance(failed.value.__cause__, KeyError)


def test_s199_what_is_added_while_a_policy_judges_is_not_thrown_away(clock: FakeClock) -> None:
    """Only the very entry that was judged expired is thrown away, not one that took its place meanwhile."""

    class Racing:
        """Says that the first one has expired, and lets a new one come in meanwhile."""

        def is_expired(self, entry: TimestampedEntry[Any]) -> bool:
            if entry.obj["value"] == 2:
                return False
            store.update(obj("a", 2))
            return True

    store: ExpirationCache[Any] = ExpirationCache(None, Racing(), clock=clock)
    store.add(obj("a", 1))
    assert store.get_by_key("a") is None
    assert store.get_by_key("a") == obj("a", 2)
