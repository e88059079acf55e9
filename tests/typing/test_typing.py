"""The types are right, and they reach the user."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path

from mypy import api as mypy_api

SNIPPETS = Path(__file__).with_name("typed_informers.py")


def test_a_type_checker_accepts_and_refuses_what_it_must() -> None:
    lines = enumerate(SNIPPETS.read_text().splitlines(), start=1)
    expected = {(number, code) for number, line in lines for code in re.findall(r"# error: ([\w-]+)$", line)}
    assert len(expected) > 15
    output, errors, _ = mypy_api.run(["--strict", "--hide-error-context", "--no-pretty", str(SNIPPETS)])
    assert errors == ""
    found = re.findall(rf"{SNIPPETS.name}:(\d+): error: .*\[([\w-]+)\]$", output, re.MULTILINE)
    assert {(int(number), code) for number, code in found} == expected, output


def test_the_package_says_that_it_is_typed() -> None:
    package = importlib.resources.files("kubeinformer")
    assert package.joinpath("py.typed").is_file()
    assert package.joinpath("_core.pyi").is_file()
