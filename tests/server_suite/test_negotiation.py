"""Statements 70 to 75 and 78: what the Accept header and the User-Agent decide."""

from __future__ import annotations

import json
import struct
import time
import uuid

import pytest

from kubeinformer.testing.objects import config_map, custom_resource_definition

from .servers import Api

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SECOND = {"watch": "1", "timeoutSeconds": "1"}


@pytest.fixture
def maps(api: Api, namespace: str) -> str:
    """The path of config maps, of which there is one."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert api.post(path, config_map("a", namespace, data={"k": "v"}, labels={"app": "x"})).status == 201
    return path


def test_st70_partial_object_metadata(api: Api, maps: str) -> None:
    metadata = api.get(f"{maps}/a").json["metadata"]
    wanted = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    answer = api.get(maps, {"Accept": PARTIAL_LIST})
    assert answer.headers["Content-Type"] == JSON
    listed = answer.json
    assert int(listed["metadata"].pop("resourceVersion")) >= int(metadata["resourceVersion"])
    assert listed.pop("metadata") == {}
    assert listed == {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": [wanted]}
    assert api.get(f"{maps}/a", {"Accept": PARTIAL}).json == wanted
    with api.watch(maps, {"Accept": PARTIAL}, resourceVersion="0") as stream:
        assert stream.response.headers["Content-Type"] == JSON
        assert stream.next() == {"type": "ADDED", "object": wanted}


def test_st70_the_wrong_partial_form(api: Api, maps: str) -> None:
    for accept in (PARTIAL, f"{PARTIAL},{JSON}"):
        answer = api.get(maps, {"Accept": accept})
        assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")
        message = "you requested PartialObjectMetadata, but the requested object is a list"
        assert answer.json["message"].startswith(message)
    answer = api.get(f"{maps}/a", {"Accept": PARTIAL_LIST})
    assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")
    message = "you requested PartialObjectMetadataList, but the requested object is not a list"
    assert answer.json["message"].startswith(message)
    before = time.monotonic()
    with api.watch(maps, {"Accept": PARTIAL_LIST}, timeoutSeconds=30) as stream:
        assert (stream.status, stream.rest()) == (200, [])
    assert time.monotonic() - before < 10  # At once, not at the end of its time.


@pytest.mark.left_out("no Table")
def test_st71_tables(api: Api, maps: str) -> None:
    table = api.get(maps, {"Accept": TABLE}).json
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    (row,) = table["rows"]
    assert row["cells"][:2] == ["a", 1]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    (row,) = api.get(maps, {"Accept": TABLE}, includeObject="Object").json["rows"]
    assert row["object"]["data"] == {"k": "v"}


@pytest.mark.left_out("no Table")
def test_st71_a_watch_of_tables(api: Api, maps: str) -> None:
    with api.watch(maps, {"Accept": TABLE}, resourceVersion="0") as stream:
        event = stream.next()
    assert (event["type"], event["object"]["kind"], len(event["object"]["rows"])) == ("ADDED", "Table", 1)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/cbor",
        "application/*",
        "application/json;as=Foo;g=meta.k8s.io;v=v1",
        PARTIAL_LIST.replace("v=v1", "v=v2"),
    ],
)
@pytest.mark.parametrize("query", [{}, SECOND], ids=["list", "watch"])
def test_st72_st74_what_no_server_produces(api: Api, maps: str, accept: str, query: dict[str, str]) -> None:
    answer = api.get(maps, {"Accept": accept}, **query)
    assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")
    for accepted in (JSON, YAML, PROTOBUF):
        assert accepted in answer.json["message"]
    fallen_back = api.get(maps, {"Accept": f"{accept},{JSON}"}, **query)
    assert (fallen_back.status, fallen_back.headers["Content-Type"]) == (200, JSON)
    assert b'"PartialObjectMetadata' not in fallen_back.body


def test_st72_the_type_is_looked_at_before_the_object(api: Api, maps: str) -> None:
    assert api.get(f"{maps}/none", {"Accept": "text/html"}).status == 406
    assert api.request("POST", maps, config_map("b", "default"), {"Accept": "text/html"}).status == 406
    assert api.get(maps).names == ["a"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"{JSON};q=0.1,{PARTIAL_LIST}", "PartialObjectMetadataList"),
        (f"{PARTIAL_LIST};q=0.1,{JSON}", "ConfigMapList"),
        (f"{PARTIAL_LIST},{JSON}", "PartialObjectMetadataList"),
        (f"{YAML};q=0.9,{JSON}", "ConfigMapList"),
        ("*/*", "ConfigMapList"),
        ("", "ConfigMapList"),
    ],
)
def test_st72_the_best_clause_wins(api: Api, maps: str, accept: str, kind: str) -> None:
    answer = api.get(maps, {"Accept": accept})
    assert answer.headers["Content-Type"] == JSON
    assert answer.json["kind"] == kind


@pytest.mark.left_out("no protobuf")
def test_st73_protobuf(api: Api, maps: str) -> None:
    answer = api.get(maps, {"Accept": PROTOBUF})
    assert (answer.status, answer.headers["Content-Type"]) == (200, PROTOBUF)
    assert answer.body.startswith(b"k8s\0")
    for accept in (PROTOBUF, f"{PROTOBUF};stream=watch"):
        answer = api.get(maps, {"Accept": accept}, **SECOND)
        assert answer.headers["Content-Type"] == f"{PROTOBUF};stream=watch"
        (length,) = struct.unpack(">I", answer.body[:4])
        frame = answer.body[4 : 4 + length]
        assert frame.startswith(b"\n\x05ADDED")
        assert b"k8s\0" in frame


def test_st73_no_protobuf_of_custom_resources(api: Api) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    path = f"/apis/{group}/v1/widgets"
    assert api.post(DEFINITIONS, custom_resource_definition(group, "widgets", "Widget")).status == 201
    deadline = time.monotonic() + 30
    while api.get(path).status != 200:
        assert time.monotonic() < deadline
    assert api.get(path, {"Accept": PROTOBUF}).status == 406
    assert api.get(path, {"Accept": PROTOBUF}, watch=1).status == 406
    answer = api.get(path, {"Accept": f"{PROTOBUF},{JSON}"})
    assert (answer.status, answer.json["kind"]) == (200, "WidgetList")
    assert api.delete(f"{DEFINITIONS}/widgets.{group}").status == 200


@pytest.mark.left_out("no YAML")
def test_st75_yaml_of_a_list(api: Api, maps: str) -> None:
    answer = api.get(maps, {"Accept": YAML})
    assert (answer.status, answer.headers["Content-Type"]) == (200, YAML)
    assert answer.body.startswith(b"apiVersion: v1\nitems:\n")


@pytest.mark.parametrize("accept", [YAML, f"{YAML},{JSON}"])
def test_st75_no_watch_in_yaml(api: Api, maps: str, accept: str) -> None:
    answer = api.get(maps, {"Accept": accept}, **SECOND)
    assert answer.status == 406
    assert b"application/json;stream=watch" in answer.body
    assert api.get(maps, {"Accept": f"{JSON},{YAML}"}, **SECOND).status == 200


@pytest.mark.parametrize("agent", ["curl/8.5.0", "Wget/1.21", "Mozilla/5.0 (X11)"])
def test_st78_programs_for_people_get_indented_json(api: Api, maps: str, agent: str) -> None:
    plain = api.get(maps, {"User-Agent": "kubeinformer"})
    assert plain.body.count(b"\n") == 1
    for path, start in ((maps, b'{\n  "kind": "ConfigMapList",\n'), (f"{maps}/a", b'{\n  "kind": "ConfigMap",\n')):
        answer = api.get(path, {"User-Agent": agent})
        assert answer.body.startswith(start)
        assert answer.json["kind"] == json.loads(api.get(path).body)["kind"]
    refused = api.get(f"{maps}/none", {"User-Agent": agent})
    assert (refused.status, refused.body[:20]) == (404, b'{\n  "kind": "Status",'[:20])
    with api.watch(maps, {"User-Agent": agent}, resourceVersion="0") as stream:
        assert stream.take(1) == [("ADDED", "a")]


@pytest.mark.parametrize(
    ("agent", "pretty", "indented"),
    [
        ("own", "1", True),
        ("own", "true", True),
        ("own", "0", False),
        ("curl/8", "0", False),
        ("curl/8", "false", False),
    ],
)
def test_st78_pretty_decides_before_the_user_agent(
    api: Api, maps: str, agent: str, pretty: str, indented: bool
) -> None:
    answer = api.get(f"{maps}/a", {"User-Agent": agent}, pretty=pretty)
    assert answer.body.startswith(b"{\n  ") is indented
    assert answer.json["data"] == {"k": "v"}
