"""Functions that fail in every way at random moments: at last caches, handler and index equal the truth."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from kubernetes.client.exceptions import ApiException
from list_watch_support import PODS, eventually, pod

from kubeinformer import APIStatusError, KubeObject, ListOptions
from kubeinformer.cache import Indexer, ListWatch, new_reflector, new_shared_index_informer


class World:
    """A collection with its history, of which the oldest part gets lost; and its list and watch functions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._changed = threading.Condition()
        self._objects: dict[str, dict[str, Any]] = {}
        self._history: list[tuple[int, str, dict[str, Any]]] = []
        self._version = 1
        self._oldest = 1
        self.calm = False
        self.failures: list[Exception] = []

    def change(self) -> None:
        """Create, change or delete a pod."""
        with self._changed:
            self._version += 1
            name = f"p{self._random.randrange(12)}"
            present = self._objects.get(name)
            uid = f"uid-{self._version}" if present is None else present["metadata"]["uid"]
            now = pod(name, str(self._version), nodeName=f"n{self._version % 3}")
            now["metadata"]["uid"] = uid
            kind = "ADDED" if present is None else self._random.choice(["MODIFIED", "DELETED"])
            if kind == "DELETED":
                del self._objects[name]
            else:
                self._objects[name] = now
            self._history.append((self._version, kind, now))
            if self._random.random() < 0.02:
                self._oldest = self._version
            self._changed.notify_all()

    def truth(self) -> dict[str, Any]:
        with self._changed:
            return {f"default/{name}": obj for name, obj in self._objects.items()}

    def _fail(self, *extra: Exception) -> None:
        with self._changed:
            if self.calm or self._random.random() > 0.1:
                return
            error = self._random.choice([OSError("reset"), ApiException(status=429), ValueError("a bug"), *extra])
        self.failures.append(error)
        raise error

    def list_func(self, options: ListOptions) -> Any:
        self._fail(APIStatusError("no", code=500), ApiException(status=410))
        with self._changed:
            metadata = {"resourceVersion": str(self._version)}
            items = list(self._objects.values())
            body = {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}
            return orjson.dumps(body) if self._random.random() < 0.5 else orjson.loads(orjson.dumps(body))

    def watch_func(self, options: ListOptions) -> Iterator[Any]:
        self._fail(ApiException(status=410), APIStatusError("no", code=403))
        return self._events(int(options.resource_version))

    def _events(self, version: int) -> Iterator[Any]:
        while True:
            with self._changed:
                if self._version == version and not self.calm:
                    self._changed.wait(0.05)
                if version < self._oldest and not self.calm:
                    raise ApiException(status=410, reason="Expired: too old")
                found = next((entry for entry in self._history if entry[0] > version), None)
                if found is None and not self.calm:
                    continue
            if found is None:
                return
            version, kind, obj = found
            yield orjson.dumps({"type": kind, "object": obj}) if version % 2 else {"type": kind, "object": obj}
            self._fail(APIStatusError("no", code=410, reason="Expired"), TimeoutError("silent"))
            with self._changed:
                if self._random.random() < 0.05:
                    return


@pytest.mark.parametrize("seed", range(3))
def test_whatever_functions_do_the_caches_equal_the_truth_at_last(seed: int) -> None:
    world = World(seed)
    list_watch = ListWatch(world.list_func, world.watch_func)
    state: dict[str, Any] = {}
    faults: list[str] = []

    class Replay:
        def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
            faults.extend([f"added twice: {obj.key}"] if obj.key in state else [])
            state[obj.key] = obj.to_dict()

        def on_update(self, old: KubeObject, new: KubeObject) -> None:
            faults.extend([f"updated from another: {new.key}"] if state.get(new.key) != old.to_dict() else [])
            state[new.key] = new.to_dict()

        def on_delete(self, obj: Any) -> None:
            faults.extend([f"deleted what was not: {obj.key}"] if state.pop(obj.key, None) is None else [])

    informer = new_shared_index_informer(list_watch, PODS, indexers={"node": "spec.nodeName"})
    informer.add_event_handler(Replay())
    store: Indexer[KubeObject] = Indexer()
    reflector = new_reflector(list_watch, PODS, store)
    reflecting = threading.Thread(target=reflector.run)
    informer.start()
    reflecting.start()
    try:
        deadline = time.monotonic() + 10
        while len(world.failures) < 30:
            assert time.monotonic() < deadline
            world.change()
            time.sleep(0.001)  # or all of it would be in the first list
        world.calm = True
        truth = world.truth()
        for what, found in (
            ("the informer's cache", lambda: {obj.key: obj.to_dict() for obj in informer.indexer().list()}),
            ("what the handler saw", lambda: dict(state)),
            ("the store of one's own", lambda: {obj.key: obj.to_dict() for obj in store.list()}),
        ):
            eventually(lambda found=found: found() == truth, what)  # type: ignore[misc]
        assert faults == []
        by_node = {node: informer.indexer().index_keys("node", node) for node in ("n0", "n1", "n2")}
        assert sorted(key for keys in by_node.values() for key in keys) == sorted(truth)
    finally:
        reflector.stop()
        assert informer.shutdown(5) == []
        reflecting.join(5)
        assert not reflecting.is_alive()
