"""Statements 88 to 90: discovery, version, health, and custom resources that come and go."""

from __future__ import annotations

import time
import uuid

import pytest

from kubeinformer.testing.objects import custom_resource_definition

from .servers import Api

JSON = "application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_st88_plain_discovery(api: Api) -> None:
    core = api.get("/api").json
    assert (core["kind"], core["versions"]) == ("APIVersions", ["v1"])
    groups = api.get("/apis").json
    assert (groups["kind"], groups["apiVersion"]) == ("APIGroupList", "v1")
    (apps,) = [group for group in groups["groups"] if group["name"] == "apps"]
    version = {"groupVersion": "apps/v1", "version": "v1"}
    assert apps == {"name": "apps", "versions": [version], "preferredVersion": version}
    assert api.get("/apis/apps").json == {"kind": "APIGroup", "apiVersion": "v1", **apps}
    listed = api.get("/api/v1").json
    assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", "v1")
    assert "apiVersion" not in listed
    resources = {resource["name"]: resource for resource in listed["resources"]}
    pods = resources["pods"]
    assert {key: pods[key] for key in ("singularName", "namespaced", "kind", "shortNames", "categories")} == {
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "shortNames": ["po"],
        "categories": ["all"],
    }
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    assert sorted(pods["verbs"]) == verbs
    assert resources["pods/status"]["verbs"] == ["get", "patch", "update"]
    assert resources["nodes"]["namespaced"] is False
    listed = api.get("/apis/apps/v1").json
    assert (listed["apiVersion"], listed["groupVersion"]) == ("v1", "apps/v1")
    assert "deployments" in {resource["name"] for resource in listed["resources"]}


@pytest.mark.parametrize(("path", "group", "plural"), [("/api", "", "pods"), ("/apis", "apps", "deployments")])
def test_st88_aggregated_discovery(api: Api, path: str, group: str, plural: str) -> None:
    answer = api.get(path, {"Accept": f"{AGGREGATED},{JSON}"})
    assert answer.headers["Content-Type"] == AGGREGATED
    assert answer.headers["Cache-Control"] == "public"
    assert answer.headers["Vary"] == "Accept"
    document = answer.json
    assert (document["kind"], document["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    (found,) = [item for item in document["items"] if item["metadata"].get("name", "") == group]
    (version,) = found["versions"]
    assert (version["version"], version["freshness"]) == ("v1", "Current")
    (resource,) = [one for one in version["resources"] if one["resource"] == plural]
    kind = {"group": "", "version": "", "kind": plural.capitalize().removesuffix("s")}
    assert resource["responseKind"] == kind
    assert (resource["scope"], resource["singularResource"]) == ("Namespaced", plural.removesuffix("s"))
    (status,) = [one for one in resource["subresources"] if one["subresource"] == "status"]
    assert status == {"subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"]}


def test_st88_the_etag_spares_the_document(api: Api) -> None:
    first = api.get("/apis", {"Accept": AGGREGATED})
    etag = first.headers["ETag"]
    assert etag.startswith('"')
    spared = api.get("/apis", {"Accept": AGGREGATED, "If-None-Match": etag})
    assert (spared.status, spared.body, spared.headers["ETag"]) == (304, b"", etag)
    assert spared.headers["Content-Type"] is None
    for other in ('"other"', f"W/{etag}"):
        assert api.get("/apis", {"Accept": AGGREGATED, "If-None-Match": other}).json == first.json


def test_st88_where_the_plain_form_comes_back(api: Api) -> None:
    beta = AGGREGATED.replace("v=v2", "v=v2beta1")
    answer = api.get("/apis", {"Accept": f"{beta},{JSON}"})
    assert (answer.headers["Content-Type"], answer.json["kind"]) == (JSON, "APIGroupList")
    answer = api.get("/apis/apps/v1", {"Accept": f"{AGGREGATED},{JSON}"})
    assert (answer.headers["Content-Type"], answer.json["kind"]) == (JSON, "APIResourceList")
    for path, accept in (("/apis", beta), ("/apis", "text/html"), ("/apis/apps", AGGREGATED)):
        answer = api.get(path, {"Accept": accept})
        assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")


def test_st89_version_and_health(api: Api) -> None:
    version = api.get("/version").json
    assert version["major"] == "1"
    assert version["gitVersion"].startswith(f"v1.{version['minor']}.")
    for path in ("/healthz", "/livez", "/readyz"):
        answer = api.get(path)
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.left_out("no OpenAPI")
@pytest.mark.parametrize("path", ["/openapi/v2", "/openapi/v3"])
def test_st89_openapi(api: Api, path: str) -> None:
    answer = api.get(path)
    assert answer.status == 200
    if path == "/openapi/v2":
        assert answer.headers["ETag"]
        assert answer.json["swagger"] == "2.0"
    else:
        assert {"api/v1", "apis/apps/v1"} < set(answer.json["paths"])


def test_st90_a_custom_resource_comes_and_goes(api: Api, namespace: str) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    widgets = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    gone = (404, b"404 page not found\n")
    assert (api.get(widgets).status, api.get(widgets).body) == gone
    assert api.post(DEFINITIONS, custom_resource_definition(group, "widgets", "Widget")).status == 201
    deadline = time.monotonic() + 60
    while (answer := api.get(widgets)).status != 200:
        assert answer.status in (404, 429)
        assert time.monotonic() < deadline
    typed = {"apiVersion": f"{group}/v1", "kind": "Widget"}
    for name in ("a", "b"):
        assert api.post(widgets, {**typed, "metadata": {"name": name}}).status == 201
    assert api.get(f"/apis/{group}").json["preferredVersion"] == {"groupVersion": f"{group}/v1", "version": "v1"}
    with api.watch(widgets, resourceVersion=api.get(widgets).revision) as stream:
        assert api.delete(f"{DEFINITIONS}/widgets.{group}").status == 200
        # One DELETED each, and the end as that of any watch.
        events = [(event["type"], event["object"]["metadata"]["name"]) for event in stream.rest()]
    assert sorted(event for event in events if event[0] == "DELETED") == [("DELETED", "a"), ("DELETED", "b")]
    assert {kind for kind, _ in events} <= {"DELETED", "MODIFIED"}
    deadline = time.monotonic() + 10
    while api.get(widgets).status != 404:
        assert time.monotonic() < deadline
    assert (api.get(widgets).status, api.get(widgets).body) == gone
