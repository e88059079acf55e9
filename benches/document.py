"""Writes the figures into docs/performance.md, between its markers, from the newest results file.

    python -m benches.document [RESULTS]    write it, and the plots beside it
    python -m benches.document --check      fail if either is not what the newest results file says

Invariant: what lies outside the markers is never touched, and what lies between them is made from one file alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benches import figures, native_peers, peers, plots, results_file, stages

DOCUMENT = plots.FOLDER.with_suffix(".md")
_BEGIN, _END = "<!-- {}: written by `make performance` -->", "<!-- end of {} -->"

Record = dict[str, Any]
Table = tuple[Sequence[str], Iterable[Sequence[str]]]


def fill(document: str, sections: dict[str, str]) -> str:
    """The document with these sections between their markers; ValueError if one has no markers."""
    for name, text in sections.items():
        begin, end = _BEGIN.format(name), _END.format(name)
        before, found, rest = document.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            raise ValueError(f"the document has no {begin} or no {end}")
        document = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return document


def sections(results: Record, file: str) -> dict[str, str]:
    """What is generated, by name."""
    machine, versions = results["machine"], results["versions"]
    where = (
        f"`benches/results/{file}`: {machine['cpu']}, {machine['cores']} cores, {machine['kernel']}; load "
        f"{machine['load_average'][0]:.1f} before and {results['load_average_after'][0]:.1f} after; "
        f"Python {versions['python']}, commit {versions['commit']}."
    )
    return {
        "stages": _table(*_stages(results)),
        "figures": f"{where}\n\n{_table(*_figures(results))}",
        "peers": f"{_table(*_wire(results))}\n\n{_absent(results)}",
        "grid": _table(*_cells(results)),
        "plots": "\n\n".join(f"![{name.removesuffix('.svg')}](performance/{name})" for name in plots.plots(results)),
        "behind": _behind(results),
    }


def _figures(results: Record) -> Table:
    words = {"aim": "**aim**", "met": "met", "missed": "**missed**"}
    return ("figure", "measured", "at least", "aim", "", "from"), (
        (
            row.text,
            figures.number(row.value, row.unit),
            figures.bound(row, row.at_least),
            figures.number(row.aim, row.unit),
            words.get(row.verdict, row.verdict),
            row.detail,
        )
        for row in figures.rows(results)
    )


def _stages(results: Record) -> Table:
    return ("stage", "budget, us", "measured, us", "shown by"), (
        (stage.text, f"{stage.budget:.1f}", _figure(stage.measured(results), 2), f"`{stage.command}`: {stage.line}")
        for stage in stages.STAGES
    )


def _wire(results: Record) -> Table:
    return ("", "peer", "runs", "best/s", "us of CPU each", "kB each", "peak kB each", "longest stall, ms"), (
        (
            {"sync": "LIST", "watch": "watch"}[record["case"]],
            record["peer"],
            _figure(record.get("runs"), 0),
            f"{record['best_per_second']:,.0f}",
            f"{record['cpu_us']:,.1f}",
            _figure(record.get("rss_per_object"), 1, 1000),
            _figure(record.get("peak_rss_per_object"), 1, 1000),
            _figure(record.get("stall_ms"), 1),
        )
        for record in sorted(results.get("wire", []), key=lambda record: (record["case"], record["cpu_us"]))
    )


def _absent(results: Record) -> str:
    """Which peers the file does not have."""
    there = {record["peer"] for record in results.get("wire", [])}
    absent = [name for name in (*peers.NAMES, *native_peers.NAMES) if name not in there]
    return f"Not in this file: {'; '.join(absent)}." if absent else "No peer is missing."


def _cells(results: Record) -> Table:
    head = (
        "cell",
        "runs",
        "us of CPU each",
        "best/s",
        "kB each",
        "peak MB",
        "stall, ms",
        "without, ms",
        "reader p50, us",
        "p99, us",
        "server, us",
        "its core, %",
    )
    measured = ((name, record) for name, record in results.get("cells", {}).items() if "cpu_us" in record)
    return head, (
        (
            f"`{name}`",
            _figure(record.get("runs"), 0),
            _figure(record["cpu_us"], 1),
            _figure(record.get("best_per_second"), 0),
            _figure(record.get("rss_per_object"), 1, 1000),
            _figure(record.get("peak_rss_bytes"), 0, 1e6),
            _figure(record.get("stall_ms"), 1),
            _figure(record.get("baseline_stall_ms"), 1),
            _figure(record.get("reader_p50_us"), 1),
            _figure(record.get("reader_p99_us"), 1),
            _figure(record.get("server_cpu_us"), 1),
            _figure(_server_share(record), 0),
        )
        for name, record in measured
    )


def _server_share(record: Record) -> float | None:
    """Percent of its core that the server takes to send at that rate."""
    if "server_cpu_us" not in record or "best_per_second" not in record:
        return None
    return float(record["server_cpu_us"] * record["best_per_second"] / 10_000)


def _behind(results: Record) -> str:
    """What the file itself says: bounds that were missed, ratios below 1, and figures that it lacks."""
    missed = [
        f"- {row.text}: {figures.number(row.value, row.unit)}, {figures.bound(row, row.at_least)} ({row.detail})."
        for row in figures.rows(results)
        if row.verdict == "missed"
    ]
    slower = [
        f"- {record['what']}: {record['ratio']:.2f} times as fast as {record['rival']} ({record['ours']})."
        for record in results.get("ratios", [])
        if record["ratio"] < 1
    ]
    open_ = [row.text for row in figures.rows(results) if row.verdict == "not measured"]
    unknown = [f"- Not measured in this file, so not known: {'; '.join(open_)}."] if open_ else []
    return "\n".join([*missed, *slower, *unknown]) or "Nothing in this file."


def _figure(value: float | None, digits: int, divisor: float = 1) -> str:
    return "" if value is None else f"{value / divisor:,.{digits}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def problems(document: Path, folder: Path, results: Record, file: str) -> list[str]:
    """What is not as the results file says."""
    found = []
    text = document.read_text()
    if fill(text, sections(results, file)) != text:
        found.append(f"{document.name} is not what {file} says: run `make performance`")
    there = {path.name: path.read_text() for path in folder.glob("*.svg")}
    if there != plots.plots(results):
        found.append(f"the plots in {folder.name} are not what {file} says: run `make performance`")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; 0 iff nothing is wrong."""
    parser = argparse.ArgumentParser(description="The figures of docs/performance.md.")
    parser.add_argument("results", type=Path, nargs="?", help="in place of the newest")
    parser.add_argument("--check", action="store_true", help="change nothing; fail and say what is wrong")
    options = parser.parse_args(arguments)
    file = options.results or results_file.newest()
    results = json.loads(file.read_text())
    if options.check:
        found = problems(DOCUMENT, plots.FOLDER, results, file.name)
        for problem in found:
            print(problem, file=sys.stderr)
        return 1 if found else 0
    DOCUMENT.write_text(fill(DOCUMENT.read_text(), sections(results, file.name)))
    plots.write(plots.plots(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
