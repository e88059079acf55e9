"""Checks what the project depends on, without the network: licences and sources of crates, and pinned versions.

    python tests/package/dependencies.py

Invariant: every crate of `Cargo.lock` comes from the registry with a checksum and has a licence that `deny.toml`
allows; every package of `constraints.txt` has one version. What is known against a version is `make audit`'s to ask.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
LOCKS = ("Cargo.lock", "rust/fuzz/Cargo.lock")
_PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+(\s*;.*)?")
_TOKEN = re.compile(r"\(|\)|[^\s()/]+(?:\s+WITH\s+[^\s()/]+)?|/")


def is_allowed(licence: str, allowed: Iterable[str]) -> bool:
    """Whether an SPDX expression can be met with these licences; `/` is an old spelling of OR."""
    tokens = _TOKEN.findall(licence)
    known = set(allowed)

    def alternatives() -> bool:
        met = parts()
        while tokens and tokens[0] in ("OR", "/"):
            tokens.pop(0)
            met = parts() or met
        return met

    def parts() -> bool:
        met = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = one() and met
        return met

    def one() -> bool:
        token = tokens.pop(0) if tokens else ""
        if token != "(":
            return " ".join(token.split()) in known
        met = alternatives()
        if tokens:
            tokens.pop(0)
        return met

    return alternatives() and not tokens


def wrong_licences(packages: Iterable[dict[str, Any]], allowed: Iterable[str]) -> Iterator[str]:
    """A line for each crate, as `cargo metadata` has them, whose licence is not allowed."""
    for package in packages:
        licence = package["license"] or ""
        if package["source"] is not None and not is_allowed(licence, allowed):
            yield f"{package['name']} {package['version']}: the licence {licence!r} is not allowed by deny.toml"


def wrong_sources(lock: dict[str, Any]) -> Iterator[str]:
    """A line for each crate of a `Cargo.lock` that is neither the project's own nor from the registry."""
    for package in lock["package"]:
        source = package.get("source")
        if source is None and package["name"].startswith("kubeinformer-"):
            continue
        if source != REGISTRY or "checksum" not in package:
            yield f"{package['name']} {package['version']}: comes from {source}, not from the registry"


def wrong_pins(constraints: str) -> Iterator[str]:
    """A line for each one of `constraints.txt` that does not pin a version."""
    for number, whole in enumerate(constraints.splitlines(), 1):
        line = whole.partition("#")[0].strip()
        if line and not _PINNED.fullmatch(line):
            yield f"constraints.txt:{number}: {line!r} is not NAME==VERSION"


def main() -> int:
    """Say what is wrong; 0 iff nothing is."""
    allowed = tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"]
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--all-features"]
    printed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    wrong = list(wrong_licences(json.loads(printed)["packages"], allowed))
    for lock in LOCKS:
        wrong += wrong_sources(tomllib.loads((ROOT / lock).read_text()))
    wrong += wrong_pins((ROOT / "constraints.txt").read_text())
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
