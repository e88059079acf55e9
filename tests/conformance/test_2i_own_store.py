"""2.I: what a reflector over a store of one's own tells it; see also tests/cache_list_watch/test_reflector_store.py."""

from __future__ import annotations

import pytest
from list_watch_support import EVENTS, PODS, FullLog, Log, eventually, reflecting, scripted

from kubeinformer.cache import new_reflector

pytestmark = pytest.mark.usefixtures("quick_backoff")


def test_s116_s117_a_store_is_told_of_bookmarks_and_versions_if_it_asks_for_them() -> None:
    """A store that has the methods for it is told of each bookmark, and of the version after each event."""
    store = FullLog()
    with reflecting(new_reflector(scripted(*EVENTS).list_watch(), PODS, store)):
        eventually(lambda: ("version", "9") in store.calls, "the bookmark")
        assert store.calls == [
            ("replace", "b,a@1"),
            *[("add", "c"), ("version", "2"), ("update", "a"), ("version", "3"), ("delete", "b"), ("version", "4")],
            *[("update", "unknown"), ("version", "5"), ("bookmark", "9"), ("version", "9")],
        ]


def test_s120_an_event_that_the_store_refuses_is_logged_and_passed(caplog: pytest.LogCaptureFixture) -> None:
    """An event that a store of one's own refuses is logged with its key, and the version moves on."""
    store = Log(fail={("update", "a")})
    reflector = new_reflector(scripted(*EVENTS).list_watch(), PODS, store)
    with reflecting(reflector):
        eventually(lambda: reflector.last_sync_resource_version() == "9", "the bookmark")
        assert store.calls[-1] == ("update", "unknown")
        assert reflector.counters().failures == 0
    assert any("failed on default/a: RuntimeError('update a')" in message for message in caplog.messages)
