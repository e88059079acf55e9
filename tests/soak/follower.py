"""A handler that keeps what follows from what it was told, and what no handler may ever be told.

Its memory is that of the objects there are, however long it runs.
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from informer.informer_support import eventually
from kubeinformer import DeletedFinalStateUnknown, KubeObject

_KEPT = 5


class Follower:
    """Follows one informer.

    Args:
        pause: seconds that each call takes, to be a slow handler.
    """

    def __init__(self, pause: float = 0.0) -> None:
        self.state: dict[str, bytes] = {}
        self.calls = 0
        self.wrong = 0
        self.faults: list[str] = []
        self._pause = pause

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        if obj.key in self.state:
            self._fault(f"added twice: {obj.key}")
        self._tell(obj)

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        if self.state.get(new.key) != old.raw:
            self._fault(f"updated from what it was not: {new.key}")
        if old.uid != new.uid:
            self._fault(f"updated to another object: {new.key}")
        if int(new.resource_version) <= int(old.resource_version):
            self._fault(f"updated from version {old.resource_version} to {new.resource_version}: {new.key}")
        self._tell(new)

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        known = self.state.pop(obj.key, None)
        if known is None:
            self._fault(f"deleted, but unknown: {obj.key}")
        elif orjson.loads(known)["metadata"]["uid"] != obj.uid:
            self._fault(f"deleted what it was not: {obj.key}")
        self._took()

    def check(self, objects: dict[str, Any], timeout: float) -> None:
        """Raise AssertionError unless what it was told comes to these objects within `timeout` seconds."""
        eventually(
            lambda: {key: orjson.loads(raw) for key, raw in list(self.state.items())} == objects,
            "the replay equals the LIST",
            timeout,
        )
        assert self.faults == [], f"{self.wrong} faults: {self.faults}"

    def _tell(self, obj: KubeObject) -> None:
        self.state[obj.key] = obj.raw
        self._took()

    def _took(self) -> None:
        self.calls += 1
        if self._pause:
            time.sleep(self._pause)

    def _fault(self, what: str) -> None:
        self.wrong += 1
        if len(self.faults) < _KEPT:
            self.faults.append(what)
