"""Plots of a results file: `python -m benches.plots [RESULTS]` writes docs/performance/*.svg.

Invariant: a plot shows figures of one file; what the file does not have makes no plot.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benches import cells, results_file
from benches.cells import OURS, Cell
from benches.svg import Bar, bars

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "performance"
_LEFT_OUT = frozenset({"reader", "official"})
"""No cache, and so slow that no other bar could be seen; both are in the tables."""

Record = dict[str, Any]
_Show = Callable[[float], str]


def plots(results: Record) -> dict[str, str]:
    """Drawings by file name, for all of which there are figures."""
    machine = results["machine"]
    on = f"{machine['cpu']}, {machine['cores']} cores, {results['date']}"
    where = f"{on}; one run, the client on one core; less is better"
    drawings = {
        "list-cpu.svg": ("CPU time a listed 8 KB pod", _wire(results, "sync", "cpu_us", _us)),
        "watch-cpu.svg": ("CPU time a watch event of 8 KB", _wire(results, "watch", "cpu_us", _us)),
        "memory.svg": ("Memory a cached 8 KB pod", _wire(results, "sync", "rss_per_object", _kb)),
        "stall.svg": ("Longest stall of another Python thread during a list", _wire(results, "sync", "stall_ms", _ms)),
        "objects.svg": ("CPU time a listed pod, by the number of pods", _by_objects(results)),
        "size.svg": ("CPU time a listed pod, by its size", _by_size(results)),
        "axes.svg": ("CPU time a watch event, by what else there is", _by_axis(results)),
    }
    return {name: bars(title, where, given) for name, (title, given) in drawings.items() if given}


def _us(value: float) -> str:
    return f"{value:,.1f} us"


def _kb(value: float) -> str:
    return f"{value / 1000:,.1f} kB"


def _ms(value: float) -> str:
    return f"{value:,.1f} ms"


def _wire(results: Record, case: str, field: str, show: _Show) -> list[Bar]:
    found = [
        Bar(record["peer"], record[field], record["ours"], show(record[field]))
        for record in results.get("wire", [])
        if record["case"] == case and field in record and record["peer"].removesuffix("-nogc") not in _LEFT_OUT
    ]
    return sorted(found, key=lambda bar: bar.value)


def _by_objects(results: Record) -> list[Bar]:
    counts = [cell.objects for cell in cells.FLAT]
    wanted = [replace(cells.FLAT[0], objects=objects) for objects in counts]
    wanted += [Cell("list", objects, peer=peer) for peer in cells.RIVALS for objects in counts]
    return _of_cells(results, ((f"{cell.peer}, {cell.objects:,}", cell) for cell in wanted))


def _by_size(results: Record) -> list[Bar]:
    wanted = [Cell("list", kilobytes=size, peer=peer) for size in (1, 8, 64) for peer in (OURS, *cells.RIVALS)]
    return _of_cells(results, ((f"{cell.peer}, {cell.kilobytes} KB", cell) for cell in wanted))


def _by_axis(results: Record) -> list[Bar]:
    centre = Cell("watch")
    wanted = {
        "no handler": replace(centre, handlers=0),
        "one handler": centre,
        "one that reads obj['spec']": replace(centre, reading=1),
        "8 handlers": replace(centre, handlers=8),
        "8 handlers, 4 read obj['spec']": replace(centre, handlers=8, reading=4),
        "one handler, 8 readers": replace(centre, readers=8),
        "one handler, a computing Python thread": replace(centre, beside="python"),
        "one handler, a computing process": replace(centre, beside="process"),
    }
    return _of_cells(results, wanted.items())


def _of_cells(results: Record, wanted: Iterable[tuple[str, Cell]]) -> list[Bar]:
    found = results.get("cells", {})
    return [
        Bar(label, found[cell.name]["cpu_us"], cell.peer == OURS, _us(found[cell.name]["cpu_us"]))
        for label, cell in wanted
        if "cpu_us" in found.get(cell.name, {})
    ]


def write(drawings: dict[str, str], folder: Path = FOLDER) -> None:
    """The folder then holds these plots and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        if old.name not in drawings:
            old.unlink()
    for name, drawing in drawings.items():
        (folder / name).write_text(drawing)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the figures of a results file.")
    parser.add_argument("results", type=Path, nargs="?", help="in place of the newest")
    arguments = parser.parse_args()
    file = arguments.results or results_file.newest()
    drawings = plots(json.loads(file.read_text()))
    write(drawings)
    print(f"{len(drawings)} plots of {file.name} in {FOLDER}")


if __name__ == "__main__":
    main()
