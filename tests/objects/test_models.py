"""Models of the kubernetes package: made from a KubeObject on demand, afresh each time."""

from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from object_samples import POD, kube_object, pod

from kubeinformer import ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.informers.generated.resources import BUILT_IN
from kubeinformer.testing import APIServer


def test_object_becomes_the_model_of_its_kind() -> None:
    model: Any = kube_object().to_model()
    assert (model.api_version, model.kind, model.metadata.name) == ("v1", "Pod", "web-0")
    assert model.spec.containers[0].ports[1].container_port == 443
    assert model.metadata.deletion_timestamp == datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    assert model.metadata.annotations == POD["metadata"]["annotations"]
    assert type(model) is client.V1Pod


def test_model_is_fresh_each_time() -> None:
    obj = kube_object()
    first, second = obj.to_model(), obj.to_model()
    assert first == second
    first.metadata.labels["app"] = "other"
    first.spec.containers.clear()
    assert obj.to_model() == second
    assert obj.labels["app"] == "web"
    assert len(obj["spec"]["containers"]) == 2


@pytest.mark.parametrize("resource", [resource for resource in BUILT_IN if resource.model], ids=str)
def test_every_built_in_kind_has_its_model(resource: Any) -> None:
    content = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "x"}}
    try:
        made = type(kube_object(content).to_model()).__name__
    except ValueError as refused:
        # Some kinds cannot be empty. Releases of the kubernetes package differ in what they say then.
        made = str(refused)
    assert resource.model in made or "must not be `None`" in made


def test_kind_without_a_model_is_a_type_error_that_says_what_to_do() -> None:
    obj = kube_object({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "x"}})
    with pytest.raises(TypeError, match=r"example.com/v1 Widget: use to_dict\(\)"):
        obj.to_model()


def test_model_that_fails_validation_is_a_value_error() -> None:
    obj = kube_object(pod("x", containers=None))
    with pytest.raises(ValueError, match="containers"):
        obj.to_model()
    assert obj["spec"] == {"containers": None}


@pytest.fixture
def server() -> Iterator[APIServer]:
    with APIServer() as server:
        yield server


@pytest.fixture
def factory(server: APIServer) -> Iterator[SharedInformerFactory]:
    factory = SharedInformerFactory(server.api_client())
    yield factory
    assert factory.shutdown(timeout=10) == []


def test_typed_informer_gives_models_everywhere(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a", containers=[{"name": "c"}]))
    typed = factory.core().v1().pods().typed()
    added: list[Any] = []
    arrived = threading.Event()

    def arrive(model: client.V1Pod) -> None:
        added.append(model)
        arrived.set()

    typed.informer().add_event_handler(ResourceEventHandlerFuncs(add_func=arrive))
    typed.informer().add_indexers({"container": lambda model: [one.name for one in model.spec.containers]})
    factory.start()
    factory.wait_for_cache_sync(timeout=30)
    assert arrived.wait(30)
    indexer, lister = typed.informer().indexer(), typed.lister()
    found = [
        added[0],
        indexer.get_by_key("default/a"),
        *indexer.list(),
        *indexer.by_index("container", "c"),
        *indexer.iter(),
        *lister.list(),
        lister.pods("default").get("a"),
    ]
    assert [type(model) for model in found] == [client.V1Pod] * 7
    assert {model.metadata.name for model in found} == {"a"}
    assert found[1] is not found[2]


def test_typed_and_untyped_are_the_same_informer(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a", containers=[{"name": "c"}]))
    pods = factory.core().v1().pods()
    pods.typed().informer()
    with factory.running(timeout=30):
        assert pods.informer().indexer().list_keys() == ["default/a"]
        assert pods.typed().informer().indexer().list_keys() == ["default/a"]
        assert [request.verb for request in server.requests if request.verb == "watch"] == ["watch"]


def test_model_that_fails_validation_is_reported_and_stops_nothing(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    informer = factory.core().v1().pods().typed().informer()
    added: list[Any] = []
    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added.append))
    for name, containers in (("a", [{"name": "c"}]), ("b", None), ("c", [{"name": "c"}])):
        server.create(pod(name, containers=containers))
    with caplog.at_level(logging.ERROR, "kubeinformer"):
        factory.start()
        factory.wait_for_cache_sync(timeout=30)
        synced = threading.Event()
        while not registration.has_synced():
            assert not synced.wait(0.01)
    assert sorted(model.metadata.name for model in added) == ["a", "c"]
    assert registration.errors() == 1
    reports = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(reports) == 1
    assert "default/b" in reports[0]
    assert "containers" in reports[0]
    assert factory.core().v1().pods().lister().pods("default").get("b").get_path("spec.containers", 0) is None
