"""Discovery: which groups, versions and resources there are, in the plain and in the aggregated form.

Both forms are made from the registry at each request, so a CustomResourceDefinition is discoverable iff it is served.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from kubeinformer.testing.errors import page_not_found, resource_not_found
from kubeinformer.testing.resources import VERBS, Registry, Resource

VERSION = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.0+kubeinformer",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
HEALTH_PATHS = ("healthz", "livez", "readyz")
_STATUS_VERBS = ["get", "patch", "update"]


@dataclass(frozen=True)
class Document:
    """A discovery answer. ``etag`` is empty for the plain form."""

    body: bytes
    content_type: str = "application/json"
    etag: str = ""


def document(registry: Registry, parts: list[str], address: str, *, aggregated: bool) -> Document:
    """Return the discovery document of a path, given in its parts. Raises TextError 404 when there is none."""
    groups = registry.groups()
    if parts in (["api"], ["apis"]) and aggregated:
        return _aggregated(registry, core=parts == ["api"])
    if parts == ["api"]:
        client = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        return _plain({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": client})
    if parts == ["apis"]:
        listed = [_group(name, list(versions)) for name, versions in groups.items() if name]
        return _plain({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
    if len(parts) == 2 and parts[0] == "apis" and parts[1] in groups:
        return _plain({"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], list(groups[parts[1]]))})
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[-1])
    if len(parts) != (3 if group else 2) or version not in groups.get(group, {}):
        raise resource_not_found() if registry.built_in(group) else page_not_found()
    resources = [entry for resource in groups[group][version] for entry in _entries(resource)]
    group_version = f"{group}/{version}" if group else version
    named = {"apiVersion": "v1"} if group else {}
    return _plain({"kind": "APIResourceList", **named, "groupVersion": group_version, "resources": resources})


def _plain(content: dict[str, Any]) -> Document:
    return Document(orjson.dumps(content) + b"\n")


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _entries(resource: Resource) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(VERBS),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if not resource.status:
        return [entry]
    status = {
        "name": f"{resource.plural}/status",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _STATUS_VERBS,
    }
    return [entry, status]


def _aggregated(registry: Registry, *, core: bool) -> Document:
    items = []
    for group, versions in registry.groups().items():
        if core is (group == ""):
            listed = [
                {"version": version, "resources": [_discovered(r) for r in resources], "freshness": "Current"}
                for version, resources in versions.items()
            ]
            items.append({"metadata": {"name": group} if group else {}, "versions": listed})
    content = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }
    body = orjson.dumps(content) + b"\n"
    return Document(body, AGGREGATED_TYPE, f'"{hashlib.sha256(body).hexdigest().upper()}"')


def _discovered(resource: Resource) -> dict[str, Any]:
    # The group and version of a kind are left empty when they are those that it is listed under.
    kind = {"group": "", "version": "", "kind": resource.kind}
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(VERBS),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.status:
        entry["subresources"] = [{"subresource": "status", "responseKind": kind, "verbs": _STATUS_VERBS}]
    return entry
