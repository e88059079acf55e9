"""Pods for the benchmarks: the same number always gives the same pod, of 8 KB of JSON unless 1 or 64 are asked for.

Invariant: `render(pod(i))` is exactly `POD_BYTES` long, about 2.4 KB of it `metadata.managedFields`, and
`pod(i, version)` differs from `pod(i, 0)` only in resourceVersion, status and, for a twentieth of the pods, the node.
A pod of another size is `kilobytes` times 1,024 bytes long: at 1 KB it has one bare container and no managedFields, at
64 KB many containers; names, labels, owner and node are the same.
"""

from __future__ import annotations

from typing import Any, Literal

import orjson

POD_BYTES = 8192
Kilobytes = Literal[1, 8, 64]
KILOBYTES: tuple[Kilobytes, ...] = (1, 8, 64)
SHARDS = 1000
"""Pods are spread evenly over so many values of the label `shard`, so that a selector can ask for one in a thousand."""
NAMESPACES = 20
NODES = 200
PODS_PER_OWNER = 10
MOVED_EVERY = 20
"""One pod in this many stands on another node than its own, a different one in every version. Between two versions
twice as many change their node: those that move and those that come back."""

_WHEN = "2026-03-14T09:26:53Z"


def namespace_of(i: int) -> str:
    return f"team-{i % NAMESPACES:02d}"


def node_of(i: int, version: int) -> str:
    moved = version > 0 and (i + version) % MOVED_EVERY == 0
    return f"node-{(i * 7 + (31 * version if moved else 0)) % NODES:03d}.cluster.example.com"


def count_on_node(node: str, count: int) -> int:
    """How many of the first `count` pods are there before any event."""
    return sum(node_of(i, 0) == node for i in range(count))


def owner_uid_of(i: int) -> str:
    return f"{i // PODS_PER_OWNER:08x}-5b1c-4d5e-9f00-{i // PODS_PER_OWNER:012x}"


def resource_version_of(i: int, version: int) -> str:
    return str(1_000_000 + version * 1_000_000 + i)


def _container(name: str, port: int, env_count: int) -> dict[str, Any]:
    probe = {
        "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    env: list[dict[str, Any]] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}},
        {"name": "DATABASE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.observability.svc:4317"},
        {"name": "LOG_FORMAT", "value": '{"time":"%t","level":"%l","message":"%m"}'},
    ]
    return {
        "name": name,
        "image": f"registry.example.com/shop/{name}:v1.24.3",
        "args": ["--listen=:8080", "--shutdown-grace=25s", "--feature-gates=NewCheckout=true,SlowPath=false"],
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "env": env[:env_count],
        "resources": {
            "limits": {"cpu": "2", "memory": "1Gi"},
            "requests": {"cpu": "250m", "memory": "512Mi"},
        },
        "volumeMounts": [
            {"name": "config", "readOnly": True, "mountPath": "/etc/shop"},
            {
                "name": "kube-api-access-x7k2p",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 10001},
    }


def _managed_fields() -> list[dict[str, Any]]:
    leaf: dict[str, Any] = {}

    def container_fields(name: str) -> dict[str, Any]:
        names = ("POD_NAME", "POD_NAMESPACE", "DATABASE_PASSWORD", "OTEL_EXPORTER_OTLP_ENDPOINT", "LOG_FORMAT")
        env = {f'k:{{"name":"{env_name}"}}': {".": leaf, "f:name": leaf, "f:value": leaf} for env_name in names}
        return {
            f'k:{{"name":"{name}"}}': {
                ".": leaf,
                "f:args": leaf,
                "f:env": {".": leaf, **env},
                "f:image": leaf,
                "f:imagePullPolicy": leaf,
                "f:livenessProbe": {".": leaf, "f:failureThreshold": leaf, "f:httpGet": {".": leaf, "f:path": leaf}},
                "f:ports": {".": leaf, 'k:{"containerPort":8080,"protocol":"TCP"}': {".": leaf, "f:name": leaf}},
                "f:name": leaf,
                "f:resources": {".": leaf, "f:limits": {".": leaf, "f:cpu": leaf, "f:memory": leaf}},
                "f:volumeMounts": {".": leaf, 'k:{"mountPath":"/etc/shop"}': {".": leaf, "f:mountPath": leaf}},
            }
        }

    conditions = ("ContainersReady", "Initialized", "Ready")
    return [
        {
            "manager": "kube-controller-manager",
            "operation": "Update",
            "apiVersion": "v1",
            "time": _WHEN,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {
                    "f:generateName": leaf,
                    "f:labels": {".": leaf, "f:app": leaf, "f:pod-template-hash": leaf, "f:tier": leaf},
                    "f:ownerReferences": {".": leaf, 'k:{"uid":"5b1c4d5e-9f00-4a6b-8c7d-0123456789ab"}': leaf},
                },
                "f:spec": {
                    "f:containers": {**container_fields("server"), **container_fields("sidecar")},
                    "f:dnsPolicy": leaf,
                    "f:restartPolicy": leaf,
                },
            },
        },
        {
            "manager": "kubelet",
            "operation": "Update",
            "apiVersion": "v1",
            "time": _WHEN,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:status": {
                    "f:conditions": {
                        f'k:{{"type":"{kind}"}}': {".": leaf, "f:lastTransitionTime": leaf, "f:status": leaf}
                        for kind in conditions
                    },
                    "f:containerStatuses": leaf,
                    "f:hostIP": leaf,
                    "f:phase": leaf,
                    "f:podIP": leaf,
                }
            },
            "subresource": "status",
        },
    ]


_MANAGED_FIELDS = _managed_fields()
_CONTAINERS = [_container("server", 8080, 5), _container("sidecar", 15090, 1)]
_MANY_CONTAINERS = [_container(f"worker-{n:02d}", 9000 + n, 5) for n in range(37)]


def fields(i: int, version: int) -> dict[str, str | int]:
    """Every text and number in which pods and their versions differ."""
    owner = i // PODS_PER_OWNER
    return {
        "name": f"checkout-{owner:05d}-{i:06x}",
        "owner": f"checkout-{owner:05d}",
        "namespace": namespace_of(i),
        "uid": f"{i:08x}-0e4d-4b8f-a1c2-{i:012x}",
        "resource_version": resource_version_of(i, version),
        "app": f"app-{owner % 100:02d}",
        "hash": f"{owner:010x}",
        "shard": f"{i % SHARDS:03d}",
        "tier": ("web", "api", "batch")[i % 3],
        "checksum": f"{owner:064x}",
        "owner_uid": owner_uid_of(i),
        "node": node_of(i, version),
        "host_ip": f"10.1.{i % NODES}.1",
        "pod_ip": f"10.2.{i // 250 % 250}.{i % 250}",
        "image_id": f"{i:064x}",
        "container_id": f"{i * 31 + version:064x}",
        "restarts": version,
    }


def pod(i: int, version: int = 0, kilobytes: Kilobytes = 8) -> dict[str, Any]:
    """The pod number `i` in its version `version`, as an item of a typed LIST has it: without apiVersion and kind."""
    made = body(fields(i, version), kilobytes)
    size = kilobytes * 1024 - len(render(made))
    made["metadata"]["annotations"]["example.com/notes"] = "n" * size
    return made


def body(given: dict[str, Any], kilobytes: Kilobytes) -> dict[str, Any]:
    """A pod with these fields, and without the note that fills it up to its size."""
    metadata: dict[str, Any] = {
        "name": given["name"],
        "generateName": f"{given['owner']}-",
        "namespace": given["namespace"],
        "uid": given["uid"],
        "resourceVersion": given["resource_version"],
        "generation": 1,
        "creationTimestamp": _WHEN,
        "labels": {
            "app": given["app"],
            "pod-template-hash": given["hash"],
            "shard": given["shard"],
            "tier": given["tier"],
            "app.kubernetes.io/managed-by": "Helm",
        },
        "annotations": {"example.com/notes": ""},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": given["owner"],
                "uid": given["owner_uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    if kilobytes == 1:
        return {
            "metadata": metadata,
            "spec": {"containers": [{"name": "server", "image": "shop:1"}], "nodeName": given["node"]},
            "status": {"phase": "Running", "podIP": given["pod_ip"]},
        }
    metadata["annotations"] = {
        "prometheus.io/scrape": "true",
        "checksum/config": given["checksum"],
        "example.com/deployed-by": 'Zoë \\ "release train"\n',
        "example.com/notes": "",
    }
    metadata["managedFields"] = _MANAGED_FIELDS
    return {
        "metadata": metadata,
        "spec": {
            "volumes": [
                {"name": "config", "configMap": {"name": "shop", "defaultMode": 420}},
                {
                    "name": "kube-api-access-x7k2p",
                    "projected": {
                        "sources": [
                            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                        ],
                        "defaultMode": 420,
                    },
                },
            ],
            "containers": _CONTAINERS if kilobytes == 8 else [*_CONTAINERS, *_MANY_CONTAINERS],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "checkout",
            "nodeName": given["node"],
            "securityContext": {"fsGroup": 10001, "runAsNonRoot": True},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
            ],
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": _status(given),
    }


def _status(given: dict[str, Any]) -> dict[str, Any]:
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": _WHEN}
        for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    containers = [
        {
            "name": name,
            "state": {"running": {"startedAt": _WHEN}},
            "lastState": {},
            "ready": True,
            "restartCount": given["restarts"],
            "image": f"registry.example.com/shop/{name}:v1.24.3",
            "imageID": f"registry.example.com/shop/{name}@sha256:{given['image_id']}",
            "containerID": f"containerd://{given['container_id']}",
            "started": True,
        }
        for name in ("server", "sidecar")
    ]
    return {
        "phase": "Running",
        "conditions": conditions,
        "hostIP": given["host_ip"],
        "podIP": given["pod_ip"],
        "podIPs": [{"ip": given["pod_ip"]}],
        "startTime": _WHEN,
        "containerStatuses": containers,
        "qosClass": "Burstable",
    }


def render(value: Any) -> bytes:
    """Compact JSON, as the API server writes it."""
    return orjson.dumps(value)


def as_event_object(rendered: bytes) -> bytes:
    """The same pod as a watch event carries it: with kind and apiVersion in front."""
    return b'{"kind":"Pod","apiVersion":"v1",' + rendered[1:]
