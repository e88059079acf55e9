"""`Witness`: a handler that notes what it is told, and can be held in the middle of a call."""

from __future__ import annotations

import threading

from write_log import Note

from kubeinformer import DeletedFinalStateUnknown, KubeObject

PATIENCE = 10.0


class Witness:
    """Notes every call; the machine looks at the notes when the handler has nothing more to do.

    Args:
        limit: notifications that may wait for it before they are merged; None = any number.
        raises: every third call raises after it was noted.
    """

    def __init__(self, limit: int | None = None, *, raises: bool = False) -> None:
        self.limit = limit
        self.raises = raises
        self.raised = 0
        self.notes: list[Note] = []
        self.initial: list[bool] = []
        self.recreated: list[str] = []
        self.tombstones = 0
        self._free = threading.Event()
        self._free.set()
        self.held = threading.Event()

    def hold(self) -> None:
        """The next call, and all after it, wait for `let_go`; `held` says when one does."""
        self.held.clear()
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        self._note(Note("add", obj.key, int(obj.resource_version)), is_in_initial_list)

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        if old.uid != new.uid:
            self.recreated.append(new.key)
        self._note(Note("update", new.key, int(new.resource_version), int(old.resource_version)))

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        self.tombstones += isinstance(obj, DeletedFinalStateUnknown)
        self._note(Note("delete", obj.key, int(obj.resource_version)))

    def _note(self, note: Note, initial: bool = False) -> None:
        if not self._free.is_set():
            self.held.set()
            assert self._free.wait(PATIENCE), "the machine forgot a handler"
        self.initial.append(initial)
        self.notes.append(note)
        if self.raises and len(self.notes) % 3 == 0:
            self.raised += 1
            raise ZeroDivisionError(note)
