"""Transforms that are Python functions: what they see, when they run, what comes of it (§46, §82, §104, §162)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from informer_support import Recorder, cached, eventually
from transform_support import Make, Slim, expected, relist, start

from kubeinformer import Error, transform
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

pytestmark = pytest.mark.usefixtures("quick_backoff")

BOTH = pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])


def test_s046_once_for_each_version_and_not_for_tombstones_and_resyncs(server: APIServer, make_factory: Make) -> None:
    """A transform is called once for each version, a deleted object's final state included, not for anything else."""
    for name in ("web-0", "web-1"):
        server.create(pod(name))
    function = Slim()
    factory = make_factory(transform=function)
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder, resync_period=1.0)
    start(factory)
    eventually(lambda: len(recorder.names("update")) >= 2, "a resync")
    server.update(pod("web-0", node="node-2"))
    eventually(lambda: len(function.calls) == 3, "the update")
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "web-1")
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: recorder.tombstones == 1, "a deletion that was missed")
    server.delete("pods", "web-0")
    eventually(lambda: not recorder.state, "a deletion that was seen")
    assert len(set(function.calls)) == len(function.calls) == 4
    assert sorted(function.names()) == ["web-0", "web-0", "web-0", "web-1"]
    assert recorder.faults == []


@BOTH
def test_an_unchanged_object_of_a_relist_is_not_transformed_again(
    server: APIServer, make_factory: Make, use_watch_list: bool
) -> None:
    for number in range(5):
        server.create(pod(f"web-{number}"))
    function = Slim()
    factory = make_factory(transform=function, options={"use_watch_list": use_watch_list})
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    start(factory)
    del function.calls[:]
    eventually(lambda: len(recorder.calls) == 5, "the first list")
    del recorder.calls[:]
    relist(server, informer)
    server.faults.pause_watches()
    server.update(pod("web-3", node="node-7"))
    server.compact()
    server.faults.close_watches()
    server.faults.resume_watches()
    eventually(lambda: len(recorder.calls) == 1, "what changed")
    assert function.names() == ["web-3"]
    assert recorder.calls == [("update", "default/web-3", False)]
    assert cached(informer) == expected(server)


def test_what_a_restored_server_gives_under_a_known_version_is_transformed(
    server: APIServer, make_factory: Make
) -> None:
    """The version is the same, the bytes are not."""
    server.create(pod("web-0"))
    snapshot = server.snapshot()
    lost = server.update(pod("web-0", node="node-lost"))
    function = Slim()
    factory = make_factory(transform=function)
    informer = factory.core().v1().pods().informer()
    start(factory)
    assert function.calls == [("web-0", lost["metadata"]["resourceVersion"])]
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.restore(snapshot)
    now = server.update(pod("web-0", node="node-now"))
    assert now["metadata"]["resourceVersion"] == lost["metadata"]["resourceVersion"]
    server.faults.respond(410, verb="watch")
    server.faults.accept_connections()
    eventually(lambda: cached(informer) == expected(server), "the other content")
    assert len(function.calls) == 2


def test_a_long_list_is_transformed_on_the_processors_thread(server: APIServer, make_factory: Make) -> None:
    for number in range(1203):
        server.create(config_map(f"map-{number}", labels={"number": str(number)}))
    threads: set[str] = set()

    def function(obj: dict[str, Any]) -> dict[str, Any]:
        threads.add(threading.current_thread().name)
        obj["data"] = {"number": obj["metadata"]["labels"]["number"]}
        return obj

    factory = make_factory(transform=function, options={"use_watch_list": False})
    informer = factory.core().v1().config_maps().informer()
    informer.add_indexers({"number": "data.number"})
    start(factory)
    assert len(informer.indexer()) == 1203
    assert len(informer.indexer().list_index_func_values("number")) == 1203
    assert threads == {"kubeinformer-processor-configmaps"}


def test_namespaces_are_transformed_alike(server: APIServer, make_factory: Make) -> None:
    for namespace in ("a", "b", "c"):
        server.create(pod("web-0", namespace))
    function = Slim()
    factory = make_factory(transform=function, namespaces=["a", "b"])
    informer = factory.core().v1().pods().informer()
    start(factory)
    server.create(pod("web-1", "b"))
    eventually(lambda: len(informer.indexer()) == 3, "the pod of the watch")
    assert {key: obj["metadata"]["labels"]["slim"] for key, obj in cached(informer).items()} == {
        "a/web-0": "yes",
        "b/web-0": "yes",
        "b/web-1": "yes",
    }
    server.delete("pods", "web-0", "a")
    eventually(lambda: sorted(informer.indexer().list_keys()) == ["b/web-0", "b/web-1"], "the deletion")
    assert sorted(function.names()) == ["web-0", "web-0", "web-0", "web-1"]


def test_s82_a_transform_is_set_before_the_start_and_the_last_one_counts(server: APIServer, make_factory: Make) -> None:
    """A transform can be set until the start, after which that is an error; the last one set counts."""
    server.create(pod("web-0"))
    unused = Slim()
    factory = make_factory(transform=unused)
    informer = factory.core().v1().pods().informer()
    informer.set_transform(transform.keep())
    informer.set_transform(Slim())
    others = factory.core().v1().pods(label_selector="app=web").informer()
    others.set_transform(None)
    for bad in (5, "status", ["status"]):
        with pytest.raises(TypeError, match="transform must be"):
            informer.set_transform(bad)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="transform must be"):
            make_factory(transform=bad)
    start(factory)
    with pytest.raises(Error, match="informer has already started"):
        informer.set_transform(Slim())
    assert cached(informer) == expected(server)
    assert "status" in cached(others)["default/web-0"]
    assert unused.calls == []


def test_apiversion_and_kind_come_back(server: APIServer, make_factory: Make) -> None:
    server.create(pod("web-0"))
    factory = make_factory(transform=lambda obj: {"metadata": obj["metadata"], "more": [1, None, "é"]})
    informer = factory.core().v1().pods().informer()
    start(factory)
    obj = informer.indexer().list()[0]
    assert obj.raw.startswith(b'{"apiVersion":"v1","kind":"Pod","metadata":{')
    assert (obj.kind, obj.to_dict("more")) == ("Pod", [1, None, "é"])


def test_a_shutdown_does_not_wait_for_the_rest_of_a_list(server: APIServer, make_factory: Make) -> None:
    for number in range(20):
        server.create(pod(f"web-{number}"))
    entered, leave = threading.Event(), threading.Event()
    calls: list[str] = []

    def function(obj: dict[str, Any]) -> dict[str, Any]:
        calls.append(obj["metadata"]["name"])
        entered.set()
        assert leave.wait(20)
        return obj

    factory = make_factory(transform=function)
    informer = factory.core().v1().pods().informer()
    factory.start()
    assert entered.wait(20)
    informer.stop()
    leave.set()
    assert factory.shutdown(timeout=10) == []
    assert len(calls) == 1
    assert len(informer.indexer()) == 0
