"""All that is said of a failure: by the error, by what led to it, and by the log."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Iterator

import pytest


def of_error(error: BaseException) -> Iterator[str]:
    """What an error and all that led to it show, with their attributes."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
        pending += [one.__cause__, one.__context__]
        pending += [argument for argument in one.args if isinstance(argument, BaseException)]
    yield "".join(traceback.format_exception(error))


def of_log(log: pytest.LogCaptureFixture) -> Iterator[str]:
    """The lines of a log, with tracebacks, and what its records hold."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    for record in log.records:
        yield formatter.format(record)
        yield repr(record.args)


def check_hidden(secrets: Iterable[str], *said: Iterable[str]) -> None:
    """None of the secrets was said."""
    for text in (text for one in said for text in one):
        for secret in secrets:
            assert secret not in text, f"{secret} is in: {text}"
