"""Writes docs/conformance.md: for each statement of client-go's semantics what holds here, and which test proves it.

    python tests/conformance/table.py              write it
    python tests/conformance/table.py --check      fail if it is not what the tests say, or a statement has no answer
    python tests/conformance/table.py --complete   the same, and fail while anything is not built

The test files are read, not imported. What holds is the first sentence of a test's docstring. Two dictionaries at the
top of a file, from numbers to reasons, speak for statements without a test: `GO_ONLY` for what has a meaning in
Go only, `NOT_BUILT` for what is not there yet.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from statements import SECTIONS, Section

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "conformance.md"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Proof:
    """One test: what it says holds, and why that is not client-go's way, if it is not."""

    path: Path
    name: str
    sentence: str
    differs: str | None


@dataclass
class Statement:
    """What the test files say about one number."""

    number: int
    proofs: list[Proof] = field(default_factory=list)
    go_only: str | None = None
    not_built: str | None = None

    @property
    def kind(self) -> str:
        if self.proofs:
            return "differs" if any(proof.differs for proof in self.proofs) else "proven"
        return "go only" if self.go_only else "not built" if self.not_built else "missing"


@dataclass
class Reading:
    """All statements, by number, and what is wrong with the files."""

    statements: dict[int, Statement]
    errors: list[str] = field(default_factory=list)


def read(folder: Path, sections: Sequence[Section] = SECTIONS) -> Reading:
    """Read the conformance tests of a folder."""
    reading = Reading({number: Statement(number) for section in sections for number in section.numbers})
    by_letter = {section.letter: section for section in sections}
    for path in sorted(folder.glob("test_2*.py")):
        section = by_letter.get(path.name.removeprefix("test_2").partition("_")[0])
        if section is None:
            reading.errors.append(f"{path.name}: there is no such section")
        else:
            _read_file(path, section, reading)
    for section in sections:
        of_section = [reading.statements[number] for number in section.numbers]
        missing = ", ".join(f"§{statement.number}" for statement in of_section if statement.kind == "missing")
        if missing:
            reading.errors.append(f"section {section.name}: no test, no difference and no reason for {missing}")
    for statement in reading.statements.values():
        if sum(map(bool, (statement.proofs, statement.go_only, statement.not_built))) > 1:
            reading.errors.append(f"§{statement.number} has a test, but is GO_ONLY or NOT_BUILT, or is both")
    return reading


def _read_file(path: Path, section: Section, reading: Reading) -> None:
    tree = ast.parse(path.read_text(), path.name)
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="GO_ONLY" | "NOT_BUILT" as name)]):
                _read_reasons(path, section, reading, name, node.value)
            case ast.AnnAssign(target=ast.Name(id="GO_ONLY" | "NOT_BUILT" as name), value=ast.expr() as value):
                _read_reasons(path, section, reading, name, value)
    for test in _tests(tree.body):
        where = f"{path.name}::{test.name}"
        numbers = _numbers(test.name)
        if not numbers:
            reading.errors.append(f"{where} is not named for a statement")
        for number in numbers:
            if number not in section.numbers:
                reading.errors.append(f"{where}: §{number} is not in section {section.name}")
        proof = _proof(path, where, test, reading)
        for number in numbers:
            if number in section.numbers:
                reading.statements[number].proofs.append(proof)


def _read_reasons(path: Path, section: Section, reading: Reading, name: str, value: ast.expr) -> None:
    try:
        reasons = ast.literal_eval(value)
    except ValueError:
        reasons = None
    if not isinstance(reasons, dict) or not all(isinstance(r, str) and r.strip() for r in reasons.values()):
        reading.errors.append(f"{path.name}: {name} must be a literal dict from numbers to reasons")
        return
    for number, reason in reasons.items():
        if number not in section.numbers:
            reading.errors.append(f"{path.name}: {name} names §{number}, not in section {section.name}")
            continue
        statement = reading.statements[number]
        if name == "GO_ONLY":
            statement.go_only = " ".join(reason.split())
        else:
            statement.not_built = " ".join(reason.split())


def _tests(body: Sequence[ast.stmt]) -> Iterator[Function]:
    for node in body:
        if isinstance(node, Function) and node.name.startswith("test"):
            yield node
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests(node.body)


def _numbers(name: str) -> list[int]:
    found = re.match(r"test((?:_s[0-9]+)+)_", name)
    return [int(number) for number in re.findall(r"[0-9]+", found.group(1))] if found else []


def _proof(path: Path, where: str, test: Function, reading: Reading) -> Proof:
    sentence = _first_sentence(ast.get_docstring(test) or "")
    if not sentence:
        reading.errors.append(f"{where} has no docstring that says what holds")
    reason: str | None = None
    for decorator in test.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="differs"), args=[ast.Constant(value=str(text))]) if text.strip():
                reason = " ".join(text.split())
            case ast.Call(func=ast.Name(id="differs")):
                reading.errors.append(f"{where}: the reason of a difference must be a literal")
            case _ if re.search(r"\b(skip|skipif|xfail)\b", ast.unparse(decorator)):
                reading.errors.append(f"{where} may be skipped or fail, and proves nothing")
    return Proof(path, test.name, sentence, reason)


def _first_sentence(docstring: str) -> str:
    text = " ".join(docstring.partition("\n\n")[0].split())
    end = re.search(r"[.!?](?= [A-Z`(]|$)", text)
    return text[: end.end()] if end else text


def render(reading: Reading, sections: Sequence[Section] = SECTIONS) -> str:
    """The document."""
    kinds = [statement.kind for statement in reading.statements.values()]
    counts = {kind: kinds.count(kind) for kind in ("proven", "differs", "go only", "not built", "missing")}
    summary = (
        f"{len(kinds)} statements: {counts['proven']} are proven as client-go has them, {counts['differs']} differ on"
        f" purpose, {counts['go only']} have a meaning in Go only, {counts['not built']} are not built yet."
    )
    if counts["missing"]:
        summary += f" {counts['missing']} have no answer yet."
    lines = [
        "# Conformance with client-go",
        "",
        "<!-- Written by tests/conformance/table.py from the tests: change those and run `make conformance`. -->",
        "",
        summary,
        "",
        "A row is a numbered statement about client-go's informers, caches and work queues (as of 1.37-dev).",
        "What it says holds here, and the tests beside it fail if it does not.",
    ]
    for section in sections:
        lines += [
            "",
            f"## 2.{section.letter.upper()} {section.title}",
            "",
            "| § | what holds | tests |",
            "| --- | --- | --- |",
        ]
        lines += [_row(reading.statements[number]) for number in section.numbers]
    return "\n".join(lines) + "\n"


def _row(statement: Statement) -> str:
    match statement.kind:
        case "go only":
            says, tests = [f"Go only: {statement.go_only}"], []
        case "not built":
            says, tests = [f"Not built: {statement.not_built}"], []
        case "missing":
            says, tests = ["No answer yet."], []
        case _:
            says, tests = [], []
            for proof in statement.proofs:
                says.append(proof.sentence)
                if proof.differs:
                    says.append(f"**Differs:** {proof.differs}")
                tests.append(f"[{proof.path.name}::{proof.name}](../tests/conformance/{proof.path.name})")
    cells = ["<br>".join(dict.fromkeys(text.replace("|", "\\|") for text in cell)) for cell in (says, tests)]
    return f"| {statement.number} | {cells[0]} | {cells[1]} |"


def problems(
    folder: Path, document: Path, *, complete: bool = False, sections: Sequence[Section] = SECTIONS
) -> list[str]:
    """What `--check` complains about; nothing means that all is well."""
    reading = read(folder, sections)
    found = list(reading.errors)
    if complete:
        unbuilt = [statement for statement in reading.statements.values() if statement.kind == "not built"]
        found += [f"§{statement.number} is not built: {statement.not_built}" for statement in unbuilt]
    if not document.is_file() or document.read_text() != render(reading, sections):
        found.append(f"{document.name} is not what the tests say: run `make conformance`")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document, or check it; 0 iff nothing is wrong with what was checked."""
    parser = argparse.ArgumentParser(description="The table of statements and tests.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail and say what is wrong")
    parser.add_argument("--complete", action="store_true", help="check, and fail on what is not built")
    options = parser.parse_args(arguments)
    if options.check or options.complete:
        found = problems(HERE, DOCUMENT, complete=options.complete)
    else:
        reading = read(HERE)
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(render(reading))
        found = reading.errors
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found and (options.check or options.complete) else 0


if __name__ == "__main__":
    sys.exit(main())
