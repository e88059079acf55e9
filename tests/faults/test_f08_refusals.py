"""F8, F12, F13, F21, F26: a server, or what stands before it, that refuses for a while or for ever."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kubernetes.client import ApiClient, Configuration

from informer.fault_support import event, status
from informer.informer_support import eventually

from .bodies import Body, CutOff, after, events
from .conftest import Embedded
from .outcome import Outcome
from .proxy import Answer

BUSY = Answer(429, b"Too many requests, please try again later.\n", {"Content-Type": "text/plain", "Retry-After": "1"})
EXPIRED = Answer(200, event("ERROR", status(410, "Expired")))


@pytest.mark.parametrize("verb", ["list", "watch", "watch-list"])
def test_f08_priority_and_fairness_refuses(embedded: Embedded, outcome: Outcome, verb: str) -> None:
    """Priority and fairness answers 429, in plain text with a Retry-After of a second."""
    follower = embedded.follow(use_watch_list=verb == "watch-list")
    rule = embedded.proxy.rule(verb=verb, times=1, answer=BUSY)
    if verb == "watch":
        embedded.proxy.off(rule)
        follower.start()
        rule = embedded.proxy.rule(verb=verb, times=1, answer=BUSY)
        outcome.begins(bound="Retry-After or backoff, whichever is longer")
        embedded.end_watch(follower)
        embedded.world.change(20)
        assert rule.reached.wait(10)
    else:
        outcome.begins(bound="Retry-After or backoff, whichever is longer")
        follower.factory.start()
    outcome.recovered(follower)
    assert rule.hits == 1, "the answer was to one request"
    assert not follower.relists_since_start()
    assert follower.counters().failures == 1


def _without_end_bookmark(obj: dict[str, object]) -> list[dict[str, object]]:
    return [] if obj["type"] == "BOOKMARK" else [obj]


UNSUPPORTED: dict[str, tuple[Answer | None, Body | None]] = {
    "HTTP 422": (Answer(422, b'{"kind":"Status","code":422,"reason":"Invalid"}'), None),
    "HTTP 400": (Answer(400, b"unknown parameter"), None),
    "ERROR 500": (Answer(200, event("ERROR", status(500, "InternalError"))), None),
    "no end bookmark": (None, events(_without_end_bookmark)),
}


@pytest.mark.parametrize("how", UNSUPPORTED)
def test_f12_watch_list_is_not_supported(embedded: Embedded, outcome: Outcome, how: str) -> None:
    """A server cannot stream lists: it says so, or never sends the bookmark that ends the initial events."""
    answer, body = UNSUPPORTED[how]
    rule = embedded.proxy.rule(verb="watch-list", answer=answer, body=body)
    follower = embedded.follow(watch_list_timeout=0.5)
    outcome.begins(bound="watch_list_timeout, where the server does not say it")
    follower.start()
    outcome.recovered(follower)
    assert rule.hits == 1
    assert (follower.counters().watch_lists, follower.counters().lists) == (1, 1)
    embedded.proxy.rule(verb="watch", times=1, answer=EXPIRED)
    embedded.end_watch(follower)
    eventually(follower.relists_since_start, "a relist")
    follower.check()
    assert rule.hits == 1, "it is remembered"


@pytest.mark.parametrize("by_hook", [True, False], ids=["refresh hook", "set by the program"])
def test_f13_the_token_is_rotated(embedded: Embedded, outcome: Outcome, by_hook: bool) -> None:
    """The bearer token is rotated: the watch goes on, and requests with the old one are answered 401."""
    valid = ["old"]
    configuration = Configuration(host=embedded.proxy.url)
    configuration.api_key = {"authorization": "Bearer old"}
    if by_hook:

        def refresh(configuration: Configuration) -> None:
            configuration.api_key["authorization"] = f"Bearer {valid[0]}"

        configuration.refresh_api_key_hook = refresh
    refused = embedded.proxy.rule(
        answer=Answer(401, json.dumps(status(401, "Unauthorized")).encode()),
        when=lambda request: request.headers.get("authorization") != f"Bearer {valid[0]}",
    )
    client = ApiClient(configuration)
    follower = embedded.follow(client)
    follower.start()
    valid[0] = "new"
    outcome.begins(bound="nothing" if by_hook else "backoff, once the program has the new token")
    embedded.end_watch(follower)
    embedded.world.change(20)
    if not by_hook:
        eventually(lambda: "401" in str(follower.informer.last_error()), "the refusal")
        assert not follower.informer.is_live()
        outcome.begins(bound="backoff, once the program has the new token")
        client.configuration.api_key["authorization"] = "Bearer new"
    outcome.recovered(follower)
    assert (refused.hits == 0) is by_hook, "the hook is asked for each request"


@pytest.mark.parametrize("verb", ["list", "watch", "watch-list"])
def test_f21_500_for_all_because_of_one_object(embedded: Embedded, outcome: Outcome, verb: str) -> None:
    """The server answers 500 because it cannot convert or decode one object."""
    message = "conversion webhook for example.com/v1, Kind=Widget failed: connection refused"
    body = json.dumps({**status(500, "InternalError"), "message": message}).encode()
    follower = embedded.follow(use_watch_list=verb == "watch-list")
    if verb == "watch":
        follower.start()
    rule = embedded.proxy.rule(verb=verb, times=1, answer=Answer(500, body))
    outcome.begins(bound="backoff; after a watch-list, none before LIST")
    if verb == "watch":
        embedded.end_watch(follower)
        embedded.world.change(20)
        assert rule.reached.wait(10)
    else:
        follower.factory.start()
    outcome.recovered(follower)
    assert rule.hits == 1


@pytest.mark.parametrize("streams", [1, 5])
def test_f26_a_storm_of_events_during_the_initial_events(embedded: Embedded, outcome: Outcome, streams: int) -> None:
    """Under a storm of events the server drops each watch-list before its end bookmark."""
    rule = embedded.proxy.rule(verb="watch-list", times=streams, body=after(6000, CutOff))
    follower = embedded.follow()
    stop = threading.Event()

    def storm() -> None:
        while not stop.wait(0.01):
            embedded.world.change(10)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(storm)
        outcome.begins(bound="a second try, then LIST")
        follower.factory.start()
        try:
            follower.factory.wait_for_cache_sync(timeout=20)
        finally:
            stop.set()
        writing.result()
    outcome.recovered(follower)
    assert rule.hits == min(streams, 2)
    assert follower.counters().lists == (0 if streams == 1 else 1)
