"""Transforms of `kubeinformer.transform`: evaluated while objects are read, on every way that they come (§162)."""

from __future__ import annotations

from typing import Any

import pytest
from informer_support import Recorder, cached, eventually
from transform_support import Make, relist, start

from kubeinformer import DeletedFinalStateUnknown, transform
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import large_pod, pod

pytestmark = pytest.mark.usefixtures("quick_backoff")

BOTH = pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])


def without(obj: dict[str, Any]) -> dict[str, Any]:
    """What is left of an object of the server by DROP."""
    obj.pop("status", None)
    obj["metadata"].pop("managedFields", None)
    obj["metadata"].pop("annotations", None)
    for container in obj["spec"]["containers"]:
        container.pop("env", None)
        container.pop("resources", None)
    return obj


DROP = transform.drop(
    "status", "metadata.annotations", "spec.containers[*].env", "spec['containers'][*].resources", "spec.missing.too"
)


@BOTH
def test_s162_what_is_dropped_comes_by_no_way(server: APIServer, make_factory: Make, use_watch_list: bool) -> None:
    """A declared transform has changed every object, also a deleted one's final state, before anything sees it."""
    server.create(large_pod("web-0"))
    factory = make_factory(transform=DROP, options={"use_watch_list": use_watch_list})
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    deleted: list[Any] = []
    on_delete = recorder.on_delete
    recorder.on_delete = lambda obj: (deleted.append(obj), on_delete(obj))  # type: ignore[method-assign,assignment,func-returns-value]
    informer.add_event_handler(recorder)
    start(factory)
    server.create(large_pod("web-1", annotations={"note": "n"}))
    server.update(pod("web-0", phase="Failed", node="node-2"))

    def expected() -> dict[str, Any]:
        return {f"default/{obj['metadata']['name']}": without(obj) for obj in server.list("pods")}

    eventually(lambda: cached(informer) == expected(), "the list without what is dropped")
    assert len(informer.indexer()) == 2
    eventually(lambda: set(recorder.state) == {"default/web-0", "default/web-1"}, "the handler")
    assert all(b'"status"' not in raw and b'"note"' not in raw for raw in recorder.state.values())
    server.delete("pods", "web-0")
    eventually(lambda: deleted, "the deletion")
    assert not isinstance(deleted[0], DeletedFinalStateUnknown)
    assert "status" not in deleted[0]
    assert recorder.faults == []


def test_s162_keep_leaves_the_identity_and_what_is_named(server: APIServer, make_factory: Make) -> None:
    """A transform that keeps some fields keeps the object's identity too, and indices and selectors see only those."""
    server.create(large_pod("web-0", labels={"app": "web", "tier": "front"}))
    factory = make_factory(transform=transform.keep("metadata.labels.app", "spec.nodeName", "spec.containers[*].image"))
    pods = factory.core().v1().pods()
    informer = pods.informer()
    informer.add_indexers({"node": "spec.nodeName", "image": "spec.containers[*].image", "phase": "status.phase"})
    start(factory)
    (obj,) = informer.indexer().list()
    full = server.get("pods", "web-0")
    kept = ("name", "namespace", "uid", "resourceVersion")
    assert obj.to_dict() == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {key: full["metadata"][key] for key in kept} | {"labels": {"app": "web"}},
        "spec": {
            "nodeName": "node-1",
            "containers": [{"image": container["image"]} for container in full["spec"]["containers"]],
        },
    }
    assert obj.raw.startswith(b'{"apiVersion":"v1","kind":"Pod",')
    assert len(obj.raw) < 500
    assert [found.key for found in pods.lister().list("app=web")] == ["default/web-0"]
    assert pods.lister().list("tier=front") == [], "a selector sees what is left"
    assert informer.indexer().index_keys("node", "node-1") == ["default/web-0"]
    assert informer.indexer().list_index_func_values("phase") == []


def test_an_unchanged_object_of_a_relist_stays_the_same_and_silent(server: APIServer, make_factory: Make) -> None:
    for number in range(3):
        server.create(pod(f"web-{number}"))
    factory = make_factory(transform=transform.keep(), options={"notify_unchanged_on_relist": False})
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    start(factory)
    eventually(lambda: len(recorder.calls) == 3, "the first list")
    relist(server, informer)
    server.create(pod("web-3"))
    eventually(lambda: len(recorder.calls) == 4, "what comes after it")
    assert recorder.calls[-1] == ("add", "default/web-3", False)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["spec", "spec.[0]"], r"expected a key behind '\.' at character 5\n  spec\.\[0\]\n {7}\^"),
        (["metadata.name"], "cannot be left out"),
        (["metadata"], "cannot be left out"),
        (["metadata['resourceVersion']"], "cannot be left out"),
        (["kind"], "cannot be left out"),
    ],
)
def test_a_path_that_cannot_be_dropped_is_refused(paths: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transform.drop(*paths)


def test_what_is_refused_of_keep_and_what_a_transform_looks_like() -> None:
    with pytest.raises(ValueError, match="at character 4"):
        transform.keep("spec b")
    with pytest.raises(TypeError, match="drop needs at least one"):
        transform.drop()
    assert repr(transform.keep("spec", "a['b']")) == """transform.keep("spec", "a['b']")"""
