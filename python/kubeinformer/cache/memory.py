"""`MemoryUsage`: what an informer keeps in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Bytes of the core's heap, counted as they come and go; what the allocator adds is not in them.

    Attributes:
        objects: objects in the store.
        bytes: what they take, each with its bytes as JSON.
        index_bytes: tables of the store, its indices, and those of labels that selectors made.
        queued: deltas between the readers and the store; a list counts as one.
        queued_bytes: what their objects take. An object that the store has, too, counts in both.
        backlog: notifications that wait for handlers.
        backlog_bytes: what their objects take. One that the store has, or that waits for several handlers, counts
            each time.
    """

    objects: int
    bytes: int
    index_bytes: int
    queued: int
    queued_bytes: int
    backlog: int
    backlog_bytes: int
