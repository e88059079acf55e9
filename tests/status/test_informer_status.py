"""`status()` of informers and factories: whole flows on the embedded server, and who may ask when."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from fault_support import World
from informer_support import Gate, Recorder, assert_equal_to_server, eventually

from kubeinformer import (
    APIStatusError,
    FilteringResourceEventHandler,
    InformerStatus,
    KubeObject,
    ResourceEventHandlerFuncs,
    SharedIndexInformer,
    SharedInformerFactory,
    TransportError,
    filter,
)
from kubeinformer.cache import Phase
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.workqueue import Queue, enqueue_handler

Make = Callable[..., SharedInformerFactory]
pytestmark = pytest.mark.usefixtures("quick_backoff", "both_transports")


def started(factory: SharedInformerFactory) -> SharedIndexInformer[KubeObject]:
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    eventually(informer.is_live, "it watches")
    return informer


def test_before_the_start_nothing_is_known(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    informer.add_event_handler(Recorder())
    status = informer.status()
    assert (status.phase, status.has_synced, status.is_live, status.staleness) == (Phase.IDLE, False, False, math.inf)
    assert (status.last_error, status.last_sync_resource_version, status.last_store_sync_resource_version) == (
        None,
        "",
        "",
    )
    assert (status.objects, status.bytes, status.backlog, status.coalesced, status.reconnects) == (0, 0, 0, 0, 0)
    assert (status.relists, set(status.function_errors.values())) == ({}, {0})
    assert [handler.delivered for handler in status.handlers] == [0]
    assert sum(count for _, count in status.processing_latency.counts) == 0
    assert set(status.sources) == {""}


def test_a_running_informer(server: APIServer, factory: SharedInformerFactory) -> None:
    for number in range(5):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    informer.add_event_handler(recorder, filter=filter.name("web-3"))
    started(factory)
    server.create(pod("new"))
    eventually(lambda: len(informer.indexer()) == 6, "the event")
    status = informer.status()
    assert (status.name, str(status.resource), status.identity) == ("pods", "v1/pods", "")
    assert (status.phase, status.has_synced, status.is_live, status.last_error) == (Phase.WATCHING, True, True, None)
    assert status.staleness < 20
    assert (status.objects, status.bytes) == (6, informer.memory().bytes)
    version = server.list("pods")[-1]["metadata"]["resourceVersion"]
    assert int(status.last_sync_resource_version) >= int(version)
    assert int(status.last_store_sync_resource_version) >= int(version)
    assert (status.relists, status.reconnects) == ({}, 0)
    counters = status.sources[""].counters
    assert (counters.lists_read, counters.list_items, counters.failures) == (1, 5, 0)
    assert sum(count for _, count in status.processing_latency.counts) >= 2
    assert status.processing_latency.sum > 0
    eventually(lambda: informer.status().backlog == 0, "the handlers have all")
    everything, some = informer.status().handlers
    assert (everything.delivered, everything.filtered, everything.has_synced, everything.errors) == (6, 0, True, 0)
    assert (some.delivered, some.filtered) == (1, 5)


def test_an_outage_and_its_end(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = started(factory)
    server.create(pod("first"))
    eventually(lambda: len(informer.indexer()) == 1, "an event, so that the watch is not a very short one")
    began = time.time()
    server.faults.refuse_connections()
    server.faults.drop_connections()

    def failing() -> InformerStatus | None:
        status = informer.status()
        return status if status.last_error is not None and status.last_error.count > 3 else None

    status = eventually(failing, "it fails again and again")
    assert not status.is_live
    assert status.has_synced
    assert status.phase in (Phase.BACKOFF, Phase.CONNECTING)
    assert isinstance(status.last_error.error, TransportError)
    assert began <= status.last_error.since <= status.last_error.time <= time.time()
    assert status.sources[""].last_error == status.last_error
    assert status.sources[""].counters.failures > 3
    server.create(pod("meanwhile"))
    server.faults.accept_connections()
    eventually(informer.is_live, "the end")
    status = eventually(lambda: status if (status := informer.status()).objects == 2 else None, "the missed event")
    assert (status.phase, status.last_error, status.relists) == (Phase.WATCHING, None, {})
    assert status.reconnects == 1


def test_the_end_of_a_watch_is_a_word_of_the_server(server: APIServer, factory: SharedInformerFactory) -> None:
    """A watch that ended well and is followed by the next is no reason to be unready, however quiet it was."""
    informer = factory.core().v1().pods().informer()
    server.create(pod("web"))
    started(factory)
    server.wait_for_watches(1)
    reflector = informer.controller.reflectors[""]
    server.create(pod("event"))
    eventually(lambda: len(informer.indexer()) == 2, "an event, so that the watch is not a very short one")
    stalled = server.faults.stall(verb="watch", times=None)
    closing = time.monotonic()
    server.faults.close_watches()
    eventually(lambda: informer.status().phase is Phase.CONNECTING and server.faults.hits(stalled), "the next request")
    heard = reflector.last_contact()
    assert heard is not None
    assert heard >= closing
    server.faults.clear()


def test_relists_are_counted_by_reason(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = started(factory)
    server.wait_for_watches(1)
    server.faults.inject(b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"x"}}\n')
    eventually(lambda: informer.status().relists == {"expired": 1}, "the list after it")
    eventually(lambda: informer.status().sources[""].counters.lists_read == 2, "it is read")
    eventually(informer.is_live, "it watches again")
    assert_equal_to_server(server, informer)


def test_each_source_tells_its_own_truth(server: APIServer, make_factory: Make) -> None:
    for namespace in ("a", "b"):
        server.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        server.create(pod("web", namespace))
    server.faults.forbidden(namespace="b")
    factory = make_factory(namespaces=["a", "b"])
    informer = factory.core().v1().pods().informer()
    factory.start()
    eventually(lambda: "b" in informer.last_errors() and informer.status().sources["a"].is_live, "both have tried")
    status = informer.status()
    good, bad = status.sources["a"], status.sources["b"]
    assert (good.namespace, good.phase, good.is_live, good.last_error) == ("a", Phase.WATCHING, True, None)
    assert good.last_store_sync_resource_version == good.last_sync_resource_version != ""
    assert (bad.is_live, bad.has_synced, bad.staleness, bad.last_sync_resource_version) == (False, False, math.inf, "")
    assert isinstance(bad.last_error.error, APIStatusError)
    assert (status.is_live, status.has_synced, status.staleness) == (False, False, math.inf)
    assert status.phase in (Phase.BACKOFF, Phase.CONNECTING)
    assert status.last_error is not None
    assert status.last_store_sync_resource_version == ""
    assert status.objects == 1


def test_a_slow_handlers_backlog_and_what_was_merged(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    gate, quick = Gate(), Recorder()
    informer.add_event_handler(gate, backlog=(2, 1 << 20))
    informer.add_event_handler(quick)
    server.create(pod("first"))
    started(factory)
    assert gate.entered.wait(20)
    try:
        server.create(pod("web"))
        for number in range(10):
            server.update(pod("web", labels={"n": str(number)}))
        server.create(pod("last"))
        eventually(lambda: len(informer.indexer()) == 3, "all is stored")
        slow, _ = informer.status().handlers
        assert slow.pending < 10
        assert slow.coalesced == 12 - slow.pending
        assert slow.pending_bytes > 0
        eventually(lambda: informer.status().handlers[1].pending == 0, "the other has all")
        status = informer.status()
        assert status.backlog == slow.pending
        assert (status.coalesced, status.handlers[1].coalesced) == (slow.coalesced, 0)
    finally:
        gate.open.set()
    eventually(lambda: informer.status().backlog == 0, "the slow one has all")


def test_the_end(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("web"))
    informer = started(factory)
    never = factory.core().v1().nodes().informer()
    factory.shutdown(timeout=20)
    status = informer.status()
    assert (status.phase, status.is_live, status.has_synced, status.objects) == (Phase.STOPPED, False, True, 1)
    assert never.status().phase is Phase.STOPPED
    assert not factory.status().is_live


def test_functions_of_the_user_that_raise_are_counted(server: APIServer, make_factory: Make) -> None:
    failing = threading.Event()
    failing.set()

    def tweak(_options: object) -> None:
        if failing.is_set():
            raise ValueError("tweak")

    def fails(*_: object) -> Any:
        raise ValueError("no")

    def transform(obj: dict[str, Any]) -> dict[str, Any]:
        return fails() if obj["metadata"]["name"] == "bad" else obj

    factory = make_factory(tweak_list_options=tweak, watch_error_handler=fails, transform=transform)
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"failing": fails})
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=fails))
    informer.add_event_handler(FilteringResourceEventHandler(fails, Recorder()))
    informer.add_event_handler(enqueue_handler(Queue[str](), fails))
    for name in ("good", "better", "bad"):
        server.create(pod(name))
    factory.start()
    eventually(lambda: informer.status().function_errors["list_options"] >= 2, "the tweak")
    failing.clear()
    eventually(lambda: informer.status().function_errors["handler"] == 6, "each handler for each object")
    errors = informer.status().function_errors
    assert errors["index"] == 2
    assert errors["transform"] >= 1
    assert errors["watch_error_handler"] >= errors["list_options"] >= 2
    assert [handler.errors for handler in informer.status().handlers] == [2, 2, 2]
    # What a handler that is gone has failed at stays counted.
    for registration in [*informer._handlers.registrations]:
        informer.remove_event_handler(registration)
    assert informer.status().handlers == ()
    assert informer.status().function_errors["handler"] == 6


def test_an_index_function_that_is_added_later_is_counted(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("web"))
    informer = started(factory)

    def fails(_obj: object) -> list[str]:
        raise ValueError("no")

    informer.add_indexers({"failing": fails})
    assert informer.status().function_errors["index"] == 1


def test_callbacks_on_any_thread_may_ask(server: APIServer, make_factory: Make) -> None:
    asked: dict[str, InformerStatus] = {}
    factory = make_factory()
    informer = factory.core().v1().pods().informer()

    def ask(where: str) -> Any:
        asked[where] = informer.status()
        assert factory.status().informers[informer.name].phase
        return []

    informer.set_watch_error_handler(lambda *_: ask("error handler"))
    informer.set_transform(lambda obj: (ask("transform"), obj)[1])
    informer.add_indexers({"asking": lambda _: ask("index function")})
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=lambda _: ask("handler")))
    server.faults.respond(500, times=2)
    server.create(pod("web"))
    started(factory)
    eventually(lambda: len(asked) == 4, "all were called")
    assert asked["handler"].objects == 1
    assert asked["transform"].objects == asked["index function"].objects == 0
    assert informer.status().function_errors["handler"] == 0


def test_a_signal_handler_may_ask_whatever_its_thread_is_doing(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    asked = []

    def ask() -> None:
        # As a handler does that interrupts the thread which holds these.
        with factory._lock, informer._handlers.lock, informer.controller.function_errors._lock:
            asked.append(factory.status())

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(20)
    assert len(asked) == 1


def test_it_can_be_asked_while_everything_changes(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    over, errors, read = threading.Event(), [], []

    def ask() -> None:
        try:
            while not over.is_set():
                status = factory.status().informers["pods"]
                read.append(sum(count for _, count in status.processing_latency.counts))
        except BaseException as error:
            errors.append(error)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    world = World(server)
    started(factory)
    for _ in range(20):
        world.change(10)
        informer.remove_event_handler(informer.add_event_handler(Recorder()))
    assert_equal_to_server(server, informer)
    factory.shutdown(timeout=20)
    over.set()
    for thread in asking:
        thread.join(20)
    assert errors == []
    assert max(read) > 0


def test_a_factory_has_the_worst_of_its_informers(server: APIServer, factory: SharedInformerFactory) -> None:
    nothing = factory.status()
    assert (nothing.informers, nothing.is_live, nothing.has_synced, nothing.staleness) == ({}, True, True, 0.0)
    informer = started(factory)
    assert (factory.status().is_live, factory.status().has_synced) == (True, True)
    assert factory.status().informers["pods"].name == informer.name
    factory.core().v1().nodes().informer()
    status = factory.status()
    assert set(status.informers) == {"pods", "nodes"}
    assert (status.is_live, status.has_synced, status.staleness) == (False, False, math.inf)
    assert status.last_errors == {}
    server.faults.forbidden(resource="nodes")
    factory.start()
    eventually(lambda: set(factory.status().last_errors) == {"nodes"}, "the refusal")


def test_typed_views_have_the_status_of_the_informer(server: APIServer, factory: SharedInformerFactory) -> None:
    pods = factory.core().v1().pods()
    pods.typed().informer().add_event_handler(Recorder())
    assert [handler.name for handler in pods.informer().status().handlers] == ["informer_support.Recorder"]
    assert pods.typed().informer().status().handlers == pods.informer().status().handlers


def test_what_was_read_does_not_change(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    status = informer.status()
    with pytest.raises(FrozenInstanceError):
        status.is_live = True  # type: ignore[misc]
    informer._controller.function_errors.count("handler")
    informer.add_event_handler(Recorder())
    assert status.function_errors["handler"] == 0
    assert status.handlers == ()
