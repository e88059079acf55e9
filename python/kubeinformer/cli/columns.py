"""The columns that kubectl shows for the resources people watch most; age alone for all others.

Every value is one printable line: what an object holds never moves the cursor of a terminal.
"""

from __future__ import annotations

import math
import time
from calendar import timegm
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from kubeinformer import KubeObject
from kubeinformer.cli.pod_status import pod_ready, pod_restarts, pod_status
from kubeinformer.resource import Resource

Column: TypeAlias = tuple[str, Callable[[KubeObject], Any]]

NONE = "<none>"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
# Up to how many seconds an age is written in which unit, and with which smaller one.
_AGES = (
    (120, "s", ""),
    (600, "m", "s"),
    (3 * 3600, "m", ""),
    (8 * 3600, "h", "m"),
    (48 * 3600, "h", ""),
    (8 * 86400, "d", "h"),
    (730 * 86400, "d", ""),
    (8 * 365 * 86400, "y", "d"),
    (math.inf, "y", ""),
)


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """Titles and values of the columns after namespace and name."""
    return _COLUMNS.get(resource.group_resource, (_AGE,))


def cell(value: Any) -> str:
    """A value as one printable line."""
    if value in (None, "", ()):
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        value = ",".join(cell(item) for item in value)
    text = " ".join(str(value).split())
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def age(obj: KubeObject) -> str:
    """Time since the object was created, as kubectl writes it: two units at most."""
    return _duration(obj.get_path("metadata.creationTimestamp"), time.time())


def _duration(timestamp: Any, now: float) -> str:
    try:
        seconds = max(0, int(now - timegm(time.strptime(str(timestamp), "%Y-%m-%dT%H:%M:%SZ"))))
    except ValueError:
        return "<unknown>"
    unit, smaller = next((unit, smaller) for limit, unit, smaller in _AGES if seconds < limit)
    text = f"{seconds // _SECONDS[unit]}{unit}"
    rest = seconds % _SECONDS[unit] // _SECONDS[smaller] if smaller else 0
    return f"{text}{rest}{smaller}" if rest else text


def _path(path: str, default: Any = None) -> Callable[[KubeObject], Any]:
    def value(obj: KubeObject) -> Any:
        return obj.get_path(path, default)

    return value


def _ratio(some: str, of: str) -> Callable[[KubeObject], str]:
    def value(obj: KubeObject) -> str:
        return f"{obj.get_path(some, 0)}/{obj.get_path(of, 0)}"

    return value


def _node_status(node: KubeObject) -> str:
    ready = [item.get("status") for item in _items(node, "status.conditions") if item.get("type") == "Ready"]
    status = {"True": "Ready", "False": "NotReady"}.get(str(ready[0]) if ready else "", "Unknown")
    return f"{status},SchedulingDisabled" if node.get_path("spec.unschedulable") is True else status


def _node_roles(node: KubeObject) -> tuple[str, ...]:
    prefix = "node-role.kubernetes.io/"
    return tuple(sorted(key.removeprefix(prefix) for key in node.labels if key.startswith(prefix)))


def _ports(service: KubeObject) -> tuple[str, ...]:
    ports = []
    for port in _items(service, "spec.ports"):
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}")
    return tuple(ports)


def _job_status(job: KubeObject) -> str:
    for kind, status in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if any(c.get("type") == kind and c.get("status") == "True" for c in _items(job, "status.conditions")):
            return status
    return "Running"


def _event_object(event: KubeObject) -> str:
    field = "regarding" if event.get_path("regarding.kind") else "involvedObject"
    return f"{event.get_path(f'{field}.kind', '')}/{event.get_path(f'{field}.name', '')}".lower()


def _event_message(event: KubeObject) -> Any:
    return event.get_path("message") or event.get_path("note")


def _size_of(field: str) -> Callable[[KubeObject], int]:
    def value(obj: KubeObject) -> int:
        return len(obj.get_path(field) or ())

    return value


def _items(obj: KubeObject, path: str) -> Iterable[Any]:
    return [item for item in obj.get_path(path) or () if hasattr(item, "get")]


_AGE: Column = ("AGE", age)
_REPLICAS: Column = ("READY", _ratio("status.readyReplicas", "spec.replicas"))
_DAEMON: tuple[Column, ...] = (
    ("DESIRED", _path("status.desiredNumberScheduled", 0)),
    ("CURRENT", _path("status.currentNumberScheduled", 0)),
    ("READY", _path("status.numberReady", 0)),
)

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": (
        ("READY", pod_ready),
        ("STATUS", pod_status),
        ("RESTARTS", pod_restarts),
        _AGE,
        ("IP", _path("status.podIP")),
        ("NODE", _path("spec.nodeName")),
    ),
    "nodes": (
        ("STATUS", _node_status),
        ("ROLES", _node_roles),
        _AGE,
        ("VERSION", _path("status.nodeInfo.kubeletVersion")),
    ),
    "namespaces": (("STATUS", _path("status.phase")), _AGE),
    "services": (
        ("TYPE", _path("spec.type")),
        ("CLUSTER-IP", _path("spec.clusterIP")),
        ("PORT(S)", _ports),
        _AGE,
    ),
    "configmaps": (("DATA", _size_of("data")), _AGE),
    "secrets": (("TYPE", _path("type")), ("DATA", _size_of("data")), _AGE),
    "persistentvolumeclaims": (
        ("STATUS", _path("status.phase")),
        ("VOLUME", _path("spec.volumeName")),
        ("CAPACITY", _path("status.capacity.storage")),
        _AGE,
    ),
    "events": (
        _AGE,
        ("TYPE", _path("type")),
        ("REASON", _path("reason")),
        ("OBJECT", _event_object),
        ("MESSAGE", _event_message),
    ),
    "deployments.apps": (
        _REPLICAS,
        ("UP-TO-DATE", _path("status.updatedReplicas", 0)),
        ("AVAILABLE", _path("status.availableReplicas", 0)),
        _AGE,
    ),
    "statefulsets.apps": (_REPLICAS, _AGE),
    "replicasets.apps": (
        ("DESIRED", _path("spec.replicas", 0)),
        ("CURRENT", _path("status.replicas", 0)),
        ("READY", _path("status.readyReplicas", 0)),
        _AGE,
    ),
    "daemonsets.apps": (*_DAEMON, _AGE),
    "jobs.batch": (
        ("STATUS", _job_status),
        ("COMPLETIONS", _ratio("status.succeeded", "spec.completions")),
        _AGE,
    ),
    "cronjobs.batch": (
        ("SCHEDULE", _path("spec.schedule")),
        ("SUSPEND", _path("spec.suspend", False)),
        ("LAST SCHEDULE", _path("status.lastScheduleTime")),
        _AGE,
    ),
}
_COLUMNS["events.events.k8s.io"] = _COLUMNS["events"]
