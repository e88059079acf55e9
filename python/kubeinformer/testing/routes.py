"""From a URL to what it asks for, before anything is looked up.

A path is a resource path iff it has the form ``/api/VERSION/...`` or ``/apis/GROUP/VERSION/...`` with something behind
the version; whether that resource exists is for the handler to say. In the legacy form of a watch the word ``watch``
stands between the version and the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubeinformer.testing.options import truth

_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Target:
    """What a request is about.

    Attributes:
        verb: list, watch, get, create, update, patch, delete or deletecollection; "" when the path is no resource or
            the method is none of the API's. With a name it is a watch in the legacy form alone.
        namespace: None when the path has none; a Namespace object itself is not in a namespace.

    """

    method: str
    path: str
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str | None = None
    name: str = ""
    subresource: str = ""


def parse(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Take a path apart."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(method, path)
    legacy = rest[0] == "watch" and len(rest) > 1
    if legacy:
        rest = rest[1:]
    namespace = None
    inside = rest[0] == "namespaces" and len(rest) >= 3
    if inside and not (group == "" and len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES):
        namespace, rest = rest[1], rest[2:]
    resource, name = rest[0], rest[1] if len(rest) > 1 else ""
    return Target(
        method=method,
        path=path,
        verb=_legacy_verb(method) if legacy else _verb(method, name, query),
        group=group,
        version=version,
        resource=resource,
        namespace=namespace,
        name=name,
        subresource="/".join(rest[2:]),
    )


def _legacy_verb(method: str) -> str:
    return "watch" if method == "GET" else ""


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method == "GET":
        if name:
            return "get"
        return "watch" if truth(query.get("watch")) else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(method, "")
