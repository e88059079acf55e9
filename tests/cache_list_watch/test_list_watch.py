"""`ListWatch`: what functions may return, and that an informer over them is one like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client, watch
from list_watch_support import PODS, Quiet, Script, event, eventually, pod, pod_list, running

from kubeinformer import KubeObject, ListOptions
from kubeinformer.cache import ListWatch
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod as server_pod


class Stream:
    """The kubernetes package's Watch, with a way to stop it."""

    def __init__(self, function: Callable[..., Any], options: ListOptions) -> None:
        self._watch = watch.Watch()
        self._events = self._watch.stream(function, **options.to_kwargs())
        self.stop = self._watch.stop

    def __iter__(self) -> Iterator[Any]:
        return iter(self._events)


def models(api: Any) -> ListWatch:
    return ListWatch(
        lambda options: api.list_pod_for_all_namespaces(**options.to_kwargs()),
        lambda options: Stream(api.list_pod_for_all_namespaces, options),
    )


def raw_responses(api: Any) -> ListWatch:
    function = api.list_pod_for_all_namespaces
    return ListWatch(
        lambda options: function(**options.to_kwargs(), _preload_content=False),
        lambda options: function(**options.to_kwargs(), watch=True, _preload_content=False),
    )


def dicts(api: Any) -> ListWatch:
    def list_func(options: ListOptions) -> Any:
        listed = api.list_pod_for_all_namespaces(**options.to_kwargs(), _preload_content=False)
        return orjson.loads(listed.data)

    def watch_func(options: ListOptions) -> Any:
        return Stream(api.list_pod_for_all_namespaces, options)

    return ListWatch(list_func, watch_func)


@pytest.mark.parametrize("make", [models, raw_responses, dicts])
def test_an_informer_follows_the_server_through_functions(server: APIServer, make: Callable[[Any], ListWatch]) -> None:
    for number in range(3):
        server.create(server_pod(f"web-{number}"))
    with running(make(client.CoreV1Api(server.api_client()))) as (informer, recorder):
        assert informer.wait_for_cache_sync(timeout=10)
        assert sorted(informer.indexer().list_keys()) == [f"default/web-{number}" for number in range(3)]
        server.wait_for_watches()
        server.create(server_pod("web-3"))
        changed = server.get("pods", "web-0")
        changed["metadata"]["labels"] = {"app": "changed"}
        server.update(changed)
        server.delete("pods", "web-1")
        eventually(lambda: ("delete", "default/web-1") in recorder.calls, "the last change")
        assert recorder.calls[3:] == [
            ("add", "default/web-3"),
            ("update", "default/web-0"),
            ("delete", "default/web-1"),
        ]
        web = informer.indexer().get_by_key("default/web-0")
        assert web is not None
        assert web.labels == {"app": "changed"}
        assert web.raw.startswith(b'{"apiVersion":"v1","kind":"Pod"')


def test_raw_responses_keep_the_bytes_of_the_server(server: APIServer) -> None:
    server.create(server_pod("web-0"))
    with running(raw_responses(client.CoreV1Api(server.api_client()))) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        cached = informer.indexer().get_by_key("default/web-0")
        expected = server.get("pods", "web-0")
        expected["metadata"].pop("managedFields", None)
        assert cached is not None
        assert orjson.loads(cached.raw) == expected


def test_a_list_and_a_watch_of_models_give_the_same_bytes() -> None:
    model = client.V1Pod(metadata=client.V1ObjectMeta(name="a", namespace="default", uid="u", resource_version="5"))
    listed = client.V1PodList(items=[model], metadata=client.V1ListMeta(resource_version="5"))
    script = Script([listed, listed], [[event("MODIFIED", model), event("ERROR", {"kind": "Status", "code": 410})]])
    with running(script.list_watch()) as (informer, recorder):
        eventually(lambda: len(script.lists) == 2 and len(script.watches) == 2, "a relist after the 410")
        obj = informer.indexer().get_by_key("default/a")
        assert obj is not None
        assert (obj.api_version, obj.kind) == ("v1", "Pod")
        assert recorder.calls == [("add", "default/a")], "neither event nor relist was a change"


class ToDict:
    """As the objects of the dynamic client are."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def to_dict(self) -> dict[str, Any]:
        return self._data


@pytest.mark.parametrize(
    ("listed", "changed"),
    [
        (pod_list("1", pod("a")), event("ADDED", pod("b", "2"))),
        (orjson.dumps(pod_list("1", pod("a"))), orjson.dumps(event("ADDED", pod("b", "2")))),
        (pod_list("1", ToDict(pod("a"))), event("ADDED", ToDict(pod("b", "2")))),  # type: ignore[arg-type]
        (ToDict(pod_list("1", pod("a"))), orjson.dumps(event("ADDED", pod("b", "2"))) + b"\n"),
        (
            pod_list("1", KubeObject(orjson.dumps(pod("a")))),  # type: ignore[arg-type]
            event("ADDED", KubeObject(orjson.dumps(pod("b", "2")))),
        ),
    ],
    ids=["dict", "bytes", "items with to_dict", "to_dict", "KubeObject"],
)
def test_what_functions_may_give(listed: Any, changed: Any) -> None:
    script = Script([listed], [[changed]])
    with running(script.list_watch()) as (informer, _):
        eventually(lambda: sorted(informer.indexer().list_keys()) == ["default/a", "default/b"], "both pods")
        assert [obj.to_dict() for obj in informer.indexer().list() if obj.name == "b"] == [pod("b", "2")]


@pytest.mark.parametrize("listed", [["a"], 7, {"items": [object()], "kind": "PodList", "apiVersion": "v1"}])
def test_what_is_no_list_is_a_failure_that_says_so(listed: Any) -> None:
    script = Script([listed, pod_list("1", pod("a"))])
    with running(script.list_watch()) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        assert len(script.lists) == 2
        assert informer.controller.reflectors[""].counters().failures == 1


def test_s89_pages_go_through_the_list_function() -> None:
    script = Script([pod_list("7", pod("a"), continue_="next"), pod_list("9", pod("b"))])
    with running(script.list_watch(), page_size=1) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        assert sorted(informer.indexer().list_keys()) == ["default/a", "default/b"]
        assert [(options.limit, options.continue_, options.resource_version) for options in script.lists] == [
            (1, "", "0"),
            (1, "next", ""),
        ]
        eventually(lambda: script.watches, "a watch")
        assert script.watches[0].resource_version == "7", "the list's version is the first page's (§91)"
        assert script.watches[0].allow_watch_bookmarks
        assert script.watches[0].timeout_seconds


def test_disable_chunking_asks_for_no_limit() -> None:
    script = Script([pod_list("1", pod("a"))])
    with running(script.list_watch(disable_chunking=True)) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        assert [options.limit for options in script.lists] == [0]


def test_s97_without_watch_list_semantics_the_first_list_is_a_list() -> None:
    script = Script([pod_list("1", pod("a"))])
    with running(script.list_watch()) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        eventually(lambda: script.watches, "a watch")
        assert [options.send_initial_events for options in script.watches] == [None]


def test_s101_a_watch_function_may_stream_the_first_list() -> None:
    end = {"apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": "4", "annotations": {}}}
    end["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}  # type: ignore[index]
    script = Script([])
    events = [event("ADDED", pod("a", "3")), event("BOOKMARK", end), event("ADDED", pod("b", "5"))]
    script = Script([], [lambda: Quiet(script.over, *events)])
    with running(script.list_watch(supports_watch_list=True)) as (informer, _):
        eventually(lambda: sorted(informer.indexer().list_keys()) == ["default/a", "default/b"], "list and event")
        assert [options.send_initial_events for options in script.watches] == [True]
        assert script.lists == []


def test_from_client_lists_and_watches_what_it_was_told_to(server: APIServer) -> None:
    for namespace, node in (("a", "n1"), ("a", "n2"), ("b", "n1")):
        server.create(server_pod(f"web-{node}", namespace, node=node))

    def only_web(options: ListOptions) -> None:
        options.label_selector = "app!=other"

    list_watch = ListWatch.from_client(
        server.api_client(), PODS, "a", field_selector="spec.nodeName=n1", tweak_list_options=only_web
    )
    with running(list_watch) as (informer, _):
        assert informer.wait_for_cache_sync(timeout=10)
        assert informer.indexer().list_keys() == ["a/web-n1"]
        server.wait_for_watches()
        for request in server.requests:
            if "pods" in request.path:
                assert request.path == "/api/v1/namespaces/a/pods"
                assert request.query["fieldSelector"] == "spec.nodeName=n1"
                assert request.query["labelSelector"] == "app!=other"


@pytest.mark.parametrize("how", ["client", "models", "raw", "dict"])
def test_list_returns_the_list_object(server: APIServer, how: str) -> None:
    server.create(server_pod("web-0"))
    api = client.CoreV1Api(server.api_client())
    sources: dict[str, Callable[[], ListWatch]] = {
        "client": lambda: ListWatch.from_client(server.api_client(), PODS),
        "models": lambda: models(api),
        "raw": lambda: raw_responses(api),
        "dict": lambda: dicts(api),
    }
    listed = sources[how]().list(ListOptions(limit=5))
    assert listed["kind"] == "PodList"
    assert [item["metadata"]["name"] for item in listed["items"]] == ["web-0"]


def test_functions_must_be_callable() -> None:
    with pytest.raises(TypeError, match="watch_func must be callable, not NoneType"):
        ListWatch(lambda options: {}, None)  # type: ignore[arg-type]


@given(
    st.builds(
        ListOptions,
        label_selector=st.text(),
        field_selector=st.text(),
        limit=st.integers(min_value=0),
        continue_=st.text(),
        resource_version=st.text(),
        resource_version_match=st.sampled_from(["", "Exact", "NotOlderThan"]),
        timeout_seconds=st.none() | st.integers(min_value=0),
        allow_watch_bookmarks=st.booleans(),
        send_initial_events=st.none() | st.booleans(),
        watch=st.booleans(),
    )
)
def test_options_survive_the_query(options: ListOptions) -> None:
    assert ListOptions.from_query(options.to_query()) == options


def test_options_as_arguments_of_the_kubernetes_package() -> None:
    options = ListOptions(limit=5, continue_="t", timeout_seconds=0, send_initial_events=False, watch=True)
    assert options.to_kwargs() == {"limit": 5, "_continue": "t", "timeout_seconds": 0, "send_initial_events": False}
    assert ListOptions().to_kwargs() == {}
