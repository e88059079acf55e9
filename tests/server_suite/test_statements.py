"""That no statement is forgotten: each number of the reference occurs in the name of a test."""

from __future__ import annotations

import re
from pathlib import Path

STATEMENTS = range(1, 91)


def test_every_statement_has_a_test() -> None:
    named: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for numbers in re.findall(r"^(?:async )?def test((?:_st\d\d)+)_", path.read_text(), re.MULTILINE):
            named.update(map(int, re.findall(r"\d\d", numbers)))
    assert sorted(set(STATEMENTS) - named) == []
