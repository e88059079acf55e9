"""A `ListWatch` over the official client's own functions, on a real server, while pods come, change and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient, CoreV1Api
from kubernetes.watch import Watch

from informer.informer_support import eventually
from kubeinformer import ListOptions, Resource
from kubeinformer.cache import ListPager, ListWatch, new_shared_index_informer

from .churn import Churn
from .informer_oracle import POD_INDEXERS, Replay, assert_equal_to_server, list_objects
from .workload import create_pods

PODS = Resource("", "v1", "pods", "Pod", model="V1Pod")
COUNT = 40


class Stream:
    """The official Watch, with its own way to be stopped."""

    def __init__(self, function: Callable[..., Any], namespace: str, options: ListOptions) -> None:
        watch = Watch()
        self.stop = watch.stop
        self._events = watch.stream(function, namespace, **options.to_kwargs())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._events)


def models(api: CoreV1Api, namespace: str) -> ListWatch:
    function = api.list_namespaced_pod
    return ListWatch(
        lambda options: function(namespace, **options.to_kwargs()),
        lambda options: Stream(function, namespace, options),
    )


def raw_responses(api: CoreV1Api, namespace: str) -> ListWatch:
    function = api.list_namespaced_pod
    return ListWatch(
        lambda options: function(namespace, **options.to_kwargs(), _preload_content=False),
        lambda options: function(namespace, **options.to_kwargs(), watch=True, _preload_content=False),
        supports_watch_list=True,
    )


def from_client(api: CoreV1Api, namespace: str) -> ListWatch:
    return ListWatch.from_client(api.api_client, PODS, namespace)


@pytest.mark.parametrize("make", [raw_responses, from_client])
def test_the_bytes_are_those_of_the_server(
    api_client: ApiClient, namespace: str, make: Callable[[CoreV1Api, str], ListWatch]
) -> None:
    create_pods(api_client, COUNT, [namespace])
    informer = new_shared_index_informer(make(CoreV1Api(api_client), namespace), PODS, indexers=POD_INDEXERS)
    replay = Replay()
    informer.add_event_handler(replay)
    informer.start()
    try:
        assert informer.wait_for_cache_sync(timeout=30)
        counters = informer.controller.reflectors[""].counters()
        assert (counters.watch_lists, counters.lists) == (1, 0)
        with Churn(api_client, [namespace], range(COUNT), threads=2, writes=40, seed=1):
            pass
        assert_equal_to_server(api_client, informer, replay, namespaces=[namespace])
    finally:
        assert informer.shutdown(timeout=15) == []


def test_models_follow_the_server(api_client: ApiClient, namespace: str) -> None:
    create_pods(api_client, COUNT, [namespace])
    list_watch = models(CoreV1Api(api_client), namespace)
    informer = new_shared_index_informer(list_watch, PODS, indexers=POD_INDEXERS)
    replay = Replay()
    informer.add_event_handler(replay)
    informer.start()
    try:
        assert informer.wait_for_cache_sync(timeout=30)
        with Churn(api_client, [namespace], range(COUNT), threads=2, writes=40, seed=2):
            pass
        # A model is spelled in another way than the object it was made of, so versions are compared and not bytes.
        eventually(
            lambda: (
                {obj.key: obj.resource_version for obj in informer.indexer().list()}
                == {
                    key: obj["metadata"]["resourceVersion"]
                    for key, obj in list_objects(api_client, PODS, namespaces=[namespace]).items()
                }
            ),
            "the cache follows the server",
        )
        assert replay.faults == []
        assert [obj for obj in informer.indexer().list() if (obj.api_version, obj.kind) != ("v1", "Pod")] == []
    finally:
        assert informer.shutdown(timeout=15) == []


def test_a_pager_reads_the_collection_in_pages(api_client: ApiClient, namespace: str) -> None:
    create_pods(api_client, COUNT, [namespace])
    pager = ListPager(from_client(CoreV1Api(api_client), namespace).list, page_size=15)
    listed, paginated = pager.list()
    assert paginated
    expected = list_objects(api_client, PODS, namespaces=[namespace])
    names = sorted(obj["metadata"]["name"] for obj in expected.values())
    assert sorted(item["metadata"]["name"] for item in listed["items"]) == names
    seen: list[str] = []
    pager.each_list_item(None, lambda item: seen.append(item["metadata"]["name"]))
    assert seen == names
