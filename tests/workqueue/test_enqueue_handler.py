"""`enqueue_handler`: which keys with which priority, for what an informer says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from kubernetes.client import V1ObjectMeta, V1Pod
from workqueue_support import taken

from kubeinformer import DeletedFinalStateUnknown, KubeObject, ResourceEventHandler
from kubeinformer.workqueue import LOW_PRIORITY, Queue, RateLimitingQueue, enqueue_handler


def raw(name: str, version: str = "1", owner: str = "") -> dict[str, Any]:
    labels = {"owner": owner} if owner else {}
    metadata = {"namespace": "default", "name": name, "resourceVersion": version, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def kube(name: str, version: str = "1", owner: str = "") -> KubeObject:
    return KubeObject(orjson.dumps(raw(name, version, owner)))


def model(name: str, version: str = "1") -> V1Pod:
    return V1Pod(metadata=V1ObjectMeta(namespace="default", name=name, resource_version=version))


class Recorded(RateLimitingQueue[str]):
    """A queue that remembers what was added to it."""

    def __init__(self) -> None:
        self.adds: list[tuple[str, int]] = []

    def add(self, item: str, priority: int = 0) -> None:
        self.adds.append((item, priority))
        super().add(item, priority)


@pytest.mark.parametrize("make", [kube, raw, model])
def test_changes_come_before_what_is_no_news(make: Any) -> None:
    queue = Recorded()
    handler: ResourceEventHandler[Any] = enqueue_handler(queue)
    handler.on_add(make("listed"), True)
    handler.on_add(make("new"), False)
    handler.on_update(make("resynced", "5"), make("resynced", "5"))
    same = make("same")
    handler.on_update(same, same)
    handler.on_update(make("changed", "5"), make("changed", "6"))
    handler.on_delete(make("gone"))
    assert dict(queue.adds) == {
        "default/listed": LOW_PRIORITY,
        "default/new": 0,
        "default/resynced": LOW_PRIORITY,
        "default/same": LOW_PRIORITY,
        "default/changed": 0,
        "default/gone": 0,
    }
    names = ("new", "changed", "gone", "listed", "resynced", "same")
    assert taken(queue) == [f"default/{name}" for name in names]


def test_objects_without_a_version_are_always_news() -> None:
    queue = Recorded()
    handler = enqueue_handler(queue)
    handler.on_update(raw("a", ""), raw("a", ""))
    assert queue.adds[-1] == ("default/a", 0)


def test_a_deletion_that_was_missed_has_its_key() -> None:
    queue: Queue[str] = Queue()
    enqueue_handler(queue).on_delete(DeletedFinalStateUnknown("default/a", None))
    assert taken(queue) == ["default/a"]


def test_the_former_and_the_new_owner_hear_of_an_update_and_nobody_of_none() -> None:
    queue: Queue[str] = Queue()
    handler = enqueue_handler(queue, lambda pod: pod.labels.get("owner"), priority=3, low_priority=-1)
    handler.on_add(kube("a"), False)
    assert taken(queue) == []
    handler.on_update(kube("a", "1", "one"), kube("a", "2", "two"))
    assert taken(queue) == ["one", "two"]
    handler.on_update(kube("a", "2", "two"), kube("a", "3"))
    assert taken(queue) == ["two"]
    handler.on_update(kube("a", "3", "two"), kube("a", "4", "two"))
    assert queue.stats().adds == 4
