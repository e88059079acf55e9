"""CustomResourceDefinitions: from the definition to the resources that it makes the server serve.

A custom resource is served iff its definition exists and lists the version as served. Objects are not validated against
the schema of the definition, and versions are converted as the strategy ``None`` does it: only the apiVersion changes.
With the strategy ``Webhook`` an object is served in the version it was written in.
"""

from __future__ import annotations

import re
from typing import Any

from kubeinformer.testing.errors import StatusError, invalid
from kubeinformer.testing.resources import Resource, storage_name

GROUP = "apiextensions.k8s.io"
PLURAL = "customresourcedefinitions"
_FIELD_PATH = re.compile(r"(\.[A-Za-z_][A-Za-z0-9_]*)+")


def resources_of(definition: dict[str, Any]) -> list[Resource]:
    """Return the resources that a definition makes served, one a version.

    Raises StatusError 422 when the definition lacks what that takes.
    """
    spec = definition.get("spec")
    name = definition["metadata"].get("name", "")
    if not isinstance(spec, dict):
        raise _invalid(name, "spec", "Required value")
    names = spec.get("names")
    if not isinstance(names, dict):
        raise _invalid(name, "spec.names", "Required value")
    group = _required(name, "spec.group", spec.get("group"))
    plural = _required(name, "spec.names.plural", names.get("plural"))
    kind = _required(name, "spec.names.kind", names.get("kind"))
    if name != storage_name(group, plural):
        raise _invalid(name, "metadata.name", f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        raise _invalid(name, "spec.scope", 'Unsupported value: supported values: "Cluster", "Namespaced"')
    versions = spec.get("versions")
    if not isinstance(versions, list) or not all(isinstance(v, dict) and v.get("name") for v in versions):
        raise _invalid(name, "spec.versions", "Required value")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        raise _invalid(name, "spec.versions", "Invalid value: must have exactly one version marked as storage version")
    convertible = (spec.get("conversion") or {}).get("strategy", "None") == "None"
    return [
        Resource(
            group=group,
            version=version["name"],
            plural=plural,
            kind=kind,
            namespaced=spec["scope"] == "Namespaced",
            storage=storage_name(group, plural),
            schema=f"{group}/" if convertible else f"{group}/{version['name']}",
            status="status" in (version.get("subresources") or {}),
            generation=True,
            custom=True,
            singular=names.get("singular") or kind.lower(),
            list_kind=names.get("listKind") or f"{kind}List",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            fields=_selectable(name, version),
            unserved=frozenset(["scale"] if "scale" in (version.get("subresources") or {}) else []),
        )
        for version in versions
        if version.get("served", False)
    ]


def custom_resource(group: str, version: str, plural: str, kind: str, namespaced: bool) -> Resource:
    """Return a custom resource without a definition, with a status subresource."""
    return Resource(
        group=group,
        version=version,
        plural=plural,
        kind=kind,
        namespaced=namespaced,
        storage=storage_name(group, plural),
        schema=f"{group}/",
        status=True,
        generation=True,
        custom=True,
        singular=kind.lower(),
        list_kind=f"{kind}List",
    )


def established(definition: dict[str, Any], now: str) -> dict[str, Any]:
    """Return the status that a real server gives to a definition that it serves."""
    spec = definition["spec"]
    names = dict(spec["names"])
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", names["kind"] + "List")
    conditions = [
        {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found"},
        {"type": "Established", "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"},
    ]
    return {
        "conditions": [{**c, "status": "True", "lastTransitionTime": now} for c in conditions],
        "acceptedNames": names,
        "storedVersions": [version["name"] for version in spec["versions"] if version.get("storage")],
    }


def _required(name: str, field: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _invalid(name, field, "Required value")
    return value


def _selectable(name: str, version: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    fields = {}
    for entry in version.get("selectableFields") or ():
        path = entry.get("jsonPath", "")
        if not _FIELD_PATH.fullmatch(path):
            raise _invalid(name, "spec.versions.selectableFields", f'Invalid value: "{path}": must be a simple path')
        fields[path[1:]] = tuple(path[1:].split("."))
    return fields


def _invalid(name: str, field: str, message: str) -> StatusError:
    return invalid(GROUP, "CustomResourceDefinition", name, [(field, "FieldValueInvalid", message)])
