"""Pods like those of a real cluster: pod(i) is the same for the same arguments, and exactly ``size`` bytes of JSON.

The names, apps, nodes and owners of consecutive numbers vary independently (7 apps, 23 nodes, 3 owners an app).
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kubernetes.client import ApiClient

from .rest import ensure_namespace, request

APPS = ("my-app", "checkout", "search", "billing", "mailer", "ingest", "catalog")
TIERS = ("web", "api", "worker")
NODES = 23
_ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
_TIME = "2026-01-15T09:30:00Z"
_WORDS = (
    'level="info"',
    "C:\\data\\cache",
    "größe",
    "path=/srv/app",
    "{{ .Values.name }}",
    "retry: [1, 2, 5]",
    "\t- item\n",
)


def pod(
    i: int, *, namespace: str = "default", app: str | None = None, node: str | None = None, size: int = 8192
) -> dict[str, Any]:
    """Return pod number ``i``, whose name is unique for its number, status included.

    ``size`` is the length of its compact UTF-8 JSON in bytes; ValueError when it is too small for a pod. What a server
    makes of it is about 0.9 KB longer, and 5 KB more with metadata.managedFields.
    """
    rng = random.Random(i)
    app = app if app is not None else APPS[i % len(APPS)]
    node = node if node is not None else f"node-{i // len(APPS) % NODES}"
    replica_set = f"{app}-{rng.randrange(3):03x}7c9d8f"
    name = f"{replica_set}-{i:06d}"
    result: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "app": app,
                "app.kubernetes.io/name": app,
                "app.kubernetes.io/managed-by": "Helm",
                "pod-template-hash": replica_set.rsplit("-", 1)[1],
                "tier": rng.choice(TIERS),
                "version": f"v1.{rng.randrange(20)}.{rng.randrange(10)}",
            },
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "9102",
                "checksum/config": f"{rng.getrandbits(256):064x}",
                "example.com/description": "\n".join(rng.choices(_WORDS, k=12)),
            },
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": replica_set,
                    "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{replica_set}")),
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "nodeName": node,
            "serviceAccountName": app,
            "terminationGracePeriodSeconds": 30,
            "containers": [_container("main", app, rng), _container("sidecar", "proxy", rng)],
            "volumes": [
                {"name": "config", "configMap": {"name": f"{app}-config"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            ],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
            "nodeSelector": {"topology.kubernetes.io/zone": rng.choice(_ZONES)},
        },
        "status": _status(rng),
    }
    missing = size - len(json.dumps({**result, "x": ""}, separators=(",", ":"), ensure_ascii=False).encode())
    missing -= len('"example.com/last-applied":"",') - len('"x":"",')
    if missing < 0:
        raise ValueError(f"size: a pod needs {size - missing} bytes, not {size}")
    filling = "".join(f"{rng.getrandbits(256):064x}." for _ in range(missing // 65 + 1))
    result["metadata"]["annotations"]["example.com/last-applied"] = filling[:missing]
    return result


def create_pods(
    api_client: ApiClient,
    n: int,
    namespaces: Sequence[str] = ("default",),
    threads: int = 4,
    *,
    first: int = 0,
    size: int = 8192,
    status: bool = True,
) -> list[dict[str, Any]]:
    """Create pods ``first`` to ``first + n - 1``, dealt out over the namespaces (made if missing); return the answers.

    Blocks until all exist. With ``status`` each one's status is set too, by a second write. Raises ApiException.
    """
    for namespace in namespaces:
        ensure_namespace(api_client, namespace)

    def create(i: int) -> dict[str, Any]:
        wanted = pod(i, namespace=namespaces[i % len(namespaces)], size=size)
        path = f"/api/v1/namespaces/{wanted['metadata']['namespace']}/pods"
        created = request(api_client, "POST", path, wanted)
        if not status:
            return created
        return request(api_client, "PATCH", f"{path}/{wanted['metadata']['name']}/status", {"status": wanted["status"]})

    with ThreadPoolExecutor(threads, thread_name_prefix="create-pods") as pool:
        return list(pool.map(create, range(first, first + n)))


def _container(name: str, app: str, rng: random.Random) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example.com/team/{app}:1.{rng.randrange(20)}@sha256:{rng.getrandbits(256):064x}",
        "args": ["--config=/etc/app/config.yaml", f"--log-level={rng.choice(('info', 'debug'))}"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": f"{app}-secret", "key": "password"}}},
            *({"name": f"SETTING_{n}", "value": f"{rng.choice(_WORDS)} {rng.getrandbits(64):x}"} for n in range(10)),
        ],
        "ports": [{"name": f"http-{name}", "containerPort": 8080 if name == "main" else 9102, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": f"http-{name}"}, "periodSeconds": 5},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/app", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _status(rng: random.Random) -> dict[str, Any]:
    ip = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    return {
        "phase": "Running",
        "conditions": [
            {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": _TIME}
            for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "hostIP": f"192.168.0.{rng.randrange(1, 255)}",
        "startTime": _TIME,
        "qosClass": "Burstable",
        "containerStatuses": [
            {
                "name": name,
                "image": f"registry.example.com/team/{name}:1",
                "imageID": f"registry.example.com/team/{name}@sha256:{rng.getrandbits(256):064x}",
                "containerID": f"containerd://{rng.getrandbits(256):064x}",
                "ready": True,
                "started": True,
                "restartCount": rng.randrange(3),
                "state": {"running": {"startedAt": _TIME}},
            }
            for name in ("main", "sidecar")
        ],
    }
