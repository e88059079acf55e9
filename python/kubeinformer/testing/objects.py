"""Builders of realistic objects, as the API server would return them, for tests, benchmarks and the demo.

The same arguments always give an equal object (uids are derived from the names, times are fixed), and nothing in a
result is shared with another result.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

CREATED = "2026-01-15T08:30:00Z"
STARTED = "2026-01-15T08:30:07Z"
_UID_SPACE = uuid.UUID("6f1c3c52-6f0e-4d55-9d5c-0b1f0a4f7f52")
_MANAGED_SHARE = 0.45


def pod(
    name: str,
    namespace: str = "default",
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    node: str | None = "node-1",
    phase: str = "Running",
    owner: str | None = None,
    image: str = "registry.example.com/shop/web:1.42.0",
    size: int | None = None,
    resource_version: str | None = None,
) -> dict[str, Any]:
    """Build a Pod.

    Args:
        name: metadata.name.
        namespace: metadata.namespace.
        labels: metadata.labels; left out, ``{"app": ...}`` with the name up to its last dash.
        annotations: metadata.annotations.
        node: spec.nodeName; None for a pod that is not scheduled.
        phase: status.phase; conditions and container statuses agree with it.
        owner: the name of the ReplicaSet that controls it, None for no owner.
        image: the image of its container.
        size: bytes of its JSON; left out, the small pod of about 1 KB. A larger one gets what large pods have:
            managedFields, environment, annotations; the result is within 1 % when size is at least 4,000.
        resource_version: metadata.resourceVersion; an API server sets its own.

    """
    app = name.rpartition("-")[0] or name
    meta: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": uid("Pod", namespace, name),
        "creationTimestamp": CREATED,
        "labels": dict(labels) if labels is not None else {"app": app},
    }
    if resource_version is not None:
        meta["resourceVersion"] = resource_version
    if annotations:
        meta["annotations"] = dict(annotations)
    if owner is not None:
        meta["ownerReferences"] = [_controller("apps/v1", "ReplicaSet", namespace, owner)]
    spec: dict[str, Any] = {
        "containers": [_container(app, image)],
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "serviceAccountName": "default",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
    }
    if node is not None:
        spec["nodeName"] = node
    built = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": spec,
        "status": _pod_status(app, image, phase, scheduled=node is not None),
    }
    if size is not None:
        _grow_pod(built, size)
    return built


def large_pod(name: str, namespace: str = "default", **options: Any) -> dict[str, Any]:
    """Build a Pod of 8 KB, more than a third of it managedFields; the options are those of :func:`pod`."""
    return pod(name, namespace, **{"size": 8 * 1024, **options})


def config_map(
    name: str,
    namespace: str = "default",
    *,
    data: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Build a ConfigMap: the smallest object that is good for a write."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
        "data": dict(data or {}),
    }


def node(name: str, *, labels: Mapping[str, str] | None = None, unschedulable: bool = False) -> dict[str, Any]:
    """Build a Node that is ready."""
    built: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {
            "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": CREATED}],
        },
    }
    if unschedulable:
        built["spec"]["unschedulable"] = True
    return built


def namespace(name: str, *, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Build a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}


def custom_resource_definition(
    group: str,
    plural: str,
    kind: str,
    *,
    versions: tuple[str, ...] = ("v1",),
    namespaced: bool = True,
    selectable_fields: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Build a CustomResourceDefinition that takes any object, with a status subresource; the first version is stored.

    ``selectable_fields`` are paths such as ``.spec.color``.
    """
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "schema": {"openAPIV3Schema": dict(schema)},
                    "subresources": {"status": {}},
                    **({"selectableFields": [{"jsonPath": p} for p in selectable_fields]} if selectable_fields else {}),
                }
                for version in versions
            ],
        },
    }


def uid(kind: str, namespace: str, name: str) -> str:
    """Return the uid that the builders give to an object: the same for the same names."""
    return str(uuid.uuid5(_UID_SPACE, f"{kind}/{namespace}/{name}"))


def _controller(api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid(kind, namespace, name),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _container(name: str, image: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
    }


def _pod_status(container: str, image: str, phase: str, *, scheduled: bool) -> dict[str, Any]:
    running = phase == "Running"
    states = {"PodScheduled": scheduled, "Initialized": scheduled, "ContainersReady": running, "Ready": running}
    status: dict[str, Any] = {
        "phase": phase,
        "qosClass": "Burstable",
        "conditions": [
            {"type": kind, "status": "True" if holds else "False", "lastTransitionTime": STARTED}
            for kind, holds in states.items()
        ],
    }
    if scheduled:
        state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        if running:
            state = {"running": {"startedAt": STARTED}}
        elif phase in ("Succeeded", "Failed"):
            ended = {"exitCode": int(phase == "Failed"), "reason": "Completed" if phase == "Succeeded" else "Error"}
            state = {"terminated": {**ended, "startedAt": STARTED, "finishedAt": "2026-01-15T09:00:00Z"}}
        status["startTime"] = CREATED
        status["hostIP"] = "192.0.2.10"
        status["podIP"] = "10.244.0.17"
        status["podIPs"] = [{"ip": "10.244.0.17"}]
        status["containerStatuses"] = [
            {
                "name": container,
                "image": image,
                "imageID": "registry.example.com/shop/web@sha256:" + "9b" * 32,
                "ready": running,
                "restartCount": 0,
                "started": running,
                "state": state,
            }
        ]
    return status


def _grow_pod(built: dict[str, Any], size: int) -> None:
    """Bring a pod to its size with what real ones are large with. Counted, not tried: benchmarks build many."""
    missing = size - _length(built)
    if missing <= 0:
        return
    managed = _managed_fields(int(missing * _MANAGED_SHARE))
    built["metadata"]["managedFields"] = managed
    rest = missing - _length(managed) - len('"managedFields":,"annotations":{"shop.example.com/checksum":""},"env":[],')
    count = max(0, rest) // (_length(_variable(0)) + 1)
    built["spec"]["containers"][0]["env"] = [_variable(number) for number in range(count)]
    padding = built["metadata"].setdefault("annotations", {})
    padding["shop.example.com/checksum"] = ""
    padding["shop.example.com/checksum"] = "c0ffee42" * (max(0, size - _length(built)) // 8)


def _variable(number: int) -> dict[str, str]:
    return {"name": f"SHOP_SETTING_{number:04}", "value": f"https://config-{number:04}.shop.svc.cluster.local/v1"}


def _managed_fields(size: int) -> list[dict[str, Any]]:
    """Build managedFields of about a size, as the managers of a running pod leave them."""
    managers = {"kube-controller-manager": "", "kubelet": "status", "kube-scheduler": "binding"}
    entries: list[dict[str, Any]] = [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "time": STARTED,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:containers": {}}},
            **({"subresource": subresource} if subresource else {}),
        }
        for manager, subresource in managers.items()
    ]
    key, value = _managed_variable(0)
    count = max(0, size - _length(entries)) // (_length({key: value}) - 1)
    for number in range(count):
        key, value = _managed_variable(number)
        entries[number % len(entries)]["fieldsV1"]["f:spec"]["f:containers"][key] = value
    return entries


def _managed_variable(number: int) -> tuple[str, dict[str, Any]]:
    return f'k:{{"name":"SHOP_SETTING_{number:04}"}}', {".": {}, "f:name": {}, "f:value": {}}


def _length(value: Any) -> int:
    return len(orjson.dumps(value))
