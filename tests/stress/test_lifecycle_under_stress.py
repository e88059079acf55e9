"""Whatever an informer does at that moment, it can be stopped or released, and everybody who waits for it returns."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fault_support import Make, World
from informer_support import Recorder, assert_equal_to_server, eventually, informer_threads

from kubeinformer import ControllerOptions, Error, SharedInformerFactory
from kubeinformer.cache import wait_for_cache_sync
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

pytestmark = pytest.mark.usefixtures("frequent_switches", "quick_backoff")

AT_ONCE = 1.0


@pytest.mark.parametrize("watch_list", [False, True], ids=["list", "watch-list"])
def test_shutdown_during_a_relist(server: APIServer, watch_list: bool) -> None:
    """After `shutdown` has returned no handler is called and no thread is left, however far the relist was."""
    for number in range(100):
        server.create(pod(f"web-{number}"))
    told = 0
    for number in range(12):
        factory = SharedInformerFactory(
            server.api_client(), options=ControllerOptions(use_watch_list=watch_list, page_size=20)
        )
        informer = factory.core().v1().pods().informer()
        informer.add_indexers({"app": lambda obj: [obj.labels["app"]]})
        recorder = Recorder()
        informer.add_event_handler(recorder)
        factory.start()
        assert informer.wait_for_cache_sync(timeout=10)
        server.wait_for_watches(1)
        before = len(server.requests)
        server.faults.refuse_connections()
        server.faults.drop_connections()
        for place in range(100):
            server.update(pod(f"web-{place}", labels={"app": str(number)}))
        server.compact()
        server.faults.chunk_bytes(50 + 200 * number, times=6)
        calls = len(recorder.calls)
        server.faults.accept_connections()
        eventually(lambda before=before: len(server.requests) > before, "the relist begins")
        if number % 3 == 2:
            eventually(lambda recorder=recorder, calls=calls: len(recorder.calls) > calls, "the relist is told")
            told += 1
        begin = time.monotonic()
        assert factory.shutdown(timeout=10) == []
        assert time.monotonic() - begin < AT_ONCE, "shutdown waits for the relist"
        calls = len(recorder.calls)
        assert informer_threads() == []
        assert len(recorder.calls) == calls, "a handler is called after the end"
        assert recorder.faults == []
        assert len(informer.indexer()) == 100, "the relist was written in part"
        by_app = informer.indexer().list_index_func_values("app")
        assert len(by_app) == 1, "a list is one cut (§9)"
        server.faults.clear()
    assert told == 4


def pulled(informer: Any) -> list[Any]:
    """What comes until it stops; nothing when it has stopped already."""
    try:
        return list(informer.events(timeout=20))
    except Error:
        return []


def test_everybody_who_waits_returns_when_it_stops(server: APIServer) -> None:
    """The server never answers; whoever waits for the informer is told that it will not come."""
    for number in range(10):
        server.faults.stall(times=None)
        factory = SharedInformerFactory(server.api_client())
        informer = factory.core().v1().pods().informer()
        registration = informer.add_event_handler(Recorder())
        stop = threading.Event()
        waits: dict[str, Callable[[], Any]] = {
            "factory": lambda factory=factory, stop=stop: factory.wait_for_cache_sync(stop, timeout=20),
            "informer": lambda informer=informer: informer.wait_for_cache_sync(timeout=20),
            "free function": lambda r=registration, s=stop: wait_for_cache_sync(s, r.has_synced),
            "version": lambda informer=informer: informer.wait_for_resource_version("5", timeout=20),
            "handlers": lambda informer=informer: informer.wait_for_resource_version("5", True, timeout=20),
            "events": lambda informer=informer: pulled(informer),
        }
        answers: dict[str, Any] = {}
        started = threading.Barrier(len(waits) + 1)

        def wait(name: str, waits: Any = waits, answers: Any = answers, started: Any = started) -> None:
            started.wait()
            answers[name] = waits[name]()

        threads = [threading.Thread(target=wait, args=(name,)) for name in waits]
        for thread in threads:
            thread.start()
        factory.start(stop)
        started.wait()
        eventually(lambda: any(request.resource == "pods" for request in server.requests), "it asks")
        if number % 2:
            factory.shutdown(timeout=10)
        begin = time.monotonic()
        stop.set()
        for thread in threads:
            thread.join(AT_ONCE)
        late = [name for name, thread in zip(waits, threads, strict=True) if thread.is_alive()]
        assert late == [], f"still waiting {time.monotonic() - begin:.1f} s after the stop"
        assert factory.shutdown(timeout=10) == []
        assert answers == {
            "factory": {"pods": False},
            "informer": False,
            "free function": False,
            "version": False,
            "handlers": False,
            "events": [],
        }
        server.faults.clear()
        server.clear_requests()


def test_release_in_the_middle_of_the_first_list(server: APIServer, make_factory: Make) -> None:
    """A neighbour of the same factory goes on, and the next informer asked for is new and complete."""
    world = World(server, names=40)
    world.change(60)
    factory = make_factory(options={"page_size": 5})
    neighbour = factory.core().v1().pods(label_selector="app=a").informer()
    recorder = Recorder()
    neighbour.add_event_handler(recorder)
    factory.start()
    assert neighbour.wait_for_cache_sync(timeout=10)
    released = []
    unsynced = 0
    for number in range(40):
        server.faults.chunk_bytes(100, times=3)
        if number % 4 == 0:
            server.faults.stall(times=1)
        informer = factory.core().v1().pods().informer()
        assert all(informer is not other for other in released)
        informer.add_event_handler(own := Recorder())
        before = len(server.requests)
        factory.start()
        eventually(lambda before=before: len(server.requests) > before, "it asks")
        if number % 2:
            eventually(lambda own=own: own.calls, "its handler is called")
        unsynced += not informer.has_synced()
        racing = [threading.Thread(target=factory.start), threading.Thread(target=world.change, args=(5,))]
        for thread in racing:
            thread.start()
        assert factory.release(informer, timeout=10) == []
        calls = len(own.calls)
        for thread in racing:
            thread.join(10)
        assert informer.is_stopped()
        assert len(own.calls) == calls, "a handler of a released informer is called"
        released.append(informer)
    assert unsynced >= 10
    server.faults.clear()
    last = factory.core().v1().pods().informer()
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {neighbour.name: True, last.name: True}
    assert_equal_to_server(server, neighbour, recorder, label_selector="app=a")
    assert_equal_to_server(server, last)


def test_start_stop_and_ask_from_everywhere_at_once(server: APIServer) -> None:
    """Whoever wins: every informer that was given out is stopped in the end, and no thread is left."""
    World(server, names=10).change(20)
    for _ in range(40):
        factory = SharedInformerFactory(server.api_client())
        given: list[Any] = []
        numbers = itertools.count()
        barrier = threading.Barrier(7)

        def ask(factory: Any = factory, given: Any = given, numbers: Any = numbers, barrier: Any = barrier) -> None:
            barrier.wait()
            for _ in range(5):
                informer = factory.core().v1().pods(label_selector=f"app={next(numbers)}").informer()
                given.append(informer)
                factory.start()

        def end(factory: Any = factory, given: Any = given, barrier: Any = barrier) -> None:
            barrier.wait()
            eventually(lambda: len(given) >= 3, "informers")
            assert factory.shutdown(timeout=10) == []

        def begin(factory: Any = factory, barrier: Any = barrier) -> None:
            barrier.wait()
            factory.start()

        threads = [threading.Thread(target=work) for work in (ask, ask, ask, begin, begin, end, end)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
        assert factory.shutdown(timeout=10) == []
        assert informer_threads() == [], "a thread was started after the shutdown"
