"""Turns what urllib3, http.client, ssl and the user's credential hooks raise into `TransportError`s.

A message says what failed and where, and holds no credential: http.client, for one, quotes a header it refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import urllib3.exceptions

from kubeinformer.errors import TransportError

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
    causes = list(_causes(error))
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return RefusedError(f"{where}: connection refused")
    if any(isinstance(cause, (TimeoutError, urllib3.exceptions.ReadTimeoutError)) for cause in causes):
        if sent:
            return ReadTimeoutError(f"{where}: the server was silent for too long")
        return TransportError(f"{where}: timed out while connecting")
    root = causes[-1]
    return TransportError(redact(f"{where}: {type(root).__name__}: {root}", secrets))


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` without the secrets, nor any word of them that is long enough to be a secret itself."""
    words = {word for secret in secrets for word in (secret, *secret.split()) if len(word) >= 8}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "***")
    return text


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, root last. urllib3 keeps the next one in any of these four places."""
    seen: set[int] = set()
    current: object = error
    while isinstance(current, BaseException) and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = next((argument for argument in current.args if isinstance(argument, BaseException)), None)
        current = getattr(current, "original_error", None) or current.__cause__ or inner or current.__context__
