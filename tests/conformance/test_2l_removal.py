"""2.L, removal: when a handler hears no more, who waits for it, and what may be called from a handler."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Gate, Recorder, assert_equal_to_server, eventually
from statements import differs

from kubeinformer import (
    Error,
    HandlerRegistration,
    KubeObject,
    ResourceEventHandlerFuncs,
    SharedIndexInformer,
    SharedInformerFactory,
    wait_for,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Informer = SharedIndexInformer[KubeObject]


def test_s145_a_removal_is_quiet_whenever_it_comes_and_only_for_ones_own(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """Removing before the start, again, and after the stop is quiet; another informer's registration is left alone."""
    pods, nodes = factory.core().v1().pods().informer(), factory.core().v1().nodes().informer()
    never, kept = Recorder(), Recorder()
    before = pods.add_event_handler(never)
    own = pods.add_event_handler(kept)
    pods.remove_event_handler(before)
    pods.remove_event_handler(before)
    nodes.remove_event_handler(own)
    server.create(pod("web-0"))
    factory.start()
    eventually(lambda: kept.names("add") == ["default/web-0"], "it is told, as nobody of its informer removed it")
    for wrong in (kept, None, own.listener):
        with pytest.raises(TypeError, match="registration must be what add_event_handler returned"):
            pods.remove_event_handler(wrong)  # type: ignore[arg-type]
    nodes.remove_event_handler(own)
    server.create(pod("web-1"))
    eventually(lambda: len(kept.names("add")) == 2, "and goes on")
    assert factory.shutdown(timeout=10) == []
    pods.remove_event_handler(own)
    pods.remove_event_handler(own)
    assert never.calls == []


def test_s146_a_removal_does_not_wait_and_drops_what_waits(server: APIServer, factory: SharedInformerFactory) -> None:
    """Removing returns while a call is under way, and that goes on; everything that waits behind it is dropped."""
    informer = factory.core().v1().pods().informer()
    gate, seen, returned = Gate(), list[str](), list[str]()

    def added(obj: KubeObject) -> None:
        seen.append(obj.key)
        gate.on_add(obj, True)
        returned.append(obj.key)

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    witness = Recorder()
    informer.add_event_handler(witness)
    for number in range(3):
        server.create(pod(f"first-{number}"))
    factory.start()
    assert gate.entered.wait(10)
    for number in range(3):
        server.create(pod(f"later-{number}"))
    eventually(lambda: registration.pending() >= 3, "something waits")
    begin = time.monotonic()
    informer.remove_event_handler(registration)
    assert time.monotonic() - begin < 2
    assert (len(seen), returned) == (1, [])
    assert registration.thread.is_alive()
    assert registration.pending() == 0
    gate.open.set()
    registration.thread.join(10)
    assert not registration.thread.is_alive()
    assert len(seen) == 1
    assert returned == seen
    assert_equal_to_server(server, informer, witness)


def test_s146_a_handler_that_removes_itself_hears_nothing_more(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler that removes itself is not called again, not even for what was handed out together with that call."""
    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    seen: list[str] = []

    def added(obj: KubeObject) -> None:
        seen.append(obj.name)
        informer.remove_event_handler(registration)

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    factory.start()
    eventually(lambda: seen, "the first pod")
    registration.thread.join(10)
    assert not registration.thread.is_alive()
    assert len(seen) == 1, "also of the batch that was handed out already"


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


def test_s146_s148_two_handlers_that_remove_each_other_end(server: APIServer, factory: SharedInformerFactory) -> None:
    """Two handlers that remove each other end, and a third one misses nothing."""
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


def test_s147_shutting_a_handler_down_waits_for_the_call_that_is_under_way(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """Shutting a handler down removes it and returns when it has returned; at once, if it was never started."""
    informer = factory.core().v1().pods().informer()
    assert informer.shut_down_event_handler(informer.add_event_handler(Recorder()))
    gate = Gate()
    registration = informer.add_event_handler(gate)
    server.create(pod("web-0"))
    server.create(pod("web-1"))
    factory.start()
    assert gate.entered.wait(10)
    results: list[bool] = []
    waiting = [
        threading.Thread(target=lambda: results.append(informer.shut_down_event_handler(registration, timeout=10)))
        for _ in range(2)
    ]
    for thread in waiting:
        thread.start()
    eventually(registration.listener.is_closed, "it is removed")
    waiting[0].join(0.05)
    assert results == []
    assert all(thread.is_alive() for thread in waiting)
    gate.open.set()
    for thread in waiting:
        thread.join(10)
    assert results == [True, True]
    assert not registration.thread.is_alive()
    assert gate.calls == 1


@differs(
    "client-go waits for ever where a handler shuts itself down; here it is removed and the answer is False, "
    "because nobody wants a deadlock"
)
def test_s147_a_handler_may_shut_itself_down_and_waits_for_others_only(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler may shut handlers down: for another one it waits, for itself it does not."""
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


def test_s148_a_handler_may_add_and_remove_handlers_and_use_the_lister(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler may add and remove handlers, itself too, and read the store."""
    pods = factory.core().v1().pods()
    informer = pods.informer()
    inner = Recorder()
    seen: list[str] = []

    def added(obj: KubeObject) -> None:
        seen.append(pods.lister().pods("default").get(obj.name).name)
        if len(seen) == 1:
            informer.add_event_handler(inner)
        informer.remove_event_handler(registration)

    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    server.create(pod("web-0"))
    factory.start()
    eventually(lambda: inner.names("add") == ["default/web-0"], "the inner handler")
    server.create(pod("web-1"))
    eventually(lambda: len(inner.names("add")) == 2, "the second pod")
    assert seen == ["web-0"]


def churn(server: APIServer, rounds: int = 5) -> None:
    for version in range(rounds):
        for number in range(20):
            server.update(pod(f"web-{number}", node=f"node-{version}", annotations={"version": str(version)}))
        server.create(pod("comes-and-goes"))
        server.delete("pods", "comes-and-goes")


def test_s148_handlers_that_do_everything_at_once_disturb_no_other(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """Handlers that raise, block, leave, add others, add indices and read, all at once, take nothing from any other
    handler.
    """
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


def test_s148_a_handler_may_wait_for_others_but_never_for_itself(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A handler may wait until its informer and other handlers have synced; that it itself has, it never sees."""
    server.create(pod("a"))
    informer = factory.core().v1().pods().informer()
    quick = informer.add_event_handler(Recorder())
    waited: list[bool] = []

    def added(_obj: KubeObject) -> None:
        others = (informer.has_synced_checker(), quick.has_synced_checker())
        waited.append(bool(wait_for(None, "", *others, timeout=10)))
        waited.append(bool(wait_for(None, "", own.has_synced_checker(), timeout=0.05)))

    own = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
    factory.start()
    eventually(own.has_synced, "the waiting handler")
    assert waited == [True, False]


def test_s148_a_handler_may_stop_its_informer(server: APIServer, factory: SharedInformerFactory) -> None:
    """A handler may stop its informer: every handler's thread ends, and adding one is refused."""
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


def test_s147_the_handler_of_another_informer_is_not_waited_for(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """Shutting down the handler of another informer leaves it as it is, and does not wait."""
    pods, nodes = factory.core().v1().pods().informer(), factory.core().v1().nodes().informer()
    recorder = Recorder()
    registration = pods.add_event_handler(recorder)
    factory.start()
    assert not nodes.shut_down_event_handler(registration)
    server.create(pod("web-0"))
    assert_equal_to_server(server, pods, recorder)
