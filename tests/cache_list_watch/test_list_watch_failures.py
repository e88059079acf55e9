"""What functions raise, how long they block, and that neither keeps an informer from going on or from stopping."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from kubernetes.client.exceptions import ApiException
from list_watch_support import Quiet, Script, event, eventually, pod, pod_list, running

from kubeinformer import APIStatusError, ListOptions, TransportError
from kubeinformer.cache import ListWatch
from kubeinformer.transport.base import ReadTimeoutError, RefusedError, StopSignal

QUERY = [("watch", "true"), ("timeoutSeconds", "5")]


def raised(code: int, reason: str = "", message: str = "no", headers: dict[str, str] | None = None) -> ApiException:
    """What the kubernetes package raises for an answer."""
    error = ApiException(status=code, reason="HTTP reason")
    error.body = orjson.dumps({"kind": "Status", "code": code, "reason": reason, "message": message}).decode()
    error.headers = headers
    return error


def then_raise(error: BaseException, *events: Any) -> Any:
    def generate() -> Iterator[Any]:
        yield from events
        raise error

    return generate


EXPIRED = [
    raised(410, "Expired"),
    APIStatusError("gone", code=410, reason="Expired"),
    ApiException(status=410, reason="Expired: too old resource version: 1 (5)"),
]


@pytest.mark.parametrize("error", EXPIRED, ids=["ApiException", "APIStatusError", "no body"])
def test_s87_an_expired_list_is_asked_again_without_a_version(error: Exception) -> None:
    script = Script([error, pod_list("9", pod("a"))])
    with running(script.list_watch()) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        assert [options.resource_version for options in script.lists] == ["0", ""]
        assert informer.controller.reflectors[""].counters().failures == 0


@pytest.mark.parametrize("error", EXPIRED, ids=["ApiException", "APIStatusError", "no body"])
def test_s114_an_expired_watch_leads_to_a_list(error: Exception) -> None:
    script = Script([pod_list("1"), pod_list("9", pod("a"))], [then_raise(error)])
    with running(script.list_watch()) as (informer, _):
        eventually(lambda: informer.indexer().list_keys() == ["default/a"], "the relist")
        assert informer.controller.reflectors[""].counters().relists == {"expired": 1}


def test_s115_a_refused_watch_that_has_to_wait_is_tried_again_without_a_list() -> None:
    refused = raised(429, "TooManyRequests", headers={"retry-after": "0"})
    script = Script([pod_list("1")], [refused, then_raise(refused, event("ADDED", pod("a", "2")))])
    with running(script.list_watch()) as (informer, _):
        eventually(lambda: len(script.watches) == 3, "the third watch")
        assert [options.resource_version for options in script.watches] == ["1", "1", "2"]
        assert len(script.lists) == 1
        assert informer.controller.reflectors[""].counters().failures == 2


@pytest.mark.parametrize(
    "error",
    [raised(429, headers={"retry-after": "30"}), APIStatusError("wait", code=429, retry_after=29.5)],
    ids=["ApiException", "APIStatusError"],
)
@pytest.mark.parametrize("where", ["list", "watch", "stream"])
def test_retry_after_is_the_least_wait(error: Exception, where: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    watches = {"list": [], "watch": [error], "stream": [then_raise(error)]}[where]
    script = Script([error] if where == "list" else [pod_list("1")], watches)
    with running(script.list_watch()):
        eventually(lambda: any("trying again in 30" in message for message in caplog.messages), "the wait in the log")


def test_a_lasting_refusal_is_told_with_its_code() -> None:
    script = Script([raised(403, "Forbidden", "pods is forbidden")] * 3 + [pod_list("1")])
    with running(script.list_watch()) as (informer, _):
        eventually(lambda: informer.controller.lasting_refusal() or informer.has_synced(), "the refusal")
        assert informer.wait_for_cache_sync(timeout=10)
        assert informer.controller.reflectors[""].counters().failures == 3


def test_a_reason_too_large_survives_the_way_through_an_exception() -> None:
    too_large = {"kind": "Status", "code": 504, "reason": "Timeout", "message": "x" * 3000}
    body = orjson.dumps({"details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}, **too_large})
    script = Script([APIStatusError("too new", code=504, reason="Timeout", body=body), pod_list("9", pod("a"))])
    with running(script.list_watch()) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        assert [options.resource_version for options in script.lists] == ["0", ""]


@pytest.mark.parametrize("where", ["list", "watch", "stream", "exit"])
def test_any_other_exception_is_a_failure_that_is_waited_out(where: str, caplog: pytest.LogCaptureFixture) -> None:
    error = SystemExit("a bug") if where == "exit" else KeyError("a bug")
    lists: list[Any] = [error, error] if where in ("list", "exit") else []
    watches: dict[str, list[Any]] = {"watch": [error, error], "stream": [then_raise(error)] * 2, "list": [], "exit": []}
    script = Script([*lists, pod_list("1"), pod_list("1"), pod_list("1")], watches[where])
    with running(script.list_watch()) as (informer, _):
        eventually(lambda: informer.is_live() and len(script.watches) == len(watches[where]) + 1, "it goes on")
        assert informer.controller.reflectors[""].counters().failures == 2
        assert informer.last_error() is None
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1, "the traceback is logged once"
    assert told[0].exc_info is not None
    assert told[0].exc_info[1] is not None
    assert error in (told[0].exc_info[1], told[0].exc_info[1].__cause__)


def test_a_failed_connection_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    script = Script([OSError("reset"), ApiException(status=0, reason="SSLError"), pod_list("1")])
    with running(script.list_watch()) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
    assert [record for record in caplog.records if record.levelno == logging.ERROR and record.exc_info] == []


def test_the_failures_of_a_connection_keep_their_kind() -> None:
    def fail(options: ListOptions) -> Any:
        raise errors[options.watch]

    errors = {False: ConnectionRefusedError("nobody"), True: TimeoutError("silent")}
    list_watch = ListWatch(fail, fail)
    with pytest.raises(RefusedError, match="LIST /api/v1/pods"):
        list_watch.request("/api/v1/pods", [], read_timeout=1, connect_timeout=1)
    with pytest.raises(ReadTimeoutError, match="WATCH /api/v1/pods"):
        list_watch.request("/api/v1/pods", QUERY, read_timeout=1, connect_timeout=1)


def test_s112_an_iteration_that_ends_is_followed_by_the_next_watch() -> None:
    script = Script([pod_list("1")], [[event("ADDED", pod("a", "2"))], [event("ADDED", pod("b", "3"))]])
    with running(script.list_watch()) as (_informer, _):
        eventually(lambda: len(script.watches) == 3, "the third watch")
        assert [options.resource_version for options in script.watches] == ["1", "2", "3"]
        assert len(script.lists) == 1


def test_s84_stopping_does_not_wait_for_a_list() -> None:
    release = threading.Event()
    script = Script([lambda: release.wait() and pod_list("1")])
    try:
        with running(script.list_watch()) as (informer, _):
            eventually(lambda: script.lists, "the list")
            started = time.monotonic()
            assert informer.shutdown(timeout=5) == []
            assert time.monotonic() - started < 2
    finally:
        release.set()


def test_s83_stopping_stops_what_the_watch_function_returned() -> None:
    quiet = Quiet(threading.Event())
    script = Script([pod_list("1")], [lambda: quiet])
    with running(script.list_watch()) as (informer, _):
        eventually(informer.is_live, "the watch")
        assert informer.shutdown(timeout=5) == []
    eventually(quiet.over.is_set, "stop was called")
    assert quiet.stops == 1


@pytest.mark.parametrize("at", ["watch_func", "generator", "stop"])
def test_stopping_waits_for_no_function(at: str) -> None:
    release, blocked = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        release.wait()

    class Stuck(Quiet):
        def __iter__(self) -> Iterator[Any]:
            blocked.set()
            return super().__iter__()

        def stop(self) -> None:
            block()

    def generate() -> Iterator[Any]:
        block()
        yield from ()

    def call() -> Any:
        block()
        return [event("ADDED", pod("never", "9"))]

    answers = {"watch_func": call, "generator": generate, "stop": lambda: Stuck(release)}
    script = Script([pod_list("1")], [answers[at]])
    try:
        with running(script.list_watch()) as (informer, _):
            eventually(blocked.is_set, "the function blocks")
            started = time.monotonic()
            assert informer.shutdown(timeout=5) == []
            assert time.monotonic() - started < 2
    finally:
        release.set()


def test_a_generator_is_closed_by_its_own_thread() -> None:
    closed: list[threading.Thread] = []
    go_on = threading.Event()

    def generate() -> Iterator[Any]:
        try:
            yield event("ADDED", pod("a", "2"))
            go_on.wait()
            yield event("ADDED", pod("b", "3"))
        finally:
            closed.append(threading.current_thread())

    script = Script([pod_list("1")], [generate])
    with running(script.list_watch()) as (_informer, recorder):
        eventually(lambda: recorder.calls, "the first event")
    go_on.set()
    eventually(lambda: closed, "the generator was closed")
    assert closed[0].name.startswith("kubeinformer-watch-")
    assert recorder.calls == [("add", "default/a")]


def test_a_watch_that_does_not_end_is_given_up() -> None:
    quiet = Quiet(threading.Event())
    script = Script([pod_list("1")], [lambda: quiet])
    with running(script.list_watch(), watch_timeout=1.0, watch_grace=0.1) as (informer, _):
        # A watch that was silent throughout is followed by a question for the version.
        script._lists = iter([pod_list("1")] * 5)
        eventually(lambda: len(script.watches) >= 2, "the next watch")
        eventually(quiet.over.is_set, "the first one was stopped")
        assert informer.controller.reflectors[""].counters().relists == {}


def test_a_watch_function_that_does_not_return_is_given_up() -> None:
    stop = threading.Event()
    list_watch = ListWatch(lambda options: {}, lambda options: stop.wait())
    started = time.monotonic()
    with pytest.raises(ReadTimeoutError, match="watch_func did not return"):
        list_watch.request("/api/v1/pods", [("watch", "true")], read_timeout=0.1, connect_timeout=1)
    assert time.monotonic() - started < 2
    stop.set()


def test_events_are_fetched_no_more_than_a_megabyte_ahead() -> None:
    given: list[int] = []

    def generate() -> Iterator[bytes]:
        line = orjson.dumps(event("MODIFIED", pod("a", "2", text="x" * 100_000)))
        for number in range(100):
            given.append(number)
            yield line

    stop = StopSignal()
    response = ListWatch(lambda options: {}, lambda options: generate()).request(
        "/api/v1/pods", QUERY, read_timeout=5, connect_timeout=5, stop=stop
    )
    eventually(lambda: len(given) >= 11, "a megabyte of events")
    assert len(response.read(1)) <= 256 * 1024
    eventually(lambda: len(given) >= 13, "as many again as were read")
    time.sleep(0.05)  # what fetched too much would go on at once
    assert len(given) <= 14
    stop.set()
    with pytest.raises(TransportError, match="stopped"):
        response.read(1)
    response.close(complete=False)


def test_nothing_is_called_when_it_is_stopped_already() -> None:
    script = Script([pod_list("1")])
    stop = StopSignal()
    stop.set()
    with pytest.raises(TransportError, match="stopped"):
        script.list_watch().request("/api/v1/pods", [], read_timeout=1, connect_timeout=1, stop=stop)
    assert script.lists == []
