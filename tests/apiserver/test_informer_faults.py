"""Servers that forget, die, hang and come back: whatever happens, the cache ends equal to a LIST and handlers know why.

Faults F2, F3, F4, F5, F11, F20 and F25 on a real API server. Where a test needs changes that no watch can have seen, it
holds the informer back in its tweak function, which every request has to pass.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from kubernetes.client import ApiClient

from informer.informer_support import cached, eventually
from kubeinformer import ControllerOptions, KubeObject, SharedIndexInformer, SharedInformerFactory

from .churn import Churn
from .cluster import Cluster
from .informer_oracle import POD_INDEXERS, Replay, assert_equal_to_server
from .rest import request
from .tweaks import Gate
from .workload import create_pods, pod

NAMESPACES = ["default", "other"]
PODS = 60
TIMEOUT = 30.0

MakeFactory = Callable[..., SharedInformerFactory]

pytestmark = pytest.mark.usefixtures("both_transports")

# A watch asks for two or three seconds, and no wait for a silent server is long.
IMPATIENT = ControllerOptions(watch_timeout=2.0, watch_grace=0.5, connect_timeout=1.0, first_byte_timeout=2.0)


@pytest.fixture
def writer(fresh_cluster: Cluster) -> Iterator[ApiClient]:
    with fresh_cluster.api_client() as patient:
        create_pods(patient, PODS, NAMESPACES)
        configuration = patient.configuration
    configuration.retries = False  # the churn tries again by itself, and urllib3 would warn each time
    with ApiClient(configuration) as api_client:
        yield api_client


def start(factory: SharedInformerFactory) -> tuple[SharedIndexInformer[KubeObject], Replay]:
    """Start an informer of all pods with all indices and a replay, without waiting for it."""
    informer, replay = factory.core().v1().pods().informer(), Replay()
    informer.add_indexers(POD_INDEXERS)
    informer.add_event_handler(replay)
    factory.start()
    return informer, replay


def wait_live(informer: SharedIndexInformer[KubeObject]) -> None:
    eventually(informer.is_live, "it is live", TIMEOUT)


@pytest.mark.parametrize("use_watch_list", [True, False])
def test_what_happened_in_a_gap_of_expired_history_is_told_as_it_is(
    fresh_cluster: Cluster, writer: ApiClient, make_factory: MakeFactory, gate: Gate, use_watch_list: bool
) -> None:
    pods = [pod(i, namespace=NAMESPACES[i % 2], node="node-new") for i in range(PODS + 10)]
    names = [pod["metadata"]["name"] for pod in pods]
    collections = [f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods" for pod in pods]

    def change(i: int, labels: dict[str, str]) -> None:
        request(writer, "PATCH", f"{collections[i]}/{names[i]}", {"metadata": {"labels": labels}})

    def delete(i: int) -> None:
        request(writer, "DELETE", f"{collections[i]}/{names[i]}", gracePeriodSeconds=0)

    def create(i: int) -> str:
        uid: str = request(writer, "POST", collections[i], pods[i])["metadata"]["uid"]
        return uid

    options = ControllerOptions(use_watch_list=use_watch_list)
    informer, replay = start(make_factory(writer, tweak_list_options=gate, options=options))
    wait_live(informer)
    # A watch that ends at once and without an event would be followed by a list in any case.
    change(PODS - 1, {"seen": "true"})
    eventually(lambda: len(replay.steps) == PODS + 1, "the first list and one event")
    first_steps = list(replay.steps)
    gate.close()  # and from here on it sees nothing
    fresh_cluster.kill_apiserver()
    fresh_cluster.start_apiserver()
    assert gate.waiting.wait(TIMEOUT)

    expected: list[tuple[str, str, str]] = []
    for i, its_pod in enumerate(pods):
        key = f"{its_pod['metadata']['namespace']}/{names[i]}"
        known = informer.indexer().get_by_key(key)
        if i >= PODS:
            expected.append(("add", key, create(i)))
            continue
        assert known is not None
        if i < 30:
            delete(i)
            expected.append(("tombstone", key, known.uid))
        if 10 <= i < 30:
            uid = create(i)
            if i >= 20:
                delete(i)
                uid = create(i)
            expected.append(("add", key, uid))
        if 30 <= i < 40:
            change(i, {"app": "moved"})
            change(i, {"tier": "moved"})
            expected.append(("update", key, known.uid))
    fresh_cluster.expire_history()
    assert replay.steps == first_steps
    eventually(lambda: not informer.is_live(), "it does not pass for live for long")
    gate.open()

    assert_equal_to_server(writer, informer, replay)
    assert sorted(replay.steps[len(first_steps) :]) == sorted(expected)
    assert replay.tombstones == 30
    assert sum(initial for _, _, initial in replay.calls) == PODS
    counters = informer.controller.reflectors[""].counters()
    assert counters.relists == {"expired": 1}
    assert (counters.watch_lists, counters.lists) == ((2, 0) if use_watch_list else (0, 2))
    with Churn(writer, NAMESPACES, range(PODS), writes=25) as churn:
        pass
    assert churn.done["failed"] == 0
    assert_equal_to_server(writer, informer, replay)
    assert replay.tombstones == 30
    assert informer.controller.reflectors[""].counters().relists == {"expired": 1}


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "expire_history"])
def test_an_api_server_that_ends_and_comes_back_among_writes(
    fresh_cluster: Cluster, writer: ApiClient, make_factory: MakeFactory, end: str
) -> None:
    informer, replay = start(make_factory(writer))
    wait_live(informer)
    with Churn(writer, NAMESPACES, range(PODS)) as churn:
        eventually(lambda: churn.total() > 100, "writes before", TIMEOUT)
        if end == "expire_history":
            fresh_cluster.expire_history()
        else:
            fresh_cluster.kill_apiserver(signal.Signals[end])
            eventually(lambda: not informer.is_live(), "it notices", TIMEOUT)
        late, late_replay = start(make_factory(writer))
        if end != "expire_history":
            eventually(lambda: "refused" in str(late.last_error()), "one that starts now is refused", TIMEOUT)
            fresh_cluster.start_apiserver()
        wait_live(informer)
        wait_live(late)
        before = churn.total()
        eventually(lambda: churn.total() > before + 100, "writes after", TIMEOUT)
    assert churn.done["failed"] > 0
    assert_equal_to_server(writer, informer, replay)
    assert_equal_to_server(writer, late, late_replay)
    assert informer.last_error() is late.last_error() is None


def test_a_silent_api_server_is_noticed_and_its_return_or_restart_too(
    fresh_cluster: Cluster, writer: ApiClient, make_factory: MakeFactory
) -> None:
    informer, replay = start(make_factory(writer, options=IMPATIENT))
    wait_live(informer)

    def pause() -> None:
        fresh_cluster.apiserver.pause()
        eventually(lambda: not informer.is_live(), "the silence is noticed", TIMEOUT)
        eventually(informer.last_error, "and has a reason", TIMEOUT)
        assert informer.has_synced()

    with Churn(writer, NAMESPACES, range(PODS)) as churn:
        eventually(lambda: churn.total() > 50, "writes before", TIMEOUT)
        pause()
        fresh_cluster.apiserver.resume()
        wait_live(informer)
        before = churn.total()
        eventually(lambda: churn.total() > before + 50, "writes between", TIMEOUT)
        pause()
        fresh_cluster.kill_apiserver()
        fresh_cluster.start_apiserver()
        wait_live(informer)
        before = churn.total()
        eventually(lambda: churn.total() > before + 50, "writes after", TIMEOUT)
    assert_equal_to_server(writer, informer, replay)
    assert informer.last_error() is None


def test_a_silent_etcd_stops_writes_but_no_informer(
    fresh_cluster: Cluster, writer: ApiClient, make_factory: MakeFactory
) -> None:
    informer, replay = start(make_factory(writer, options=IMPATIENT))
    wait_live(informer)
    reflector = informer.controller.reflectors[""]
    fresh_cluster.etcd.pause()
    watches = reflector.counters().watches
    eventually(lambda: reflector.counters().watches >= watches + 2, "watches end and are opened again", TIMEOUT)
    wait_live(informer)
    # A watch-list would wait for etcd; a LIST is answered from memory.
    late, late_replay = start(make_factory(writer, options=IMPATIENT))
    assert late.wait_for_cache_sync(timeout=TIMEOUT)
    assert cached(late) == cached(informer)
    late_counters = late.controller.reflectors[""].counters()
    assert (late_counters.watch_lists, late_counters.lists) == (1, 1)
    fresh_cluster.etcd.resume()
    with Churn(writer, NAMESPACES, range(PODS), writes=25):
        pass
    assert_equal_to_server(writer, informer, replay)
    assert_equal_to_server(writer, late, late_replay)
    assert reflector.counters().relists == {}


def test_a_stop_is_quick_while_the_server_is_silent(
    fresh_cluster: Cluster, writer: ApiClient, make_factory: MakeFactory
) -> None:
    watching, connecting = make_factory(writer), make_factory(writer, options=IMPATIENT)
    wait_live(start(watching)[0])
    fresh_cluster.apiserver.pause()
    start(connecting)
    assert watching.shutdown(timeout=5.0) == [], "a read ends at once"
    assert connecting.shutdown(timeout=5.0) == [], "an attempt to connect within connect_timeout"
    fresh_cluster.apiserver.resume()
