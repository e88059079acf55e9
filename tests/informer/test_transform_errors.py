"""Transforms that fail: nothing is lost, nothing untransformed gets in, and it mends itself (unlike §120)."""

from __future__ import annotations

import gc
import time
from typing import Any

import orjson
import pytest
from informer_support import cached, eventually
from kubernetes.client import CoreV1Api
from transform_support import KEY, Broken, Make, Slim, asked, follow, relist, slim, start

from kubeinformer import DeletedFinalStateUnknown, ListOptions, Resource
from kubeinformer.cache import ListWatch, new_shared_index_informer
from kubeinformer.informers import MetadataSharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

PODS = Resource("", "v1", "pods", "Pod")

pytestmark = pytest.mark.usefixtures("quick_backoff")


def test_a_later_version_mends_without_a_get(server: APIServer, make_factory: Make) -> None:
    server.create(pod("web-1", phase="Failed"))
    server.faults.forbidden(verb="get")
    informer, recorder = follow(make_factory(transform=Broken()))
    assert cached(informer) == {}
    eventually(lambda: len(asked(server)) >= 2, "it is asked for, although that is forbidden")
    now = server.update(pod("web-1"))
    eventually(lambda: cached(informer) == {KEY: slim(now)}, "the next version")
    assert informer.transform_errors() == {}
    eventually(lambda: recorder.names("add") == [KEY], "an addition")


def test_a_deletion_whose_final_state_fails_is_told_with_the_last_state_that_is_known(
    server: APIServer, make_factory: Make, caplog: pytest.LogCaptureFixture
) -> None:
    server.create(pod("web-1", node="node-7"))
    function = Slim()
    informer, recorder = follow(make_factory(transform=function))
    deleted: list[Any] = []
    on_delete = recorder.on_delete
    recorder.on_delete = lambda obj: (deleted.append(obj), on_delete(obj))  # type: ignore[method-assign,assignment,func-returns-value]
    eventually(lambda: recorder.state, "the addition")
    known = recorder.state[KEY]
    function.fails = lambda obj: True
    server.delete("pods", "web-1")
    eventually(lambda: not recorder.state, "the deletion")
    assert cached(informer) == {}
    assert isinstance(deleted[0], DeletedFinalStateUnknown)
    assert deleted[0].obj is not None
    assert deleted[0].obj.raw == known
    assert len(function.calls) == 2, "it has seen the final state"
    assert informer.transform_errors() == {}, "there is nothing to mend"
    assert sum(KEY in record.getMessage() for record in caplog.records) == 1
    assert informer._core.resource_version() == server.resource_version
    assert asked(server) == []


def test_the_deletion_of_an_object_that_always_failed_ends_its_error(server: APIServer, make_factory: Make) -> None:
    server.create(pod("web-1", phase="Failed"))
    informer, recorder = follow(make_factory(transform=Broken()))
    assert list(informer.transform_errors()) == [KEY]
    server.wait_for_watches(1)
    server.delete("pods", "web-1")
    server.create(pod("web-2"))
    eventually(lambda: recorder.names("add") == ["default/web-2"], "what comes after it")
    assert informer.transform_errors() == {}
    assert recorder.names("delete") == [], "nobody had heard of it"


def test_a_list_without_a_failed_object_ends_its_error_and_deletes_what_was_known(
    server: APIServer, make_factory: Make
) -> None:
    server.create(pod("web-0"))
    server.create(pod("web-1"))
    informer, recorder = follow(make_factory(transform=Broken()))
    server.create(pod("web-2", phase="Failed"))
    server.update(pod("web-1", phase="Failed"))
    eventually(lambda: sorted(informer.transform_errors()) == [KEY, "default/web-2"], "both fail")
    relist(server, informer)
    assert sorted(informer.transform_errors()) == [KEY, "default/web-2"]
    assert recorder.names("delete") == [], "an object that fails in a list is there"
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "web-1")
    server.delete("pods", "web-2")
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: recorder.names("delete") == [KEY], "the deletion")
    assert informer.transform_errors() == {}
    assert recorder.tombstones == 1


def test_a_failed_list_of_one_namespace_leaves_the_errors_of_another(server: APIServer, make_factory: Make) -> None:
    for namespace in ("a", "b"):
        server.create(pod("web-1", namespace, phase="Failed"))
    informer, _ = follow(make_factory(transform=Broken(), namespaces=["a", "b"]))
    assert sorted(informer.transform_errors()) == ["a/web-1", "b/web-1"]
    reflector = informer.controller.reflectors["b"]
    eventually(informer.is_live, "live")
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "web-1", "b")
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: sum(reflector.counters().relists.values()) > 0, "the relist")
    eventually(lambda: sorted(informer.transform_errors()) == ["a/web-1"], "the other error stays")


def test_another_object_of_the_name_that_fails_is_the_end_of_the_one_before(
    server: APIServer, make_factory: Make
) -> None:
    server.create(pod("web-1"))
    function = Broken()
    informer, recorder = follow(make_factory(transform=function))
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "web-1")
    again = pod("web-1", phase="Failed")
    again["metadata"]["uid"] = "another"
    again = server.create(again)
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: recorder.names("delete") == [KEY], "the deletion")
    assert cached(informer) == {}
    function.broken = False
    eventually(lambda: cached(informer) == {KEY: slim(again)}, "the new object")
    assert recorder.tombstones == 1


def test_a_get_that_comes_back_with_another_version_changes_nothing(server: APIServer, make_factory: Make) -> None:
    """Never back to an older version, and forward by the watch alone, in order and in scope."""
    older = server.create(pod("web-1", phase="Failed", node="node-1"))
    function = Broken()
    informer, recorder = follow(make_factory(transform=function))
    failed = server.update(pod("web-1", phase="Failed", node="node-2"))
    newer = orjson.loads(orjson.dumps(failed))
    newer["metadata"]["resourceVersion"] = "1000000"
    eventually(lambda: ("web-1", failed["metadata"]["resourceVersion"]) in function.calls, "the update fails")
    server.faults.respond(200, body=older, verb="get", times=2)
    server.faults.respond(200, body=newer, verb="get", times=2)
    server.faults.respond(200, body="{", verb="get")
    server.faults.respond(404, verb="get")
    del function.calls[:]
    server.clear_requests()
    function.broken = False
    eventually(lambda: cached(informer) == {KEY: slim(failed)}, "the version that failed")
    assert set(function.calls) == {("web-1", failed["metadata"]["resourceVersion"])}
    eventually(lambda: recorder.names("add") == [KEY], "one addition")

    # What was asked for before the newest version came in is no news either.
    informer._core.refetched(orjson.dumps(failed), list=False)
    informer._core.refetched(orjson.dumps(older), list=False)
    last = server.update(pod("web-1", node="node-3"))
    informer._core.refetched(orjson.dumps(failed), list=False)
    eventually(lambda: cached(informer) == {KEY: slim(last)}, "the newest version")
    informer._core.refetched(orjson.dumps(failed), list=False)
    server.create(pod("web-2"))
    eventually(lambda: "default/web-2" in cached(informer), "what comes after it")
    assert cached(informer)[KEY] == slim(last)
    assert recorder.names("update") == [KEY]


def test_no_error_keeps_the_untransformed_object_alive(server: APIServer, make_factory: Make) -> None:
    class Secret(dict[str, Any]):
        pass

    def function(obj: dict[str, Any]) -> dict[str, Any]:
        secret = Secret(obj)
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise LookupError(f"outer of {len(secret)}") from error

    server.create(pod("web-1"))
    informer, _ = follow(make_factory(transform=function))
    error = informer.transform_errors()[KEY]
    assert error.__traceback__ is not None
    gc.collect()
    assert not [obj for obj in gc.get_objects() if isinstance(obj, Secret)]


def test_an_exception_that_is_no_exception_ends_nothing(server: APIServer, make_factory: Make) -> None:
    def function(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"] == "web-1":
            raise SystemExit(3)
        return obj

    server.create(pod("web-1"))
    informer, _ = follow(make_factory(transform=function))
    server.create(pod("web-2"))
    eventually(lambda: "default/web-2" in cached(informer), "it goes on")
    assert isinstance(informer.transform_errors()[KEY], SystemExit)


def test_index_functions_see_what_is_mended(server: APIServer, make_factory: Make) -> None:
    """The batch of a retry waits for index values as any other."""
    server.create(pod("web-1", phase="Failed", node="node-4"))
    function = Broken()
    factory = make_factory(transform=function)
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"python": lambda obj: [obj["spec"]["nodeName"]]})
    start(factory)
    indexer = informer.indexer()
    assert indexer.list_index_func_values("python") == []
    function.broken = False
    eventually(lambda: indexer.index_keys("python", "node-4") == [KEY], "the index has it")


def test_the_whole_body_of_a_get_is_read(server: APIServer, make_factory: Make) -> None:
    created = server.create(pod("web-1", phase="Failed", size=300_000))
    function = Broken()
    informer, _ = follow(make_factory(transform=function))
    function.broken = False
    created["metadata"].pop("managedFields")
    eventually(lambda: cached(informer) == {KEY: slim(created)}, "the object of the GET")


def test_functions_that_list_are_asked_for_a_list_of_one(server: APIServer) -> None:
    server.create(pod("web-0"))
    created = server.create(pod("web-1", phase="Failed"))
    pods = CoreV1Api(server.api_client()).list_pod_for_all_namespaces
    selectors: list[str] = []

    def listed(options: ListOptions) -> Any:
        selectors.append(options.field_selector)
        return pods(**options.to_kwargs(), _preload_content=False)

    def watched(options: ListOptions) -> Any:
        return pods(**options.to_kwargs(), watch=True, _preload_content=False)

    function = Broken()
    informer = new_shared_index_informer(ListWatch(listed, watched), PODS, transform=function)
    try:
        informer.start()
        eventually(lambda: list(informer.transform_errors()) == [KEY], "the failure")
        function.broken = False
        eventually(lambda: cached(informer).get(KEY) == slim(created), "the object of the list")
    finally:
        assert informer.shutdown(timeout=10) == []
    assert set(selectors) == {"", "metadata.name=web-1"}
    assert function.names().count("web-0") == 1


def test_it_is_asked_for_within_the_selector_of_its_list_watch_also_after_an_unforeseen_failure(
    server: APIServer,
) -> None:
    created = server.create(pod("web-1", phase="Failed"))
    selectors: list[str] = []

    def tweak(options: ListOptions) -> None:
        selectors.append(options.field_selector)
        if selectors.count("metadata.namespace=default,metadata.name=web-1") == 1 and "name=" in selectors[-1]:
            raise KeyError("once")

    function = Broken()
    list_watch = ListWatch.from_client(
        server.api_client(), PODS, field_selector="metadata.namespace=default", tweak_list_options=tweak
    )
    informer = new_shared_index_informer(list_watch, PODS, transform=function)
    try:
        informer.start()
        eventually(lambda: list(informer.transform_errors()) == [KEY], "the failure")
        function.broken = False
        eventually(lambda: cached(informer) == {KEY: slim(created)}, "the object of the list")
    finally:
        assert informer.shutdown(timeout=10) == []
    own = "metadata.namespace=default"
    assert set(selectors) == {own, f"{own},metadata.name=web-1"}


def test_metadata_alone_is_asked_for_again_too(server: APIServer) -> None:
    server.create(pod("web-1"))
    broken = True

    def function(obj: dict[str, Any]) -> dict[str, Any]:
        if broken:
            raise LookupError
        obj["metadata"]["labels"]["seen"] = obj["kind"]
        return obj

    factory = MetadataSharedInformerFactory(server.api_client())
    informer = factory.for_resource("v1", "pods").informer()
    informer.set_transform(function)
    with factory.running(timeout=10):
        assert list(informer.transform_errors()) == [KEY]
        broken = False
        eventually(lambda: cached(informer), "the object of the list")
        (obj,) = informer.indexer().list()
        assert (obj.labels["seen"], obj.kind, "spec" in obj) == (
            "PartialObjectMetadata",
            "PartialObjectMetadata",
            False,
        )


def test_a_get_under_way_ends_with_the_informer(server: APIServer, make_factory: Make) -> None:
    server.create(pod("web-1", phase="Failed"))
    server.faults.stall(verb="get", times=None)
    factory = make_factory(transform=Broken())
    follow(factory)
    eventually(lambda: asked(server), "the GET")
    begin = time.monotonic()
    assert factory.shutdown(timeout=10) == []
    assert time.monotonic() - begin < 2


def test_no_error_keeps_what_was_transformed_with_it(server: APIServer, make_factory: Make) -> None:
    def function(obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"] == "web-1":
            raise ValueError("no")
        return obj

    for number in range(5):
        server.create(pod(f"web-{number}"))
    informer, _ = follow(make_factory(transform=function))
    error = informer.transform_errors()[KEY]
    assert error.__traceback__ is not None
    frame = error.__traceback__.tb_frame
    held: list[Any] = []
    while (frame := frame.f_back) is not None:  # type: ignore[assignment]
        held += [value for value in frame.f_locals.values() if isinstance(value, list) and value]
    assert held == []
