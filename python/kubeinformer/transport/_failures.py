"""Turns what urllib3, http.client, ssl and the user's credential hooks raise into `TransportError`s.

A message says what failed and where, and holds no credential: http.client, for one, quotes a header it refuses.
"""

from __future__ import annotations

from collections.abc import Iterable

import urllib3.exceptions

from kubeinformer.errors import TransportError
from kubeinformer.redaction import causes, redact, without_values

from .base import ReadTimeoutError, RefusedError


def transport_error(
    error: BaseException, where: str, *, sent: bool = True, secrets: Iterable[str] = ()
) -> TransportError:
    """The error to raise for `error`.

    Args:
        error: what was raised.
        where: the request, for the message.
        sent: whether the request had been sent, so that a time-out was the server's silence.
        secrets: words that must not be in the message.
    """
    found = list(causes(error))
    if any(isinstance(cause, ConnectionRefusedError) for cause in found):
        return RefusedError(f"{where}: connection refused")
    if any(isinstance(cause, (TimeoutError, urllib3.exceptions.ReadTimeoutError)) for cause in found):
        if sent:
            return ReadTimeoutError(f"{where}: the server was silent for too long")
        return TransportError(f"{where}: timed out while connecting")
    root = without_values(found[-1])
    return TransportError(redact(f"{where}: {type(root).__name__}: {root}", secrets))


def caused(failure: TransportError, error: BaseException, secrets: Iterable[str] = ()) -> TransportError:
    """The failure, caused by `error` unless that, or what led to it, shows a secret, as tracebacks and reporters do.

    To be raised where `error` is not handled any more: else it would be the context.
    """
    shown = [text for cause in causes(error) for text in (str(cause), repr(cause), repr(vars(cause)))]
    if without_values(error) is error and all(redact(text, secrets) == text for text in shown):
        failure.__cause__ = error
    return failure
