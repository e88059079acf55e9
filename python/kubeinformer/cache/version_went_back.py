"""A resourceVersion that is lower than one before it: a suspicion, which one consistent LIST settles.

A server that was restored from a backup shows itself so, and the cache has to become what is there now. One that lags,
or repeats itself, shows itself in the same way, and what it lacks is not deleted. So nothing of a lower version is
stored until the collection was listed without a version.
"""

from __future__ import annotations

from .reflector_state import ReflectorState, logger


class VersionWentBackError(Exception):
    """A list, a bookmark or an event has a lower resourceVersion than what came before it; never leaves a reflector."""

    def __init__(self, before: str, now: str) -> None:
        super().__init__(f"resourceVersion went from {before} back to {now}")


def went_back(before: str, now: str) -> bool:
    """Whether a version is lower; versions that are no numbers cannot be compared."""
    return before.isdecimal() and now.isdecimal() and _size(now) < _size(before)


def _size(version: str) -> tuple[int, str]:
    """Compares as the number does; Python reads none of thousands of digits."""
    digits = version.lstrip("0")
    return len(digits), digits


def list_to_make_sure(state: ReflectorState, suspicion: VersionWentBackError) -> None:
    """Say why, and have the next list be a consistent one."""
    logger.warning("%s: %s; listing again to make sure", state.name, suspicion)
    state.resource_version_unavailable = True
