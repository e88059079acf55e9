"""Statements 54, 55, 57, 58, 64, 65 and 79: paths, what is refused in which form, and the headers of all answers."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from kubeinformer.testing.objects import config_map, custom_resource_definition

from .servers import Answer, Api, EmbeddedServer, Server

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _status(answer: Answer, code: int, reason: str) -> dict[str, object]:
    """Check what all refusals have in common; return the Status without it."""
    assert answer.status == code, answer.body
    assert answer.headers["Content-Type"] == "application/json"
    status = answer.json
    assert status.pop("kind") == "Status"
    assert status.pop("apiVersion") == "v1"
    assert status.pop("metadata") == {}
    assert status.pop("status") == "Failure"
    assert status.pop("code") == code
    assert status.pop("reason", "") == reason
    return status


def test_st54_the_legacy_paths_are_watches(api: Api, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b"):
        assert api.post(maps, config_map(name, namespace)).status == 201
    legacy = f"/api/v1/watch/namespaces/{namespace}"
    for path, names in ((f"{legacy}/configmaps", ["a", "b"]), (f"{legacy}/configmaps/b", ["b"]), (legacy, [namespace])):
        with api.watch(path, watch="") as stream:
            assert stream.take(len(names)) == [("ADDED", name) for name in names]
    with api.watch("/apis/apps/v1/watch/deployments", watch="") as stream:
        assert stream.status == 200
    assert _status(api.post("/api/v1/watch/configmaps", {}), 405, "MethodNotAllowed")["details"] == {}
    assert _status(api.get("/api/v1/watch/foos"), 404, "NotFound")["details"] == {}


def test_st54_a_watch_on_a_name_is_a_get(api: Api, namespace: str) -> None:
    """Not what was read in the sources: only a legacy path, or a field selector, watches one object."""
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    stored = api.post(maps, config_map("a", namespace)).json
    assert api.get(f"{maps}/a", watch=1).json == stored
    assert api.get(f"{maps}/none", watch=1).status == 404
    with api.watch(maps, fieldSelector="metadata.name=a", timeoutSeconds=1) as stream:
        assert [event["object"]["metadata"]["name"] for event in stream.rest()] == ["a"]


@pytest.mark.parametrize(
    ("code", "reason", "path", "query"),
    [
        (404, "NotFound", "/api/v1/foos", {}),
        (422, "Invalid", "/api/v1/configmaps", {"sendInitialEvents": "true"}),
        (400, "BadRequest", "/api/v1/configmaps", {"fieldSelector": "spec.none=1"}),
        (400, "BadRequest", "/api/v1/configmaps", {"labelSelector": "a b"}),
    ],
)
def test_st55_a_refused_watch_is_no_stream(api: Api, code: int, reason: str, path: str, query: dict[str, str]) -> None:
    _status(api.get(path, watch=1, **query), code, reason)


def test_st57_a_watch_cache_that_is_not_ready(server: Server, api: Api) -> None:
    """A new custom resource has such a cache for some milliseconds."""
    for _ in range(20):
        group = f"g{uuid.uuid4().hex[:8]}.example.com"
        assert api.post(DEFINITIONS, custom_resource_definition(group, "widgets", "Widget")).status == 201
        if isinstance(server, EmbeddedServer):
            server.server.faults.initializing(path=f"/apis/{group}/")
        deadline = time.monotonic() + 10
        while (answer := api.get(f"/apis/{group}/v1/widgets")).status == 404 and time.monotonic() < deadline:
            pass
        assert api.delete(f"{DEFINITIONS}/widgets.{group}").status == 200
        if answer.status != 200:
            break
    else:
        pytest.skip("twenty watch caches were ready before they were asked")
    status = _status(answer, 429, "TooManyRequests")
    assert str(status["message"]).startswith("storage is (re)initializing")
    details = status["details"]
    assert isinstance(details, dict)
    assert 1 <= details["retryAfterSeconds"] <= 30
    assert answer.headers["Retry-After"] == str(details["retryAfterSeconds"])


@pytest.mark.parametrize("path", ["/apis/none.example.com/v1/foos", "/apis/none.example.com", "/none"])
@pytest.mark.parametrize("query", [{}, {"watch": "1"}], ids=["list", "watch"])
def test_st58_an_unknown_group_is_a_404_in_plain_text(api: Api, path: str, query: dict[str, str]) -> None:
    answer = api.get(path, **query)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/foos",
        "/api/v2/pods",
        "/api/v2",
        "/apis/apps/v1/foos",
        "/apis/apps/v9/deployments",
        "/apis/apps/v9",
        "/apis/apps/v1/namespaces/default/foos",
        "/api/v1/namespaces/default/configmaps/a/foo",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/configmaps/a",
    ],
)
def test_st58_what_a_built_in_group_has_not_is_a_status(api: Api, path: str) -> None:
    status = _status(api.get(path), 404, "NotFound")
    assert status == {"message": "the server could not find the requested resource", "details": {}}


def test_st58_what_a_group_of_custom_resources_has_not_is_plain_text(api: Api) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    served = f"/apis/{group}/v1"
    assert api.post(DEFINITIONS, custom_resource_definition(group, "widgets", "Widget")).status == 201
    _until_served(api, f"{served}/widgets")
    for path in (f"{served}/foos", f"{served}/namespaces/default/foos", f"/apis/{group}/v2/widgets"):
        answer = api.get(path)
        assert (answer.status, answer.body) == (404, b"404 page not found\n")
    status = _status(api.get(f"{served}/namespaces/default/widgets/none"), 404, "NotFound")
    assert status["details"] == {"name": "none", "group": group, "kind": "widgets"}
    assert api.delete(f"{DEFINITIONS}/widgets.{group}").status == 200


def _until_served(api: Api, path: str) -> None:
    deadline = time.monotonic() + 30
    while api.get(path).status != 200:
        assert time.monotonic() < deadline


def test_st58_refusals_of_requests_for_objects(api: Api, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    assert api.post(maps, config_map("a", namespace)).status == 201
    named = {"name": "a", "kind": "configmaps"}
    assert _status(api.get(f"{maps}/none"), 404, "NotFound") == {
        "message": 'configmaps "none" not found',
        "details": {"name": "none", "kind": "configmaps"},
    }
    assert _status(api.post(maps, config_map("a", namespace)), 409, "AlreadyExists")["details"] == named
    stale = {"metadata": {"name": "a", "resourceVersion": "1"}}
    assert _status(api.put(f"{maps}/a", stale), 409, "Conflict")["details"] == named
    assert _status(api.put(maps, {}), 405, "MethodNotAllowed")["details"] == {}
    assert _status(api.post("/api/v1/configmaps", config_map("a")), 405, "MethodNotAllowed")["details"] == {}
    assert "message" in _status(api.post(maps, b"{"), 400, "BadRequest")
    nowhere = _status(api.post("/api/v1/namespaces/none/configmaps", config_map("a", "none")), 404, "NotFound")
    assert nowhere["details"] == {"name": "none", "kind": "namespaces"}
    _status(api.request("POST", maps, b"a=b", {"Content-Type": "text/plain"}), 415, "UnsupportedMediaType")
    unnamed = _status(api.post(maps, {"metadata": {}}), 422, "Invalid")
    assert (
        unnamed["message"] == 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )


def test_st64_limits_of_size(api: Api, namespace: str) -> None:
    folder = f"/api/v1/namespaces/{namespace}"
    too_large = _status(api.post(f"{folder}/configmaps", b"x" * (3 * 1024 * 1024 + 1)), 413, "RequestEntityTooLarge")
    assert too_large["message"] == "Request entity too large: limit is 3145728"
    _status(api.post(f"{folder}/configmaps", b"x" * 3 * 1024 * 1024), 400, "BadRequest")
    mebi = "x" * 1024 * 1024
    assert api.post(f"{folder}/configmaps", config_map("fits", namespace, data={"k": mebi})).status == 201
    status = _status(
        api.post(f"{folder}/configmaps", config_map("over", namespace, data={"k": mebi + "x"})), 422, "Invalid"
    )
    limit = "Too long: may not be more than 1048576 bytes"
    assert status["details"] == {
        "name": "over",
        "kind": "ConfigMap",
        "causes": [{"reason": "FieldValueTooLong", "message": limit, "field": "[]"}],
    }
    secret = {"metadata": {"name": "over"}, "stringData": {"k": mebi + "x"}}
    status = _status(api.post(f"{folder}/secrets", secret), 422, "Invalid")
    assert status["message"] == f'Secret "over" is invalid: data: {limit}'
    noted = {"metadata": {"name": "noted", "annotations": {"k": "x" * 256 * 1024}}}
    status = _status(api.post(f"{folder}/configmaps", noted), 422, "Invalid")
    assert "metadata.annotations: Too long: may not be more than 262144 bytes" in str(status["message"])
    for size, code in ((1_400_000, 201), (1_600_000, 500)):
        pod = {"spec": {"containers": [{"name": "c", "image": "i", "args": ["x" * size]}]}}
        answer = api.post(f"{folder}/pods", {"metadata": {"name": f"p{size}"}, **pod})
        assert answer.status == code
    assert _status(answer, 500, "") == {"message": "etcdserver: request is too large"}


def test_st65_a_namespace_that_is_being_terminated(api: Api) -> None:
    namespace = api.new_namespace()
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    kept = api.post(maps, {"metadata": {"name": "kept", "finalizers": ["example.com/keep"]}}).json
    with api.watch(maps, resourceVersion=kept["metadata"]["resourceVersion"]) as stream:
        assert api.delete(f"/api/v1/namespaces/{namespace}").json["status"]["phase"] == "Terminating"
        status = _status(api.post(maps, config_map("late", namespace)), 403, "Forbidden")
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        assert status["message"] == f'configmaps "late" is forbidden: {why}'
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        assert status["details"] == {"name": "late", "kind": "configmaps", "causes": [cause]}
        api.delete(f"{maps}/kept")
        assert api.patch(f"{maps}/kept", {"metadata": {"finalizers": None}}).status == 200
        assert [stream.next()["type"], stream.next()["type"]] == ["MODIFIED", "DELETED"]
        api.finalize_namespace(namespace)
        assert api.get(f"/api/v1/namespaces/{namespace}").status == 404
        _status(api.post(maps, config_map("later", namespace)), 404, "NotFound")
        # The watch stays: a namespace of that name may come again.
        assert api.post("/api/v1/namespaces", {"metadata": {"name": namespace}}).status == 201
        assert api.post(maps, config_map("again", namespace)).status == 201
        assert stream.take(1) == [("ADDED", "again")]
    api.delete_namespace(namespace)


@pytest.mark.parametrize("query", [{}, {"watch": "1", "timeoutSeconds": "1"}], ids=["list", "watch"])
@pytest.mark.parametrize("path", ["/api/v1/nodes", "/api/v1/foos", "/apis/none.example.com/v1/foos"])
def test_st79_headers_of_every_answer(api: Api, path: str, query: dict[str, str]) -> None:
    headers = api.get(path, **query).headers
    uid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    for name in ("Audit-Id", "X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid"):
        assert re.fullmatch(uid, headers[name]), name
    assert headers["Cache-Control"] == "no-cache, private"
    assert headers["Date"]


@pytest.mark.parametrize("query", [{}, {"watch": "1", "timeoutSeconds": "1"}], ids=["list", "watch"])
def test_st79_no_carriage_return_in_a_body(api: Api, namespace: str, query: dict[str, str]) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b"):
        assert api.post(maps, config_map(name, namespace, data={"k": "\r\n\u2028\u0085"})).status == 201
    body = api.get(maps, **query).body
    assert b"\r" not in body
    assert body.count(b"\n") == (2 if query else 1)
    assert body.endswith(b"\n")
