"""What ends when something else does, and what is let go of then."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import eventually, informer_threads

from kubeinformer import ClosedError, KubeObject, Resource, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.cache import new_informer, new_shared_index_informer
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

PODS = Resource("", "v1", "pods")


def in_thread(function: Callable[..., object], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("stop", [None, threading.Event()], ids=["without stop", "with stop"])
def test_run_ends_with_a_shutdown(server: APIServer, stop: threading.Event | None) -> None:
    informer = new_shared_index_informer(server.api_client(), PODS)
    running = in_thread(informer.run, *([] if stop is None else [stop]))
    assert informer.wait_for_cache_sync(10)
    assert informer.shutdown(10) == []
    running.join(10)
    assert not running.is_alive()


def test_run_of_a_controller_ends_with_its_stop(server: APIServer) -> None:
    _, controller = new_informer(server.api_client(), PODS, 0, ResourceEventHandlerFuncs())
    running = in_thread(controller.run)
    eventually(controller.has_synced, "synced")
    controller.stop()
    running.join(10)
    assert not running.is_alive()
    assert informer_threads() == []


def test_an_informer_started_with_a_stop_that_is_set_stops(factory: SharedInformerFactory) -> None:
    stop = threading.Event()
    pods = factory.core().v1().pods().informer()
    factory.start(stop)
    stop.set()
    eventually(pods.is_stopped, "stopped")
    eventually(lambda: not any("stop" in name for name in informer_threads()), "the watcher of the event has ended")
    nodes = factory.core().v1().nodes().informer()
    factory.start(stop)
    eventually(nodes.is_stopped, "the second one stops, too")


def test_an_informer_that_is_asked_for_after_the_stop_of_running_stops(factory: SharedInformerFactory) -> None:
    stop = threading.Event()
    pods = factory.core().v1().pods().informer()
    with factory.running(10, stop):
        stop.set()
        eventually(pods.is_stopped, "stopped")
        eventually(lambda: not any("stop" in name for name in informer_threads()), "the watcher of the event has ended")
        nodes = factory.core().v1().nodes().informer()
        eventually(nodes.is_stopped, "the second one stops, too")


def test_running_a_second_time_is_an_error(factory: SharedInformerFactory) -> None:
    with factory.running(10):
        pass
    with pytest.raises(ClosedError, match="make a new one"), factory.running(10):
        pass


def test_a_wait_for_a_handler_ends_with_its_removal(server: APIServer) -> None:
    informer = new_shared_index_informer(server.api_client(), PODS)
    registration = informer.add_event_handler(ResourceEventHandlerFuncs())
    ends: list[str] = []

    def wait() -> None:
        try:
            registration.has_synced_checker().wait()
        except ClosedError as error:
            ends.append(str(error))

    waiting = in_thread(wait)
    informer.remove_event_handler(registration)
    waiting.join(10)
    assert len(ends) == 1
    assert "removed" in ends[0]


def test_a_stream_that_is_let_go_of_is_closed(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a"))
    server.create(pod("b"))
    informer = factory.core().v1().pods().informer()
    with factory.running(10):
        stream = informer.events(10)
        listener = stream._listener
        for _event in stream:
            break
        assert not listener.is_closed()
        del stream
        gc.collect()
        assert listener.is_closed()


def test_an_idle_handler_keeps_nothing_of_its_last_batch(server: APIServer, factory: SharedInformerFactory) -> None:
    class Seen:
        pass

    seen: list[weakref.ref[Seen]] = []

    def convert(_obj: KubeObject) -> Seen:
        made = Seen()
        seen.append(weakref.ref(made))
        return made

    server.create(pod("a"))
    informer = factory.core().v1().pods().informer().with_conversion(convert)
    registration = informer.add_event_handler(ResourceEventHandlerFuncs())
    with factory.running(10):
        eventually(registration.has_synced, "delivered")
        eventually(lambda: not _batch_of(registration.thread), "the batch is gone")
        assert [reference() for reference in seen] == [None]


def _batch_of(thread: threading.Thread) -> Any:
    """What the frames of a handler's thread hold of notifications."""
    assert thread.ident is not None
    frame = sys._current_frames().get(thread.ident)
    while frame is not None:
        if frame.f_locals.get("batch"):
            return frame.f_locals["batch"]
        frame = frame.f_back
    return None


def test_a_closed_stream_gives_nothing_more(server: APIServer) -> None:
    for name in "abc":
        server.create(pod(name))
    factory = SharedInformerFactory(server.api_client())
    with factory.running(timeout=10):
        events = factory.core().v1().pods().informer().events()
        factory.wait_for_cache_sync(timeout=10)
        assert next(events).type == "ADDED"
        events.close()
        assert list(events) == []


def test_a_handler_without_a_thread_is_none(server: APIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    factory = SharedInformerFactory(server.api_client())
    with factory.running(timeout=10):
        informer = factory.core().v1().pods().informer()
        factory.wait_for_cache_sync(timeout=10)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            with pytest.raises(RuntimeError, match="new thread"):
                informer.add_event_handler(ResourceEventHandlerFuncs())
        assert informer._handlers.copy() == []
