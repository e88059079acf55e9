"""Start, stop, phases, counters, log lines: what a reflector says about itself."""

from __future__ import annotations

import logging
import math
import os

import pytest
from reflector_fakes import (
    FakeClock,
    FakeResponse,
    Rig,
    bookmark,
    error_event,
    event,
    initial_end,
    pod_list,
    refusal,
    watching,
)

from kubeinformer.cache.reflector_state import Phase
from kubeinformer.errors import ClosedError, ForkedError, TransportError
from kubeinformer.options import ListOptions


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_it_runs_once():
    r = Rig(FakeResponse(initial_end("10"), bookmark("11"))).run()
    with pytest.raises(RuntimeError, match="started before"):
        r.reflector.run()


def test_stop_in_a_wait_ends_it():
    r = Rig(refusal(500), use_watch_list=False)
    wait = r.clock.wait
    r.clock.wait = lambda stop, seconds: (stop.set(), wait(stop, seconds))[1]
    r.reflector.run()
    assert len(r.requests) == 1
    assert r.reflector.phase() is Phase.STOPPED


def test_phases_of_a_life():
    r = Rig(
        refusal(500),
        pod_list("10"),
        FakeResponse(event("ADDED", "11")),
        FakeResponse(bookmark("12")),
        use_watch_list=False,
    )
    r.run()
    assert [str(phase) for phase in r.phases] == [
        "connecting",
        "backoff",
        "connecting",
        "listing",
        "connecting",
        "watching",
        "connecting",
        "watching",
        "connecting",
        "stopped",
    ]


def test_a_tweak_that_takes_its_time_does_not_pass_for_a_watch():
    phases = []

    def tweak():
        phases.append(str(r.reflector.phase()))
        return ListOptions()

    r = Rig(pod_list("10"), FakeResponse(event("ADDED", "11")), watching(), use_watch_list=False, list_options=tweak)
    r.run()
    assert phases == ["connecting"] * 4


def test_a_closed_informer_ends_it_quietly(caplog):
    r = Rig(pod_list("10"), use_watch_list=False)
    r.source.commit_error = ClosedError("closed")
    r.reflector.run()
    assert r.errors == []
    assert warnings(caplog) == []
    assert r.reflector.phase() is Phase.STOPPED


def test_an_unforeseen_error_is_reported_and_does_not_end_it(caplog):
    r = Rig(pod_list("10"), pod_list("11"), FakeResponse(bookmark("12")), use_watch_list=False)
    begin, failures = r.source.begin_relist, [MemoryError("much")]

    def failing():
        if failures:
            raise failures.pop()
        return begin()

    r.source.begin_relist = failing
    r.transport.script.pop(0)
    r.run()
    assert [type(error) for error in r.errors] == [MemoryError]
    assert caplog.records[0].exc_info is not None
    assert r.source.log == [("replace", "11", [])]


def test_callbacks_that_raise_are_logged_and_harm_nothing(caplog):
    r = Rig(refusal(500), pod_list("11"), FakeResponse(bookmark("12")), use_watch_list=False)

    def fails(_):
        raise ValueError("callback")

    r.reflector._state._on_error = r.reflector._state._on_phase = fails
    r.run()
    assert r.source.log == [("replace", "11", [])]
    assert any("on_error failed" in message for message in warnings(caplog))
    assert any("on_phase(connecting) failed" in message for message in warnings(caplog))


def test_repeated_failures_are_one_warning_and_recovery_is_one_line(caplog):
    caplog.set_level(logging.INFO, "kubeinformer")
    r = Rig(
        *[refusal(503, "ServiceUnavailable") for _ in range(9)],
        pod_list("10"),
        FakeResponse(bookmark("11")),
        use_watch_list=False,
    )
    r.run()
    assert len(warnings(caplog)) == 1
    assert "trying again in 0.8 s" in warnings(caplog)[0]
    assert sum("works again (failed 9 times" in record.getMessage() for record in caplog.records) == 1


def test_another_failure_is_another_warning(caplog):
    Rig(
        refusal(503), refusal(401), refusal(401), pod_list("10"), FakeResponse(bookmark("11")), use_watch_list=False
    ).run()
    assert len(warnings(caplog)) == 2


def test_a_failure_that_comes_back_after_each_success_is_not_a_flood(caplog):
    bad = [step for n in range(8) for step in (pod_list(str(n + 1)), FakeResponse(b"<html>\n"))]
    r = Rig(*bad, use_watch_list=False).run()
    assert len(r.errors) == 8
    assert len(warnings(caplog)) == 1


def test_the_names_in_the_log():
    assert Rig().reflector.name == "v1/pods"
    assert Rig(namespace="team-a").reflector.name == "v1/pods in team-a"
    assert Rig(name="mine").reflector.name == "mine"


def test_the_path_of_a_namespace():
    r = Rig(FakeResponse(initial_end("10"), bookmark("11")), namespace="team-a").run()
    assert r.transport.calls[0]["path"] == "/api/v1/namespaces/team-a/pods"


def test_the_timeouts_of_a_request():
    r = Rig(FakeResponse(initial_end("10"), bookmark("11")), connect_timeout=3.0, first_byte_timeout=4.0).run()
    assert r.transport.calls[0]["connect_timeout"] == 3.0
    assert r.transport.calls[0]["read_timeout"] == 4.0
    assert r.transport.calls[0]["accept"] == "application/json"


def test_staleness_is_the_time_since_the_server_was_heard():
    clock = FakeClock()
    seen = []
    r = Rig(clock=clock)
    assert r.reflector.staleness() == math.inf
    assert r.reflector.last_contact() is None
    look = lambda: seen.append((r.reflector.staleness(), r.reflector.is_live()))  # noqa: E731
    r.transport.script.append(
        FakeResponse(event("ADDED", "1"), look, initial_end("10"), clock.advance(7.0), look, bookmark("11"), look)
    )
    r.run()
    assert seen == [(math.inf, False), (7.0, True), (0.0, True)]
    assert r.reflector.last_contact() == 1007.0


def test_is_live_through_a_clean_reconnect_but_not_through_trouble():
    seen = []
    r = Rig(pod_list("10"), FakeResponse(event("ADDED", "11")), use_watch_list=False)
    look = lambda answer: lambda: seen.append(r.reflector.is_live()) or answer  # noqa: E731
    r.transport.script += [
        look(TransportError("reset")),
        look(TransportError("reset")),
        look(FakeResponse(bookmark("12"))),
    ]
    r.run()
    assert seen == [True, False, False]


def test_counters():
    r = Rig(
        refusal(422),
        refusal(500),
        pod_list("10", "a", continue_="t"),
        pod_list("10"),
        FakeResponse(event("ADDED", "11")),
        FakeResponse(error_event(410)),
        pod_list("20"),
        FakeResponse(bookmark("21")),
    ).run()
    counters = r.reflector.counters()
    assert (counters.watch_lists, counters.lists, counters.watches) == (1, 3, 3)
    assert counters.relists == {"expired": 1}
    assert counters.failures == 1


@pytest.mark.parametrize(
    "argument", ["page_size", "min_watch_timeout", "connect_timeout", "first_byte_timeout", "watch_list_timeout"]
)
def test_numbers_that_make_no_sense_are_named(argument):
    with pytest.raises(ValueError, match=argument):
        Rig(**{argument: 0})


def test_a_forked_child_is_told():
    r = Rig(pod_list("10"))
    pid = os.fork()
    if pid == 0:
        try:
            for call in (r.reflector.run, r.reflector.stop):
                try:
                    call()
                except ForkedError:
                    continue
                os._exit(1)
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert r.requests == []
