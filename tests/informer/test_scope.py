"""Scopes: namespaces as sources, selectors, and several informers of one resource (design, "Scope is per informer")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from informer_support import Recorder, assert_equal_to_server, eventually

from kubeinformer import CacheSyncTimeoutError, ListOptions, SharedInformerFactory
from kubeinformer.cache.backoff import Backoff
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, custom_resource_definition, pod

Make = Callable[..., SharedInformerFactory]


def test_s67_a_relist_of_one_namespace_leaves_the_others_alone(server: APIServer, make_factory: Make) -> None:
    for namespace in ("a", "b"):
        server.create(pod("web-0", namespace))
    factory = make_factory(namespaces=["a", "b"])
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.faults.respond(503, namespace="a", times=None)
    server.faults.close_watches(namespace="a")
    server.delete("pods", "web-0", "a")
    server.create(pod("web-1", "a"))
    server.create(pod("web-1", "b"))
    eventually(lambda: "b/web-1" in recorder.state, "the other namespace goes on")
    server.compact()
    server.faults.clear()
    eventually(lambda: sorted(recorder.state) == ["a/web-1", "b/web-0", "b/web-1"], "the relist")
    assert recorder.tombstones == 1
    assert recorder.faults == []


@pytest.mark.parametrize("transport", ["native", "python"])
def test_f22_a_namespace_that_is_forbidden_meanwhile_is_named_and_the_others_stay_live(
    server: APIServer, make_factory: Make, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubeinformer.cache.reflector.Backoff", partial(Backoff, initial=0.01, cap=0.05))
    for namespace in ("a", "b", "c"):
        server.create(pod("web-0", namespace))
    factory = make_factory(namespaces=["a", "b", "c"], transport=transport)
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.faults.forbidden(namespace="b")
    server.faults.close_watches(namespace="b")
    eventually(informer.controller.lasting_refusal, "the refusal lasts")
    server.create(pod("web-1", "a"))
    server.create(pod("web-1", "c"))
    eventually(lambda: {"a/web-1", "c/web-1"} <= set(recorder.state), "the others go on")
    errors = informer.controller.last_errors()
    assert list(errors) == ["b"]
    assert 'in the namespace "b"' in str(errors["b"].error)
    assert [source for source, it in informer.controller.reflectors.items() if not it.is_live()] == ["b"]
    assert "b/web-0" in recorder.state, "what cannot be read any more is not deleted"
    assert not informer.is_live()
    server.faults.clear()
    eventually(informer.is_live, "all is well again")
    assert informer.controller.last_errors() == {}
    assert_equal_to_server(server, informer, recorder)
    assert recorder.tombstones == 0


@pytest.mark.parametrize("transport", ["native", "python"])
def test_a_forbidden_namespace_is_named_and_does_not_stop_the_others(
    server: APIServer, make_factory: Make, transport: str
) -> None:
    server.create(pod("web-0", "a"))
    server.create(pod("web-0", "b"))
    server.faults.forbidden(namespace="b")
    factory = make_factory(namespaces=["a", "b"], transport=transport)
    informer = factory.core().v1().pods().informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    with pytest.raises(CacheSyncTimeoutError, match=r'pods in namespace b: .*forbidden.*"b"') as raised:
        factory.wait_for_cache_sync(timeout=20)
    assert list(raised.value.unsynced) == ["pods in namespace b"]
    eventually(lambda: sorted(recorder.state) == ["a/web-0"], "the other namespace is there")
    server.create(pod("web-1", "a"))
    eventually(lambda: "a/web-1" in recorder.state, "the other namespace goes on")
    server.faults.clear()
    factory.wait_for_cache_sync(timeout=20, fail_fast=False)
    assert_equal_to_server(server, informer, recorder)


def test_s43_leaving_the_selector_is_a_delete_and_entering_it_an_add(server: APIServer, make_factory: Make) -> None:
    server.create(pod("web-0", labels={"app": "a"}))
    server.create(pod("web-1", labels={"app": "b"}))
    factory = make_factory()
    informer = factory.core().v1().pods(label_selector="app=a").informer()
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    eventually(lambda: sorted(recorder.state) == ["default/web-0"], "the first list")
    server.update(pod("web-0", labels={"app": "b"}))
    server.update(pod("web-1", labels={"app": "a"}))
    eventually(lambda: sorted(recorder.state) == ["default/web-1"], "both transitions")
    assert_equal_to_server(server, informer, recorder, label_selector="app=a")


def test_scopes_of_one_resource_are_informers_of_their_own(server: APIServer, make_factory: Make) -> None:
    def tweak(options: ListOptions) -> None:
        options.label_selector = "tier=web"

    factory = make_factory(tweak_list_options=tweak)
    v1 = factory.core().v1()
    assert v1.pods().informer() is v1.pods().informer()
    field = v1.pods(field_selector="spec.nodeName=node-1", namespaces=["a"])
    assert field.informer() is not v1.pods().informer()
    assert field.informer() is v1.pods(field_selector="spec.nodeName=node-1", namespaces=["a"]).informer()
    factory.start()
    synced = factory.wait_for_cache_sync(timeout=10)
    assert synced == {"pods": True, "pods[namespaces=a; field_selector=spec.nodeName=node-1]": True}
    queries = {request.path: request.query for request in server.requests if request.query.get("watch")}
    assert queries["/api/v1/pods"]["labelSelector"] == "tier=web"
    assert queries["/api/v1/namespaces/a/pods"]["fieldSelector"] == "spec.nodeName=node-1"
    assert queries["/api/v1/namespaces/a/pods"]["labelSelector"] == "tier=web"


def test_custom_resources_by_group_version_and_plural(server: APIServer, make_factory: Make) -> None:
    server.create(custom_resource_definition("example.com", "widgets", "Widget"))
    widget = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "a"},
        "spec": {"size": 3},
    }
    server.create(widget)
    factory = make_factory()
    widgets = factory.for_resource("example.com/v1", "widgets")
    widgets.informer().add_indexers({"size": "spec.size"})
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"widgets.example.com": True}
    assert [obj.key for obj in widgets.informer().indexer().by_index("size", "3")] == ["a/w"]
    assert widgets.lister().get("a/w")["spec"]["size"] == 3
    with pytest.raises(TypeError, match=r"no model for example\.com/v1 Widget"):
        widgets.lister().by_namespace("a").get("w").to_model()


def test_for_resource_of_a_built_in_is_the_same_informer(make_factory: Make) -> None:
    factory = make_factory()
    assert factory.for_resource("apps/v1", "deployments").informer() is factory.apps().v1().deployments().informer()
    with pytest.raises(ValueError, match="group/version"):
        factory.for_resource("apps/", "deployments")


def test_two_versions_of_a_resource_have_names_of_their_own_and_are_both_waited_for(
    server: APIServer, make_factory: Make
) -> None:
    factory = make_factory()
    second = factory.autoscaling().v2().horizontal_pod_autoscalers().informer()
    first = factory.autoscaling().v1().horizontal_pod_autoscalers(label_selector="a=b").informer()
    other = factory.autoscaling().v1().horizontal_pod_autoscalers().informer()
    factory.start()
    name = "horizontalpodautoscalers.autoscaling"
    selecting, versioned = f"{name}[label_selector=a=b]", "horizontalpodautoscalers.v1.autoscaling"
    assert factory.wait_for_cache_sync(timeout=10) == {name: True, selecting: True, versioned: True}
    assert [informer.name for informer in (second, first, other)] == [name, selecting, versioned]
    assert all(informer.has_synced() for informer in (second, first, other))


def test_cluster_scoped_resources_ignore_the_factorys_namespaces(server: APIServer, make_factory: Make) -> None:
    factory = make_factory(namespaces=["a"])
    factory.core().v1().nodes().informer()
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"nodes": True}


@pytest.mark.parametrize("namespaces", ["default", [], [""], ["a", "a"]])
def test_bad_namespaces_are_refused(make_factory: Make, namespaces: list[str]) -> None:
    with pytest.raises((TypeError, ValueError), match="namespaces must be"):
        make_factory(namespaces=namespaces)


def test_config_maps_with_unicode_and_escapes_are_equal_to_the_server(server: APIServer, make_factory: Make) -> None:
    server.create(config_map("strange", data={"quote": 'a "b" \\ {[}] \n', "snow": "☃ 😀", "control": "\u0001\u2028"}))
    factory = make_factory()
    informer = factory.core().v1().config_maps().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    assert_equal_to_server(server, informer)
    assert informer.indexer().get_by_key("default/strange")["data"]["snow"] == "☃ 😀"  # type: ignore[index]
