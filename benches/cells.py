"""The grid: its axes, the name of each cell, and which cells are measured unless somebody asks for more.

Invariant: a cell's name says everything about it, so that one can be measured alone, skipped when it is there already,
and found in a results file: `list-10k-8k-h1-r0-idle`, or `client-go JSON: watch-10k-1k-h1-r0-idle` of a rival.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from benches.pods import KILOBYTES, Kilobytes
from benches.probes import Beside

Way = Literal["list", "watchlist", "watch"]
WAYS: tuple[Way, ...] = get_args(Way)
OURS = "kubeinformer"
OBJECTS = (1_000, 10_000, 100_000)
HANDLERS = ((0, 0), (1, 0), (1, 1), (8, 0), (8, 4))
"""How many there are, and how many of them read `obj["spec"]` of every object that they are told of."""
READERS = (0, 1, 8)
RIVALS = ("msgspec", "client-go protobuf", "client-go JSON", "kube-rs")
"""Those that are in the grid; the wire benchmark has all of them."""

_EVENTS: dict[Kilobytes, int] = {1: 60_000, 8: 30_000, 64: 4_000}
_SLOW_EVENTS: dict[Kilobytes, int] = {1: 10_000, 8: 5_000, 64: 1_000}
_NAME = re.compile(
    r"(?:(?P<peer>.+): )?(?P<way>list|watchlist|watch)-(?P<objects>\d+k?)-(?P<kilobytes>1|8|64)k"
    r"-h(?P<handlers>\d+)(?:spec(?P<reading>\d+))?-r(?P<readers>\d+)-(?P<beside>idle|python|process)(?P<zstd>-zstd)?"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the grid."""

    way: Way = "list"
    objects: int = 10_000
    kilobytes: Kilobytes = 8
    handlers: int = 1
    reading: int = 0
    """How many of the handlers look into `obj["spec"]`."""
    readers: int = 0
    beside: Beside = "idle"
    compressed: bool = False
    peer: str = OURS

    @property
    def events(self) -> int:
        """What a watch sends: the same amount of bytes at each size, and less to who is slow."""
        return (_SLOW_EVENTS if self.peer.startswith(("client-go JSON", "kube-rs")) else _EVENTS)[self.kilobytes]

    @property
    def name(self) -> str:
        objects = f"{self.objects // 1000}k" if self.objects % 1000 == 0 else str(self.objects)
        handlers = f"h{self.handlers}" + (f"spec{self.reading}" if self.reading else "")
        name = f"{self.way}-{objects}-{self.kilobytes}k-{handlers}-r{self.readers}-{self.beside}"
        return ("" if self.peer == OURS else f"{self.peer}: ") + name + ("-zstd" if self.compressed else "")


def parse(name: str) -> Cell:
    """The cell of that name; ValueError if it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is no cell: see benches/cells.py")
    objects = found["objects"]
    kilobytes = next(size for size in KILOBYTES if str(size) == found["kilobytes"])
    return Cell(
        way=next(way for way in WAYS if way == found["way"]),
        objects=int(objects[:-1]) * 1000 if objects.endswith("k") else int(objects),
        kilobytes=kilobytes,
        handlers=int(found["handlers"]),
        reading=int(found["reading"] or 0),
        readers=int(found["readers"]),
        beside=next(who for who in get_args(Beside) if who == found["beside"]),
        compressed=found["zstd"] is not None,
        peer=found["peer"] or OURS,
    )


AXES = ("objects", "size", "handlers", "readers", "threads", "rivals", "figures")
"""What `--only grid:NAME` takes: one axis around the centre, the rivals, or what the table of figures needs."""

STALL = Cell("list", 100_000, handlers=0)
FLAT = tuple(Cell("list", objects, handlers=0) for objects in (10_000, 100_000, 500_000))
BESIDE_PYTHON = Cell("watch", beside="python")
BESIDE_PROCESS = Cell("watch", beside="process")
COMPRESSED = Cell("list", 100_000, handlers=0, compressed=True)
FIGURES = (*FLAT, BESIDE_PYTHON, BESIDE_PROCESS, COMPRESSED)


def default(axes: Iterable[str] = AXES) -> list[Cell]:
    """One axis at a time around the centre, each cell once, those that share a server together."""
    wanted = set(axes)
    cells = [cell for axis in AXES if axis in wanted for cell in _axis(axis)]
    return _by_server(cells)


def _axis(axis: str) -> Iterator[Cell]:
    if axis == "figures":
        yield from FIGURES
        return
    if axis == "rivals":
        for peer in RIVALS:
            yield from (replace(cell, peer=peer) for cell in (Cell("list"), Cell("watch")))
            yield from (Cell(way, kilobytes=size, peer=peer) for size in (1, 64) for way in ("list", "watch"))
            yield Cell("list", 100_000, peer=peer)
        return
    for way in WAYS:
        centre = Cell(way)
        if axis == "objects":
            yield from (replace(centre, objects=objects) for objects in OBJECTS)
        elif axis == "size":
            yield from (replace(centre, kilobytes=size) for size in KILOBYTES)
        elif axis == "handlers":
            yield from (replace(centre, handlers=count, reading=reading) for count, reading in HANDLERS)
        elif axis == "readers":
            yield from (replace(centre, readers=readers) for readers in READERS)
        else:
            yield from (replace(centre, beside=who) for who in get_args(Beside))


def full() -> list[Cell]:
    """The default and every pair of axes: hours."""
    product = [
        Cell(way, objects, size, count, reading, readers, who)
        for way in WAYS
        for objects in OBJECTS
        for size in KILOBYTES
        for count, reading in HANDLERS
        for readers in READERS
        for who in get_args(Beside)
        if objects * size <= 1_000_000
    ]
    return _by_server([*default(), *(cell for cell in product if _differences(cell) <= 2)])


def _differences(cell: Cell) -> int:
    """On how many axes a cell is not where the centre is."""
    centre = Cell(cell.way)
    return sum(
        (
            cell.objects != centre.objects,
            cell.kilobytes != centre.kilobytes,
            (cell.handlers, cell.reading) != (centre.handlers, centre.reading),
            cell.readers != centre.readers,
            cell.beside != centre.beside,
        )
    )


def _by_server(cells: Iterable[Cell]) -> list[Cell]:
    # Rivals after kubeinformer's own, so that a server with protobuf is started once for each size.
    return sorted(dict.fromkeys(cells), key=lambda cell: (cell.objects, cell.kilobytes, cell.peer != OURS))
