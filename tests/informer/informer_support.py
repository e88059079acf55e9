"""What the informer tests share: waiting on conditions, a handler that records, and what a cache must be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import orjson

from kubeinformer import DeletedFinalStateUnknown, KubeObject, SharedIndexInformer
from kubeinformer.cache.indexer_reader import IndexerReader
from kubeinformer.cache.indexer_snapshot import IndexerSnapshot
from kubeinformer.testing import APIServer

TIMEOUT = 20.0


def eventually(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Wait until `condition` gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {timeout} s: {what}"
        time.sleep(0.005)
    return value


class Recorder:
    """A handler that keeps what it was told, and the state that follows from it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, bool]] = []
        self.state: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.tombstones = 0

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        if obj.key in self.state:
            self.faults.append(f"added twice: {obj.key}")
        self.state[obj.key] = obj.raw
        self.calls.append(("add", obj.key, is_in_initial_list))

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        if self.state.get(new.key) != old.raw:
            self.faults.append(f"updated from what it was not: {new.key}")
        self.state[new.key] = new.raw
        self.calls.append(("update", new.key, False))

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        if self.state.pop(obj.key, None) is None:
            self.faults.append(f"deleted, but unknown: {obj.key}")
        self.tombstones += isinstance(obj, DeletedFinalStateUnknown)
        self.calls.append(("delete", obj.key, False))

    def names(self, kind: str) -> list[str]:
        return [key for call, key, _ in self.calls if call == kind]


class Gate:
    """A handler that waits in its additions until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.calls = 0

    def on_add(self, _obj: object, is_in_initial_list: bool) -> None:
        self.calls += 1
        self.entered.set()
        assert self.open.wait(10)

    def on_update(self, _old: object, _new: object) -> None: ...

    def on_delete(self, _obj: object) -> None: ...


def listed(server: APIServer, resource: str = "pods", **selectors: str) -> dict[str, Any]:
    """A fresh LIST as the cache must have it: without managedFields, by key."""
    objects: dict[str, Any] = {}
    for obj in server.list(resource, **selectors):
        obj["metadata"].pop("managedFields", None)
        meta = obj["metadata"]
        objects[f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]] = obj
    return objects


def cached(informer: SharedIndexInformer[KubeObject]) -> dict[str, Any]:
    """The cache in the same form."""
    return contents(informer.indexer())


def contents(reader: IndexerReader[KubeObject]) -> dict[str, Any]:
    """What a cache or a snapshot of it holds in the same form."""
    return {obj.key: orjson.loads(obj.raw) for obj in reader.list()}


def assert_equal_to_server(
    server: APIServer, informer: SharedIndexInformer[KubeObject], recorder: Recorder | None = None, **selectors: str
) -> None:
    """Wait until the cache equals a fresh LIST; then every index of that moment, and what the handler saw, must too."""
    resource = informer.resource.group_resource

    def settled() -> tuple[IndexerSnapshot[KubeObject]] | None:
        # Equal it may be before the last object that comes and goes has come, so all is read of one moment.
        snapshot = informer.indexer().snapshot()
        return (snapshot,) if contents(snapshot) == listed(server, resource, **selectors) else None

    (indexer,) = eventually(settled, "the cache equals a fresh LIST")
    objects = contents(indexer)
    by_node: dict[str, list[str]] = {}
    by_namespace: dict[str, list[str]] = {}
    for key, obj in objects.items():
        by_namespace.setdefault(obj["metadata"].get("namespace", ""), []).append(key)
        if node := obj.get("spec", {}).get("nodeName"):
            by_node.setdefault(node, []).append(key)
    expected = {"namespace": by_namespace, "node": by_node}
    for name in set(indexer.get_indexers()) & set(expected):
        found = {value: list(indexer.index_keys(name, value)) for value in indexer.list_index_func_values(name)}
        wanted = {value: sorted(keys) for value, keys in expected[name].items()}
        assert found == wanted, f"index {name}: {found} and not {wanted}"
    if recorder is not None:
        same = eventually(lambda: {k: orjson.loads(raw) for k, raw in [*recorder.state.items()]} == objects, "replay")
        assert same
        assert recorder.faults == []


def widget(name: str, size: int) -> dict[str, Any]:
    """An object of a custom resource."""
    meta = {"name": name, "namespace": "default", "labels": {"size": str(size)}}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {"size": size}}


def informer_threads() -> list[str]:
    """Names of the threads that informers run."""
    kinds = ("reader", "processor", "handler", "retry", "stop")
    prefixes = tuple(f"kubeinformer-{kind}-" for kind in kinds)
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(prefixes)]
