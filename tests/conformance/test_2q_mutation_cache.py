"""`MutationCache` (client-go §197, §198): over an `Indexer`, and over an informer's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from kubernetes import client
from statements import differs

from kubeinformer import DeletedFinalStateUnknown, IndexNotFoundError, KubeObject, Resource
from kubeinformer.cache import (
    Indexer,
    ListWatch,
    MutationCache,
    new_integer_resource_version_mutation_cache,
    new_shared_index_informer,
)
from kubeinformer.errors import ObjectKeyError
from kubeinformer.transport.base import StopSignal

PODS = Resource("", "v1", "pods", "Pod", model="V1Pod")


class FakeClock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def wait(self, stop: StopSignal, seconds: float) -> bool:
        raise AssertionError("a cache does not wait")


def pod(name: str, version: str, uid: str = "u1", node: str = "n1") -> dict[str, Any]:
    metadata = {"namespace": "default", "name": name, "uid": uid, "resourceVersion": version}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}}


def by_node(obj: Any) -> list[str]:
    if obj["spec"]["nodeName"] == "broken":
        raise RuntimeError("no such node")
    return [obj["spec"]["nodeName"]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def indexer() -> Indexer[Any]:
    return Indexer(indexers={"node": by_node})


Make = Callable[..., MutationCache[Any]]


@pytest.fixture
def make(indexer: Indexer[Any], clock: FakeClock) -> Make:
    return lambda **options: MutationCache(indexer, clock=clock, **options)


def version_of(obj: Any) -> str | None:
    return None if obj is None else obj["metadata"]["resourceVersion"]


@pytest.mark.parametrize(("store", "overlay", "expected"), [("5", "6", "6"), ("6", "5", "6"), ("9", "10", "10")])
def test_s197_the_newer_of_overlay_and_store(
    make: Make, indexer: Indexer[Any], store: str, overlay: str, expected: str
) -> None:
    """A read gives the newer of overlay and store, by the versions as integers."""
    cache = make()
    indexer.add(pod("a", store))
    cache.mutation(pod("a", overlay))
    assert version_of(cache.get_by_key("default/a")) == expected


def test_s197_what_the_store_has_caught_up_with_is_forgotten(make: Make, indexer: Indexer[Any]) -> None:
    """An overlay entry that is not newer than the store's is dropped when it is read."""
    cache = make(include_adds=True)
    cache.mutation(pod("a", "6"))
    indexer.add(pod("a", "6"))
    assert cache.get_by_key("default/a") is indexer.get_by_key("default/a")
    indexer.delete(pod("a", "7"))
    assert cache.get_by_key("default/a") is None


def test_s197_a_key_that_the_store_lacks_is_missing_unless_adds_are_included(make: Make) -> None:
    """A key that the store lacks is missing, unless `include_adds` is set."""
    for include_adds in (False, True):
        cache = make(include_adds=include_adds)
        cache.mutation(pod("a", "6"))
        assert (cache.get_by_key("default/a") is not None) == include_adds
        assert len(cache.by_index("node", "n1")) == include_adds


@differs(
    "client-go panics on a resourceVersion that is no integer; here that is a ValueError, "
    "because a cache must not end a controller."
)
def test_s197_a_version_that_is_no_integer_is_a_value_error(make: Make, indexer: Indexer[Any]) -> None:
    """A resourceVersion that is no integer is a ValueError that names key and version."""
    cache = make()
    with pytest.raises(ValueError, match="default/a: the resourceVersion 'abc' is no integer"):
        cache.mutation(pod("a", "abc"))
    cache.mutation(pod("a", "6"))
    indexer.add(pod("a", "abc"))
    with pytest.raises(ValueError, match="no integer"):
        cache.get_by_key("default/a")
    with pytest.raises(ObjectKeyError):
        cache.mutation({"metadata": {}})


def test_s197_an_older_mutation_does_not_replace_a_newer_one(make: Make) -> None:
    """An older write does not replace a newer one in the overlay."""
    cache = make(include_adds=True)
    cache.mutation(pod("a", "6"))
    cache.mutation(pod("a", "5"))
    assert version_of(cache.get_by_key("default/a")) == "6"
    cache.mutation(pod("a", "7"))
    assert version_of(cache.get_by_key("default/a")) == "7"


@pytest.mark.parametrize(("seen", "left"), [("5", "6"), ("6", None), ("7", None)])
def test_s197_on_add_or_update_forgets_what_is_not_newer(make: Make, seen: str, left: str | None) -> None:
    """`on_add_or_update` drops the overlay's entry unless that is newer."""
    cache = make(include_adds=True)
    cache.mutation(pod("a", "6"))
    cache.on_add_or_update(pod("a", seen))
    assert version_of(cache.get_by_key("default/a")) == left


@pytest.mark.parametrize(
    ("version", "uid", "taken"),
    [
        *[("5", "u1", False), ("6", "u1", False), ("8", "u1", False)],
        *[("5", "u2", False), ("6", "u2", False), ("7", "u2", True)],
    ],
)
def test_s198_a_mutation_of_what_was_deleted_is_ignored(make: Make, version: str, uid: str, taken: bool) -> None:
    """After a deletion a write that is not newer, or has the same uid, is ignored."""
    cache = make(include_adds=True)
    cache.on_delete(pod("a", "6"))
    cache.mutation(pod("a", version, uid))
    assert (cache.get_by_key("default/a") is not None) == taken


@pytest.mark.parametrize(
    ("version", "uid", "left"),
    [("8", "u1", None), ("4", "u2", None), ("6", "u2", None), ("8", "u2", "8")],
    ids=["same uid", "older", "as old", "newer and another"],
)
def test_s198_a_deletion_takes_the_overlay_with_it(make: Make, version: str, uid: str, left: str | None) -> None:
    """A deletion drops the overlay's entry unless that is newer and of another uid."""
    cache = make(include_adds=True)
    cache.mutation(pod("a", version, uid))
    cache.on_delete(pod("a", "6", "u1"))
    assert version_of(cache.get_by_key("default/a")) == left


@differs(
    "client-go ignores the tombstone of a missed deletion; here its last known state counts, "
    "because a write of the deleted object would stay otherwise."
)
def test_s198_a_deletion_that_was_missed_counts_by_its_last_known_state(make: Make) -> None:
    """A missed deletion counts by its last known state, if there is one."""
    cache = make(include_adds=True)
    cache.mutation(pod("a", "8"))
    cache.on_delete(DeletedFinalStateUnknown("default/a"))
    assert version_of(cache.get_by_key("default/a")) == "8", "nobody knows which one was deleted"
    cache.on_delete(DeletedFinalStateUnknown("default/a", pod("a", "3")))
    assert cache.get_by_key("default/a") is None


def test_s198_a_tombstone_never_hides_the_store(make: Make, indexer: Indexer[Any]) -> None:
    """What is remembered of a deletion never hides what the store has."""
    cache = make()
    cache.on_delete(pod("a", "6"))
    indexer.add(pod("a", "5", "u0"))
    assert version_of(cache.get_by_key("default/a")) == "5"
    assert [version_of(obj) for obj in cache.by_index("node", "n1")] == ["5"]


def test_s197_by_index_gives_the_newer_objects_and_the_overlays_own(
    make: Make, indexer: Indexer[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """`by_index` looks at the overlay's version of an object, and with `include_adds` at what it alone has."""
    cache = make(include_adds=True)
    indexer.add(pod("a", "5"))
    indexer.add(pod("b", "5"))
    indexer.add(pod("elsewhere", "5", node="n2"))
    cache.mutation(pod("a", "6", node="n2"))
    cache.mutation(pod("c", "7"))
    cache.mutation(pod("d", "8", node="n3"))
    cache.mutation(pod("e", "9", node="broken"))
    cache.on_delete(pod("f", "9"))
    found = {obj["metadata"]["name"]: version_of(obj) for obj in cache.by_index("node", "n1")}
    assert found == {"a": "6", "b": "5", "c": "7"}
    assert any("index function 'node' failed on default/e" in message for message in caplog.messages)
    assert {obj["metadata"]["name"] for obj in cache.by_index("node", "n2")} == {"elsewhere", "a"}
    with pytest.raises(IndexNotFoundError):
        cache.by_index("zone", "z1")


def test_s197_an_object_leaves_the_overlay_when_its_time_is_over(make: Make, clock: FakeClock) -> None:
    """An entry leaves the overlay when its time to live is over."""
    cache = make(include_adds=True, ttl=60)
    cache.mutation(pod("a", "6"))
    clock.now += 60
    assert version_of(cache.get_by_key("default/a")) == "6"
    clock.now += 0.1
    assert cache.by_index("node", "n1") == []
    assert cache.get_by_key("default/a") is None


def test_s197_the_overlay_keeps_the_hundred_that_were_used_last(make: Make) -> None:
    """The overlay keeps the 100 entries that were used last."""
    cache = make(include_adds=True)
    for number in range(100):
        cache.mutation(pod(f"p{number}", "6"))
    assert cache.get_by_key("default/p0") is not None
    cache.mutation(pod("one more", "6"))
    assert cache.get_by_key("default/p1") is None
    assert cache.get_by_key("default/p0") is not None
    assert len(cache.by_index("node", "n1")) == 100


def test_s197_a_version_once_given_is_not_taken_back(indexer: Indexer[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The store takes a write over, and the overlay forgets it, between the two looks of one read."""
    cache: MutationCache[Any] = MutationCache(indexer)
    indexer.add(pod("a", "5"))
    cache.mutation(pod("a", "6"))
    for where, name in ((cache._backing, "get"), (cache._overlay, "get")):
        look = getattr(where, name)

        def looked(key: str, look: Callable[[str], Any] = look) -> Any:
            seen = look(key)
            indexer.update(pod("a", "6"))
            cache.on_add_or_update(pod("a", "6"))
            return seen

        monkeypatch.setattr(where, name, looked)
    assert version_of(cache.get_by_key("default/a")) == "6"


@pytest.fixture
def informer() -> Iterator[Any]:
    body = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "5"}, "items": [pod("a", "5")]}
    informer = new_shared_index_informer(
        ListWatch(lambda options: body, lambda options: []),
        PODS,
        indexers={"node": "spec.nodeName", "name": lambda obj: [obj.name]},
    )
    informer.start()
    assert informer.wait_for_cache_sync(10)
    yield informer
    assert informer.shutdown(5) == []


@pytest.mark.parametrize("form", ["dict", "model", "KubeObject"])
def test_s197_over_an_informer_writes_come_back_as_the_informers_objects(informer: Any, form: str) -> None:
    """Over an informer's indexer a write may be a dict, a model or a KubeObject, and is read as a KubeObject."""
    model = client.V1Pod(
        api_version="v1",
        kind="Pod",
        metadata=client.V1ObjectMeta(namespace="default", name="a", uid="u1", resource_version="6"),
        spec=client.V1PodSpec(containers=[], node_name="n2"),
    )
    written = {
        "dict": pod("a", "6", node="n2"),
        "model": model,
        "KubeObject": KubeObject(orjson.dumps(pod("a", "6", node="n2")), "v1/pods"),
    }[form]
    cache = new_integer_resource_version_mutation_cache(informer.indexer(), include_adds=True)
    cache.mutation(written)
    found = cache.get_by_key("default/a")
    assert isinstance(found, KubeObject)
    assert (found.resource_version, found.resource, found["spec"]["nodeName"]) == ("6", "v1/pods", "n2")
    cache.mutation(pod("b", "7", node="n2"))
    assert sorted(obj.name for obj in cache.by_index("node", "n2")) == ["a", "b"]
    assert sorted(obj.name for obj in cache.by_index("name", "b")) == ["b"]
    assert [obj.resource_version for obj in cache.by_index("node", "n1")] == ["6"]


def test_s197_over_a_typed_informer_models_come_back(informer: Any) -> None:
    """Over a typed informer's indexer reads give what the informer gives."""
    names = informer.with_conversion(lambda obj: f"{obj.name}@{obj.resource_version}")
    cache = MutationCache(names.indexer())
    cache.mutation(pod("a", "6"))
    assert cache.get_by_key("default/a") == "a@6"


def test_s197_bad_arguments_are_named(indexer: Indexer[Any]) -> None:
    """A bad argument is an error that names it."""
    with pytest.raises(TypeError, match="backing_cache must be an informer's indexer or an Indexer, not dict"):
        MutationCache({})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ttl must be above 0"):
        MutationCache(indexer, ttl=0)
