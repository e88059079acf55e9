"""Informers without a factory: `new_shared_index_informer`, `new_informer`, `new_indexer_informer`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from list_watch_support import PODS, Recorder, Script, event, eventually, pod, pod_list

from kubeinformer import ResourceEventHandlerFuncs
from kubeinformer.cache import Controller, new_indexer_informer, new_informer, new_shared_index_informer
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod as server_pod


@contextmanager
def run(target: Callable[[threading.Event], Any]) -> Iterator[threading.Event]:
    """Run on a thread; at the end of the block it is stopped, and has to return."""
    stop = threading.Event()
    thread = threading.Thread(target=target, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


def test_a_shared_informer_of_ones_own(server: APIServer) -> None:
    for namespace in ("a", "b", "c"):
        server.create(server_pod("web-0", namespace))
    informer = new_shared_index_informer(
        server.api_client(), PODS, indexers={"node": "spec.nodeName"}, namespaces=["a", "b"], name="mine"
    )
    recorder = Recorder()
    informer.add_event_handler(recorder)
    with run(informer.run):
        assert informer.wait_for_cache_sync(timeout=10)
        assert sorted(informer.indexer().index_keys("node", "node-1")) == ["a/web-0", "b/web-0"]
        assert sorted(informer.indexer().index_keys("namespace", "a")) == ["a/web-0"]
        server.create(server_pod("web-1", "b"))
        eventually(lambda: ("add", "b/web-1") in recorder.calls, "the event")
        assert informer.name == "mine"
    assert informer.is_stopped()


def test_a_shared_informer_resyncs_its_handlers() -> None:
    script = Script([pod_list("1", pod("a"))])
    informer = new_shared_index_informer(script.list_watch(), PODS, resync_period=1)
    recorder = Recorder()
    informer.add_event_handler(recorder)
    with run(informer.run):
        eventually(lambda: ("update", "default/a") in recorder.calls, "a resync")


def test_new_informer_gives_a_store_and_a_controller() -> None:
    script = Script([pod_list("7", pod("a"))], [[event("ADDED", pod("b", "8"))]])
    recorder = Recorder()
    store, controller = new_informer(script.list_watch(), PODS, 0, recorder)
    assert isinstance(controller, Controller)
    assert (controller.has_synced(), controller.last_sync_resource_version()) == (False, "")
    assert script.lists == []
    with run(controller.run):
        eventually(lambda: recorder.calls == [("add", "default/a"), ("add", "default/b")], "list and event")
        assert controller.has_synced()
        assert controller.last_sync_resource_version() == "8"
        assert sorted(store.list_keys()) == ["default/a", "default/b"]
    assert controller.is_stopped()
    assert controller.threads() == []
    assert sorted(store.list_keys()) == ["default/a", "default/b"], "it stays readable"


def test_s149_a_controller_has_synced_when_its_handler_has_seen_the_first_list() -> None:
    seen, go_on = threading.Event(), threading.Event()

    def block(obj: Any) -> None:
        seen.set()
        go_on.wait()

    script = Script([pod_list("1", pod("a"))])
    _, controller = new_informer(script.list_watch(), PODS, 0, ResourceEventHandlerFuncs(add_func=block))
    with run(controller.run):
        try:
            assert seen.wait(10)
            assert controller.core.has_synced()
            assert not controller.has_synced()
        finally:
            go_on.set()
        eventually(controller.has_synced, "the handler returned")


def test_s156_a_controller_runs_once(caplog: pytest.LogCaptureFixture) -> None:
    script = Script([pod_list("1")])
    _, controller = new_informer(script.list_watch(), PODS, 0, Recorder())
    with run(controller.run):
        eventually(controller.has_synced, "the first list")
        controller.run(threading.Event())  # returns at once
        assert not controller.is_stopped()
    controller.run(threading.Event())
    assert len(script.lists) == 1
    assert caplog.messages.count("informer pods was started before; an informer runs once") == 2


def test_new_indexer_informer_has_indices() -> None:
    script = Script([pod_list("1", pod("a", nodeName="n1"), pod("b", nodeName="n2"))])
    indexers = {"node": "spec.nodeName", "letter": lambda obj: [obj.name]}
    indexer, controller = new_indexer_informer(script.list_watch(), PODS, 0, Recorder(), indexers)
    with run(controller.run):
        eventually(controller.has_synced, "the first list")
        assert indexer.index_keys("node", "n2") == ["default/b"]
        assert indexer.index_keys("letter", "a") == ["default/a"]
        assert sorted(indexer.get_indexers()) == ["letter", "namespace", "node"]


def test_bad_arguments_are_named() -> None:
    list_watch = Script([]).list_watch()
    with pytest.raises(TypeError, match="list_watch must be a ListWatch, a transport or an ApiClient, not str"):
        new_shared_index_informer("pods", PODS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="resync_period must be 0 or more seconds, not -1"):
        new_informer(list_watch, PODS, -1, Recorder())
    with pytest.raises(TypeError, match="namespaces must be a sequence of names"):
        new_shared_index_informer(list_watch, PODS, namespaces="default")
    with pytest.raises(ValueError, match="namespaces have no use beside it"):
        new_shared_index_informer(list_watch, PODS, namespaces=["default"])
    with pytest.raises(ValueError, match="each once"):
        new_shared_index_informer(list_watch, PODS, namespaces=["a", "a"])
    with pytest.raises(TypeError, match="handler must have on_add"):
        new_informer(list_watch, PODS, 0, print)  # type: ignore[arg-type]
