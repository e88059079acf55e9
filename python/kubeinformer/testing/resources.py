"""Which resources the server serves, under which path, with which traits.

A :class:`Resource` is one plural name in one version of one group. Versions of one plural share one storage; an object
is readable through a version iff that version has the schema it was written under (``Resource.schema``), because the
server converts nothing but the apiVersion.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubeinformer.testing import builtin

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
META_FIELDS = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True)
class Resource:
    """One resource in one version.

    Attributes:
        storage: the name of its storage, ``plural.group``; shared by its versions.
        schema: objects written under one schema are served only under the same one.
        status: it has a /status subresource.
        generation: the server counts changes of its spec in metadata.generation.
        returns_object: DELETE answers with the object instead of a Status.
        custom: defined by a CustomResourceDefinition or ``APIServer.register``.
        fields: field label -> path, beyond metadata.name and metadata.namespace.
        unserved: subresources that are answered with 501.

    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    storage: str
    schema: str
    status: bool = False
    generation: bool = False
    returns_object: bool = False
    custom: bool = False
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    unserved: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def cached(self) -> bool:
        """Whether a real server serves it from a watch cache: events it reads from etcd each time."""
        return self.storage != "events"

    @property
    def supported_fields(self) -> frozenset[str]:
        """Every field label that a field selector may use."""
        if (not self.namespaced and self.own_field_labels) or self.storage in builtin.WITHOUT_NAMESPACE_LABEL:
            return frozenset(["metadata.name", *self.fields])
        return frozenset([*META_FIELDS, *self.fields])

    @property
    def own_field_labels(self) -> bool:
        """Whether its field labels are its own: one that has none of its own takes metadata.namespace in any scope."""
        return self.custom or bool(self.fields)

    @property
    def prefix(self) -> bytes:
        """How the JSON of its objects begins, up to ``"metadata"``: built-in and custom types differ in the order."""
        if self.custom:
            return b'{"apiVersion":"%s","kind":"%s",' % (self.api_version.encode(), self.kind.encode())
        return b'{"kind":"%s","apiVersion":"%s",' % (self.kind.encode(), self.api_version.encode())

    def selectable(self, obj: Mapping[str, Any]) -> dict[str, str]:
        """Return the values of its field labels in an object."""
        return {label: _field_text(obj, path) for label, path in self.fields.items()}


def _field_text(obj: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    dotted = ".".join(path)
    if dotted in builtin.FALSE_WHEN_ABSENT:
        return "false"
    return "0" if dotted in builtin.ZERO_WHEN_ABSENT else ""


def storage_name(group: str, plural: str) -> str:
    """``plural.group``, or the plural alone for the core group: the name of a resource without its version."""
    return f"{plural}.{group}" if group else plural


class Registry:
    """The resources served now; thread-safe.

    A resource is found by its path iff it is built in, was registered, or its CustomResourceDefinition exists.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # Group -> version -> plural.
        self._groups: dict[str, dict[str, dict[str, Resource]]] = {}
        for resource in _built_in():
            self.add(resource)
        self._built_in = frozenset(self._groups)

    def add(self, resource: Resource) -> None:
        """Serve one more resource, or replace it."""
        with self._lock:
            versions = self._groups.setdefault(resource.group, {})
            versions.setdefault(resource.version, {})[resource.plural] = resource

    def remove(self, group: str, plural: str, keep: Iterable[str] = ()) -> None:
        """Serve a resource no longer, except in the versions to keep. Versions and groups left empty go too."""
        with self._lock:
            versions = self._groups.get(group, {})
            for version in [v for v in versions if v not in frozenset(keep)]:
                versions[version].pop(plural, None)
                if not versions[version]:
                    del versions[version]
            if not versions:
                self._groups.pop(group, None)

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Group -> version -> its resources, the preferred version of a group first."""
        with self._lock:
            return {
                group: {version: list(versions[version].values()) for version in _by_priority(versions)}
                for group, versions in self._groups.items()
            }

    def built_in(self, group: str) -> bool:
        """Whether a group has built-in resources: it says itself what it has not, in a Status instead of plain text."""
        return group in self._built_in

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource of a path."""
        with self._lock:
            return self._groups.get(group, {}).get(version, {}).get(plural)

    def for_object(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource that objects of this apiVersion and kind belong to."""
        group, _, version = api_version.rpartition("/")
        with self._lock:
            for resource in self._groups.get(group, {}).get(version, {}).values():
                if resource.kind == kind:
                    return resource
        return None

    def versions_of(self, group: str, plural: str) -> list[Resource]:
        """One resource in all its versions, the preferred one first."""
        with self._lock:
            versions = self._groups.get(group, {})
            return [versions[v][plural] for v in _by_priority(versions) if plural in versions[v]]

    def resolve(self, name: str) -> Resource:
        """Find a resource by what a person calls it.

        ``pods``, ``Pod``, ``po``, ``deployments.apps`` and ``apps/v1/deployments`` are such names. Raises LookupError
        when nothing, or more than one group, answers to the name. The core group wins a tie.
        """
        with self._lock:
            every = [r for g in self._groups.values() for v in _by_priority(g) for r in g[v].values()]
        for resource in every:
            if name == f"{resource.api_version}/{resource.plural}":
                return resource
        matching: dict[str, Resource] = {}
        for resource in every:
            names = (resource.storage, resource.plural, resource.singular, resource.kind, *resource.short_names)
            if name in names or name == storage_name(resource.group, resource.plural):
                matching.setdefault(resource.group, resource)
        if "" in matching:
            return matching[""]
        if len(matching) != 1:
            found = ", ".join(sorted(storage_name(r.group, r.plural) for r in matching.values())) or "none"
            raise LookupError(f"no single resource is called {name!r} (found: {found})")
        return next(iter(matching.values()))


def _by_priority(versions: Iterable[str]) -> list[str]:
    """Kubernetes' order: v2, v1, v1beta1, v1alpha1; what is no such name comes last, in alphabetical order."""

    def rank(version: str) -> tuple[int, int, int, str]:
        match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
        if match is None:
            return (3, 0, 0, version)
        major, stage, minor = match.groups()
        return ({None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0), version)

    return sorted(versions, key=rank)


def _built_in() -> Iterable[Resource]:
    group = ""
    for line in builtin.TABLE.split("\n"):
        words = line.split()
        if len(words) == 1:
            group = "" if words[0] == "core:" else words[0].rstrip(":")
        elif words:
            yield from _row(group, words)


def _row(group: str, words: list[str]) -> Iterable[Resource]:
    versions, plural, kind, scope, traits, short, *unserved = words
    name = storage_name(group, plural)
    paths = builtin.SELECTABLE_FIELDS.get(name, {})
    for schema in versions.split(","):
        for version in schema.split("+"):
            yield Resource(
                group=group,
                version=version,
                plural=plural,
                kind=kind,
                namespaced=scope == "ns",
                storage=builtin.SHARED_STORAGE.get(name, name),
                schema=f"{group}/{schema}",
                status="S" in traits,
                generation="G" in traits,
                returns_object="D" in traits,
                singular=kind.lower(),
                list_kind=f"{kind}List",
                short_names=() if short == "-" else tuple(short.split(",")),
                categories=("all",) if name in builtin.ALL_CATEGORY else (),
                fields={label: tuple((path or label).split(".")) for label, path in paths.items()},
                unserved=frozenset(unserved[0].removeprefix("/").split(",") if unserved else ()),
            )
