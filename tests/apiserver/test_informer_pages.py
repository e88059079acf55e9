"""LIST in real pages, which a server gives only where it has no watch cache: changes and compactions between pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kubernetes.client import ApiClient

from informer.informer_support import eventually
from kubeinformer import ControllerOptions, KubeObject, Resource, SharedIndexInformer, SharedInformerFactory

from .binaries import Binaries
from .churn import Churn
from .cluster import Cluster
from .informer_oracle import POD_INDEXERS, Replay, assert_equal_to_server, list_objects
from .rest import request
from .tweaks import Before, Gate
from .workload import create_pods, pod

NAMESPACES = ["default", "other"]
PODS = 120
PAGE = 25  # five pages
PATH = "/api/v1/namespaces/default/pods"

MakeFactory = Callable[..., SharedInformerFactory]


@pytest.fixture(scope="module")
def uncached(binaries: Binaries) -> Iterator[Cluster]:
    """A cluster that reads everything from etcd, so that a compaction alone makes it forget."""
    with Cluster(binaries, extra_flags=["--watch-cache=false"]) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def writer(uncached: Cluster) -> Iterator[ApiClient]:
    with uncached.api_client() as api_client:
        create_pods(api_client, PODS, NAMESPACES)
        yield api_client


def start(factory: SharedInformerFactory) -> tuple[SharedIndexInformer[KubeObject], Replay]:
    informer, replay = factory.core().v1().pods().informer(), Replay()
    informer.add_indexers(POD_INDEXERS)
    informer.add_event_handler(replay)
    factory.start()
    return informer, replay


def test_what_happens_between_two_pages_comes_by_the_watch(writer: ApiClient, make_factory: MakeFactory) -> None:
    before, after = (pod(i, namespace="default") for i in (1_000_000, 1_000_001))
    before["metadata"]["name"], after["metadata"]["name"] = "aaa", "zzz"
    request(writer, "POST", PATH, after)
    pages = -(-len(list_objects(writer, Resource("", "v1", "pods"))) // PAGE)
    assert pages >= 3

    def change() -> None:
        request(writer, "POST", PATH, before)
        request(writer, "PATCH", f"{PATH}/zzz", {"metadata": {"labels": {"app": "changed"}}})

    before_page = Before(3, change)
    options = ControllerOptions(use_watch_list=False, page_size=PAGE)
    informer, replay = start(make_factory(writer, tweak_list_options=before_page, options=options))
    assert informer.wait_for_cache_sync(timeout=30)
    assert_equal_to_server(writer, informer, replay)
    assert before_page.requests == pages + 1  # and the watch
    assert ("add", "default/aaa", False) in replay.calls
    assert [call for call in replay.calls if call[1] == "default/zzz"] == [
        ("add", "default/zzz", True),
        ("update", "default/zzz", False),
    ]
    request(writer, "DELETE", PATH, fieldSelector="metadata.name=aaa", gracePeriodSeconds=0)
    request(writer, "DELETE", PATH, fieldSelector="metadata.name=zzz", gracePeriodSeconds=0)
    eventually(lambda: informer.indexer().get_by_key("default/zzz") is None, "both are gone")


def test_a_page_that_has_expired_makes_one_full_list(
    uncached: Cluster, writer: ApiClient, make_factory: MakeFactory
) -> None:
    before_page = Before(3, uncached.compact)
    options = ControllerOptions(use_watch_list=False, page_size=PAGE)
    informer, replay = start(make_factory(writer, tweak_list_options=before_page, options=options))
    assert informer.wait_for_cache_sync(timeout=30)
    eventually(informer.is_live, "it watches")
    assert before_page.requests == 3 + 1 + 1  # two pages, one that has expired, the full list and the watch
    assert informer.controller.reflectors[""].counters().failures == 0
    assert_equal_to_server(writer, informer, replay)
    assert len(replay.calls) == len(informer.indexer()), "nothing was told twice"


@pytest.mark.parametrize("use_watch_list", [True, False])
def test_a_compaction_between_two_watches_makes_a_list(
    uncached: Cluster, writer: ApiClient, make_factory: MakeFactory, gate: Gate, use_watch_list: bool
) -> None:
    options = ControllerOptions(use_watch_list=use_watch_list, page_size=PAGE, watch_timeout=1.0)
    informer, replay = start(make_factory(writer, tweak_list_options=gate, options=options))
    assert informer.wait_for_cache_sync(timeout=30)
    first = next(obj for obj in informer.indexer().iter() if obj.namespace == "default")
    gate.close()
    assert gate.waiting.wait(30)
    request(writer, "PATCH", f"{PATH}/{first.name}", {"metadata": {"annotations": {"gap": str(use_watch_list)}}})
    request(writer, "POST", PATH, pod(PODS, namespace="default"))
    request(writer, "DELETE", f"{PATH}/{pod(PODS)['metadata']['name']}", gracePeriodSeconds=0)
    uncached.compact()
    gate.open()
    assert_equal_to_server(writer, informer, replay)
    assert replay.of(first.key) == [("add", first.uid), ("update", first.uid)]
    counters = informer.controller.reflectors[""].counters()
    assert counters.relists == {"expired": 1}
    assert (counters.watch_lists, counters.lists) == ((2, 0) if use_watch_list else (0, 2))
    with Churn(writer, NAMESPACES, range(PODS), threads=2, writes=20, seed=use_watch_list):
        pass
    assert_equal_to_server(writer, informer, replay)
