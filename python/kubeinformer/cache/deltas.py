"""What the deltas of a `RealFIFO` with atomic events carry that concerns more than one object (client-go's types)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ReplacedAllInfo:
    """Payload of a `ReplacedAll` delta: the whole list, to be compared with the consumer's store (§57, §67).

    Attributes:
        resource_version: of the list.
        objects: in list order.
    """

    resource_version: str
    objects: list[Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SyncAllInfo:
    """Payload of a `SyncAll` delta: every object of the consumer's store is due (§58, §66)."""


@dataclass(frozen=True, slots=True)
class BookmarkInfo:
    """Payload of a `Bookmark` delta (§60, §66).

    Attributes:
        resource_version: what the server has reached.
    """

    resource_version: str
