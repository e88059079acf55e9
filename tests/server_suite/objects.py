"""What the tests of the suite write: config maps of a namespace, the smallest objects there are."""

from __future__ import annotations

from typing import Any

from kubeinformer.testing.objects import config_map

from .servers import Api

WATCH_LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
END = {"k8s.io/initial-events-end": "true"}
"""The annotations of the bookmark that ends the initial events."""


def maps_of(namespace: str) -> str:
    """Return the path of a namespace's config maps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def create(api: Api, maps: str, *names: str, **labels: str) -> list[dict[str, Any]]:
    """Create config maps and return them as stored."""
    namespace = maps.split("/")[4]
    answers = [api.post(maps, config_map(name, namespace, data={"n": "0"}, labels=labels)) for name in names]
    assert [answer.status for answer in answers] == [201] * len(names)
    return [answer.json for answer in answers]


def patch(api: Api, maps: str, name: str, change: dict[str, Any]) -> dict[str, Any]:
    """Merge a change into a config map and return it as stored."""
    answer = api.patch(f"{maps}/{name}", change)
    assert answer.status == 200
    changed: dict[str, Any] = answer.json
    return changed


def revision_of(obj: dict[str, Any]) -> int:
    """Return the resourceVersion of an object as a number."""
    return int(obj["metadata"]["resourceVersion"])


def now(api: Api, maps: str) -> str:
    """Return the revision of the store; what is read from the watch cache is not older from here on."""
    return api.get(maps).revision
