"""A reflector over stores, queues and objects of one's own: what it calls, in which order, and what errors lead to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from list_watch_support import (
    EVENTS,
    PODS,
    Log,
    Quiet,
    Script,
    bookmark,
    event,
    eventually,
    pod,
    pod_list,
    reflecting,
    scripted,
)

from kubeinformer import APIStatusError, KubeObject
from kubeinformer.cache import (
    DeltaFIFO,
    Indexer,
    RealFIFO,
    new_namespace_keyed_indexer_and_reflector,
    new_reflector,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod as server_pod


def test_a_store_is_told_what_the_server_says_in_its_order() -> None:
    store = Log()
    reflector = new_reflector(scripted(*EVENTS).list_watch(), PODS, store, name="mine")
    with reflecting(reflector) as thread:
        eventually(lambda: reflector.last_sync_resource_version() == "9", "the bookmark")
        assert store.calls == [
            ("replace", "b,a@1"),
            ("add", "c"),
            ("update", "a"),
            ("delete", "b"),
            ("update", "unknown"),
        ]
        assert store.threads == {thread}
        assert reflector.name == "mine"
        assert reflector.is_live()
    assert reflector.phase() == "stopped"


def test_an_indexer_holds_what_the_server_holds() -> None:
    indexer: Indexer[KubeObject] = Indexer(indexers={"node": lambda obj: [obj.get_path("spec.nodeName", "none")]})
    reflector = new_reflector(scripted(*EVENTS).list_watch(), PODS, indexer)
    with reflecting(reflector):
        eventually(lambda: indexer.last_store_sync_resource_version() == "9", "the bookmark")
        assert sorted(indexer.list_keys()) == ["default/a", "default/c", "default/unknown"]
        assert indexer.index_keys("node", "none") == ["default/a", "default/c", "default/unknown"]
        changed = indexer.get_by_key("default/a")
        assert changed is not None
        assert (changed.resource, changed.resource_version) == ("v1/pods", "3")


def pop_all(pop: Callable[..., Any]) -> list[tuple[str, str]]:
    popped: list[tuple[str, str]] = []

    def process(delta: Any, is_in_initial_list: bool) -> None:
        for kind, obj in delta if isinstance(delta, list) else [delta]:
            popped.append((kind, getattr(obj, "key", None) or ",".join(one.name for one in obj.objects)))

    while True:
        try:
            pop(process, timeout=0)
        except TimeoutError:
            return popped


def test_s37_a_delta_fifo_finds_what_a_relist_deletes() -> None:
    known: Indexer[Any] = Indexer()
    known.add({"metadata": {"name": "old", "namespace": "default"}})
    queue: DeltaFIFO[Any] = DeltaFIFO(known_objects=known, emit_delta_type_replaced=True)
    reflector = new_reflector(scripted(*EVENTS).list_watch(), PODS, queue)
    with reflecting(reflector):
        eventually(lambda: reflector.last_sync_resource_version() == "9", "the bookmark")
        assert pop_all(queue.pop) == [
            *[("Replaced", "default/b"), ("Deleted", "default/b")],
            *[("Replaced", "default/a"), ("Updated", "default/a")],
            *[("Deleted", "default/old"), ("Added", "default/c"), ("Updated", "default/unknown")],
        ]
        assert queue.has_synced()


def test_s57_a_real_fifo_gets_a_list_as_one_delta() -> None:
    queue: RealFIFO[Any] = RealFIFO()
    reflector = new_reflector(scripted(*EVENTS).list_watch(), PODS, queue)
    with reflecting(reflector):
        eventually(lambda: reflector.last_sync_resource_version() == "9", "the bookmark")
        assert pop_all(queue.pop)[:2] == [("ReplacedAll", "b,a"), ("Added", "default/c")]


def test_s93_s94_a_replace_that_fails_fails_the_attempt(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Exception] = []
    store = Log(fail={("replace", "b,a@1")})
    reflector = new_reflector(scripted(*EVENTS).list_watch(), PODS, store, on_error=errors.append)
    with reflecting(reflector):
        eventually(lambda: len(errors) == 2, "two attempts")
        assert reflector.last_sync_resource_version() == ""
        assert not reflector.is_live()
        store.fail.clear()
        eventually(lambda: reflector.last_sync_resource_version() == "9", "it goes on")
    assert [str(error) for error in errors] == ["replace b,a@1"] * 2
    assert [call for call, _ in store.calls].count("replace") == 3


def test_s101_a_streamed_list_is_one_replace() -> None:
    end = bookmark("6")
    end["object"]["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}
    events = [event("ADDED", pod("a", "5")), event("ADDED", pod("b", "2")), event("DELETED", pod("a", "6"))]
    script = Script([], [lambda: Quiet(script.over, *events, end, event("ADDED", pod("c", "7")))])
    store = Log()
    with reflecting(new_reflector(script.list_watch(supports_watch_list=True), PODS, store)):
        eventually(lambda: ("add", "c") in store.calls, "the event")
        assert store.calls == [("replace", "b@6"), ("add", "c")]


def test_s81_errors_of_a_list_are_given_to_the_error_handler() -> None:
    errors: list[Exception] = []
    script = Script([APIStatusError("no", code=403, reason="Forbidden"), pod_list("1", pod("a"))])
    store = Log()
    with reflecting(new_reflector(script.list_watch(), PODS, store, on_error=errors.append)):
        eventually(lambda: store.calls, "the list")
        assert [getattr(error, "code", None) for error in errors] == [403]


def test_a_namespace_keyed_indexer_and_its_reflector(server: APIServer) -> None:
    for namespace in ("a", "b"):
        server.create(server_pod("web-0", namespace))
    indexer, reflector = new_namespace_keyed_indexer_and_reflector(server.api_client(), PODS)
    with reflecting(reflector):
        eventually(lambda: len(indexer) == 2, "the first list")
        server.wait_for_watches()
        assert indexer.index_keys("namespace", "a") == ["a/web-0"]
        server.create(server_pod("web-1", "a"))
        eventually(lambda: len(indexer.by_index("namespace", "a")) == 2, "the event")
        server.delete("pods", "web-0", "b")
        eventually(lambda: indexer.index_keys("namespace", "b") == [], "the deletion")
        assert all(isinstance(obj, KubeObject) for obj in indexer.list())


def test_a_store_must_have_the_methods_of_one() -> None:
    list_watch = Script([]).list_watch()
    with pytest.raises(TypeError, match="store must have add, update, delete, replace and resync: dict lacks one"):
        new_reflector(list_watch, PODS, {})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="resync_period"):
        new_reflector(list_watch, PODS, Log(), -1)
    with pytest.raises(ValueError, match="namespaces have no use beside it"):
        new_reflector(list_watch, PODS, Log(), namespace="default")


def test_s83_a_reflector_that_is_stopped_before_asks_nothing() -> None:
    script = Script([pod_list("1")])
    stop = threading.Event()
    stop.set()
    reflector = new_reflector(script.list_watch(), PODS, Log())
    reflector.run(stop)
    assert (script.lists, script.watches, reflector.phase()) == ([], [], "stopped")


def test_a_reflector_runs_in_the_thread_that_calls_it_and_ends_with_its_stop() -> None:
    script = scripted()
    reflector = new_reflector(script.list_watch(), PODS, Log())
    stop = threading.Event()
    watcher = threading.Thread(target=lambda: eventually(lambda: script.watches, "a watch") and stop.set())
    watcher.start()
    reflector.run(stop)
    assert stop.is_set()
    watcher.join(5)
    assert reflector.phase() == "stopped"
