"""Every combination of the options of a LIST and a WATCH, sent to both servers: they answer alike, whatever it is.

The statements say what the answer is where somebody asked; this finds where nobody did.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from apiserver.cluster import Access, Cluster
from kubeinformer.testing import APIServer

from .objects import create, maps_of, now, patch
from .servers import Answer, Api, EmbeddedServer, RealServer

ABSENT = None
# Of these versions each server has its own; the others are sent as they are.
VERSIONS = (ABSENT, "", "0", "old", "now", "abc")
MATCHES = (ABSENT, "", "Exact", "NotOlderThan", "Other")
INITIAL = (ABSENT, "true", "false")
LIMITS = (ABSENT, "0", "2", "x")
TOKENS = (ABSENT, "", "page", "garbage!")
BOOKMARKS = (ABSENT, "true")

LISTS = [
    {"resourceVersion": version, "resourceVersionMatch": match, "sendInitialEvents": initial, "limit": limit}
    | {"continue": token}
    for version, match, initial, limit, token in product(VERSIONS, MATCHES, INITIAL, LIMITS, TOKENS)
    # sendInitialEvents is refused, whatever else is said: with a few others is enough.
    if initial is ABSENT or limit == token == ABSENT
]
WATCHES = [
    {"resourceVersion": version, "resourceVersionMatch": match, "sendInitialEvents": initial, "continue": token}
    | {"allowWatchBookmarks": bookmarks, "watch": "1", "timeoutSeconds": "1"}
    for version, match, initial, token, bookmarks in product(VERSIONS, MATCHES, INITIAL, (ABSENT, "page"), BOOKMARKS)
]


@dataclass(frozen=True)
class Side:
    """One server with the objects of this test, and what each symbol of a query stands for there."""

    api: Api
    maps: str
    symbols: dict[str, str]

    def answer(self, query: dict[str, str | None]) -> Answer:
        given = {name: self.symbols.get(value, value) for name, value in query.items() if value is not None}
        return self.api.get(self.maps, **given)

    def told(self, answer: Answer) -> Any:
        """What an answer says, in terms that both servers share."""
        if answer.status != 200:
            return answer.status, answer.headers["Content-Type"], answer.json
        documents = [json.loads(line) for line in answer.body.splitlines()]
        if not documents or "items" not in documents[0]:
            return [self._event(event) for event in documents if not _is_idle_bookmark(event)]
        meta = answer.json["metadata"]
        token = meta.pop("continue", None)
        start = token and json.loads(base64.urlsafe_b64decode(token + "=="))["start"]
        old = meta.pop("resourceVersion") == self.symbols["old"]
        return answer.names, meta, start, "old" if old else "new"

    def _event(self, event: dict[str, Any]) -> Any:
        if event["type"] == "ERROR":
            return event
        meta = event["object"]["metadata"]
        return event["type"], meta.get("name"), meta.get("annotations")


def _is_idle_bookmark(event: dict[str, Any]) -> bool:
    return event["type"] == "BOOKMARK" and "annotations" not in event["object"]["metadata"]


def prepared(api: Api) -> Side:
    maps = maps_of(api.new_namespace())
    create(api, maps, "a", "b", "c", "d")
    first = api.get(maps, limit=1)
    patch(api, maps, "a", {"data": {"n": "1"}})
    api.delete(f"{maps}/b")
    create(api, maps, "e")
    symbols = {"old": first.revision, "now": now(api, maps), "page": first.json["metadata"]["continue"]}
    return Side(api, maps, symbols)


@pytest.fixture(scope="module")
def sides(shared_cluster: Access) -> Iterator[list[Side]]:
    if not isinstance(shared_cluster, Cluster):
        pytest.skip("the versions of a cluster that others write to are not the test's")
    with APIServer() as server:
        sides = [prepared(one.api) for one in (EmbeddedServer(server), RealServer(shared_cluster))]
        yield sides
        for side in sides:
            side.api.delete_namespace(side.maps.split("/")[4])


@pytest.mark.parametrize(("queries", "at_once"), [(LISTS, 1), (WATCHES, 24)], ids=["list", "watch"])
def test_both_answer_alike(sides: list[Side], queries: list[dict[str, str | None]], at_once: int) -> None:
    differences = []
    with ThreadPoolExecutor(at_once) as pool:
        answers = [list(pool.map(side.answer, queries)) for side in sides]
    for query, embedded, real in zip(queries, *answers, strict=True):
        told, wanted = sides[0].told(embedded), sides[1].told(real)
        if told != wanted:
            differences.append(f"{query}\n  embedded: {told}\n  real:     {wanted}")
    assert not differences, f"{len(differences)} of {len(queries)}:\n" + "\n".join(differences[:20])
