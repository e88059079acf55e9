"""Checks the tests: each patch of this directory breaks the product in one way, and a named test must notice.

A mutant is caught iff its patch applies, the result compiles, and the test it names passes without the patch and fails
with it. Everything happens in copies of the tree below target/mutants; the tree itself is only read.

A patch is a unified diff behind a header of one line that says what breaks, and a line that names the test:

    Test: cargo --lib store::tests::a_freed_slot_is_used_again      (or `--test TARGET NAME`, of kubeinformer-core)
    Test: cargo -p kubeinformer-http --test http1 a_body_without_a_length_ends_with_the_connection
    Test: pytest tests/conformance/test_2o_listers.py::test_s181_a_missing_name_is_not_found
    May hang: yes                                                   (optional: a test that never ends has noticed, too)
"""

from __future__ import annotations

import argparse
import fcntl
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

CAUGHT = "caught"
_BUILD_SECONDS = 1200.0


@dataclass(frozen=True)
class Mutant:
    """One patch and what its header says."""

    path: Path
    what: str
    runner: str
    target: tuple[str, ...]
    test: str
    may_hang: bool
    files: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant; `output` says why, where that is not plain."""

    word: str
    seconds: float = 0.0
    output: str = ""


def parse(path: Path) -> Mutant:
    """Read a patch. Raises ValueError if its header or its diff is not what the module says."""
    header, found, diff = path.read_text().partition("--- ")
    what, _, fields = header.partition("\n")
    test = re.search(r"^Test: (cargo (?:-p \S+ )?(?:--lib|--test \S+) \S+|pytest \S.*)$", fields, re.MULTILINE)
    files = tuple(re.findall(r"^\+\+\+ b/(\S+)$", found + diff, re.MULTILINE))
    if not what.strip() or test is None or not files:
        raise ValueError(f"{path.name}: needs a line that says what it breaks, a Test: line, and a diff")
    may_hang = re.search(r"^May hang: yes$", fields, re.MULTILINE) is not None
    runner, _, rest = test.group(1).partition(" ")
    if runner == "pytest":
        if any(name.startswith("rust/") for name in files):
            raise ValueError(f"{path.name}: a cargo test must notice it, as the extension is not built anew")
        return Mutant(path, what.strip(), runner, (), rest.strip(), may_hang, files)
    *target, name = rest.split()
    return Mutant(path, what.strip(), runner, tuple(target), name, may_hang, files)


def run(command: Sequence[str], cwd: Path, env: dict[str, str], limit: float) -> tuple[int | None, str]:
    """Run to the end or to the limit in seconds; the exit status, None past the limit, and all output."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=output, start_new_session=True)
        status: int | None
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            # What the test started must end with it: the session is this process's own.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        output.seek(0)
        return status, output.read().decode(errors="replace")


class Tree:
    """A copy of the tree in which mutants are made, one at a time."""

    def __init__(self, root: Path, build: Path, number: int, time_limit: float) -> None:
        self.path = build / f"tree-{number}"
        self._time_limit = time_limit
        self.path.mkdir(parents=True, exist_ok=True)
        self._sync(root)
        self._env = os.environ | {
            "PYTHONPATH": str(self.path / "python"),
            # A mutant may have the size and the second of the file before it, which is all that a .pyc goes by.
            "PYTHONDONTWRITEBYTECODE": "1",
            # Not shared between copies: cargo takes a package for the same one wherever its workspace lies.
            "CARGO_TARGET_DIR": str(build / f"build-{number}"),
            "CARGO_INCREMENTAL": "1",
            "CARGO_PROFILE_DEV_DEBUG": "0",
            "CARGO_TERM_COLOR": "never",
            "RUSTFLAGS": "--cap-lints=warn",
            "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "1",
            # git must not take the copy for a part of the repository around it.
            "GIT_CEILING_DIRECTORIES": str(build),
        }

    def _sync(self, root: Path) -> None:
        """Make it equal to `root`: what git knows or would add, and the built extension.

        A file is written iff its content differs, so cargo builds again iff it has to.
        """
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
        wanted = {Path(name) for name in names if name and (root / name).is_file()}
        wanted |= {path.relative_to(root) for path in root.glob("python/kubeinformer/*.so")}
        for path in self.path.rglob("*"):
            if path.is_file() and path.relative_to(self.path) not in wanted:
                path.unlink()
        for name in wanted:
            content, copy = (root / name).read_bytes(), self.path / name
            if not copy.is_file() or copy.read_bytes() != content:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)

    def failures_without(self, mutants: Iterable[Mutant]) -> dict[str, Verdict]:
        """The tests of the mutants that fail although nothing is broken."""
        by_target: dict[tuple[str, tuple[str, ...]], set[str]] = {}
        for mutant in mutants:
            by_target.setdefault((mutant.runner, mutant.target), set()).add(mutant.test)
        failed: dict[str, Verdict] = {}
        for (runner, target), tests in sorted(by_target.items()):
            if runner == "cargo":
                status, output = self._cargo(target, "--no-run")
                if status == 0:
                    status, output = self._cargo(target, "--", "--exact", *sorted(tests))
                passed = {test for test in tests if re.search(rf"^test {re.escape(test)} \.\.\. ok$", output, re.M)}
            else:
                status, output = self._pytest(sorted(tests), limit=_BUILD_SECONDS)
                lines = re.findall(r"^(PASSED|FAILED|ERROR) (.*)$", output, re.MULTILINE)
                bad = [line for word, line in lines if word != "PASSED"]
                good = [line for word, line in lines if word == "PASSED"]
                passed = {test for test in tests if _named(test, good) and not _named(test, bad)}
            for test in tests - passed:
                failed[test] = Verdict("fails without it", output=output)
        return failed

    def try_mutant(self, mutant: Mutant) -> Verdict:
        """Break the copy, run the test, mend the copy."""
        started = time.monotonic()
        originals = {name: (self.path / name).read_bytes() for name in mutant.files if (self.path / name).is_file()}
        try:
            status, output = run(["git", "apply", "-p1", str(mutant.path)], self.path, self._env, 60.0)
            word = "does not apply" if status != 0 else ""
            if not word:
                word, output = self._judge(mutant)
        finally:
            for name in mutant.files:
                if name in originals:
                    (self.path / name).write_bytes(originals[name])
                else:
                    (self.path / name).unlink(missing_ok=True)
        return Verdict(word, time.monotonic() - started, output)

    def _judge(self, mutant: Mutant) -> tuple[str, str]:
        if mutant.runner == "cargo":
            status, output = self._cargo(mutant.target, "--no-run")
            if status != 0:
                return "does not compile", output
            status, output = self._cargo(mutant.target, "--", "--exact", mutant.test, limit=self._time_limit)
            # A test that ends the process is not reported as failed.
            noticed = "running 1 test" in output and f"test {mutant.test} ... ok" not in output
        else:
            status, output = self._pytest([mutant.test], limit=self._time_limit)
            noticed = status == 1
            if status is not None and status > 1:
                return "does not compile", output  # pytest could not even import it
        if status is None:
            return (CAUGHT if mutant.may_hang else "HANGS"), output
        return (CAUGHT if status != 0 and noticed else "SURVIVED"), output

    def _cargo(self, target: Sequence[str], *arguments: str, limit: float = _BUILD_SECONDS) -> tuple[int | None, str]:
        cargo = os.environ.get("CARGO", "cargo")
        features = ("--features", "shuttle") if "shuttle" in target else ()
        package = () if "-p" in target else ("-p", "kubeinformer-core")
        command = [cargo, "test", "--locked", *package, *features, *target, *arguments]
        return run(command, self.path, self._env, limit)

    def _pytest(self, tests: Sequence[str], limit: float) -> tuple[int | None, str]:
        # No time limit of pytest's own: it would make a failure of what hangs.
        options = ["-q", "-rA", "--timeout=0", "-p", "no:cacheprovider"]
        return run([sys.executable, "-m", "pytest", *options, *tests], self.path, self._env, limit)


def _named(test: str, lines: Iterable[str]) -> bool:
    """Whether one of pytest's summary lines is about the test, or about it with some parameters."""
    return any(line == test or line.startswith((f"{test} ", f"{test}[")) for line in lines)


def check(
    mutants: Sequence[Mutant], root: Path, build: Path, *, jobs: int = 1, time_limit: float = 60.0
) -> dict[str, Verdict]:
    """Try every mutant, print a table, return the verdicts by the names of the patches."""
    trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    first = Tree(root, build, 0, time_limit)
    trees.put(first)
    for number in range(1, jobs):
        trees.put(Tree(root, build, number, time_limit))
    broken = first.failures_without(mutants)

    def attempt(mutant: Mutant) -> Verdict:
        if mutant.test in broken:
            return broken[mutant.test]
        tree = trees.get()
        try:
            return tree.try_mutant(mutant)
        finally:
            trees.put(tree)

    width = [max((len(text(mutant)) for mutant in mutants), default=0) for text in (_name, _what, _test)]
    print(f"{'verdict':16} {'s':>5}  {'patch':{width[0]}}  {'what it breaks':{width[1]}}  test", flush=True)
    verdicts: dict[str, Verdict] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, verdict in zip(mutants, pool.map(attempt, mutants), strict=True):
            verdicts[_name(mutant)] = verdict
            row = f"{_name(mutant):{width[0]}}  {_what(mutant):{width[1]}}  {_test(mutant)}"
            print(f"{verdict.word:16} {verdict.seconds:5.1f}  {row}", flush=True)
    return verdicts


def _name(mutant: Mutant) -> str:
    return mutant.path.stem


def _what(mutant: Mutant) -> str:
    return mutant.what


def _test(mutant: Mutant) -> str:
    return shlex.join([mutant.runner, *mutant.target]) + f" {mutant.test}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the patches named, or all; 0 iff each is caught."""
    parser = argparse.ArgumentParser(description="Each patch must turn the test that it names red.")
    parser.add_argument("patches", nargs="*", help="names of patches, with or without .patch; default: all")
    parser.add_argument(
        "--jobs", type=int, default=1, help="mutants at a time, each in a copy of its own (%(default)s)"
    )
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for one test (%(default)g)")
    options = parser.parse_args(arguments)
    paths = [HERE / f"{Path(name).stem}.patch" for name in options.patches] or sorted(HERE.glob("*.patch"))
    try:
        mutants = [parse(path) for path in paths]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not list(ROOT.glob("python/kubeinformer/*.so")) or shutil.which("cargo") is None:
        parser.error("needs cargo and the built extension: `make mutants` builds it")
    build = ROOT / "target" / "mutants"
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            parser.error(f"another run uses {build}")
        verdicts = check(mutants, ROOT, build, jobs=max(1, options.jobs), time_limit=options.time_limit)
    missed = {name: verdict for name, verdict in verdicts.items() if verdict.word != CAUGHT}
    for name, verdict in missed.items():
        print(f"\n--- {name}: {verdict.word}\n" + "\n".join(verdict.output.splitlines()[-40:]))
    print(f"\n{len(verdicts) - len(missed)} of {len(verdicts)} mutants are caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
