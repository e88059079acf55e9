"""2.M: the life of a shared informer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from informer_support import Recorder, eventually
from statements import differs

from kubeinformer import ClosedError, KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_s156_a_second_run_is_logged_and_returns_at_once(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """Running an informer that was started warns and returns at once, while it runs and after its end."""
    caplog.set_level(logging.WARNING, "kubeinformer")
    informer = factory.core().v1().pods().informer()
    stop = threading.Event()
    runner = threading.Thread(target=informer.run, args=(stop,), daemon=True)
    runner.start()
    assert informer.wait_for_cache_sync(10)
    assert caplog.text == ""
    informer.run(threading.Event())
    assert "pods was started before" in caplog.text
    assert informer.start() is False
    assert runner.is_alive()
    stop.set()
    runner.join(10)
    assert not runner.is_alive()
    server.clear_requests()
    informer.run(threading.Event())
    assert caplog.text.count("was started before") == 2
    assert informer.start() is False
    assert list(server.requests) == []


@differs(
    "client-go's turns true when its controller has ended, which is some time after the stop; here at the stop, "
    "because from then on no handler is told anything"
)
def test_s157_is_stopped_from_the_stop_on_and_for_ever(server: APIServer, factory: SharedInformerFactory) -> None:
    """An informer is stopped as soon as it is told to stop, while a handler still returns, and ever after."""
    informer = factory.core().v1().pods().informer()
    busy, leave = threading.Event(), threading.Event()
    told: list[str] = []

    def added(obj: KubeObject) -> None:
        told.append(obj.key)
        busy.set()
        assert leave.wait(10)

    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    assert not informer.is_stopped()
    factory.start()
    assert busy.wait(10)
    assert not informer.is_stopped()
    informer.stop()
    assert informer.is_stopped()
    leave.set()
    assert informer.shutdown(timeout=10) == []
    assert len(told) == 1
    assert informer.is_stopped()
    assert informer.start() is False
    assert informer.is_stopped()


def test_s158_has_synced_stays_true_through_an_outage_and_a_relist(
    server: APIServer, factory: SharedInformerFactory, quick_backoff: None
) -> None:
    """Once synced an informer says so for ever: without a server, while it lists again, and after its stop."""
    informer = factory.core().v1().pods().informer()
    factory.start()
    assert informer.wait_for_cache_sync(10)
    server.faults.refuse_connections()
    server.faults.drop_connections()
    eventually(lambda: not informer.is_live(), "nobody answers")
    assert informer.has_synced()
    server.create(pod("web-0"))
    server.compact()
    stalled = server.faults.stall(times=None)
    server.faults.accept_connections()
    eventually(lambda: server.faults.hits(stalled), "it asks again")
    assert informer.has_synced()
    server.faults.clear()
    server.faults.drop_connections()
    eventually(lambda: informer.indexer().get_by_key("default/web-0"), "the list after the outage")
    assert informer.has_synced()
    assert informer.shutdown(timeout=10) == []
    assert informer.has_synced()


def test_s159_an_informer_that_is_stopped_before_its_first_list_never_syncs(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """If the stop comes before the first list, the informer never says that it has synced, and no wait hangs on it."""
    stalled = server.faults.stall(times=None)
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(Recorder())
    factory.start()
    eventually(lambda: server.faults.hits(stalled), "it lists")
    informer.stop()
    assert informer.wait_for_cache_sync(10) is False
    assert informer.shutdown(timeout=10) == []
    assert not informer.has_synced()
    assert not registration.has_synced()


def test_s160_no_version_before_the_start(server: APIServer, factory: SharedInformerFactory) -> None:
    """The version of what was received last is empty before the start, and that of the list after it."""
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    assert informer.last_sync_resource_version() == ""
    factory.start()
    assert informer.wait_for_cache_sync(10)
    eventually(lambda: informer.last_sync_resource_version() == server.resource_version, "the version of the list")


def test_s161_indexers_are_added_to_a_running_informer_and_not_to_a_stopped_one(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """Indexers may be added while the informer runs, and index what it holds; after its stop they are an error."""
    server.create(pod("web-0", node="node-7"))
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"early": "spec.nodeName"})
    factory.start()
    assert informer.wait_for_cache_sync(10)
    informer.add_indexers({"declared": "spec.nodeName", "python": lambda obj: [obj["spec"]["nodeName"]]})
    server.create(pod("web-1", node="node-7"))
    eventually(lambda: len(informer.indexer()) == 2, "the second pod")
    for index in ("early", "declared", "python"):
        assert informer.indexer().index_keys(index, "node-7") == ["default/web-0", "default/web-1"]
    informer.stop()
    for indexers in ({"late": "spec.nodeName"}, {"late": lambda _: []}):
        with pytest.raises(ClosedError):
            informer.add_indexers(indexers)
    assert "late" not in informer.indexer().get_indexers()


@differs(
    "client-go can watch over its cache and end the process when somebody changed an object in it; here what is handed "
    "out is read-only or a copy, because a cache that nobody can change needs no watching"
)
def test_s164_nothing_that_is_handed_out_can_change_the_cache(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """No object, label or list that a handler or reader gets can be changed, and models and dicts are copies."""
    server.create(pod("web-0", node="node-7", labels={"app": "web"}))
    pods = factory.core().v1().pods()
    given: list[KubeObject] = []
    pods.informer().add_event_handler(ResourceEventHandlerFuncs(add_func=given.append))
    factory.start()
    assert pods.informer().wait_for_cache_sync(10)
    eventually(lambda: given, "the handler is told")
    before = given[0].raw
    for obj in (given[0], pods.lister().pods("default").get("web-0")):
        with pytest.raises(AttributeError):
            obj.name = "other"  # type: ignore[misc]
        with pytest.raises(TypeError):
            obj.labels["app"] = "other"  # type: ignore[index]
        with pytest.raises(TypeError):
            obj["spec"]["nodeName"] = "other"
        with pytest.raises((AttributeError, TypeError)):
            obj["spec"]["containers"].append({})
        obj.to_dict()["spec"]["nodeName"] = "other"
        obj.to_dict()["spec"]["containers"].clear()
    pods.typed().lister().pods("default").get("web-0").spec.node_name = "other"
    cached = pods.lister().pods("default").get("web-0")
    assert cached.raw == before
    assert (cached.name, cached.labels, cached["spec"]["nodeName"]) == ("web-0", {"app": "web"}, "node-7")
    assert len(cached["spec"]["containers"]) == 1
    assert pods.typed().lister().pods("default").get("web-0").spec.node_name == "node-7"
