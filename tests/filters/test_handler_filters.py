"""Handlers with filters: what they are told, that they sync, and that merging changes nothing about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from filter_support import Core, heard, pod
from informer_support import Gate, Recorder, eventually

from kubeinformer import SharedInformerFactory, filter
from kubeinformer.testing import APIServer, objects

WEB = filter.labels("app=web")
MOVED = filter.changed("status.phase")


def test_s154_a_filtered_handler_is_told_as_if_there_was_nothing_else() -> None:
    core = Core()
    web, everything = core.listen(WEB), core.listen()
    core.list(3, pod("a", 1), pod("b", 2, app="db"))
    assert heard(web) == [("add", "1", "initial")]
    core.watch("MODIFIED", pod("a", 4))
    core.watch("MODIFIED", pod("b", 5))
    core.watch("MODIFIED", pod("a", 6, app="db"))
    core.watch("MODIFIED", pod("a", 7, app="db"))
    assert heard(web) == [("update", "1", "4"), ("add", "5"), ("delete", "4")]
    core.watch("DELETED", pod("a", 8, app="db"))
    # Its last event also changed it: the handler hears of the end of what it knows.
    core.watch("DELETED", pod("b", 9, app="db"))
    assert heard(web) == [("delete", "9")]
    core.watch("ADDED", pod("c", 10))
    core.watch("ADDED", pod("d", 11, app="db"))
    core.list(12)
    assert heard(web) == [("add", "10"), ("tombstone", "default/c")]
    assert len(heard(everything)) == 12
    assert web.filtered() == 5
    assert everything.filtered() == 0


def test_changed_decides_on_updates_alone() -> None:
    core = Core()
    moved = core.listen(MOVED)
    core.list(1, pod("a", 1))
    core.watch("MODIFIED", pod("a", 2, app="db"))
    core.watch("MODIFIED", pod("a", 3, app="db", phase="Failed"))
    core.watch("DELETED", pod("a", 4, app="db", phase="Failed"))
    assert heard(moved) == [("add", "1", "initial"), ("update", "2", "3"), ("delete", "4")]
    assert moved.filtered() == 1


def test_there_and_back_again_is_no_change_where_it_was_merged() -> None:
    core = Core()
    listeners = [core.listen(MOVED, backlog) for backlog in (None, (1, 1))]
    core.list(1, pod("a", 1))
    each, merged = listeners
    assert heard(each) == heard(merged) == [("add", "1", "initial")]
    core.watch("ADDED", pod("first", 2))
    for version, phase in ((3, "Failed"), (4, "Running")):
        core.watch("MODIFIED", pod("a", version, phase=phase))
    assert heard(each) == [("add", "2"), ("update", "1", "3"), ("update", "3", "4")]
    assert heard(merged) == [("add", "2")]
    assert (merged.filtered(), merged.stats()) == (1, (0, 0, 2, 1))
    barrier = merged.barrier()
    core.watch("MODIFIED", pod("a", 5, phase="Failed"))
    assert heard(merged) == [("update", "4", "5")]
    assert merged.wait_handled(barrier, 0)


def test_a_handler_from_which_all_is_kept_syncs(server: APIServer, factory: SharedInformerFactory) -> None:
    for number in range(3):
        server.create(objects.pod(f"db-{number}", labels={"app": "db"}))
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    registration = informer.add_event_handler(recorder, filter=WEB)
    with factory.running(timeout=20):
        late = informer.add_event_handler(Recorder(), filter=WEB)
        for each in (registration, late):
            eventually(each.has_synced, "it has synced")
        server.create(objects.pod("web-0", labels={"app": "web"}))
        version = server.create(objects.pod("db-9", labels={"app": "db"}))["metadata"]["resourceVersion"]
        assert informer.wait_for_resource_version(version, handlers=True, timeout=20)
        assert recorder.calls == [("add", "default/web-0", False)]
        assert registration.filtered() == 4
        assert late.filtered() == 4
        assert registration.pending() == 0


def test_a_stream_of_events_is_filtered(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    with factory.running(timeout=20):
        events = informer.events(timeout=20, filter=WEB & filter.changed("metadata.labels"))
        server.create(objects.pod("db-0", labels={"app": "db"}))
        server.create(objects.pod("web-0", labels={"app": "web"}))
        for labels in ({"app": "web", "x": "1"}, {"app": "db"}, {"app": "web"}):
            server.update(objects.pod("web-0", labels=labels))
        told = [next(events) for _ in range(4)]
        assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
        assert told[2].object.labels == {"app": "web", "x": "1"}
        server.update(objects.pod("web-0", labels={"app": "web"}, phase="Failed"))
        events.close()
        silent = informer.events(timeout=0.2, filter=filter.labels("app=none"))
        start = time.monotonic()
        assert list(silent) == []
        assert time.monotonic() - start < 10


def test_a_slow_filtered_handler_learns_what_is_accepted(
    server: APIServer, make_factory: Callable[..., SharedInformerFactory]
) -> None:
    factory = make_factory()
    informer = factory.core().v1().pods().informer()
    gate, recorder = Gate(), Recorder()
    gate.on_update = recorder.on_update  # type: ignore[method-assign]
    gate.on_delete = recorder.on_delete  # type: ignore[method-assign]
    add = recorder.on_add

    def on_add(obj: Any, initial: bool) -> None:
        add(obj, initial)
        gate.entered.set()
        assert gate.open.wait(10)

    gate.on_add = on_add  # type: ignore[method-assign]
    registration = informer.add_event_handler(gate, backlog=(2, 1 << 20), filter=WEB)
    with factory.running(timeout=20):
        server.create(objects.pod("block", labels={"app": "web"}))
        assert gate.entered.wait(10)
        for number in range(6):
            server.create(objects.pod(f"p-{number}", labels={"app": "web"}))
        for number in range(6):
            server.update(objects.pod(f"p-{number}", labels={"app": "db" if number % 2 else "web", "x": "1"}))
        server.delete("pods", "p-0")
        version = server.create(objects.pod("end", labels={"app": "db"}))["metadata"]["resourceVersion"]
        assert informer.wait_for_resource_version(version, timeout=20)
        gate.open.set()
        assert informer.wait_for_resource_version(version, handlers=True, timeout=20)
        assert recorder.faults == []
        assert sorted(recorder.state) == ["default/block", "default/p-2", "default/p-4"]
        assert registration.coalesced() > 0


def test_a_filter_must_be_one(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    for bad in ("app=web", lambda obj: True, filter.path("a")):
        with pytest.raises(TypeError, match="filter must be a Filter"):
            informer.add_event_handler(Recorder(), filter=bad)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="filter must be a Filter"):
            informer.events(filter=bad)  # type: ignore[arg-type]
