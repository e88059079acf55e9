"""F17, F25, F27, F28: a server that says what is wrong: twice, out of date, in an unknown way, or to everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from informer.fault_support import World, event, status
from informer.informer_support import eventually
from kubeinformer import filter
from kubeinformer.testing.objects import pod

from .accepted import StorageLog
from .bodies import Event, Rewrite, events
from .conftest import Embedded
from .follower import Follower
from .outcome import Outcome
from .proxy import Answer

EXPIRED = Answer(200, event("ERROR", status(410, "Expired")))


def duplicated() -> Rewrite:
    """Each change comes twice."""
    return lambda one: [one, one]


def replayed() -> Rewrite:
    """Each change is followed by the state before it, and by itself again."""
    last: dict[str, Event] = {}

    def rewrite(one: Event) -> list[Event]:
        meta = one["object"]["metadata"]
        if one["type"] == "BOOKMARK":
            return [one]
        before, last[meta["name"]] = last.get(meta["name"]), one
        return [one] if before is None or "DELETED" in (one["type"], before["type"]) else [one, before, one]

    return rewrite


def reordered() -> Rewrite:
    """Two updates that follow each other come in the other order; anything else is waited for by neither."""
    held: list[Event] = []

    def rewrite(one: Event) -> list[Event]:
        if one["type"] == "MODIFIED" and not held:
            held.append(one)
            return []
        before = held.copy()
        held.clear()
        return [one, *before] if one["type"] == "MODIFIED" else [*before, one]

    return rewrite


def without_deletions() -> Rewrite:
    """No deletion comes."""
    return lambda one: [] if one["type"] == "DELETED" else [one]


@pytest.mark.parametrize("how", [duplicated, replayed, reordered], ids=["duplicated", "replayed", "reordered"])
def test_f17_events_come_twice_or_late(embedded: Embedded, outcome: Outcome, how: Callable[[], Rewrite]) -> None:
    """The server sends changes twice, older states of an object again, or changes in the wrong order."""
    embedded.proxy.rule(verb="watch", body=events(how()))
    follower = embedded.follow(use_watch_list=False)
    follower.journal.may_repeat = True
    follower.start()
    outcome.begins(bound="nothing, or one list to make sure")
    for number in range(5):
        embedded.server.update(pod("web-0", phase="Pending", labels={"number": str(number)}))
    embedded.world.change(20)
    embedded.server.create(pod("last"))
    outcome.recovered(follower)


def test_f17_deletions_are_lost(embedded: Embedded, outcome: Outcome) -> None:
    """The server loses deletions; the next list tells of them."""
    rule = embedded.proxy.rule(verb="watch", body=events(without_deletions()))
    follower = embedded.follow(use_watch_list=False)
    follower.start()
    for name in ("kept", "lost", "again"):
        embedded.server.create(pod(name))
    eventually(lambda: follower.informer.indexer().get_by_key("default/again"), "the additions")
    embedded.server.delete("pods", "lost")
    embedded.server.delete("pods", "again")
    embedded.server.create(pod("again"))
    embedded.proxy.off(rule)
    embedded.proxy.rule(verb="watch", times=1, answer=EXPIRED)
    outcome.begins(bound="the next list")
    embedded.server.faults.close_watches()
    outcome.recovered(follower)
    assert follower.journal.tombstones >= 1
    assert follower.journal.of("default/lost")[-1][0] == "tombstone"


@pytest.mark.parametrize("verb", ["watch-list", "list"])
def test_f25_another_object_under_the_same_name(embedded: Embedded, outcome: Outcome, verb: str) -> None:
    """While history is lost, an object is deleted and another created under its name."""
    follower = embedded.follow(use_watch_list=verb == "watch-list")
    before = {name: embedded.server.create(pod(name))["metadata"]["uid"] for name in ("kept", "deleted", "recreated")}
    follower.start()
    embedded.server.update(pod("kept", phase="Failed"))
    follower.check()
    follower.wait_live()
    told = len(follower.journal.told)
    embedded.server.faults.refuse_connections()
    embedded.server.faults.drop_connections()
    embedded.server.delete("pods", "deleted")
    embedded.server.delete("pods", "recreated")
    another = embedded.server.create(pod("recreated", node="node-2"))["metadata"]["uid"]
    embedded.server.compact()
    outcome.begins(bound="backoff, after its return")
    embedded.server.faults.accept_connections()
    outcome.recovered(follower)
    steps = [(step.kind, step.key, step.uid) for step in follower.journal.told[told:]]
    assert steps == [
        ("tombstone", "default/deleted", before["deleted"]),
        ("tombstone", "default/recreated", before["recreated"]),
        ("add", "default/recreated", another),
    ]
    assert follower.relists_since_start() == {"expired": 1}


SHAPES: dict[str, bytes] = {
    "unknown code": event("ERROR", {**status(599, "Strange")}),
    "code absent": event("ERROR", {"kind": "Status", "status": "Failure"}),
    "code is a text": event("ERROR", {"kind": "Status", "code": "410", "reason": 7, "details": []}),
    "HTTP 200, body 410": orjson.dumps(status(410, "Gone")) + b"\n",
    "no Status but a Pod": event("ERROR", pod("web-0")),
    "no object at all": event("ERROR", b"null"),
    "unknown type": event("RELABELLED", pod("web-0")),
    "an array": b"[]\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_f27_events_of_no_known_shape(embedded: Embedded, outcome: Outcome, shape: str) -> None:
    """An ERROR has an unknown code or none, or no Status; the type of an event is unknown, or it is no event at all."""
    follower = embedded.follow()
    follower.start()
    outcome.begins(bound="backoff and a list, where it is not skipped")
    assert embedded.server.faults.inject(SHAPES[shape]) == 1
    embedded.world.change(20)
    outcome.recovered(follower)
    assert sum(follower.relists_since_start().values()) == (0 if shape == "unknown type" else 1)


class ShardedWorld(World):
    """Objects keep their shard, by the number in their name."""

    def _pod(self, place: tuple[str, str]) -> dict[str, Any]:
        made = super()._pod(place)
        made["metadata"]["labels"]["shard"] = str(int(place[1].removeprefix("web-")) % 2)
        return made


def test_f28_the_parameter_of_a_shard_is_ignored(embedded: Embedded, outcome: Outcome) -> None:
    """The server ignores the parameter that selects a replica's share; a filter of the informer's keeps the share."""
    for made in embedded.server.list("pods"):
        embedded.server.delete(made)
    world = ShardedWorld(embedded.server)
    world.change(20)
    ignored = embedded.proxy.rule(without=["labelSelector"])
    followers = []
    for shard in ("0", "1"):
        log = StorageLog(embedded.server, part=lambda record, shard=shard: record.labels.get("shard") == shard)
        direct, factory = embedded.server.api_client(), embedded.make_factory(embedded.client())
        selector = f"shard={shard}"
        followers.append(Follower(factory, direct, log, label_selector=selector, filter=filter.labels(selector)))
        followers[-1].start()
    outcome.begins(bound="nothing: the filter is asked before an object is kept")
    world.change(20)
    outcome.recovered(*followers)
    assert ignored.hits >= 2
    shares = [{obj.key for obj in follower.informer.indexer().iter()} for follower in followers]
    assert not shares[0] & shares[1]
    assert len(shares[0] | shares[1]) == len(embedded.server.list("pods"))
