"""2.J: resync: which handler is told of the whole store again, when, and what it costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from core_support import CoreRig, line
from informer_support import Recorder, eventually
from statements import differs

from kubeinformer import KubeObject, ResourceEventHandlerFuncs, SharedIndexInformer, SharedInformerFactory
from kubeinformer.cache.shared_informer import MINIMUM_RESYNC_PERIOD
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]

PERIOD = 0.03
"""Seconds; the tests that need more than one resync go below the least period."""


@pytest.fixture
def short_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubeinformer.cache.shared_informer.MINIMUM_RESYNC_PERIOD", 0.001)


class Resyncs:
    """A handler that counts how often it is told of an object with itself."""

    def __init__(self, informer: SharedIndexInformer[KubeObject], period: float | None) -> None:
        self.count = 0
        self.different = 0
        informer.add_event_handler(ResourceEventHandlerFuncs(update_func=self.update), resync_period=period)

    def update(self, old: KubeObject, new: KubeObject) -> None:
        self.count += 1
        self.different += old is not new

    def come(self, more: int = 2) -> None:
        """Wait for some."""
        enough = self.count + more
        eventually(lambda: self.count >= enough, "resyncs")


@pytest.mark.usefixtures("short_periods")
def test_s125_a_resync_asks_the_server_nothing(server: APIServer, factory: SharedInformerFactory) -> None:
    """A resync gives the handler each object of the store as an update with itself, and sends no request."""
    server.create(pod("web-0"))
    server.create(pod("web-1"))
    informer = factory.core().v1().pods().informer()
    told: list[tuple[str, bool]] = []
    informer.add_event_handler(
        ResourceEventHandlerFuncs(update_func=lambda old, new: told.append((new.name, old is new))), PERIOD
    )
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1)
    requests = len(server.requests)
    eventually(lambda: len(told) >= 6, "three resyncs")
    assert {name for name, _ in told[:2]} == {name for name, _ in told[2:4]} == {"web-0", "web-1"}
    assert all(same for _, same in told)
    assert len(server.requests) == requests


@differs(
    "client-go has one timer for an informer, which each list and watch starts anew, so one whose watches are shorter "
    "than its period never resyncs; here each handler has its own, which nothing but its resyncs moves."
)
def test_s126_lists_do_not_put_a_resync_off() -> None:
    """A handler's period begins at the start and after each resync, and lists leave it alone."""
    rig = CoreRig(resync_period=PERIOD)
    rig.list("1", "a@1")
    rig.process()
    rig.heard()
    time.sleep(PERIOD)
    rig.list("2", "a@1", "b@2")
    rig.process()
    assert ("resync", "a@1") in rig.heard()


def test_s126_while_the_first_list_is_awaited_there_is_nothing_to_tell() -> None:
    """Before the first list is in the store no resync tells anything, and its objects come as additions."""
    rig = CoreRig(resync_period=0.001)
    rig.watch_list(line("ADDED", "a@1"))
    time.sleep(0.002)
    assert rig.hear() == []
    rig.list("1", "a@1")
    assert rig.hear()[0] == ("add", "a@1", "initial")


def test_s127_only_handlers_that_are_due_are_told() -> None:
    """A resync tells the handlers whose period is over, all of them once, and no other."""
    rig = CoreRig(resync_period=PERIOD)
    also, later = rig.listen(PERIOD), rig.listen(3600.0)
    rig.list("1", "a@1")
    rig.process()
    for listener in (rig.listener, also, later):
        rig.heard(listener)
    time.sleep(PERIOD)
    rig.process()
    assert (rig.heard(), rig.heard(also), rig.heard(later)) == ([("resync", "a@1")], [("resync", "a@1")], [])


def test_s127_the_next_period_begins_with_the_resync() -> None:
    """A resync that came late is not made up for: the next is due one period after it."""
    rig = CoreRig(resync_period=PERIOD)
    rig.list("1", "a@1")
    rig.process()
    rig.heard()
    time.sleep(3 * PERIOD)
    begin = time.monotonic()
    rig.process()
    assert rig.heard() == [("resync", "a@1")]
    while not (told := rig.hear()):
        assert time.monotonic() - begin < 10
    # On a machine that stalls meanwhile there may be a second one, but never more than the time allows.
    assert len(told) <= (time.monotonic() - begin) / PERIOD
    assert set(told) == {("resync", "a@1")}


@pytest.mark.usefixtures("short_periods")
def test_s128_a_handler_without_a_period_is_never_resynced(server: APIServer, factory: SharedInformerFactory) -> None:
    """A handler whose period is 0 hears of changes only, whatever the periods of others are."""
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    with_period, without = Resyncs(informer, PERIOD), Resyncs(informer, 0)
    factory.start()
    with_period.come(4)
    assert without.count == 0
    server.update(pod("web-0", phase="Failed"))
    eventually(lambda: without.different == 1, "the change")
    with_period.come()
    assert without.count == 1


def test_s129_a_period_below_a_second_is_raised_to_one(server: APIServer, factory: SharedInformerFactory) -> None:
    """The least period of a handler is one second."""
    assert MINIMUM_RESYNC_PERIOD == 1.0
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    times: list[float] = []
    told = threading.Event()

    def update(_old: KubeObject, _new: KubeObject) -> None:
        times.append(time.monotonic())
        told.set()

    informer.add_event_handler(ResourceEventHandlerFuncs(update_func=update), resync_period=0.01)
    begin = time.monotonic()
    factory.start()
    assert told.wait(10)
    assert times[0] - begin >= 1.0


@differs(
    "client-go has one check period for an informer, which a shorter one of a handler lowers before the start and to "
    "which it is raised after; here each handler keeps its own, so nobody's period depends on who else is there."
)
@pytest.mark.usefixtures("short_periods")
def test_s130_each_handler_keeps_its_own_period(server: APIServer, make_factory: Make) -> None:
    """A handler's period is not changed by that of another, nor by the factory's, before the start or after."""
    server.create(pod("web-0"))
    factory = make_factory(resync_period=3600.0)
    informer = factory.core().v1().pods().informer()
    often, seldom = Resyncs(informer, PERIOD), Resyncs(informer, None)
    factory.start()
    often.come()
    late = Resyncs(informer, PERIOD)
    late.come()
    assert seldom.count == 0


@differs(
    "client-go turns every handler's period into 0, with a warning, when the informer was made with resync 0; here 0 "
    "only means that there is no default, because who asks for a period means it."
)
@pytest.mark.usefixtures("short_periods")
def test_s131_a_handlers_own_period_counts_without_a_default(server: APIServer, factory: SharedInformerFactory) -> None:
    """A handler that names a period is resynced although the factory has none, added before the start or after."""
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    unnamed, early = Resyncs(informer, None), Resyncs(informer, PERIOD)
    factory.start()
    early.come()
    late = Resyncs(informer, PERIOD)
    late.come()
    assert unnamed.count == 0


def test_s131_a_late_period_wakes_a_processor_that_waits_for_nothing(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """The first handler with a period is resynced in time also when the informer has been idle since its start."""
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    late = Resyncs(informer, None)
    assert late.count == 0
    informer.add_event_handler_with_resync_period(ResourceEventHandlerFuncs(update_func=late.update), 1.0)
    begin = time.monotonic()
    late.come(1)
    assert 0.9 < time.monotonic() - begin < 5.0


@pytest.mark.usefixtures("short_periods")
def test_s132_no_period_is_the_default_and_zero_is_none(server: APIServer, make_factory: Make) -> None:
    """A handler that names no period has the factory's; one that names 0 is never resynced."""
    server.create(pod("web-0"))
    factory = make_factory(resync_period=PERIOD)
    informer = factory.core().v1().pods().informer()
    unnamed, zero = Resyncs(informer, None), Resyncs(informer, 0)
    factory.start()
    unnamed.come()
    late_unnamed, late_zero = Resyncs(informer, None), Resyncs(informer, 0.0)
    late_unnamed.come()
    unnamed.come()
    assert (zero.count, late_zero.count) == (0, 0)


@differs(
    "client-go ends the watch and lists when a resync of the queue fails; here a resync goes from the store to the "
    "handlers without the queue, so it cannot fail and the reflector has no part in it."
)
@pytest.mark.usefixtures("short_periods")
def test_s133_resyncs_neither_end_the_watch_nor_need_it(server: APIServer, factory: SharedInformerFactory) -> None:
    """Resyncs go on through user functions that fail and through an outage, and cause neither watch nor list."""
    server.create(pod("web-0"))
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"fails": lambda obj: [str(1 // 0)]})
    resyncs = Resyncs(informer, PERIOD)
    recorder = Recorder()
    informer.add_event_handler(recorder, 0)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.wait_for_watches(1)
    requests = len(server.requests)
    resyncs.come(3)
    assert len(server.requests) == requests
    server.faults.refuse_connections()
    server.faults.drop_connections()
    eventually(lambda: not informer.is_live(), "the outage")
    resyncs.come(3)
    (reflector,) = informer.controller.reflectors.values()
    assert reflector.counters().relists == {}
    assert recorder.names("update") == []
    server.faults.accept_connections()


@pytest.mark.parametrize("late", [False, True], ids=["before the start", "after it"])
def test_s125_s129_s131_a_period_of_one_second_gives_an_update_with_itself_every_second(
    server: APIServer, make_factory: Make, late: bool
) -> None:
    """A handler's own period of a second gives it an update of each object with itself every second."""
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
