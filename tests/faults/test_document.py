"""The table of faults says what the record says, and its check bites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .document import DOCUMENT, RECORD, fill, main, missing, problems, table

ROW: dict[str, Any] = {
    "faults": ["F4", "F22"],
    "what": "One thing | another",
    "server": "embedded",
    "transport": "native",
    "test": "tests/faults/test_a.py::test_f04_f22_a[native]",
    "seconds": 1.234,
    "bound": "backoff",
    "relists": {"watch_error": 2},
    "lost": 0,
}
CONTENT: dict[str, Any] = {
    "date": "2026-11-24",
    "machine": {"cpu": "a CPU", "cores": 2},
    "versions": {"python": "3.11.7", "commit": "abc"},
    "records": [ROW],
}
EMPTY = "Before.\n\n<!-- faults: written by `make reliability` -->\n\n<!-- end of faults -->\n\nAfter.\n"


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    document, record = tmp_path / "reliability.md", tmp_path / "faults.json"
    record.write_text(json.dumps(CONTENT))
    document.write_text(fill(EMPTY, table(CONTENT)))
    return document, record


def test_a_row(paths: tuple[Path, Path]) -> None:
    text = paths[0].read_text()
    row = (
        "| F4, F22 | One thing \\| another | embedded | native | 1.2 | backoff | 2 (watch error) | 0 "
        "| `test_a.py::test_f04_f22_a[native]` |"
    )
    assert row in text.splitlines()
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    assert fill(text, table(CONTENT)) == text
    assert problems(*paths, complete=False) == []


def test_what_the_check_finds(paths: tuple[Path, Path]) -> None:
    document, record = paths
    assert len(missing(CONTENT)) == 27
    (found,) = problems(document, record, complete=True)
    assert found.startswith("no row for F1, F2, F3, F5, ")
    document.write_text(document.read_text().replace("1.2", "0.1"))
    (found,) = problems(document, record, complete=False)
    assert "is not what" in found
    record.write_text(json.dumps({**CONTENT, "records": [{**ROW, "lost": 3}]}))
    assert problems(document, record, complete=False)[-1].endswith("lost 3 events")
    with pytest.raises(ValueError, match="has no <!-- faults"):
        fill("nothing", "text")


def test_the_document_is_what_the_record_says() -> None:
    assert problems(DOCUMENT, RECORD, complete=False) == []
    assert main(["--check"]) == 0
