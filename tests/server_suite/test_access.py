"""Statements 55, 56, 59 and 60: who is let in, and when that is looked at; and 84 to 87, which need a flag as well."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from apiserver.cluster import TOKEN
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map

from .flagged import ALICE, AS_ALICE, AuthorizingCluster
from .servers import EMBEDDED, REAL, Api, EmbeddedServer, RealServer, Server

RBAC = "/apis/rbac.authorization.k8s.io/v1"
HALF, WHOLE = "0x8000000000000000", "0x10000000000000000"


@pytest.fixture(scope="module", params=[EMBEDDED, pytest.param(REAL, marks=pytest.mark.apiserver)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that wants a token."""
    if request.param == EMBEDDED:
        with APIServer() as embedded:
            embedded.faults.require_token(TOKEN)
            yield EmbeddedServer(embedded, TOKEN)
        return
    with AuthorizingCluster(request.getfixturevalue("binaries")) as cluster:
        yield RealServer(cluster)


def _allow(server: Server, namespace: str) -> None:
    """Let alice read the config maps of a namespace."""
    folder = f"{RBAC}/namespaces/{namespace}"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    assert server.api.post(f"{folder}/roles", {"metadata": {"name": "reader"}, "rules": [rule]}).status == 201
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ALICE}
    binding = {"metadata": {"name": "alice"}, "roleRef": role, "subjects": [subject]}
    assert server.api.post(f"{folder}/rolebindings", binding).status == 201


def _revoke(server: Server, namespace: str) -> None:
    """Take that away again."""
    assert server.api.delete(f"{RBAC}/namespaces/{namespace}/rolebindings/alice").status == 200
    if isinstance(server, EmbeddedServer):
        server.server.faults.forbidden(user=ALICE, resource="configmaps", namespace=namespace, method="GET")


@pytest.mark.parametrize("token", [None, "Bearer wrong", "Basic YTpi"])
@pytest.mark.parametrize("path", ["/api/v1/configmaps", "/api/v1/foos", "/apis", "/none", "/healthz"])
@pytest.mark.parametrize("query", [{}, {"watch": "1"}], ids=["list", "watch"])
def test_st55_st60_unauthorized(server: Server, path: str, token: str | None, query: dict[str, str]) -> None:
    anonymous = server.api.without_token()
    answer = anonymous.get(path, {"Authorization": token} if token else None, **query)
    assert (answer.status, answer.headers["Content-Type"]) == (401, "application/json")
    assert answer.headers["WWW-Authenticate"] is None
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


@pytest.mark.parametrize(
    ("method", "path", "message", "details"),
    [
        (
            "GET",
            "/api/v1/namespaces/default/configmaps",
            'configmaps is forbidden: User "alice" cannot list resource "configmaps" in API group "" '
            'in the namespace "default"',
            {"kind": "configmaps"},
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps?watch=1",
            'configmaps is forbidden: User "alice" cannot watch resource "configmaps" in API group "" '
            'in the namespace "default"',
            {"kind": "configmaps"},
        ),
        (
            "GET",
            "/api/v1/watch/namespaces/default/configmaps",
            'configmaps is forbidden: User "alice" cannot watch resource "configmaps" in API group "" '
            'in the namespace "default"',
            {"kind": "configmaps"},
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps/a",
            'configmaps "a" is forbidden: User "alice" cannot get resource "configmaps" in API group "" '
            'in the namespace "default"',
            {"name": "a", "kind": "configmaps"},
        ),
        (
            "DELETE",
            "/api/v1/namespaces/default/configmaps",
            'configmaps is forbidden: User "alice" cannot deletecollection resource "configmaps" in API group "" '
            'in the namespace "default"',
            {"kind": "configmaps"},
        ),
        (
            "GET",
            "/api/v1/nodes",
            'nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
            {"kind": "nodes"},
        ),
        (
            "GET",
            "/api/v1/foos",
            'foos is forbidden: User "alice" cannot list resource "foos" in API group "" at the cluster scope',
            {"kind": "foos"},
        ),
        (
            "GET",
            "/apis/none.example.com/v1/foos",
            'foos.none.example.com is forbidden: User "alice" cannot list resource "foos" in API group '
            '"none.example.com" at the cluster scope',
            {"group": "none.example.com", "kind": "foos"},
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/a/status",
            'pods "a" is forbidden: User "alice" cannot get resource "pods/status" in API group "" '
            'in the namespace "default"',
            {"name": "a", "kind": "pods"},
        ),
        (
            "GET",
            "/api/v1/namespaces/default",
            'namespaces "default" is forbidden: User "alice" cannot get resource "namespaces" in API group "" '
            'in the namespace "default"',
            {"name": "default", "kind": "namespaces"},
        ),
        ("GET", "/none", 'forbidden: User "alice" cannot get path "/none"', {}),
    ],
)
def test_st55_st59_forbidden_whether_it_exists_or_not(
    server: Server, method: str, path: str, message: str, details: dict[str, str]
) -> None:
    if isinstance(server, EmbeddedServer):
        server.server.faults.forbidden(user=ALICE, times=1)
    answer = server.api.request(method, path, None, AS_ALICE)
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/json")
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    assert answer.json == {**status, "reason": "Forbidden", "details": details, "code": 403}


def test_st56_a_running_watch_outlives_the_right_to_it(server: Server, api: Api, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    _allow(server, namespace)
    deadline = time.monotonic() + 30
    while (answer := api.get(maps, AS_ALICE)).status != 200:
        assert time.monotonic() < deadline
    with api.watch(maps, AS_ALICE, resourceVersion=answer.revision) as stream:
        assert stream.status == 200
        _revoke(server, namespace)
        deadline = time.monotonic() + 30
        while api.get(maps, AS_ALICE).status != 403:
            assert time.monotonic() < deadline
        assert api.post(maps, config_map("a", namespace)).status == 201
        assert stream.take(1) == [("ADDED", "a")]
    assert api.get(maps, AS_ALICE, watch="1").status == 403


def _fnv1a(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def _shard(start: str, end: str, field: str = "uid") -> str:
    return f"shardRange(object.metadata.{field}, '{start}', '{end}')"


LOW, HIGH = _shard("0x0000000000000000", HALF), _shard(HALF, WHOLE)


@pytest.fixture
def maps(api: Api, namespace: str) -> str:
    """The path of forty config maps."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(40):
        assert api.post(path, config_map(f"m{number:02}", namespace)).status == 201
    return path


@pytest.mark.real_only("the embedded server ignores shards, as a server without the gate does: test_st86")
def test_st84_st85_shards_are_disjoint_and_complete(api: Api, maps: str) -> None:
    items = api.get(maps).json["items"]
    low = {item["metadata"]["name"] for item in items if _fnv1a(item["metadata"]["uid"]) < int(HALF, 16)}
    high = {item["metadata"]["name"] for item in items} - low
    assert low
    assert high
    assert set(api.get(maps, shardSelector=LOW).names) == low
    assert set(api.get(maps, shardSelector=HIGH).names) == high
    assert set(api.get(maps, shardSelector=f"{LOW} || {HIGH}").names) == low | high
    page = api.get(maps, shardSelector=LOW, limit=3)
    assert len(page.names) <= 3
    assert set(page.names) <= low
    with api.watch(maps, resourceVersion="0", shardSelector=HIGH) as stream:
        assert {name for _, name in stream.take(len(high))} == high
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with api.watch(maps, shardSelector=LOW, **initial) as stream:
        assert {name for _, name in stream.take(len(low))} == low
        assert stream.next()["type"] == "BOOKMARK"
    by_namespace = [api.get(maps, shardSelector=_shard(*ends, field="namespace")).names for ends in _HALVES]
    assert sorted(map(len, by_namespace)) == [0, 40]


_HALVES = [("0x0000000000000000", HALF), (HALF, WHOLE)]


@pytest.mark.real_only("the embedded server ignores shards, as a server without the gate does: test_st86")
def test_st86_a_list_echoes_its_shard(api: Api, maps: str) -> None:
    assert api.get(maps, shardSelector=LOW).json["metadata"]["shardInfo"] == {"selector": LOW}


@pytest.mark.real_only("the embedded server ignores shards, as a server without the gate does: test_st86")
@pytest.mark.parametrize(
    "selector",
    [
        "none",
        _shard("0x0", "0x8"),
        _shard("0x0000000000000000", HALF, field="name"),
        f"{LOW} || {_shard(HALF, WHOLE, field='namespace')}",
    ],
)
def test_st84_st87_bad_shard_selectors(api: Api, maps: str, selector: str) -> None:
    for query in ({}, {"watch": "1"}):
        answer = api.get(maps, shardSelector=selector, **query)
        assert (answer.status, answer.json.get("reason")) == (500, None)
        assert answer.json["message"].startswith("invalid shard selector: ")
