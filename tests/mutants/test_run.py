"""The patches fit the present tree, and `run.py` tells what is caught from what is not.

That each patch is caught is for `make mutants` to find out; what is here is cheap enough for every run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from run import CAUGHT, HERE, ROOT, Mutant, check, parse

PATCHES = sorted(HERE.glob("*.patch"))
each_patch = pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)


@each_patch
def test_header_says_what_breaks_and_names_a_test(path: Path) -> None:
    mutant = parse(path)
    assert mutant.what.endswith(".")
    assert len(mutant.what) <= 120
    assert all((ROOT / name).is_file() for name in mutant.files)


@each_patch
def test_patch_applies_to_the_present_tree(path: Path) -> None:
    command = ["git", "apply", "--check", "-p1", str(path)]
    applied = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, f"make it anew: {applied.stderr}"


@each_patch
def test_each_hunk_fits_one_place_only(path: Path) -> None:
    """So it is found wherever unrelated edits move it."""
    for name, hunks in re.findall(r"^\+\+\+ b/(\S+)\n((?:[-+ @].*\n?)+)", path.read_text(), re.MULTILINE):
        text = (ROOT / name).read_text()
        for hunk in re.split(r"^@@.*\n", hunks, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] in " -")
            assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"


def test_named_pytest_tests_exist() -> None:
    tests = sorted({mutant.test for mutant in map(parse, PATCHES) if mutant.runner == "pytest"})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert collected.returncode == 0, collected.stdout + collected.stderr


@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in map(parse, PATCHES) if mutant.runner == "cargo"],
    ids=lambda mutant: mutant.path.stem,
)
def test_named_cargo_tests_exist(mutant: Mutant) -> None:
    """By the text: the function is in the file of its module, or inline in the module above a `tests` of its own."""
    *modules, name = mutant.test.split("::")
    package = ROOT / "rust" / ("http" if "kubeinformer-http" in mutant.target else "core")
    if mutant.target[-1] == "--lib":
        base, roots = package / "src", []
    else:
        base = package / "tests" / mutant.target[-1]
        roots = [base.with_suffix(".rs"), base / "main.rs"] if not modules else []
    while modules:
        module = base.joinpath(*modules)
        roots += [module.with_suffix(".rs"), module / "mod.rs"]
        if modules.pop() != "tests":
            break
    text = "".join(path.read_text() for path in roots if path.is_file())
    assert re.search(rf"^\s*fn {name}\(", text, re.MULTILINE), f"not in any of {roots}"


def patch(path: Path, test: str, *, old: str, new: str, file: str, may_hang: bool = False) -> Mutant:
    """A mutant of a file of one line."""
    header = f"It breaks.\n\nTest: {test}\n" + "May hang: yes\n" * may_hang
    path.write_text(f"{header}\n--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-{old}\n+{new}\n")
    return parse(path)


def words(mutants: list[Mutant], root: Path, *, time_limit: float = 60.0, jobs: int = 1) -> dict[str, str]:
    verdicts = check(mutants, root, root / "target" / "mutants", time_limit=time_limit, jobs=jobs)
    return {name: verdict.word for name, verdict in verdicts.items()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    (root / ".gitignore").write_text("/target/\n")
    return root


def test_verdicts_of_python_mutants(tree: Path, tmp_path: Path) -> None:
    (tree / "work.py").write_text("TWO = 2\n")
    (tree / "test_work.py").write_text(
        "import threading\n"
        "from work import TWO\n"
        "def test_two(): assert TWO == 2\n"
        "def test_any(): assert TWO\n"
        "def test_end(): TWO == 2 or threading.Event().wait()\n"
        "def test_red(): assert TWO == 3\n"
    )

    def mutant(name: str, test: str, new: str, old: str = "TWO = 2", may_hang: bool = False) -> Mutant:
        path, test = tmp_path / f"{name}.patch", f"pytest test_work.py::{test}"
        return patch(path, test, old=old, new=new, file="work.py", may_hang=may_hang)

    assert words(
        [
            mutant("noticed", "test_two", "TWO = 3"),
            mutant("missed", "test_any", "TWO = 3"),
            mutant("stale", "test_two", "TWO = 3", old="TWO = 1"),
            mutant("nonsense", "test_two", "TWO ="),
            mutant("red", "test_red", "TWO = 4"),
        ],
        tree,
    ) == {
        "noticed": CAUGHT,
        "missed": "SURVIVED",
        "stale": "does not apply",
        "nonsense": "does not compile",
        "red": "fails without it",
    }
    assert words([mutant("nowhere", "test_none", "TWO = 3")], tree) == {"nowhere": "fails without it"}
    hanging = [mutant("hangs", "test_end", "TWO = 3"), mutant("may-hang", "test_end", "TWO = 3", may_hang=True)]
    assert words(hanging, tree, time_limit=3.0, jobs=2) == {"hangs": "HANGS", "may-hang": CAUGHT}
    assert (tree / "work.py").read_text() == "TWO = 2\n"
    assert sorted(path.name for path in tree.iterdir()) == [".git", ".gitignore", "target", "test_work.py", "work.py"]


def test_verdicts_of_rust_mutants(tree: Path, tmp_path: Path) -> None:
    package = '[package]\nname = "kubeinformer-core"\nversion = "0.1.0"\nedition = "2021"\n'
    (tree / "Cargo.toml").write_text(package)
    (tree / "Cargo.lock").write_text('version = 3\n\n[[package]]\nname = "kubeinformer-core"\nversion = "0.1.0"\n')
    (tree / "src").mkdir()
    (tree / "src" / "two.rs").write_text("pub fn two() -> u32 { 2 }\n")
    (tree / "src" / "lib.rs").write_text(
        "pub mod two;\n#[cfg(test)]\nmod tests {\n    use crate::two::two;\n"
        "    #[test]\n    fn is_two() { assert_eq!(two(), 2) }\n"
        "    #[test]\n    fn is_two_or_more() { assert!(two() > 1) }\n}\n"
    )

    def mutant(name: str, test: str, new: str) -> Mutant:
        path, old, new = tmp_path / f"{name}.patch", "pub fn two() -> u32 { 2 }", f"pub fn two() -> u32 {{ {new} }}"
        return patch(path, f"cargo --lib {test}", old=old, new=new, file="src/two.rs")

    mutants = [
        mutant("noticed", "tests::is_two", "3"),
        mutant("missed", "tests::is_two_or_more", "3"),
        mutant("nonsense", "tests::is_two", "'3'"),
        mutant("aborting", "tests::is_two", "std::process::abort()"),
        mutant("nowhere", "tests::is", "3"),
    ]
    assert words(mutants, tree) == {
        "noticed": CAUGHT,
        "missed": "SURVIVED",
        "nonsense": "does not compile",
        "aborting": CAUGHT,
        "nowhere": "fails without it",
    }


def test_a_patch_without_a_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.patch"
    path.write_text("--- a/work.py\n+++ b/work.py\n@@ -1 +1 @@\n-TWO = 2\n+TWO = 3\n")
    with pytest.raises(ValueError, match=r"bare\.patch: needs"):
        parse(path)


def test_a_patch_of_rust_names_no_test_of_python(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"core\.patch: a cargo test must notice it"):
        patch(tmp_path / "core.patch", "pytest test_work.py", old="2", new="3", file="rust/core/src/lib.rs")
