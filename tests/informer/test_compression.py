"""`compression="zstd"`: everything is as without it, but for the memory."""

from __future__ import annotations

import copy
import pickle
import threading
from functools import partial
from typing import Any

import pytest
from fault_support import Make
from informer_support import Recorder, eventually
from transform_support import relist, start

from kubeinformer import ControllerOptions, KubeObject, ResourceEventHandlerFuncs, SharedIndexInformer
from kubeinformer._core import InformerCore
from kubeinformer.cache import controller
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

COUNT = 40


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dictionary is learnt from fewer objects than a test has."""
    monkeypatch.setattr(controller, "InformerCore", partial(InformerCore, dictionary_samples=20))


def large_pod(number: int) -> dict[str, Any]:
    made = pod(f"web-{number}", labels={"app": "web", "number": str(number)}, node=f"node-{number % 3}")
    made["metadata"]["annotations"] = {"note": "a text that all of them have " * 40}
    made["metadata"]["finalizers"] = ["example.com/keep"]
    made["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
    ]
    return made


@pytest.fixture
def informers(server: APIServer, make_factory: Make) -> list[SharedIndexInformer[KubeObject]]:
    """One without compression, one with it."""
    for number in range(COUNT):
        server.create(large_pod(number))
    found = []
    for compression in (None, "zstd"):
        factory = make_factory(options={"compression": compression})
        informer = factory.core().v1().pods().informer()
        informer.add_indexers({"node": "spec.nodeName", "function": lambda obj: [obj["metadata"]["uid"]]})
        start(factory)
        found.append(informer)
    return found


def bytes_of(informer: SharedIndexInformer[KubeObject]) -> int:
    return informer._core.sizes()[1]


def test_objects_tell_the_same_and_take_a_fraction_of_the_memory(
    informers: list[SharedIndexInformer[KubeObject]],
) -> None:
    plain, compressed = informers
    assert bytes_of(compressed) < bytes_of(plain) / 2
    for expected in plain.indexer().list():
        obj = compressed.indexer().get_by_key(expected.key)
        assert obj is not None
        assert obj == expected
        assert hash(obj) == hash(expected)
        assert repr(obj) == repr(expected)
        for name in ("raw", "labels", "finalizers", "kind", "api_version", "uid", "generation", "resource_version"):
            assert getattr(obj, name) == getattr(expected, name), name
        for name in ("annotations", "owner_references", "controller_owner", "deletion_timestamp"):
            # A handle of its own: the first look may be at any of them.
            fresh = compressed.indexer().get_by_key(expected.key)
            assert getattr(fresh, name) == getattr(expected, name), name
        assert obj.to_dict() == expected.to_dict()
        assert obj.get_paths("spec.nodeName", "metadata.ownerReferences[*].uid", "no") == expected.get_paths(
            "spec.nodeName", "metadata.ownerReferences[*].uid", "no"
        )
        assert obj.to_dict("metadata.annotations") == expected.to_dict("metadata.annotations")
        assert obj["spec"]["nodeName"] == expected["spec"]["nodeName"]
        for duplicate in (pickle.loads(pickle.dumps(obj)), copy.copy(obj)):
            assert duplicate == obj == duplicate
        assert obj.to_model().spec.node_name == expected["spec"]["nodeName"]


def test_reads_of_the_store_are_the_same(informers: list[SharedIndexInformer[KubeObject]]) -> None:
    plain, compressed = (informer.indexer() for informer in informers)
    by_key = {"key": lambda found: found.key}
    assert sorted(plain.list(), **by_key) == sorted(compressed.list(), **by_key)
    assert sorted(plain.list("number in (3, 4)"), **by_key) == sorted(compressed.list("number in (3, 4)"), **by_key)
    paths = ["metadata.name", "spec.nodeName", "metadata.finalizers[*]", "metadata.annotations"]
    assert sorted(map(str, plain.project(paths))) == sorted(map(str, compressed.project(paths)))
    assert len(plain.list_json()) == len(compressed.list_json())
    for name in ("node", "function", "namespace"):
        values = plain.list_index_func_values(name)
        assert sorted(values) == sorted(compressed.list_index_func_values(name))
        for value in values:
            assert plain.index_keys(name, value) == compressed.index_keys(name, value)


def test_a_relist_of_what_did_not_change_is_silent(server: APIServer, make_factory: Make) -> None:
    for number in range(COUNT):
        server.create(large_pod(number))
    factory = make_factory(options={"compression": "zstd"})
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    start(factory)
    eventually(lambda: len(recorder.calls) == COUNT, "the first list")
    before = bytes_of(informer)
    relist(server, informer)
    assert bytes_of(informer) == before
    server.create(large_pod(COUNT))
    eventually(lambda: len(recorder.calls) == COUNT + 1, "what comes after it")
    assert recorder.calls[-1] == ("add", f"default/web-{COUNT}", False)


def test_old_and_new_of_an_update(server: APIServer, make_factory: Make) -> None:
    for number in range(COUNT):
        server.create(large_pod(number))
    factory = make_factory(options={"compression": "zstd"})
    informer = factory.core().v1().pods().informer()
    seen: list[tuple[str, str]] = []
    informer.add_event_handler(
        ResourceEventHandlerFuncs(
            update_func=lambda old, new: seen.append((old["spec"]["nodeName"], new.raw.decode())),
        )
    )
    start(factory)
    changed = server.get("pods", "web-1")
    changed["metadata"]["annotations"]["new"] = "1"
    server.update(changed)
    eventually(lambda: len(seen) == 1, "the update")
    assert seen[0][0] == "node-1"
    assert '"new":"1"' in seen[0][1]


def test_many_threads_look_at_one_handle(informers: list[SharedIndexInformer[KubeObject]]) -> None:
    expected = informers[0].indexer().get_by_key("default/web-1")
    assert expected is not None
    for _ in range(20):
        obj = informers[1].indexer().get_by_key("default/web-1")
        assert obj is not None
        results: list[bytes] = []

        def look(obj: KubeObject = obj, results: list[bytes] = results) -> None:
            results.append(obj.raw)

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [expected.raw] * 4


def test_a_large_object(server: APIServer, make_factory: Make) -> None:
    for number in range(COUNT):
        server.create(large_pod(number))
    large = large_pod(COUNT)
    large["metadata"]["annotations"]["large"] = "0123456789" * 20_000
    server.create(large)
    factory = make_factory(options={"compression": "zstd"})
    informer = factory.core().v1().pods().informer()
    start(factory)
    obj = informer.indexer().get_by_key(f"default/web-{COUNT}")
    assert obj is not None
    assert obj.annotations["large"] == "0123456789" * 20_000


@pytest.mark.usefixtures("server")
def test_another_compression_is_refused(make_factory: Make) -> None:
    factory = make_factory(options={"compression": "gzip"})
    with pytest.raises(ValueError, match='compression must be "zstd" or None, not "gzip"'):
        factory.core().v1().pods().informer()
    assert ControllerOptions().compression is None
