"""An event never waits for the next one, and nothing waits for a stop.

A single event is with its handler within 50 ms, however the body comes; a shutdown ends whatever blocks at once.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import pytest
from fault_support import Make
from informer_support import eventually, informer_threads

from kubeinformer import KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.cache.reflector_state import Phase
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport import HTTPTransport, OwnTransport

AnyTransport: type[OwnTransport] = HTTPTransport  # `both_transports` sets it for each test
pytestmark = pytest.mark.usefixtures("both_transports")

BODIES: dict[str, Callable[[APIServer], object]] = {
    "chunked": lambda server: None,
    "close-delimited": lambda server: server.faults.close_delimited(),
    "gzip": lambda server: server.faults.gzip(),
    "close-delimited gzip": lambda server: (server.faults.gzip(), server.faults.close_delimited()),
}


@pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])
@pytest.mark.parametrize("body", BODIES)
def test_a_single_event_is_with_its_handler_within_50_ms(
    server: APIServer, make_factory: Make, body: str, use_watch_list: bool
) -> None:
    BODIES[body](server)
    transport = AnyTransport(server.api_client(), compression="gzip" in body)
    factory = make_factory(options={"use_watch_list": use_watch_list}, transport=transport)
    arrived, times = threading.Event(), [0.0]

    def note(*_objects: KubeObject) -> None:
        times[0] = time.monotonic()
        arrived.set()

    informer = factory.core().v1().pods().informer()
    informer.add_event_handler(ResourceEventHandlerFuncs(add_func=note, update_func=note, delete_func=note))
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1)
    delays = []
    writes = [server.create, *[server.update] * 8, lambda obj: server.delete("pods", obj["metadata"]["name"])]
    for number, write in enumerate(writes):
        arrived.clear()
        begin = time.monotonic()
        write(pod("web-0", labels={"number": str(number)}))
        assert arrived.wait(10)
        delays.append(times[0] - begin)
    assert statistics.median(delays) < 0.05, delays


Block = Callable[[APIServer, SharedInformerFactory], None]


def in_phase(factory: SharedInformerFactory, phase: Phase) -> None:
    reflector = factory.core().v1().pods().informer().controller.reflectors[""]
    eventually(lambda: reflector.phase() is phase, str(phase))


def stalled_list(server: APIServer, factory: SharedInformerFactory) -> None:
    rule = server.faults.stall(times=None)
    factory.start()
    eventually(lambda: server.faults.hits(rule), "the request")
    in_phase(factory, Phase.CONNECTING)


def stalled_watch(server: APIServer, factory: SharedInformerFactory) -> None:
    rule = server.faults.stall(times=None, verb="watch")
    factory.start()
    eventually(lambda: server.faults.hits(rule), "the request")
    in_phase(factory, Phase.CONNECTING)


def silent_watch_list(server: APIServer, factory: SharedInformerFactory) -> None:
    server.faults.pause_watches()
    factory.start()
    in_phase(factory, Phase.LISTING)


def silent_watch(server: APIServer, factory: SharedInformerFactory) -> None:
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    in_phase(factory, Phase.WATCHING)


def half_an_event(server: APIServer, factory: SharedInformerFactory) -> None:
    silent_watch(server, factory)
    server.wait_for_watches(1)
    server.faults.inject(b'{"type":"ADDED","object":{"metadata":{"name":')


def refused(server: APIServer, factory: SharedInformerFactory) -> None:
    server.faults.refuse_connections()
    factory.start()
    in_phase(factory, Phase.BACKOFF)


def backoff(server: APIServer, factory: SharedInformerFactory) -> None:
    server.faults.too_many_requests(retry_after=60, times=None)
    factory.start()
    in_phase(factory, Phase.BACKOFF)


BLOCKS: dict[str, Block] = {
    "stalled list": stalled_list,
    "stalled watch": stalled_watch,
    "silent watch-list": silent_watch_list,
    "silent watch": silent_watch,
    "half an event": half_an_event,
    "refused": refused,
    "backoff": backoff,
}


@pytest.mark.parametrize("compression", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("block", BLOCKS)
def test_a_stop_ends_what_blocks_at_once(server: APIServer, make_factory: Make, block: str, compression: bool) -> None:
    if compression:
        server.faults.gzip()
    transport = AnyTransport(server.api_client(), compression=compression)
    use_watch_list = block in ("silent watch-list", "silent watch")
    factory = make_factory(options={"use_watch_list": use_watch_list}, transport=transport)
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    events = informer.events()
    BLOCKS[block](server, factory)
    begin = time.monotonic()
    assert factory.shutdown(timeout=10) == []
    assert time.monotonic() - begin < 0.5
    assert informer_threads() == []
    assert [event.type for event in events] in ([], ["ADDED"])


def test_a_stop_ends_a_reader_that_waits_for_room_in_the_queue(server: APIServer, make_factory: Make) -> None:
    """The processor's index function is waited for; the reader is not behind it."""
    blocked, gate = threading.Event(), threading.Event()

    def slow(_: KubeObject) -> list[str]:
        blocked.set()
        gate.wait(20)
        return []

    factory = make_factory(options={"queue_bytes": 1000})
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    informer.add_indexers({"slow": slow})
    server.wait_for_watches(1)
    server.create(pod("web"))
    try:
        assert blocked.wait(10)
        for number in range(50):
            server.create(pod(f"web-{number}"))
        eventually(lambda: informer.controller.core.sizes()[4] > 1000, "the queue is full")
        begin = time.monotonic()
        assert factory.shutdown(timeout=0.3) == ["kubeinformer-processor-pods"]
        assert time.monotonic() - begin < 5
    finally:
        gate.set()
    assert factory.shutdown(timeout=10) == []
