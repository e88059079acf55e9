"""The words that the queue and the store share: deltas, prepared objects, tombstones, keys.

Invariant: a delta type is one of the five constants here, so that `is` compares two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

ADDED: Final = "Added"
UPDATED: Final = "Updated"
DELETED: Final = "Deleted"
REPLACED: Final = "Replaced"
SYNC: Final = "Sync"

IndexValue = str | tuple[str, ...]
IndexValues = tuple[IndexValue, ...]
IndexFunc = Callable[[Any], Sequence[str]]


class FIFOClosedError(Exception):
    """Raised by a pop from a closed queue that is empty (client-go's ErrFIFOClosed, §45)."""


@dataclass(frozen=True, slots=True)
class DeletedFinalStateUnknown(Generic[T]):
    """A delete whose last state was missed; `obj` is the newest state known, which may be stale or None (§4)."""

    key: str
    obj: T | None


class KnownObjects(Protocol[T_co]):
    """What a DeltaFIFO compares a Replace with: normally the store behind it."""

    def list_keys(self) -> list[str]: ...

    def get(self, key: str, /) -> T_co | None: ...


Prepared = tuple[str, IndexValues, T]
"""Key, index values, object."""

Delta = tuple[str, Any]
"""A delta's type, and the object or its tombstone."""
Deltas = list[Delta]
Process = Callable[[str, Deltas, bool], object]
"""Called with the key, its deltas (oldest first) and is_in_initial_list."""
Batch = Sequence[tuple[str, Deltas]]
ProcessBatch = Callable[[Batch, bool], object]
Notification = tuple[Any, Any]
"""Old and new: None and the object for an add, the object or its tombstone and None for a delete."""


def meta_namespace_key(obj: Mapping[str, Any]) -> str:
    """`namespace/name`, or `name` for an object without a namespace (§1)."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    name: str = metadata["name"]
    return f"{namespace}/{name}" if namespace else name
