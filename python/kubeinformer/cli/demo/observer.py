"""`Observer`: the demo's event handler. It counts, takes the time of every event, and keeps a replica of versions.

`versions` holds every object's last version iff the handler missed nothing.
"""

from __future__ import annotations

import time
from typing import Any

from kubeinformer import KubeObject
from kubeinformer.cli.demo.fleet import SENT_AT

_SENT_AT = f"metadata.annotations['{SENT_AT}']"
_RECENT = 500


class Observer:
    """Called on the handler's thread; every other thread may read.

    Attributes:
        initial: objects of the first list.
        added: objects that came later.
        modified: changes.
        deleted: deletions.
        latencies: seconds from the sending of a write to the call of the handler, of added and modified objects.
        version: highest resourceVersion that was handled.
        versions: key -> resourceVersion of what is there.
    """

    def __init__(self) -> None:
        self.initial = self.added = self.modified = self.deleted = 0
        self.latencies: list[float] = []
        self.version = 0
        self.versions: dict[str, str] = {}

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        """Note an object."""
        if is_in_initial_list:
            self.initial += 1
        else:
            self.added += 1
            self._time(obj)
        self.versions[obj.key] = obj.resource_version
        self.version = max(self.version, int(obj.resource_version))

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        """Note a change."""
        self.modified += 1
        self._time(new)
        self.versions[new.key] = new.resource_version
        self.version = max(self.version, int(new.resource_version))

    def on_delete(self, obj: Any) -> None:
        """Note a deletion."""
        self.deleted += 1
        self.versions.pop(obj.key, None)
        self.version = max(self.version, int(obj.resource_version))

    @property
    def events(self) -> int:
        """All but those of the first list."""
        return self.added + self.modified + self.deleted

    def recent(self) -> list[float]:
        """The latencies of the last few hundred events."""
        return self.latencies[-_RECENT:]

    def _time(self, obj: KubeObject) -> None:
        sent = obj.get_path(_SENT_AT)
        self.latencies.append((time.monotonic_ns() - int(sent)) / 1e9)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 of no values."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0
