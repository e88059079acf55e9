"""The values of columns: as kubectl writes them, and always one printable line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from kubeinformer import KubeObject
from kubeinformer.cli.columns import age, cell, columns_of
from kubeinformer.cli.pod_status import pod_ready, pod_restarts, pod_status
from kubeinformer.informers.generated.resources import BUILT_IN

DAY = 86400


def _object(spec: Any = None, status: Any = None, **meta: Any) -> KubeObject:
    content = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "default", **meta},
        "spec": spec or {},
        "status": status or {},
    }
    return KubeObject(orjson.dumps(content), "v1/pods")


def _row(plural: str, obj: KubeObject) -> dict[str, str]:
    resource = next(resource for resource in BUILT_IN if resource.group_resource == plural)
    return {title: cell(value(obj)) for title, value in columns_of(resource)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<none>"),
        ("", "<none>"),
        ((), "<none>"),
        (0, "0"),
        (True, "true"),
        (("a", "b"), "a,b"),
        ("two\nlines\tand  blanks", "two lines and blanks"),
        ("\x1b[2J\x07", "?[2J?"),
        ("ünïcode", "ünïcode"),
        ("bidi\u202eoverride", "bidi?override"),
    ],
)
def test_cells(value: Any, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (8 * 3600 - 60, "7h59m"),
        (8 * 3600, "8h"),
        (2 * DAY - 1, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + 3600, "2d1h"),
        (8 * DAY, "8d"),
        (729 * DAY, "729d"),
        (730 * DAY, "2y"),
        (800 * DAY, "2y70d"),
        (10 * 365 * DAY, "10y"),
        (-5, "0s"),
    ],
)
def test_ages(monkeypatch: pytest.MonkeyPatch, seconds: int, text: str) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_767_225_600.0 + seconds)
    assert age(_object(creationTimestamp="2026-01-01T00:00:00Z")) == text


def test_an_age_that_cannot_be_told() -> None:
    assert age(_object()) == "<unknown>"
    assert age(_object(creationTimestamp="yesterday")) == "<unknown>"


def _container(ready: bool = True, restarts: int = 0, **state: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "c", "ready": ready, "restartCount": restarts, "state": state or {"running": {}}}


READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({}, "Unknown"),
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Running", "containerStatuses": [_container()]}, "Running"),
        (
            {
                "phase": "Running",
                "containerStatuses": [_container(), _container(waiting={"reason": "CrashLoopBackOff"})],
            },
            "CrashLoopBackOff",
        ),
        ({"phase": "Succeeded", "containerStatuses": [_container(terminated={"reason": "Completed"})]}, "Completed"),
        ({"phase": "Failed", "containerStatuses": [_container(terminated={"signal": 9})]}, "Signal:9"),
        ({"phase": "Failed", "containerStatuses": [_container(terminated={"exitCode": 3})]}, "ExitCode:3"),
        (
            {
                "phase": "Running",
                "conditions": READY,
                "containerStatuses": [_container(terminated={"reason": "Completed"}), _container()],
            },
            "Running",
        ),
        (
            {"phase": "Running", "containerStatuses": [_container(terminated={"reason": "Completed"}), _container()]},
            "NotReady",
        ),
    ],
)
def test_pod_status(status: dict[str, Any], text: str) -> None:
    assert pod_status(_object(status=status)) == text


@pytest.mark.parametrize(
    ("containers", "text"),
    [
        ([{"state": {"running": {}}}, {"state": {"waiting": {"reason": "PodInitializing"}}}], "Init:0/2"),
        ([{"state": {"terminated": {"exitCode": 0}}}, {"state": {"running": {}}}], "Init:1/2"),
        ([{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}], "Init:Error"),
        ([{"state": {"waiting": {"reason": "ErrImagePull"}}}], "Init:ErrImagePull"),
        ([{"name": "sidecar", "started": True, "state": {"running": {}}}], "Pending"),
    ],
)
def test_init_containers(containers: list[dict[str, Any]], text: str) -> None:
    spec = {"initContainers": [{"name": "sidecar", "restartPolicy": "Always"}, {"name": "setup"}]}
    assert pod_status(_object(spec, {"phase": "Pending", "initContainerStatuses": containers})) == text


def test_a_pod_that_is_being_deleted() -> None:
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert pod_status(_object(status={"phase": "Running"}, **gone)) == "Terminating"
    assert pod_status(_object(status={"phase": "Running", "reason": "NodeLost"}, **gone)) == "Unknown"


def test_ready_and_restarts() -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    containers = [_container(restarts=2), _container(ready=False, restarts=3)]
    pod = _object(spec, {"containerStatuses": containers})
    assert (pod_ready(pod), pod_restarts(pod)) == ("1/3", 5)
    assert (pod_ready(_object()), pod_restarts(_object())) == ("0/0", 0)


def test_other_kinds() -> None:
    deployment = _object({"replicas": 3}, {"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2})
    assert _row("deployments.apps", deployment) == {
        "READY": "2/3",
        "UP-TO-DATE": "1",
        "AVAILABLE": "2",
        "AGE": "<unknown>",
    }
    service = _object({"type": "NodePort", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30080}]})
    assert _row("services", service)["PORT(S)"] == "80:30080/TCP"
    master = _object(
        status={"conditions": [{"type": "Ready", "status": "Unknown"}]},
        labels={"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/etcd": ""},
    )
    assert _row("nodes", master) | {"AGE": ""} == {
        "STATUS": "Unknown",
        "ROLES": "control-plane,etcd",
        "AGE": "",
        "VERSION": "<none>",
    }
    job = _object({"completions": 2}, {"succeeded": 2, "conditions": [{"type": "Complete", "status": "True"}]})
    assert _row("jobs.batch", job) == {"STATUS": "Complete", "COMPLETIONS": "2/2", "AGE": "<unknown>"}


def test_no_column_fails_on_an_empty_object() -> None:
    """An object may lack anything but its name: all else is written by clients, at their own time."""
    for resource in BUILT_IN:
        assert all(cell(value(_object())) for _, value in columns_of(resource))
