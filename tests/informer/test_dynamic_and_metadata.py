"""Factories by group, version and plural name: of whole objects, and of metadata alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from informer_support import Recorder, eventually, informer_threads

from kubeinformer import ControllerOptions, KubeObject, ListOptions
from kubeinformer.informers import DynamicSharedInformerFactory, MetadataSharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, custom_resource_definition, pod
from kubeinformer.transport import HTTPTransport
from kubeinformer.transport.metadata import LIST_ACCEPT, WATCH_ACCEPT

Factory = DynamicSharedInformerFactory
Make = Callable[..., Any]


@pytest.fixture
def make(server: APIServer) -> Iterator[Make]:
    factories: list[Factory] = []

    def make_one(cls: type[Factory], **arguments: Any) -> Factory:
        if "transport" not in arguments:
            arguments["api_client"] = server.api_client()
        factories.append(cls(**arguments))
        return factories[-1]

    yield make_one
    for factory in factories:
        assert factory.shutdown(timeout=10) == []
    assert informer_threads() == []


def widget(name: str, size: int) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "labels": {"size": str(size)}}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {"size": size}}


@pytest.fixture
def widgets(server: APIServer) -> APIServer:
    server.create(custom_resource_definition("example.com", "widgets", "Widget"))
    return server


def test_s183_a_dynamic_factory_takes_any_resource(widgets: APIServer, make: Make) -> None:
    widgets.create(widget("w", 1))
    widgets.create(pod("web-0"))
    factory = make(DynamicSharedInformerFactory)
    informer = factory.for_resource("example.com/v1", "widgets").informer()
    pods = factory.for_resource("v1", "pods")
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"widgets.example.com": True, "pods": True}
    widgets.create(widget("x", 2))
    eventually(lambda: recorder.names("add") == ["default/w", "default/x"], "list and event")
    found = informer.indexer().get_by_key("default/x")
    assert isinstance(found, KubeObject)
    assert found["spec"]["size"] == 2
    assert [obj.name for obj in pods.lister().list()] == ["web-0"]


def test_s172_a_dynamic_factory_keeps_one_informer_a_resource(server: APIServer, make: Make) -> None:
    factory = make(DynamicSharedInformerFactory)
    one, two = (factory.for_resource("apps/v1", "deployments").informer() for _ in range(2))
    assert one is two
    assert factory.for_resource("apps/v1", "replicasets").informer() is not one


def test_s178_the_options_of_a_dynamic_factory_are_those_of_each_informer(server: APIServer, make: Make) -> None:
    for namespace, app in (("a", "mine"), ("a", "other"), ("b", "mine")):
        server.create(config_map(f"{app}-{namespace}", namespace, labels={"app": app}))

    def tweak(options: ListOptions) -> None:
        options.label_selector = "app=mine"

    factory = make(DynamicSharedInformerFactory, namespaces=["a"], tweak_list_options=tweak)
    config_maps = factory.for_resource("v1", "configmaps")
    with factory.running(timeout=10) as running:
        assert running is factory
        assert [obj.key for obj in config_maps.lister().list()] == ["a/mine-a"]
        informer = running.for_resource("v1", "configmaps", namespaces=["b"]).informer()
        running.wait_for_cache_sync(timeout=10)
        assert informer.indexer().list_keys() == ["b/mine-b"]
        assert running.release(informer, timeout=10) == []
    assert config_maps.informer().is_stopped()


@pytest.mark.parametrize("use_watch_list", [True, False])
def test_metadata_alone_is_asked_for_and_kept(server: APIServer, make: Make, use_watch_list: bool) -> None:
    server.create(pod("web-0", labels={"app": "web"}))
    options = ControllerOptions(use_watch_list=use_watch_list)
    factory = make(MetadataSharedInformerFactory, options=options)
    pods = factory.for_resource("v1", "pods")
    recorder = Recorder()
    pods.informer().add_event_handler(recorder)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches()
    server.create(pod("web-1", labels={"app": "web"}))
    server.delete("pods", "web-0")
    eventually(lambda: ("delete", "default/web-0", False) in recorder.calls, "the events")
    assert [kind for kind, _, _ in recorder.calls] == ["add", "add", "delete"]
    (left,) = pods.lister().list("app=web")
    expected = server.get("pods", "web-1")["metadata"]
    expected.pop("managedFields", None)
    assert left.to_dict() == {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": expected,
    }
    assert orjson.loads(pods.informer().indexer().list_json()) == [left.to_dict()], "nothing else is in the cache"
    accepts = {(request.verb, request.headers["accept"]) for request in server.requests if request.resource == "pods"}
    lists = set() if use_watch_list else {("list", LIST_ACCEPT)}
    assert accepts - {("get", "application/json")} == {("watch", WATCH_ACCEPT)} | lists


def test_metadata_of_two_resources_and_of_a_custom_one(widgets: APIServer, make: Make) -> None:
    widgets.create(widget("w", 1))
    widgets.create(config_map("c"))
    factory = make(MetadataSharedInformerFactory)
    informers = [factory.for_resource("example.com/v1", "widgets"), factory.for_resource("v1", "configmaps")]
    with factory.running(timeout=10):
        listed = [obj for informer in informers for obj in informer.lister().list()]
        assert [(obj.name, obj.kind) for obj in listed] == [
            ("w", "PartialObjectMetadata"),
            ("c", "PartialObjectMetadata"),
        ]
        assert factory.for_resource("v1", "configmaps").informer().controller is informers[1].informer().controller


class OldServer:
    """A transport to a server that knows no forms but the whole."""

    def __init__(self, transport: HTTPTransport) -> None:
        self.capabilities = transport.capabilities
        self._transport = transport

    def request(self, path: str, query: Any, **arguments: Any) -> Any:
        return self._transport.request(path, query, **{**arguments, "accept": "application/json"})


def test_what_a_server_sends_whole_is_cut_and_reported_once(
    server: APIServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server.create(pod("web-0", labels={"app": "web"}))
    factory = make(MetadataSharedInformerFactory, transport=OldServer(HTTPTransport(server.api_client())))
    pods = factory.for_resource("v1", "pods")
    informer = pods.informer()
    informer.add_indexers({"kind": lambda obj: [f"{obj.kind} {'spec' in obj}"]})
    seen: list[KubeObject] = []
    recorder = Recorder()
    informer.add_event_handler(recorder)
    with factory.running(timeout=10):
        server.wait_for_watches()
        server.create(pod("web-1"))
        eventually(lambda: len(recorder.calls) == 2, "list and event")
        seen += [*pods.lister().list(), *informer.indexer().list(), pods.lister().get("default/web-1")]
        assert len(seen) == 5
        for obj in seen:
            assert sorted(obj.to_dict()) == ["apiVersion", "kind", "metadata"]
            assert (obj.api_version, obj.kind, obj.resource) == (
                "meta.k8s.io/v1",
                "PartialObjectMetadata",
                "v1/pods",
            )
        assert all(b'"spec"' not in raw for raw in recorder.state.values())
        assert informer.indexer().list_index_func_values("kind") == ["PartialObjectMetadata False"]
    assert [message for message in caplog.messages if "whole objects" in message] == [
        "v1/pods: the server sends whole objects where metadata was asked for"
    ]
