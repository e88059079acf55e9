"""Factories by group, version and plural name: of whole objects, and of metadata alone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from informer_support import Recorder, eventually, widget

from kubeinformer import ControllerOptions, InformerName, KubeObject, transform
from kubeinformer.informers import DynamicSharedInformerFactory, MetadataSharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod
from kubeinformer.transport import HTTPTransport
from kubeinformer.transport.metadata import LIST_ACCEPT, WATCH_ACCEPT

Factory = DynamicSharedInformerFactory
Make = Callable[..., Any]


@pytest.mark.parametrize("use_watch_list", [True, False])
def test_metadata_alone_is_asked_for_and_kept(server: APIServer, make_dynamic: Make, use_watch_list: bool) -> None:
    server.create(pod("web-0", labels={"app": "web"}))
    options = ControllerOptions(use_watch_list=use_watch_list)
    factory = make_dynamic(MetadataSharedInformerFactory, options=options)
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


def test_metadata_of_two_resources_and_of_a_custom_one(widgets: APIServer, make_dynamic: Make) -> None:
    widgets.create(widget("w", 1))
    widgets.create(config_map("c"))
    factory = make_dynamic(MetadataSharedInformerFactory)
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
    server: APIServer, make_dynamic: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server.create(pod("web-0", labels={"app": "web"}))
    factory = make_dynamic(MetadataSharedInformerFactory, transport=OldServer(HTTPTransport(server.api_client())))
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


@pytest.mark.usefixtures("quick_backoff")
@pytest.mark.parametrize("cls", [DynamicSharedInformerFactory, MetadataSharedInformerFactory])
def test_a_factory_has_the_options_of_the_typed_one(
    server: APIServer, make_dynamic: Callable[..., Any], cls: type[DynamicSharedInformerFactory]
) -> None:
    server.create(pod("a"))
    failures: list[Exception] = []
    factory = make_dynamic(
        cls,
        transform=transform.drop("metadata.labels"),
        custom_resync_config={"pods": 30.0},
        watch_error_handler=lambda _reflector, error: failures.append(error),
        name=InformerName("my controller"),
    )
    informer = factory.for_resource("v1", "pods").informer()
    server.faults.close(times=1)
    with factory.running(timeout=10):
        assert [obj.labels for obj in informer.indexer().list()] == [{}]
        assert any("my controller/pods" in thread.name for thread in threading.enumerate())
    assert failures
