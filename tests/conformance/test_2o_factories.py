"""2.O, factories: which informers there are, when they start, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Gate, Recorder, eventually, informer_threads
from new_informer import PODS, NewInformer
from statements import differs

from kubeinformer import KubeObject, ListOptions, Resource, SharedIndexInformer, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import custom_resource_definition, node, pod
from kubeinformer.transport import Transport

Make = Callable[..., SharedInformerFactory]


# -- one informer ------------------------------------------------------------------------------------------------------


@differs(
    "client-go has one informer a Go type in a factory; here one a resource and scope, because two controllers of a "
    "program may want other namespaces or labels; whoever asks for the same gets the same"
)
def test_s172_one_informer_for_each_resource_and_scope(factory: SharedInformerFactory) -> None:
    """Whoever asks a factory for the same resource in the same scope gets the same informer, also after its stop."""
    v1 = factory.core().v1()

    def informers() -> list[SharedIndexInformer[Any]]:
        accessors = [
            v1.pods(),
            v1.pods(namespaces=["a"]),
            v1.pods(label_selector="app=web"),
            v1.nodes(),
            factory.for_resource("example.com/v1", "widgets"),
            factory.for_resource("example.com/v2", "widgets"),
        ]
        return [accessor.informer() for accessor in accessors]

    first = informers()
    assert len(set(map(id, first))) == len(first)
    assert list(map(id, informers())) == list(map(id, first))
    assert factory.for_resource("v1", "pods").informer() is first[0]
    for informer in first:
        informer.stop()
    assert list(map(id, informers())) == list(map(id, first))
    assert first[0].is_stopped()


def test_s172_informer_for_gives_ones_own_informer_to_everybody(server: APIServer, make_factory: Make) -> None:
    """An informer of one's own becomes the factory's for its resource, for every way of asking, and stays that after
    its stop.
    """
    factory = make_factory(resync_period=7.0)
    new_informer = NewInformer()
    informer = factory.informer_for(PODS, new_informer)
    assert factory.informer_for(PODS, new_informer) is informer
    assert factory.core().v1().pods().informer() is informer
    assert factory.for_resource("v1", "pods").informer() is informer
    assert new_informer.periods == [7.0]
    assert factory.core().v1().pods(label_selector="a=b").informer() is not informer, "another scope"
    server.create(pod("mine", labels={"app": "mine"}))
    server.create(pod("other", labels={"app": "other"}))
    factory.release(factory.core().v1().pods(label_selector="a=b").informer())
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"my-pods": True}
    assert [obj.key for obj in factory.core().v1().pods().lister().list()] == ["default/mine"]
    assert factory.shutdown(timeout=10) == []
    assert informer.is_stopped()
    assert factory.informer_for(PODS, new_informer) is informer, "the same one after it stopped"


def test_s172_informer_for_gives_what_is_there_already(factory: SharedInformerFactory) -> None:
    """Where the factory has an informer already, no other one is made."""
    new_informer = NewInformer()
    ours = factory.core().v1().pods().informer()
    assert factory.informer_for(PODS, new_informer) is ours
    assert new_informer.periods == []


def test_s172_a_custom_resource_has_one_informer_too(factory: SharedInformerFactory) -> None:
    """A custom resource has one informer too, whether it was asked for with one's own function or by its name."""
    widgets = Resource("example.com", "v1", "widgets", kind="Widget")
    informer = factory.informer_for(widgets, NewInformer("widgets.example.com"))
    assert factory.for_resource("example.com/v1", "widgets").informer() is informer


def test_s172_of_many_threads_one_makes_the_informer(factory: SharedInformerFactory) -> None:
    """Threads that ask at the same time get the same informer; one's own function is called with no lock held.

    It may even use the factory.
    """
    both = threading.Barrier(2)
    got = list[SharedIndexInformer[Any]]()

    def new_informer(transport: Transport, resync_period: float) -> SharedIndexInformer[KubeObject]:
        both.wait(10)
        factory.core().v1().nodes().informer()
        return NewInformer()(transport, resync_period)

    threads = [threading.Thread(target=lambda: got.append(factory.informer_for(PODS, new_informer))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(got) == 2
    assert got[0] is got[1]


# -- start and wait ----------------------------------------------------------------------------------------------------


def test_s173_s175_start_starts_what_is_new_and_wait_waits_for_what_was_started(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """`start` starts what was asked for and does not run yet, and only what was started is waited for."""
    pods = factory.core().v1().pods().informer()
    factory.start()
    nodes = factory.core().v1().nodes().informer()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}
    assert pods.has_synced()
    assert not nodes.has_synced()
    assert nodes.last_sync_resource_version() == ""
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "nodes": True}
    eventually(lambda: nodes.last_sync_resource_version() == server.resource_version, "the version of the list")
    assert pods.start() is False


def test_s173_start_does_nothing_after_shutdown(server: APIServer, factory: SharedInformerFactory) -> None:
    """After `shutdown` a factory starts nothing any more, neither what ran nor what is new."""
    factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    assert factory.shutdown(timeout=10) == []
    nodes = factory.core().v1().nodes().informer()
    server.clear_requests()
    factory.start()
    assert informer_threads() == []
    assert list(server.requests) == []
    assert not nodes.has_synced()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}


@differs(
    "client-go's Shutdown only waits, and whoever started the factory has to cancel; here it stops the informers too, "
    "because a shutdown that can wait for ever is a trap"
)
def test_s174_shutdown_blocks_until_all_has_ended_and_may_be_called_by_many_at_once(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """`shutdown` stops everything and returns when every thread has ended; any number of threads may call it."""
    gate = Gate()
    factory.core().v1().pods().informer().add_event_handler(gate)
    factory.core().v1().nodes().informer()
    server.create(pod("web-0"))
    factory.start()
    assert gate.entered.wait(10)
    results: list[list[str]] = []
    callers = [threading.Thread(target=lambda: results.append(factory.shutdown(timeout=10))) for _ in range(4)]
    for caller in callers:
        caller.start()
    eventually(lambda: not [name for name in informer_threads() if "nodes" in name], "the idle informer has ended")
    callers[0].join(0.05)
    assert results == []
    assert all(caller.is_alive() for caller in callers)
    gate.open.set()
    for caller in callers:
        caller.join(10)
    assert results == [[]] * 4
    assert informer_threads() == []
    assert factory.shutdown(timeout=10) == []


def test_s175_what_was_never_started_is_not_waited_for(factory: SharedInformerFactory) -> None:
    """An informer that was not started is not in the answer of a wait, and does not hold it up."""
    factory.core().v1().pods().informer()
    assert factory.wait_for_cache_sync(timeout=10) == {}


@differs(
    "client-go's accessor makes no informer before its Informer() or Lister() is called; here the accessor does, "
    "because who names a resource wants its informer"
)
def test_s176_what_was_asked_for_before_the_start_is_started_by_it(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """What an accessor or lister was asked for before is there at the start; what comes later needs another start."""
    factory.core().v1().pods().lister()
    factory.core().v1().nodes()
    server.create(pod("web-0"))
    factory.start()
    services = factory.core().v1().services().lister()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "nodes": True}
    assert [obj.key for obj in factory.core().v1().pods().lister().list()] == ["default/web-0"]
    assert services.list() == []
    assert {request.resource for request in server.requests} == {"pods", "nodes"}
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True, "nodes": True, "services": True}


# -- scope -------------------------------------------------------------------------------------------------------------


@differs(
    "client-go's factory has one namespace, of two the last, or all; here any list of them, because a program's "
    "rights often end at some namespaces"
)
def test_s177_namespaces_are_sources_of_one_informer(server: APIServer, make_factory: Make) -> None:
    """An informer may have any number of namespaces: each has a list and watch of its own, and nothing of others is
    there.
    """
    for namespace in ("a", "b", "c"):
        server.create(pod("web-0", namespace))
    factory = make_factory(namespaces=["a", "b"])
    pods = factory.core().v1().pods()
    recorder = Recorder()
    pods.informer().add_event_handler(recorder)
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"pods": True}
    assert sorted(pods.informer().indexer().list_keys()) == ["a/web-0", "b/web-0"]
    assert [obj.key for obj in pods.lister().pods("b").list()] == ["b/web-0"]
    server.create(pod("web-1", "a"))
    server.create(pod("web-1", "c"))
    server.delete("pods", "web-0", "b")
    eventually(lambda: sorted(recorder.state) == ["a/web-0", "a/web-1"], "changes of both namespaces")
    assert recorder.faults == []
    paths = {request.path for request in server.requests if request.query.get("watch")}
    assert paths == {"/api/v1/namespaces/a/pods", "/api/v1/namespaces/b/pods"}


def test_s178_the_tweak_is_asked_for_each_list_and_watch_of_every_resource(
    server: APIServer, make_factory: Make, quick_backoff: None
) -> None:
    """The tweak of list options is called for each LIST and each WATCH, of every resource of the factory."""
    calls: list[str] = []

    def tweak(options: ListOptions) -> None:
        calls.append(f"number=n{len(calls)}")
        options.label_selector = calls[-1]

    factory = make_factory(tweak_list_options=tweak, options={"use_watch_list": False})
    factory.core().v1().pods().informer()
    factory.core().v1().nodes().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(2)
    for _ in range(2):
        closed = len(server.requests)
        assert server.faults.close_watches() == 2
        eventually(lambda closed=closed: len(server.requests) >= closed + 2, "both watch again")
        server.wait_for_watches(2)
    requests = list(server.requests)
    selectors = {request.query["labelSelector"] for request in requests}
    assert len(selectors) == len(requests), "each request has a call of its own"
    assert selectors <= set(calls)
    for resource in ("pods", "nodes"):
        verbs = [request.verb for request in requests if request.resource == resource]
        assert verbs[:2] == ["list", "watch"]
        assert verbs.count("watch") == 3


def test_s178_a_tweak_that_raises_is_reported_and_tried_again(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A tweak that raises is logged, and the request is tried again."""
    failures = iter([RuntimeError("no tweak today")])

    def tweak(_options: ListOptions) -> None:
        if (error := next(failures, None)) is not None:
            raise error

    factory = make_factory(tweak_list_options=tweak)
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    assert "no tweak today" in caplog.text
    eventually(lambda: informer.last_error() is None, "the success mends it")


def test_s179_every_informer_of_a_factory_has_the_namespace_index(server: APIServer, make_factory: Make) -> None:
    """Every informer of a factory has the index "namespace", whatever resource and scope it is for."""
    factory = make_factory(namespaces=["a", "b"])
    server.create(custom_resource_definition("example.com", "widgets", "Widget"))
    for namespace in ("a", "b", "c"):
        server.create(pod("web-0", namespace))
    server.create(node("node-1"))
    pods = factory.core().v1().pods().informer()
    nodes = factory.core().v1().nodes().informer()
    others = [
        factory.core().v1().pods(label_selector="app=web").informer(),
        factory.for_resource("example.com/v1", "widgets").informer(),
    ]
    for informer in (pods, nodes, *others):
        assert list(informer.indexer().get_indexers()) == ["namespace"]
        with pytest.raises(ValueError, match="namespace"):
            informer.add_indexers({"namespace": "metadata.namespace"})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    assert sorted(pods.indexer().list_index_func_values("namespace")) == ["a", "b"]
    assert list(pods.indexer().index_keys("namespace", "b")) == ["b/web-0"]
    assert list(nodes.indexer().index_keys("namespace", "")) == ["node-1"]


# -- for_resource ------------------------------------------------------------------------------------------------------


@differs(
    "client-go's typed factory refuses a resource that it does not know, and its dynamic one accepts any; here one "
    "factory is both, because a KubeObject needs no type"
)
def test_s183_any_resource_has_an_informer_and_only_what_names_none_is_refused(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """`for_resource` gives an informer of any resource, also of one that no server has; a bad name is an error."""
    deployments = factory.for_resource("apps/v1", "deployments").informer()
    assert deployments is factory.apps().v1().deployments().informer()
    unknown = factory.for_resource("example.com/v1", "gadgets").informer()
    assert unknown.resource == Resource("example.com", "v1", "gadgets")
    for group_version, plural in (("", "pods"), ("apps/", "deployments"), ("apps/v1/x", "pods"), ("v1", "")):
        with pytest.raises(ValueError, match="not a group/version and a plural name"):
            factory.for_resource(group_version, plural)
    factory.start()
    assert deployments.wait_for_cache_sync(10)
    eventually(unknown.last_error, "the server knows no such resource")
    assert not unknown.has_synced()
    server.create(custom_resource_definition("example.com", "gadgets", "Gadget"))
    assert unknown.wait_for_cache_sync(20)
