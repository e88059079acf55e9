"""The store: every object as serialised bytes under one global revision, and what happened to it.

What holds: a write of any kind bumps the revision by exactly one and appends exactly one event to the history of its
collection, both in one critical section; nothing else changes either. A collection's history reaches back to
``Collection.dropped`` without a gap, so the state at any revision from there on can be rebuilt, and a watch that is
past it can be resumed.

Nothing here knows HTTP or asyncio. Any thread may call; the lock is held for the shortest of times and never during a
callback into user code.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from kubeinformer.testing.resources import Resource

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"

FIRST_REVISION = 1
_REVISION_MARK = b'"resourceVersion":"'
# The order of a real server. Only what stands before resourceVersion matters here: strings alone, so that the first
# unescaped `"resourceVersion":"` in the bytes is the object's own.
_META_ORDER = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
)


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one object, never changed.

    Attributes:
        body: its JSON from ``"metadata"`` to the closing brace; ``Resource.prefix`` goes before it.
        meta_end: the length of ``"metadata":{...}`` at the start of the body.
        fields: the values of the field labels that its resource supports.

    """

    key: str
    namespace: str
    name: str
    uid: str
    revision: int
    labels: dict[str, str]
    fields: dict[str, str]
    schema: str
    body: bytes
    meta_end: int

    def at_revision(self, revision: int) -> Record:
        """Return the same object under another resourceVersion."""
        start = self.body.index(_REVISION_MARK) + len(_REVISION_MARK)
        end = self.body.index(b'"', start)
        digits = b"%d" % revision
        return Record(
            key=self.key,
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            revision=revision,
            labels=self.labels,
            fields=self.fields,
            schema=self.schema,
            body=self.body[:start] + digits + self.body[end:],
            meta_end=self.meta_end + len(digits) - (end - start),
        )

    def to_dict(self, resource: Resource) -> dict[str, Any]:
        """Return the object, decoded afresh."""
        decoded: dict[str, Any] = orjson.loads(resource.prefix + self.body)
        return decoded


class Event(NamedTuple):
    """One change: what the object was (None when it is new) and what it is; a deleted one with its last content."""

    revision: int
    type: str
    record: Record
    previous: Record | None


def object_key(namespace: str, name: str) -> str:
    """``namespace/name``, or the name alone for cluster-scoped objects."""
    return f"{namespace}/{name}" if namespace else name


class Collection:
    """The objects of one storage, their keys in order, and their history. Guarded by the lock of its Store.

    Attributes:
        dropped: events up to and including this revision are no longer in the history.
        closed: it was removed or replaced; a watch on it ends.

    """

    def __init__(self, name: str, revision: int, history_limit: int) -> None:
        self.name = name
        self.items: dict[str, Record] = {}
        self.keys: list[str] = []
        self.history: list[Event] = []
        self.dropped = revision
        self.closed = False
        self._history_limit = history_limit

    def apply(self, event: Event) -> None:
        """Take one change into the objects and the history."""
        key = event.record.key
        if event.type == DELETED:
            del self.items[key]
            del self.keys[bisect_left(self.keys, key)]
        else:
            if key not in self.items:
                insort(self.keys, key)
            self.items[key] = event.record
        self.history.append(event)
        # Trimmed in halves: one removal of n from the front of a list, not n removals of one.
        if len(self.history) > 2 * self._history_limit:
            surplus = len(self.history) - self._history_limit
            self.dropped = self.history[surplus - 1].revision
            del self.history[:surplus]

    def after(self, revision: int) -> list[Event] | None:
        """Return the events past a revision, or None when some of them are no longer there."""
        if revision < self.dropped:
            return None
        return self.history[self._index(revision) :]

    def state_at(self, revision: int) -> tuple[list[str], dict[str, Record]] | None:
        """Return the keys in order and the objects at a revision, or None when the history is too short."""
        later = self.after(revision)
        if later is None:
            return None
        if not later:
            return self.keys, self.items
        items = dict(self.items)
        for event in reversed(later):
            if event.previous is None:
                del items[event.record.key]
            else:
                items[event.record.key] = event.previous
        return sorted(items), items

    def _index(self, revision: int) -> int:
        return bisect_right(self.history, revision, key=lambda event: event.revision)


@dataclass(frozen=True)
class Snapshot:
    """A copy of the whole store at one revision, to go back to (an etcd restored from a backup)."""

    revision: int
    items: dict[str, dict[str, Record]]


class Store:
    """All collections under one lock and one revision.

    Args:
        history_limit: how many events a collection keeps at least; it drops the oldest at twice as many.
        changed: called after each write with the name of the collection, under the lock: it must only signal.

    """

    def __init__(self, history_limit: int, changed: Callable[[str], None]) -> None:
        self.lock = threading.RLock()
        self.revision = FIRST_REVISION
        self.compacted = 0
        self._history_limit = history_limit
        self._changed = changed
        self._collections: dict[str, Collection] = {}

    def collection(self, storage: str) -> Collection:
        """Return the collection of a storage; it comes into being when it is first asked for."""
        with self.lock:
            found = self._collections.get(storage)
            if found is None:
                # Nothing ever happened to it, so its history is complete from the first revision on.
                found = Collection(storage, FIRST_REVISION, self._history_limit)
                self._collections[storage] = found
            return found

    def oldest(self, collection: Collection) -> int:
        """Return the oldest revision that a new LIST or WATCH of a collection may start from."""
        return max(collection.dropped, self.compacted)

    def put(self, resource: Resource, obj: dict[str, Any]) -> Record:
        """Create or replace one object. Its metadata.resourceVersion is set here. Takes ownership of ``obj``."""
        with self.lock:
            collection = self.collection(resource.storage)
            revision = self.revision + 1
            record = encode(resource, obj, revision)
            previous = collection.items.get(record.key)
            change = ADDED if previous is None else MODIFIED
            self._commit(collection, Event(revision, change, record, previous))
            return record

    def remove(self, collection: Collection, key: str) -> Record:
        """Delete one object that is there. Returns its last state under the revision of the deletion."""
        with self.lock:
            previous = collection.items[key]
            revision = self.revision + 1
            record = previous.at_revision(revision)
            self._commit(collection, Event(revision, DELETED, record, previous))
            return record

    def close(self, storage: str) -> None:
        """Forget a collection; watches on it end."""
        with self.lock:
            collection = self._collections.pop(storage, None)
            if collection is not None:
                collection.closed = True
                self._changed(storage)

    def compact(self) -> None:
        """Refuse new LISTs and WATCHes from before the current revision. Running watches go on undisturbed."""
        with self.lock:
            self.compacted = self.revision

    def snapshot(self) -> Snapshot:
        """Return a copy of the whole store."""
        with self.lock:
            return Snapshot(self.revision, {name: dict(c.items) for name, c in self._collections.items()})

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot: objects and revision are what they were, all history is gone, watches end."""
        with self.lock:
            for name in list(self._collections):
                self.close(name)
            self.revision = snapshot.revision
            self.compacted = snapshot.revision
            for name, items in snapshot.items.items():
                collection = self.collection(name)
                collection.dropped = snapshot.revision
                collection.items = dict(items)
                collection.keys = sorted(items)

    def _commit(self, collection: Collection, event: Event) -> None:
        collection.apply(event)
        self.revision = event.revision
        self._changed(collection.name)


def encode(resource: Resource, obj: dict[str, Any], revision: int) -> Record:
    """Serialise one object. Raises TypeError for what JSON cannot express."""
    meta = obj["metadata"]
    meta["resourceVersion"] = str(revision)
    ordered = {name: meta[name] for name in _META_ORDER if name in meta}
    ordered.update(meta)
    head = b'"metadata":' + orjson.dumps(ordered)
    rest = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    namespace = meta.get("namespace", "")
    return Record(
        key=object_key(namespace, meta["name"]),
        namespace=namespace,
        name=meta["name"],
        uid=meta.get("uid", ""),
        revision=revision,
        labels=meta.get("labels") or {},
        fields=_fields(resource, obj),
        schema=resource.schema,
        body=head + (b"," + orjson.dumps(rest)[1:] if rest else b"}"),
        meta_end=len(head),
    )


def _fields(resource: Resource, obj: dict[str, Any]) -> dict[str, str]:
    meta = obj["metadata"]
    fields = {"metadata.name": meta["name"], "metadata.namespace": meta.get("namespace", "")}
    if resource.fields:
        fields.update(resource.selectable(obj))
    return fields
