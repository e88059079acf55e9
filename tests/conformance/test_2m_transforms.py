"""2.M: what an informer's transform sees, and what sees its result."""

from __future__ import annotations

from typing import Any

import pytest
from informer_support import cached, eventually
from statements import differs
from transform_support import Make, Slim, expected, follow, start

from kubeinformer import DeletedFinalStateUnknown, KubeObject, ResourceEventHandlerFuncs
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

pytestmark = pytest.mark.usefixtures("quick_backoff")


def test_s162_cache_old_new_and_deleted_are_transformed(server: APIServer, make_factory: Make) -> None:
    """The cache, both objects of an update and the final state of a deleted object are what the transform returned."""
    server.create(pod("web-0"))
    factory = make_factory(transform=Slim())
    informer = factory.core().v1().pods().informer()
    seen: list[tuple[KubeObject | DeletedFinalStateUnknown, ...]] = []
    informer.add_event_handler(
        ResourceEventHandlerFuncs(
            add_func=lambda obj: seen.append((obj,)),
            update_func=lambda old, new: seen.append((old, new)),
            delete_func=lambda obj: seen.append((obj,)),
        )
    )
    start(factory)
    server.wait_for_watches(1, resource="pods")
    server.update(pod("web-0", node="node-2"))
    server.create(pod("web-1", phase="Pending"))
    eventually(lambda: cached(informer) == expected(server), "the cache is the list, transformed")
    assert informer.last_sync_resource_version() == informer._core.resource_version() == server.resource_version
    server.delete("pods", "web-0")
    eventually(lambda: len(seen) == 4, "add, update, add, delete")
    for objects in seen:
        for obj in objects:
            assert isinstance(obj, KubeObject)
            assert obj.labels["slim"] == "yes"
            assert set(obj) == {"apiVersion", "kind", "metadata", "spec"}
            assert obj.raw.startswith(b'{"apiVersion":"v1","kind":"Pod","metadata":')
    old, new = seen[1]
    assert (old["spec"]["nodeName"], new["spec"]["nodeName"]) == ("node-1", "node-2")  # type: ignore[index]
    assert seen[3][0]["spec"]["nodeName"] == "node-2"  # type: ignore[index]


def test_s162_index_functions_selectors_and_paths_see_the_result(server: APIServer, make_factory: Make) -> None:
    """Indices and label selectors work on what the transform returned."""
    server.create(pod("web-0", node=None))
    server.create(pod("web-1", node="node-1"))
    factory = make_factory(transform=Slim())
    pods = factory.core().v1().pods()
    pods.informer().add_indexers(
        {
            "node": "spec.nodeName",
            "image": "spec.containers[*].image",
            "python": lambda obj: [obj.labels["slim"], str("status" in obj)],
        }
    )
    start(factory)
    indexer = pods.informer().indexer()
    assert indexer.index_keys("node", "none") == ["default/web-0"]
    assert indexer.list_index_func_values("image") == []
    assert sorted(indexer.list_index_func_values("python")) == ["False", "yes"]
    assert len(pods.lister().pods("default").list("slim=yes")) == 2
    server.update(pod("web-0", node="node-9"))
    eventually(lambda: indexer.index_keys("node", "node-9"), "the update")
    assert indexer.index_keys("node", "none") == []
    assert pods.informer().index_errors() == {}


def change(field: str, value: Any) -> Any:
    def function(obj: dict[str, Any]) -> dict[str, Any]:
        obj["metadata"][field] = value
        return obj

    return function


@differs(
    "client-go lets a transform return what is no API object; here key, uid and resourceVersion must "
    "stay, because listers, deletion detection and the comparison of versions stand on them"
)
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (change("name", "other"), r'default/web-1: .*metadata\.name .*"web-1" to "other"'),
        (change("namespace", "kube-system"), r"default/web-1: .*metadata\.namespace "),
        (change("uid", None), r"default/web-1: .*metadata\.uid "),
        (change("resourceVersion", "7"), r"default/web-1: .*metadata\.resourceVersion "),
        (change("name", 5), "default/web-1: a transform must return an object: metadata.name is not a string"),
        (lambda obj: {"kind": "Pod"}, "default/web-1: a transform must return an object: .*metadata"),
        (lambda obj: None, "must return a dict, not NoneType"),
        (lambda obj: [obj], "must return a dict, not list"),
        (change("labels", {1, 2}), "not JSON serializable"),
    ],
    ids=["name", "namespace", "uid", "version", "type", "no metadata", "None", "list", "set"],
)
def test_s163_what_is_no_version_of_the_object_is_an_error(
    server: APIServer, make_factory: Make, function: Any, message: str
) -> None:
    """A transform must return an object with the metadata that names it and its version."""
    server.create(pod("web-1"))
    informer, _ = follow(make_factory(transform=function))
    assert cached(informer) == {}
    (error,) = informer.transform_errors().values()
    with pytest.raises((ValueError, TypeError), match=message):
        raise error
