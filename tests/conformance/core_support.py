"""An informer's core driven by hand: bytes in, a batch processed when the test says so, notifications out.

Nothing happens on another thread, so between two steps a test sees all there is.
"""

from __future__ import annotations

import json
from typing import Any

from kubeinformer import DeletedFinalStateUnknown, Event, KubeObject
from kubeinformer._core import Change, InformerCore, Listener, WatchReader

Heard = tuple[Any, ...]


def named(obj: KubeObject) -> str:
    return f"{obj.key}@{obj.resource_version}"


def listed(version: str, *objects: str) -> bytes:
    """The body of a list of pods; an object is spelt "key@version"."""
    items = [{"metadata": _metadata(text)} for text in objects]
    meta = {"resourceVersion": version}
    return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items}).encode()


def line(kind: str, text: str, **metadata: Any) -> bytes:
    """A line of a watch."""
    obj = {"kind": "Pod", "apiVersion": "v1", "metadata": _metadata(text) | metadata}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def _metadata(text: str) -> dict[str, str]:
    key, _, version = text.partition("@")
    namespace, _, name = key.rpartition("/")
    return {"name": name, "resourceVersion": version, **({"namespace": namespace} if namespace else {})}


class CoreRig:
    """A started core with one source and one listener."""

    def __init__(self, *, resync_period: float | None = None, **options: Any) -> None:
        self.core = InformerCore("v1/pods", **options)
        self.source = self.core.add_source("")
        self.listener = self.listen(resync_period)
        self.core.start()

    def listen(self, resync_period: float | None = None) -> Listener:
        listener = self.core.add_listener(resync_period=resync_period)
        assert listener is not None
        return listener

    def list(self, version: str, *objects: str) -> None:
        """Queue a list."""
        relist = self.source.begin_relist()
        page = relist.page(chunked=False)
        page.feed(listed(version, *objects))
        page.finish()
        relist.commit(version)

    def watch(self, *lines: bytes) -> WatchReader:
        """Queue what a watch gives in one piece."""
        reader = self.source.watch_reader(chunked=False)
        reader.feed(b"".join(lines))
        return reader

    def watch_list(self, *lines: bytes) -> WatchReader:
        """Read the beginning of a watch-list."""
        reader = self.source.watch_list_reader(chunked=False)
        reader.feed(b"".join(lines))
        return reader

    def process(self) -> Change | None:
        """Process what is queued. A change comes back iff it wants the values of an index of Python's."""
        return self.core.process(0)

    def add_python_index(self, name: str) -> None:
        """An index whose values `process` asks for, so that a test stands between plan and write."""
        self.core.finish_add_indexers(self.core.begin_add_indexers({name: None}), {name: []})

    def heard(self, listener: Listener | None = None) -> list[Heard]:
        """What the listener was told since the last call."""
        told = (listener or self.listener).pop_events(10_000, 0)
        assert told != [], "the listener is closed"
        return [_readable(event) for event in told or []]

    def hear(self) -> list[Heard]:
        """Process, and return what the listener was told."""
        assert self.process() is None
        return self.heard()

    def stored(self) -> list[str]:
        return sorted(map(named, self.core.list()))


def _readable(event: Event[KubeObject]) -> Heard:
    obj, old = event.object, event.old
    if event.type == "ADDED":
        return ("add", named(obj), *(["initial"] if event.is_in_initial_list else []))
    if old is not None:
        return ("resync", named(old)) if old is obj else ("update", named(old), named(obj))
    if isinstance(obj, DeletedFinalStateUnknown):
        return ("tombstone", obj.key, None if obj.obj is None else named(obj.obj))
    return ("delete", named(obj))
