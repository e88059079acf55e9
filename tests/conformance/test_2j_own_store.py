"""2.J: resync of a store of one's own, by its reflector; see also tests/cache_list_watch/test_reflector_store.py."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from list_watch_support import PODS, Log, Script, bookmark, event, eventually, pod, pod_list, reflecting
from statements import differs

from kubeinformer.cache import new_reflector

pytestmark = pytest.mark.usefixtures("quick_backoff")


def test_s126_resyncs_come_while_it_watches_and_not_while_it_lists() -> None:
    """A reflector over a store of one's own resyncs it while it watches, and not while it lists."""
    listing, go_on = threading.Event(), threading.Event()

    def slow_list() -> dict[str, Any]:
        listing.set()
        assert go_on.wait(10)
        return pod_list("5", pod("a"))

    expire = threading.Event()

    def expired() -> Iterator[Any]:
        yield event("ADDED", pod("c", "2"))
        expire.wait()
        yield event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})

    script = Script([pod_list("1", pod("a")), slow_list], [expired])
    store = Log()
    with reflecting(new_reflector(script.list_watch(), PODS, store, resync_period=0.01)) as thread:
        eventually(lambda: store.calls.count(("resync", "")) >= 2, "resyncs")
        expire.set()
        try:
            assert listing.wait(10)
            eventually(lambda: not resync_threads(), "the timer is off")
            before = len(store.calls)
        finally:
            go_on.set()
        eventually(lambda: ("resync", "") in store.calls[before:], "it is on again")
        assert store.calls[before] == ("replace", "a@5")
    eventually(lambda: not resync_threads(), "the timer is off")
    assert thread in store.threads


def resync_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kubeinformer-resync-")]


@differs(
    "client-go ends the watch at once when the store's resync fails; here at the next event or bookmark, because "
    "nothing else ends a read that waits for the server."
)
def test_s133_a_resync_that_fails_leads_to_a_list() -> None:
    """A resync of a store of one's own that raises ends the watch, and a list follows."""
    failed = threading.Event()

    class Failing(Log):
        def resync(self) -> None:
            if not failed.is_set():
                failed.set()
                raise RuntimeError("resync")

    def events() -> Iterator[Any]:
        failed.wait()
        eventually(lambda: not resync_threads(), "the failure is noted")
        yield bookmark("3")

    script = Script([pod_list("1"), pod_list("4", pod("a"))], [events, events])
    store = Failing()
    with reflecting(new_reflector(script.list_watch(), PODS, store, resync_period=0.01)):
        eventually(lambda: ("replace", "a@4") in store.calls, "the relist")
