"""What client-go says of its queues (§32-§60), with a dict or a list for everything.

A delta is (type, object) as of the real queues. `known` is what the consumer holds.
"""

from __future__ import annotations

from typing import Any

from queue_support import Obj, key

from kubeinformer.cache import BookmarkInfo, DeletedFinalStateUnknown, ReplacedAllInfo, SyncAllInfo

Delta = tuple[str, Any]


class Known(dict[str, Obj]):
    """A consumer's store, with keys whose look-up fails."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()

    def list_keys(self) -> list[str]:
        return list(self)

    def get_by_key(self, key: str) -> Obj | None:
        if key in self.broken:
            raise OSError(key)
        return self.get(key)

    def found(self, key: str) -> Obj | None:
        return None if key in self.broken else self.get(key)

    def process(self, deltas: list[Delta]) -> None:
        """What a consumer does with popped deltas (§63-§67)."""
        for kind, item in deltas:
            if kind == "Deleted":
                self.pop(key(item), None)
            elif kind == "ReplacedAll":
                self.clear()
                self.update({key(one): one for one in item.objects})
            elif kind not in ("SyncAll", "Bookmark"):
                self[key(item)] = item


def last_state(item: Any) -> Any:
    return item.obj if isinstance(item, DeletedFinalStateUnknown) else item


class DeltaFIFOModel:
    """Deltas per key; the dict's order is the line (§32, §33)."""

    def __init__(self, known: Known | None, list_type: str) -> None:
        self.known = known
        self.list_type = list_type
        self.items: dict[str, list[Delta]] = {}
        self.populated = False
        self.initial = 0

    def __len__(self) -> int:
        return len(self.items)

    def synced(self) -> bool:
        return self.populated and self.initial == 0

    def _queue(self, kind: str, item: Any) -> None:
        deltas = self.items.setdefault(key(item), [])
        deltas.append((kind, item))
        if [kind for kind, _ in deltas[-2:]] == ["Deleted", "Deleted"]:
            older = deltas[-2][1]
            del deltas[-2 if isinstance(older, DeletedFinalStateUnknown) else -1]  # §34

    def event(self, kind: str, item: Any) -> None:
        self.populated = True  # §42
        if kind != "Deleted" or key(item) in self.items or (self.known is not None and key(item) in self.known):
            self._queue(kind, item)
        elif self.known is not None and key(item) in self.known.broken:
            self._queue(kind, item)  # §35

    def events(self, changes: list[Delta]) -> None:
        for kind, item in changes:
            self.populated = True
            self._queue(kind, item)

    def replace(self, items: list[Obj], _version: str) -> None:
        listed = {key(item) for item in items}
        before = {key: deltas[-1][1] for key, deltas in self.items.items()}
        for item in items:
            self._queue(self.list_type, item)  # §36-§38
        tombstones = 0
        for name, newest in before.items():
            if name not in listed:
                self._queue("Deleted", DeletedFinalStateUnknown(name, last_state(newest)))
                tombstones += 1
        for name in self.known or ():
            if name not in listed and name not in before:
                assert self.known is not None
                self._queue("Deleted", DeletedFinalStateUnknown(name, self.known.found(name)))
                tombstones += 1
        if not self.populated:
            self.populated, self.initial = True, len(listed) + tombstones  # §41, §43

    def resync(self) -> None:
        for name in self.known or ():
            assert self.known is not None
            if name not in self.items and (found := self.known.found(name)) is not None:
                self._queue("Sync", found)  # §40

    def bookmark(self, _version: str) -> None:
        """It has none."""

    def next(self, most: int) -> int:
        return min(most, len(self.items))

    def pop(self, count: int) -> list[list[Delta]]:
        popped = [self.items.pop(name) for name in list(self.items)[:count]]
        self.initial = max(0, self.initial - count)
        return popped


class RealFIFOModel:
    """Deltas in order (§48)."""

    def __init__(self, known: Known | None, *, bookmarks: bool) -> None:
        self.known = known
        self.bookmarks = bookmarks
        self.items: list[Delta] = []
        self.populated = False
        self.initial = 0

    def __len__(self) -> int:
        return len(self.items)

    def synced(self) -> bool:
        return self.populated and self.initial == 0

    def event(self, kind: str, item: Any) -> None:
        self.populated = True
        self.items.append((kind, item))

    def events(self, changes: list[Delta]) -> None:
        for change in changes:
            self.event(*change)

    def _queued(self) -> dict[str, Delta]:
        """The last delta of each key, in the order of the first."""
        return {key(item): (kind, item) for kind, item in self.items}

    def replace(self, items: list[Obj], version: str) -> None:
        if self.known is None:
            self.items.append(("ReplacedAll", ReplacedAllInfo(version, items)))  # §57
        else:
            listed, queued = {key(item) for item in items}, self._queued()
            for name, (kind, item) in queued.items():
                if name not in listed and kind != "Deleted":
                    self.items.append(("Deleted", DeletedFinalStateUnknown(name, item)))
            for name in self.known:
                if name not in listed and name not in queued:
                    self.items.append(("Deleted", DeletedFinalStateUnknown(name, self.known.found(name))))
            self.items += [("Replaced", item) for item in items]
        if not self.populated:
            self.populated, self.initial = True, len(self.items)  # §50, §59

    def resync(self) -> None:
        if self.known is None:
            self.items.append(("SyncAll", SyncAllInfo()))  # §58
            return
        queued = self._queued()
        for name in self.known:
            if name not in queued and (found := self.known.found(name)) is not None:
                self.items.append(("Sync", found))

    def bookmark(self, version: str) -> None:
        if self.bookmarks:
            self.items.append(("Bookmark", BookmarkInfo(version)))  # §60

    def next(self, most: int) -> int:
        """How many deltas a batch of at most `most` has (§52, §54)."""
        alone = ("ReplacedAll", "SyncAll", "Bookmark")
        if self.items[0][0] in alone:
            return 1
        keys: set[str] = set()
        limit = min(most, self.initial) if self.initial else most
        for kind, item in self.items[:limit]:
            if kind in alone or key(item) in keys:
                break
            keys.add(key(item))
        return len(keys)

    def pop(self, count: int) -> list[Delta]:
        popped = self.items[:count]
        del self.items[:count]
        self.initial = max(0, self.initial - count)
        return popped
