"""One valid object of many built-in kinds: the API server accepts each, and no controller is needed to delete it."""

from __future__ import annotations

from typing import Any

from .workload import pod

_LABELS = {"app": "sample"}
_SELECTOR = {"matchLabels": _LABELS}
_POD_SPEC: dict[str, Any] = {"containers": [{"name": "main", "image": "example.com/main"}]}
_POD_TEMPLATE = {"metadata": {"labels": _LABELS}, "spec": _POD_SPEC}
_JOB_TEMPLATE = {"spec": {**_POD_SPEC, "restartPolicy": "Never"}}
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sample"}
_BACKEND = {"resource": {"apiGroup": "apps", "kind": "Deployment", "name": "sample"}}


def samples(namespace: str) -> list[dict[str, Any]]:
    """Return the objects: all are called ``namespace``, whether they live in that namespace or in none."""

    def sample(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": namespace}, **fields}

    involved = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": "sample"}
    rbac = "rbac.authorization.k8s.io"
    return [
        pod(0, namespace=namespace),
        sample("v1", "ConfigMap", data={"key": 'a "quoted"\n\u2028value'}),
        sample("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]),
        sample("v1", "Event", involvedObject=involved, reason="Sampled", type="Normal"),
        sample("v1", "LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "64"}}]}),
        sample("v1", "Node", spec={"unschedulable": True}),
        sample("v1", "PodTemplate", template=_POD_TEMPLATE),
        sample("v1", "ReplicationController", spec={"replicas": 0, "selector": _LABELS, "template": _POD_TEMPLATE}),
        sample("v1", "ResourceQuota", spec={"hard": {"count/samples.example.com": "1"}}),
        sample("v1", "Secret", stringData={"key": "value"}),
        sample("v1", "Service", spec={"clusterIP": "None", "selector": _LABELS}),
        sample("v1", "ServiceAccount"),
        sample("apps/v1", "DaemonSet", spec={"selector": _SELECTOR, "template": _POD_TEMPLATE}),
        sample("apps/v1", "Deployment", spec={"replicas": 0, "selector": _SELECTOR, "template": _POD_TEMPLATE}),
        sample("apps/v1", "ReplicaSet", spec={"replicas": 0, "selector": _SELECTOR, "template": _POD_TEMPLATE}),
        sample("apps/v1", "StatefulSet", spec={"replicas": 0, "selector": _SELECTOR, "template": _POD_TEMPLATE}),
        sample("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": _TARGET, "maxReplicas": 3}),
        sample("batch/v1", "Job", spec={"suspend": True, "template": _JOB_TEMPLATE}),
        sample(
            "batch/v1",
            "CronJob",
            spec={"suspend": True, "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": _JOB_TEMPLATE}}},
        ),
        sample("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "sample", "renewTime": None}),
        sample("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["10.1.2.3"]}]),
        sample("networking.k8s.io/v1", "Ingress", spec={"defaultBackend": _BACKEND}),
        sample("networking.k8s.io/v1", "IngressClass", spec={"controller": "example.com/ingress"}),
        sample("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}),
        sample("node.k8s.io/v1", "RuntimeClass", handler="sample"),
        sample("policy/v1", "PodDisruptionBudget", spec={"minAvailable": "50%", "selector": _SELECTOR}),
        sample(f"{rbac}/v1", "ClusterRole", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
        sample(f"{rbac}/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]),
        sample(f"{rbac}/v1", "RoleBinding", roleRef={"apiGroup": rbac, "kind": "Role", "name": namespace}),
        sample("scheduling.k8s.io/v1", "PriorityClass", value=-1),
        sample("storage.k8s.io/v1", "CSIDriver", spec={"attachRequired": False}),
        sample("storage.k8s.io/v1", "StorageClass", provisioner="example.com/disk"),
    ]
