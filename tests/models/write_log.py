"""What a watch can tell of a sequence of writes: one event for each write that its selector lets through, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Note(NamedTuple):
    """What a handler is told of one object, or should be; versions stand for the objects."""

    kind: str
    key: str
    version: int
    old: int | None = None


class WriteLog:
    """The events of one namespace, as a watch with one selector that never breaks gets them.

    Args:
        selects: whether an object is in scope.
    """

    def __init__(self, selects: Callable[[dict[str, Any]], bool]) -> None:
        self.events: list[Note] = []
        self.versions: dict[str, list[int]] = {}
        self._selects = selects
        self._there: dict[str, int] = {}

    def written(self, key: str, obj: dict[str, Any]) -> None:
        """An object was created or updated; it leaves the scope as if it were deleted, and enters it as if created."""
        version = int(obj["metadata"]["resourceVersion"])
        old = self._there.get(key)
        if not self._selects(obj):
            self.deleted(key, version)
            return
        self._there[key] = version
        self._log(Note("add", key, version) if old is None else Note("update", key, version, old))

    def deleted(self, key: str, version: int) -> None:
        if self._there.pop(key, None) is not None:
            self._log(Note("delete", key, version))

    def _log(self, event: Note) -> None:
        self.events.append(event)
        self.versions.setdefault(event.key, []).append(event.version)

    def state(self, length: int) -> dict[str, int]:
        """Key -> version after the first `length` events."""
        return replay({}, self.events[:length])


def replay(state: dict[str, int], notes: list[Note]) -> dict[str, int]:
    """The state that follows from another.

    Raises:
        AssertionError: a note does not fit to what was told before.
    """
    state = dict(state)
    for note in notes:
        known = state.get(note.key)
        assert (known is None) == (note.kind == "add"), f"{note}, but it was {known}"
        if note.kind == "delete":
            del state[note.key]
        else:
            assert note.kind == "add" or note.old == known, f"{note}, but it was {known}"
            state[note.key] = note.version
    return state


def coalesced(notes: list[Note], limit: int) -> list[Note]:
    """What is left of notes that wait for a handler which takes none of them meanwhile.

    From the first that finds `limit` waiting, each is merged with the last one of its key that waits, in the place of
    that: add and update are an add, add and delete are nothing, updates are one update, update and delete a delete; a
    delete is never merged with the add after it.
    """
    line: list[Note] = []
    merging = False
    for note in notes:
        merging = merging or len(line) >= limit
        places = [place for place, other in enumerate(line) if other.key == note.key]
        if not merging or not places or line[places[-1]].kind == "delete" != note.kind:
            line.append(note)
            continue
        first = line[places[-1]]
        if note.kind != "delete":
            line[places[-1]] = Note(first.kind, note.key, note.version, first.old)
        elif first.kind == "add":
            del line[places[-1]]
        else:
            line[places[-1]] = note
    return line
