"""Checks of arguments that several entry points take: what is wrong is a TypeError or ValueError that names it."""

from __future__ import annotations


def check_callable(**functions: object) -> None:
    """Return iff all of these can be called.

    Raises:
        TypeError: one cannot; the message has its name.
    """
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def check_stop(stop: object) -> None:
    """Return iff this can be a stop event.

    Raises:
        TypeError: it is neither None nor has the methods of `threading.Event`.
    """
    if stop is not None and not (hasattr(stop, "is_set") and hasattr(stop, "wait")):
        raise TypeError(f"stop must be a threading.Event or None, not {type(stop).__name__}")


def check_period(name: str, period: object) -> None:
    """Return iff this is a number of seconds.

    Raises:
        TypeError: it is no number.
        ValueError: it is negative, or NaN.
    """
    if not isinstance(period, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {type(period).__name__}")
    if not period >= 0:
        raise ValueError(f"{name} must be 0 or more seconds, not {period}")
