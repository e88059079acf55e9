"""Indexers that are added while the objects at hand change: the steps in the order in which they could go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from fault_support import Make

from kubeinformer import KubeObject, SharedIndexInformer
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Informer = SharedIndexInformer[KubeObject]


def started(make_factory: Make) -> Informer:
    informer: Informer = make_factory().core().v1().pods().informer()
    informer.start()
    assert informer.wait_for_cache_sync(timeout=10)
    return informer


class Adding:
    """Adds an indexer on a thread of its own, which is held in the first call of the function."""

    def __init__(self, informer: Informer, name: str, func: Callable[[KubeObject], list[str]]) -> None:
        self._entered, self._leave = threading.Event(), threading.Event()
        self._func = func
        self._thread = threading.Thread(target=lambda: informer.add_indexers({name: self._call}))
        self._thread.start()
        assert self._entered.wait(10)

    def _call(self, obj: KubeObject) -> list[str]:
        if threading.current_thread() is self._thread:
            self._entered.set()
            assert self._leave.wait(10)
        return self._func(obj)

    def end(self) -> None:
        self._leave.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_errors_of_objects_that_changed_meanwhile_are_no_longer_told(server: APIServer, make_factory: Make) -> None:
    for name in ("gone", "mended", "still"):
        server.create(pod(name, labels={"app": "bad"}))
    informer = started(make_factory)

    def strict(obj: KubeObject) -> list[str]:
        if obj.labels["app"] == "bad":
            raise LookupError(obj.key)
        return ["good"]

    adding = Adding(informer, "strict", strict)
    server.delete("pods", "gone")
    server.update(pod("mended", labels={"app": "good"}))
    assert informer.wait_for_resource_version(server.resource_version, timeout=10)
    adding.end()
    assert {name: set(errors) for name, errors in informer.index_errors().items()} == {"strict": {"default/still"}}
    assert informer.indexer().index_keys("strict", "good") == ["default/mended"]


@pytest.mark.parametrize("before", ["good", "bad"])
def test_the_error_of_a_version_that_came_meanwhile_is_told(server: APIServer, make_factory: Make, before: str) -> None:
    """Whether the function passed or failed for the version that was there when the index began to be added."""
    server.create(pod("web-0", labels={"app": before}))
    informer = started(make_factory)

    def strict(obj: KubeObject) -> list[str]:
        if obj.labels["app"] == "bad":
            raise LookupError(obj.resource_version)
        return ["good"]

    adding = Adding(informer, "strict", strict)
    server.update(pod("web-0", labels={"app": "bad", "version": "2"}))
    assert informer.wait_for_resource_version(server.resource_version, timeout=10)
    adding.end()
    error = informer.index_errors()["strict"]["default/web-0"]
    assert error.args == (informer.indexer().get_by_key("default/web-0").resource_version,)


def test_a_refused_indexer_does_not_take_the_place_of_the_one_that_is_being_added(
    server: APIServer, make_factory: Make
) -> None:
    server.create(pod("early"))
    informer = started(make_factory)
    adding = Adding(informer, "name", lambda obj: ["first"])
    with pytest.raises(ValueError, match="name"):
        informer.add_indexers({"name": lambda obj: ["second"]})
    adding.end()
    server.create(pod("late"))
    assert informer.wait_for_resource_version(server.resource_version, timeout=10)
    assert informer.indexer().list_index_func_values("name") == ["first"]
    assert informer.indexer().index_keys("name", "first") == ["default/early", "default/late"]
