"""Faults of servers, networks and credentials: whatever happened, the cache ends equal to a fresh LIST.

So do the indices and the replay of what a handler saw; and the informer then follows the watch as before.
"""

from __future__ import annotations

import threading

import pytest
from fault_support import Follower, Make, event, status
from informer_support import eventually
from kubernetes.client import Configuration

from kubeinformer import ListOptions
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport import HTTPTransport, OwnTransport

AnyTransport: type[OwnTransport] = HTTPTransport  # `both_transports` sets it for each test

pytestmark = pytest.mark.usefixtures("both_transports", "quick_backoff")

HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
ONLY_LIST = {"use_watch_list": False}
BOTH = pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])


# -- versions that are gone --------------------------------------------------------------------------------------------


def test_f5_410_as_an_event(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory())
    follower.inject(event("ERROR", status(410, "Expired")))
    follower.world.change(20)
    eventually(lambda: follower.counters().relists == {"expired": 1}, "the relist")
    follower.check_goes_on()


def test_f5_410_as_an_http_status(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory(options=ONLY_LIST))
    follower.wait_live()
    follower.touch()
    server.faults.respond(410, verb="watch")
    server.faults.close_watches()
    follower.world.change(20)
    eventually(lambda: follower.counters().relists == {"expired": 1}, "the relist")
    follower.check_goes_on()


def test_f5_410_in_the_middle_of_a_list(server: APIServer, make_factory: Make) -> None:
    """A continue token expires before the second page: the list begins anew, without pages (§92)."""

    def tweak(_: ListOptions) -> None:
        if len(follower.requests("list")) == 3 and not compacted:
            compacted.append(True)
            follower.world.change(10)
            server.compact()

    compacted: list[bool] = []
    factory = make_factory(options={**ONLY_LIST, "page_size": 3}, tweak_list_options=tweak)
    follower = Follower(server, factory, start=False)
    factory.start()
    follower.check()
    server.clear_requests()
    # A list at "0" or at a version has no pages. One without a version has them, unless it is the second try at once.
    server.faults.respond(410, verb="list")
    server.faults.respond(503, verb="list")
    follower.inject(event("ERROR", status(410, "Expired")))
    eventually(lambda: compacted, "the second page")
    follower.check_goes_on()
    queries = [request.query for request in follower.requests("list")]
    asked = [(query.get("resourceVersion", ""), query.get("limit"), "continue" in query) for query in queries]
    assert asked[1:] == [("", None, False), ("", "3", False), ("", "3", True), ("", None, False)]


def test_f5_deletes_and_recreations_in_a_compacted_gap_are_tombstones(server: APIServer, make_factory: Make) -> None:
    follower = Follower(server, make_factory())
    for name in ("kept", "deleted", "recreated", "updated"):
        server.create(pod(name))
    follower.check()
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "deleted")
    server.delete("pods", "recreated")
    again = pod("recreated", node="node-2")
    again["metadata"]["uid"] = "another"
    server.create(again)
    server.update(pod("updated", phase="Failed"))
    server.create(pod("created"))
    server.compact()
    del follower.recorder.calls[:]
    server.faults.accept_connections()
    follower.check_goes_on()
    names = ("kept", "deleted", "recreated", "updated", "created")
    calls = {name: [kind for kind, key, _ in follower.recorder.calls if key == f"default/{name}"] for name in names}
    expected = {"kept": [], "deleted": ["delete"], "recreated": ["delete", "add"], "updated": ["update"]}
    assert calls == {**expected, "created": ["add"]}
    assert follower.recorder.tombstones == 2


@pytest.mark.parametrize("seconds_watched", [0, 1.2], ids=["a young watch", "an old watch"])
def test_f10_etcd_restored_from_an_older_snapshot(
    server: APIServer, make_factory: Make, seconds_watched: float
) -> None:
    """The versions of the lost time are given again, to other contents of the same objects."""
    follower = Follower(server, make_factory(options={"watch_timeout": 2.0}))
    server.create(pod("twice"))
    server.create(pod("same"))
    snapshot = server.snapshot()
    lost = server.update(pod("twice", phase="Failed", node="node-lost"))
    server.create(pod("lost"))
    for _ in range(20):
        server.update(pod("same"))
    follower.check()
    follower.wait_live()
    threading.Event().wait(seconds_watched)
    server.restore(snapshot)
    now = server.update(pod("twice", phase="Pending", node="node-now"))
    assert now["metadata"]["resourceVersion"] == lost["metadata"]["resourceVersion"]
    follower.check()
    assert follower.informer.indexer().index_keys("node", "node-lost") == []
    assert "default/lost" in follower.recorder.names("delete")
    for _ in range(30):
        server.update(pod("same"))
    follower.check_goes_on()


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["list", "watch", "watch-list"])
def test_f8_one_429_is_one_request_and_its_retry_after_is_waited_for(
    server: APIServer, make_factory: Make, what: str
) -> None:
    follower = Follower(server, make_factory(options={"use_watch_list": what == "watch-list"}), start=what == "watch")
    if what == "watch":
        follower.touch()
    server.clear_requests()
    verb = "list" if what == "list" else "watch"
    rule = server.faults.too_many_requests(retry_after=1, verb=verb)
    follower.factory.start()
    server.faults.close_watches()
    eventually(lambda: server.faults.hits(rule), "the 429")
    follower.world.change(20)
    follower.check_goes_on()
    first, second = follower.requests(verb)
    assert second.time - first.time >= 1.0
    assert follower.counters().failures == server.faults.hits(rule) == 1, "none was dealt with below the reflector"


@pytest.mark.parametrize("code", [500, 503])
@pytest.mark.parametrize("verb", ["list", "watch"])
def test_f21_f29_html_instead_of_an_answer(server: APIServer, make_factory: Make, verb: str, code: int) -> None:
    follower = Follower(server, make_factory(options=ONLY_LIST))
    follower.touch()
    server.clear_requests()
    rules = [server.faults.respond(code, body=HTML, headers={"Content-Type": "text/html"}, times=3, verb=verb)]
    if verb == "list":
        rules.append(server.faults.respond(410, verb="watch"))
    server.faults.close_watches()
    follower.world.change(20)
    eventually(lambda: server.faults.hits(rules[0]) == 3, "the refusals")
    follower.check_goes_on()
    assert len(follower.requests(verb)) == 4


def test_f12_a_server_without_watch_list_is_remembered(server: APIServer, make_factory: Make) -> None:
    server.faults.refuse_watch_list()
    follower = Follower(server, make_factory())
    follower.inject(event("ERROR", status(410, "Expired")))
    eventually(lambda: follower.counters().relists, "the relist")
    follower.factory.core().v1().config_maps().informer()
    follower.factory.start()
    assert follower.factory.wait_for_cache_sync(timeout=10) == {"pods": True, "configmaps": True}
    follower.check_goes_on()
    assert ["sendInitialEvents" in request.query for request in server.requests].count(True) == 1


def test_f12_no_end_bookmark_falls_back_and_is_remembered(server: APIServer, make_factory: Make) -> None:
    server.faults.no_end_bookmark()
    follower = Follower(server, make_factory(options={"watch_list_timeout": 0.3}))
    assert follower.counters().watch_lists == 1
    follower.inject(event("ERROR", status(410, "Expired")))
    eventually(lambda: follower.counters().relists, "the relist")
    follower.check_goes_on()
    assert follower.counters().watch_lists == 1


@pytest.mark.parametrize("by_hook", [False, True], ids=["set", "refresh hook"])
def test_f13_a_rotated_token(server: APIServer, make_factory: Make, by_hook: bool) -> None:
    token = "old"
    server.faults.require_token(token)
    client = server.api_client(token)
    if by_hook:

        def refresh(configuration: Configuration) -> None:
            configuration.api_key["authorization"] = f"Bearer {token}"

        client.configuration.refresh_api_key_hook = refresh
    follower = Follower(server, make_factory(transport=AnyTransport(client)))
    follower.wait_live()
    server.faults.require_token("new")
    follower.touch()  # a running watch goes on (statement 56)
    assert follower.informer.last_error() is None
    server.faults.close_watches()
    eventually(lambda: "401" in str(follower.informer.last_error()), "the refusal")
    follower.world.change(20)
    token = "new"
    if not by_hook:
        client.configuration.api_key["authorization"] = "Bearer new"
    follower.check_goes_on()


def test_f13_f14_a_token_that_is_refreshed_in_time_costs_no_list_and_is_no_failure(
    server: APIServer, make_factory: Make
) -> None:
    """A watch that is answered with 401 is asked for once more, and no time is lost."""
    tokens = ["old"]

    def refresh(configuration: Configuration) -> None:
        configuration.api_key["authorization"] = f"Bearer {tokens[0]}"
        del tokens[:-1]

    server.faults.require_token("old")
    client = server.api_client("old")
    client.configuration.refresh_api_key_hook = refresh
    follower = Follower(server, make_factory(transport=AnyTransport(client)))
    follower.touch()
    tokens.append("new")
    server.faults.require_token("new")
    server.faults.close_watches()
    follower.check_goes_on()
    assert follower.counters().failures == 0
    assert follower.counters().relists == {}
