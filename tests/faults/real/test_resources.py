"""Collections that are not there for a while, lists that are not streamed, and readers that are slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from apiserver.binaries import Binaries
from apiserver.churn import Churn
from apiserver.cluster import Cluster
from apiserver.crd import DEFINITIONS
from apiserver.rest import delete_namespace, ensure_namespace
from faults.accepted import AcceptedLog, EtcdLog
from faults.follower import Follower
from faults.journal import Journal
from faults.outcome import Outcome
from informer.informer_support import eventually
from kubeinformer import SharedInformerFactory
from kubeinformer.errors import APIStatusError

from .conftest import Follow, only_native
from .real_server import NAMESPACES, TIMEOUT, RealServer, writes

GROUP = "faults.example.com"
WIDGETS = f"/apis/{GROUP}/v1/widgets"
NAMESPACED = f"/apis/{GROUP}/v1/namespaces/default/widgets"


def define(rbac: RealServer, scope: str, *, served: bool = True) -> None:
    """Define widgets, and wait until they are served unless that would read them."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [version],
        },
    }
    rbac.write("POST", DEFINITIONS, definition)

    def established() -> bool:
        found = rbac.write("GET", f"{DEFINITIONS}/widgets.{GROUP}")
        conditions = {its["type"]: its["status"] for its in found.get("status", {}).get("conditions") or []}
        return conditions.get("Established") == "True"

    eventually(established, "it is established", TIMEOUT)
    if served:
        eventually(lambda: answers(rbac, WIDGETS), "it is served", TIMEOUT)


def undefine(rbac: RealServer) -> None:
    """Delete the definition and wait until it is gone, and its objects with it."""
    rbac.write("DELETE", f"{DEFINITIONS}/widgets.{GROUP}")
    eventually(lambda: not answers(rbac, f"{DEFINITIONS}/widgets.{GROUP}"), "it is gone", TIMEOUT)


def answers(rbac: RealServer, path: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        rbac.write("GET", path)
    except ApiException as error:
        if error.status in (404, 429, 503):
            return False
        raise
    return True


def widget(name: str, value: int = 0) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"value": value}}


class WidgetFollower(Follower):
    """Follows widgets of whatever scope."""

    def __init__(self, factory: SharedInformerFactory, direct: ApiClient, log: AcceptedLog) -> None:
        self.factory = factory
        self.direct = direct
        self.log = log
        self._label_selector = ""
        self.informer = factory.for_resource(f"{GROUP}/v1", "widgets").informer()
        self.journal = Journal()
        self.informer.add_event_handler(self.journal, backlog="grow")
        self._since = 0
        self._begun_with = None


@pytest.fixture
def widgets(rbac: RealServer, follow: Follow) -> Iterator[WidgetFollower]:
    """A follower of widgets, which are not defined yet and need not be afterwards."""
    log = EtcdLog(rbac.cluster.etcd_port, f"{GROUP}/widgets")
    follower = follow(rbac, cls=WidgetFollower)
    follower.log = log
    yield follower
    follower.factory.shutdown(timeout=TIMEOUT)
    log.close()
    if answers(rbac, f"{DEFINITIONS}/widgets.{GROUP}"):
        undefine(rbac)


def refused_with(follower: Follower, code: int) -> None:
    """Wait until requests are refused, and that can be seen."""

    def refused() -> bool:
        last = follower.informer.last_error()
        return last is not None and isinstance(last.error, APIStatusError) and last.error.code == code

    eventually(refused, f"the last error is {code}", TIMEOUT)


def test_f23_a_definition_goes_and_comes_back_with_another_scope(
    rbac: RealServer, widgets: WidgetFollower, outcome: Outcome
) -> None:
    """A CustomResourceDefinition is not there yet, is deleted, and comes back with another scope."""
    widgets.factory.start()
    refused_with(widgets, 404)
    define(rbac, "Namespaced")
    for name in "abc":
        rbac.write("POST", NAMESPACED, widget(name))
    widgets.check(TIMEOUT)
    widgets.wait_live(TIMEOUT)
    undefine(rbac)
    eventually(lambda: len(widgets.informer.indexer()) == 0, "its objects went", TIMEOUT)
    assert sorted(key for kind, key, _ in widgets.journal.steps if kind in ("delete", "tombstone")) == [
        f"default/{name}" for name in "abc"
    ]
    refused_with(widgets, 404)
    outcome.begins(bound="one backoff, at most 60 s after a long absence")
    define(rbac, "Cluster")
    for name in "cd":
        rbac.write("POST", WIDGETS, widget(name))
    outcome.recovered(widgets, within=TIMEOUT)
    assert sorted(widgets.journal.state) == ["c", "d"]


def test_f07_a_watch_cache_is_initialising(rbac: RealServer, widgets: WidgetFollower, outcome: Outcome) -> None:
    """The watch cache of a new resource cannot be filled for a while: no answer, or 429."""
    define(rbac, "Namespaced", served=False)
    rbac.cluster.etcd.pause()
    try:
        widgets.factory.start()
        eventually(widgets.informer.last_error, "it cannot be listed", TIMEOUT)
        outcome.begins(bound="one backoff, at least the server's retryAfterSeconds")
    finally:
        rbac.cluster.etcd.resume()
    for name in "abc":
        rbac.write("POST", NAMESPACED, widget(name))
    outcome.recovered(widgets, within=TIMEOUT)


def test_f24_a_namespace_is_deleted(rbac: RealServer, follow: Follow, outcome: Outcome) -> None:
    """One of the namespaces that an informer follows is deleted, and made again later."""
    follower = follow(rbac, factory={"namespaces": list(NAMESPACES)})
    follower.start()
    there = [obj.key for obj in follower.informer.indexer().iter() if obj.namespace == NAMESPACES[1]]
    assert there
    outcome.begins(bound="nothing to recover from: the watch goes on")
    delete_namespace(rbac.admin, NAMESPACES[1])
    follower.check(TIMEOUT)
    gone = [key for kind, key, _ in follower.journal.steps if kind in ("delete", "tombstone")]
    assert sorted(gone) == sorted(there)
    follower.wait_live(TIMEOUT)
    ensure_namespace(rbac.admin, NAMESPACES[1])
    with Churn(rbac.admin, NAMESPACES, range(20), threads=2, writes=20, seed=24):
        pass
    outcome.recovered(follower, within=TIMEOUT)
    assert not follower.relists_since_start()
    follower.factory.shutdown()


@only_native
def test_f15_a_slow_consumer(rbac: RealServer, follow: Follow, outcome: Outcome) -> None:
    """The client does not read, and the server ends its watch in the middle of history; one transport."""
    free = threading.Event()
    free.set()

    def slow(obj: dict[str, Any]) -> dict[str, Any]:
        assert free.wait(TIMEOUT)
        return obj

    follower = follow(rbac, watch_timeout=60.0, queue_bytes=65536, factory={"transform": slow})
    follower.start()
    reflector = follower.informer.controller.reflectors[""]
    watches = reflector.counters().watches
    free.clear()
    # More than the buffers of both kernels, the server and the queue can take.
    text = "x" * 200_000
    pods = list(follower.informer.indexer().iter())
    for number in range(100):
        pod = pods[number % len(pods)]
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        rbac.write("PATCH", path, {"metadata": {"annotations": {"text": text, "number": str(number)}}})
    outcome.begins(bound="the client's own slowness; no backoff")
    free.set()
    outcome.recovered(follower, within=TIMEOUT)
    assert reflector.counters().watches > watches, "the server had ended the watch"
    assert not follower.relists_since_start(), "and it was taken up where it ended"
    follower.factory.shutdown()


@pytest.fixture(scope="module")
def without_watch_list(binaries: Binaries) -> Iterator[RealServer]:
    """A server with the feature gate off."""
    with Cluster(binaries, extra_flags=["--feature-gates=WatchList=false"]) as cluster:
        server = RealServer(cluster)
        server.create_pods(20)
        yield server
        server.close()


def test_f12_watch_list_is_switched_off(without_watch_list: RealServer, follow: Follow, outcome: Outcome) -> None:
    """The server does not stream lists: its feature gate is off."""
    server = without_watch_list
    follower = follow(server)
    outcome.begins(bound="one request more, once for a server")
    follower.start()
    with server.churn() as churn:
        writes(churn)
    outcome.recovered(follower, within=TIMEOUT)
    assert not follower.relists_since_start()
    counters = follower.informer.controller.reflectors[""].counters()
    assert (counters.watch_lists, counters.lists) == (1, 1)
    second = follower.factory.for_resource("v1", "configmaps").informer()
    follower.factory.start()
    eventually(second.is_live, "the second informer is live", TIMEOUT)
    counters = second.controller.reflectors[""].counters()
    assert (counters.watch_lists, counters.lists) == (0, 1), "that is remembered"
