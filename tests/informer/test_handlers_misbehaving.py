"""Handlers that misbehave, in every way at once: nothing hangs, and no other handler misses anything (§138, §148)."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Recorder, assert_equal_to_server, eventually

from kubeinformer import (
    Error,
    HandlerRegistration,
    KubeObject,
    ResourceEventHandlerFuncs,
    SharedIndexInformer,
    SharedInformerFactory,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]
Informer = SharedIndexInformer[KubeObject]


class Misbehaving:
    """Does the same in each of its calls."""

    def __init__(self, act: Callable[[KubeObject], object]) -> None:
        self.act = act
        self.calls = 0

    def _called(self, obj: Any) -> None:
        self.calls += 1
        self.act(obj)

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self._called(obj)

    def on_update(self, old: Any, new: Any) -> None:
        self._called(new)

    def on_delete(self, obj: Any) -> None:
        self._called(obj)


def churn(server: APIServer, rounds: int = 5) -> None:
    for version in range(rounds):
        for number in range(20):
            server.update(pod(f"web-{number}", node=f"node-{version}", annotations={"version": str(version)}))
        server.create(pod("comes-and-goes"))
        server.delete("pods", "comes-and-goes")


def test_s148_handlers_that_do_everything_at_once_disturb_no_other(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for number in range(20):
        server.create(pod(f"web-{number}"))
    pods = factory.core().v1().pods()
    informer = pods.informer()
    informer.add_indexers({"node": "spec.nodeName"})
    gate = threading.Event()
    names = itertools.count()
    added: list[HandlerRegistration[KubeObject]] = []

    def fail(_obj: KubeObject) -> None:
        raise SystemExit(1)

    def add_another(_obj: KubeObject) -> None:
        if len(added) < 30:
            added.append(informer.add_event_handler(Recorder()))
        elif added:
            informer.remove_event_handler(added.pop())

    def read(obj: KubeObject) -> None:
        pods.lister().pods("default").list("app=web")
        for other in informer.indexer().by_index("node", obj.get_path("spec.nodeName", "")):
            assert other["spec"]["nodeName"]
        informer.indexer().list_json()

    def add_index(_obj: KubeObject) -> None:
        if (number := next(names)) < 10:
            informer.add_indexers({f"index-{number}": lambda obj: [obj.name]})

    def pull(_obj: KubeObject) -> None:
        with informer.events(timeout=0) as events:
            for _event, _number in zip(events, range(3), strict=False):
                pass

    blocking = Misbehaving(lambda _: gate.wait(30))
    acts = [fail, add_another, read, add_index, pull, lambda _: factory.start()]
    others = [Misbehaving(act) for act in acts]
    before, late = Recorder(), Recorder()
    informer.add_event_handler(before)
    for handler in (blocking, *others):
        informer.add_event_handler(handler)
    removing: list[HandlerRegistration[KubeObject]] = []
    leaving = Misbehaving(lambda _: informer.remove_event_handler(removing[0]))
    removing.append(informer.add_event_handler(leaving))
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    informer.add_event_handler(late)
    churn(server)
    assert_equal_to_server(server, informer, before)
    assert_equal_to_server(server, informer, late)
    assert leaving.calls == 1
    assert blocking.calls == 1
    for handler in others:
        eventually(lambda handler=handler: handler.calls == len(before.calls), "every other was called for everything")
    gate.set()
    eventually(lambda: blocking.calls == len(before.calls), "and the one that blocked gets all of it later")


def test_s147_a_handler_that_shuts_another_one_down_waits_for_it(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    informer = factory.core().v1().pods().informer()
    gate, entered, results = threading.Event(), threading.Event(), list[bool]()

    def blocks(_obj: KubeObject) -> None:
        entered.set()
        gate.wait(10)

    slow = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=blocks))

    def shuts_down(_obj: KubeObject) -> None:
        entered.wait(10)
        results.append(informer.shut_down_event_handler(own[0], timeout=10))
        results.append(informer.shut_down_event_handler(slow, timeout=0.01))
        gate.set()
        results.append(informer.shut_down_event_handler(slow, timeout=10))

    own = [informer.add_event_handler(ResourceEventHandlerFuncs(add_func=shuts_down))]
    witness = Recorder()
    informer.add_event_handler(witness)
    server.create(pod("a"))
    factory.start()
    eventually(lambda: len(results) == 3, "all calls returned")
    assert results == [False, False, True], "itself: no wait; the other: not in time, then it has returned"
    server.create(pod("b"))
    assert_equal_to_server(server, informer, witness)


def test_two_handlers_that_remove_each_other_leave_at_most_one_call_each(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    informer = factory.core().v1().pods().informer()
    registrations: list[HandlerRegistration[KubeObject]] = []
    handlers = [
        Misbehaving(lambda _, other=other: informer.remove_event_handler(registrations[other])) for other in (1, 0)
    ]
    registrations += [informer.add_event_handler(handler) for handler in handlers]
    witness = Recorder()
    informer.add_event_handler(witness)
    for number in range(5):
        server.create(pod(f"web-{number}"))
    factory.start()
    assert_equal_to_server(server, informer, witness)

    def removed() -> list[HandlerRegistration[KubeObject]]:
        return [registration for registration in registrations if registration.listener.is_closed()]

    for registration in eventually(removed, "one of them is removed"):
        registration.thread.join(10)
        assert not registration.thread.is_alive()
    assert min(handler.calls for handler in handlers) <= 1


def test_a_handler_that_stops_its_informer_ends_every_other(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    witness = Recorder()
    others = [informer.add_event_handler(witness) for _ in range(3)]
    refused: list[Error] = []

    def stop(_obj: KubeObject) -> None:
        informer.stop()
        try:
            informer.add_event_handler(witness)
        except Error as error:
            refused.append(error)

    last = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=stop))
    server.create(pod("a"))
    factory.start()
    for registration in (*others, last):
        eventually(lambda registration=registration: registration.thread.ident, "started")
        registration.thread.join(10)
        assert not registration.thread.is_alive()
    assert len(refused) == 1
    assert factory.shutdown(timeout=10) == []


@pytest.mark.parametrize("late", [False, True], ids=["before the start", "after it"])
def test_s125_s129_s131_a_period_of_one_second_gives_an_update_with_itself_every_second(
    server: APIServer, make_factory: Make, late: bool
) -> None:
    factory = make_factory(resync_period=0)
    informer = factory.core().v1().pods().informer()
    server.create(pod("a"))
    times: list[float] = []

    def updated(old: KubeObject, new: KubeObject) -> None:
        assert old is new
        assert old.key == "default/a"
        times.append(time.monotonic())

    if late:
        factory.start()
        factory.wait_for_cache_sync(timeout=10)
    informer.add_event_handler(ResourceEventHandlerFuncs(update_func=updated), resync_period=1.0)
    begin = time.monotonic()
    factory.start()
    eventually(lambda: len(times) >= 2, "two resyncs", timeout=5)
    assert [round(moment - begin) for moment in times[:2]] == [1, 2]
