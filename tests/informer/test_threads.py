"""Many threads at once on a running informer: every answer is one cut of store and indices, and nothing hangs."""

from __future__ import annotations

import gc
import os
import random
import threading
import time

import pytest
from fault_support import Follower, Make, World
from informer_support import Recorder, assert_equal_to_server, eventually, informer_threads
from thread_support import NAMES, NAMESPACES, VALUES, Informer, Reader, number_of, numbered, workers, writer

from kubeinformer import ControllerOptions, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

SECONDS = 2.0


pytestmark = pytest.mark.usefixtures("frequent_switches")


@pytest.fixture
def busy(server: APIServer, make_factory: Make) -> Informer:
    """An informer of two sources, in which all pods of the readers and writers are."""
    server.create(numbered("fixed", "default", 5_000_003))
    for namespace in NAMESPACES:
        for name in NAMES:
            server.create(numbered(name, namespace, 0))
    factory = make_factory(namespaces=[*NAMESPACES, "default"])
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"node": "spec.nodeName", "function": lambda obj: [obj.labels["value"]]})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(3)
    return informer


def test_eight_readers_and_two_sources_that_write(server: APIServer, busy: Informer) -> None:
    readers = [Reader(busy) for _ in range(8)]
    works = [reader.works()[place] for place, reader in enumerate(readers)]
    written = int(server.resource_version)
    with workers(*works, *[writer(server, namespace) for namespace in NAMESPACES]) as errors:
        eventually(lambda: errors or int(server.resource_version) > written + 800, "the writes")
    assert_equal_to_server(server, busy)
    for value in range(VALUES):
        assert busy.indexer().index_keys("node", f"node-{value}") == busy.indexer().index_keys("function", str(value))


@pytest.mark.usefixtures("quick_backoff")
def test_reading_while_relists_replace_everything(server: APIServer, busy: Informer) -> None:
    """Each Replace changes all pods of a namespace; it is one cut, in which they have the same number."""
    number = 0

    def change_in_a_gap() -> None:
        nonlocal number
        server.faults.refuse_connections()
        server.faults.drop_connections()
        for namespace in NAMESPACES:
            for name in NAMES:
                server.update(numbered(name, namespace, number + 1))
        server.compact()
        server.faults.accept_connections()
        find = busy.indexer().list
        eventually(lambda: len(find(f"number={number + 1}")) == len(NAMES) * len(NAMESPACES), "both relists")
        number += 1

    works = [Reader(busy, uniform=True).works()[place] for place in range(1, 8)]
    with workers(*works, change_in_a_gap) as errors:
        eventually(lambda: errors or number >= 20, "the relists")
        assert errors == []
    assert_equal_to_server(server, busy)


def test_indexers_handlers_and_streams_come_and_go_under_load(server: APIServer, busy: Informer) -> None:
    kept: list[Recorder] = []
    names = iter(range(1000))

    def indexers() -> None:
        name = f"added-{next(names)}"
        busy.add_indexers({name: "spec.nodeName", f"{name}-function": lambda obj: [obj["spec"]["nodeName"]]})
        for index in (name, f"{name}-function"):
            assert set(busy.indexer().list_index_func_values(index)) <= {f"node-{value}" for value in range(VALUES)}
            assert "default/fixed" in busy.indexer().index_keys(index, "node-3")
            for value in range(VALUES):
                found = busy.indexer().by_index(index, f"node-{value}")
                assert all(obj.labels["value"] == str(value) for obj in found)
        threading.Event().wait(0.2)

    def handlers() -> None:
        recorder = Recorder()
        registration = busy.add_event_handler(recorder)
        eventually(registration.has_synced, "the late handler has synced")
        assert len(recorder.state) > len(NAMES) * len(NAMESPACES)
        if len(kept) < 10:
            kept.append(recorder)
        else:
            assert busy.shut_down_event_handler(registration, timeout=10)
        assert recorder.faults == []

    def streams() -> None:
        state: dict[str, int] = {}
        with busy.events(timeout=5) as events:
            for number, change in enumerate(events):
                key = change.object.key
                assert (change.type == "ADDED") == (key not in state), (change, state.get(key))
                if change.type == "DELETED":
                    del state[key]
                else:
                    assert number_of(change.object) >= state.get(key, 0)
                    state[key] = number_of(change.object)
                if number > 300:
                    break

    works = [indexers, handlers, handlers, streams, streams, Reader(busy).by_list]
    with workers(*works, writer(server, "a"), writer(server, "b")) as errors:
        threading.Event().wait(SECONDS)
        assert errors == []
    assert len(kept) == 10
    for recorder in kept:
        assert_equal_to_server(server, busy, recorder)
    indexer = busy.indexer()
    for name in indexer.get_indexers():
        for value in range(VALUES):
            if name.startswith("added"):
                assert indexer.index_keys(name, f"node-{value}") == indexer.index_keys("node", f"node-{value}")


def test_shutdown_in_the_middle_of_whatever_it_does(server: APIServer) -> None:
    """Of a list of 400 pods, of relists, of the first moments: all threads end, at once."""
    server.faults.chunk_bytes(100)
    for number in range(400):
        server.create(pod(f"web-{number}"))
    pauses = random.Random(3)
    synced = 0
    for number in range(30):
        options = ControllerOptions(use_watch_list=number % 2 == 0, page_size=50, queue_bytes=5000)
        factory = SharedInformerFactory(server.api_client(), namespaces=["default", "other"], options=options)
        informer = factory.core().v1().pods().informer()
        informer.add_indexers({"node": lambda obj: [obj["spec"]["nodeName"]]})
        informer.add_event_handler(Recorder())
        factory.start()
        threading.Event().wait(pauses.random() * 0.1)
        synced += informer.has_synced()
        begin = time.monotonic()
        assert factory.shutdown(timeout=10) == []
        assert time.monotonic() - begin < 0.5
        assert informer_threads() == []
    assert 0 < synced < 30, "both before and after the first list"


def test_many_factories_leave_no_thread_and_no_connection(server: APIServer) -> None:
    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    World(server).change(20)
    kept = []
    before, threads = open_files(), threading.active_count()
    for _ in range(30):
        factory = SharedInformerFactory(server.api_client(), options=ControllerOptions(use_watch_list=False))
        factory.core().v1().pods().informer().add_event_handler(Recorder())
        factory.core().v1().config_maps().informer()
        stop = threading.Event()
        factory.start(stop)
        assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "configmaps": True}
        stop.set()
        assert factory.shutdown(timeout=10) == []
        kept.append(factory)
    assert threading.active_count() == threads
    eventually(lambda: open_files() <= before, "all connections are closed, of factories that somebody still holds too")
    assert len(kept[0].core().v1().pods().informer().indexer()) > 0


def test_hundreds_of_reconnects_lose_and_repeat_nothing(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory())
    for _ in range(200):
        follower.world.change()
        seen = follower.informer.last_sync_resource_version
        eventually(lambda seen=seen: seen() == server.resource_version, "the change")
        server.wait_for_watches(1)
        server.faults.close_watches()
    follower.check_goes_on()
    assert len(follower.requests("watch")) > 200
    assert follower.counters().relists == {}
