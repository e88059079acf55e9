"""kubeinformer's sides of both benchmarks.

Invariant: what is named here is driven, checked and measured by exactly the code that drives the rivals; the row
`prepared` is not named here, see `benches/prepared.py`. kubeinformer is imported inside the functions, so that the
process that measures a rival holds nothing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benches.contract import BATCH, Handler, Item, Peer, QueueAndStore, Ready, Row, Synced

if TYPE_CHECKING:
    from kubeinformer import ControllerOptions, SharedInformerFactory

_PYTHON_TRANSPORT = "kubeinformer, LIST, Python transport"
_USES_WATCH_LIST = {"kubeinformer, LIST": False, "kubeinformer, watch-list": True, _PYTHON_TRANSPORT: False}

PEER_NAMES: tuple[str, ...] = tuple(_USES_WATCH_LIST)
"""kubeinformer's peers on the wire, as the tables name them."""

INDEXERS = {"node": "spec.nodeName", "owner": "metadata.ownerReferences[0].uid"}
"""Beside the index of the namespace, which every informer has."""


def available() -> list[str]:
    """Those of PEER_NAMES that this build has: one transport, or a choice of two."""
    chooses = find_spec("kubeinformer.transport.native") is not None
    return [name for name in PEER_NAMES if chooses or name != _PYTHON_TRANSPORT]


def peer(name: str) -> Peer:
    """The peer of that name, whose modules are loaded by now as a rival's are; KeyError if there is none."""
    import_module("kubernetes.client")
    import_module("kubeinformer.informers.generated.core_v1")
    wanted: dict[str, Any] = {"transport": "python"} if name == _PYTHON_TRANSPORT else {}
    options = import_module("kubeinformer").ControllerOptions(use_watch_list=_USES_WATCH_LIST[name])
    make = partial(make_factory, options=options, **wanted)
    return Peer(name, _sync(make), _watch(make))


def queues_and_stores() -> Sequence[QueueAndStore]:
    """Fresh sides for `test_store.py`. The row `prepared` is measured by `benches/prepared.py`."""
    return (PythonObjects(), Bytes())


class PythonObjects:
    """Dicts in, the same dicts out, through `DeltaFIFO` and `Indexer`; key and index functions are Python."""

    row: Row = "objects"
    name = "kubeinformer"
    collect_garbage = True

    def __init__(self) -> None:
        from benches.store_sides import INDEXERS
        from kubeinformer.cache import DeltaFIFO, Indexer

        self._store: Indexer[dict[str, Any]] = Indexer(indexers=INDEXERS)
        self._queue: DeltaFIFO[dict[str, Any]] = DeltaFIFO(known_objects=self._store)

    def prepare(self, items: Sequence[Item]) -> Sequence[Any]:
        return [("Updated", item.obj) for item in items]

    def load(self, inputs: Sequence[Any]) -> None:
        self.batched(inputs)

    def single(self, inputs: Sequence[Any]) -> None:
        update, pop, process = self._queue.update, self._queue.pop, self._process
        for _, obj in inputs:
            update(obj)
            pop(process)

    def batched(self, inputs: Sequence[Any]) -> None:
        for begin in range(0, len(inputs), BATCH):
            self._queue.add_many(inputs[begin : begin + BATCH])
            self._queue.pop_batch(self._process_batch, BATCH)

    def index_keys(self, name: str, value: str) -> Sequence[str]:
        return self._store.index_keys(name, value)

    def _process(self, deltas: list[tuple[str, Any]], _: bool) -> None:
        self._store.transaction(deltas)

    def _process_batch(self, items: list[list[tuple[str, Any]]], _: bool) -> None:
        self._store.transaction([delta for deltas in items for delta in deltas])


class Bytes:
    """JSON in, as an informer gets it: watch events through the reader, the queue and the processor."""

    row: Row = "bytes"
    name = "kubeinformer"
    collect_garbage = True

    def __init__(self) -> None:
        from kubeinformer._core import InformerCore
        from kubeinformer.cache.index_functions import IndexFunctions
        from kubeinformer.index import namespace

        self._core = InformerCore("v1/pods")
        IndexFunctions(self._core).add({"namespace": namespace(), **INDEXERS})
        source = self._core.add_source("")
        self._core.start()
        source.begin_relist().commit("1")
        self._reader = source.watch_reader(chunked=False)

    def prepare(self, items: Sequence[Item]) -> Sequence[Any]:
        return [item.raw for item in items]

    def load(self, inputs: Sequence[Any]) -> None:
        self.batched(inputs)

    def single(self, inputs: Sequence[Any]) -> None:
        feed, process = self._reader.feed, self._core.process
        for raw in inputs:
            feed(b'{"type":"MODIFIED","object":%b}\n' % raw)
            process(0)

    def batched(self, inputs: Sequence[Any]) -> None:
        between = b'}\n{"type":"MODIFIED","object":'
        for begin in range(0, len(inputs), BATCH):
            lines = between.join(inputs[begin : begin + BATCH])
            self._reader.feed(b'{"type":"MODIFIED","object":%b}\n' % lines)
            self._core.process(0)

    def index_keys(self, name: str, value: str) -> Sequence[str]:
        return self._core.index_keys(name, value)


def make_factory(url: str, options: ControllerOptions, **wanted: Any) -> SharedInformerFactory:
    """A factory of informers of that server."""
    from kubernetes.client import ApiClient, Configuration

    from kubeinformer import SharedInformerFactory

    return SharedInformerFactory(ApiClient(Configuration(host=url)), options=options, **wanted)


def _sync(make: Callable[[str], SharedInformerFactory]) -> Callable[[str, int], Synced]:
    def sync_list(url: str, _n: int) -> Synced:
        factory = make(url)
        informer = factory.core().v1().pods().informer()
        informer.add_indexers(INDEXERS)
        factory.start()
        factory.wait_for_cache_sync(timeout=120)
        indexer = informer.indexer()
        return Synced(factory, len(indexer), lambda node: indexer.count("node", node))

    return sync_list


def _watch(make: Callable[[str], SharedInformerFactory]) -> Callable[[str, int, int, Handler, Ready], object]:
    def watch_events(url: str, n: int, events: int, handler: Handler, ready: Ready) -> object:
        from kubeinformer import ResourceEventHandlerFuncs

        factory = make(url)
        informer = factory.core().v1().pods().informer()
        informer.add_indexers(INDEXERS)
        done = threading.Event()
        calls = 0

        def call(kind: str, old: object, new: object) -> None:
            nonlocal calls
            handler(kind, old, new)
            calls += 1
            if calls == n:
                ready()
            elif calls == n + events:
                done.set()

        informer.add_event_handler(
            ResourceEventHandlerFuncs(
                add_func=lambda obj: call("ADDED", None, obj),
                update_func=lambda old, new: call("MODIFIED", old, new),
                delete_func=lambda obj: call("DELETED", obj, obj),
            )
        )
        factory.start()
        done.wait(120)
        return factory

    return watch_events
