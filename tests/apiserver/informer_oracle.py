"""What an informer's cache must be: its objects and every index equal a LIST that was read and evaluated without it.

The list is read page by page as plain JSON and indexed by a few lines of Python here, so nothing of the library is on
both sides of a comparison. The bytes differ from the server's by what is documented only: apiVersion and kind come
first, and metadata.managedFields are cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from kubernetes.client import ApiClient

from informer.informer_support import Recorder, cached, eventually
from kubeinformer import (
    ControllerOptions,
    DeletedFinalStateUnknown,
    KubeObject,
    Resource,
    SharedIndexInformer,
    SharedInformerFactory,
    index,
)

from .rest import request

_PATIENCE = 3.0
"""Seconds after which a LIST is read again, in case somebody writes."""

POD_INDEXERS: dict[str, Any] = {
    "node": "spec.nodeName",
    "owner": index.controller_owner(),
    "image": "spec.containers[*].image",
    "tier_app": index.join("metadata.labels.tier", "metadata.labels.app"),
    "python_app": lambda obj: [obj.labels["app"]] if "app" in obj.labels else [],
    "python_phase": lambda obj: [obj["status"]["phase"]],
}


def _owner(pod: dict[str, Any]) -> Iterable[str]:
    for reference in pod["metadata"].get("ownerReferences", []):
        if reference.get("controller"):
            yield f"{pod['metadata']['namespace']}/{reference['kind']}/{reference['name']}"


def _label(pod: dict[str, Any], name: str) -> str:
    value: str = pod["metadata"].get("labels", {}).get(name, "")
    return value


_EXPECTED: dict[str, Callable[[dict[str, Any]], Iterable[str]]] = {
    "namespace": lambda obj: [obj["metadata"].get("namespace", "")],
    "node": lambda pod: [pod["spec"]["nodeName"]] if pod["spec"].get("nodeName") else [],
    "owner": _owner,
    "image": lambda pod: {container["image"] for container in pod["spec"]["containers"]},
    "tier_app": lambda pod: [f"{_label(pod, 'tier')}/{_label(pod, 'app')}"] if _label(pod, "tier") else [],
    "python_app": lambda pod: [_label(pod, "app")] if _label(pod, "app") else [],
    "python_phase": lambda pod: [pod["status"]["phase"]],
}


class Replay(Recorder):
    """A handler that keeps every step with the object's uid, and the state that follows from the steps.

    In ``faults`` is what no handler may ever see: a step that does not fit the one before it, or goes back in time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, str, str]] = []
        self._versions: dict[str, int] = {}

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        self._step("add", obj)
        super().on_add(obj, is_in_initial_list)

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        self._step("update", new)
        if old.uid != new.uid:
            self.faults.append(f"updated to another object: {new.key}")
        super().on_update(old, new)

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        if isinstance(obj, DeletedFinalStateUnknown):
            self.steps.append(("tombstone", obj.key, obj.uid))
        else:
            self._step("delete", obj)
        known = self.state.get(obj.key)
        if known is not None and orjson.loads(known)["metadata"]["uid"] != obj.uid:
            self.faults.append(f"deleted what it was not: {obj.key}")
        super().on_delete(obj)

    def _step(self, kind: str, obj: KubeObject) -> None:
        self.steps.append((kind, obj.key, obj.uid))
        before, now = self._versions.get(obj.key, 0), int(obj.resource_version)
        if now <= before:
            self.faults.append(f"{kind} goes from version {before} to {now}: {obj.key}")
        self._versions[obj.key] = now

    def of(self, key: str) -> list[tuple[str, str]]:
        """The steps of one object, without its key."""
        return [(kind, uid) for kind, its_key, uid in self.steps if its_key == key]


def list_objects(
    api_client: ApiClient,
    resource: Resource,
    *,
    namespaces: Iterable[str] | None = None,
    label_selector: str = "",
    page_size: int = 500,
) -> dict[str, dict[str, Any]]:
    """A fresh, consistent LIST as the cache must have it, by key. The pages of one namespace are of one version."""
    query = {"labelSelector": label_selector} if label_selector else {}
    objects: dict[str, dict[str, Any]] = {}
    for namespace in [None] if namespaces is None else namespaces:
        token: dict[str, str] = {}
        while True:
            page = request(api_client, "GET", resource.path(namespace), limit=page_size, **query, **token)
            for item in page["items"]:
                meta = item["metadata"]
                meta.pop("managedFields", None)
                key = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]
                kind = page["kind"].removesuffix("List")
                objects[key] = {"apiVersion": page["apiVersion"], "kind": kind} | item
            if not page["metadata"].get("continue"):
                break
            token = {"continue": page["metadata"]["continue"]}
    return objects


def assert_equal_to_server(
    api_client: ApiClient,
    informer: SharedIndexInformer[KubeObject],
    replay: Recorder | None = None,
    *,
    namespaces: Iterable[str] | None = None,
    label_selector: str = "",
    timeout: float = 30.0,
) -> dict[str, dict[str, Any]]:
    """Wait until the cache equals a fresh LIST, then compare every index and the replay; return the objects.

    To be called when nobody writes to the objects any more, or now and then only. Blocks for ``timeout`` seconds, and
    for a while more for the replay.
    """
    deadline = time.monotonic() + timeout
    while True:
        objects = list_objects(api_client, informer.resource, namespaces=namespaces, label_selector=label_selector)
        _wait_for_versions(informer, objects, min(deadline, time.monotonic() + _PATIENCE))
        found = cached(informer)
        if found == objects:
            break
        if time.monotonic() > deadline:
            raise AssertionError(f"{informer.name}: not equal after {timeout:g} s: {_difference(found, objects)}")
    assert all(obj.raw.startswith(b'{"apiVersion":') for obj in informer.indexer().iter())
    assert_indices(informer, objects)
    if replay is not None:
        eventually(
            lambda: {key: orjson.loads(raw) for key, raw in replay.state.items()} == objects,
            f"{informer.name}: the replay equals the LIST",
        )
        assert replay.faults == [], replay.faults
    return objects


def _wait_for_versions(
    informer: SharedIndexInformer[KubeObject], objects: Mapping[str, dict[str, Any]], deadline: float
) -> None:
    """Wait until keys and versions are the same, which is cheaper to see than that the objects are."""
    versions = {key: obj["metadata"]["resourceVersion"] for key, obj in objects.items()}
    while {obj.key: obj.resource_version for obj in informer.indexer().iter()} != versions:
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)


def assert_indices(informer: SharedIndexInformer[KubeObject], objects: Mapping[str, dict[str, Any]]) -> None:
    """Compare every index with one that is computed from the objects."""
    indexer = informer.indexer()
    assert set(indexer.get_indexers()) <= set(_EXPECTED), "an index that nothing is compared with"
    for name in indexer.get_indexers():
        expected: dict[str, list[str]] = {}
        for key, obj in objects.items():
            for value in _EXPECTED[name](obj):
                expected.setdefault(value, []).append(key)
        found = {value: list(indexer.index_keys(name, value)) for value in indexer.list_index_func_values(name)}
        assert found == {value: sorted(keys) for value, keys in expected.items()}, name
    assert informer.index_errors() == {}


def assert_same_bytes_by_every_way(
    make_factory: Callable[..., SharedInformerFactory],
    api_client: ApiClient,
    resource: Resource,
    namespaces: list[str],
    expected: Mapping[str, bytes],
    **options: Any,
) -> None:
    """New informers, one that streams its list and one that does not, hold the expected bytes by key."""
    for use_watch_list in (True, False):
        factory = make_factory(
            api_client, namespaces=namespaces, options=ControllerOptions(use_watch_list=use_watch_list, **options)
        )
        informer = factory.for_resource(resource.api_version, resource.plural).informer()
        factory.start()
        factory.wait_for_cache_sync(timeout=60)
        for reflector in informer.controller.reflectors.values():
            counters = reflector.counters()
            assert (counters.watch_lists, counters.lists) == ((1, 0) if use_watch_list else (0, 1))
        assert {obj.key: obj.raw for obj in informer.indexer().iter()} == expected


def _difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    def some(keys: Iterable[str]) -> str:
        names = sorted(keys)
        return f"{len(names)} ({', '.join(names[:5])})"

    other = [key for key in found.keys() & expected.keys() if found[key] != expected[key]]
    return (
        f"missing {some(expected.keys() - found.keys())}, too many {some(found.keys() - expected.keys())}, "
        f"other {some(other)}"
    )
