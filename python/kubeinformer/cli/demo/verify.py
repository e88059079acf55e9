"""The demo's proof: cache, indices and handler against a fresh LIST, compared by what they must be, not by counts.

`differences` is empty iff every object is equal as JSON, every index has exactly the keys that the listed objects give
it, and the handler's replica has the same keys and versions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kubeinformer import KubeObject, SharedIndexInformer
from kubeinformer.cli.errors import CommandError
from kubeinformer.errors import TransportError
from kubeinformer.transport import Transport

_WHOLE_BODY = 1 << 40
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Listing:
    """A LIST of all pods.

    Attributes:
        version: its resourceVersion.
        objects: by key, without managedFields.
    """

    version: int
    objects: dict[str, dict[str, Any]]


def list_pods(transport: Transport) -> Listing:
    """Ask the server, past every cache.

    Raises:
        CommandError: it did not answer with a list.
    """
    try:
        response = transport.request("/api/v1/pods", (), read_timeout=60.0, connect_timeout=5.0)
    except TransportError as error:
        raise CommandError(f"the LIST to compare with failed: {error}") from error
    try:
        body = response.read_error_body(_WHOLE_BODY)  # the one way of reading that undoes all codings of a body
    finally:
        response.close(complete=True)
    if response.status != 200:
        raise CommandError(f"the server answered a LIST of pods with {response.status}")
    listed = orjson.loads(body)
    objects = {}
    for item in listed["items"]:
        meta = item["metadata"]
        meta.pop("managedFields", None)
        objects[f"{meta['namespace']}/{meta['name']}"] = {"apiVersion": "v1", "kind": "Pod", **item}
    return Listing(int(listed["metadata"]["resourceVersion"]), objects)


def differences(listing: Listing, informer: SharedIndexInformer[KubeObject], versions: Mapping[str, str]) -> list[str]:
    """What is not as listed, a line each; `versions` is the handler's replica."""
    cached = {obj.key: orjson.loads(obj.raw) for obj in informer.indexer().list()}
    replica = {key: item["metadata"]["resourceVersion"] for key, item in listing.objects.items()}
    lines = _compare("the cache", cached, listing.objects)
    lines += _compare("the handler's replica", versions, replica)
    for name, values in _index_values(listing.objects.values()).items():
        indexer = informer.indexer()
        found = {value: list(indexer.index_keys(name, value)) for value in indexer.list_index_func_values(name)}
        lines += _compare(f"the index {name}", found, {value: sorted(keys) for value, keys in values.items()})
    return lines


def _compare(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    wrong = [
        *(f"{what} lacks {key}" for key in expected.keys() - found.keys()),
        *(f"{what} has {key}, which is not listed" for key in found.keys() - expected.keys()),
        *(f"{what} has another {key}" for key in expected.keys() & found.keys() if expected[key] != found[key]),
    ]
    return [*wrong[:_SHOWN], *([f"{what}: {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else [])]


def _index_values(objects: Iterable[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    indices: dict[str, dict[str, list[str]]] = {name: defaultdict(list) for name in ("node", "owner", "app")}
    for obj in objects:
        meta = obj["metadata"]
        key = f"{meta['namespace']}/{meta['name']}"
        if node := obj["spec"].get("nodeName"):
            indices["node"][node].append(key)
        if app := meta.get("labels", {}).get("app"):
            indices["app"][app].append(key)
        for owner in meta.get("ownerReferences", ()):
            if owner.get("controller"):
                indices["owner"][f"{meta['namespace']}/{owner['kind']}/{owner['name']}"].append(key)
    return indices
