"""Faults of connections and bodies: whatever broke off, the cache ends equal to a fresh LIST.

So do the indices and the replay of what a handler saw; and the informer then follows the watch as before. What takes a
proxy is in `tests/faults`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from fault_support import Follower, Make
from informer_support import eventually
from kubernetes.client import ApiClient, Configuration

from kubeinformer import KubeObject
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport import HTTPTransport, OwnTransport

AnyTransport: type[OwnTransport] = HTTPTransport  # `both_transports` sets it for each test

pytestmark = pytest.mark.usefixtures("both_transports", "quick_backoff")

ONLY_LIST = {"use_watch_list": False}
BOTH = pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])


def through(url: str, **options: Any) -> OwnTransport:
    return AnyTransport(ApiClient(Configuration(host=url)), **options)


# -- connections -------------------------------------------------------------------------------------------------------


@BOTH
def test_f4_refused_and_dropped_connections(server: APIServer, make_factory: Make, use_watch_list: bool) -> None:
    server.faults.refuse_connections()
    follower = Follower(server, make_factory(options={"use_watch_list": use_watch_list}), start=False)
    follower.factory.start()
    eventually(lambda: "refused" in str(follower.informer.last_error()), "the refusal")
    server.faults.accept_connections()
    follower.check()
    for _ in range(3):
        follower.wait_live()
        server.faults.refuse_connections()
        server.faults.drop_connections()
        follower.world.change(5)
        eventually(lambda: "refused" in str(follower.informer.last_error()), "the refusal")
        follower.world.change(5)
        server.faults.accept_connections()
        follower.check()
    follower.check_goes_on()


@BOTH
def test_a_connection_that_closes_without_an_answer(
    server: APIServer, make_factory: Make, use_watch_list: bool
) -> None:
    rule = server.faults.close(times=4)
    follower = Follower(server, make_factory(options={"use_watch_list": use_watch_list}))
    assert server.faults.hits(rule) == 4
    follower.check_goes_on()


@BOTH
def test_f19_f20_a_reset_in_the_middle_of_the_first_list(
    server: APIServer, make_factory: Make, use_watch_list: bool
) -> None:
    for count in (0, 1, 500, 2001, 2002, 2003, 2004):
        server.faults.reset(after_bytes=count, times=1)
    follower = Follower(server, make_factory(options={"use_watch_list": use_watch_list}))
    follower.check_goes_on()


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "close-delimited"])
def test_f19_f20_a_reset_in_the_middle_of_an_event_and_of_a_character(
    server: APIServer, make_factory: Make, chunked: bool
) -> None:
    if not chunked:
        server.faults.close_delimited()
    follower = Follower(server, make_factory())
    server.create(pod("split"))
    for inside in range(8):  # eight places in a row: each byte of a character of four, twice
        follower.check()
        follower.wait_live()
        server.faults.reset_watches(after_bytes=1000 + inside)
        server.update(pod("split", annotations={"note": "😀" * (400 + inside)}))
    follower.check_goes_on()


def test_f4_clean_ends_of_watches_repeat_nothing_and_list_nothing(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory())
    calls, written = len(follower.recorder.calls), int(server.resource_version)
    for _ in range(10):
        follower.wait_live()
        follower.world.change(5)
        follower.check()
        server.faults.close_watches()
    follower.check_goes_on()
    assert len(follower.recorder.calls) - calls == int(server.resource_version) - written, "one call for each write"
    assert (follower.counters().lists, follower.counters().relists) == (0, {})
    assert follower.recorder.tombstones == 0


def test_f15_a_slow_consumer_is_dropped_and_resumes(server: APIServer, make_factory: Make) -> None:
    """The processor stands still, so the queue fills up, so the reader does not read, so the server ends the watch."""
    blocked, gate = threading.Event(), threading.Event()

    def slow(obj: KubeObject) -> list[str]:
        if obj.name == "block":
            blocked.set()
            gate.wait(20)
        return [obj.labels.get("number", "")]

    server.faults.drop_slow_watches(5)
    follower = Follower(server, make_factory(options={"queue_bytes": 200_000}))
    follower.informer.add_indexers({"slow": slow})
    follower.wait_live()
    server.create(pod("block"))
    try:
        assert blocked.wait(10)
        for number in range(100):  # more than all buffers between the two hold
            server.update(pod("block", size=200_000, labels={"number": str(number)}))
        threading.Event().wait(0.3)  # the server gives a client a tenth of a second
        assert len(follower.requests("watch")) == 1
    finally:
        gate.set()
    follower.check()
    assert follower.informer.indexer().index_keys("slow", "99") == ["default/block"]
    assert len(follower.requests("watch")) > 1
    assert (follower.counters().lists, follower.counters().relists) == (0, {})
    follower.check_goes_on()


# -- silence -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_f2_f11_no_answer_at_all(server: APIServer, make_factory: Make, verb: str) -> None:
    rule = server.faults.stall(times=2, verb=verb)
    follower = Follower(server, make_factory(options={**ONLY_LIST, "first_byte_timeout": 0.2}), start=False)
    follower.factory.start()
    follower.check_goes_on()
    assert server.faults.hits(rule) == 2


def test_f11_a_watch_list_without_an_answer_is_a_list(server: APIServer, make_factory: Make) -> None:
    server.faults.stall(times=1, verb="watch")
    follower = Follower(server, make_factory(options={"first_byte_timeout": 0.2}))
    follower.check_goes_on()
    assert (follower.counters().watch_lists, follower.counters().lists) == (1, 1)


def test_f3_a_watch_past_its_timeout_is_left(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory(options={"watch_timeout": 1.0, "watch_grace": 0.1}))
    follower.touch()
    watches = follower.counters().watches
    server.faults.pause_watches()
    follower.world.change(20)
    eventually(lambda: follower.counters().watches > watches, "the next watch")
    server.faults.resume_watches()
    follower.check_goes_on()


# -- bodies ------------------------------------------------------------------------------------------------------------

BODIES: dict[str, Callable[[APIServer], object]] = {
    "gzip": lambda server: server.faults.gzip(),
    "close-delimited": lambda server: server.faults.close_delimited(),
    "chunks of one byte": lambda server: server.faults.chunk_bytes(1),
    "gzip in chunks of 7 bytes": lambda server: (server.faults.gzip(), server.faults.chunk_bytes(7)),
    "close-delimited gzip": lambda server: (server.faults.gzip(), server.faults.close_delimited()),
}


@BOTH
@pytest.mark.parametrize("body", BODIES)
def test_f6_f19_bodies_of_every_kind(server: APIServer, make_factory: Make, body: str, use_watch_list: bool) -> None:
    BODIES[body](server)
    transport = through(server.url, compression="gzip" in body)
    follower = Follower(server, make_factory(options={"use_watch_list": use_watch_list}, transport=transport))
    accepted = [request.headers.get("accept-encoding", "") for request in follower.requests("watch")]
    assert all(("gzip" in coding) == ("gzip" in body) for coding in accepted)
    assert follower.counters().lists == (0 if use_watch_list else 1)
    follower.check_goes_on()
