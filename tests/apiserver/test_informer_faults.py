"""A server that dies and comes back, and one that is silent at the stop; tests/faults/real has the other faults."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from kubernetes.client import ApiClient

from informer.informer_support import eventually
from kubeinformer import ControllerOptions, KubeObject, SharedIndexInformer, SharedInformerFactory

from .churn import Churn
from .cluster import Cluster
from .informer_oracle import POD_INDEXERS, Replay, assert_equal_to_server
from .workload import create_pods

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
