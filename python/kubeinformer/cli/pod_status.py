"""READY, STATUS and RESTARTS of a pod, by the rules of kubectl's printer: the worst container speaks for the pod."""

from __future__ import annotations

from typing import Any

from kubeinformer import KubeObject


def pod_ready(pod: KubeObject) -> str:
    """Ready containers of all."""
    ready = pod.get_path("status.containerStatuses[*].ready") or ()
    total = len(pod.get_path("spec.containers") or ())
    return f"{sum(value is True for value in ready)}/{total}"


def pod_restarts(pod: KubeObject) -> int:
    """Restarts of all containers."""
    counts = pod.get_path("status.containerStatuses[*].restartCount") or ()
    return sum(count for count in counts if isinstance(count, int))


def pod_status(pod: KubeObject) -> str:
    """The phase, or what says more: Terminating, CrashLoopBackOff, Init:0/2, Error, ..."""
    status: dict[str, Any] = pod.to_dict("status") or {}
    reason = str(status.get("reason") or status.get("phase") or "Unknown")
    initializing = _initializing(pod, status)
    if initializing:
        reason = initializing
    else:
        for container in reversed(status.get("containerStatuses") or []):
            reason = _container(container) or reason
        if reason == "Completed" and any(_is_running(one) for one in status.get("containerStatuses") or []):
            reason = "Running" if _has_condition(status, "Ready") else "NotReady"
    if pod.deletion_timestamp is not None:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return reason


def _initializing(pod: KubeObject, status: dict[str, Any]) -> str | None:
    """What the first init container that holds the pod up is doing; None when none does."""
    containers = pod.to_dict("spec.initContainers") or []
    sidecars = {container["name"] for container in containers if container.get("restartPolicy") == "Always"}
    for done, container in enumerate(status.get("initContainerStatuses") or []):
        state = container.get("state") or {}
        ended = state.get("terminated")
        if (ended or {}).get("exitCode") == 0 or (container.get("name") in sidecars and container.get("started")):
            continue
        if ended is not None:
            return f"Init:{_ended(ended)}"
        waiting = (state.get("waiting") or {}).get("reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{done}/{len(containers)}"
    return None


def _container(container: dict[str, Any]) -> str | None:
    state = container.get("state") or {}
    waiting = (state.get("waiting") or {}).get("reason")
    if waiting:
        return str(waiting)
    ended = state.get("terminated")
    return None if ended is None else _ended(ended)


def _ended(terminated: dict[str, Any]) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _is_running(container: dict[str, Any]) -> bool:
    return bool(container.get("ready")) and "running" in (container.get("state") or {})


def _has_condition(status: dict[str, Any], kind: str) -> bool:
    return any(
        condition.get("type") == kind and condition.get("status") == "True"
        for condition in status.get("conditions") or []
    )
