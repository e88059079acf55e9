"""Resource versions and LIST: statements 1 to 25 about real API servers."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from apiserver_http import Http, chunks, eventually, read_head

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, custom_resource_definition, pod

MAPS = "/api/v1/namespaces/default/configmaps"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"


def create(api: Http, *names: str) -> list[dict[str, Any]]:
    answers = [api.post(MAPS, config_map(name)) for name in names]
    assert [answer.status for answer in answers] == [201] * len(names)
    return [answer.json for answer in answers]


def serve_widgets(api: Http) -> None:
    definition = custom_resource_definition("example.com", "widgets", "Widget")
    assert api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).status == 201


def widget(name: str) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {}}


def test_s01_one_revision_for_the_whole_store(api: Http) -> None:
    (first,) = create(api, "a")
    node = api.post("/api/v1/nodes", {"metadata": {"name": "n"}}).json
    (second,) = create(api, "b")
    revisions = [int(obj["metadata"]["resourceVersion"]) for obj in (first, node, second)]
    assert revisions == [revisions[0], revisions[0] + 1, revisions[0] + 2]
    assert api.get(MAPS).revision == str(revisions[2])
    assert api.delete(MAPS + "/a").status == 200
    assert api.get(MAPS).revision == str(revisions[2] + 1)
    assert api.get("/api/v1/secrets").revision == str(revisions[2] + 1)


def test_s02_a_write_that_changes_nothing_is_none(api: Http) -> None:
    (stored,) = create(api, "a")
    before = api.get(MAPS).revision
    with api.watch(MAPS, resourceVersion=before) as stream:
        assert api.put(MAPS + "/a", stored).json == stored
        assert api.put(MAPS + "/a", config_map("a")).json == stored
        assert api.patch(MAPS + "/a", {"data": {}}).json == stored
        assert api.get(MAPS).revision == before
        create(api, "b")
        assert stream.take(1) == [("ADDED", "b")]


def test_s03_a_deleted_event_has_the_revision_of_the_deletion(api: Http) -> None:
    (stored,) = create(api, "a")
    with api.watch(MAPS, resourceVersion=api.get(MAPS).revision) as stream:
        api.delete(MAPS + "/a")
        event = stream.next()
    assert event["type"] == "DELETED"
    assert event["object"]["metadata"]["resourceVersion"] == api.get(MAPS).revision
    assert event["object"]["metadata"]["uid"] == stored["metadata"]["uid"]


def test_s05_resource_version_0_ignores_limit(api: Http) -> None:
    create(api, *(f"m{number}" for number in range(5)))
    answer = api.get(MAPS, resourceVersion="0", limit=2)
    assert len(answer.names) == 5
    assert "continue" not in answer.json["metadata"]


def test_s06_a_resource_version_with_limit_is_exact_without_limit_not_older(api: Http) -> None:
    create(api, "a")
    then = api.get(MAPS).revision
    create(api, "b")
    assert api.get(MAPS, resourceVersion=then).names == ["a", "b"]
    exact = api.get(MAPS, resourceVersion=then, limit=10)
    assert (exact.names, exact.revision) == (["a"], then)


def test_s07_exact_is_the_state_at_that_revision(api: Http) -> None:
    create(api, "a", "b")
    then = api.get(MAPS)
    api.patch(MAPS + "/a", {"data": {"k": "v"}})
    api.delete(MAPS + "/b")
    create(api, "c")
    exact = api.get(MAPS, resourceVersion=then.revision, resourceVersionMatch="Exact")
    assert exact.json == then.json
    first = api.get(MAPS, resourceVersion="1", resourceVersionMatch="Exact")
    assert (first.names, first.revision) == ([], "1")


def test_s08_not_older_than_is_the_newest_state(api: Http) -> None:
    create(api, "a")
    then = api.get(MAPS).revision
    create(api, "b")
    answer = api.get(MAPS, resourceVersion=then, resourceVersionMatch="NotOlderThan")
    assert answer.names == ["a", "b"]
    assert int(answer.revision) >= int(then)
    assert api.get(MAPS, resourceVersion=then, resourceVersionMatch="NotOlderThan", limit=5).names == ["a", "b"]


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "NotOlderThan", "continue": "x"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Sometimes", "resourceVersion": "1"},
    ],
)
def test_s09_a_match_that_makes_no_sense_is_422(api: Http, query: dict[str, str]) -> None:
    answer = api.get(MAPS, **query)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert {cause["field"] for cause in answer.json["details"]["causes"]} == {"resourceVersionMatch"}


def test_s10_send_initial_events_on_list_is_422(api: Http) -> None:
    answer = api.get(MAPS, sendInitialEvents="true")
    assert answer.status == 422
    assert answer.json["details"]["causes"][0]["field"] == "sendInitialEvents"


def test_s11_a_resource_version_that_is_no_number(api: Http) -> None:
    listed = api.get(MAPS, resourceVersion="abc")
    assert (listed.status, listed.json["reason"]) == (400, "BadRequest")
    watched = api.get(MAPS, watch="1", resourceVersion="abc")
    assert watched.status == 500
    assert "reason" not in watched.json
    for answer in (listed, watched):
        assert answer.json["message"].startswith("invalid resource version: ")


@pytest.mark.parametrize("match", ["", "NotOlderThan", "Exact"])
def test_s12_a_revision_that_is_not_reached_is_504_after_a_wait(api: Http, match: str) -> None:
    current = api.get(MAPS).revision
    query = {"resourceVersion": "900000", **({"resourceVersionMatch": match} if match else {})}
    before = time.monotonic()
    answer = api.get(MAPS, **query)
    assert time.monotonic() - before >= 0.2
    assert (answer.status, answer.json["reason"]) == (504, "Timeout")
    assert answer.json["message"] == f"Timeout: Too large resource version: 900000, current: {current}"
    assert answer.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert answer.json["details"]["retryAfterSeconds"] == 1
    assert answer.headers["Retry-After"] == "1"


def test_s12_the_same_for_get(api: Http) -> None:
    create(api, "a")
    assert api.get(MAPS + "/a", resourceVersion="900000").status == 504


def test_s12_waits_three_seconds_and_answers_as_soon_as_the_revision_is_reached() -> None:
    with APIServer() as server:
        api = Http(server.url)
        wanted = int(server.resource_version) + 1
        before = time.monotonic()
        assert api.get(MAPS, resourceVersion=wanted + 5).status == 504
        assert 3.0 <= time.monotonic() - before < 4.0
        with api.raw(MAPS, resourceVersion=wanted) as sock:
            eventually(lambda: len(server.requests) == 2)
            server.create(config_map("a"))
            assert b"200 OK" in sock.recv(4096).split(b"\r\n")[0]


def test_s14_exact_at_a_compacted_revision_is_410(server: APIServer, api: Http) -> None:
    create(api, "a")
    then = api.get(MAPS).revision
    create(api, "b")
    server.compact()
    for query in ({"resourceVersionMatch": "Exact"}, {"limit": "5"}):
        answer = api.get(MAPS, resourceVersion=then, **query)
        assert (answer.status, answer.json["reason"]) == (410, "Expired")
        assert answer.json["message"] == "The resourceVersion for the provided list is too old."
    assert api.get(MAPS, resourceVersion=then).names == ["a", "b"]
    now = api.get(MAPS).revision
    assert api.get(MAPS, resourceVersion=now, resourceVersionMatch="Exact").status == 200


def test_s15_pages_are_sorted_by_key_and_count_what_remains(server: APIServer, api: Http) -> None:
    for namespace, name in (("b", "1"), ("a", "2"), ("a-b", "9"), ("a", "1"), ("b", "0")):
        server.create(config_map(name, namespace, labels={"x": "y"}))
    page = api.get("/api/v1/configmaps", limit=3)
    keys = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in page.json["items"]]
    # The order is that of the stored keys, where "-" comes before "/".
    assert keys == [("a-b", "9"), ("a", "1"), ("a", "2")]
    assert page.json["metadata"]["remainingItemCount"] == 2
    assert page.json["metadata"]["continue"]
    for selector in ({"labelSelector": "x=y"}, {"fieldSelector": "metadata.name!=7"}):
        selective = api.get("/api/v1/configmaps", limit=3, **selector).json["metadata"]
        assert "remainingItemCount" not in selective
        assert selective["continue"]


def test_s16_all_pages_show_the_state_of_the_first(api: Http) -> None:
    create(api, "a", "b", "c", "d", "e")
    page = api.get(MAPS, limit=2)
    first_revision, names = page.revision, page.names
    token = json.loads(base64.urlsafe_b64decode(page.json["metadata"]["continue"] + "=="))
    assert token == {"v": "meta.k8s.io/v1", "rv": int(first_revision), "start": "default/b\0"}
    api.delete(MAPS + "/d")
    create(api, "bb", "z")
    while token := page.json["metadata"].get("continue"):
        page = api.get(MAPS, **{"limit": 2, "continue": token})
        assert page.revision == first_revision
        names += page.names
    assert names == ["a", "b", "c", "d", "e"]


def test_s17_the_last_page_of_custom_resources_has_an_empty_continue(api: Http) -> None:
    create(api, "a")
    assert "continue" not in api.get(MAPS, limit=5).json["metadata"]
    serve_widgets(api)
    api.post(WIDGETS, widget("w"))
    assert api.get(WIDGETS, limit=5).json["metadata"]["continue"] == ""


def test_s18_continue_with_a_resource_version(api: Http) -> None:
    create(api, "a", "b", "c", "d")
    page = api.get(MAPS, limit=1)
    token = page.json["metadata"]["continue"]
    refused = api.get(MAPS, **{"limit": 1, "continue": token, "resourceVersion": page.revision})
    assert refused.status == 400
    assert refused.json["message"] == "specifying resource version is not allowed when using continue"
    assert api.get(MAPS, **{"limit": 1, "continue": token, "resourceVersion": "0"}).names == ["b", "c", "d"]


@pytest.mark.parametrize("token", ["garbage!", "e30", "bm8ganNvbg", "W10", "eyJ2IjoieCIsInJ2IjoxLCJzdGFydCI6IiJ9"])
def test_s19_a_garbage_token_is_400(api: Http, token: str) -> None:
    answer = api.get(MAPS, **{"limit": 1, "continue": token})
    assert answer.status == 400
    assert answer.json["message"].startswith("invalid continue token: ")


def test_s20_an_expired_token_comes_with_one_for_the_rest_at_the_latest_revision(server: APIServer, api: Http) -> None:
    create(api, "a", "b", "c")
    token = api.get(MAPS, limit=1).json["metadata"]["continue"]
    create(api, "bb")
    server.compact()
    expired = api.get(MAPS, **{"limit": 1, "continue": token})
    assert (expired.status, expired.json["reason"]) == (410, "Expired")
    rest = api.get(MAPS, **{"continue": expired.json["metadata"]["continue"]})
    assert rest.names == ["b", "bb", "c"]
    assert rest.revision == api.get(MAPS).revision


def test_s23_items_of_a_typed_list_have_no_kind_those_of_custom_resources_have(api: Http) -> None:
    create(api, "a")
    typed = api.get(MAPS).json
    assert (typed["kind"], typed["apiVersion"]) == ("ConfigMapList", "v1")
    assert "kind" not in typed["items"][0]
    assert "apiVersion" not in typed["items"][0]
    serve_widgets(api)
    api.post(WIDGETS, widget("w"))
    answer = api.get(WIDGETS)
    assert (answer.json["kind"], answer.json["items"][0]["kind"]) == ("WidgetList", "Widget")
    assert answer.json["items"][0]["apiVersion"] == "example.com/v1"
    assert list(answer.json) == ["apiVersion", "items", "kind", "metadata"]


def test_s24_a_namespace_that_never_existed_is_an_empty_list(api: Http) -> None:
    answer = api.get("/api/v1/namespaces/nowhere/pods")
    assert (answer.status, answer.names) == (200, [])
    assert int(answer.revision) > 0


def test_s25_selectors_apply_before_the_limit(server: APIServer, api: Http) -> None:
    for number in range(10):
        server.create(config_map(f"m{number}", labels={"odd": str(number % 2)}))
    page = api.get(MAPS, limit=3, labelSelector="odd=1")
    assert page.names == ["m1", "m3", "m5"]
    rest = api.get(MAPS, **{"limit": 3, "labelSelector": "odd=1", "continue": page.json["metadata"]["continue"]})
    assert rest.names == ["m7", "m9"]


def test_list_is_one_chunk_an_item(server: APIServer, api: Http) -> None:
    for number in range(3):
        server.create(pod(f"p-{number}"))
    with api.raw("/api/v1/pods") as sock:
        head, rest = read_head(sock)
        assert b"Transfer-Encoding: chunked" in head
        parts = list(chunks(sock, rest))
    assert len(parts) == 1 + 3 + 1 + 1
    assert [b'"name":"p-%d"' % number in parts[number + 1] for number in range(3)] == [True] * 3
    assert len(json.loads(b"".join(parts))["items"]) == 3


def test_a_single_namespace_is_not_its_prefix(server: APIServer, api: Http) -> None:
    for namespace in ("a", "ab", "a-b", "a.b"):
        server.create(config_map("m", namespace))
    assert len(api.get("/api/v1/namespaces/a/configmaps").names) == 1
    assert len(api.get("/api/v1/namespaces/ab/configmaps").names) == 1
