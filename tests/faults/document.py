"""Writes the table of docs/reliability.md, between its markers, from the record of one run of the tests of faults.

    python tests/faults/document.py               write it
    python tests/faults/document.py --check       fail if it is not what the record says
    python tests/faults/document.py --complete    the same, and fail if one of the faults F1 to F29 has no row

`make reliability` records the run and calls this. What lies outside the markers is written by hand and never touched.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "reliability.md"
RECORD = ROOT / "docs" / "reliability" / "faults.json"
FAULTS = tuple(f"F{number}" for number in range(1, 30))

_BEGIN, _END = "<!-- faults: written by `make reliability` -->", "<!-- end of faults -->"

Record = dict[str, Any]


def table(content: Record) -> str:
    """What is generated: where it was recorded, what is missing, and a row a test."""
    machine, versions = content["machine"], content["versions"]
    records = content["records"]
    lost = sum(record["lost"] or 0 for record in records)
    where = (
        f"{len(records)} tests of {content['date']}: {machine['cpu']}, {machine['cores']} cores, Python "
        f"{versions['python']}, commit {versions['commit']}. Events lost: {lost}."
    )
    absent = missing(content)
    rows = [
        "| fault | what happens | server | transport | recovered after, s | limited by | lists again | lost | test |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(record) for record in records),
    ]
    return "\n".join([where, "", *([f"No row yet: {', '.join(absent)}.", ""] if absent else []), *rows])


def missing(content: Record) -> list[str]:
    """The faults that have no row."""
    there = {fault for record in content["records"] for fault in record["faults"]}
    return [fault for fault in FAULTS if fault not in there]


def fill(document: str, text: str) -> str:
    """The document with this between its markers; ValueError if it has none."""
    before, begun, rest = document.partition(_BEGIN)
    _, ended, after = rest.partition(_END)
    if not begun or not ended:
        raise ValueError(f"the document has no {_BEGIN} or no {_END}")
    return f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}"


def problems(document: Path, record: Path, *, complete: bool) -> list[str]:
    """What `--check` complains about; nothing means that all is well."""
    content = json.loads(record.read_text())
    written = document.read_text()
    found = []
    if written != fill(written, table(content)):
        found.append(f"{document.name} is not what {record.name} says: run `python tests/faults/document.py`")
    if complete and (absent := missing(content)):
        found.append(f"no row for {', '.join(absent)}: run `make reliability`")
    found += [f"{row['test']} lost {row['lost']} events" for row in content["records"] if row["lost"]]
    return found


def _row(record: Record) -> str:
    relists = ", ".join(f"{count} ({reason.replace('_', ' ')})" for reason, count in sorted(record["relists"].items()))
    cells = (
        ", ".join(record["faults"]),
        record["what"],
        record["server"],
        record["transport"],
        f"{record['seconds']:.1f}",
        record["bound"],
        relists or "0",
        "-" if record["lost"] is None else str(record["lost"]),
        f"`{record['test'].removeprefix('tests/faults/')}`",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document, or check it; 0 iff nothing is wrong with what was checked."""
    parser = argparse.ArgumentParser(description="The table of faults.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail and say what is wrong")
    parser.add_argument("--complete", action="store_true", help="check, and fail if a fault has no row")
    options = parser.parse_args(arguments)
    if options.check or options.complete:
        found = problems(DOCUMENT, RECORD, complete=options.complete)
        for problem in found:
            print(problem, file=sys.stderr)
        return 1 if found else 0
    DOCUMENT.write_text(fill(DOCUMENT.read_text(), table(json.loads(RECORD.read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
