"""Handlers: what they get, when, on which thread, and what happens when they misbehave (client-go 2.J-2.L)."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from informer_support import Recorder, assert_equal_to_server, eventually

from kubeinformer import Error, KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


def test_s141_handler_added_before_the_start_gets_the_first_list_as_initial(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for number in range(5):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    registration = informer.add_event_handler(recorder)
    assert not registration.has_synced()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    eventually(registration.has_synced, "the handler has synced")
    assert sorted(recorder.calls) == [("add", f"default/web-{number}", True) for number in range(5)]
    server.create(pod("late-0"))
    eventually(lambda: len(recorder.calls) == 6, "the new pod")
    assert recorder.calls[-1] == ("add", "default/late-0", False)
    assert_equal_to_server(server, informer, recorder)


def test_s142_late_handler_gets_snapshot_then_live_without_gap_or_duplicate(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for number in range(200):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    done = threading.Event()

    def churn() -> None:
        for version in range(3):
            for number in range(200):
                server.update(pod(f"web-{number}", annotations={"version": str(version)}))
        done.set()

    thread = threading.Thread(target=churn)
    thread.start()
    recorders = []
    while not done.is_set() and len(recorders) < 20:
        recorder = Recorder()
        informer.add_event_handler(recorder)
        recorders.append(recorder)
        done.wait(0.01)
    thread.join()
    for recorder in recorders:
        assert_equal_to_server(server, informer, recorder)
        assert sum(initial for _, _, initial in recorder.calls) == 200


def test_s143_handler_for_a_stopped_informer_is_refused(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.shutdown(10)
    with pytest.raises(Error, match="was not added to shared informer pods because it has stopped already"):
        informer.add_event_handler(Recorder())


def test_s144_s145_one_handler_twice_and_removal_is_idempotent(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    informer = factory.core().v1().pods().informer()
    calls: list[str] = []
    handler = ResourceEventHandlerFuncs[KubeObject](add_func=lambda obj: calls.append(obj.name))
    first, second = informer.add_event_handler(handler), informer.add_event_handler(handler)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.create(pod("web-0"))
    eventually(lambda: calls == ["web-0", "web-0"], "both registrations")
    informer.remove_event_handler(first)
    informer.remove_event_handler(first)
    server.create(pod("web-1"))
    eventually(lambda: calls[2:] == ["web-1"], "the second registration")
    assert informer.shut_down_event_handler(second, timeout=10)
    factory.core().v1().nodes().informer().remove_event_handler(second)
    with pytest.raises(TypeError, match="registration"):
        informer.remove_event_handler("handler")  # type: ignore[arg-type]


def test_s148_a_handler_may_add_and_remove_handlers_and_use_the_lister(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    pods = factory.core().v1().pods()
    informer = pods.informer()
    inner = Recorder()
    seen: list[str] = []

    def added(obj: KubeObject) -> None:
        seen.append(pods.lister().pods("default").get(obj.name).name)
        if len(seen) == 1:
            informer.add_event_handler(inner)
        informer.remove_event_handler(registration)

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    server.create(pod("web-0"))
    factory.start()
    eventually(lambda: inner.names("add") == ["default/web-0"], "the inner handler")
    server.create(pod("web-1"))
    eventually(lambda: len(inner.names("add")) == 2, "the second pod")
    assert seen == ["web-0"]


def test_s146_a_handler_that_removes_itself_hears_nothing_more(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    seen: list[str] = []

    def added(obj: KubeObject) -> None:
        seen.append(obj.name)
        informer.remove_event_handler(registration)

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    factory.start()
    eventually(lambda: seen, "the first pod")
    registration.thread.join(10)
    assert not registration.thread.is_alive()
    assert len(seen) == 1, "also of the batch that was handed out already"


def test_s151_s152_a_handler_that_raises_is_reported_and_delivery_goes_on(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    seen: list[str] = []

    def added(obj: KubeObject) -> None:
        seen.append(obj.name)
        raise RuntimeError("no")

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    other = Recorder()
    informer.add_event_handler(other)
    with caplog.at_level(logging.ERROR, logger="kubeinformer"):
        factory.start()
        eventually(registration.has_synced, "synced, although every call raised")
    assert sorted(seen) == ["web-0", "web-1", "web-2"]
    assert registration.errors() == 3
    assert sum("default/web-1" in record.getMessage() for record in caplog.records) == 1
    assert_equal_to_server(server, informer, other)


def test_s139_a_slow_handler_delays_nobody_else(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    gate = threading.Event()
    slow = Recorder()
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=lambda obj: (gate.wait(30), slow.on_add(obj, False))))
    quick = Recorder()
    informer.add_event_handler(quick)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    for number in range(50):
        server.create(pod(f"web-{number}"))
    assert_equal_to_server(server, informer, quick)
    assert slow.calls == []
    gate.set()
    eventually(lambda: len(slow.calls) == 50, "the slow handler gets all of it later")


def test_backlog_of_a_slow_handler_is_coalesced_past_its_limit(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    informer = factory.core().v1().pods().informer()
    gate = threading.Event()

    class Slow(Recorder):
        def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
            gate.wait(30)
            super().on_add(obj, is_in_initial_list)

    recorder = Slow()
    registration = informer.add_event_handler(recorder, backlog=(10, 1 << 20))
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    for number in range(20):
        server.create(pod(f"web-{number}"))
    for version in range(20):
        for number in range(20):
            server.update(pod(f"web-{number}", annotations={"version": str(version)}))
    server.delete("pods", "web-19")
    eventually(lambda: len(informer.indexer()) == 19, "the store has it all")
    eventually(lambda: registration.coalesced() > 300, "most updates are merged")
    gate.set()
    assert_equal_to_server(server, informer, recorder)
    assert len(recorder.calls) < 100


@pytest.mark.parametrize("period", [-1.0, float("nan")])
def test_a_bad_resync_period_is_refused(factory: SharedInformerFactory, period: float) -> None:
    informer = factory.core().v1().pods().informer()
    with pytest.raises(ValueError, match="resync_period"):
        informer.add_event_handler(Recorder(), resync_period=period)


def test_a_handler_without_the_methods_is_refused(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    with pytest.raises(TypeError, match="ResourceEventHandlerFuncs"):
        informer.add_event_handler(print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="add_func"):
        ResourceEventHandlerFuncs(add_func="added")  # type: ignore[arg-type]


def test_a_single_event_reaches_its_handler_within_50_ms(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    arrived: dict[str, float] = {}
    informer.add_event_handler(
        ResourceEventHandlerFuncs(add_func=lambda obj: arrived.setdefault(obj.name, time.monotonic()))
    )
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1, resource="pods")
    latencies = []
    for number in range(10):
        sent = time.monotonic()
        server.create(pod(f"web-{number}"))
        latencies.append(eventually(lambda name=f"web-{number}": arrived.get(name), "arrives") - sent)
    assert sorted(latencies)[len(latencies) // 2] < 0.05


def test_typed_handlers_get_models_and_a_model_that_fails_does_not_stop_delivery(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    broken = pod("broken-0")
    broken["spec"]["containers"] = "none"
    server.create(broken)
    server.create(pod("web-0", node="node-7"))
    typed = factory.core().v1().pods().typed()
    nodes: list[str] = []
    registration = typed.informer().add_event_handler(
        ResourceEventHandlerFuncs(add_func=lambda obj: nodes.append(obj.spec.node_name))
    )
    factory.start()
    eventually(registration.has_synced, "synced")
    assert nodes == ["node-7"]
    assert registration.errors() == 1
    assert "default/broken-0" in caplog.text
    assert typed.lister().pods("default").get("web-0").metadata.name == "web-0"
