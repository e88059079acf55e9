"""Selectors over many objects: indices of labels come by themselves, and change no answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from informer_support import assert_equal_to_server, eventually

from kubeinformer import KubeObject, Selector, SharedIndexInformer, SharedInformerFactory
from kubeinformer.cache.listers import NamespacedLister
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

COUNT = 2400
"""More objects than are searched without an index."""

SELECTORS = (
    "app=a7",
    "app in (a1, a2, nobody)",
    "app=a3,tier=t1",
    "app=a3,tier!=t1",
    "tier=t1,!canary",
    "app",
    "!app",
    "canary",
    "number>2390",
    "app=nobody",
    "app=a1,app=a2",
    "app notin (a1)",
)


def labels(number: int) -> dict[str, str]:
    found = {"app": f"a{number % 100}", "tier": f"t{number % 5}", "number": str(number)}
    return {**found, "canary": ""} if number % 50 == 0 else found


@pytest.fixture(params=["atomic", "in_order", "delta"])
def informer(
    request: pytest.FixtureRequest, server: APIServer, make_factory: Callable[..., SharedInformerFactory]
) -> SharedIndexInformer[KubeObject]:
    for number in range(COUNT):
        server.create(pod(f"web-{number}", f"ns{number % 3}", node=f"node-{number % 3}", labels=labels(number)))
    factory = make_factory(options={"queue": request.param})
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=30)
    return informer


def check(informer: SharedIndexInformer[KubeObject]) -> None:
    """All ways to ask give what a look at each object gives."""
    indexer, snapshot = informer.indexer(), informer.indexer().snapshot()
    lister = NamespacedLister(informer.controller.core, informer.resource, lambda obj: obj)
    objects = indexer.list()
    for text in SELECTORS:
        selector = Selector(text)
        for namespace in (None, "ns1", "nowhere"):
            matching = {o.key: o.raw for o in objects if selector.matches(o) and namespace in (None, o.namespace)}
            ask = lister.list if namespace is None else lister.by_namespace(namespace).list
            found = ask(text)
            assert len(found) == len(matching)
            assert {obj.key: obj.raw for obj in found} == matching
            json = indexer.list_json(text, namespace)
            assert len(json) == 2 + sum(map(len, matching.values())) + max(len(matching) - 1, 0)
            if namespace is None:
                assert {obj.key for obj in indexer.list(text)} == set(matching)
                assert {obj.key for obj in snapshot.list(text)} == set(matching)


def test_answers_are_the_same_with_an_index(server: APIServer, informer: SharedIndexInformer[KubeObject]) -> None:
    before = informer.memory()
    names = informer.indexer().get_indexers()
    informer.indexer().list("app=a7")
    assert informer.memory() == before, "who asks once gets no index"
    check(informer)
    assert informer.memory().index_bytes > before.index_bytes, "there are indices of labels"
    assert informer.indexer().get_indexers() == names, "which nobody sees"
    for number in range(0, COUNT, 40):
        server.update(pod(f"web-{number}", f"ns{number % 3}", node="node-9", labels={"app": "a7", "tier": "t1"}))
    for number in range(7, COUNT, 100):
        server.delete("pods", f"web-{number}", f"ns{number % 3}")
    server.create(pod("new", "ns1", node="node-1", labels={"app": "a2"}))
    assert_equal_to_server(server, informer)
    check(informer)
    informer.add_indexers({"app": "metadata.labels.tier"})
    assert informer.indexer().count("app", "t1") == len(informer.indexer().list("tier=t1"))
    check(informer)


def test_beside_indexers_of_a_user_and_changes(
    server: APIServer, informer: SharedIndexInformer[KubeObject], frequent_switches: None
) -> None:
    """A function of Python's runs while selectors ask and objects change: nobody is refused, and nothing is missed."""
    entered, go_on = threading.Event(), threading.Event()

    def slow(obj: KubeObject) -> list[str]:
        entered.set()
        assert go_on.wait(30)
        return [obj.labels["tier"]]

    with ThreadPoolExecutor(4) as pool:
        adding = pool.submit(informer.add_indexers, {"slow": slow})
        try:
            assert entered.wait(30)
            for _ in range(3):
                assert len(informer.indexer().list("app=a7")) == COUNT / 100
        finally:
            go_on.set()
        adding.result(30)
        asking = [pool.submit(check, informer) for _ in range(2)]
        for number in range(10):
            informer.add_indexers({f"python{number}": lambda obj: [obj.labels["tier"]]})
        for one in asking:
            one.result(60)
        for number in range(0, COUNT, 100):
            server.update(pod(f"web-{number}", f"ns{number % 3}", node="node-9", labels={"app": "a7", "tier": "t9"}))
    eventually(lambda: informer.indexer().count("slow", "t9") == COUNT / 100, "the changes came")
    check(informer)
    for number in range(10):
        assert informer.indexer().count(f"python{number}", "t9") == COUNT / 100
