"""`SharedIndexer.snapshot`: what it answers stays as it was, whatever the store does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from informer_support import assert_equal_to_server, eventually

from kubeinformer import IndexNotFoundError, KubeObject, SharedIndexInformer, SharedInformerFactory
from kubeinformer.cache import IndexerSnapshot, SharedIndexer
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Informer = SharedIndexInformer[KubeObject]


def answers(indexer: SharedIndexer[KubeObject] | IndexerSnapshot[KubeObject], obj: KubeObject) -> dict[str, Any]:
    """What every reading method says, without the order that none promises."""

    def raws(objects: Any) -> list[bytes]:
        return sorted(obj.raw for obj in objects)

    names = indexer.get_indexers()
    values = {name: sorted(indexer.list_index_func_values(name)) for name in names}
    return {
        "by_key": [(found := indexer.get_by_key(key)) and found.raw for key in sorted(indexer.list_keys())],
        "get": (found := indexer.get(obj)) and found.raw,
        "list": raws(indexer.list()),
        "selected": raws(indexer.list("app in (a0, a1), !nothing")),
        "iter": raws(indexer.iter(chunk=7)),
        "values": values,
        "by_index": {name: [raws(indexer.by_index(name, value)) for value in values[name]] for name in names},
        "index_keys": {name: [indexer.index_keys(name, value) for value in values[name]] for name in names},
        "index": {name: raws(indexer.index(name, obj)) for name in names},
        "index_values": {name: indexer.index_values(name, obj) for name in names},
        "counts": {name: [indexer.count(name, value) for value in values[name]] for name in names},
        "json": sorted(indexer.list_json()),
        "json of a namespace": sorted(indexer.list_json("app=a0", "default")),
        "project": sorted(indexer.project(["metadata.name", "spec.nodeName", "metadata.labels.app"])),
        "project of an index": sorted(indexer.project(["metadata.name"], index="node", value="node-0")),
        "version": indexer.last_store_sync_resource_version(),
        "version of all namespaces": indexer.last_store_sync_resource_version("default"),
        "len": len(indexer),
        "count": indexer.count(),
        "in": [key in indexer for key in ("default/web-0", "default/new", "default/web-1")],
        "resource": indexer.resource,
    }


def fill(server: APIServer, factory: SharedInformerFactory, count: int = 40) -> Informer:
    for number in range(count):
        labels = {"app": f"a{number % 4}"}
        namespace = "default" if number % 3 else "kube-system"
        server.create(pod(f"web-{number}", namespace, node=f"node-{number % 3}", labels=labels))
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"node": "spec.nodeName", "python": lambda obj: [obj.labels["app"]]})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    return informer


def churn(server: APIServer, count: int = 40) -> None:
    for number in range(0, count, 2):
        namespace = "default" if number % 3 else "kube-system"
        server.update(pod(f"web-{number}", namespace, node="node-9", labels={"app": "moved"}))
    for number in range(1, count, 4):
        server.delete("pods", f"web-{number}", "default" if number % 3 else "kube-system")
    server.create(pod("new", node="node-0", labels={"app": "a0"}))


def test_every_answer_is_that_of_its_moment(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = fill(server, factory)
    indexer = informer.indexer()
    obj = indexer.list()[0]
    snapshot, then = indexer.snapshot(), answers(indexer, obj)
    assert answers(snapshot, obj) == then
    churn(server)
    assert_equal_to_server(server, informer)
    informer.add_indexers({"late": "metadata.labels.app"})
    assert answers(snapshot, obj) == then
    assert answers(indexer, obj) != then
    with pytest.raises(IndexNotFoundError):
        snapshot.by_index("late", "moved")
    with pytest.raises(IndexNotFoundError):
        snapshot.index("late", obj)
    later = indexer.snapshot()
    assert later.count("late", "moved") == 20
    now = answers(indexer, obj)
    assert informer.shutdown(timeout=10) == []
    assert answers(snapshot, obj) == then
    assert answers(later, obj) == now


def test_it_changes_nothing(server: APIServer, factory: SharedInformerFactory) -> None:
    snapshot = fill(server, factory).indexer().snapshot()
    for name in ("add_indexers", "add", "update", "delete", "replace"):
        assert not hasattr(snapshot, name)


def test_an_iteration_goes_on_over_what_there_was(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = fill(server, factory)
    expected = {obj.key: obj.resource_version for obj in informer.indexer().list()}
    iterator = informer.indexer().iter(chunk=3)
    seen = [next(iterator)]
    churn(server)
    assert_equal_to_server(server, informer)
    seen += iterator
    assert {obj.key: obj.resource_version for obj in seen} == expected
    assert len(seen) == len(expected)


def test_many_threads_read_one_while_the_store_moves_on(
    server: APIServer, factory: SharedInformerFactory, frequent_switches: None
) -> None:
    informer = fill(server, factory)
    indexer = informer.indexer()
    obj = indexer.list()[0]
    snapshot, then = indexer.snapshot(), answers(indexer, obj)
    done = threading.Event()

    def read() -> int:
        rounds = 0
        while not done.is_set() or rounds < 3:
            assert answers(snapshot, obj) == then
            other = indexer.snapshot()
            assert answers(other, obj) == answers(other, obj)
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            for _ in range(3):
                churn(server)
                assert_equal_to_server(server, informer)
                server.delete("pods", "new", "default")
                for number in range(1, 40, 4):
                    namespace = "default" if number % 3 else "kube-system"
                    server.create(pod(f"web-{number}", namespace, node="node-1", labels={"app": "a1"}))
        finally:
            done.set()
        assert all(reader.result(30) >= 3 for reader in readers)


def test_a_typed_one_gives_models(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().typed().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    snapshot = informer.indexer().snapshot()
    server.delete("pods", "web-0", "default")
    eventually(lambda: len(informer.indexer()) == 0, "it is gone")
    assert [model.metadata.name for model in snapshot.list()] == ["web-0"]
    assert [model.metadata.name for model in snapshot.iter()] == ["web-0"]


def test_versions_of_each_source(server: APIServer, make_factory: Callable[..., SharedInformerFactory]) -> None:
    for namespace in ("one", "two"):
        server.create(pod("web-0", namespace))
    factory = make_factory(namespaces=["one", "two"])
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    snapshot = informer.indexer().snapshot()
    versions = [informer.last_store_sync_resource_version(it) for it in (None, "one", "two")]
    server.update(pod("web-0", "two", labels={"app": "new"}))
    eventually(lambda: informer.indexer().list("app=new"), "the update came")
    assert [snapshot.last_store_sync_resource_version(it) for it in (None, "one", "two")] == versions
    with pytest.raises(ValueError, match="three"):
        snapshot.last_store_sync_resource_version("three")
