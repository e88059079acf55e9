"""What a server serves: its discovery documents, in the aggregated form where it has that, else one by one.

A group's preferred version comes before its other versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from kubeinformer.cli import explain
from kubeinformer.cli.connection import Cluster
from kubeinformer.cli.errors import CommandError
from kubeinformer.errors import APIStatusError, TransportError
from kubeinformer.resource import Resource

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_BODY_LIMIT = 64 << 20
_CONNECT_TIMEOUT = 5.0
_READ_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resource that a name may mean.

    Attributes:
        resource: the resource.
        words: plural, singular, kind and short names, in lower case.
        watchable: whether it can be listed and watched.
    """

    resource: Resource
    words: frozenset[str]
    watchable: bool = True


def discover(cluster: Cluster) -> list[Candidate]:
    """All resources of the server but subresources. Blocks for two requests, or (old servers) for one a version.

    Raises:
        CommandError: the server cannot be reached, refuses, or is no Kubernetes API server.
    """
    found: list[Candidate] = []
    for root in ("/api", "/apis"):
        document = _get(cluster, root)
        aggregated = document.get("kind") == "APIGroupDiscoveryList"
        found += _aggregated(document) if aggregated else _one_by_one(cluster, document)
    return found


def _aggregated(document: dict[str, Any]) -> Iterator[Candidate]:
    for group in document.get("items") or ():
        for version in group.get("versions") or ():
            for item in version.get("resources") or ():
                resource = Resource(
                    group.get("metadata", {}).get("name", ""),
                    version["version"],
                    item["resource"],
                    kind=(item.get("responseKind") or {}).get("kind", ""),
                    namespaced=item.get("scope") == "Namespaced",
                )
                yield _candidate(resource, item, item.get("singularResource"))


def _one_by_one(cluster: Cluster, document: dict[str, Any]) -> Iterator[Candidate]:
    for group, version in _versions(document):
        listing = _get(cluster, f"/apis/{group}/{version}" if group else f"/api/{version}", may_be_missing=True)
        for item in listing.get("resources") or ():
            if "/" not in item["name"]:
                resource = Resource(group, version, item["name"], item.get("kind", ""), bool(item.get("namespaced")))
                yield _candidate(resource, item, item.get("singularName"))


def _versions(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for version in document.get("versions") or ():
        yield "", version
    for group in document.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("version")
        versions = [version["version"] for version in group.get("versions") or ()]
        for version in sorted(versions, key=lambda version: version != preferred):
            yield group["name"], version


def _candidate(resource: Resource, item: dict[str, Any], singular: str | None) -> Candidate:
    words = {resource.plural, singular or resource.kind, resource.kind, *(item.get("shortNames") or ())}
    watchable = {"list", "watch"} <= set(item.get("verbs") or ())
    return Candidate(resource, frozenset(word.lower() for word in words if word), watchable)


def _get(cluster: Cluster, path: str, *, may_be_missing: bool = False) -> dict[str, Any]:
    try:
        response = cluster.transport.request(
            path, (), accept=_AGGREGATED, read_timeout=_READ_TIMEOUT, connect_timeout=_CONNECT_TIMEOUT
        )
    except TransportError as error:
        raise CommandError(explain.unreachable(error, cluster.server)) from error
    try:
        body = response.read_error_body(_BODY_LIMIT)  # the one way of reading that undoes all codings of a body
    finally:
        response.close(complete=True)
    # An aggregated API whose server is down is listed but answers 503: it must not hide all the others.
    if may_be_missing and response.status in (404, 503):
        return {}
    if response.status != 200:
        refusal = APIStatusError("", code=response.status, body=body)
        raise CommandError(explain.refused(refusal, f"read {path}", cluster.server))
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise CommandError(f"what answers at {cluster.server} is no Kubernetes API server: {path} is not JSON")
    return document
