"""A core driven by hand, without threads, and pods to feed it."""

from __future__ import annotations

import json
from typing import Any

from kubeinformer import DeletedFinalStateUnknown, Event, Filter
from kubeinformer._core import InformerCore, KubeObject, Listener


def pod(name: str, version: int, *, app: str = "web", phase: str = "Running", owner: str = "") -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "labels": {"app": app},
    }
    if owner:
        metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "controller": True}]
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "status": {"phase": phase}}


def kube(*args: Any, **fields: Any) -> KubeObject:
    return KubeObject(json.dumps(pod(*args, **fields)).encode())


class Core:
    """Bytes in; what is queued is processed when the test says so."""

    def __init__(self, **options: Any) -> None:
        self.core = InformerCore("v1/pods", **options)
        self.source = self.core.add_source("")
        self.core.start()

    def listen(self, filter: Filter | None = None, backlog: tuple[int, int] | None = None) -> Listener:
        listener = self.core.add_listener(filter=filter, backlog=backlog)
        assert listener is not None
        return listener

    def list(self, version: int, *objects: dict[str, Any]) -> None:
        meta = {"resourceVersion": str(version)}
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": objects}
        relist = self.source.begin_relist()
        page = relist.page(chunked=False)
        page.feed(json.dumps(body).encode())
        page.finish()
        relist.commit(str(version))
        self.process()

    def watch(self, kind: str, obj: dict[str, Any]) -> None:
        reader = self.source.watch_reader(chunked=False)
        reader.feed(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
        self.process()

    def process(self) -> None:
        assert self.core.process(0) is None


def heard(listener: Listener) -> list[tuple[Any, ...]]:
    """What it was told since the last call: kind and versions, of a tombstone the key."""

    def show(event: Event[KubeObject]) -> tuple[Any, ...]:
        obj = event.object
        match event.type:
            case "ADDED":
                return ("add", obj.resource_version, *(["initial"] if event.is_in_initial_list else []))
            case "MODIFIED":
                assert event.old is not None
                return ("update", event.old.resource_version, obj.resource_version)
        return ("tombstone", obj.key) if isinstance(obj, DeletedFinalStateUnknown) else ("delete", obj.resource_version)

    return [show(event) for event in listener.pop_events(10_000, 0) or []]
