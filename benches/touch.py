"""Touches memory and gives it back: `python -m benches.touch MEBIBYTES`.

A virtual machine's memory may be its host's until it is written to for the first time, and then a page costs about 8 us
in place of 1.4: who is measured first, or needs most, would pay for all that come after. So a process of this module
runs before each measurement, whoever is measured.
"""

from __future__ import annotations

import mmap
import sys

_PAGE = mmap.PAGESIZE
_STEP = 64 << 20
_SPARE = 3 << 30
"""Bytes that are left to everybody else."""


def available() -> int:
    """Bytes that can be had without swapping."""
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024


def touch(size: int) -> int:
    """Write to each page of `size` bytes, or of what there is; returns how many bytes that were."""
    size = min(size, max(0, available() - _SPARE)) // _STEP * _STEP
    ones = bytes([1]) * (_STEP // _PAGE)
    parts = []
    for _ in range(size // _STEP):
        part = mmap.mmap(-1, _STEP, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memoryview(part)[::_PAGE] = ones
        parts.append(part)
    return size


if __name__ == "__main__":
    touch(int(sys.argv[1]) << 20)
