"""2.L, joining while 10,000 events a second arrive: each object once, then every event, in order.

Each event is a version of its own, the next number, and what the cache holds after each is known. So a handler's calls
tell at which event it joined: the one before its first event. Its first list must be the cache after that one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
import pytest
from informer_support import eventually

from kubeinformer import ControllerOptions, DeletedFinalStateUnknown, KubeObject, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map

PODS, EVENTS, HANDLERS = 300, 20_000, 8
BLOCK = 1_000

Event = tuple[str, str, int]
"""Type, key, version."""


class Log:
    """A handler that notes what it is told, as events."""

    def __init__(self) -> None:
        self.initial: list[tuple[str, int]] = []
        self.events: list[Event] = []

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        if is_in_initial_list:
            assert self.events == []
            self.initial.append((obj.key, int(obj.resource_version)))
        else:
            self.events.append(("ADDED", obj.key, int(obj.resource_version)))

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        assert old.key == new.key
        self.events.append(("MODIFIED", new.key, int(new.resource_version)))

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        assert isinstance(obj, KubeObject)
        self.events.append(("DELETED", obj.key, int(obj.resource_version)))


def events(keys: list[str], version: int) -> Iterator[Event]:
    """Changes of the objects in turn; every seventh goes and comes again."""
    while True:
        for number, key in enumerate(keys):
            if number % 7 == 0:
                yield "DELETED", key, (version := version + 1)
                yield "ADDED", key, (version := version + 1)
            else:
                yield "MODIFIED", key, (version := version + 1)


def line(event: Event, objects: dict[str, dict[str, Any]]) -> bytes:
    kind, key, version = event
    obj = objects[key]
    obj["metadata"]["resourceVersion"] = str(version)
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"


@pytest.fixture
def remote() -> Iterator[APIServer]:
    with APIServer(process=True) as server:
        yield server


def test_s142_a_handler_joins_without_gap_or_duplicate_while_10_000_events_a_second_arrive(
    remote: APIServer,
) -> None:
    """Under 10,000 events a second a late handler gets each object once, then every later event, in order."""
    for number in range(PODS):
        remote.create(config_map(f"map-{number}", data={"text": "x" * 200}))
    objects = {f"default/{obj['metadata']['name']}": obj for obj in remote.list("configmaps")}
    state = {key: int(obj["metadata"]["resourceVersion"]) for key, obj in objects.items()}
    first = int(remote.resource_version)
    sent = list(islice(events(list(objects), first), EVENTS))
    blocks = [
        b"".join(line(event, objects) for event in sent[begin : begin + BLOCK]) for begin in range(0, EVENTS, BLOCK)
    ]
    factory = SharedInformerFactory(remote.api_client(), options=ControllerOptions())
    informer = factory.core().v1().config_maps().informer()
    with factory.running(timeout=10):
        remote.wait_for_watches(1, resource="configmaps")
        logs: list[Log] = []
        begin = time.monotonic()
        for number, block in enumerate(blocks):
            assert remote.faults.inject(block, resource="configmaps") == 1
            if len(logs) < HANDLERS and number >= len(logs) * 2:
                logs.append(Log())
                informer.add_event_handler(logs[-1])
        indexer, last = informer.indexer(), str(first + EVENTS)
        eventually(lambda: indexer.last_store_sync_resource_version() == last, "the last event is in the store")
        rate = EVENTS / (time.monotonic() - begin)
        for log in logs:
            eventually(lambda log=log: log.events and log.events[-1] == sent[-1], "the handler's last event")
    joined = [sent.index(log.events[0]) for log in logs]
    assert joined == sorted(joined)
    assert len(set(joined)) > 1, "while events arrive"
    for log, count in zip(logs, joined, strict=True):
        assert log.events == sent[count:]
        assert len(log.initial) == len(dict(log.initial)), "no object twice"
        assert dict(log.initial) == after(state, sent[:count])
    print(f"{rate:.0f} events a second")  # 78,000 on two cores; no matter of the test
    assert rate > 2_000, "the load is too small to tell anything"


def after(state: dict[str, int], done: list[Event]) -> dict[str, int]:
    state = dict(state)
    for kind, key, version in done:
        if kind == "DELETED":
            del state[key]
        else:
            state[key] = version
    return state
