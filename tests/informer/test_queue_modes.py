"""The queue modes of client-go, per informer: what tells them apart for handlers, index functions and readers.

Rows of table 0.1 of the semantics; the core's own tests have the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from informer_support import Recorder, assert_equal_to_server, eventually

from kubeinformer import KubeObject, SharedIndexInformer, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]
Informer = SharedIndexInformer[KubeObject]

MODES = ("atomic", "in_order", "delta")
every_mode = pytest.mark.parametrize("queue", MODES)


class Gate:
    """An index function that holds the processor up while it is shut, and counts what the store has meanwhile."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.open = threading.Event()
        self.held: list[str] = []
        self.stored: list[int] = []
        self.open.set()
        informer.add_indexers({"gate": self._values})
        self.held.clear()

    def _values(self, obj: KubeObject) -> list[str]:
        self.stored.append(len(self.informer.indexer()))
        self.held.append(obj.key)
        self.open.wait(10)
        return []


@pytest.fixture
def gates() -> Iterator[list[Gate]]:
    """Opened after the test, so that nothing hangs."""
    gates: list[Gate] = []
    yield gates
    for gate in gates:
        gate.open.set()


def relist(server: APIServer, *changes: Callable[[], object]) -> None:
    """Make changes that no watch tells."""
    server.faults.respond(503, times=None)
    server.faults.close_watches()
    for change in changes:
        change()
    server.compact()
    server.faults.clear()


@every_mode
def test_cache_and_handlers_follow_the_server(
    server: APIServer, make_factory: Make, quick_backoff: None, queue: str
) -> None:
    for number in range(30):
        server.create(pod(f"web-{number}", "ab"[number % 2], node=f"node-{number % 3}"))
    factory = make_factory(options={"queue": queue}, namespaces=["a", "b"])
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"node": "spec.nodeName"})
    recorder = Recorder()
    registration = informer.add_event_handler(recorder)
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}
    eventually(registration.has_synced, "the handler has synced")
    assert sorted(recorder.calls) == sorted(("add", f"{'ab'[n % 2]}/web-{n}", True) for n in range(30))
    for version in range(5):
        for number in range(6, 30, 3):
            name, namespace = f"web-{number}", "ab"[number % 2]
            server.update(pod(name, namespace, node=f"node-{version}", annotations={"version": str(version)}))
        server.delete("pods", f"web-{version}", "ab"[version % 2])
        server.create(pod(f"new-{version}", "a", node="node-1"))
    assert_equal_to_server(server, informer, recorder)
    assert recorder.tombstones == 0
    relist(
        server,
        lambda: server.delete("pods", "web-10", "a"),
        lambda: server.delete("pods", "web-11", "b"),
        lambda: server.create(pod("late-0", "b", node="node-2")),
        lambda: server.update(pod("web-20", "a", node="node-9")),
    )
    assert_equal_to_server(server, informer, recorder)
    assert recorder.tombstones == 2
    assert ("add", "b/late-0", False) in recorder.calls


@every_mode
def test_s37_s49_s67_the_order_of_a_relist(
    server: APIServer, make_factory: Make, quick_backoff: None, queue: str
) -> None:
    for name in ("a-0", "b-0", "c-0"):
        server.create(pod(name))
    factory = make_factory(options={"queue": queue})
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    eventually(lambda: len(recorder.calls) == 3, "the first list")
    relist(
        server,
        lambda: server.delete("pods", "b-0"),
        lambda: server.update(pod("c-0", node="node-9")),
        lambda: server.create(pod("d-0")),
    )
    eventually(lambda: len(recorder.calls) == 6, "the relist")
    deletion = [("delete", "default/b-0", False)]
    changes = [("update", "default/c-0", False), ("add", "default/d-0", False)]
    assert recorder.calls[3:] == (changes + deletion if queue == "delta" else deletion + changes)


@every_mode
def test_s48_s52_what_is_taken_at_a_time_and_in_which_order(
    server: APIServer, make_factory: Make, gates: list[Gate], queue: str
) -> None:
    factory = make_factory(options={"queue": queue})
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    recorder = Recorder()
    informer.add_event_handler(recorder)
    gate = Gate(informer)
    gates.append(gate)
    gate.open.clear()
    server.create(pod("first-0"))
    eventually(lambda: gate.held, "the processor is held up")
    for name in ("a-0", "b-0"):
        server.create(pod(name))
    for node in ("node-2", "node-3"):
        server.update(pod("a-0", node=node))
    eventually(lambda: informer.last_sync_resource_version() == server.resource_version, "all of it is queued")
    gate.open.set()
    eventually(lambda: len(recorder.calls) == 5, "the changes")
    calls = [f"{kind} {key.removeprefix('default/')}" for kind, key, _ in recorder.calls[1:]]
    if queue == "delta":
        assert calls == ["add a-0", "update a-0", "update a-0", "add b-0"]
        assert gate.held == [f"default/{name}-0" for name in ("first", "a", "b")], "one write a key"
    else:
        assert calls == ["add a-0", "add b-0", "update a-0", "update a-0"]
        assert gate.held == [f"default/{name}-0" for name in ("first", "a", "b", "a", "a")]
    assert_equal_to_server(server, informer, recorder)


@every_mode
def test_s68_how_much_of_a_list_is_written_at_a_time(
    server: APIServer, make_factory: Make, gates: list[Gate], queue: str
) -> None:
    for number in range(5):
        server.create(pod(f"web-{number}"))
    factory = make_factory(options={"queue": queue})
    informer = factory.core().v1().pods().informer()
    gate = Gate(informer)
    gates.append(gate)
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}
    assert gate.stored == ([0, 1, 2, 3, 4] if queue == "delta" else [0] * 5)


@every_mode
def test_s43_s59_an_empty_first_list_is_synced(server: APIServer, make_factory: Make, queue: str) -> None:
    factory = make_factory(options={"queue": queue}, namespaces=["a", "b"])
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(Recorder())
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}
    eventually(registration.has_synced, "the handler has synced")


@every_mode
def test_s31_only_the_atomic_queue_gives_resource_versions(server: APIServer, make_factory: Make, queue: str) -> None:
    factory = make_factory(options={"queue": queue})
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(Recorder())
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    version = server.create(pod("web-0"))["metadata"]["resourceVersion"]
    eventually(lambda: "default/web-0" in informer.indexer(), "the pod")
    if queue == "atomic":
        assert informer.wait_for_resource_version(version, handlers=True, timeout=10)
        assert informer.last_store_sync_resource_version() == version
        return
    assert informer.last_store_sync_resource_version() == ""
    for wait in (informer.wait_for_resource_version, registration.wait_for_resource_version):
        with pytest.raises(RuntimeError, match='queue="atomic"'):
            wait(version, timeout=10)
        assert wait("0")


@every_mode
def test_s125_resyncs_come_in_every_mode(server: APIServer, make_factory: Make, queue: str) -> None:
    server.create(pod("web-0"))
    factory = make_factory(options={"queue": queue})
    recorder = Recorder()
    factory.core().v1().pods().informer().add_event_handler(recorder, 1.0)
    factory.start()
    eventually(lambda: recorder.names("update") == ["default/web-0"], "a resync")
    assert recorder.faults == []


@every_mode
def test_a_stop_ends_the_readers_while_the_processor_is_busy(
    server: APIServer, make_factory: Make, gates: list[Gate], queue: str
) -> None:
    server.create(pod("web-0"))
    factory = make_factory(options={"queue": queue})
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    gate = Gate(informer)
    gates.append(gate)
    gate.open.clear()
    server.create(pod("web-1"))
    eventually(lambda: gate.held, "the processor is held up")
    # A DeltaFIFO asks the store about this one, when the processor has done.
    server.delete("pods", "web-0")
    time.sleep(0.1)  # into the blocking call; earlier would only make the test easier
    informer.stop()
    alive = lambda: [thread.name for thread in informer.controller.threads()]  # noqa: E731
    eventually(lambda: alive() == ["kubeinformer-processor-pods"], "the reader has ended")


def test_the_mode_must_be_one_of_the_three(make_factory: Make) -> None:
    factory = make_factory(options={"queue": "fifo"})
    with pytest.raises(ValueError, match='queue must be "atomic", "in_order" or "delta", not "fifo"'):
        factory.core().v1().pods().informer()
