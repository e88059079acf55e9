"""Create, update, patch, delete, status, finalizers, namespaces and custom resources."""

from __future__ import annotations

import re
from typing import Any

import pytest
from apiserver_http import Http

from kubeinformer.testing import APIServer, StatusError
from kubeinformer.testing.objects import config_map, custom_resource_definition, namespace, node, pod

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"


def deployment(name: str, replicas: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
    }


def test_create_sets_what_the_server_owns(api: Http) -> None:
    given = {"metadata": {"name": "a", "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z"}, "data": {"k": "v"}}
    answer = api.post(MAPS, given)
    assert answer.status == 201
    meta = answer.json["metadata"]
    assert (answer.json["apiVersion"], answer.json["kind"]) == ("v1", "ConfigMap")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", meta["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", meta["creationTimestamp"])
    assert meta["creationTimestamp"] > "2001"
    assert meta["namespace"] == "default"
    assert meta["resourceVersion"] == api.get(MAPS).revision
    assert "generation" not in meta
    assert api.get(MAPS + "/a").json == answer.json
    again = api.post(MAPS, given)
    assert (again.status, again.json["reason"]) == (409, "AlreadyExists")
    assert again.json["message"] == 'configmaps "a" already exists'


def test_generate_name(api: Http) -> None:
    names = {api.post(MAPS, {"metadata": {"generateName": "x-"}}).json["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"x-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 422),
        ({"metadata": {"name": "a/b"}}, 422),
        ({"metadata": {"name": "a", "namespace": "other"}}, 400),
        ({"kind": "Pod", "metadata": {"name": "a"}}, 400),
        ({"apiVersion": "v2", "metadata": {"name": "a"}}, 400),
        ({"metadata": {"name": 7}}, 400),
        ({"metadata": {"name": "a", "labels": {"x": 1}}}, 400),
        ({"metadata": {"name": "a", "finalizers": "x"}}, 400),
        ({"metadata": []}, 400),
        ([], 400),
        ("a", 400),
        ({"metadata": {"name": "a", "resourceVersion": "5"}}, 500),
        (b"{", 400),
        (b'{"metadata": {"name": "\xff"}}', 400),
    ],
)
def test_a_bad_create_is_refused_and_leaves_nothing(api: Http, body: Any, code: int) -> None:
    before = api.get(MAPS).revision
    answer = api.request("POST", MAPS, body)
    assert (answer.status, answer.json["kind"]) == (code, "Status")
    assert api.get(MAPS).revision == before


def test_a_spec_that_is_no_object_is_400(api: Http) -> None:
    assert api.post(PODS, {"metadata": {"name": "a"}, "spec": []}).status == 400
    assert api.get(PODS).names == []


def test_what_the_server_did_not_foresee_is_a_status_500(api: Http, caplog: pytest.LogCaptureFixture) -> None:
    definition = custom_resource_definition("example.com", "widgets", "Widget")
    definition["spec"]["conversion"] = "none of the kind"
    answer = api.post(CRDS, definition)
    assert (answer.status, answer.json["reason"]) == (500, "InternalError")
    assert f"POST {CRDS} failed" in caplog.text


def test_a_body_of_another_type_is_415(api: Http) -> None:
    for method, path in (("POST", MAPS), ("PATCH", MAPS + "/a")):
        assert api.request(method, path, b"x", {"Content-Type": "text/plain"}).status == 415
    assert api.request("POST", MAPS, b"x", {"Content-Type": "application/yaml"}).status == 501


def test_update_is_optimistic(api: Http) -> None:
    first = api.post(MAPS, config_map("a")).json
    second = api.put(MAPS + "/a", {**first, "data": {"k": "1"}})
    assert second.status == 200
    stale = api.put(MAPS + "/a", {**first, "data": {"k": "2"}})
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")
    assert "the object has been modified" in stale.json["message"]
    unconditional = api.put(MAPS + "/a", config_map("a", data={"k": "3"}))
    assert unconditional.json["data"] == {"k": "3"}
    for field in ("uid", "creationTimestamp"):
        assert unconditional.json["metadata"][field] == first["metadata"][field]
    recreated = {**config_map("a"), "metadata": {"name": "a", "uid": "another"}}
    assert api.put(MAPS + "/a", recreated).status == 409
    assert api.put(MAPS + "/b", config_map("b")).status == 404
    assert api.put(MAPS + "/a", config_map("b")).status == 400


def test_a_custom_resource_is_updated_only_with_its_resource_version(api: Http) -> None:
    api.post(CRDS, custom_resource_definition("example.com", "widgets", "Widget"))
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    stored = api.post(WIDGETS, widget).json
    assert api.put(WIDGETS + "/a", widget).status == 422
    assert api.put(WIDGETS + "/a", {**stored, "spec": {"n": 1}}).json["metadata"]["generation"] == 2


def test_merge_patch(api: Http) -> None:
    api.post(MAPS, config_map("a", data={"k": "1", "x": "2"}, labels={"l": "1"}))
    patch = {"data": {"k": None, "y": "3"}, "metadata": {"labels": {"m": "2"}}}
    for kind in ("merge-patch+json", "strategic-merge-patch+json"):
        answer = api.patch(MAPS + "/a", patch, kind)
        assert answer.status == 200
        assert answer.json["data"] == {"x": "2", "y": "3"}
        assert answer.json["metadata"]["labels"] == {"l": "1", "m": "2"}
    stale = {"metadata": {"resourceVersion": "3"}}
    assert api.patch(MAPS + "/a", stale).status == 409
    assert api.patch(MAPS + "/missing", patch).status == 404
    assert api.patch(MAPS + "/a", []).status == 400
    assert api.patch(MAPS + "/a", {"metadata": None}).status == 400
    directive = {"data": {"$patch": "replace", "z": "1"}}
    assert api.patch(MAPS + "/a", directive, "strategic-merge-patch+json").status == 501
    assert api.patch(MAPS + "/a", {}, "apply-patch+yaml").status == 501


@pytest.mark.parametrize(
    ("operations", "data"),
    [
        ([{"op": "add", "path": "/data/n", "value": "1"}], {"a/b": "x", "k": "v", "n": "1"}),
        ([{"op": "remove", "path": "/data/k"}], {"a/b": "x"}),
        ([{"op": "replace", "path": "/data/a~1b", "value": "y"}], {"a/b": "y", "k": "v"}),
        ([{"op": "copy", "from": "/data/k", "path": "/data/c"}], {"a/b": "x", "k": "v", "c": "v"}),
        ([{"op": "move", "from": "/data/k", "path": "/data/c"}], {"a/b": "x", "c": "v"}),
        (
            [{"op": "test", "path": "/data/k", "value": "v"}, {"op": "add", "path": "/data", "value": {}}],
            {},
        ),
    ],
)
def test_json_patch(api: Http, operations: list[dict[str, Any]], data: dict[str, str]) -> None:
    api.post(MAPS, config_map("a", data={"a/b": "x", "k": "v"}))
    answer = api.patch(MAPS + "/a", operations, "json-patch+json")
    assert (answer.status, answer.json["data"]) == (200, data)


def test_json_patch_of_lists(api: Http) -> None:
    finalizers = ["example.com/a", "example.com/b"]
    api.post(MAPS, {"metadata": {"name": "a", "finalizers": finalizers}})
    operations = [
        {"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/d"},
        {"op": "add", "path": "/metadata/finalizers/2", "value": "example.com/c"},
        {"op": "remove", "path": "/metadata/finalizers/0"},
        {"op": "replace", "path": "/metadata/finalizers/0", "value": "example.com/x"},
    ]
    answer = api.patch(MAPS + "/a", operations, "json-patch+json")
    assert answer.json["metadata"]["finalizers"] == ["example.com/x", "example.com/c", "example.com/d"]


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "test", "path": "/data/k", "value": "w"}, 422),
        ({"op": "remove", "path": "/data/missing"}, 422),
        ({"op": "replace", "path": "/data/missing", "value": "1"}, 422),
        ({"op": "add", "path": "/missing/deep", "value": "1"}, 422),
        ({"op": "add", "path": "data", "value": "1"}, 422),
        ({"op": "remove", "path": ""}, 422),
        ({"op": "add", "path": "/data/x"}, 400),
        ({"op": "move", "path": "/data/x"}, 400),
        ({"op": "leap", "path": "/data/x"}, 400),
        ({"op": "replace", "path": "", "value": 1}, 400),
        ("x", 400),
    ],
)
def test_a_json_patch_that_does_not_apply_changes_nothing(api: Http, operation: Any, code: int) -> None:
    stored = api.post(MAPS, config_map("a", data={"k": "v"})).json
    first = {"op": "add", "path": "/data/first", "value": "1"}
    assert api.patch(MAPS + "/a", [first, operation], "json-patch+json").status == code
    assert api.get(MAPS + "/a").json == stored


def test_status_is_written_through_its_subresource_alone(api: Http) -> None:
    created = api.post(DEPLOYMENTS, {**deployment("a"), "status": {"replicas": 5}}).json
    assert "status" not in created
    assert created["metadata"]["generation"] == 1
    changed = {**created, "spec": {**created["spec"], "replicas": 9}, "status": {"replicas": 1}}
    after_status = api.put(DEPLOYMENTS + "/a/status", changed).json
    assert (after_status["spec"]["replicas"], after_status["status"]) == (1, {"replicas": 1})
    assert after_status["metadata"]["generation"] == 1
    changed["metadata"] = after_status["metadata"]
    after_spec = api.put(DEPLOYMENTS + "/a", {**changed, "status": {"replicas": 7}}).json
    assert (after_spec["spec"]["replicas"], after_spec["status"]) == (9, {"replicas": 1})
    assert after_spec["metadata"]["generation"] == 2
    patched = api.patch(DEPLOYMENTS + "/a/status", {"spec": {"replicas": 3}, "status": {"replicas": 9}}).json
    assert (patched["spec"]["replicas"], patched["status"]) == (9, {"replicas": 9})
    assert api.get(DEPLOYMENTS + "/a/status").json == patched
    assert api.get(MAPS + "/a/status").status == 404


def test_delete(api: Http) -> None:
    uid = api.post(MAPS, config_map("a")).json["metadata"]["uid"]
    answer = api.delete(MAPS + "/a")
    assert answer.json["status"] == "Success"
    assert answer.json["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
    assert api.delete(MAPS + "/a").status == 404
    api.post(PODS, pod("p"))
    assert api.delete(PODS + "/p").json["kind"] == "Pod"
    assert api.get(PODS + "/p").status == 404


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
def test_delete_preconditions(api: Http, precondition: str) -> None:
    meta = api.post(MAPS, config_map("a")).json["metadata"]
    refused = api.delete(MAPS + "/a", {"preconditions": {precondition: "other"}})
    assert (refused.status, refused.json["reason"]) == (409, "Conflict")
    assert api.delete(MAPS + "/a", {"preconditions": {precondition: meta[precondition]}}).status == 200


def test_delete_collection(server: APIServer, api: Http) -> None:
    for name in ("a", "b", "c"):
        server.create(config_map(name, labels={"app": "x" if name != "b" else "y"}))
    server.create(config_map("a", "other", labels={"app": "x"}))
    answer = api.delete(MAPS + "?labelSelector=app%3Dx")
    assert (answer.status, answer.names) == (200, ["a", "c"])
    assert api.get("/api/v1/configmaps").names == ["b", "a"]


def test_finalizers_hold_an_object(api: Http) -> None:
    api.post(MAPS, {"metadata": {"name": "a", "finalizers": ["example.com/f"]}, "data": {"k": "v"}})
    with api.watch(MAPS, resourceVersion=api.get(MAPS).revision) as stream:
        marked = api.delete(MAPS + "/a").json
        assert marked["metadata"]["deletionTimestamp"]
        assert stream.take(1) == [("MODIFIED", "a")]
        # Neither a second delete nor an update can take it back.
        assert api.delete(MAPS + "/a").json == marked
        unmarked = api.put(MAPS + "/a", {"metadata": {"name": "a", "finalizers": ["example.com/f"]}}).json
        assert unmarked["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
        assert stream.take(1) == [("MODIFIED", "a")]
        more = {"metadata": {"finalizers": ["example.com/f", "example.com/g"]}}
        assert api.patch(MAPS + "/a", more).status == 422
        assert api.patch(MAPS + "/a", {"metadata": {"finalizers": []}}).status == 200
        # The last finalizer goes and the object with it, in one event.
        assert stream.take(1) == [("DELETED", "a")]
    assert api.get(MAPS + "/a").status == 404


def test_s65_a_namespace_takes_its_objects_along(server: APIServer, api: Http) -> None:
    assert api.post("/api/v1/namespaces/team/configmaps", config_map("a", "team")).status == 404
    api.post("/api/v1/namespaces", namespace("team"))
    assert api.get("/api/v1/namespaces/team").json["status"] == {"phase": "Active"}
    held = {"metadata": {"name": "held", "finalizers": ["example.com/f"]}}
    for path, body in (("configmaps", config_map("a", "team")), ("configmaps", held), ("pods", pod("p", "team"))):
        assert api.post(f"/api/v1/namespaces/team/{path}", body).status == 201
    with (
        api.watch("/api/v1/namespaces", resourceVersion=server.resource_version) as namespaces,
        api.watch("/api/v1/namespaces/team/pods", resourceVersion=server.resource_version) as pods,
    ):
        assert api.delete("/api/v1/namespaces/team").json["status"]["phase"] == "Terminating"
        assert namespaces.take(1) == [("MODIFIED", "team")]
        assert pods.take(1) == [("DELETED", "p")]
        refused = api.post("/api/v1/namespaces/team/configmaps", config_map("b", "team"))
        assert refused.status == 403
        assert refused.json["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        api.patch("/api/v1/namespaces/team/configmaps/held", {"metadata": {"finalizers": None}})
        assert namespaces.take(1) == [("DELETED", "team")]
        # The watch in the namespace stays open and goes on when it comes back.
        server.create(pod("q", "team"))
        assert pods.take(1) == [("ADDED", "q")]
    assert api.get("/api/v1/namespaces/team/configmaps").names == []
    assert api.delete("/api/v1/namespaces/default").status == 403


def test_namespaces_of_a_new_server(api: Http) -> None:
    assert api.get("/api/v1/namespaces").names == ["default", "kube-node-lease", "kube-public", "kube-system"]


def test_a_custom_resource_in_two_versions(api: Http) -> None:
    api.post(CRDS, custom_resource_definition("example.com", "widgets", "Widget", versions=("v1", "v1beta1")))
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"n": 1}}
    api.post(WIDGETS, widget)
    other = WIDGETS.replace("/v1/", "/v1beta1/")
    assert api.get(other).json["items"][0]["apiVersion"] == "example.com/v1beta1"
    assert api.get(other + "/a").json["spec"] == {"n": 1}
    with api.watch(other) as stream:
        assert stream.next()["object"]["apiVersion"] == "example.com/v1beta1"
    definition = api.get(CRDS + "/widgets.example.com").json
    definition["spec"]["versions"].pop()
    api.put(CRDS + "/widgets.example.com", definition)
    assert api.get(other).status == 404
    assert api.get(WIDGETS).names == ["a"]


@pytest.mark.parametrize("field", ["group", "names", "scope", "versions"])
def test_an_incomplete_definition_is_422(api: Http, field: str) -> None:
    definition = custom_resource_definition("example.com", "widgets", "Widget")
    del definition["spec"][field]
    assert api.post(CRDS, definition).status == 422
    assert api.get(CRDS).names == []


def test_a_version_with_another_schema_is_501_not_a_guess(server: APIServer, api: Http) -> None:
    path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    assert api.get(path.format("v1")).names == []
    api.post(path.format("v2"), {"metadata": {"name": "a"}, "spec": {"maxReplicas": 3}})
    assert api.get(path.format("v2")).names == ["a"]
    for suffix in ("", "/a"):
        answer = api.get(path.format("v1") + suffix)
        assert (answer.status, answer.json["reason"]) == (501, "NotImplemented")
    with api.watch(path.format("v1"), resourceVersion="1") as stream:
        assert stream.next()["object"]["code"] == 501
        assert stream.rest() == []
    server.create({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "x"})
    assert api.get("/apis/events.k8s.io/v1/events").status == 501


def test_versions_with_one_schema_share_their_objects(api: Http) -> None:
    path = "/apis/certificates.k8s.io/{}/clustertrustbundles"
    api.post(path.format("v1"), {"metadata": {"name": "a"}, "spec": {"trustBundle": "x"}})
    assert api.get(path.format("v1beta1")).names == ["a"]
    assert api.get(path.format("v1beta1") + "/a").json["apiVersion"] == "certificates.k8s.io/v1beta1"


def test_a_cluster_scoped_resource_is_in_no_namespace(api: Http) -> None:
    assert api.post("/api/v1/nodes", {**node("n"), "metadata": {"name": "n", "namespace": "x"}}).status == 201
    assert "namespace" not in api.get("/api/v1/nodes/n").json["metadata"]
    assert api.get("/api/v1/namespaces/default/nodes").status == 404
    assert api.get("/api/v1/pods/p").status == 404


# -- the same from Python ----------------------------------------------------------------------------------------------


def test_facade_writes_everything_and_leaves_its_argument_alone(server: APIServer) -> None:
    given = pod("a", "made-for-it", phase="Running", resource_version="77")
    copy = pod("a", "made-for-it", phase="Running", resource_version="77")
    stored = server.create(given)
    assert given == copy
    assert stored["status"] == given["status"]
    assert stored["metadata"]["resourceVersion"] == server.resource_version
    assert server.get("namespaces", "made-for-it")["status"]["phase"] == "Active"
    stored["status"]["phase"] = "Failed"
    updated = server.update(stored)
    assert updated["status"]["phase"] == "Failed"
    assert server.get("Pod", "a", "made-for-it") == updated
    assert server.list("po", "made-for-it") == [updated] == server.list("pods")
    with pytest.raises(StatusError, match="409 Conflict"):
        server.update({**stored, "spec": {}})
    deleted = server.delete(updated)
    assert deleted["metadata"]["resourceVersion"] == server.resource_version
    with pytest.raises(StatusError) as caught:
        server.delete("pods", "a", "made-for-it")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    assert caught.value.status["details"] == {"name": "a", "kind": "pods"}


def test_facade_registers_a_resource_without_a_definition(server: APIServer, api: Http) -> None:
    server.register("example.com", "v1", "gadgets", "Gadget", namespaced=False)
    gadget = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    server.create(gadget)
    assert api.get("/apis/example.com/v1/gadgets").names == ["g"]
    assert server.get("gadgets.example.com", "g")["kind"] == "Gadget"


def test_facade_says_what_it_was_given_wrongly(server: APIServer) -> None:
    with pytest.raises(LookupError, match="Nothing"):
        server.create({"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "a"}})
    with pytest.raises(LookupError, match="nothings"):
        server.list("nothings")
    with pytest.raises(TypeError, match="metadata"):
        server.create({"apiVersion": "v1", "kind": "Pod"})
    with pytest.raises(ValueError, match="apiVersion"):
        server.create({"metadata": {"name": "a"}})
    with pytest.raises(TypeError, match="name"):
        server.delete("pods")
    with pytest.raises(TypeError):
        server.create(config_map("a", data={"k": object()}))  # type: ignore[dict-item]
    assert server.list("configmaps") == []


def test_restore_goes_back_in_time(server: APIServer, api: Http) -> None:
    server.create(config_map("a"))
    snapshot, then = server.snapshot(), server.resource_version
    server.create(config_map("b"))
    server.delete("configmaps", "a")
    later = server.resource_version
    with api.watch(MAPS, resourceVersion=later) as stream:
        server.restore(snapshot)
        assert stream.rest() == []
    answer = api.get(MAPS)
    assert (answer.names, answer.revision) == (["a"], then)
    # What a client sees that resumes where the server has not been yet: nothing until it is there again (statement 37).
    with api.watch(MAPS, resourceVersion=later) as stream:
        server.create(config_map("c"))
        server.create(config_map("d"))
        server.create(config_map("e"))
        assert stream.take(1) == [("ADDED", "e")]
    with api.watch(MAPS, resourceVersion=int(then) - 1) as stream:
        assert stream.next()["object"]["code"] == 410
