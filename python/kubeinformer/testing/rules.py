"""The rules about a single object: what a client may send, what of it is kept, what the server sets.

Functions of their arguments alone, but for the names and times that they make up. An object that passed is one that the
store can take: its metadata is well-formed, and it is the server that owns what ``_SERVER_META`` lists.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

import orjson

from kubeinformer.testing import errors
from kubeinformer.testing.resources import Resource
from kubeinformer.testing.storage import Record, object_key

ANNOTATIONS_LIMIT = 256 * 1024
DATA_LIMIT = 1024 * 1024
STORED_LIMIT = 3 * 512 * 1024
_SMALLEST_LIMIT = ANNOTATIONS_LIMIT
_TOO_LONG = "Too long: may not be more than {} bytes"
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# Set by the server alone: an update keeps what is stored.
_SERVER_META = (
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "generateName",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_NAMESPACE_MISMATCH = "the namespace of the provided object does not match the namespace sent on the request"


def now() -> str:
    """Return the time of now as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_schema(resource: Resource, record: Record) -> None:
    """Refuse to serve an object in a version that would need a conversion. Raises StatusError 501."""
    if record.schema != resource.schema:
        raise errors.not_implemented(f"the conversion of {resource.plural} to {resource.api_version}")


def spec_of(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what a generation counts: everything but metadata and status."""
    return {name: value for name, value in obj.items() if name not in ("metadata", "status")}


def checked(resource: Resource, obj: Any) -> dict[str, Any]:
    """Copy an object: its apiVersion and kind are filled in, and its metadata is a dict of its own."""
    if not isinstance(obj, dict):
        raise errors.bad_request("the object provided is unrecognized: it must be a JSON object")
    metadata = obj.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise errors.bad_request("metadata must be an object")
    new = {**obj, "metadata": {k: v for k, v in (metadata or {}).items() if v is not None}}
    meta = new["metadata"]
    for name in ("name", "generateName", "namespace", "uid", "resourceVersion"):
        if not isinstance(meta.get(name, ""), str):
            raise errors.bad_request(f"metadata.{name} must be a string")
    for name in ("labels", "annotations"):
        values = meta.get(name, {})
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise errors.bad_request(f"metadata.{name} must be an object of strings")
    finalizers = meta.get("finalizers", [])
    if not isinstance(finalizers, list) or not all(isinstance(one, str) for one in finalizers):
        raise errors.bad_request("metadata.finalizers must be a list of strings")
    if resource.storage == "secrets" and new.get("stringData") is not None:
        new["data"] = {**(new.get("data") or {}), **_encoded(new.pop("stringData"))}
    for name, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        given = new.setdefault(name, expected) or expected
        if given != expected:
            raise errors.bad_request(
                f"the {name} in the data ({given}) does not match the expected {name} ({expected})"
            )
        new[name] = expected
    return new


def _encoded(plain: Any) -> dict[str, str]:
    """Return the ``data`` that a Secret's ``stringData`` stands for."""
    if not isinstance(plain, dict) or not all(isinstance(value, str) for value in plain.values()):
        raise errors.bad_request("stringData must be an object of strings")
    return {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}


def check_size(resource: Resource, obj: dict[str, Any]) -> None:
    """Refuse an object that is too large: its annotations, the data it holds, or all of it.

    Raises StatusError 422, or 500 for what etcd would refuse; it counts JSON where etcd counts what is stored of it.
    """
    size = len(orjson.dumps(obj))
    if size <= _SMALLEST_LIMIT:
        return
    annotations = obj["metadata"].get("annotations") or {}
    causes = []
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > ANNOTATIONS_LIMIT:
        causes.append(("metadata.annotations", "FieldValueTooLong", _TOO_LONG.format(ANNOTATIONS_LIMIT)))
    field = {"configmaps": "[]", "secrets": "data"}.get(resource.storage)
    if field is not None and _data_size(obj) > DATA_LIMIT:
        causes.append((field, "FieldValueTooLong", _TOO_LONG.format(DATA_LIMIT)))
    if causes:
        raise errors.invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), causes)
    if size > STORED_LIMIT:
        raise errors.request_too_large()


def _data_size(obj: dict[str, Any]) -> int:
    """Count the bytes of a ConfigMap or Secret, of which base64 is the second's and of ``binaryData``."""
    data = [value for value in (obj.get("data") or {}).values() if isinstance(value, str)]
    encoded = [value for value in (obj.get("binaryData") or {}).values() if isinstance(value, str)]
    if obj.get("kind") == "Secret":
        data, encoded = [], data
    size = sum(len(value.encode()) for value in data)
    for value in encoded:
        # Four characters are three bytes; the padding stands for none.
        size += len(value) // 4 * 3 - value[-2:].count("=")
    return size


def check_namespace(resource: Resource, meta: dict[str, Any], namespace: str) -> None:
    """Set the namespace of a new object, or refuse one that contradicts the URL. Raises StatusError 400."""
    if not resource.namespaced:
        meta.pop("namespace", None)
        return
    if not namespace:
        raise errors.bad_request("an empty namespace may not be set during creation")
    if (meta.get("namespace") or namespace) != namespace:
        raise errors.bad_request(_NAMESPACE_MISMATCH)
    meta["namespace"] = namespace


def set_name(resource: Resource, meta: dict[str, Any], taken: Container[str]) -> None:
    """Set the name of a new object, generated if need be. Raises StatusError 422."""
    if not meta.get("name"):
        prefix = meta.get("generateName")
        if not prefix:
            cause = ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
            raise errors.invalid(resource.group, resource.kind, "", [cause])
        while True:
            meta["name"] = prefix[:58] + "".join(random.choices(_SUFFIX_ALPHABET, k=5))
            if object_key(meta.get("namespace", ""), meta["name"]) not in taken:
                break
    name = meta["name"]
    if name in (".", "..") or "/" in name or "%" in name or len(name) > 253:
        cause = ("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": not a valid path segment name')
        raise errors.invalid(resource.group, resource.kind, name, [cause])


def set_defaults(resource: Resource, obj: dict[str, Any]) -> None:
    """Set what a new object gets from a real server and a field selector can see. Other defaults are not set."""
    if resource.storage == "pods":
        spec = {"restartPolicy": "Always", "schedulerName": "default-scheduler", **_part(obj, "spec")}
        obj["spec"] = spec
        obj["status"] = {"phase": "Pending", **_part(obj, "status")}
    elif resource.storage == "namespaces":
        meta = obj["metadata"]
        meta["labels"] = {**meta.get("labels", {}), "kubernetes.io/metadata.name": meta["name"]}
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    elif resource.storage == "services":
        obj["spec"] = {"type": "ClusterIP", **_part(obj, "spec")}
        obj["status"] = {"loadBalancer": {}, **_part(obj, "status")}
    elif resource.storage == "secrets":
        obj.setdefault("type", "Opaque")


def _part(obj: dict[str, Any], name: str) -> dict[str, Any]:
    part = obj.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise errors.bad_request(f"{name} must be an object")
    return part


def check_update(
    resource: Resource, old: dict[str, Any], new: dict[str, Any], *, name: str, namespace: str, trusted: bool
) -> None:
    """Refuse an update that contradicts the URL or what is stored. Raises StatusError 400, 409 or 422."""
    before, after = old["metadata"], new["metadata"]
    if after.setdefault("name", name) != name:
        given = after["name"]
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    if resource.namespaced and (after.get("namespace") or namespace) != namespace:
        raise errors.bad_request(_NAMESPACE_MISMATCH)
    if not trusted and after.get("uid") and after["uid"] != before["uid"]:
        why = f"Precondition failed: UID in precondition: {after['uid']}, UID in object meta: {before['uid']}"
        raise errors.conflict(resource.group, resource.plural, name, why)
    wanted = after.get("resourceVersion")
    if resource.custom and not wanted and not trusted:
        cause = ("metadata.resourceVersion", "FieldValueInvalid", "Invalid value: 0: must be specified for an update")
        raise errors.invalid(resource.group, resource.kind, name, [cause])
    if wanted and wanted != "0" and wanted != before["resourceVersion"]:
        raise errors.conflict(resource.group, resource.plural, name)
    added = set(after.get("finalizers") or ()) - set(before.get("finalizers") or ())
    if before.get("deletionTimestamp") and added:
        why = "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        cause = ("metadata.finalizers", "FieldValueForbidden", why + str(sorted(added)))
        raise errors.invalid(resource.group, resource.kind, name, [cause])


def merge_update(
    resource: Resource, old: dict[str, Any], new: dict[str, Any], subresource: str, trusted: bool
) -> dict[str, Any]:
    """Return what is stored of an update: the parts that the caller may write, the rest as it was."""
    if subresource == "status":
        merged = dict(old)
        merged.pop("status", None)
        return {**merged, "status": new["status"]} if "status" in new else merged
    meta = {name: value for name, value in new["metadata"].items() if name not in (*_SERVER_META, "selfLink")}
    meta.update({name: old["metadata"][name] for name in _SERVER_META if name in old["metadata"]})
    meta["resourceVersion"] = old["metadata"]["resourceVersion"]
    merged = {**new, "metadata": meta}
    if resource.status and not trusted:
        merged.pop("status", None)
        if "status" in old:
            merged["status"] = old["status"]
    return merged


def check_preconditions(resource: Resource, current: Record, preconditions: dict[str, Any]) -> None:
    """Refuse a deletion whose preconditions do not hold. Raises StatusError 409."""
    held = {"uid": ("UID", current.uid), "resourceVersion": ("ResourceVersion", str(current.revision))}
    for field, (label, actual) in held.items():
        wanted = preconditions.get(field)
        if wanted is not None and wanted != actual:
            why = f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {actual}"
            raise errors.conflict(resource.group, resource.plural, current.name, why)
