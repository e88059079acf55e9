"""Handlers of batches: what they get and what a failure costs; and that all ways share what is decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Recorder, eventually

from kubeinformer import (
    DeletedFinalStateUnknown,
    Event,
    FilteringResourceEventHandler,
    KubeObject,
    ResourceEventBatchHandlerFunc,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


class Batches(Recorder):
    """A handler of batches that keeps what each other handler would have been told."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def on_batch(self, events: list[Event[KubeObject]]) -> None:
        self.sizes.append(len(events))
        for event in events:
            if event.type == "ADDED":
                super().on_add(event.object, event.is_in_initial_list)
            elif event.type == "MODIFIED":
                super().on_update(event.old, event.object)  # type: ignore[arg-type]
            else:
                super().on_delete(event.object)

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        raise AssertionError("on_batch is called instead")


def test_it_hears_what_another_handler_hears(server: APIServer, factory: SharedInformerFactory) -> None:
    for number in range(25):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    single, batches = Recorder(), Batches()
    informer.add_event_handler(single)
    registration = informer.add_event_handler(batches, max_batch=10)
    with factory.running(timeout=10):
        for version in range(5):
            for number in range(25):
                server.update(pod(f"web-{number}", annotations={"version": str(version)}))
            server.create(pod("comes-and-goes"))
            server.delete("pods", "comes-and-goes")
        assert informer.wait_for_resource_version(server.resource_version, handlers=True, timeout=10)
        eventually(registration.has_synced, "synced")
        assert batches.calls == single.calls
        assert batches.faults == []
        assert max(batches.sizes) <= 10
        assert batches.sizes[0] == 10, "it gets what there is"


def test_a_batch_is_not_waited_for(server: APIServer, factory: SharedInformerFactory) -> None:
    batches = Batches()
    factory.core().v1().pods().informer().add_event_handler(batches)
    with factory.running(timeout=10):
        server.create(pod("a"))
        eventually(lambda: batches.sizes == [1], "a batch of one")


def test_a_batch_that_raises_is_reported_with_its_first_key_and_the_next_one_follows(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        server.create(pod(name))
    sizes: list[int] = []

    def batch(events: list[Event[KubeObject]]) -> None:
        sizes.append(len(events))
        events.clear()
        raise SystemExit(1)

    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(ResourceEventBatchHandlerFunc(batch))
    with factory.running(timeout=10):
        eventually(registration.has_synced, "synced")
        assert sizes == [3]
        assert registration.errors() == 1
        assert "default/a and 2 more" in caplog.text
        server.create(pod("d"))
        eventually(lambda: registration.errors() == 2, "the next batch")
        assert "failed on default/d: SystemExit" in caplog.text


def test_after_its_removal_it_gets_no_further_batch(server: APIServer, factory: SharedInformerFactory) -> None:
    for name in "abc":
        server.create(pod(name))
    informer = factory.core().v1().pods().informer()
    sizes: list[int] = []

    def batch(events: list[Event[KubeObject]]) -> None:
        sizes.append(len(events))
        informer.remove_event_handler(registration)

    registration = informer.add_event_handler(ResourceEventBatchHandlerFunc(batch), max_batch=2)
    with factory.running(timeout=10):
        registration.thread.join(10)
        assert sizes == [2]


def test_a_filter_passes_on_what_is_accepted_of_each_batch(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    def is_web(obj: Any) -> bool:
        if obj.labels["app"] == "fails":
            raise ValueError("no")
        return bool(obj.labels["app"] == "web")

    for name, app in {"a": "web", "b": "db", "c": "fails", "d": "web"}.items():
        server.create(pod(name, labels={"app": app}))
    heard: list[list[tuple[str, str, bool]]] = []
    informer = factory.core().v1().pods().informer()
    handler = ResourceEventBatchHandlerFunc[KubeObject](
        lambda events: heard.append([(event.type, event.object.name, event.is_in_initial_list) for event in events])
    )
    registration = informer.add_event_handler(FilteringResourceEventHandler(is_web, handler))
    assert "test_batches" in registration.name
    with factory.running(timeout=10):
        eventually(registration.has_synced, "synced")
        assert heard == [[("ADDED", "a", True), ("ADDED", "d", True)]]
        assert registration.errors() == 1
        assert "filter_func failed on default/c" in caplog.text
        server.update(pod("a", labels={"app": "db"}))
        eventually(lambda: heard[1:] == [[("DELETED", "a", False)]], "it is gone to the handler")
    with pytest.raises(AttributeError):
        FilteringResourceEventHandler(is_web, ResourceEventHandlerFuncs()).on_batch  # noqa: B018


def test_batches_of_models_leave_out_what_is_none(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    broken = pod("broken")
    broken["spec"]["containers"] = "none"
    server.create(broken)
    server.create(pod("web", node="node-7"))
    heard: list[Any] = []
    informer = factory.core().v1().pods().typed().informer()
    registration = informer.add_event_handler(ResourceEventBatchHandlerFunc(heard.extend))
    with factory.running(timeout=10):
        eventually(registration.has_synced, "synced")
        assert [event.object.spec.node_name for event in heard] == ["node-7"]
        assert registration.errors() == 1
        assert "default/broken" in caplog.text
        server.delete("pods", "broken")
        eventually(lambda: len(heard) == 2, "the deletion")
        assert heard[1].object == DeletedFinalStateUnknown("default/broken")


def test_eight_handlers_of_all_kinds_decode_an_object_once(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a", node="node-1"))
    informer = factory.core().v1().pods().informer()
    inside: list[dict[int, Any]] = []
    together = threading.Barrier(8)

    def look(obj: KubeObject) -> None:
        # The members of one decoded object have one identity as long as it is kept.
        inside.append({id(value): obj for value in [obj["spec"]["nodeName"]]})
        together.wait(10)

    for _ in range(4):
        informer.add_event_handler(ResourceEventHandlerFuncs(add_func=look))
    for _ in range(3):
        informer.add_event_handler(ResourceEventBatchHandlerFunc(lambda events: look(events[0].object)))
    stream = informer.events()
    puller = threading.Thread(target=lambda: look(next(stream).object))
    with factory.running(timeout=10):
        puller.start()
        eventually(lambda: len(inside) == 8, "all have looked")
        puller.join(10)
        assert len({identity for seen in inside for identity in seen}) == 1
