"""The built-in resources, as the installed `kubernetes` package knows them, and client-go's names for them.

A resource is built in iff one of the package's API classes has a method that lists *and* watches it. Nothing about a
resource is written down here except its short names, which only the API server knows: path, scope, kind and model are
what the package itself requests and returns.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from kubeinformer.resource import Resource

# What kubectl's users type, per group resource: the ShortNames() of the API server's storage of each resource.
SHORT_NAMES = {
    "configmaps": ("cm",),
    "endpoints": ("ep",),
    "events": ("ev",),
    "limitranges": ("limits",),
    "namespaces": ("ns",),
    "nodes": ("no",),
    "persistentvolumeclaims": ("pvc",),
    "persistentvolumes": ("pv",),
    "pods": ("po",),
    "replicationcontrollers": ("rc",),
    "resourcequotas": ("quota",),
    "serviceaccounts": ("sa",),
    "services": ("svc",),
    "customresourcedefinitions.apiextensions.k8s.io": ("crd", "crds"),
    "daemonsets.apps": ("ds",),
    "deployments.apps": ("deploy",),
    "replicasets.apps": ("rs",),
    "statefulsets.apps": ("sts",),
    "horizontalpodautoscalers.autoscaling": ("hpa",),
    "cronjobs.batch": ("cj",),
    "certificatesigningrequests.certificates.k8s.io": ("csr",),
    "events.events.k8s.io": ("ev",),
    "ingresses.networking.k8s.io": ("ing",),
    "ipaddresses.networking.k8s.io": ("ip",),
    "networkpolicies.networking.k8s.io": ("netpol",),
    "poddisruptionbudgets.policy": ("pdb",),
    "priorityclasses.scheduling.k8s.io": ("pc",),
    "storageclasses.storage.k8s.io": ("sc",),
    "volumeattributesclasses.storage.k8s.io": ("vac",),
}

_NAMESPACE = "one"
_COLLECTION = re.compile(
    rf"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)/(?P<namespace>namespaces/{_NAMESPACE}/)?(?P<plural>[^/]+)"
)
# A collection that can only be listed is described as "list objects of kind ...", though it takes `watch` as well.
_WATCHABLE = re.compile(r"list or watch objects of kind (?P<kind>\w+)")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class _RequestedError(Exception):
    """Carries the URL of the request that an API method was about to send."""


def discover() -> list[Resource]:
    """Every built-in resource, the core group first, of each group the version that the server prefers first."""
    scopes: dict[Resource, set[bool]] = {}
    for method, kind, path in _list_methods():
        match = _COLLECTION.fullmatch(path)
        if match is None:
            raise ValueError(f"{method.__qualname__} requests {path}, which is not the path of a collection")
        model = _item_model(method)
        if not model.endswith(kind):
            raise ValueError(f"{method.__qualname__} lists {model}, which is not a model of kind {kind}")
        resource = Resource(match["group"] or "", match["version"], match["plural"], kind, False, model)
        scopes.setdefault(resource, set()).add(match["namespace"] is not None)
    if one_namespace_only := [str(resource) for resource, found in scopes.items() if False not in found]:
        raise ValueError(f"cannot be listed across namespaces: {', '.join(one_namespace_only)}")
    resources = [replace(resource, namespaced=True in found) for resource, found in scopes.items()]
    return sorted(resources, key=lambda r: (r.group, _version_order(r.version), r.plural))


def _list_methods() -> Iterator[tuple[Callable[..., Any], str, str]]:
    """Every method that lists and watches, with the kind and the path that it asks the server for."""
    from kubernetes.client import ApiClient, Configuration, api

    def request(_method: str, url: str, *_args: object, **_kwargs: object) -> None:
        raise _RequestedError(url)

    client: Any = ApiClient(Configuration(host="http://localhost"))
    client.rest_client.request = request
    for module_info in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"{api.__name__}.{module_info.name}")
        for _, api_class in inspect.getmembers(module, lambda m: inspect.isclass(m) and m.__name__.endswith("Api")):
            for name, method in inspect.getmembers(api_class, inspect.isfunction):
                watchable = _WATCHABLE.search(method.__doc__ or "")
                if watchable is None or not name.startswith("list_") or name.endswith("_with_http_info"):
                    continue
                namespace = [_NAMESPACE] if "namespace" in inspect.signature(method).parameters else []
                try:
                    method(api_class(client), *namespace)
                except _RequestedError as requested:
                    yield method, watchable["kind"], urlsplit(str(requested)).path


def _item_model(method: Callable[..., Any]) -> str:
    """Name of the model class of the items in what `method` returns."""
    list_model = typing.get_type_hints(method)["return"]
    (item,) = typing.get_args(typing.get_type_hints(list_model)["items"])
    return typing.cast(str, item.__name__)


def _version_order(version: str) -> tuple[int, int, int]:
    """Sort key of Kubernetes' version priority: v2, v1, v1beta2, v1beta1, v1alpha1."""
    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if match is None:
        raise ValueError(f"{version!r} is not an API version")
    return {None: 0, "beta": 1, "alpha": 2}[match[2]], -int(match[1]), -int(match[3] or 0)


def group_name(group: str) -> str:
    """client-go's accessor of an API group: "rbac" of "rbac.authorization.k8s.io", "core" of ""."""
    return group.partition(".")[0] or "core"


def plural_kind(resource: Resource) -> str:
    """client-go's accessor of a resource as Go spells it: "NetworkPolicies", "CSIDrivers", "Endpoints"."""
    stem, last = resource.kind[:-1], resource.kind[-1]
    if not resource.plural.startswith(stem.lower()):
        raise ValueError(f"{resource.plural!r} is not a plural of {resource.kind}")
    ending = resource.plural[len(stem) :]
    return stem + (last + ending[1:] if ending.startswith(last.lower()) else ending)


def accessor(resource: Resource) -> str:
    """client-go's accessor of a resource, in snake_case: "network_policies", "csi_drivers", "service_cidrs"."""
    plural, length = plural_kind(resource), len(resource.kind)
    # Only the kind tells words apart: in "ServiceCIDRs" the last of them would seem to begin at the R.
    return _WORD.sub("_", plural[:length]).lower() + plural[length:]
