"""Versions that go back: a restored server's state is taken over, and what a lagging server lacks is not deleted.

Each test ends with cache, index and the replay of what a handler saw equal to a fresh LIST.
"""

from __future__ import annotations

import orjson
import pytest
from fault_support import Follower, Make, Proxy, event, status
from informer_support import eventually
from kubernetes.client import ApiClient, Configuration

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport import HTTPTransport, OwnTransport

AnyTransport: type[OwnTransport] = HTTPTransport  # `both_transports` sets it for each test

pytestmark = pytest.mark.usefixtures("both_transports", "quick_backoff")

BOTH = pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])


def meta(version: int, **annotations: str) -> dict[str, object]:
    return {"kind": "Pod", "metadata": {"resourceVersion": str(version), "annotations": annotations}}


def transport(server: APIServer, **options: object) -> OwnTransport:
    return AnyTransport(server.api_client(), **options)


@BOTH
def test_f9_f17_what_a_lagging_server_lacks_is_not_deleted(
    server: APIServer, make_factory: Make, use_watch_list: bool
) -> None:
    """It answers a relist with an older state, whatever version it is asked for, and is not believed."""
    follower = Follower(server, make_factory(options={"use_watch_list": use_watch_list}, transport=transport(server)))
    follower.touch()
    old = int(server.resource_version) - 5
    if use_watch_list:
        body = event("BOOKMARK", meta(old, **{"k8s.io/initial-events-end": "true"}))
        rule = server.faults.respond(200, body=body, verb="watch")
    else:
        metadata = {"resourceVersion": str(old)}
        body = orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": []})
        rule = server.faults.respond(200, body=body, verb="list")
    calls = len(follower.recorder.calls)
    follower.inject(event("ERROR", status(410, "Expired")))
    eventually(lambda: server.faults.hits(rule), "the older state")
    eventually(lambda: follower.counters().relists == {"expired": 1, "version_went_back": 1}, "the list")
    follower.wait_live()
    assert follower.recorder.calls[calls:] == []
    follower.check_goes_on()
    assert follower.recorder.tombstones == 0


@pytest.mark.parametrize("kind", ["MODIFIED", "DELETED", "ADDED"])
def test_f17_old_events_that_are_sent_again_are_not_told(server: APIServer, make_factory: Make, kind: str) -> None:
    follower = Follower(server, make_factory(transport=transport(server)))
    old = server.create(pod("web", phase="Pending"))
    server.update(pod("web", phase="Running"))
    follower.check()
    calls = len(follower.recorder.calls)
    follower.inject(event(kind, old) + event("DELETED", old))
    eventually(lambda: follower.counters().relists == {"version_went_back": 1}, "the list")
    follower.wait_live()
    assert follower.recorder.calls[calls:] == []
    follower.check_goes_on()


def test_f17_an_event_that_comes_twice_in_a_row_is_no_suspicion(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory(transport=transport(server)))
    last = server.create(pod("web", phase="Pending"))
    follower.check()
    follower.inject(event("ADDED", last))
    follower.check_goes_on()
    assert follower.counters().relists == {}


def test_f10_a_restored_server_is_found_by_the_silence_of_its_bookmarks(server: APIServer, make_factory: Make) -> None:
    """The watch is one of minutes; nothing else would end it."""
    options = {"watch_timeout": 300.0, "bookmark_timeout": 0.5}
    follower = Follower(server, make_factory(options=options, transport=transport(server)))
    snapshot = server.snapshot()
    server.create(pod("lost"))
    for _ in range(20):
        server.update(pod("lost", phase="Failed"))
    follower.check()
    follower.inject(event("BOOKMARK", meta(int(server.resource_version))))
    server.restore(snapshot)
    server.create(pod("new"))
    eventually(lambda: follower.counters().relists == {"version_went_back": 1}, "the list")
    follower.check()
    assert "default/lost" in follower.recorder.names("delete")
    assert follower.informer.last_error() is None


def test_f10_a_restored_server_is_found_when_it_is_reached_again(server: APIServer, make_factory: Make) -> None:
    """Before the watch, which would seem to be well as soon as the server has passed the old version."""
    follower = Follower(server, make_factory(transport=transport(server)))
    snapshot = server.snapshot()
    server.create(pod("lost"))
    for _ in range(10):
        server.update(pod("lost", phase="Failed"))
    follower.check()
    server.faults.refuse_connections()
    server.faults.drop_connections()
    eventually(lambda: "refused" in str(follower.informer.last_error()), "the refusal")
    server.restore(snapshot)
    server.create(pod("new"))
    server.faults.accept_connections()
    eventually(lambda: follower.counters().relists == {"version_went_back": 1}, "the list")
    follower.check()
    for _ in range(20):
        server.update(pod("new", phase="Failed"))
    follower.check_goes_on()


def test_f1_a_dead_connection_is_found_by_the_silence_of_its_bookmarks(server: APIServer, make_factory: Make) -> None:
    """No list is needed, and it is no failure."""
    proxy = Proxy(server)
    try:
        client = ApiClient(Configuration(host=proxy.url))
        options = {"watch_timeout": 300.0, "bookmark_timeout": 0.5}
        follower = Follower(server, make_factory(options=options, transport=AnyTransport(client)))
        follower.inject(event("BOOKMARK", meta(int(server.resource_version))))
        eventually(lambda: follower.informer.controller.reflectors[""]._state.bookmarks_come, "the bookmark")
        proxy.freeze(after=700)
        follower.world.change(20)
        assert proxy.frozen.wait(10)
        follower.check()
        assert follower.counters().relists == {}
        assert follower.counters().failures == 0
    finally:
        proxy.close()
