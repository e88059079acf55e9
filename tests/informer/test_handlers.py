"""Handlers: what is refused, how soon they are called, and models."""

from __future__ import annotations

import time

import pytest
from informer_support import Recorder, eventually
from kubernetes.client import V1Pod

from kubeinformer import ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod


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


def test_a_typed_handler_that_removes_itself_hears_nothing_more(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for name in "abc":
        server.create(pod(name))
    informer = factory.core().v1().pods().typed().informer()
    seen: list[str] = []

    def added(obj: V1Pod) -> None:
        seen.append(obj.metadata.name)
        informer.remove_event_handler(registration)

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    with factory.running(timeout=10):
        registration.thread.join(10)
        assert not registration.thread.is_alive()
    assert len(seen) == 1
