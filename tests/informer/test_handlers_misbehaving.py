"""Handlers with a resync period of their own."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from informer_support import eventually

from kubeinformer import (
    KubeObject,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


@pytest.mark.parametrize("late", [False, True], ids=["before the start", "after it"])
def test_s125_s129_s131_a_period_of_one_second_gives_an_update_with_itself_every_second(
    server: APIServer, make_factory: Make, late: bool
) -> None:
    factory = make_factory(resync_period=0)
    informer = factory.core().v1().pods().informer()
    server.create(pod("a"))
    times: list[float] = []

    def updated(old: KubeObject, new: KubeObject) -> None:
        assert old is new
        assert old.key == "default/a"
        times.append(time.monotonic())

    if late:
        factory.start()
        factory.wait_for_cache_sync(timeout=10)
    informer.add_event_handler(ResourceEventHandlerFuncs(update_func=updated), resync_period=1.0)
    begin = time.monotonic()
    factory.start()
    eventually(lambda: len(times) >= 2, "two resyncs", timeout=5)
    assert [round(moment - begin) for moment in times[:2]] == [1, 2]
