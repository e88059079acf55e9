"""What went wrong with a server, in one line: what was wanted, where, and what the server or the network says."""

from __future__ import annotations

import re

import orjson

from kubeinformer.errors import APIStatusError, TransportError
from kubeinformer.redaction import redact_foreign
from kubeinformer.transport import ReadTimeoutError, RefusedError

_REQUEST = re.compile(r"^GET \S+( at \S+)?: ")
_MEANING = {
    400: "bad request (400)",
    401: "not logged in (401)",
    403: "not allowed (403)",
    404: "it has no such resource (404)",
    405: "it does not offer that (405)",
}


def unreachable(error: TransportError, server: str) -> str:
    """The line for a request that got no answer."""
    if isinstance(error, RefusedError):
        why = "connection refused"
    elif isinstance(error, ReadTimeoutError):
        why = "it accepts connections, but does not answer"
    else:
        why = _REQUEST.sub("", str(error))
    return f"cannot reach the server at {server}: {why}"


def refused(error: APIStatusError, doing: str, server: str) -> str:
    """The line for a request that was refused.

    Args:
        error: the answer.
        doing: what was tried, after "cannot".
        server: its address.
    """
    meaning = _MEANING.get(error.code, f"it answers {error.code}")
    return f"cannot {doing} at {server}: {meaning}: {_message(error)}"


def _message(error: APIStatusError) -> str:
    """The message of the Status that the server sent, else the beginning of whatever it sent, on one line."""
    try:
        text = orjson.loads(error.body)["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = error.body.decode("utf-8", "replace")[:300]
    return redact_foreign(" ".join(str(text).split())) or error.reason or "no reason given"
