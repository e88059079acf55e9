"""2.L, joining: what a handler is told first, whenever it is added."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from informer_support import Recorder, assert_equal_to_server, eventually

from kubeinformer import Error, KubeObject, ResourceEventHandlerFuncs, SharedIndexInformer, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_s141_handler_added_before_the_start_gets_the_first_list_as_initial(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler that is added before the start gets everything; the objects of the first list are marked as such."""
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
    """A handler that is added to a running informer gets each object of the store once, as of the first list, and then
    every change.
    """
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
    """Adding a handler to an informer that was stopped is an error that says so."""
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.shutdown(10)
    with pytest.raises(Error, match="was not added to shared informer pods because it has stopped already"):
        informer.add_event_handler(Recorder())


def test_s144_s145_one_handler_may_be_added_twice(server: APIServer, factory: SharedInformerFactory) -> None:
    """One handler may be added several times: each registration is told of everything, and is removed by itself."""
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


def test_s155_handlers_that_are_added_while_the_informer_starts_get_everything_once(
    server: APIServer, make_factory: Make
) -> None:
    """Handlers that are added while the informer starts get each object once, and then every change."""
    for number in range(10):
        server.create(pod(f"web-{number}"))
    for attempt in range(5):
        informer = make_factory().core().v1().pods().informer()
        recorders = [Recorder() for _ in range(4)]
        together = threading.Barrier(len(recorders) + 1)

        def join(
            recorder: Recorder, informer: SharedIndexInformer[KubeObject] = informer, go: threading.Barrier = together
        ) -> None:
            go.wait(10)
            informer.add_event_handler(recorder)

        threads = [threading.Thread(target=join, args=(recorder,)) for recorder in recorders]
        for thread in threads:
            thread.start()
        together.wait(10)
        informer.start()
        for thread in threads:
            thread.join(10)
        server.update(pod("web-0", annotations={"attempt": str(attempt)}))
        for recorder in recorders:
            assert_equal_to_server(server, informer, recorder)
            assert sorted(recorder.names("add")) == [f"default/web-{number}" for number in range(10)]
