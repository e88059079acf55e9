"""Refusals and content negotiation: statements 55 to 76, 79, 86, 88 to 90 about real API servers."""

from __future__ import annotations

import gzip
import json
import urllib.request

import pytest
from apiserver_http import Http, chunks, read_head

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, custom_resource_definition, large_pod, pod

MAPS = "/api/v1/namespaces/default/configmaps"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize("code", [401, 403, 404, 422])
def test_s55_a_refused_watch_has_the_status_of_the_refusal(server: APIServer, api: Http, code: int) -> None:
    path, query = MAPS, {"watch": "1"}
    if code == 401:
        server.faults.require_token("t")
    elif code == 403:
        server.faults.forbidden(verb="watch")
    elif code == 404:
        path = "/api/v1/namespaces/default/nothings"
    else:
        query["sendInitialEvents"] = "true"
    answer = api.get(path, **query)
    assert (answer.status, answer.json["kind"], answer.json["code"]) == (code, "Status", code)


def test_s57_watch_cache_not_ready(server: APIServer, api: Http) -> None:
    server.faults.initializing(retry_after=3)
    answer = api.get(MAPS)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
    assert answer.json["reason"] == "TooManyRequests"
    assert answer.json["message"] == "storage is (re)initializing"
    assert answer.json["details"] == {"retryAfterSeconds": 3}
    assert api.get(MAPS).status == 200


@pytest.mark.parametrize("path", ["/apis/nothing.example.com/v1/things", "/apis/apps/v9/deployments", "/nothing"])
def test_s58_an_unknown_group_is_a_text_404(api: Http, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_s58_an_unknown_resource_of_a_known_group_is_a_status_404(api: Http) -> None:
    for path in ("/api/v1/things", "/apis/apps/v1/things/x", "/api/v1/namespaces/default/pods/x/things"):
        answer = api.get(path)
        assert (answer.status, answer.json["kind"], answer.json["reason"]) == (404, "Status", "NotFound")
        assert answer.json["message"] == "the server could not find the requested resource"


def test_s58_a_missing_object_is_named(api: Http) -> None:
    answer = api.get("/apis/apps/v1/namespaces/default/deployments/x")
    assert answer.json["message"] == 'deployments.apps "x" not found'
    assert answer.json["details"] == {"name": "x", "group": "apps", "kind": "deployments"}


def test_s59_forbidden(server: APIServer, api: Http) -> None:
    server.faults.forbidden(user="alice")
    answer = api.get(MAPS)
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert answer.json["message"] == (
        'configmaps is forbidden: User "alice" cannot list resource "configmaps" in API group "" '
        'in the namespace "default"'
    )
    assert api.get("/apis/nothing.example.com/v1/things").status == 403
    cluster = api.get("/apis/apps/v1/deployments", watch="1").json["message"]
    assert cluster.startswith('deployments.apps is forbidden: User "alice" cannot watch resource "deployments"')
    assert cluster.endswith('in API group "apps" at the cluster scope')


def test_s59_forbidden_in_one_namespace_only(server: APIServer, api: Http) -> None:
    server.faults.forbidden(namespace="secret")
    assert api.get("/api/v1/namespaces/secret/pods").status == 403
    assert api.get("/api/v1/namespaces/default/pods").status == 200


def test_s60_unauthorized(server: APIServer, api: Http) -> None:
    server.faults.unauthorized()
    answer = api.get(MAPS)
    assert (answer.status, answer.json["reason"], answer.json["message"]) == (401, "Unauthorized", "Unauthorized")
    assert "WWW-Authenticate" not in answer.headers


def test_s60_a_token_that_rotates(server: APIServer, api: Http) -> None:
    server.faults.require_token("old")
    with api.watch(MAPS, headers={"Authorization": "Bearer old"}) as stream:
        server.faults.require_token("new")
        assert api.get(MAPS, headers={"Authorization": "Bearer old"}).status == 401
        assert api.get(MAPS, headers={"Authorization": "Bearer new"}).status == 200
        server.create(config_map("a"))
        # Statement 56: it is checked only when a request starts.
        assert stream.take(1) == [("ADDED", "a")]
    server.faults.require_token(None)
    assert api.get(MAPS).status == 200


def test_s61_priority_and_fairness(server: APIServer, api: Http) -> None:
    server.faults.too_many_requests(retry_after=7)
    answer = api.get(MAPS)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.body == b"Too many requests, please try again later.\n"


def test_s62_shutting_down(server: APIServer, api: Http) -> None:
    server.faults.shutting_down()
    answer = api.get(MAPS)
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Connection"]) == (429, "5", "close")
    assert answer.body == b"The apiserver is shutting down, please try again later.\n"


def test_s64_a_body_that_is_too_large_is_413(api: Http) -> None:
    answer = api.post(MAPS, config_map("a", data={"k": "v" * (3 * 1024 * 1024)}))
    assert (answer.status, answer.json["reason"]) == (413, "RequestEntityTooLarge")


def test_s70_partial_object_metadata(server: APIServer, api: Http) -> None:
    stored = server.create(pod("a", labels={"app": "x"}))
    expected = {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": stored["metadata"],
    }
    listed = api.get("/api/v1/pods", headers={"Accept": PARTIAL_LIST}).json
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert listed["items"] == [expected]
    path = "/api/v1/namespaces/default/pods/a"
    assert api.get(path, headers={"Accept": PARTIAL}).json == expected
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with api.watch("/api/v1/pods", headers={"Accept": PARTIAL}, **query) as stream:
        assert stream.next() == {"type": "ADDED", "object": expected}
        assert stream.next()["object"]["kind"] == "PartialObjectMetadata"
        server.delete("pods", "a")
        deleted = stream.next()
        assert deleted["object"]["metadata"]["resourceVersion"] == server.resource_version
        assert list(deleted["object"]) == ["kind", "apiVersion", "metadata"]


def test_s70_the_wrong_partial(server: APIServer, api: Http) -> None:
    server.create(pod("a"))
    for path, accept in (
        ("/api/v1/pods", PARTIAL),
        ("/api/v1/namespaces/default/pods/a", PARTIAL_LIST),
    ):
        answer = api.get(path, headers={"Accept": accept})
        assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")
    with api.watch("/api/v1/pods", headers={"Accept": PARTIAL_LIST}) as stream:
        assert stream.status == 200
        assert stream.rest() == []


@pytest.mark.parametrize("accept", ["application/json;as=Nothing;g=x;v=v1", "text/html", "application/cbor"])
def test_s72_what_no_server_produces_is_406_alone_and_passed_over_otherwise(api: Http, accept: str) -> None:
    answer = api.get(MAPS, headers={"Accept": accept})
    assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")
    assert "application/json" in answer.json["message"]
    assert api.get(MAPS, headers={"Accept": f"{accept},application/json"}).status == 200


@pytest.mark.parametrize("accept", [TABLE, "application/vnd.kubernetes.protobuf", "application/yaml"])
def test_s72_what_this_server_leaves_out_is_501_alone_and_passed_over_otherwise(api: Http, accept: str) -> None:
    for query in ({}, {"watch": "1"}):
        answer = api.get(MAPS, headers={"Accept": accept}, **query)
        assert (answer.status, answer.json["reason"]) == (501, "NotImplemented")
    answer = api.get(MAPS, headers={"Accept": f"{accept}, application/json"})
    assert (answer.status, answer.json["kind"]) == (200, "ConfigMapList")


def test_s72_the_best_clause_wins(server: APIServer, api: Http) -> None:
    server.create(config_map("a"))
    kinds = {
        f"{PARTIAL_LIST},application/json": "PartialObjectMetadataList",
        f"application/json;q=0.5,{PARTIAL_LIST}": "PartialObjectMetadataList",
        f"application/json,{PARTIAL_LIST}": "ConfigMapList",
        "*/*": "ConfigMapList",
        "": "ConfigMapList",
    }
    for accept, kind in kinds.items():
        assert api.get(MAPS, headers={"Accept": accept}).json["kind"] == kind


def test_s76_large_lists_are_compressed_for_who_offers_gzip(server: APIServer, api: Http) -> None:
    offered = {"Accept-Encoding": "gzip"}
    server.create(pod("small"))
    assert "Content-Encoding" not in api.get("/api/v1/pods", headers=offered).headers
    for number in range(20):
        server.create(large_pod(f"large-{number}"))
    plain = api.get("/api/v1/pods")
    assert "Content-Encoding" not in plain.headers
    compressed = api.get("/api/v1/pods", headers=offered)
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert compressed.headers["Vary"] == "Accept-Encoding"
    assert len(compressed.body) < len(plain.body) / 4
    assert gzip.decompress(compressed.body) == plain.body
    refused = api.get("/api/v1/pods", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in refused.headers
    with api.watch("/api/v1/pods", headers=offered) as stream:
        assert "Content-Encoding" not in stream.response.headers


def test_s76_a_large_object_is_compressed_too(server: APIServer, api: Http) -> None:
    stored = server.create(config_map("a", data={"k": "v" * 200_000}))
    answer = api.get(MAPS + "/a", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body)) == stored


def test_s79_headers(api: Http) -> None:
    for answer in (api.get(MAPS), api.get(MAPS + "/missing"), api.get("/api")):
        assert answer.headers["Audit-Id"]
        assert answer.headers["X-Kubernetes-Pf-Flowschema-Uid"]
    assert api.get(MAPS).headers["Cache-Control"] == "no-cache, private"


def test_s86_a_shard_selector_is_ignored_without_an_echo(server: APIServer, api: Http) -> None:
    for number in range(8):
        server.create(config_map(f"m{number}"))
    selector = "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')"
    answer = api.get(MAPS, shardSelector=selector)
    assert len(answer.names) == 8
    assert "shardInfo" not in answer.json["metadata"]


def test_s88_discovery(api: Http) -> None:
    for slash in ("", "/"):
        assert api.get("/api" + slash).json["versions"] == ["v1"]
        groups = {group["name"]: group for group in api.get("/apis" + slash).json["groups"]}
        resources = {entry["name"]: entry for entry in api.get("/api/v1" + slash).json["resources"]}
    assert groups["autoscaling"]["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
    assert [version["version"] for version in groups["autoscaling"]["versions"]] == ["v2", "v1"]
    assert groups["coordination.k8s.io"]["preferredVersion"]["version"] == "v1"
    assert api.get("/apis/apps").json["name"] == "apps"
    assert resources["pods"] == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["po"],
        "categories": ["all"],
    }
    assert resources["pods/status"]["verbs"] == ["get", "patch", "update"]
    assert not resources["nodes"]["namespaced"]
    deployments = api.get("/apis/apps/v1").json
    assert (deployments["kind"], deployments["groupVersion"]) == ("APIResourceList", "apps/v1")
    assert api.get("/apis/apps/v7").status == 404
    assert api.get("/apis/nothing").body == b"404 page not found\n"


def test_s88_aggregated_discovery(api: Http) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = api.get("/apis", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == accept.split(",", maxsplit=1)[0]
    assert answer.headers["Cache-Control"] == "public"
    items = {item["metadata"]["name"]: item for item in answer.json["items"]}
    assert "" not in items
    (version,) = items["apps"]["versions"]
    resources = {entry["resource"]: entry for entry in version["resources"]}
    assert resources["deployments"]["responseKind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert resources["deployments"]["scope"] == "Namespaced"
    assert resources["deployments"]["subresources"][0]["subresource"] == "status"
    again = api.get("/apis", headers={"Accept": accept, "If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    (core,) = api.get("/api", headers={"Accept": accept}).json["items"]
    assert core["metadata"]["name"] == ""
    old = accept.replace("v=v2", "v=v2beta1")
    assert api.get("/apis", headers={"Accept": old}).json["kind"] == "APIGroupList"


def test_s89_version_and_health(server: APIServer, api: Http) -> None:
    assert api.get("/version").json["gitVersion"].startswith("v1.")
    for path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
        with urllib.request.urlopen(server.url + path) as response:
            assert response.read() == b"ok"
    assert api.get("/openapi/v3").status == 501


def test_s90_a_custom_resource_comes_and_goes(api: Http) -> None:
    assert api.get(WIDGETS).body == b"404 page not found\n"
    created = api.post(CRDS, custom_resource_definition("example.com", "widgets", "Widget"))
    assert {c["type"]: c["status"] for c in created.json["status"]["conditions"]}["Established"] == "True"
    assert api.get(WIDGETS).status == 200
    assert api.get("/apis/example.com/v1").json["resources"][0]["kind"] == "Widget"
    for name in ("a", "b"):
        new = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}}
        assert api.post(WIDGETS, new).status == 201
    with api.watch(WIDGETS, resourceVersion=api.get(WIDGETS).revision) as stream:
        assert api.delete(CRDS + "/widgets.example.com").status == 200
        assert [event["type"] for event in stream.rest()] == ["DELETED", "DELETED"]
    answer = api.get(WIDGETS)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    api.post(CRDS, custom_resource_definition("example.com", "widgets", "Widget"))
    assert api.get(WIDGETS).names == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/default/pods/x/log"),
        ("GET", "/apis/apps/v1/namespaces/default/deployments/x/scale"),
        ("POST", "/api/v1/namespaces/default/pods/x/eviction"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("GET", "/api/v1/componentstatuses"),
        ("GET", "/api/v1/watch/pods"),
        ("GET", "/openapi/v2"),
        ("GET", "/metrics"),
        ("POST", "/api/v1/namespaces/default/configmaps?dryRun=All"),
        ("DELETE", "/api/v1/namespaces/default/pods/x?propagationPolicy=Foreground"),
    ],
)
def test_what_is_left_out_is_501(api: Http, method: str, path: str) -> None:
    answer = api.request(method, path, {} if method == "POST" else None)
    assert (answer.status, answer.json["reason"]) == (501, "NotImplemented")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", MAPS), ("HEAD", MAPS), ("POST", MAPS + "/a"), ("POST", "/api/v1/configmaps"), ("POST", "/apis")],
)
def test_a_method_that_makes_no_sense_is_405(api: Http, method: str, path: str) -> None:
    assert api.request(method, path, None if method == "HEAD" else {}).status == 405


def test_a_refusal_keeps_the_connection(api: Http) -> None:
    with api.raw(MAPS + "/missing") as sock:
        head, _ = read_head(sock)
        assert head.startswith(b"HTTP/1.1 404 ")
        sock.sendall(b"GET /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: test\r\n\r\n")
        head, rest = read_head(sock)
        assert b"200 OK" in head
        assert json.loads(b"".join(chunks(sock, rest)))["items"] == []
