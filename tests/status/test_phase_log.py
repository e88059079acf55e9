"""One line in the log at each change of phase, with fields; an outage of any length adds a bounded number of lines."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from informer_support import eventually
from reflector_fakes import FakeResponse, Rig, bookmark, error_event, event, pod_list, refusal

from kubeinformer import SharedInformerFactory
from kubeinformer.errors import TransportError
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport.base import RefusedError

Make = Callable[..., SharedInformerFactory]


@pytest.fixture(autouse=True)
def info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kubeinformer")


def phases(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """(before, now) of each line about a phase."""
    return [(vars(one)["previous_phase"], vars(one)["phase"]) for one in caplog.records if hasattr(one, "phase")]


def watched(rig: Rig, seconds: float = 300.0) -> FakeResponse:
    """A watch that ends well after a while."""
    return FakeResponse(event("ADDED", "20"), rig.clock.advance(seconds))


def test_a_quiet_life(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(pod_list("10", "a"), use_watch_list=False)
    rig.transport.script += [watched(rig) for _ in range(50)]
    rig.run()
    assert phases(caplog) == [
        ("idle", "connecting"),
        ("connecting", "listing"),
        ("listing", "watching"),
        ("watching", "stopped"),
    ]
    assert rig.reflector.counters().reconnects == 49


def test_what_a_line_says(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(pod_list("10", "a"), use_watch_list=False)
    rig.transport.script += [watched(rig), RefusedError("nobody there"), pod_list("20"), FakeResponse(bookmark("21"))]
    rig.run()
    records = [one for one in caplog.records if hasattr(one, "phase")]
    backoff = next(one for one in records if vars(one)["phase"] == "backoff")
    fields = vars(backoff)
    assert (fields["reflector"], fields["previous_phase"], fields["resource_version"]) == ("v1/pods", "watching", "20")
    assert fields["seconds"] == 300.0
    assert fields["error"] == "RefusedError: nobody there"
    expected = "v1/pods: phase=backoff previous_phase=watching seconds=300.0 resource_version=20"
    assert backoff.getMessage() == expected
    again = vars(records[records.index(backoff) + 1])
    assert (again["phase"], again["error"]) == ("watching", "")
    assert again["seconds"] > 0


@pytest.mark.parametrize("attempts", [3, 300])
@pytest.mark.parametrize(
    "failures",
    [
        [lambda: RefusedError("nobody there")],
        [lambda: refusal(503), lambda: refusal(500), lambda: TransportError("cut"), lambda: RefusedError("no")],
        [lambda: FakeResponse(TransportError("cut off within a list"))],
    ],
    ids=["one", "several-in-turn", "list-breaks-off"],
)
def test_an_outage_is_a_few_lines_however_long_it_is(
    caplog: pytest.LogCaptureFixture, failures: list[Callable[[], object]], attempts: int
) -> None:
    rig = Rig(pod_list("10", "a"), use_watch_list=False)
    # A list is asked for again all the time: the first watch ends with 410.
    rig.transport.script += [FakeResponse(rig.clock.advance(9), error_event(410, "Expired"))]
    rig.transport.script += [failures[number % len(failures)] for number in range(attempts)]
    rig.transport.script += [pod_list("15", "a"), watched(rig)]
    rig.run()
    changes = phases(caplog)
    assert changes[2:4] == [("listing", "watching"), ("watching", "backoff")]
    assert changes[-3:] == [("backoff", "listing"), ("listing", "watching"), ("watching", "stopped")]
    assert len(changes) <= 9, "a list that begins and breaks off is told of once"
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    # Each kind every ten minutes, where they take turns; one that stays the same is told of once.
    every_ten_minutes = int((rig.clock.now - 1000) // 600) + 1
    assert len(warnings) <= (1 if len(failures) == 1 else len(failures) * every_ten_minutes)
    assert len(caplog.records) - len(warnings) <= 15


def test_a_watch_that_cannot_be_opened_for_long(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(pod_list("10", "a"), use_watch_list=False)
    rig.transport.script += [watched(rig), *[RefusedError("no") for _ in range(200)], pod_list("20"), watched(rig)]
    rig.run()
    assert phases(caplog)[2:] == [
        ("listing", "watching"),
        ("watching", "backoff"),
        ("backoff", "watching"),
        ("watching", "stopped"),
    ]


@pytest.mark.usefixtures("quick_backoff")
def test_a_server_that_is_down_for_many_attempts(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    server.create(pod("web"))
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    eventually(informer.is_live, "it watches")
    before = len(caplog.records)
    server.faults.refuse_connections()
    server.faults.drop_connections()
    eventually(lambda: informer.status().sources[""].counters.failures > 60, "many attempts")
    during = caplog.records[before:]
    server.faults.accept_connections()
    eventually(informer.is_live, "the end of the outage")
    assert len(during) <= 8, [record.getMessage() for record in during]
    assert ("backoff", "watching") in phases(caplog) or ("backoff", "listing") in phases(caplog)
