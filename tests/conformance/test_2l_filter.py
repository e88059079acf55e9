"""2.L, filters: what the handler behind one gets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from informer_support import Recorder, eventually
from statements import differs

from kubeinformer import DeletedFinalStateUnknown, FilteringResourceEventHandler, KubeObject, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


class Log:
    """A handler that notes its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self.calls.append(("add", obj, is_in_initial_list))

    def on_update(self, old: Any, new: Any) -> None:
        self.calls.append(("update", old, new))

    def on_delete(self, obj: Any) -> None:
        self.calls.append(("delete", obj))


def positive(log: Log, asked: list[Any] | None = None) -> FilteringResourceEventHandler[Any]:
    def accept(obj: Any) -> bool:
        if asked is not None:
            asked.append(obj)
        if obj == "raises":
            raise ZeroDivisionError
        return isinstance(obj, int) and obj > 0

    return FilteringResourceEventHandler(accept, log)


def test_s154_an_update_is_what_it_is_to_the_handler_behind_the_filter() -> None:
    """Of an update the handler gets an update if both sides are accepted, an addition that is not of the first list if
    only the new one is, and a deletion of the old one if only that is.
    """
    log = Log()
    handler = positive(log)
    handler.on_add(1, True)
    handler.on_add(-1, True)
    handler.on_update(1, 2)
    handler.on_update(-1, 2)
    handler.on_update(1, -2)
    handler.on_update(-1, -2)
    handler.on_delete(3)
    handler.on_delete(-3)
    assert log.calls == [("add", 1, True), ("update", 1, 2), ("add", 2, False), ("delete", 1), ("delete", 3)]


def test_s154_the_filter_is_asked_for_the_new_object_first_and_always_for_both() -> None:
    """Of an update the filter is asked for the new side, then for the old one, always for both."""
    asked: list[Any] = []
    handler = positive(Log(), asked)
    handler.on_update(1, 2)
    handler.on_update(3, -4)
    assert asked == [2, 1, -4, 3]


def test_s154_the_filter_gets_tombstones_as_they_are() -> None:
    """The filter gets a deletion that was missed as the tombstone that it is."""
    log, asked = Log(), []
    gone = DeletedFinalStateUnknown("default/a")
    FilteringResourceEventHandler(lambda obj: asked.append(obj) is None, log).on_delete(gone)
    assert asked[0] is gone
    assert log.calls == [("delete", gone)]
    positive(log).on_delete(gone)
    assert len(log.calls) == 1


@differs(
    "client-go ends the process at a filter's panic; here it is a failure of that call, because one object must not "
    "end a program"
)
def test_s154_what_the_filter_cannot_judge_is_not_accepted() -> None:
    """An object for which the filter raises is not accepted."""
    log = Log()
    handler = positive(log)
    for call in (
        partial(handler.on_add, "raises", True),
        partial(handler.on_update, 1, "raises"),
        partial(handler.on_update, "raises", -1),
        partial(handler.on_delete, "raises"),
    ):
        with pytest.raises(ZeroDivisionError):
            call()
    assert log.calls == []


def test_s154_the_new_side_is_not_lost_with_an_old_side_that_the_filter_cannot_judge() -> None:
    """If the filter raises for the old side of an update, a new side that is accepted is an addition, as the handler
    was not told of the old one.
    """
    log = Log()
    with pytest.raises(ZeroDivisionError):
        positive(log).on_update("raises", 2)
    assert log.calls == [("add", 2, False)]


def test_s154_a_filter_on_an_informer_keeps_its_handler_at_what_matches(
    server: APIServer, make_factory: Make, quick_backoff: None
) -> None:
    """On an informer a filter keeps its handler at exactly what matches, through updates, deletions and a relist."""
    factory = make_factory()
    informer = factory.core().v1().pods().informer()
    web = Recorder()
    informer.add_event_handler(FilteringResourceEventHandler(lambda obj: obj.labels.get("tier") == "web", web))
    server.create(pod("always", labels={"tier": "web"}))
    server.create(pod("never", labels={"tier": "db"}))
    server.create(pod("enters", labels={"tier": "db"}))
    server.create(pod("leaves", labels={"tier": "web"}))
    server.create(pod("vanishes", labels={"tier": "web"}))
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    for name, tier in {"always": "web", "never": "db", "enters": "web", "leaves": "db"}.items():
        server.update(pod(name, labels={"tier": tier}, annotations={"version": "2"}))
    eventually(lambda: "default/leaves" in web.names("delete"), "the one that leaves")
    server.faults.refuse_connections()
    server.faults.drop_connections()
    for name in ("vanishes", "never"):
        server.delete("pods", name)
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: len(web.state) == 2, "a deletion that was missed")
    assert sorted(web.state) == ["default/always", "default/enters"]
    assert web.tombstones == 1
    assert web.names("update") == ["default/always"]
    assert ("add", "default/enters", False) in web.calls
    assert web.faults == []


def test_s154_a_filter_that_raises_is_reported_with_the_key_and_loses_that_notification_only(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A filter that raises is reported with the object's key like a handler that does, and loses that notification
    only.
    """
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()

    def on_a_node(obj: KubeObject | DeletedFinalStateUnknown) -> bool:
        return bool(obj["spec"]["nodeName"])

    registration = informer.add_event_handler(FilteringResourceEventHandler(on_a_node, recorder))
    for name in ("a", "pending", "z"):
        server.create(pod(name, node=None if name == "pending" else "node-1"))
    with caplog.at_level(logging.ERROR, "kubeinformer"):
        factory.start()
        eventually(registration.has_synced, "synced")
    assert sorted(recorder.state) == ["default/a", "default/z"]
    assert registration.errors() == 1
    assert [record.getMessage().partition(" failed on ")[2] for record in caplog.records] == [
        "default/pending: KeyError('nodeName')"
    ]
    server.update(pod("pending", node="node-1"))
    eventually(lambda: "default/pending" in recorder.state, "what the filter can judge now")
    assert registration.errors() == 2
    assert recorder.faults == []
