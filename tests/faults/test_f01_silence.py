"""F1, F2, F3: connections that die without a word. What tells is the client's own clock."""

from __future__ import annotations

import pytest

from informer.informer_support import eventually

from .bodies import Reset, Silence, after
from .conftest import Embedded
from .outcome import Outcome

# A watch asks for one second or two, and no wait for a silent server is long.
IMPATIENT = {
    "watch_timeout": 1.0,
    "watch_grace": 0.2,
    "connect_timeout": 0.5,
    "first_byte_timeout": 0.5,
    "watch_list_timeout": 0.5,
}


def test_f01_the_flow_of_a_watch_is_dropped(embedded: Embedded, outcome: Outcome) -> None:
    """A load balancer drops the flow of a watch without a word."""
    follower = embedded.follow(**IMPATIENT)
    follower.start()
    outcome.begins(bound="watch_timeout + watch_grace")
    assert embedded.proxy.freeze() > 0
    embedded.world.change(20)
    outcome.recovered(follower)
    assert not follower.relists_since_start()


@pytest.mark.parametrize("verb", ["watch-list", "list"])
def test_f01_the_flow_of_a_first_list_is_dropped(embedded: Embedded, outcome: Outcome, verb: str) -> None:
    """A load balancer drops the flow of a first list halfway, of a LIST and of a watch-list."""
    rule = embedded.proxy.rule(verb=verb, times=1, body=after(5000, Silence))
    follower = embedded.follow(**IMPATIENT, use_watch_list=verb == "watch-list")
    outcome.begins(bound="first_byte_timeout and backoff; of a watch-list, watch_list_timeout")
    follower.factory.start()
    outcome.recovered(follower)
    assert rule.hits == 1


def test_f02_a_node_dies_and_comes_back(embedded: Embedded, outcome: Outcome) -> None:
    """The API server's machine dies: connections are half-open, new ones get no answer, until it is back."""
    follower = embedded.follow(**IMPATIENT)
    follower.start()
    embedded.proxy.black_hole = True
    assert embedded.proxy.half_open() > 0
    embedded.world.change(20)
    eventually(lambda: not follower.informer.is_live(), "it is not taken for live for long")
    eventually(follower.informer.last_error, "and there is a reason")
    assert follower.informer.has_synced()
    outcome.begins(bound="first_byte_timeout + backoff, after its return")
    embedded.proxy.black_hole = False
    outcome.recovered(follower)
    assert not follower.relists_since_start()


def test_f02_a_connection_that_is_kept_is_dead(embedded: Embedded, outcome: Outcome) -> None:
    """The connection that the next watch is sent on is half-open: the answer is a reset."""
    follower = embedded.follow(**IMPATIENT)
    follower.start()
    rule = embedded.proxy.rule(verb="watch", times=1, answer=Reset())
    outcome.begins(bound="backoff")
    embedded.end_watch(follower)
    embedded.world.change(20)
    outcome.recovered(follower)
    assert rule.hits == 1
    assert not follower.relists_since_start()


def test_f03_a_watch_is_not_ended_by_the_server(embedded: Embedded, outcome: Outcome) -> None:
    """The server does not end a watch at its timeoutSeconds, and says nothing more on it."""
    embedded.proxy.rule(verb="watch", without=["timeoutSeconds"])
    follower = embedded.follow(**IMPATIENT)
    follower.start()
    watches = follower.counters().watches
    outcome.begins(bound="watch_timeout + watch_grace")
    embedded.server.faults.pause_watches()
    embedded.world.change(20)
    eventually(lambda: follower.counters().watches > watches, "the next watch")
    embedded.server.faults.resume_watches()
    outcome.recovered(follower)
    assert not follower.relists_since_start()
