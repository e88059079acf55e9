"""What a handler was told, and what of the server's log it was not told although it had to be.

A handler has to be told of every write while a watch goes on. Where history was lost and a list took its place, it has
to be told of each object's last state, and of the end of each object of which it was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apiserver.informer_oracle import Replay
from kubeinformer import DeletedFinalStateUnknown, KubeObject

from .accepted import Accepted


@dataclass(frozen=True, slots=True)
class Told:
    """One call of a handler; a tombstone has the version of the last state that is known."""

    kind: str
    key: str
    uid: str
    revision: int


class Journal(Replay):
    """A `Replay` that also keeps the versions.

    Attributes:
        may_repeat: the server tells changes twice, so an update from a version to itself (a program takes it for a
            resync) and the deletion of what is not there (§65) are no faults.

    """

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Told] = []
        self.may_repeat = False

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        if not (self.may_repeat and old == new):
            super().on_update(old, new)

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        if self.may_repeat and obj.key not in self.state:
            return
        if isinstance(obj, DeletedFinalStateUnknown):
            self.told.append(Told("tombstone", obj.key, obj.uid, int(obj.resource_version or 0)))
        super().on_delete(obj)

    def _step(self, kind: str, obj: KubeObject) -> None:
        self.told.append(Told(kind, obj.key, obj.uid, int(obj.resource_version)))
        super()._step(kind, obj)


def invented(log: Sequence[Accepted], told: Sequence[Told]) -> list[Told]:
    """What a handler was told and the server never accepted: another version, or another kind of change."""
    fits = {"add": ("ADDED", "MODIFIED"), "update": ("MODIFIED",), "delete": ("DELETED",)}
    accepted = {(entry.key, entry.revision): entry.kind for entry in log}
    return [
        step for step in told if step.kind in fits and accepted.get((step.key, step.revision)) not in fits[step.kind]
    ]


def lost(log: Sequence[Accepted], told: Sequence[Told], *, since: int, gaps: bool) -> list[Accepted]:
    """The writes past a revision of which a handler had to be told and was not.

    Args:
        log: the whole log.
        told: everything that the handler was told, in order.
        since: the revision of the list with which the watch began.
        gaps: whether lists have taken the place of history since.

    """
    seen = {(step.key, step.revision) for step in told if step.kind != "tombstone"}
    unseen = [entry for entry in log if entry.revision > since and (entry.key, entry.revision) not in seen]
    if not gaps:
        return unseen
    lives = _lives(log)
    last_told: dict[tuple[str, int], int] = {}
    ended: set[tuple[str, int]] = set()
    life_of_uid: dict[str, tuple[str, int]] = {}
    for step in told:
        life = life_of_uid.get(step.uid) if step.kind == "tombstone" else lives.get((step.key, step.revision))
        if life is None:
            continue
        life_of_uid[step.uid] = life
        last_told[life] = max(last_told.get(life, 0), step.revision)
        if step.kind in ("delete", "tombstone"):
            ended.add(life)
    over = {lives[entry.key, entry.revision] for entry in log if entry.kind == "DELETED"}

    def excused(entry: Accepted) -> bool:
        life = lives[entry.key, entry.revision]
        if life in ended or (life in over and life not in last_told):
            return True
        return entry.kind != "DELETED" and last_told.get(life, 0) > entry.revision

    return [entry for entry in unseen if not excused(entry)]


def _lives(log: Sequence[Accepted]) -> dict[tuple[str, int], tuple[str, int]]:
    """Of each write, by key and revision, the object: its key and the revision in which it was created."""
    lives: dict[tuple[str, int], tuple[str, int]] = {}
    created: dict[str, int] = {}
    for entry in log:
        if entry.kind == "ADDED":
            created[entry.key] = entry.revision
        lives[entry.key, entry.revision] = (entry.key, created.get(entry.key, 0))
    return lives
