"""2,000 pods of 8 KB over verified TLS, and what happens to them: cache, indices and replay equal the server's LIST."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from kubernetes.client import ApiClient

from informer.informer_support import eventually
from kubeinformer import ControllerOptions, SharedInformerFactory

from .churn import Churn
from .cluster import Access
from .informer_oracle import POD_INDEXERS, Replay, assert_equal_to_server, assert_same_bytes_by_every_way
from .rest import delete_namespace, request
from .workload import create_pods

PODS = 2000
SELECTOR = "app=my-app"
SYNC_TIMEOUT = 60.0

MakeFactory = Callable[..., SharedInformerFactory]


@pytest.fixture(scope="module")
def fleet(cluster: Access) -> Iterator[list[str]]:
    """Four namespaces with 500 pods each."""
    names = [f"fleet-{uuid.uuid4().hex[:8]}-{number}" for number in range(4)]
    with cluster.api_client() as api_client:
        create_pods(api_client, PODS, names)
        yield names
        for name in names:
            delete_namespace(api_client, name)


@pytest.mark.parametrize("use_watch_list", [True, False])
def test_a_large_fleet_stays_equal_while_it_changes(
    fleet: list[str], api_client: ApiClient, make_factory: MakeFactory, use_watch_list: bool
) -> None:
    assert api_client.configuration.verify_ssl
    # Beside the LIST also watches that end all the time: their successors must neither miss nor repeat an event.
    options = ControllerOptions(use_watch_list=use_watch_list, watch_timeout=300.0 if use_watch_list else 1.0)
    factory = make_factory(api_client, options=options)
    pods, selected = factory.core().v1().pods(), factory.core().v1().pods(label_selector=SELECTOR)
    informer, selecting = pods.informer(), selected.informer()
    replay, selected_replay = Replay(), Replay()
    for each, its_replay in ((informer, replay), (selecting, selected_replay)):
        each.add_indexers(POD_INDEXERS)
        each.add_event_handler(its_replay)
    factory.start()
    factory.wait_for_cache_sync(timeout=SYNC_TIMEOUT)
    assert len(informer.indexer()) >= PODS * 0.8  # the test before deleted some
    first = len(informer.indexer())
    eventually(lambda: len(replay.calls) >= first, "the first list is handled")
    assert sum(initial for _, _, initial in replay.calls) == first

    with Churn(api_client, fleet, range(PODS), writes=250, seed=use_watch_list) as churn:
        pass
    assert min(churn.done[kind] for kind in ("label", "annotation", "status", "delete", "create")) > 10
    assert churn.done["failed"] == 0

    objects = assert_equal_to_server(api_client, informer, replay)
    chosen = assert_equal_to_server(api_client, selecting, selected_replay, label_selector=SELECTOR)
    assert chosen == {key: obj for key, obj in objects.items() if obj["metadata"]["labels"]["app"] == "my-app"}
    assert {obj.key for obj in selected.lister().list()} == {obj.key for obj in pods.lister().list(SELECTOR)}
    # All of it came over the watch: each write was an event, and nothing was listed a second time.
    assert len(replay.names("add")) - first == churn.done["create"]
    assert len(replay.names("delete")) == churn.done["delete"]
    assert len(replay.names("update")) >= churn.done["annotation"] + churn.done["status"]
    assert replay.tombstones == selected_replay.tombstones == 0
    for each in (informer, selecting):
        counters = each.controller.reflectors[""].counters()
        assert (counters.watch_lists, counters.lists) == ((1, 0) if use_watch_list else (0, 1))
        assert counters.relists == {}
        assert counters.watches == 0 if use_watch_list else counters.watches > 2


def test_leaving_and_entering_a_selector_are_delete_and_add(
    fleet: list[str], api_client: ApiClient, make_factory: MakeFactory
) -> None:
    factory = make_factory(api_client, namespaces=fleet[:1])
    everything, selected = factory.core().v1().pods(), factory.core().v1().pods(label_selector=SELECTOR)
    all_replay, replay = Replay(), Replay()
    everything.informer().add_event_handler(all_replay)
    selected.informer().add_event_handler(replay)
    factory.start()
    factory.wait_for_cache_sync(timeout=SYNC_TIMEOUT)
    inside = selected.lister().list()[0]
    path = f"/api/v1/namespaces/{inside.namespace}/pods/{inside.name}"
    request(api_client, "PATCH", path, {"metadata": {"labels": {"app": "search"}}})
    eventually(lambda: selected.informer().indexer().get_by_key(inside.key) is None, "it left")
    request(api_client, "PATCH", path, {"metadata": {"labels": {"app": "my-app"}}})
    eventually(lambda: len(replay.of(inside.key)) == 3, "it is back")
    assert replay.of(inside.key) == [("add", inside.uid), ("delete", inside.uid), ("add", inside.uid)]
    eventually(lambda: len(all_replay.of(inside.key)) == 3, "the other informer sees both changes")
    assert all_replay.of(inside.key) == [("add", inside.uid), ("update", inside.uid), ("update", inside.uid)]
    assert_equal_to_server(api_client, selected.informer(), replay, namespaces=fleet[:1], label_selector=SELECTOR)


@pytest.mark.parametrize("keep_managed_fields", [False, True])
def test_an_object_has_the_same_bytes_by_list_watch_list_and_watch(
    fleet: list[str], api_client: ApiClient, make_factory: MakeFactory, keep_managed_fields: bool
) -> None:
    options = ControllerOptions(keep_managed_fields=keep_managed_fields)
    factory = make_factory(api_client, namespaces=fleet[1:2], options=options)
    informer, replay = factory.core().v1().pods().informer(), Replay()
    informer.add_event_handler(replay)
    factory.start()
    factory.wait_for_cache_sync(timeout=SYNC_TIMEOUT)
    touched = {"touched": f'\u2028 <é> \U0001f600 "\\ {keep_managed_fields}'}
    for obj in informer.indexer().list():
        path = f"/api/v1/namespaces/{obj.namespace}/pods/{obj.name}"
        request(api_client, "PATCH", path, {"metadata": {"annotations": touched}})
    eventually(lambda: len(replay.names("update")) == len(informer.indexer()) > 100, "every pod came by the watch")
    by_watch = {obj.key: obj.raw for obj in informer.indexer().list()}
    assert all((b'"managedFields":' in raw) == keep_managed_fields for raw in by_watch.values())
    assert_same_bytes_by_every_way(
        make_factory, api_client, informer.resource, fleet[1:2], by_watch, keep_managed_fields=keep_managed_fields
    )
