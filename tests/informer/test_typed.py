"""The typed view of an informer: models everywhere, made afresh, and what becomes of objects that are none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from informer_support import eventually
from kubernetes.client import V1Pod, V1Secret

from kubeinformer import (
    DeletedFinalStateUnknown,
    FilteringResourceEventHandler,
    KubeObject,
    ModelError,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def broken(name: str) -> dict[str, Any]:
    made = pod(name)
    made["spec"]["containers"] = "hunter2"
    return made


class Models:
    """A typed handler that keeps its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def on_add(self, obj: V1Pod, is_in_initial_list: bool) -> None:
        self.calls.append(("add", obj))

    def on_update(self, old: V1Pod, new: V1Pod) -> None:
        self.calls.append(("update", (old, new)))

    def on_delete(self, obj: V1Pod | DeletedFinalStateUnknown) -> None:
        self.calls.append(("delete", obj))

    def kinds(self) -> list[str]:
        return [kind for kind, _ in [*self.calls]]


def test_handlers_get_models_and_tombstones_hold_models(
    server: APIServer, factory: SharedInformerFactory, quick_backoff: None
) -> None:
    server.create(pod("a", phase="Pending"))
    server.create(pod("missed"))
    informer = factory.core().v1().pods().typed().informer()
    models = Models()
    informer.add_event_handler(models)
    factory.start()
    eventually(lambda: len(models.calls) == 2, "the first list")
    assert {type(obj) for _, obj in models.calls} == {V1Pod}
    server.update(pod("a", phase="Running"))
    eventually(lambda: len(models.calls) == 3, "the update")
    old, new = models.calls[2][1]
    assert (type(old), type(new)) == (V1Pod, V1Pod)
    assert (old.status.phase, new.status.phase) == ("Pending", "Running")
    server.delete("pods", "a")
    eventually(lambda: len(models.calls) == 4, "the deletion")
    assert type(models.calls[3][1]) is V1Pod
    server.wait_for_watches(1)
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "missed")
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: len(models.calls) == 5, "the deletion that was missed")
    gone = models.calls[4][1]
    assert isinstance(gone, DeletedFinalStateUnknown)
    assert gone.key == "default/missed"
    assert type(gone.obj) is V1Pod
    assert gone.metadata.name == "missed"


def test_each_access_makes_a_model_of_its_own(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a", labels={"app": "web"}))
    typed = factory.core().v1().pods().typed()
    first, second = Models(), Models()

    class Changes(Models):
        def on_add(self, obj: V1Pod, is_in_initial_list: bool) -> None:
            super().on_add(obj, is_in_initial_list)
            obj.metadata.labels["app"] = "changed"  # type: ignore[index, union-attr]

    changes = Changes()
    registrations = [typed.informer().add_event_handler(handler) for handler in (changes, first, second)]
    factory.start()
    for registration in registrations:
        eventually(registration.has_synced, "synced")
    models = [handler.calls[0][1] for handler in (first, second)]
    models += [typed.lister().pods("default").get("a"), typed.informer().indexer().get_by_key("default/a")]
    assert len({id(model) for model in models}) == 4
    assert [model.metadata.labels for model in models] == [{"app": "web"}] * 4


def test_typed_handlers_can_be_filtered(server: APIServer, factory: SharedInformerFactory) -> None:
    models = Models()

    def on_a_node(obj: V1Pod | DeletedFinalStateUnknown) -> bool:
        return obj.spec.node_name is not None  # type: ignore[union-attr, unused-ignore]

    informer = factory.core().v1().pods().typed().informer()
    informer.add_event_handler(FilteringResourceEventHandler(on_a_node, models))
    server.create(pod("a", node=None))
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.update(pod("a", node="node-1"))
    eventually(lambda: models.kinds() == ["add"], "it passes now")
    server.delete("pods", "a")
    eventually(lambda: models.kinds() == ["add", "delete"], "the deletion")


def test_s020_index_takes_a_model(server: APIServer, factory: SharedInformerFactory) -> None:
    for name, node in (("a", "node-1"), ("b", "node-1"), ("c", "node-2")):
        server.create(pod(name, node=node))
    pods = factory.core().v1().pods()
    informer = pods.typed().informer()
    informer.add_indexers({"path": "spec.nodeName", "function": lambda obj: [obj.spec.node_name]})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    model = pods.typed().lister().pods("default").get("a")
    model.metadata.name = "not in the store"  # type: ignore[union-attr]
    for index in ("path", "function"):
        for obj in (model, pods.lister().pods("default").get("a")):
            found = informer.indexer().index(index, obj)
            assert sorted(one.metadata.name for one in found) == ["a", "b"]  # type: ignore[union-attr, type-var]


# -- objects that are no valid model -----------------------------------------------------------------------------------


def test_a_broken_object_is_an_addition_when_it_is_valid_and_its_deletion_is_told(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    informer = factory.core().v1().pods().typed().informer()
    models = Models()
    registration = informer.add_event_handler(models)
    server.create(broken("a"))
    server.create(broken("b"))
    with caplog.at_level(logging.ERROR, "kubeinformer"):
        factory.start()
        eventually(registration.has_synced, "synced, although both are broken")
        assert models.calls == []
        assert registration.errors() == 2
        server.update(pod("a"))
        eventually(lambda: models.kinds() == ["add"], "valid now")
        assert registration.errors() == 2
        server.update(broken("a"))
        eventually(lambda: registration.errors() == 3, "broken again")
        server.update(pod("a", phase="Failed"))
        eventually(lambda: models.kinds() == ["add", "add"], "nothing is known of the version between")
        server.update(broken("a"))
        server.delete("pods", "a")
        server.delete("pods", "b")
        eventually(lambda: models.kinds()[2:] == ["delete", "delete"], "both deletions")
    assert [(type(obj), obj.key, obj.obj) for _, obj in models.calls[2:]] == [
        (DeletedFinalStateUnknown, "default/a", None),
        (DeletedFinalStateUnknown, "default/b", None),
    ]
    eventually(lambda: registration.errors() == 6, "each of them reported")
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 6
    assert all("default/a" in message or "default/b" in message for message in messages)


def test_the_missed_deletion_of_a_broken_object_is_told(
    server: APIServer, factory: SharedInformerFactory, quick_backoff: None
) -> None:
    models = Models()
    informer = factory.core().v1().pods().typed().informer()
    registration = informer.add_event_handler(models)
    server.create(broken("a"))
    factory.start()
    eventually(registration.has_synced, "synced")
    server.wait_for_watches(1)
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "a")
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: models.kinds() == ["delete"], "the deletion")
    assert (models.calls[0][1].key, models.calls[0][1].obj) == ("default/a", None)


def test_values_of_an_object_that_is_no_valid_model_are_never_in_the_log(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    values = {"data": {"password": ["hunter2"]}, "type": {"hunter2": "hunter2"}, "immutable": "hunter2"}
    for number, (field, value) in enumerate(values.items()):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s-{number}"}, field: value}
        server.create(secret)
    secrets = factory.core().v1().secrets()
    got: list[V1Secret] = []
    typed = secrets.typed().informer().add_event_handler(ResourceEventHandlerFuncs(add_func=got.append))
    untyped = secrets.informer().add_event_handler(ResourceEventHandlerFuncs(add_func=lambda obj: obj.to_model()))
    secrets.typed().informer().add_indexers({"type": lambda secret: [secret.type]})
    factory.start()
    for registration in (typed, untyped):
        eventually(registration.has_synced, "synced")
        assert registration.errors() == 3
    with secrets.typed().informer().events(timeout=0.05) as events:
        assert list(events) == []
    assert "default/s-0 is no valid V1Secret: " in caplog.text
    assert "V1Secret.data (" in caplog.text
    assert "hunter2" not in caplog.text
    with pytest.raises(ModelError, match="default/s-0 is no valid V1Secret") as raised:
        secrets.typed().lister().secrets("default").get("s-0")
    assert (raised.value.key, raised.value.model) == ("default/s-0", "V1Secret")
    assert raised.value.__context__ is None, "it does not hold what it hides"


def test_a_stream_of_models_leaves_out_what_is_none(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(broken("a"))
    server.create(pod("b"))
    informer = factory.core().v1().pods().typed().informer()
    with factory.running(timeout=10), informer.events(timeout=10) as events:
        assert next(events).object.metadata.name == "b"
        server.update(pod("a"))
        event = next(events)
        assert (event.type, event.object.metadata.name, event.is_in_initial_list) == ("ADDED", "a", False)
        server.update(broken("a"))
        server.delete("pods", "a")
        event = next(events)
        assert (event.type, event.object.key, event.object.obj) == ("DELETED", "default/a", None)


def test_index_functions_of_both_ways_to_add_them_get_models(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a", node="node-1"))
    server.create(broken("b"))
    typed = factory.core().v1().pods().typed()
    typed.informer().add_indexers({"first": lambda obj: [obj.spec.node_name]})
    typed.informer().indexer().add_indexers({"second": lambda obj: [obj.spec.node_name], "third": "spec.nodeName"})
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    indexer = typed.informer().indexer()
    for name in ("first", "second", "third"):
        assert "default/a" in indexer.index_keys(name, "node-1")
    errors = typed.informer().index_errors()
    assert {name: [*of] for name, of in errors.items()} == {"first": ["default/b"], "second": ["default/b"]}
    assert isinstance(errors["first"]["default/b"], ModelError)


def test_typed_and_untyped_handlers_of_one_informer_run_side_by_side(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    pods = factory.core().v1().pods()
    got: list[type] = []
    lock = threading.Lock()

    def note(obj: object) -> None:
        with lock:
            got.append(type(obj))

    kept = pods.typed().informer().add_event_handler(ResourceEventHandlerFuncs(add_func=note))
    pods.informer().add_event_handler(ResourceEventHandlerFuncs(add_func=note))
    server.create(pod("a"))
    factory.start()
    eventually(lambda: len(got) == 2, "both")
    assert set(got) == {V1Pod, KubeObject}
    pods.informer().remove_event_handler(kept)
    server.create(pod("b"))
    eventually(lambda: len(got) == 3, "the one that is left")
    assert got[2] is KubeObject
    watches = [request for request in server.requests if request.query.get("watch")]
    assert len({orjson.dumps([request.path]) for request in watches}) == 1
