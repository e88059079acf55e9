"""Indexers of an informer: declared and Python's, before and after the start, and when they fail (2.B, §161)."""

from __future__ import annotations

import logging
import threading

import orjson
import pytest
from informer_support import assert_equal_to_server, eventually

from kubeinformer import ClosedError, IndexNotFoundError, KubeObject, SharedInformerFactory, index
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


def fill(server: APIServer, count: int = 12) -> None:
    for number in range(count):
        owner = f"rs-{number % 2}"
        server.create(pod(f"web-{number}", node=f"node-{number % 3}", labels={"app": f"a{number % 4}"}, owner=owner))


def test_declared_and_python_indexers_agree(server: APIServer, factory: SharedInformerFactory) -> None:
    fill(server)
    informer = factory.core().v1().pods().informer()
    informer.add_indexers(
        {
            "node": "spec.nodeName",
            "owner": index.controller_owner(),
            "replica_set": index.controller_owner("ReplicaSet"),
            "app": "metadata.labels.app",
            "node_app": index.join("spec.nodeName", "metadata.labels.app"),
            "image": "spec.containers[*].image",
            "python_node": lambda obj: [obj["spec"]["nodeName"]],
            "python_app": lambda obj: [obj.labels["app"], obj.labels["app"]],
            "none": lambda obj: [],
        }
    )
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    indexer = informer.indexer()
    for declared, python in (("node", "python_node"), ("app", "python_app")):
        values = sorted(indexer.list_index_func_values(declared))
        assert values == sorted(indexer.list_index_func_values(python))
        for value in values:
            assert indexer.index_keys(declared, value) == indexer.index_keys(python, value) != []
    assert sorted(indexer.list_index_func_values("owner")) == ["default/ReplicaSet/rs-0", "default/ReplicaSet/rs-1"]
    assert len(indexer.by_index("replica_set", "default/rs-1")) == 6
    assert indexer.index_keys("node_app", "node-1/a1") == ["default/web-1"]
    assert indexer.count("image", "registry.example.com/shop/web:1.42.0") == 12
    assert indexer.list_index_func_values("none") == []
    same = indexer.index("node", indexer.list()[0])
    assert len(same) == 4
    server.update(pod("web-0", node="node-2", labels={"app": "moved"}))
    eventually(lambda: indexer.index_keys("python_app", "moved") == ["default/web-0"], "the python index moves")
    assert indexer.index_keys("app", "moved") == ["default/web-0"]
    assert "default/web-0" not in indexer.index_keys("node", "node-0")
    assert_equal_to_server(server, informer)


def test_s18_s19_unknown_index_and_unknown_value(server: APIServer, factory: SharedInformerFactory) -> None:
    fill(server, 1)
    indexer = factory.core().v1().pods().informer().indexer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    for call in (
        lambda: indexer.by_index("nodes", "node-1"),
        lambda: indexer.index_keys("nodes", "node-1"),
        lambda: indexer.index("nodes", indexer.list()[0]),
        lambda: indexer.count("nodes", "node-1"),
        lambda: indexer.project(["metadata.name"], index="nodes", value="node-1"),
    ):
        with pytest.raises(IndexNotFoundError, match="Index with name nodes does not exist"):
            call()
    assert indexer.list_index_func_values("nodes") == []
    assert indexer.by_index("namespace", "nowhere") == []


def test_s21_s161_indexers_added_while_it_runs(server: APIServer, factory: SharedInformerFactory) -> None:
    fill(server)
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    stop = threading.Event()

    def churn() -> None:
        version = 0
        while not stop.is_set():
            version += 1
            for number in range(12):
                server.update(pod(f"web-{number}", node=f"node-{(number + version) % 3}"))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        informer.add_indexers({"node": "spec.nodeName"})
        informer.add_indexers({"python_node": lambda obj: [obj["spec"]["nodeName"]]})
        with pytest.raises(ValueError, match="indexer conflict: node"):
            informer.add_indexers({"new": "spec.nodeName", "node": "spec.nodeName"})
    finally:
        stop.set()
        thread.join()
    indexer = informer.indexer()
    assert_equal_to_server(server, informer)
    assert sorted(indexer.get_indexers()) == ["namespace", "node", "python_node"]
    for value in indexer.list_index_func_values("node"):
        assert indexer.index_keys("node", value) == indexer.index_keys("python_node", value)
    factory.shutdown(10)
    with pytest.raises(ClosedError):
        informer.add_indexers({"late": "spec.nodeName"})


def test_s16_an_index_function_that_raises_is_reported_and_the_object_is_in_the_cache(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    fill(server, 3)
    informer = factory.core().v1().pods().informer()

    def picky(obj: KubeObject) -> list[str]:
        if obj.annotations.get("version") is None and obj.name == "web-1":
            raise LookupError("no version")
        return ["good"]

    informer.add_indexers({"picky": picky, "wrong": lambda obj: obj.name, "numbers": lambda obj: [1]})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    indexer = informer.indexer()
    assert indexer.index_keys("picky", "good") == ["default/web-0", "default/web-2"]
    assert indexer.get_by_key("default/web-1") is not None
    errors = informer.index_errors()
    assert list(errors["picky"]) == ["default/web-1"]
    assert isinstance(errors["picky"]["default/web-1"], LookupError)
    assert len(errors["wrong"]) == len(errors["numbers"]) == 3
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert sum("'picky' failed on default/web-1" in message for message in messages) == 1
    with pytest.raises(LookupError, match="no version"):
        indexer.index("picky", indexer.get_by_key("default/web-1"))  # type: ignore[arg-type]
    server.update(pod("web-1", annotations={"version": "1"}))
    eventually(lambda: len(indexer.by_index("picky", "good")) == 3, "the next version is indexed")
    assert "picky" not in informer.index_errors()
    server.delete("pods", "web-0")
    eventually(lambda: len(informer.index_errors()["wrong"]) == 2, "errors of deleted objects go")


def test_a_bad_indexer_is_refused_and_nothing_is_added(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    with pytest.raises(ValueError, match=r"spec\.\[0"):
        informer.add_indexers({"fine": "spec.nodeName", "bad": "spec.[0"})
    with pytest.raises(TypeError, match="indexers"):
        informer.add_indexers({"bad": 5})  # type: ignore[dict-item]
    assert informer.indexer().get_indexers() == ["namespace"]


def test_readings_of_many_objects(server: APIServer, factory: SharedInformerFactory) -> None:
    import orjson

    fill(server)
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"node": "spec.nodeName"})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    indexer = informer.indexer()
    names = sorted(f"web-{number}" for number in range(12))
    assert sorted(obj["metadata"]["name"] for obj in orjson.loads(indexer.list_json())) == names
    assert len(orjson.loads(indexer.list_json("app in (a0, a1)", "default"))) == 6
    assert orjson.loads(indexer.list_json(namespace="nowhere")) == []
    rows = indexer.project(["metadata.name", "spec.containers[*].name", "spec.missing"], index="node", value="node-0")
    assert sorted(rows) == sorted((f"web-{number}", ("web",), None) for number in (0, 3, 6, 9))
    assert sorted(obj.name for obj in indexer.iter(chunk=5)) == names
    assert len(indexer) == indexer.count() == 12
    assert "default/web-0" in indexer
    assert "default/web-99" not in indexer
    assert indexer.get({"metadata": {"name": "web-3", "namespace": "default"}}).name == "web-3"  # type: ignore[union-attr]


def test_no_index_error_keeps_the_objects_of_its_batch_alive(server: APIServer, factory: SharedInformerFactory) -> None:
    def fails(obj: KubeObject) -> list[str]:
        try:
            raise KeyError(obj.name)
        except KeyError as error:
            raise LookupError("no index") from error

    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"fails": fails})
    server.create(pod("a"))
    with factory.running(timeout=10):
        error = informer.index_errors()["fails"]["default/a"]
        assert error.__traceback__ is None
        assert isinstance(error.__cause__, KeyError)
        assert error.__cause__.__traceback__ is None


def test_an_index_value_of_many_objects(server: APIServer, factory: SharedInformerFactory) -> None:
    """More than are copied out in one go (see `rust/py/src/informer/reads.rs`)."""
    for number in range(300):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    names = sorted(f"default/web-{number}" for number in range(300))
    assert informer.indexer().index_keys("namespace", "default") == names
    assert sorted(obj.key for obj in informer.indexer().by_index("namespace", "default")) == names


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_the_pieces_of_a_json_array_are_the_array(
    server: APIServer, factory: SharedInformerFactory, chunk: int
) -> None:
    informer = factory.core().v1().pods().informer()
    with factory.running(timeout=10):
        indexer = informer.indexer()
        assert list(indexer.iter_json(chunk=chunk)) == [b"[]"]
        for name, namespace in [("a", "one"), ("b", "two"), ("c", "one"), ("d", "one")]:
            server.create(pod(name, namespace, labels={"name": name}))
        assert informer.wait_for_resource_version(server.resource_version, timeout=10)
        for selector, space in [(None, None), (None, "one"), ("name in (a, b)", None), ("name=x", None)]:
            pieces = list(indexer.iter_json(selector, space, chunk=chunk))
            listed = indexer.list(selector) if space is None else indexer.by_index("namespace", space)
            assert len(pieces) == max(1, -(-len(listed) // chunk))
            assert sorted(obj["metadata"]["name"] for obj in orjson.loads(b"".join(pieces))) == sorted(
                obj.name for obj in listed
            )
        with pytest.raises(ValueError, match="chunk must be at least 1"):
            indexer.iter_json(chunk=0)
