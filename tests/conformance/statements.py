"""The statements of client-go's semantics, by section, and how a test says that we differ from one on purpose.

A statement has a number that never changes. Each section has a test file, `test_2<letter>_<subject>.py` (or several),
whose tests carry the numbers in their names: `test_s142_s155_...` proves two. `table.py` reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True)
class Section:
    """Statements `first` to `last`, both included."""

    letter: str
    title: str
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"2.{self.letter.upper()}"

    @property
    def numbers(self) -> range:
        return range(self.first, self.last + 1)


SECTIONS = (
    Section("a", "Keys, names, tombstones", 1, 7),
    Section("b", "Thread-safe store and indices", 8, 31),
    Section("c", "DeltaFIFO", 32, 47),
    Section("d", "RealFIFO", 48, 62),
    Section("e", "Delta processing", 63, 75),
    Section("f", "Reflector loop and backoff", 76, 85),
    Section("g", "LIST", 86, 96),
    Section("h", "Watch-list (streaming)", 97, 110),
    Section("i", "Watch loop and events", 111, 124),
    Section("j", "Resync", 125, 133),
    Section("k", "Which handler gets which notification", 134, 137),
    Section("l", "Handlers: delivery, late join, removal, sync, failures", 138, 155),
    Section("m", "Life of a shared informer", 156, 164),
    Section("n", "Waiting", 165, 171),
    Section("o", "Factories and listers", 172, 183),
    Section("p", "Work queue", 184, 192),
    Section("q", "Watch tools, MutationCache, ExpirationCache, leader election", 193, 200),
)


def differs(reason: str) -> Callable[[Test], Test]:
    """Mark a test that proves our own behaviour where it is not client-go's.

    `reason` is a literal: "client-go does X; here Y, because Z".
    """

    def mark(test: Test) -> Test:
        test.differs = reason  # type: ignore[attr-defined]
        return test

    return mark
