"""A filter of ours beside a selector of the server's: the same cache, the same steps, the same keys in a queue."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from kubernetes.client import ApiClient

from informer.informer_support import eventually
from kubeinformer import ControllerOptions, KubeObject, SharedInformerFactory, filter
from kubeinformer.workqueue import Queue

from .churn import Churn
from .informer_oracle import POD_INDEXERS, Replay, assert_equal_to_server
from .rest import delete_namespace
from .workload import create_pods

SELECTOR = "app in (my-app, search)"
PODS = 140


class Steps(Replay):
    """The final state of an object that left our filter is the last one in it, with its own version."""

    def _step(self, kind: str, obj: KubeObject) -> None:
        if kind == "delete" and self.state.get(obj.key) == obj.raw:
            self.steps.append((kind, obj.key, obj.uid))
        else:
            super()._step(kind, obj)


@pytest.fixture
def namespaces(api_client: ApiClient) -> Iterator[list[str]]:
    names = [f"filter-{uuid.uuid4().hex[:8]}-{letter}" for letter in "ab"]
    create_pods(api_client, PODS, names)
    yield names
    for name in names:
        delete_namespace(api_client, name)


@pytest.mark.parametrize("use_watch_list", [True, False])
def test_a_filter_is_what_a_selector_of_the_server_is(
    namespaces: list[str],
    api_client: ApiClient,
    make_factory: Callable[..., SharedInformerFactory],
    use_watch_list: bool,
) -> None:
    factory = make_factory(api_client, namespaces=namespaces, options=ControllerOptions(use_watch_list=use_watch_list))
    pods = factory.core().v1().pods
    selected, filtered = pods(label_selector=SELECTOR).informer(), pods(filter=filter.labels(SELECTOR)).informer()
    steps, queues = [Steps(), Steps()], [Queue[str](), Queue[str]()]
    apps: list[Queue[str]] = [Queue(), Queue()]
    for informer, its_steps, queue, app in zip((selected, filtered), steps, queues, apps, strict=True):
        informer.add_indexers(POD_INDEXERS)
        informer.add_event_handler(its_steps)
        informer.enqueue(queue, when=filter.changed("metadata.labels"))
        informer.enqueue(app, "metadata.labels.app")
    factory.start()
    factory.wait_for_cache_sync(timeout=60)
    assert 0 < len(filtered.indexer()) < PODS

    with Churn(api_client, namespaces, range(PODS), writes=150, seed=7) as churn:
        pass
    assert churn.done["failed"] == 0
    for informer, its_steps in zip((selected, filtered), steps, strict=True):
        assert_equal_to_server(api_client, informer, its_steps, namespaces=namespaces, label_selector=SELECTOR)
    keys = {key for _, key, _ in steps[0].steps}
    eventually(lambda: len(steps[0].steps) == len(steps[1].steps), "both have heard of everything")
    assert {key: steps[1].of(key) for key in keys} == {key: steps[0].of(key) for key in keys}
    assert steps[1].names("delete")
    for pair in (queues, apps):
        assert {queue_items(pair[0])} == {queue_items(pair[1])}
    assert steps[1].tombstones == 0


def queue_items(queue: Queue[str]) -> frozenset[str]:
    return frozenset(queue.get_batch(len(queue), timeout=0))
