"""`Picture`: what the demo shows at one moment, whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Picture:
    """Figures of one moment.

    Attributes:
        phase: what happens.
        elapsed: seconds since the demo's start.
        done: how much of `total` is done.
        total: of what the phase has to do.
        unit: of `done` and `total`.
        objects: in the cache.
        events: handled since the first list, by type.
        rate: events a second, of late.
        median: latency from write to handler of recent events, in seconds.
        high: the same, 99th percentile.
        memory: resident bytes of this process.
        received: bytes of bodies.
        canaries: pods that the selector track=canary matches.
        nodes: nodes with the most pods, from an index, and how many.
        apps: the same of applications.
    """

    phase: str
    elapsed: float
    done: float = 0.0
    total: float = 0.0
    unit: str = ""
    objects: int = 0
    events: dict[str, int] = field(default_factory=dict)
    rate: float = 0.0
    median: float = 0.0
    high: float = 0.0
    memory: int = 0
    received: int = 0
    canaries: int = 0
    nodes: tuple[tuple[str, int], ...] = ()
    apps: tuple[tuple[str, int], ...] = ()


def size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def duration(seconds: float) -> str:
    """A short time for people."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
