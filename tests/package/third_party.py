"""Writes THIRD-PARTY-NOTICES.txt: the licences of the Rust and C code that is linked into the extension.

    python tests/package/third_party.py            write it
    python tests/package/third_party.py --check    fail if it is not what Cargo.lock says

Invariant: every crate that is linked on Linux is named. One that may be had under Apache-2.0, as kubeinformer itself,
is only named, with its NOTICE if it has one; of every other crate, and of C code inside a crate, the licence is there
in full.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTICES = ROOT / "THIRD-PARTY-NOTICES.txt"
_TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
_CARRIED = {
    "zstd-sys": "zstd/LICENSE",
    "libmimalloc-sys": "c_src/mimalloc/v2/LICENSE",
    "ring": "third_party/fiat/LICENSE",
}
"""The licence of another project's code that a crate carries."""
_LICENCE_FILE = re.compile(r"(LICEN[SC]E|COPYING|COPYRIGHT|NOTICE).*", re.IGNORECASE)
_HEAD = """\
The extension of kubeinformer is linked with the following Rust crates, and with the C code that some of them carry.
Those named first are used under the Apache License 2.0 (see LICENSE).
"""


def linked() -> list[tuple[str, str, str]]:
    """Name, version and licence of every crate that is linked into the extension."""
    command = ["cargo", "tree", "--locked", "--package=kubeinformer-py", "--edges=normal,no-proc-macro"]
    command += ["--prefix=none", "--format={p}|{l}", *(f"--target={target}" for target in _TARGETS)]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = set()
    for line in lines:
        crate, separator, licence = line.removesuffix(" (*)").partition("|")
        if separator and str(ROOT) not in crate:
            name, version = crate.split()[:2]
            found.add((name, version.removeprefix("v"), licence))
    return sorted(found)


def folders() -> dict[tuple[str, str], Path]:
    """Where the sources of each crate are, by name and version."""
    command = ["cargo", "metadata", "--locked", "--format-version=1"]
    command += [f"--filter-platform={target}" for target in _TARGETS]
    printed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {(p["name"], p["version"]): Path(p["manifest_path"]).parent for p in json.loads(printed)["packages"]}


def may_be_apache(licence: str) -> bool:
    """Whether the SPDX expression leaves the choice of Apache-2.0 alone."""
    return " AND " not in licence and "Apache-2.0" in re.split(r" OR |\s*/\s*", licence)


def notices() -> str:
    """The whole file; ValueError if a crate has no licence to show."""
    where = folders()
    named, in_full = [], []
    for name, version, licence in linked():
        folder = where[name, version]
        apache = may_be_apache(licence)
        files = sorted(file for file in folder.iterdir() if file.is_file() and _LICENCE_FILE.fullmatch(file.name))
        if apache:
            named.append(f"{name} {version}")
            files = [file for file in files if file.name.upper().startswith("NOTICE")]
        elif not files:
            raise ValueError(f"{name} {version} ({licence}) has no licence file")
        if name in _CARRIED:
            files.append(folder / _CARRIED[name])
        for file in files:
            title = f"{name} {version}: {licence} ({file.relative_to(folder)})"
            text = "\n".join(line.rstrip() for line in file.read_text().strip("\n").splitlines())
            in_full.append(f"{'=' * 79}\n{title}\n{'=' * 79}\n\n{text}\n")
    return "\n".join([_HEAD, *named, "", *in_full])


def main() -> int:
    """Write or check; 0 iff nothing is wrong."""
    text = notices()
    if sys.argv[1:] != ["--check"]:
        NOTICES.write_text(text)
    elif not NOTICES.is_file() or NOTICES.read_text() != text:
        print(f"{NOTICES.name} is not what Cargo.lock says: run `make notices`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
