"""Servers that freeze, die and come back: noticed within the client's own deadlines, recovered without a restart."""

from __future__ import annotations

import signal
import time

import pytest
from kubernetes.client import ApiClient

from faults.follower import Follower
from faults.outcome import Outcome
from informer.informer_support import cached, eventually
from kubeinformer import ListOptions

from .conftest import Follow, only_native, only_python
from .real_server import IMPATIENT, TIMEOUT, RealServer, writes
from .relay import Relay

# The longest watch, and what its silence is given; the rest is for a busy machine.
DEADLINE = 2 * IMPATIENT["watch_timeout"] + IMPATIENT["watch_grace"] + 5.0


def not_live(follower: Follower, timeout: float = TIMEOUT) -> None:
    eventually(lambda: not follower.informer.is_live(), "it is not live", timeout)


def test_f02_a_frozen_api_server(real: RealServer, follow: Follow, outcome: Outcome) -> None:
    """The API server stands still (SIGSTOP), and goes on later."""
    follower = follow(real)
    follower.start()
    with real.churn() as churn:
        writes(churn)
        outcome.begins(bound="2 x watch_timeout + watch_grace, once it goes on")
        real.cluster.apiserver.pause()
        frozen = time.monotonic()
        not_live(follower)
        assert time.monotonic() - frozen < DEADLINE
        eventually(follower.informer.last_error, "and has a reason", TIMEOUT)
        assert follower.informer.has_synced()
        real.cluster.apiserver.resume()
        follower.wait_live(TIMEOUT)
        writes(churn)
    outcome.recovered(follower, within=TIMEOUT)
    assert not follower.relists_since_start()


@only_native
def test_f02_a_frozen_api_server_that_is_replaced(real: RealServer, follow: Follow, outcome: Outcome) -> None:
    """The API server stands still (SIGSTOP), is killed and started again; one transport."""
    follower = follow(real)
    follower.start()
    with real.churn() as churn:
        writes(churn)
        outcome.begins(bound="2 x watch_timeout + watch_grace, then a backoff, once it is back")
        real.cluster.apiserver.pause()
        not_live(follower)
        real.cluster.kill_apiserver()
        real.cluster.start_apiserver()
        follower.wait_live(TIMEOUT)
        writes(churn)
    outcome.recovered(follower, within=TIMEOUT)


def test_f11_a_frozen_etcd(real: RealServer, follow: Follow, outcome: Outcome) -> None:
    """etcd stands still (SIGSTOP): nothing is written, and what runs stays live."""
    follower = follow(real)
    follower.start()
    reflector = follower.informer.controller.reflectors[""]
    outcome.begins(bound="nothing to recover from: watches go on; a watch-list falls back within first_byte_timeout")
    real.cluster.etcd.pause()
    watches = reflector.counters().watches
    eventually(lambda: reflector.counters().watches >= watches + 2, "watches end and are opened again", TIMEOUT)
    follower.wait_live(TIMEOUT)
    # A watch-list would wait for etcd; a LIST is answered from memory.
    late = follow(real)
    late.factory.start()
    assert late.informer.wait_for_cache_sync(timeout=TIMEOUT)
    assert cached(late.informer) == cached(follower.informer)
    counters = late.informer.controller.reflectors[""].counters()
    assert (counters.watch_lists, counters.lists) == (1, 1)
    real.cluster.etcd.resume()
    with real.churn() as churn:
        writes(churn)
    late.check(TIMEOUT)
    outcome.recovered(follower, within=TIMEOUT)
    assert not follower.relists_since_start()


@pytest.mark.parametrize(("end", "transport"), [("SIGTERM", "native"), ("SIGKILL", "python")], indirect=["transport"])
def test_f04_a_rolling_restart_of_two_servers(real: RealServer, follow: Follow, outcome: Outcome, end: str) -> None:
    """Two API servers behind a load balancer are restarted one after the other, among writes; a transport a signal."""
    second = real.cluster.add_apiserver()
    first_port = int(real.cluster.url.rpartition(":")[2])
    with Relay([first_port, second.port]) as balancer:
        followers = [follow(real, api_client=ApiClient(real.configuration(port=balancer.port))) for _ in range(4)]
        for follower in followers:
            follower.start()
        with real.churn(port=balancer.port) as churn:
            writes(churn)
            outcome.begins(bound="one backoff, at most 1.6 s, per restarted server")
            for process, start in (
                (real.cluster.apiserver, real.cluster.start_apiserver),
                (second.process, second.start),
            ):
                process.kill(signal.Signals[end])
                for follower in followers:
                    follower.wait_live(TIMEOUT)
                writes(churn)
                start()
                writes(churn)
        outcome.recovered(*followers, within=TIMEOUT)
        for follower in followers:
            # Only who meets a server that was just started, with a version from before, or whose watch was that new, or
            # one that says that it is shutting down.
            assert set(follower.relists_since_start()) <= {"expired", "very_short_watch", "status_503"}
            follower.factory.shutdown()


@only_python
def test_f04_relists_after_a_restart_are_spread(real: RealServer, follow: Follow, outcome: Outcome) -> None:
    """The only API server forgets its history, and many informers list again; one transport."""
    times: list[list[float]] = []

    def listening(index: int):  # type: ignore[no-untyped-def]
        def tweak(options: ListOptions) -> None:
            if not options.watch or options.send_initial_events:
                times[index].append(time.monotonic())

        return tweak

    followers = []
    for index in range(12):
        times.append([])
        followers.append(follow(real, factory={"tweak_list_options": listening(index)}, watch_timeout=20.0))
        followers[-1].start()
    outcome.begins(bound="one backoff, at most 1.6 s, once it is back")
    real.cluster.expire_history()
    real.write("PATCH", "/api/v1/namespaces/default", {"metadata": {"labels": {"touched": "true"}}})
    outcome.recovered(*followers, within=TIMEOUT)
    first = [its[1] for its in times if len(its) > 1]
    assert len(first) == 12
    assert max(first) - min(first) > 0.3, "they do not come all at once"
