"""2.K: which handler gets which notification."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from informer_support import Recorder, eventually
from statements import differs

from kubeinformer import KubeObject, SharedIndexInformer, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

Make = Callable[..., SharedInformerFactory]

SHORT, LONG = 0.05, 1000.0
"""Seconds: a resync period that ends within a test, and one that does not."""


@pytest.fixture(autouse=True)
def short_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resync periods below a second are not raised to one."""
    monkeypatch.setattr("kubeinformer.cache.shared_informer.MINIMUM_RESYNC_PERIOD", 0.01)


def relist(server: APIServer, write: Callable[[], object]) -> None:
    """Cut the informer off, write, and make it list again; the pod "zz-listed" is there then."""
    server.faults.refuse_connections()
    server.faults.drop_connections()
    write()
    server.create(pod("zz-listed"))
    server.create(config_map("moves-the-version"))
    server.compact()
    server.faults.accept_connections()


def with_periods(
    informer: SharedIndexInformer[KubeObject], *periods: float | None
) -> list[tuple[float | None, Recorder]]:
    """Add a handler for each period."""
    handlers = [(period, Recorder()) for period in periods]
    for period, recorder in handlers:
        informer.add_event_handler(recorder, resync_period=period)
    return handlers


def up_to(recorder: Recorder, name: str) -> list[tuple[str, str, bool]]:
    """What a handler was told before the addition of a pod, which is waited for."""
    last = ("add", f"default/{name}", False)
    eventually(lambda: last in recorder.calls, f"{name} is added")
    return recorder.calls[: recorder.calls.index(last)]


@differs(
    "client-go takes an update between equal resourceVersions for a resync, of which only handlers that resync hear; "
    "here the contents decide, because a server restored from a backup gives an old version to new content"
)
def test_s134_an_update_is_news_if_the_contents_differ_whatever_the_versions_say(
    server: APIServer, factory: SharedInformerFactory, quick_backoff: None
) -> None:
    """An update whose contents differ goes to every handler, also between equal resourceVersions."""
    informer = factory.core().v1().pods().informer()
    handlers = with_periods(informer, 0, LONG)
    server.create(pod("web-0"))
    factory.start()
    assert informer.wait_for_cache_sync(10)
    before = server.snapshot()
    lost = server.update(pod("web-0", labels={"content": "lost"}))
    for _, recorder in handlers:
        eventually(lambda recorder=recorder: recorder.names("update"), "the update that the backup does not have")
    kept: list[str] = []

    def from_backup() -> None:
        server.restore(before)
        again = server.update(pod("web-0", labels={"content": "again"}))
        kept.append(again["metadata"]["resourceVersion"])

    relist(server, from_backup)
    for _, recorder in handlers:
        eventually(lambda recorder=recorder: len(recorder.names("update")) == 2, "the other content")
        assert recorder.faults == []
    assert kept == [lost["metadata"]["resourceVersion"]]
    now = informer.indexer().get_by_key("default/web-0")
    assert now is not None
    assert (now.labels["content"], now.resource_version) == ("again", kept[0])


def test_s135_changes_go_to_every_handler_and_resyncs_to_those_that_are_due(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """A change goes to every handler, a resync only to those whose own period is over."""
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    handlers = with_periods(informer, SHORT, LONG, 0, None)
    (_, due), *others = handlers
    factory.start()
    eventually(lambda: len(due.names("update")) >= 3, "three resyncs")
    server.create(pod("web-1"))
    for _, recorder in others:
        assert up_to(recorder, "web-1") == [("add", "default/web-0", True)]
    resynced = up_to(due, "web-1")
    assert len(resynced) >= 4
    assert set(resynced[1:]) == {("update", "default/web-0", False)}


@differs(
    "client-go calls on_update for every unchanged object of a relist, on every handler where resyncs are off, and on "
    "those that are due where they are on; here a relist of unchanged objects is silent, because nothing happened"
)
def test_s136_a_relist_is_silent_about_what_did_not_change(
    server: APIServer, factory: SharedInformerFactory, quick_backoff: None
) -> None:
    """A relist tells no handler of an object that did not change, with a resync period or without."""
    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    handlers = with_periods(informer, 0, LONG)
    factory.start()
    assert informer.wait_for_cache_sync(10)
    relist(server, lambda: server.update(pod("web-1", phase="Failed")))
    eventually(lambda: len(informer.indexer()) == 4, "the relist")
    server.create(pod("after"))
    for _, recorder in handlers:
        assert sorted(up_to(recorder, "after")[3:]) == [
            ("add", "default/zz-listed", False),
            ("update", "default/web-1", False),
        ]


def test_s136_or_tells_every_handler_if_asked_to(server: APIServer, make_factory: Make, quick_backoff: None) -> None:
    """With `notify_unchanged_on_relist` every handler gets an update of each unchanged object with itself."""
    factory = make_factory(options={"notify_unchanged_on_relist": True})
    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    handlers = with_periods(informer, 0, LONG)
    factory.start()
    assert informer.wait_for_cache_sync(10)
    relist(server, lambda: server.delete("pods", "web-1"))
    eventually(lambda: informer.indexer().get_by_key("default/zz-listed"), "the relist")
    server.create(pod("after"))
    for _, recorder in handlers:
        told = up_to(recorder, "after")[3:]
        assert told[0] == ("delete", "default/web-1", False)
        assert sorted(told[1:]) == [
            ("add", "default/zz-listed", False),
            ("update", "default/web-0", False),
            ("update", "default/web-2", False),
        ]
        assert recorder.faults == []


def test_s137_additions_and_deletions_go_to_every_handler(
    server: APIServer, factory: SharedInformerFactory, quick_backoff: None
) -> None:
    """Additions and deletions go to every handler, of a watch and of a relist, whether it resyncs or not."""
    for number in range(3):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    handlers = with_periods(informer, 0, LONG, SHORT)
    factory.start()
    assert informer.wait_for_cache_sync(10)
    server.delete("pods", "web-0")
    relist(server, lambda: server.delete("pods", "web-1"))
    eventually(lambda: informer.indexer().get_by_key("default/zz-listed"), "the relist")
    server.create(pod("after"))
    for _, recorder in handlers:
        up_to(recorder, "after")
        assert recorder.names("delete") == ["default/web-0", "default/web-1"]
        assert sorted(recorder.names("add")) == [
            "default/after",
            *[f"default/web-{number}" for number in range(3)],
            "default/zz-listed",
        ]
