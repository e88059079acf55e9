"""Statements 15 to 25: pages, continue tokens, and what a list looks like."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from kubeinformer.testing.objects import custom_resource_definition
from testing.apiserver_http import eventually

from .objects import END, WATCH_LIST, create, maps_of, now
from .servers import Answer, Api

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
def maps(namespace: str) -> str:
    return maps_of(namespace)


@pytest.fixture
def widgets(api: Api, namespace: str) -> Iterator[str]:
    """Serve a custom resource, and give the path of those in the namespace."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    assert api.post(DEFINITIONS, custom_resource_definition(group, "widgets", "Widget")).status == 201
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    eventually(lambda: api.get(path).status == 200)
    for name in ("v", "w"):
        widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 1}}
        # What serves the lists may be a moment ahead of what takes writes.
        eventually(lambda widget=widget: api.post(path, widget).status == 201)
    yield path
    api.delete(f"{DEFINITIONS}/widgets.{group}")


def next_page(api: Api, path: str, page: Answer, **query: Any) -> Answer:
    return api.get(path, **{"continue": page.json["metadata"]["continue"], **query})


def decoded(token: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def encoded(token: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(token).encode()).rstrip(b"=").decode()


def test_st15_pages_are_sorted_by_key_and_count_what_remains(api: Api, maps: str) -> None:
    create(api, maps, "b", "a-b", "a.b", "c", "a", l="1")
    page = api.get(maps, limit=3)
    assert page.names == ["a", "a-b", "a.b"]
    assert set(page.json["metadata"]) == {"resourceVersion", "continue", "remainingItemCount"}
    assert page.json["metadata"]["remainingItemCount"] == 2
    last = next_page(api, maps, page, limit=3)
    assert last.names == ["b", "c"]
    assert set(last.json["metadata"]) == {"resourceVersion"}
    for selector in ({"labelSelector": "l=1"}, {"fieldSelector": "metadata.name!=z"}):
        selective = api.get(maps, limit=3, **selector).json["metadata"]
        assert set(selective) == {"resourceVersion", "continue"}


def test_st15_the_order_is_that_of_namespace_and_name(api: Api) -> None:
    # Of the stored keys, where "-" comes before "/".
    first = api.new_namespace()
    beside = f"{first}-b"
    assert api.post("/api/v1/namespaces", {"metadata": {"name": beside}}).status == 201
    create(api, maps_of(first), "b", "a", suite=first)
    create(api, maps_of(beside), "z", suite=first)
    try:
        answer = api.get("/api/v1/configmaps", labelSelector=f"suite={first}")
        keys = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in answer.json["items"]]
        assert keys == [(beside, "z"), (first, "a"), (first, "b")]
    finally:
        api.delete_namespace(first)
        api.delete_namespace(beside)


@pytest.mark.parametrize("limit", ["0", "-1", "5"])
def test_st15_no_limit_and_one_that_suffices_are_one_page(api: Api, maps: str, limit: str) -> None:
    create(api, maps, "a", "b", "c", "d", "e")
    answer = api.get(maps, limit=limit)
    assert answer.names == ["a", "b", "c", "d", "e"]
    assert set(answer.json["metadata"]) == {"resourceVersion"}


def test_st16_all_pages_show_the_state_of_the_first(api: Api, maps: str) -> None:
    create(api, maps, "a", "b", "c", "d", "e")
    page = api.get(maps, limit=2)
    first_revision, names = page.revision, page.names
    token = decoded(page.json["metadata"]["continue"])
    assert token == {"v": "meta.k8s.io/v1", "rv": int(first_revision), "start": "/b\0"}
    api.delete(f"{maps}/d")
    create(api, maps, "bb", "z")
    while page.json["metadata"].get("continue"):
        page = next_page(api, maps, page, limit=2)
        assert page.revision == first_revision
        names += page.names
    assert names == ["a", "b", "c", "d", "e"]


def test_st16_a_token_of_all_namespaces_starts_with_one(api: Api, namespace: str, maps: str) -> None:
    create(api, maps, "a", "b", suite=namespace)
    selector = {"labelSelector": f"suite={namespace}"}
    page = api.get("/api/v1/configmaps", limit=1, **selector)
    assert decoded(page.json["metadata"]["continue"])["start"] == f"/{namespace}/a\0"
    assert next_page(api, "/api/v1/configmaps", page, **selector).names == ["b"]


@pytest.mark.parametrize("start", ["b\0", "/b\0"])
@pytest.mark.parametrize("revision", [None, -1, -7])
def test_st16_a_made_up_token(api: Api, maps: str, start: str, revision: int | None) -> None:
    create(api, maps, "a", "b", "c")
    then = api.get(maps).revision
    create(api, maps, "d")
    token = encoded({"v": "meta.k8s.io/v1", "rv": revision or int(then), "start": start})
    answer = api.get(maps, **{"continue": token})
    # Below zero it stands for the newest state.
    assert answer.names == (["c", "d"] if revision else ["c"])
    assert (answer.revision == then) == (revision is None)


def test_st17_the_last_page_of_custom_resources_has_an_empty_continue(api: Api, maps: str, widgets: str) -> None:
    create(api, maps, "a")
    assert "continue" not in api.get(maps).json["metadata"]
    assert api.get(widgets).json["metadata"]["continue"] == ""
    page = api.get(widgets, limit=1)
    assert page.json["metadata"]["remainingItemCount"] == 1
    last = next_page(api, widgets, page, limit=1)
    assert last.names == ["w"]
    assert set(last.json["metadata"]) == {"resourceVersion", "continue"}
    assert last.json["metadata"]["continue"] == ""


def test_st18_continue_with_a_resource_version(api: Api, maps: str) -> None:
    create(api, maps, "a", "b", "c", "d")
    page = api.get(maps, limit=1)
    for version in (page.revision, "1", "abc"):
        refused = next_page(api, maps, page, limit=1, resourceVersion=version)
        assert (refused.status, refused.json["reason"]) == (400, "BadRequest")
        assert refused.json["message"] == "specifying resource version is not allowed when using continue"
    everything = next_page(api, maps, page, limit=1, resourceVersion="0")
    assert everything.names == ["b", "c", "d"]
    assert everything.revision == page.revision


V1 = "meta.k8s.io/v1"


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("x", "illegal base64 data at input byte 0"),
        ("e30=", "illegal base64 data at input byte 3"),
        ("ab!cdefg", "illegal base64 data at input byte 2"),
        ("garbage", ""),  # base64, but of no JSON
        (encoded([1]), "json: "),
        (encoded({"v": V1, "rv": "1", "start": "a"}), "json: "),
        (encoded({}), "server does not recognize this encoded version "),
        (encoded({"v": "v2", "rv": 1, "start": "a"}), "server does not recognize this encoded version v2"),
        (encoded({"v": V1, "start": "a"}), f"incorrect encoded start resourceVersion (version {V1})"),
        (encoded({"v": V1, "rv": 1}), f"encoded start key empty (version {V1})"),
        (encoded({"v": V1, "rv": 1, "start": "../default/a"}), "../default/a"),
        (encoded({"v": V1, "rv": 1, "start": "a//b"}), "a//b"),
    ],
)
def test_st19_a_garbage_token_is_400(api: Api, maps: str, token: str, why: str) -> None:
    answer = api.get(maps, **{"limit": 1, "continue": token})
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    sentence = f"invalid continue token: continue key is not valid: {why}"
    # The words of Go's JSON parser are its own.
    exact = why and not why.startswith("json")
    assert answer.json["message"] == sentence if exact else answer.json["message"].startswith(sentence)


def test_st23_items_of_a_typed_list_have_no_kind_those_of_custom_resources_have(
    api: Api, maps: str, widgets: str
) -> None:
    create(api, maps, "a")
    typed = api.get(maps).json
    assert list(typed) == ["kind", "apiVersion", "metadata", "items"]
    assert (typed["kind"], typed["apiVersion"]) == ("ConfigMapList", "v1")
    assert not {"kind", "apiVersion"} & set(typed["items"][0])
    custom = api.get(widgets).json
    group_version = "/".join(widgets.split("/")[2:4])
    assert list(custom) == ["apiVersion", "items", "kind", "metadata"]
    assert (custom["kind"], custom["apiVersion"]) == ("WidgetList", group_version)
    assert {(item["kind"], item["apiVersion"]) for item in custom["items"]} == {("Widget", group_version)}
    for path, name, kind in ((maps, "a", "ConfigMap"), (widgets, "w", "Widget")):
        assert api.get(f"{path}/{name}").json["kind"] == kind


def test_st24_a_namespace_that_never_existed_is_an_empty_list(api: Api, maps: str) -> None:
    current = now(api, maps)
    nowhere = maps_of(f"never-{uuid.uuid4().hex[:8]}")
    for query in ({}, {"limit": 1}, {"resourceVersion": "0"}, {"resourceVersion": current}):
        answer = api.get(nowhere, **query)
        assert (answer.status, answer.json["items"]) == (200, [])
        assert set(answer.json["metadata"]) == {"resourceVersion"}
        assert int(answer.revision) >= int(current)
    with api.watch(nowhere, **WATCH_LIST, timeoutSeconds=1) as stream:
        (end,) = stream.rest()
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == END


def test_st25_selectors_apply_before_the_limit(api: Api, maps: str) -> None:
    for number in range(10):
        create(api, maps, f"m{number}", odd=str(number % 2))
    selector = {"labelSelector": "odd=1"}
    page = api.get(maps, limit=3, **selector)
    names = page.names
    # A page may be short, even empty, and still not be the last.
    while page.json["metadata"].get("continue"):
        page = next_page(api, maps, page, limit=3, **selector)
        assert len(page.names) <= 3
        names += page.names
    assert names == ["m1", "m3", "m5", "m7", "m9"]
    assert api.get(maps, limit=1, fieldSelector="metadata.name=m9").names == ["m9"]
