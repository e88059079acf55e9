"""Objects that the tests of this folder share, and a core that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from kubeinformer import KubeObject
from kubeinformer._core import InformerCore

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-0",
        "namespace": "default",
        "uid": "5b1f2a3c",
        "resourceVersion": "812",
        "generation": 3,
        "deletionTimestamp": "2026-01-02T03:04:05Z",
        "labels": {"app": "web", "app.kubernetes.io/part-of": "shop"},
        "annotations": {"note": 'with "quotes", a \\ and ünïcode'},
        "finalizers": ["example.com/a", "example.com/b"],
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "n"},
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "s", "controller": True},
        ],
    },
    "spec": {
        "nodeName": "node-1",
        "containers": [
            {"name": "app", "image": "app:1", "ports": [{"containerPort": 80}, {"containerPort": 443}]},
            {"name": "sidecar", "image": "sidecar:1"},
        ],
    },
    "status": {"phase": "Running", "ready": True, "load": 1.5, "reason": None},
}


def kube_object(content: dict[str, Any] = POD, resource: str = "v1/pods") -> KubeObject:
    return KubeObject(orjson.dumps(content), resource)


def pod(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def core_with(objects: Iterable[dict[str, Any] | bytes], **options: Any) -> InformerCore:
    """A core whose store holds these objects, as a LIST brings them."""
    core = InformerCore("v1/pods", **options)
    source = core.add_source("")
    relist = source.begin_relist()
    page = relist.page(chunked=False)
    items = b",".join(item if isinstance(item, bytes) else orjson.dumps(item) for item in objects)
    page.feed(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[' + items + b"]}")
    relist.commit(page.finish().resource_version)
    core.start()
    assert core.process(0) is None
    return core
