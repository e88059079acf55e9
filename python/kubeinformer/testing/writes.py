"""Create, update, patch and delete, with the rules that a real server applies before it stores anything.

Each public method is one critical section of the store: what it read is what it replaced. A write that changes nothing
neither bumps the revision nor makes an event. ``trusted`` writes are those of the test itself: they may set status in
one go with the rest, and a missing namespace is created for them; requests over HTTP are never trusted.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kubeinformer.testing import crd, errors
from kubeinformer.testing.resources import Registry, Resource
from kubeinformer.testing.storage import Collection, Record, Store, object_key

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
FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
PROTECTED_NAMESPACES = ("default", "kube-public", "kube-system")


def now() -> str:
    """Return the time of now as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Writer:
    """All writes to one store. Thread-safe; nothing blocks longer than another write takes."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._namespaces = registry.resolve("namespaces")
        for name in FIRST_NAMESPACES:
            self.create(self._namespaces, "", {"metadata": {"name": name}}, trusted=True)

    def get(self, resource: Resource, namespace: str, name: str) -> Record:
        """One object. Raises StatusError 404, or 501 when it would need a conversion."""
        with self._store.lock:
            record = self._store.collection(resource.storage).items.get(object_key(namespace, name))
        if record is None:
            raise errors.not_found(resource.group, resource.plural, name)
        check_schema(resource, record)
        return record

    def create(self, resource: Resource, namespace: str, obj: Any, *, trusted: bool = False) -> Record:
        """Create an object; its uid, creationTimestamp, generation and resourceVersion are set here.

        Raises StatusError: 400, 403 (terminating namespace), 404 (no such namespace), 409 (exists), 422.
        """
        new = _checked(resource, obj)
        meta = new["metadata"]
        _check_namespace(resource, meta, namespace)
        if meta.get("resourceVersion") and not trusted:
            raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
        for name in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"):
            meta.pop(name, None)
        with self._store.lock:
            collection = self._store.collection(resource.storage)
            if resource.namespaced:
                self._check_namespace_exists(resource, namespace, meta.get("name", ""), create=trusted)
            _set_name(resource, meta, collection)
            if object_key(namespace, meta["name"]) in collection.items:
                raise errors.already_exists(resource.group, resource.plural, meta["name"])
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = now()
            meta.pop("generation", None)
            if resource.generation:
                meta["generation"] = 1
            if resource.status and not trusted:
                new.pop("status", None)
            _set_defaults(resource, new)
            if _is_crd(resource):
                served = crd.resources_of(new)
                new["status"] = crd.established(new, meta["creationTimestamp"])
                for one in served:
                    self._registry.add(one)
            return self._store.put(resource, new)

    def update(
        self, resource: Resource, namespace: str, name: str, obj: Any, *, subresource: str = "", trusted: bool = False
    ) -> Record:
        """Replace an object, or with ``subresource="status"`` its status alone.

        Raises StatusError: 400, 404, 409 (resourceVersion or uid does not match), 422.
        """
        return self._write(resource, namespace, name, lambda _: obj, subresource=subresource, trusted=trusted)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        subresource: str = "",
        trusted: bool = False,
    ) -> Record:
        """Replace an object by what ``change`` makes of it. Raises as :meth:`update`, and what ``change`` raises."""
        return self._write(resource, namespace, name, change, subresource=subresource, trusted=trusted)

    def delete(self, resource: Resource, namespace: str, name: str, preconditions: Any = None) -> tuple[Record, bool]:
        """Delete an object, or mark it for deletion while it has finalizers.

        A namespace takes its objects with it, a CustomResourceDefinition its custom resources: the server does at once
        what controllers do on a real cluster. Returns the last state and whether it is gone. Raises StatusError 404,
        and 409 when a precondition (``uid``, ``resourceVersion``) does not hold.
        """
        with self._store.lock:
            current = self.get(resource, namespace, name)
            _check_preconditions(resource, current, preconditions or {})
            if resource.storage == "namespaces":
                return self._delete_namespace(resource, current)
            if _is_crd(resource):
                self._delete_custom_resources(current.to_dict(resource))
            record, gone = self._delete_record(resource, current)
            if gone and resource.namespaced:
                self._finish_namespace(namespace)
            return record, gone

    def check_namespace(self, namespace: str) -> Record | None:
        """Return the Namespace object, or None."""
        with self._store.lock:
            return self._store.collection("namespaces").items.get(namespace)

    def _write(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        subresource: str,
        trusted: bool,
    ) -> Record:
        with self._store.lock:
            current = self.get(resource, namespace, name)
            old = current.to_dict(resource)
            # A patch may return parts of what it was given: it gets a decode of its own.
            new = _checked(resource, change(current.to_dict(resource)))
            _check_update(resource, old, new, name=name, namespace=namespace, trusted=trusted)
            new = _merge_update(resource, old, new, subresource, trusted)
            if new == old:
                return current
            meta = new["metadata"]
            if resource.generation and _spec(new) != _spec(old):
                meta["generation"] = old["metadata"].get("generation", 0) + 1
            if _is_crd(resource):
                self._replace_custom_resources(new)
            if meta.get("deletionTimestamp") and not meta.get("finalizers"):
                removed = self._store.remove(self._store.collection(resource.storage), current.key)
                self._finish_namespace(namespace)
                return removed
            return self._store.put(resource, new)

    def _delete_record(self, resource: Resource, current: Record) -> tuple[Record, bool]:
        collection = self._store.collection(resource.storage)
        obj = current.to_dict(resource)
        meta = obj["metadata"]
        if not meta.get("finalizers"):
            return self._store.remove(collection, current.key), True
        if meta.get("deletionTimestamp"):
            return current, False
        meta["deletionTimestamp"] = now()
        meta["deletionGracePeriodSeconds"] = 0
        if "generation" in meta:
            meta["generation"] += 1
        return self._store.put(resource, obj), False

    def _delete_namespace(self, resource: Resource, current: Record) -> tuple[Record, bool]:
        if current.name in PROTECTED_NAMESPACES:
            message = f'namespaces "{current.name}" is forbidden: this namespace may not be deleted'
            raise errors.StatusError(403, "Forbidden", message, {"name": current.name, "kind": "namespaces"})
        obj = current.to_dict(resource)
        if not obj["metadata"].get("deletionTimestamp"):
            obj["metadata"]["deletionTimestamp"] = now()
            obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
            current = self._store.put(resource, obj)
        for served in self._namespaced():
            collection = self._store.collection(served.storage)
            inside = [collection.items[key] for key in collection.keys if key.startswith(current.name + "/")]
            for record in inside:
                if record.schema == served.schema:
                    self._delete_record(served, record)
        return current, self._finish_namespace(current.name)

    def _finish_namespace(self, name: str) -> bool:
        """Remove a terminating namespace once nothing is left in it."""
        namespace = self.check_namespace(name)
        if namespace is None or namespace.fields.get("status.phase") != "Terminating":
            return False
        for served in self._namespaced():
            keys = self._store.collection(served.storage).keys
            if any(key.startswith(name + "/") for key in keys):
                return False
        self._store.remove(self._store.collection("namespaces"), name)
        return True

    def _namespaced(self) -> list[Resource]:
        """One resource a storage and schema, so that each object is found once."""
        found: dict[tuple[str, str], Resource] = {}
        for versions in self._registry.groups().values():
            for resources in versions.values():
                for resource in resources:
                    if resource.namespaced:
                        found.setdefault((resource.storage, resource.schema), resource)
        return list(found.values())

    def _check_namespace_exists(self, resource: Resource, namespace: str, name: str, *, create: bool) -> None:
        found = self.check_namespace(namespace)
        if found is None and create:
            self.create(self._namespaces, "", {"metadata": {"name": namespace}}, trusted=True)
        elif found is None:
            raise errors.not_found("", "namespaces", namespace)
        elif found.fields.get("status.phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            qualified = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            details = {"name": name, "group": resource.group, "kind": resource.plural, "causes": [cause]}
            raise errors.StatusError(
                403, "Forbidden", f'{qualified} "{name}" is forbidden: {why}', {k: v for k, v in details.items() if v}
            )

    def _replace_custom_resources(self, definition: dict[str, Any]) -> None:
        served = crd.resources_of(definition)
        spec = definition["spec"]
        self._registry.remove(spec["group"], spec["names"]["plural"], keep=[one.version for one in served])
        for one in served:
            self._registry.add(one)

    def _delete_custom_resources(self, definition: dict[str, Any]) -> None:
        spec = definition["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        served = self._registry.versions_of(group, plural)
        if not served:
            return
        collection = self._store.collection(served[0].storage)
        for key in list(collection.keys):
            self._store.remove(collection, key)
        self._registry.remove(group, plural)
        self._store.close(served[0].storage)


def check_schema(resource: Resource, record: Record) -> None:
    """Refuse to serve an object in a version that would need a conversion. Raises StatusError 501."""
    if record.schema != resource.schema:
        raise errors.not_implemented(f"the conversion of {resource.plural} to {resource.api_version}")


def _is_crd(resource: Resource) -> bool:
    return resource.group == crd.GROUP and resource.plural == crd.PLURAL


def _spec(obj: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in obj.items() if name not in ("metadata", "status")}


def _checked(resource: Resource, obj: Any) -> dict[str, Any]:
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
    for name, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        given = new.setdefault(name, expected) or expected
        if given != expected:
            raise errors.bad_request(
                f"the {name} in the data ({given}) does not match the expected {name} ({expected})"
            )
        new[name] = expected
    return new


def _check_namespace(resource: Resource, meta: dict[str, Any], namespace: str) -> None:
    if not resource.namespaced:
        meta.pop("namespace", None)
        return
    if not namespace:
        raise errors.bad_request("an empty namespace may not be set during creation")
    if (meta.get("namespace") or namespace) != namespace:
        raise errors.bad_request(_NAMESPACE_MISMATCH)
    meta["namespace"] = namespace


def _set_name(resource: Resource, meta: dict[str, Any], collection: Collection) -> None:
    if not meta.get("name"):
        prefix = meta.get("generateName")
        if not prefix:
            cause = ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
            raise errors.invalid(resource.group, resource.kind, "", [cause])
        while True:
            meta["name"] = prefix[:58] + "".join(random.choices(_SUFFIX_ALPHABET, k=5))
            if object_key(meta.get("namespace", ""), meta["name"]) not in collection.items:
                break
    name = meta["name"]
    if name in (".", "..") or "/" in name or "%" in name or len(name) > 253:
        cause = ("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": not a valid path segment name')
        raise errors.invalid(resource.group, resource.kind, name, [cause])


def _set_defaults(resource: Resource, obj: dict[str, Any]) -> None:
    """Set what a new object gets from a real server and a field selector can see. Other defaults are not set."""
    if resource.storage == "pods":
        spec = {"restartPolicy": "Always", "schedulerName": "default-scheduler", **(obj.get("spec") or {})}
        obj["spec"] = spec
        obj["status"] = {"phase": "Pending", **(obj.get("status") or {})}
    elif resource.storage == "namespaces":
        meta = obj["metadata"]
        meta["labels"] = {**meta.get("labels", {}), "kubernetes.io/metadata.name": meta["name"]}
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    elif resource.storage == "services":
        obj["spec"] = {"type": "ClusterIP", **(obj.get("spec") or {})}
        obj["status"] = {"loadBalancer": {}, **(obj.get("status") or {})}
    elif resource.storage == "secrets":
        obj.setdefault("type", "Opaque")


def _check_update(
    resource: Resource, old: dict[str, Any], new: dict[str, Any], *, name: str, namespace: str, trusted: bool
) -> None:
    before, after = old["metadata"], new["metadata"]
    if after.setdefault("name", name) != name:
        given = after["name"]
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    if resource.namespaced and (after.get("namespace") or namespace) != namespace:
        raise errors.bad_request(_NAMESPACE_MISMATCH)
    if after.get("uid") and after["uid"] != before["uid"]:
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


def _merge_update(
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


def _check_preconditions(resource: Resource, current: Record, preconditions: dict[str, Any]) -> None:
    held = {"uid": ("UID", current.uid), "resourceVersion": ("ResourceVersion", str(current.revision))}
    for field, (label, actual) in held.items():
        wanted = preconditions.get(field)
        if wanted is not None and wanted != actual:
            why = f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {actual}"
            raise errors.conflict(resource.group, resource.plural, current.name, why)
