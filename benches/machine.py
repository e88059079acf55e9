"""What a result depends on besides the code: the machine, its load, and the versions of everything that takes part.

Invariant: whatever cannot be found out is None or absent, never guessed.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("kubeinformer", "kubernetes", "urllib3", "orjson", "msgspec", "pydantic", "pytest", "pytest-benchmark")


def describe() -> dict[str, Any]:
    """The machine and its load now."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_kb": _number(_field("/proc/meminfo", "MemTotal")),
        "kernel": platform.release(),
        "system": platform.platform(),
        "load_average": os.getloadavg(),
    }


def versions() -> dict[str, str | None]:
    """Versions of Python, of the packages that take part, of the compiler and of this repository."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    found["rustc"] = _output("rustc", "--version")
    found["commit"] = _output("git", "describe", "--always", "--dirty", "--abbrev=12")
    return found


def slug(machine: dict[str, Any]) -> str:
    """A file name's worth of it: processor and cores."""
    cpu = re.sub(r"\((r|tm)\)|processor|cpu|@.*", "", str(machine["cpu"]).lower())
    return "-".join([*re.findall(r"[a-z0-9]+", cpu), f"{machine['cores']}-cores"])


def _field(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)


def _number(text: str | None) -> int | None:
    return int(text.split()[0]) if text else None


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
