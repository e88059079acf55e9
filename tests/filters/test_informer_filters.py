"""Informers with a filter: what is not accepted is not there, whatever came by list, watch or watch-list."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from filter_support import Core, heard, pod
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from informer_support import Recorder, eventually

from kubeinformer import DeletedFinalStateUnknown, Filter, SharedInformerFactory, filter, index, transform
from kubeinformer._core import KubeObject, Transform
from kubeinformer.informers import DynamicSharedInformerFactory
from kubeinformer.testing import APIServer, objects
from kubeinformer.workqueue import Queue

WEB = filter.labels("app=web")
MODES = ["atomic", "in_order", "delta"]


@pytest.mark.parametrize("mode", MODES)
def test_what_leaves_the_scope_is_deleted_and_what_enters_is_new(mode: str) -> None:
    core = Core(filter=WEB, queue=mode)
    listener = core.listen()
    owners: Queue[str] = Queue()
    core.core.add_enqueuer(owners, index.controller_owner("ReplicaSet"))
    core.list(3, pod("a", 1, owner="one"), pod("b", 2, app="db"))
    assert core.core.has_synced()
    assert heard(listener) == [("add", "1", "initial")]
    assert core.core.keys() == ["default/a"]
    # What the store does not hold is nothing to anybody.
    core.watch("MODIFIED", pod("b", 4, app="db"))
    core.watch("DELETED", pod("b", 5, app="db"))
    core.watch("ADDED", pod("b", 6, app="db"))
    assert heard(listener) == []
    core.watch("MODIFIED", pod("a", 7, app="db", owner="two"))
    core.watch("MODIFIED", pod("b", 8))
    # The final state is the last one in the scope, so its owner hears of it.
    assert heard(listener) == [("delete", "1"), ("add", "8")]
    assert owners.get(timeout=0) == "default/one"
    assert len(owners) == 0
    core.watch("DELETED", pod("b", 9, app="db"))
    assert heard(listener) == [("delete", "8")]
    assert core.core.keys() == []
    assert core.core.resource_version() == ("9" if mode == "atomic" else "")
    core.list(12, pod("a", 10), pod("b", 11))
    assert [kind for kind, *_ in heard(listener)] == ["add", "add"]
    core.list(14, pod("a", 13, app="db"), pod("b", 11))
    # A list tells no state that an object had when it left.
    assert heard(listener) == [("tombstone", "default/a")]
    assert core.core.keys() == ["default/b"]


def test_a_watch_list_leaves_out_what_is_not_accepted() -> None:
    core = Core(filter=WEB)
    listener = core.listen()
    reader = core.source.watch_list_reader(chunked=False)
    events = [("ADDED", pod("a", 1)), ("ADDED", pod("b", 2, app="db")), ("ADDED", pod("c", 3))]
    events += [("MODIFIED", pod("c", 4, app="db")), ("MODIFIED", pod("b", 5))]
    end = {"metadata": {"resourceVersion": "6", "annotations": {"k8s.io/initial-events-end": "true"}}}
    for kind, obj in [*events, ("BOOKMARK", end)]:
        reader.feed(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
    core.process()
    assert heard(listener) == [("add", "1", "initial"), ("add", "5", "initial")]


def test_a_filter_sees_what_the_server_sent() -> None:
    core = Core(filter=WEB)
    core.core.set_transform(Transform.drop("metadata.labels"))
    core.list(3, pod("a", 1), pod("b", 2, app="db"))
    core.watch("MODIFIED", pod("a", 4))
    assert [obj.labels for obj in core.core.list()] == [{}]
    core.watch("MODIFIED", pod("a", 5, app="db"))
    assert core.core.list() == []


class ScopeMachine(RuleBasedStateMachine):
    """A cache with a filter beside one that has all, filtered by hand; in each mode of the queue."""

    FILTERS = (WEB, WEB & ~filter.fields("status.phase=Failed"), filter.name("a", "b"), filter.fields("kind=Pod"))

    @initialize(mode=st.sampled_from(MODES), scope=st.sampled_from(FILTERS))
    def begin(self, mode: str, scope: Filter) -> None:
        self.scope = scope
        self.core, self.whole = Core(filter=scope, queue=mode), Core(queue=mode)
        self.listener = self.core.listen()
        self.version = 0
        self.there: set[str] = set()
        self.known: dict[str, str] = {}

    def each(self, step: Callable[[Core], object]) -> None:
        for core in (self.core, self.whole):
            step(core)

    def made(self, name: str, app: str, phase: str) -> dict[str, Any]:
        self.version += 1
        return pod(name, self.version, app=app, phase=phase)

    states = st.tuples(st.sampled_from("abcd"), st.sampled_from(["web", "db"]), st.sampled_from(["Running", "Failed"]))

    @rule(state=states)
    def write(self, state: tuple[str, str, str]) -> None:
        kind = "MODIFIED" if state[0] in self.there else "ADDED"
        self.there.add(state[0])
        obj = self.made(*state)
        self.each(lambda core: core.watch(kind, obj))

    @rule(state=states)
    def delete(self, state: tuple[str, str, str]) -> None:
        if state[0] in self.there:
            self.there.remove(state[0])
            obj = self.made(*state)
            self.each(lambda core: core.watch("DELETED", obj))

    @rule(states=st.lists(states, unique_by=lambda state: state[0]))
    def relist(self, states: list[tuple[str, str, str]]) -> None:
        self.there = {name for name, *_ in states}
        listed = [self.made(*state) for state in states]
        self.version += 1
        self.each(lambda core: core.list(self.version, *listed))

    @invariant()
    def equal(self) -> None:
        if not hasattr(self, "core"):
            return
        shown = {obj.key: obj.resource_version for obj in self.whole.core.list() if self.scope.matches(obj)}
        assert {obj.key: obj.resource_version for obj in self.core.core.list()} == shown
        assert self.core.core.resource_version() == self.whole.core.resource_version()
        for event in self.listener.pop_events(1000, 0) or []:
            obj = event.object
            if event.type == "ADDED":
                assert obj.key not in self.known
                self.known[obj.key] = obj.resource_version
            elif event.type == "MODIFIED":
                assert event.old is not None
                assert self.known[obj.key] == event.old.resource_version
                self.known[obj.key] = obj.resource_version
            else:
                gone: KubeObject = obj.obj if isinstance(obj, DeletedFinalStateUnknown) else obj
                del self.known[gone.key]
                # No state that the filter does not accept is handed out, not even a final one.
                assert self.scope.matches(gone)
        assert self.known == shown


ScopeMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestScope = ScopeMachine.TestCase


def test_an_informer_for_each_filter(server: APIServer, make_factory: Callable[..., SharedInformerFactory]) -> None:
    for name, app in (("web-0", "web"), ("db-0", "db")):
        server.create(objects.pod(name, labels={"app": app}))
    factory = make_factory(options={"decode_cache": 16}, transform=transform.drop("metadata.labels"))
    pods = factory.core().v1().pods
    web, whole = pods(filter=WEB), pods()
    assert pods(filter=filter.labels("app=web")).informer() is web.informer()
    again = factory.for_resource("v1", "pods", filter=WEB)
    assert again.informer() is web.informer()
    assert web.informer().name == 'pods[filter=filter.labels("app=web")]'
    recorder = Recorder()
    web.informer().add_event_handler(recorder)
    with factory.running(timeout=20):
        assert [obj.key for obj in web.lister().list()] == ["default/web-0"]
        assert len(whole.lister().list()) == 2
        server.update(objects.pod("db-0", labels={"app": "web"}))
        version = server.update(objects.pod("web-0", labels={"app": "db"}))["metadata"]["resourceVersion"]
        assert web.informer().wait_for_resource_version(version, handlers=True, timeout=20)
        assert [obj.key for obj in web.lister().list()] == ["default/db-0"]
        assert [obj.labels for obj in web.lister().list()] == [{}]
    assert recorder.faults == []
    assert recorder.names("add") == ["default/web-0", "default/db-0"]
    assert recorder.names("delete") == ["default/web-0"]


def test_the_dynamic_factory_has_filters_too(server: APIServer) -> None:
    server.create(objects.pod("web-0", labels={"app": "web"}))
    server.create(objects.pod("db-0", labels={"app": "db"}))
    factory = DynamicSharedInformerFactory(server.api_client())
    pods = factory.for_resource("v1", "pods", filter=WEB)
    with factory.running(timeout=20):
        eventually(lambda: [obj.key for obj in pods.lister().list()] == ["default/web-0"], "the one")


def test_what_cannot_say_what_a_cache_holds(factory: SharedInformerFactory) -> None:
    pods = factory.core().v1().pods
    for bad in (filter.changed("spec"), WEB & ~filter.changed("spec")):
        with pytest.raises(ValueError, match=r"filter must not have a changed\(\) in it"):
            pods(filter=bad)
    with pytest.raises(TypeError, match="filter must be a Filter"):
        factory.for_resource("v1", "pods", filter="app=web")  # type: ignore[arg-type]
