"""Create, update, patch and delete, with the rules that a real server applies before it stores anything.

Each public method is one critical section of the store: what it read is what it replaced. A write that changes nothing
neither bumps the revision nor makes an event. ``trusted`` writes are those of the test itself: they may set status in
one go with the rest, and a missing namespace is created for them; requests over HTTP are never trusted.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from kubeinformer.testing import crd, errors, rules
from kubeinformer.testing.resources import Registry, Resource
from kubeinformer.testing.storage import Record, Store, object_key

FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
PROTECTED_NAMESPACES = ("default", "kube-public", "kube-system")


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
        rules.check_schema(resource, record)
        return record

    def create(self, resource: Resource, namespace: str, obj: Any, *, trusted: bool = False) -> Record:
        """Create an object; its uid, creationTimestamp, generation and resourceVersion are set here.

        Raises StatusError: 400, 403 (terminating namespace), 404 (no such namespace), 409 (exists), 422.
        """
        new = rules.checked(resource, obj)
        meta = new["metadata"]
        rules.check_namespace(resource, meta, namespace)
        if meta.get("resourceVersion") and not trusted:
            raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
        for name in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"):
            meta.pop(name, None)
        with self._store.lock:
            collection = self._store.collection(resource.storage)
            if resource.namespaced:
                self._check_namespace_exists(resource, namespace, meta.get("name", ""), create=trusted)
            rules.set_name(resource, meta, collection.items)
            if object_key(namespace, meta["name"]) in collection.items:
                raise errors.already_exists(resource.group, resource.plural, meta["name"])
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = rules.now()
            meta.pop("generation", None)
            if resource.generation:
                meta["generation"] = 1
            if resource.status and not trusted:
                new.pop("status", None)
            rules.set_defaults(resource, new)
            if not trusted:
                rules.check_size(resource, new)
            served = []
            if _is_crd(resource):
                served = crd.resources_of(new)
                new["status"] = crd.established(new, meta["creationTimestamp"])
            record = self._store.put(resource, new)
            for one in served:
                self._registry.add(one)
            return record

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
            rules.check_preconditions(resource, current, preconditions or {})
            if resource.storage == "namespaces":
                return self._delete_namespace(resource, current)
            if _is_crd(resource):
                self._delete_custom_resources(current.to_dict(resource))
            record, gone = self._delete_record(resource, current)
            if gone and resource.namespaced:
                self._finish_namespace(namespace)
            return record, gone

    def namespace(self, namespace: str) -> Record | None:
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
            new = rules.checked(resource, change(current.to_dict(resource)))
            rules.check_update(resource, old, new, name=name, namespace=namespace, trusted=trusted)
            new = rules.merge_update(resource, old, new, subresource, trusted)
            if new == old:
                return current
            if not trusted:
                rules.check_size(resource, new)
            meta = new["metadata"]
            if resource.generation and rules.spec_of(new) != rules.spec_of(old):
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
        meta["deletionTimestamp"] = rules.now()
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
            obj["metadata"]["deletionTimestamp"] = rules.now()
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
        namespace = self.namespace(name)
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
        found = self.namespace(namespace)
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


def _is_crd(resource: Resource) -> bool:
    return resource.group == crd.GROUP and resource.plural == crd.PLURAL
