"""Factories: informers of one's own, periods of one's own, and letting an informer go (client-go §172, §173, §176)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Recorder, assert_equal_to_server, eventually, informer_threads
from new_informer import PODS, NewInformer

from kubeinformer import (
    Error,
    KubeObject,
    SharedInformerFactory,
    transform,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_informer_for_refuses_what_is_no_informer_or_has_a_name_twice(factory: SharedInformerFactory) -> None:
    with pytest.raises(TypeError, match="must return a SharedIndexInformer, not NoneType"):
        factory.informer_for(PODS, lambda _transport, _period: None)  # type: ignore[arg-type, return-value]
    factory.core().v1().nodes().informer()
    with pytest.raises(ValueError, match="of the name 'nodes' already"):
        factory.informer_for(PODS, NewInformer("nodes"))


def test_informer_for_inside_running_starts_it(server: APIServer, factory: SharedInformerFactory) -> None:
    with factory.running(timeout=10):
        informer = factory.informer_for(PODS, NewInformer())
        assert factory.wait_for_cache_sync(timeout=10) == {"my-pods": True}
        assert informer.has_synced()


def test_release_stops_an_informer_and_the_next_one_is_new(server: APIServer, factory: SharedInformerFactory) -> None:
    pods, nodes = factory.core().v1().pods(), factory.core().v1().nodes()
    server.create(pod("a"))
    first, kept = pods.informer(), nodes.informer()
    first.add_event_handler(Recorder())
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    assert factory.release(first, timeout=10) == []
    assert first.is_stopped()
    assert not [name for name in informer_threads() if "pods" in name]
    assert [obj.key for obj in first.indexer().list()] == ["default/a"], "still readable"
    assert not kept.is_stopped()
    with pytest.raises(Error, match="not an informer of this factory"):
        factory.release(first)
    second = factory.core().v1().pods().informer()
    assert second is not first
    assert factory.wait_for_cache_sync(timeout=10) == {"nodes": True}, "not started yet"
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "nodes": True}
    recorder = Recorder()
    second.add_event_handler(recorder)
    server.create(pod("b"))
    assert_equal_to_server(server, second, recorder)


def test_release_takes_a_typed_view_and_names_what_is_busy(server: APIServer, factory: SharedInformerFactory) -> None:
    typed = factory.core().v1().pods().typed().informer()
    gate, busy = threading.Event(), threading.Event()

    class Slow(Recorder):
        def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
            busy.set()
            gate.wait(10)

    registration = typed.add_event_handler(Slow())  # type: ignore[arg-type]  # it looks at nothing
    server.create(pod("a"))
    factory.start()
    assert busy.wait(10)
    (name,) = factory.release(typed, timeout=0.05)
    assert name == registration.thread.name
    gate.set()
    registration.thread.join(10)
    assert not registration.thread.is_alive()


def test_custom_resync_config_replaces_the_period_of_some_resources(server: APIServer, make_factory: Make) -> None:
    factory = make_factory(custom_resync_config={PODS: 1.0, "deployments.apps": 1.0, "nodes": 0.0}, resync_period=1.0)
    quiet = make_factory(custom_resync_config={"pods": 1.0})
    times: dict[str, list[float]] = {"pods": [], "nodes": [], "quiet pods": [], "quiet nodes": []}
    server.create(pod("a"))
    server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    for prefix, made in (("", factory), ("quiet ", quiet)):
        for resource in ("pods", "nodes"):
            seen = times[prefix + resource]

            class Handler(Recorder):
                def __init__(self, seen: list[float] = seen) -> None:
                    super().__init__()
                    self.seen = seen

                def on_update(self, old: KubeObject, new: KubeObject) -> None:
                    assert old is new
                    self.seen.append(time.monotonic())

            made.for_resource("v1", resource).informer().add_event_handler(Handler())
        made.start()
    eventually(lambda: times["pods"] and times["quiet pods"], "resyncs of pods")
    assert times["nodes"] == times["quiet nodes"] == []


@pytest.mark.parametrize("period", [-1.0, float("nan")])
def test_a_bad_period_of_a_resource_is_refused(make_factory: Make, period: float) -> None:
    with pytest.raises(ValueError, match=r"custom_resync_config\[v1/pods\] must be 0 or more"):
        make_factory(custom_resync_config={PODS: period})


@pytest.mark.usefixtures("quick_backoff")
def test_informer_for_gives_the_transform_and_the_error_handler_of_the_factory(
    server: APIServer, make_factory: Make
) -> None:
    """client-go's InformerFor sets the factory's transform, too."""
    errors: list[Exception] = []
    factory = make_factory(
        transform=transform.drop("spec"), watch_error_handler=lambda _reflector, error: errors.append(error)
    )
    server.create({**pod("a"), "metadata": {"name": "a", "namespace": "default", "labels": {"app": "mine"}}})
    server.faults.close(times=1)
    informer = factory.informer_for(PODS, NewInformer())
    with factory.running(timeout=10):
        assert [obj.get_path("spec") for obj in informer.indexer().list()] == [None]
    assert errors


def test_namespaces_in_another_order_are_the_same_scope(make_factory: Make) -> None:
    factory = make_factory(namespaces=["b", "a"])
    pods = factory.core().v1().pods
    assert pods().informer() is pods(namespaces=["a", "b"]).informer() is pods(namespaces=["b", "a"]).informer()
    assert pods().informer().name == "pods"
