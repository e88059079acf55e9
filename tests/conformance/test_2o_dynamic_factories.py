"""2.O, factories of any resource by group, version and plural name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from informer_support import Recorder, eventually, widget

from kubeinformer import KubeObject, ListOptions
from kubeinformer.informers import DynamicSharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

Make = Callable[..., Any]


def test_s172_a_dynamic_factory_keeps_one_informer_a_resource(server: APIServer, make_dynamic: Make) -> None:
    """A dynamic factory keeps one informer for each resource."""
    factory = make_dynamic(DynamicSharedInformerFactory)
    one, two = (factory.for_resource("apps/v1", "deployments").informer() for _ in range(2))
    assert one is two
    assert factory.for_resource("apps/v1", "replicasets").informer() is not one


def test_s178_the_options_of_a_dynamic_factory_are_each_informers(server: APIServer, make_dynamic: Make) -> None:
    """The namespaces and the tweak of a dynamic factory are those of each of its informers."""
    for namespace, app in (("a", "mine"), ("a", "other"), ("b", "mine")):
        server.create(config_map(f"{app}-{namespace}", namespace, labels={"app": app}))

    def tweak(options: ListOptions) -> None:
        options.label_selector = "app=mine"

    factory = make_dynamic(DynamicSharedInformerFactory, namespaces=["a"], tweak_list_options=tweak)
    config_maps = factory.for_resource("v1", "configmaps")
    with factory.running(timeout=10) as running:
        assert running is factory
        assert [obj.key for obj in config_maps.lister().list()] == ["a/mine-a"]
        informer = running.for_resource("v1", "configmaps", namespaces=["b"]).informer()
        running.wait_for_cache_sync(timeout=10)
        assert informer.indexer().list_keys() == ["b/mine-b"]
        assert running.release(informer, timeout=10) == []
    assert config_maps.informer().is_stopped()


def test_s183_a_dynamic_factory_takes_any_resource(widgets: APIServer, make_dynamic: Make) -> None:
    """A dynamic factory takes any resource, built in or custom, by group, version and plural name."""
    widgets.create(widget("w", 1))
    widgets.create(pod("web-0"))
    factory = make_dynamic(DynamicSharedInformerFactory)
    informer = factory.for_resource("example.com/v1", "widgets").informer()
    pods = factory.for_resource("v1", "pods")
    recorder = Recorder()
    informer.add_event_handler(recorder)
    factory.start()
    assert factory.wait_for_cache_sync(timeout=10) == {"widgets.example.com": True, "pods": True}
    widgets.create(widget("x", 2))
    eventually(lambda: recorder.names("add") == ["default/w", "default/x"], "list and event")
    found = informer.indexer().get_by_key("default/x")
    assert isinstance(found, KubeObject)
    assert found["spec"]["size"] == 2
    assert [obj.name for obj in pods.lister().list()] == ["web-0"]
