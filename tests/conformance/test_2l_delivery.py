"""2.L, delivery: in which order, on which thread, how far behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

from informer_support import Recorder, assert_equal_to_server, eventually
from statements import differs
from thread_support import workers

from kubeinformer import KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_s138_one_call_at_a_time_in_the_order_of_the_changes(server: APIServer, factory: SharedInformerFactory) -> None:
    """A handler is called on a thread of its own, one call at a time, in the order in which the store changed."""
    informer = factory.core().v1().pods().informer()
    versions: list[int] = []
    threads: set[str] = set()
    inside = threading.Lock()

    def note(obj: KubeObject) -> None:
        assert inside.acquire(blocking=False), "called while it is called"
        threads.add(threading.current_thread().name)
        versions.append(int(obj.resource_version))
        inside.release()

    registration = informer.add_event_handler(
        ResourceEventHandlerFuncs(add_func=note, update_func=lambda _, new: note(new), delete_func=note)  # type: ignore[arg-type]  # no tombstones here
    )
    factory.start()
    assert informer.wait_for_cache_sync(10)
    server.wait_for_watches(1, resource="pods")
    server.create(pod("first"))
    begin = int(server.resource_version)

    def writer(name: str) -> Callable[[], None]:
        def write() -> None:
            server.create(pod(name))
            server.update(pod(name, phase="Failed"))
            server.delete("pods", name)

        return write

    with workers(writer("a"), writer("b")):
        eventually(lambda: len(versions) > 300, "300 calls")
    eventually(lambda: versions[-1] == int(server.resource_version), "the last change")
    assert versions == list(range(begin, int(server.resource_version) + 1))
    assert threads == {registration.thread.name}
    assert registration.errors() == 0


def test_s138_handlers_are_called_at_the_same_time(server: APIServer, factory: SharedInformerFactory) -> None:
    """Handlers do not wait for one another: all of them can be in a call at once."""
    informer = factory.core().v1().pods().informer()
    together = threading.Barrier(3)
    for _ in range(2):
        informer.add_event_handler(ResourceEventHandlerFuncs(add_func=lambda _: together.wait(10)))
    server.create(pod("web-0"))
    factory.start()
    together.wait(10)


def test_s139_a_slow_handler_delays_nobody_else(server: APIServer, factory: SharedInformerFactory) -> None:
    """A handler that blocks delays neither the store nor another handler, and gets all of it later."""
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


@differs(
    "client-go lets what waits for a handler grow without bound; here it is merged per key past a limit, because "
    "one handler that hangs must not take all memory"
)
def test_s139_the_backlog_of_a_slow_handler_is_merged_per_key_past_its_limit(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """What waits for a slow handler is merged per key past a limit: it learns of each object's state, not of each
    step.
    """
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


def test_s139_or_grows_without_bound_if_asked_to(server: APIServer, factory: SharedInformerFactory) -> None:
    """With the backlog "grow" a slow handler gets each step later, however many there are."""
    informer = factory.core().v1().pods().informer()
    gate = threading.Event()

    class Slow(Recorder):
        def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
            gate.wait(30)
            super().on_add(obj, is_in_initial_list)

    recorder = Slow()
    registration = informer.add_event_handler(recorder, backlog="grow")
    server.create(pod("web-0"))
    factory.start()
    assert informer.wait_for_cache_sync(10)
    for version in range(200):
        server.update(pod("web-0", annotations={"version": str(version)}))
    eventually(lambda: registration.pending() == 200, "all of it waits")
    gate.set()
    assert_equal_to_server(server, informer, recorder)
    assert len(recorder.names("update")) == 200
    assert registration.coalesced() == 0


def test_s140_a_handler_gets_the_object_of_its_notification_while_the_store_is_newer(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler that lags behind gets the versions of its notifications, while the store has newer ones."""
    pods = factory.core().v1().pods()
    gate, calls = threading.Event(), list[tuple[str | None, str | None]]()

    def phase(obj: KubeObject | None) -> str | None:
        return None if obj is None else str(obj["status"]["phase"])

    def note(obj: KubeObject) -> None:
        gate.wait(10)
        calls.append((phase(obj), phase(pods.informer().indexer().get_by_key(obj.key))))

    handler = ResourceEventHandlerFuncs[KubeObject](add_func=note, update_func=lambda _, new: note(new))
    pods.informer().add_event_handler(handler)
    server.create(pod("web-0", phase="Pending"))
    factory.start()
    assert pods.informer().wait_for_cache_sync(10)
    for now in ("Running", "Failed"):
        server.update(pod("web-0", phase=now))
    eventually(lambda: phase(pods.lister().pods("default").get("web-0")) == "Failed", "the store has the last version")
    gate.set()
    eventually(lambda: len(calls) == 3, "all calls")
    assert calls == [("Pending", "Failed"), ("Running", "Failed"), ("Failed", "Failed")]
