"""Label and field selectors: statements 80 to 83 about real API servers."""

from __future__ import annotations

from typing import Any

import pytest
from apiserver_http import Http

from kubeinformer.testing import APIServer, StatusError
from kubeinformer.testing.objects import config_map, custom_resource_definition, node, pod
from kubeinformer.testing.selectors import parse_field_selector, parse_label_selector

PODS = "/api/v1/pods"


def test_s80_field_labels_of_pods(server: APIServer, api: Http) -> None:
    server.create(pod("a", node="n1", phase="Running"))
    pending = pod("b", "other", node=None, phase="Pending")
    pending["spec"].update(serviceAccountName="robot", hostNetwork=True, restartPolicy="Never", schedulerName="mine")
    pending["status"].update(nominatedNodeName="n2")
    server.create(pending)
    selectors = {
        "metadata.name=a": ["a"],
        "metadata.namespace=other": ["b"],
        "spec.nodeName=n1": ["a"],
        "spec.nodeName=": ["b"],
        "spec.nodeName!=n1": ["b"],
        "spec.host=n1": ["a"],
        "spec.restartPolicy=Never": ["b"],
        "spec.schedulerName=default-scheduler": ["a"],
        "spec.serviceAccountName=robot": ["b"],
        "spec.hostNetwork=false": ["a"],
        "spec.hostNetwork=true": ["b"],
        "status.phase=Pending": ["b"],
        "status.phase!=Pending,metadata.name=b": [],
        "status.podIP=10.244.0.17": ["a"],
        "status.nominatedNodeName=n2": ["b"],
        "status.podIPs=10.244.0.17": [],
    }
    assert {text: api.get(PODS, fieldSelector=text).names for text in selectors} == selectors


def test_s80_other_fields_are_refused(api: Http) -> None:
    for query in ({}, {"watch": "1"}):
        answer = api.get(PODS, fieldSelector="spec.color=red", **query)
        assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
        assert answer.json["message"].endswith("field label not supported: spec.color")


def test_s80_a_pod_without_them_gets_the_defaults_that_selectors_see(api: Http) -> None:
    bare = {"metadata": {"name": "a"}, "spec": {"containers": []}}
    assert api.post("/api/v1/namespaces/default/pods", bare).status == 201
    selector = "spec.restartPolicy=Always,spec.schedulerName=default-scheduler,status.phase=Pending"
    assert api.get(PODS, fieldSelector=selector).names == ["a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a=b", [("a", True, "b")]),
        ("a==b,a!=c", [("a", True, "b"), ("a", False, "c")]),
        ("a=", [("a", True, "")]),
        (",a=b,", [("a", True, "b")]),
        (r"a=x\,y\=z\\", [("a", True, r"x,y=z" + "\\")]),
    ],
)
def test_s81_grammar_of_field_selectors(text: str, expected: list[tuple[str, bool, str]]) -> None:
    parsed = parse_field_selector(text, {"a"}, "")
    assert [(one.field, one.equal, one.value) for one in parsed] == expected


@pytest.mark.parametrize("text", ["a", "a in (b)", "a>b", r"a=\x", "a=b=c", "a\\"])
def test_s81_bad_field_selectors_are_400(text: str) -> None:
    with pytest.raises(StatusError, match="invalid") as caught:
        parse_field_selector(text, {"a"}, "")
    assert caught.value.code == 400


def test_s82_field_labels_of_other_resources(server: APIServer, api: Http) -> None:
    server.create(node("n1"))
    server.create(node("n2", unschedulable=True))
    assert api.get("/api/v1/nodes", fieldSelector="spec.unschedulable=true").names == ["n2"]
    assert api.get("/api/v1/nodes", fieldSelector="spec.unschedulable=false").names == ["n1"]
    assert api.get("/api/v1/namespaces", fieldSelector="status.phase!=Active").names == []
    for name, kind in (("s1", "kubernetes.io/tls"), ("s2", None)):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
        server.create(secret if kind is None else {**secret, "type": kind})
    assert api.get("/api/v1/secrets", fieldSelector="type=kubernetes.io/tls").names == ["s1"]
    assert api.get("/api/v1/secrets", fieldSelector="type=Opaque").names == ["s2"]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"clusterIP": "None"}}
    server.create(service)
    assert api.get("/api/v1/services", fieldSelector="spec.clusterIP=None,spec.type=ClusterIP").names == ["x"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default", "uid": "u"},
        "reason": "Started",
        "type": "Normal",
        "source": {"component": "kubelet"},
    }
    server.create(event)
    selector = "involvedObject.name=p,involvedObject.kind=Pod,reason=Started,source=kubelet,type=Normal"
    assert api.get("/api/v1/events", fieldSelector=selector).names == ["e"]
    assert api.get("/api/v1/configmaps", fieldSelector="data.x=y").status == 400


def test_s82_selectable_fields_of_a_custom_resource(server: APIServer, api: Http) -> None:
    fields = (".spec.color", ".spec.size")
    server.create(custom_resource_definition("example.com", "widgets", "Widget", selectable_fields=fields))
    for name, spec in (("a", {"color": "red", "size": 3}), ("b", {"color": "blue"})):
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}
        server.create(widget)
    path = "/apis/example.com/v1/widgets"
    assert api.get(path, fieldSelector="spec.color=red").names == ["a"]
    assert api.get(path, fieldSelector="spec.size=3").names == ["a"]
    assert api.get(path, fieldSelector="metadata.name=b").names == ["b"]
    assert api.get(path, fieldSelector="spec.weight=3").status == 400


LABELS = {"app": "web", "tier": "front", "n": "7", "empty": "", "example.com/role": "main"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("app!=api", True),
        ("missing!=x", True),
        ("app in (web,api)", True),
        ("app in ( api )", False),
        ("missing in (x)", False),
        ("app notin (api)", True),
        ("app notin (web)", False),
        ("missing notin (x)", True),
        ("app", True),
        ("missing", False),
        ("!app", False),
        ("! missing", True),
        ("n>5", True),
        ("n > 7", False),
        ("n<8", True),
        ("app>5", False),
        ("missing<5", False),
        ("empty in ()", True),
        ("app in ()", False),
        ("app in (,web)", True),
        ("empty=", True),
        ("empty=,app=web", True),
        ("example.com/role=main", True),
        ("example.com/role", True),
    ],
)
def test_s83_label_selectors(text: str, matches: bool) -> None:
    assert all(requirement.matches(LABELS) for requirement in parse_label_selector(text)) is matches


@pytest.mark.parametrize(
    "text",
    [
        "=a",
        "a in",
        "a in b",
        "a in (b",
        "a in (b c)",
        "a,",
        ",a",
        "a b",
        "a>x",
        "a=b c",
        "-a",
        "a=-b",
        "x" * 64,
        "A/a=b",
    ],
)
def test_s83_bad_label_selectors_are_400(api: Http, text: str) -> None:
    for query in ({}, {"watch": "1"}):
        answer = api.get(PODS, labelSelector=text, **query)
        assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
        assert answer.json["message"].startswith("unable to parse requirement: ")


def test_s83_label_selectors_on_the_wire(server: APIServer, api: Http) -> None:
    for name, labels in (("a", {"app": "x"}), ("b", {"app": "y"}), ("c", {})):
        server.create(config_map(name, labels=labels))

    def names(selector: str) -> Any:
        return api.get("/api/v1/configmaps", labelSelector=selector).names

    assert names("app in (x, y)") == ["a", "b"]
    assert names("app!=x") == ["b", "c"]
    assert names("!app") == ["c"]
    assert [one["metadata"]["name"] for one in server.list("configmaps", label_selector="app=y")] == ["b"]
