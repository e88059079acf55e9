"""Handlers that join late, leave in the middle of a call and take others along, while everything changes."""

from __future__ import annotations

import logging
import threading
from typing import Any

import orjson
import pytest
from fault_support import Make, World
from informer_support import Recorder, assert_equal_to_server, eventually
from thread_support import workers

from kubeinformer import DeletedFinalStateUnknown, KubeObject, SharedIndexInformer
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.testing import APIServer

pytestmark = pytest.mark.usefixtures("frequent_switches", "quick_backoff")

Informer = SharedIndexInformer[KubeObject]


class Leaver(Recorder):
    """Removes itself, and a neighbour, in its nth call, and notes whether either is called after that."""

    def __init__(self, informer: Informer, calls: int) -> None:
        super().__init__()
        self.informer = informer
        self.calls_left = calls
        self.registration: HandlerRegistration[Any] | None = None
        self.neighbour: Leaver | None = None
        self.registered = threading.Event()
        self.removed = threading.Event()

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        super().on_add(obj, is_in_initial_list)
        self.count()

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        super().on_update(old, new)
        self.count()

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        super().on_delete(obj)
        self.count()

    def count(self) -> None:
        self.calls_left -= 1
        if self.calls_left < 0:
            self.faults.append("called after it removed itself")
        if self.calls_left == 0:
            assert self.registered.wait(10)
            for each in (self.neighbour, self):
                if each is not None and each.registration is not None:
                    self.informer.remove_event_handler(each.registration)
            assert not self.informer.shut_down_event_handler(self.registration, timeout=10)  # type: ignore[arg-type]
            self.removed.set()


def test_handlers_remove_themselves_and_others_in_callbacks(server: APIServer, make_factory: Make) -> None:
    world = World(server, names=20)
    world.change(30)
    informer = make_factory().core().v1().pods().informer()
    informer.start()
    assert informer.wait_for_cache_sync(timeout=10)
    kept: list[tuple[Recorder, HandlerRegistration[Any]]] = []
    leavers: list[Leaver] = []

    def join() -> None:
        number = len(leavers)
        leaver = Leaver(informer, 1 + number % 40)
        leaver.neighbour = leavers[-1] if leavers and number % 2 else None
        leavers.append(leaver)
        leaver.registration = informer.add_event_handler(leaver)
        leaver.registered.set()
        if number % 20 == 0:
            recorder = Recorder()
            kept.append((recorder, informer.add_event_handler(recorder)))

    with workers(join, lambda: world.change(3)) as errors:
        eventually(lambda: errors or sum(each.removed.is_set() for each in leavers) > 150, "handlers come and go")
    for recorder, registration in kept:
        assert_equal_to_server(server, informer, recorder)
        assert registration.errors() == 0
    for leaver in leavers:
        assert leaver.faults == []
        assert leaver.registration is not None
        assert leaver.registration.errors() == 0
        if leaver.removed.is_set():
            leaver.registration.thread.join(10)
            assert not leaver.registration.thread.is_alive(), "the thread of a removed handler ends"
    assert kept != []
    informer.shutdown(timeout=10)


class HeldCore:
    """The core of an informer, in which the first removal stops half-way."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self.entered, self.leave = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def remove_listener(self, listener: Any) -> bool:
        if not self.entered.is_set():
            self.entered.set()
            assert self.leave.wait(10)
        return bool(self._core.remove_listener(listener))


def test_s146_who_removes_a_handler_second_finds_it_removed(server: APIServer, make_factory: Make) -> None:
    """Also when the first removal has not returned: after either of them nothing more is handed out."""
    informer = make_factory().core().v1().pods().informer()
    registration = informer.add_event_handler(Recorder())
    informer.start()
    core = informer._core = HeldCore(informer._core)
    closed: list[bool] = []

    def remove() -> None:
        informer.remove_event_handler(registration)
        closed.append(registration.listener.is_closed())

    first, second = threading.Thread(target=remove), threading.Thread(target=remove)
    first.start()
    assert core.entered.wait(10)
    second.start()
    second.join(0.2)
    core.leave.set()
    for thread in (first, second):
        thread.join(10)
    assert closed == [True, True]


def test_indexers_and_handlers_join_while_lists_replace_everything(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "kubeinformer")
    world = World(server, names=20)
    world.change(30)
    informer = make_factory(options={"page_size": 3}).core().v1().pods().informer()
    informer.start()
    assert informer.wait_for_cache_sync(timeout=10)
    kept: list[Recorder] = []
    names: list[str] = []
    relists: list[str] = []

    def relist() -> None:
        server.faults.refuse_connections()
        server.faults.drop_connections()
        world.change(10)
        server.compact()
        server.faults.accept_connections()
        eventually(lambda: informer.last_sync_resource_version() == server.resource_version, "a relist")
        relists.append(server.resource_version)

    def app(obj: KubeObject) -> list[str]:
        if obj.labels["app"] == "b":
            raise LookupError(obj.key)
        return ["a"]

    def index() -> None:
        if len(names) < min(40, 5 * len(relists)):
            name = f"app-{len(names)}"
            informer.add_indexers({name: app, f"{name}-path": "metadata.labels.app"})
            names.append(name)
        for name in names[-3:]:
            assert all(obj.labels["app"] == "a" for obj in informer.indexer().by_index(name, "a"))
            assert all(obj.labels["app"] == "b" for obj in informer.indexer().by_index(f"{name}-path", "b"))

    def join() -> None:
        recorder = Recorder()
        registration = informer.add_event_handler(recorder)
        eventually(registration.has_synced, "a late handler has synced")
        if len(kept) < 20:
            kept.append(recorder)
        else:
            assert informer.shut_down_event_handler(registration, timeout=10)
        assert recorder.faults == []

    with workers(relist, index, join) as errors:
        eventually(lambda: errors or (len(names) == 40 and len(kept) == 20 and len(relists) > 20), "they join")
    for recorder in kept:
        assert_equal_to_server(server, informer, recorder)
    of_app = {app: [obj.key for obj in informer.indexer().list(f"app={app}")] for app in "ab"}
    for name in names:
        assert informer.indexer().index_keys(name, "a") == sorted(of_app["a"])
        assert informer.indexer().index_keys(f"{name}-path", "b") == sorted(of_app["b"])
    errors_of = informer.index_errors()
    assert set(errors_of) == (set(names) if of_app["b"] else set())
    assert all(set(errors) == set(of_app["b"]) for errors in errors_of.values())


def test_own_writes_are_read_by_store_and_handlers(server: APIServer, make_factory: Make) -> None:
    """Each writer waits for its own version, and then the store and every handler are there."""
    informer = make_factory().core().v1().pods().informer()
    recorders = [Recorder() for _ in range(3)]
    for recorder in recorders:
        informer.add_event_handler(recorder)
    informer.start()
    assert informer.wait_for_cache_sync(timeout=10)
    done = []

    def writer(number: int) -> Any:
        namespace = f"team-{number}"
        world = World(server, namespaces=(namespace,), names=3, seed=number)

        def write() -> None:
            world.change(1)
            assert informer.wait_for_resource_version(server.resource_version, handlers=True, timeout=10)
            there = {f"{namespace}/{obj['metadata']['name']}": obj for obj in server.list("pods", namespace)}
            stored = {obj.key: obj.to_dict() for obj in informer.indexer().by_index("namespace", namespace)}
            assert stored == there, "the store lacks a write whose version was waited for"
            for recorder in recorders:
                told = {key: raw for key, raw in [*recorder.state.items()] if key.startswith(f"{namespace}/")}
                assert {key: orjson.loads(raw) for key, raw in told.items()} == there, "a handler lacks it"
            done.append(number)

        return write

    with workers(*[writer(number) for number in range(6)]) as errors:
        eventually(lambda: errors or len(done) > 1000, "writes are waited for")
    assert set(done) == set(range(6))
