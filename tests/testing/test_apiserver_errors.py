"""Refusals that are the embedded server's own: its switches, and what it leaves out. The rest: tests/server_suite."""

from __future__ import annotations

import json

import pytest
from apiserver_http import Http, chunks, read_head

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, custom_resource_definition

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


def test_s59_forbidden_in_one_namespace_only(server: APIServer, api: Http) -> None:
    server.faults.forbidden(namespace="secret")
    assert api.get("/api/v1/namespaces/secret/pods").status == 403
    assert api.get("/api/v1/namespaces/default/pods").status == 200


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


@pytest.mark.parametrize("accept", [TABLE, "application/vnd.kubernetes.protobuf", "application/yaml"])
def test_s72_what_this_server_leaves_out_is_501_alone_and_passed_over_otherwise(api: Http, accept: str) -> None:
    answer = api.get(MAPS, headers={"Accept": accept})
    assert (answer.status, answer.json["reason"]) == (501, "NotImplemented")
    # Before anything is done: a refused request has changed nothing.
    created = api.request("POST", MAPS, config_map("a"), {"Accept": accept})
    assert created.status == 501
    assert api.get(MAPS).names == []
    answer = api.get(MAPS, headers={"Accept": f"{accept}, application/json"})
    assert (answer.status, answer.json["kind"]) == (200, "ConfigMapList")


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
        ("GET", "/"),
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


@pytest.mark.parametrize("query", [{}, {"fieldSelector": "regarding.kind=Pod"}, {"labelSelector": "app=x"}])
def test_what_takes_a_conversion_is_not_selected_from(server: APIServer, api: Http, query: dict[str, str]) -> None:
    """A selector over what the server cannot read would find nothing, which is no answer."""
    involved = {"kind": "Pod", "name": "a", "namespace": "default"}
    server.create({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"}, "involvedObject": involved})
    path = "/apis/events.k8s.io/v1/namespaces/default/events"
    answer = api.get(path, **query)
    assert (answer.status, answer.json["reason"]) == (501, "NotImplemented")
    with api.watch(path, resourceVersion="0", **query) as stream:
        event = stream.next()
    assert (event["type"], event["object"]["code"]) == ("ERROR", 501)
