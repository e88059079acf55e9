"""`informer.enqueue`: which keys come into a queue and with which priority, without a handler of Python's."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from filter_support import Core, pod
from informer_support import eventually, informer_threads

from kubeinformer import Filter, Index, SharedInformerFactory, filter, index
from kubeinformer.errors import Error, ShutDown
from kubeinformer.testing import APIServer, objects
from kubeinformer.workqueue import LOW_PRIORITY, DelayingQueue, FakeClock, Queue, RateLimitingQueue, run_workers


def taken(queue: Queue[Any]) -> list[Any]:
    """Take and finish whatever can be taken, in order."""
    items = []
    while len(queue):
        with queue.item(timeout=0) as item:
            items.append(item)
    return items


def enqueue(core: Core, queue: Queue[str], key: Index | None = None, when: Filter | None = None) -> Any:
    enqueuer = core.core.add_enqueuer(queue, key, when, low_priority=LOW_PRIORITY)
    assert enqueuer is not None
    return enqueuer


@pytest.mark.parametrize("kind", [Queue, DelayingQueue, RateLimitingQueue])
def test_keys_of_what_is_there_and_of_what_changes(kind: type[Queue[str]]) -> None:
    core, queue = Core(), kind()
    enqueuer = enqueue(core, queue)
    core.list(3, pod("a", 1), pod("b", 2), pod("c", 3))
    core.watch("MODIFIED", pod("c", 4))
    core.watch("DELETED", pod("b", 5))
    # News comes before the first list.
    assert len(queue) == 3
    assert taken(queue) == ["default/c", "default/b", "default/a"]
    assert enqueuer.stats() == (5, 0)
    late: Queue[str] = kind()
    enqueue(core, late)
    assert taken(late) in (["default/a", "default/c"], ["default/c", "default/a"])
    core.list(9)
    assert sorted(taken(queue)) == ["default/a", "default/c"]
    assert core.core.remove_enqueuer(enqueuer)
    assert not core.core.remove_enqueuer(enqueuer)
    core.watch("ADDED", pod("d", 10))
    assert taken(queue) == []
    assert taken(late) != []


def test_the_former_and_the_new_owner_hear_of_an_update() -> None:
    core = Core()
    owners, names, filtered = Queue[str](), Queue[str](), Queue[str]()
    owner = index.controller_owner("ReplicaSet")
    enqueue(core, owners, owner)
    enqueue(core, names, index.join("metadata.labels.app", "status.phase"))
    enqueuer = enqueue(core, filtered, owner, filter.labels("app=web") & filter.changed("status.phase"))

    def all_taken() -> list[list[str]]:
        return [taken(queue) for queue in (owners, names, filtered)]

    core.list(1)
    core.watch("ADDED", pod("a", 2, owner="one"))
    assert all_taken() == [["default/one"], ["web/Running"], ["default/one"]]
    core.watch("MODIFIED", pod("a", 3, owner="two"))
    assert all_taken() == [["default/one", "default/two"], ["web/Running"], []]
    core.watch("MODIFIED", pod("a", 4, owner="two", phase="Failed"))
    assert all_taken() == [["default/two"], ["web/Running", "web/Failed"], ["default/two"]]
    core.watch("MODIFIED", pod("a", 5, app="db", phase="Failed"))
    assert all_taken() == [["default/two"], ["web/Failed", "db/Failed"], ["default/two"]]
    core.watch("MODIFIED", pod("a", 6, app="db", owner="one"))
    assert all_taken() == [["default/one"], ["db/Failed", "db/Running"], []]
    core.list(7)
    assert all_taken() == [["default/one"], ["db/Running"], []]
    assert enqueuer.stats()[1] == 3


def test_a_key_waits_once_and_beside_other_items() -> None:
    clock = FakeClock()
    core, queue = Core(), RateLimitingQueue[Any](name="keys", clock=clock)
    enqueue(core, queue)
    core.list(1)
    queue.add("default/a")
    queue.add(7)
    for version in range(2, 50):
        core.watch("MODIFIED", pod("a", version))
    core.watch("ADDED", pod("b", 50))
    clock.step(3)
    stats = queue.stats()
    assert (stats.depth, stats.adds) == (3, 3)
    with queue.item() as key:
        assert key == "default/a"
        core.watch("MODIFIED", pod("a", 51))
        assert len(queue) == 2
        assert queue.stats().depth == 3
    assert taken(queue) == [7, "default/b", "default/a"]
    assert queue.stats().queue_duration == pytest.approx(9)
    queue.add_after("default/c", 10)
    core.watch("ADDED", pod("c", 52))
    assert taken(queue) == ["default/c"]


def test_a_subclass_of_str_is_found_to_be_equal() -> None:
    class Key(str):
        pass

    core, queue = Core(), Queue[str]()
    enqueue(core, queue)
    core.list(1)
    key = Key("default/a")
    queue.add(key)
    core.watch("ADDED", pod("a", 2))
    assert len(queue) == 1
    assert queue.get() is key


def test_shutdown_hands_out_what_came_before_it() -> None:
    core, queue = Core(), Queue[str]()
    enqueue(core, queue)
    core.list(1, pod("a", 1))
    queue.shut_down()
    core.watch("ADDED", pod("b", 2))
    assert queue.get(timeout=5) == "default/a"
    with pytest.raises(ShutDown):
        queue.get(timeout=5)
    assert len(queue) == 0


def test_a_queue_that_is_gone_gets_nothing() -> None:
    core, queue = Core(), Queue[str]()
    enqueuer = enqueue(core, queue)
    core.list(1, pod("a", 1))
    del queue
    gc.collect()
    core.watch("ADDED", pod("b", 2))
    assert enqueuer.stats() == (1, 0)


def test_workers_are_woken_and_no_thread_is_added(
    server: APIServer, make_factory: Callable[..., SharedInformerFactory]
) -> None:
    factory = make_factory()
    informer = factory.core().v1().pods().informer()
    queue: RateLimitingQueue[str] = RateLimitingQueue(name="owners")
    seen: set[str] = set()
    registration = informer.enqueue(queue, index.controller_owner("ReplicaSet"), filter.changed("status.phase"))
    assert registration.queue is queue
    assert not registration.has_synced()

    def is_done() -> bool:
        stats = queue.stats()
        return stats.depth == stats.processing == 0

    worker = threading.Thread(target=run_workers, args=(queue, seen.add, 2))
    worker.start()
    try:
        server.create(objects.pod("web-0", owner="web"))
        with factory.running(timeout=20):
            eventually(lambda: seen == {"default/web"}, "the first list")
            assert registration.has_synced()
            assert registration.has_synced_checker().is_done()
            assert not any("handler" in name for name in informer_threads())
            for number in range(50):
                created = server.create(objects.pod(f"api-{number}", owner=f"api-{number % 5}"))
            assert informer.wait_for_resource_version(created["metadata"]["resourceVersion"], timeout=20)
            eventually(is_done, "the workers have done all")
            assert seen == {"default/web", *(f"default/api-{number}" for number in range(5))}
            seen.clear()
            server.update(objects.pod("web-0", owner="web", labels={"x": "y"}))
            version = server.update(objects.pod("web-0", owner="new", phase="Failed"))["metadata"]["resourceVersion"]
            assert informer.wait_for_resource_version(version, timeout=20)
            eventually(is_done, "the workers have done all")
            assert seen == {"default/web", "default/new"}
            assert registration.filtered() == 1
            assert registration.added() == 53
            registration.remove()
            registration.remove()
            seen.clear()
            version = server.create(objects.pod("db-0", owner="db"))["metadata"]["resourceVersion"]
            assert informer.wait_for_resource_version(version, timeout=20)
            assert len(queue) == 0
            assert registration.added() == 53
    finally:
        queue.shut_down()
        worker.join(20)
    assert seen == set()
    with pytest.raises(Error, match="stopped"):
        informer.enqueue(queue)


def test_a_resync_puts_all_keys_in_again(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(objects.pod("web-0"))
    informer = factory.core().v1().pods().informer()
    queue: Queue[str] = Queue()
    informer.enqueue(queue, resync_period=1)
    with factory.running(timeout=20):
        for _ in range(2):
            with queue.item(timeout=20) as key:
                assert key == "default/web-0"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"queue": []}, TypeError, "queue must be a Queue, not list"),
        ({"key": lambda pod: "x"}, TypeError, "key must be an Index, a path or None, not function"),
        ({"key": "spec..node"}, ValueError, "at character 5"),
        ({"when": "app=web"}, TypeError, "when must be a Filter"),
        ({"resync_period": -1}, ValueError, "resync_period"),
        ({"priority": "high"}, TypeError, "priority"),
    ],
)
def test_bad_arguments(
    factory: SharedInformerFactory, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    informer = factory.core().v1().pods().informer()
    with pytest.raises(error, match=message):
        informer.enqueue(**({"queue": Queue[str]()} | arguments))
