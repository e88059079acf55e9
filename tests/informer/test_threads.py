"""Many threads at once on a running informer: every answer is one cut of store and indices, and nothing hangs.

The pods make cuts visible: of each pair "first" is written before "second", so in one cut first is ahead by 0 or 1.
Each pod has its number as its node, a label and the value of an index function.
"""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from fault_support import Follower, Make, World, event, status
from informer_support import Recorder, assert_equal_to_server, eventually, informer_threads

from kubeinformer import ControllerOptions, KubeObject, SharedIndexInformer, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

NAMESPACES = ("a", "b")
VALUES = 5
SECONDS = 2.0

Informer = SharedIndexInformer[KubeObject]


def numbered(name: str, namespace: str, number: int) -> dict[str, Any]:
    value = str(number % VALUES)
    return pod(name, namespace, node=f"node-{value}", labels={"value": value, "number": str(number)})


def number_of(obj: KubeObject) -> int:
    return int(obj.labels["number"])


@contextmanager
def workers(*works: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Repeat each function on a thread of its own until the block is left, or one of them raises; then raise that."""
    stop, errors = threading.Event(), []

    def repeat(work: Callable[[], None]) -> None:
        try:
            while not stop.is_set() and not errors:
                work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        deadline = time.monotonic() + 10
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        hanging = [thread.name for thread in threads if thread.is_alive()]
    assert hanging == []
    if errors:
        raise errors[0]


def writer(server: APIServer, namespace: str) -> Callable[[], None]:
    numbers = iter(range(1, 1_000_000))

    def write() -> None:
        number = next(numbers)
        server.update(numbered("first", namespace, number))
        server.update(numbered("second", namespace, number))
        server.update(numbered(f"other-{number % 20}", namespace, number))
        if number % 3:
            server.create(numbered("now-and-then", namespace, number))
            server.delete("pods", "now-and-then", namespace)

    return write


class Reader:
    """Each method asks one question and checks that the answer is one cut."""

    def __init__(self, informer: Informer) -> None:
        self.indexer = informer.indexer()
        self.random = random.Random(5)
        self.answers = 0

    def value(self) -> str:
        self.answers += 1
        return str(self.random.randrange(VALUES))

    def check_pairs(self, numbers: dict[str, int]) -> None:
        for namespace in NAMESPACES:
            first, second = numbers.get(f"{namespace}/first"), numbers.get(f"{namespace}/second")
            if first is not None and second is not None:
                assert first - second in (0, 1), numbers

    def check_population(self, keys: list[str]) -> None:
        assert len(keys) == len(set(keys))
        assert len([key for key in keys if not key.endswith("now-and-then")]) == 22 * len(NAMESPACES)

    def by_key(self) -> None:
        second = self.indexer.get_by_key("a/second")
        first = self.indexer.get_by_key("a/first")
        assert first is not None
        assert second is not None
        assert number_of(first) >= number_of(second)
        assert first["spec"]["nodeName"] == f"node-{first.labels['value']}"

    def by_index(self) -> None:
        value = self.value()
        for name, wanted in (("node", f"node-{value}"), ("function", value)):
            found = self.indexer.by_index(name, wanted)
            assert all(obj.labels["value"] == value for obj in found)
            assert len({obj.key for obj in found}) == len(found)
            self.check_pairs({obj.key: number_of(obj) for obj in found})

    def by_selector(self) -> None:
        value = self.value()
        found = self.indexer.list(f"value={value},number")
        assert all(obj.labels["value"] == value for obj in found)
        self.check_pairs({obj.key: number_of(obj) for obj in found})

    def by_list(self) -> None:
        found = self.indexer.list()
        self.check_population([obj.key for obj in found])
        self.check_pairs({obj.key: number_of(obj) for obj in found})
        self.check_population(list(self.indexer.list_keys()))

    def by_namespace(self) -> None:
        keys = self.indexer.index_keys("namespace", "a")
        assert len(set(keys) - {"a/now-and-then"}) == 22
        assert keys == sorted(keys)
        assert set(self.indexer.list_index_func_values("namespace")) == set(NAMESPACES)

    def by_projection(self) -> None:
        rows = self.indexer.project(["metadata.namespace", "metadata.name", "metadata.labels.number", "spec.nodeName"])
        keys = {f"{namespace}/{name}": int(number) for namespace, name, number, _ in rows}
        self.check_population(list(keys))
        self.check_pairs(keys)
        assert all(node == f"node-{int(number) % VALUES}" for _, _, number, node in rows)

    def by_json(self) -> None:
        objects = orjson.loads(self.indexer.list_json())
        numbers = {
            f"{obj['metadata']['namespace']}/{obj['metadata']['name']}": int(obj["metadata"]["labels"]["number"])
            for obj in objects
        }
        self.check_population(list(numbers))
        self.check_pairs(numbers)

    def by_iteration(self) -> None:
        numbers = {obj.key: number_of(obj) for obj in self.indexer.iter(chunk=7)}
        self.check_population(list(numbers))
        self.check_pairs(numbers)

    def works(self) -> list[Callable[[], None]]:
        first = [self.by_key, self.by_index, self.by_selector, self.by_list]
        return [*first, self.by_namespace, self.by_projection, self.by_json, self.by_iteration]


@pytest.fixture
def busy(server: APIServer, make_factory: Make) -> Informer:
    """An informer of two sources, in which all pods of the readers and writers are."""
    for namespace in NAMESPACES:
        for name in ("first", "second", *[f"other-{number}" for number in range(20)]):
            server.create(numbered(name, namespace, 0))
    factory = make_factory(namespaces=list(NAMESPACES))
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"node": "spec.nodeName", "function": lambda obj: [obj.labels["value"]]})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(2)
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
    """A Replace is one cut: nothing is ever missing, whatever comes and goes."""

    def lists() -> int:
        return sum(busy.controller.reflectors[name].counters().watch_lists for name in NAMESPACES)

    def relist() -> None:
        before = lists()
        server.faults.inject(event("ERROR", status(410, "Expired")))
        eventually(lambda: lists() > before, "the relist")
        server.wait_for_watches(2)

    with workers(*Reader(busy).works()[1:7], writer(server, "a"), writer(server, "b"), relist) as errors:
        threading.Event().wait(SECONDS)
        assert errors == []
    assert_equal_to_server(server, busy)


def test_indexers_handlers_and_streams_come_and_go_under_load(server: APIServer, busy: Informer) -> None:
    kept: list[Recorder] = []
    names = iter(range(1000))

    def indexers() -> None:
        name = f"added-{next(names)}"
        busy.add_indexers({name: "spec.nodeName", f"{name}-function": lambda obj: [obj["spec"]["nodeName"]]})
        for value in range(VALUES):
            found = busy.indexer().by_index(f"{name}-function", f"node-{value}")
            assert all(obj.labels["value"] == str(value) for obj in found)
        threading.Event().wait(0.1)

    def handlers() -> None:
        recorder = Recorder()
        registration = busy.add_event_handler(recorder)
        eventually(registration.has_synced, "the late handler has synced")
        assert len(recorder.state) >= 44
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
    assert len(follower.requests("watch")) > 200
    assert follower.counters().relists == {}
    follower.check_goes_on()
