"""Metadata alone, as a real server cuts it: by LIST, watch-list and watch, of pods and of a custom resource."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from kubernetes.client import ApiClient

from informer.informer_support import cached, eventually, informer_threads
from kubeinformer import ControllerOptions, Resource
from kubeinformer.informers import MetadataSharedInformerFactory

from .crd import create_crd, delete_crd
from .informer_oracle import Replay, list_objects
from .rest import request
from .workload import pod

Make = Callable[..., MetadataSharedInformerFactory]
PODS = Resource("", "v1", "pods", "Pod")


@pytest.fixture
def make_metadata_factory(api_client: ApiClient, namespace: str) -> Iterator[Make]:
    """Factories for the test's namespace; after it no thread of theirs may be left."""
    factories: list[MetadataSharedInformerFactory] = []

    def make(**options: Any) -> MetadataSharedInformerFactory:
        factory = MetadataSharedInformerFactory(
            api_client, namespaces=[namespace], options=ControllerOptions(**options)
        )
        factories.append(factory)
        return factory

    yield make
    for factory in factories:
        assert factory.shutdown(timeout=15) == []
    assert informer_threads() == []


def metadata_of(api_client: ApiClient, resource: Resource, namespace: str) -> dict[str, Any]:
    """What a cache of metadata has to hold, cut here from whole objects."""
    objects = list_objects(api_client, resource, namespaces=[namespace])
    head = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"}
    return {key: head | {"metadata": obj["metadata"]} for key, obj in objects.items()}


@pytest.mark.parametrize("use_watch_list", [True, False])
def test_pods_are_cut_by_the_server(
    api_client: ApiClient, namespace: str, make_metadata_factory: Make, use_watch_list: bool
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    names = [request(api_client, "POST", path, pod(i, namespace=namespace))["metadata"]["name"] for i in range(12)]
    factory = make_metadata_factory(use_watch_list=use_watch_list, page_size=5)
    pods = factory.for_resource("v1", "pods")
    informer, replay = pods.informer(), Replay()
    informer.add_indexers({"app": "metadata.labels.app", "node": "spec.nodeName"})
    informer.add_event_handler(replay)
    factory.start()
    factory.wait_for_cache_sync(timeout=30)
    counters = informer.controller.reflectors[namespace].counters()
    assert (counters.watch_lists, counters.lists) == ((1, 0) if use_watch_list else (0, 1))
    assert cached(informer) == metadata_of(api_client, PODS, namespace)
    eventually(informer.is_live, "it watches")

    request(api_client, "POST", path, pod(100, namespace=namespace))
    request(api_client, "PATCH", f"{path}/{names[0]}", {"metadata": {"labels": {"app": "changed"}}})
    request(api_client, "PATCH", f"{path}/{names[1]}/status", {"status": {"message": "only the version changes"}})
    request(api_client, "DELETE", f"{path}/{names[2]}", gracePeriodSeconds=0)
    eventually(lambda: cached(informer) == metadata_of(api_client, PODS, namespace), "the cache follows the watch")
    assert informer.indexer().index_keys("app", "changed") == [f"{namespace}/{names[0]}"]
    assert informer.indexer().list_index_func_values("node") == []
    eventually(
        lambda: {key: orjson.loads(raw) for key, raw in replay.state.items()} == cached(informer), "the handler too"
    )
    assert replay.faults == []

    # What came by list and what came by watch are the same bytes.
    again = make_metadata_factory(use_watch_list=not use_watch_list)
    other = again.for_resource("v1", "pods").informer()
    with again.running(timeout=30):
        assert {obj.key: obj.raw for obj in other.indexer().list()} == {
            obj.key: obj.raw for obj in informer.indexer().list()
        }


def test_custom_resources_are_cut_too(api_client: ApiClient, namespace: str, make_metadata_factory: Make) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.kubeinformer.test"
    widgets = Resource(group, "v1", "widgets", "Widget")
    name = create_crd(api_client, group, "widgets", "Widget")
    try:
        path = widgets.path(namespace)
        for number in range(3):
            meta = {"name": f"w-{number}", "namespace": namespace, "annotations": {"n": str(number)}}
            body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": meta, "spec": {"size": number}}
            request(api_client, "POST", path, body)
        factory = make_metadata_factory()
        informer = factory.for_resource(f"{group}/v1", "widgets").informer()
        factory.start()
        factory.wait_for_cache_sync(timeout=30, fail_fast=False)
        eventually(informer.is_live, "it watches")
        request(api_client, "PATCH", f"{path}/w-1", {"spec": {"size": 7}})
        request(api_client, "DELETE", f"{path}/w-2")
        eventually(lambda: cached(informer) == metadata_of(api_client, widgets, namespace), "the cache follows")
        assert sorted(cached(informer)) == [f"{namespace}/w-0", f"{namespace}/w-1"]
    finally:
        delete_crd(api_client, name)
