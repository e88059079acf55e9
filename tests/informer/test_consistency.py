"""Random changes under random faults: at the end everything that follows the server is equal to it.

Cache and indices of two informers, an early, a late and a slow handler, and a stream of events; over two namespaces,
each a source of its own. The seed decides what happens; only when it happens is up to the machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import orjson
import pytest
from fault_support import Make, World, event, status
from informer_support import Recorder, assert_equal_to_server, eventually, listed

from kubeinformer import DeletedFinalStateUnknown, KubeObject, SharedIndexInformer
from kubeinformer._core import InformerCore
from kubeinformer.cache import controller
from kubeinformer.testing import APIServer

NAMESPACES = ("a", "b")
REFUSALS = (401, 403, 404, 410, 429, 500, 503, 504)
SECONDS = 2.0

Informer = SharedIndexInformer[KubeObject]


class SlowRecorder(Recorder):
    """Too slow for what happens, and late for every tenth call."""

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        super().on_add(obj, is_in_initial_list)
        self.dawdle()

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        super().on_update(old, new)
        self.dawdle()

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        super().on_delete(obj)
        self.dawdle()

    def dawdle(self) -> None:
        threading.Event().wait(0.05 if len(self.calls) % 10 == 0 else 0.005)


def pull(informer: Informer, state: dict[str, bytes], faults: list[str]) -> None:
    """Follow a stream of events until the informer stops."""
    for change in informer.events():
        key = change.object.key
        known = state.get(key)
        if (change.type == "ADDED") != (known is None):
            faults.append(f"{change.type} of {key}, which was {'there' if known else 'not there'}")
        if change.type == "DELETED":
            del state[key]
            continue
        if change.type == "MODIFIED" and change.old.raw != known:
            faults.append(f"{key} was not what {change!r} says")
        state[key] = change.object.raw


def gap_with_compaction(server: APIServer, world: World) -> None:
    server.faults.refuse_connections()
    server.faults.drop_connections()
    world.change(20)
    server.compact()
    server.faults.accept_connections()


def silence(server: APIServer, world: World) -> None:
    server.faults.pause_watches()
    world.change(20)
    server.faults.resume_watches()


def faults_of(server: APIServer, world: World) -> list[Callable[[], object]]:
    faults, below = server.faults, world.random.randrange
    verb = world.random.choice(["list", "watch"])
    namespace = world.random.choice(NAMESPACES)
    one = {"verb": verb, "namespace": namespace}
    return [
        faults.close_watches,
        lambda: faults.close_watches(namespace=namespace),
        lambda: faults.reset_watches(after_bytes=below(4000)),
        faults.drop_connections,
        lambda: faults.reset(after_bytes=below(20_000), **one),
        lambda: faults.close(times=1 + below(3)),
        lambda: faults.stall(**one),
        lambda: faults.respond(
            world.random.choice([401, 403, 404, 410, 429, 500, 503, 504]), times=1 + below(2), **one
        ),
        lambda: faults.respond(200, body="<html>", **one),
        lambda: faults.inject(event("ERROR", status(world.random.choice([410, 429, 500]), "Expired"))),
        lambda: faults.inject(world.random.choice([b"<html>\n", b"null\n", event("MODIFIED", b"null")])),
        lambda: faults.inject_list_item(b"null", index=3, namespace=namespace),
        lambda: faults.chunk_bytes(1 + below(60), times=2),
        lambda: faults.close_delimited(times=2),
        lambda: faults.no_end_bookmark(times=1),
        lambda: faults.drop_slow_watches(3, times=2),
        server.compact,
        lambda: gap_with_compaction(server, world),
        lambda: silence(server, world),
    ]


@pytest.mark.usefixtures("quick_backoff")
@pytest.mark.parametrize(("seed", "compression"), [*((seed, None) for seed in (1, 2, 3, 4)), (5, "zstd"), (6, "zstd")])
def test_everything_is_equal_after_random_changes_and_faults(
    server: APIServer, make_factory: Make, monkeypatch: pytest.MonkeyPatch, seed: int, compression: str | None
) -> None:
    monkeypatch.setattr(controller, "InformerCore", partial(InformerCore, dictionary_samples=10))
    world = World(server, namespaces=NAMESPACES, names=25, seed=seed)
    world.change(40)
    options = {"first_byte_timeout": 0.3, "watch_list_timeout": 0.3, "page_size": 7, "use_watch_list": seed % 2 == 0}
    more = {"queue_bytes": 20_000, "compression": compression}
    factory = make_factory(namespaces=list(NAMESPACES), options={**options, **more})
    pods = factory.core().v1().pods()
    informer, selected = pods.informer(), factory.core().v1().pods(label_selector="app=a").informer()
    for each in (informer, selected):
        each.add_indexers({"node": "spec.nodeName", "function": lambda obj: [obj.labels["app"]]})
    early, slow, late, of_selected = Recorder(), SlowRecorder(), Recorder(), Recorder()
    informer.add_event_handler(early)
    slow_registration = informer.add_event_handler(slow, backlog=(10, 1 << 20))
    selected.add_event_handler(of_selected)
    state: dict[str, bytes] = {}
    stream_faults: list[str] = []
    puller = threading.Thread(target=pull, args=(informer, state, stream_faults))
    puller.start()
    factory.start()
    acted: list[Callable[[], object]] = []
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < SECONDS:
        world.change(1 + world.random.randrange(10))
        if world.random.random() < 0.3:
            acted.append(world.random.choice(faults_of(server, world)))
            acted[-1]()
        if elapsed > SECONDS / 2 and not late.calls:
            informer.add_event_handler(late)
            late.calls.append(("added", "", False))
        threading.Event().wait(world.random.random() * 0.02)
    server.faults.clear()
    assert len(acted) > 10
    assert_equal_to_server(server, informer, early)
    assert_equal_to_server(server, selected, of_selected, label_selector="app=a")
    for recorder in (late, slow):
        assert_equal_to_server(server, informer, recorder)
    assert slow_registration.coalesced() > 0
    assert informer.indexer().index_keys("function", "a") == sorted(listed(server, label_selector="app=a"))
    eventually(lambda: {key: orjson.loads(raw) for key, raw in [*state.items()]} == listed(server), "the stream")
    eventually(informer.is_live, "live")
    eventually(selected.is_live, "live")
    world.change(20)
    assert_equal_to_server(server, informer, early)
    factory.shutdown(timeout=10)
    puller.join(10)
    assert not puller.is_alive()
    assert stream_faults == []
