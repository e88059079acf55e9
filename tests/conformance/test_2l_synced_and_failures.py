"""2.L: when a handler has synced, what becomes of one that raises, and of all of them at the stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
from informer_support import Gate, Recorder, assert_equal_to_server, eventually, informer_threads
from statements import differs

from kubeinformer import KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory, wait_for
from kubeinformer.cache import is_done
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_s149_s150_the_informer_has_synced_before_the_handler_has_returned_from_the_first_list(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler has synced when the informer has and every call for the first list has returned; never before the
    start. The informer's own answer says nothing about handlers.
    """
    server.create(pod("a"))
    informer = factory.core().v1().pods().informer()
    gate = Gate()
    registration = informer.add_event_handler(gate)
    of_informer, of_handler = informer.has_synced_checker(), registration.has_synced_checker()
    assert not is_done(of_informer)
    assert not is_done(of_handler), "never before the start"
    assert not of_informer.wait(0)
    assert not of_handler.wait(0)
    factory.start()
    assert wait_for(None, "the informer", of_informer, timeout=10)
    assert gate.entered.wait(10)
    assert not is_done(of_handler)
    assert not wait_for(None, "", of_informer, of_handler, timeout=0.02)
    gate.open.set()
    assert wait_for(None, "the handler", of_informer, of_handler, timeout=10)
    assert is_done(of_handler)
    assert registration.has_synced()


def test_s149_a_late_handler_has_a_first_list_of_its_own(server: APIServer, factory: SharedInformerFactory) -> None:
    """A handler that is added late has synced when its calls for what was in the store have returned."""
    server.create(pod("a"))
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    gate = Gate()
    checker = informer.add_event_handler(gate).has_synced_checker()
    assert gate.entered.wait(10)
    assert not is_done(checker)
    gate.open.set()
    assert checker.wait(10)


def test_s149_a_handler_without_objects_has_synced_with_the_informer(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler whose first list is empty has synced when the informer has."""
    registration = factory.core().v1().pods().informer().add_event_handler(Recorder())
    assert not registration.has_synced()
    factory.start()
    assert registration.has_synced_checker().wait(10)


def test_s150_an_informer_has_synced_whatever_its_handlers_do(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """The informer has synced while a handler still blocks in its first call."""
    informer = factory.core().v1().pods().informer()
    gate = Gate()
    registration = informer.add_event_handler(gate)
    server.create(pod("web-0"))
    factory.start()
    assert gate.entered.wait(10)
    assert informer.wait_for_cache_sync(10)
    assert informer.has_synced()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}
    assert not registration.has_synced()
    gate.open.set()
    eventually(registration.has_synced, "the handler too")


@differs(
    "client-go ends the process at a handler's panic, or waits for a second and never calls the handler synced; "
    "here delivery goes on, because one object must not end a program or hang its start"
)
def test_s151_s152_a_handler_that_raises_is_reported_and_delivery_goes_on(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that raises is logged with the object's key and counted, the next one follows at once, and the handler
    syncs.
    """
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


def test_s151_whatever_a_handler_raises_ends_nothing(server: APIServer, factory: SharedInformerFactory) -> None:
    """A call that raises, whatever it is about and even SystemExit, costs that call and nothing else."""
    informer = factory.core().v1().pods().informer()
    kinds: list[str] = []
    times: list[float] = []

    def fail(kind: str, error: BaseException) -> None:
        kinds.append(kind)
        times.append(time.monotonic())
        raise error

    registration = informer.add_event_handler(
        ResourceEventHandlerFuncs(
            add_func=lambda _: fail("add", SystemExit(1)),
            update_func=lambda _old, _new: fail("update", KeyboardInterrupt()),
            delete_func=lambda _: fail("delete", ZeroDivisionError()),
        )
    )
    other = Recorder()
    informer.add_event_handler(other)
    factory.start()
    assert informer.wait_for_cache_sync(10)
    server.wait_for_watches(1, resource="pods")
    for _ in range(2):
        server.create(pod("web-0"))
        server.update(pod("web-0", phase="Failed"))
        server.delete("pods", "web-0")
    eventually(lambda: registration.errors() == 6, "all six raised")
    assert kinds == ["add", "update", "delete"] * 2
    assert times[-1] - times[0] < 3, "client-go would have waited for five seconds"
    assert_equal_to_server(server, informer, other)
    assert [kind for kind, _, _ in other.calls] == kinds


def test_s153_after_the_stop_every_thread_ends(server: APIServer, make_factory: Make) -> None:
    """After the stop every thread of the informer ends: readers, processor, handlers and who waits for the stop."""
    factory = make_factory(namespaces=["a", "b"])
    informer = factory.core().v1().pods().informer()
    informer.add_event_handler(Recorder())
    stop = threading.Event()
    factory.start(stop)
    factory.wait_for_cache_sync(stop, timeout=10)
    assert sorted(informer_threads()) == [
        "kubeinformer-handler-pods-informer_support.Recorder",
        "kubeinformer-processor-pods",
        "kubeinformer-reader-pods-a",
        "kubeinformer-reader-pods-b",
        "kubeinformer-stop-factory",
    ]
    begin = time.monotonic()
    stop.set()
    eventually(informer.is_stopped, "the stop event stops it")
    assert factory.shutdown(timeout=10) == []
    assert time.monotonic() - begin < 1.0
    assert informer_threads() == []
    factory.start()
    assert informer_threads() == []
    assert informer.has_synced()


def test_s153_run_returns_when_every_handler_has_and_what_waited_is_dropped(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """From the stop on no call begins, what waits is dropped, and `run` returns when the calls under way have ended."""
    informer = factory.core().v1().pods().informer()
    gate = Gate()
    registration = informer.add_event_handler(gate)
    for number in range(5):
        server.create(pod(f"web-{number}"))
    stop = threading.Event()
    runner = threading.Thread(target=informer.run, args=(stop,), daemon=True)
    runner.start()
    assert gate.entered.wait(10)
    server.create(pod("waits"))
    eventually(registration.pending, "something waits")
    stop.set()
    eventually(informer.is_stopped, "it is stopped")
    eventually(lambda: registration.pending() == 0, "what waited is dropped")
    runner.join(0.3)
    assert runner.is_alive()
    gate.open.set()
    runner.join(10)
    assert not runner.is_alive()
    assert informer_threads() == []
    assert gate.calls == 1
