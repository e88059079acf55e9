"""Reads what a server says when it refuses: Status objects, text, HTML, and headers that ask to wait.

Whatever the body is, the result is an `APIStatusError`; only what the body really says is in it.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from typing import Any

import orjson

from kubeinformer.errors import APIStatusError
from kubeinformer.redaction import redact_foreign

_LONGEST_MESSAGE = 500


def status_error(where: str, code: int, headers: Mapping[str, str], body: bytes, now: float) -> APIStatusError:
    """Return the error for an HTTP answer other than 200.

    Args:
        where: the request, for the message.
        code: the HTTP status, which counts, whatever code the body claims.
        headers: the answer's headers; Retry-After is heeded, in seconds or as a date.
        body: the beginning of the body.
        now: seconds since the epoch, for a Retry-After date.
    """
    status = _parse(body)
    wait = _retry_after_header(headers.get("Retry-After"), now)
    if wait is None:
        wait = _retry_after_details(status)
    return _error(where, code, status, body, wait)


def event_error(where: str, body: bytes) -> APIStatusError:
    """Return the error for the object of an ERROR event. One that is no Status gives code 0 and reason ""."""
    status = _parse(body)
    code = status.get("code")
    number = code if isinstance(code, int) and not isinstance(code, bool) else 0
    return _error(where, number, status, body, _retry_after_details(status))


def is_expired(error: APIStatusError) -> bool:
    """Whether the resourceVersion or continue token is too old: 410 in any form, from old servers too (§87, §114)."""
    return error.code == 410 or error.reason in ("Expired", "Gone")


def is_too_large_resource_version(error: APIStatusError) -> bool:
    """Whether the server has not reached the resourceVersion yet; servers up to 1.18 tell by the message only (§88)."""
    details = _parse(error.body).get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if isinstance(causes, list) and any(
        isinstance(cause, dict) and cause.get("reason") == "ResourceVersionTooLarge" for cause in causes
    ):
        return True
    return (error.code == 504 or error.reason == "Timeout") and b"Too large resource version" in error.body


def _parse(body: bytes) -> dict[str, Any]:
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _error(where: str, code: int, status: dict[str, Any], body: bytes, retry_after: float | None) -> APIStatusError:
    reason = status.get("reason")
    reason = reason if isinstance(reason, str) else ""
    text = status.get("message")
    if not isinstance(text, str) or not text:
        text = " ".join(body.decode("utf-8", "replace").split())
    # A proxy may show the request, with its headers.
    text = redact_foreign(text[: 2 * _LONGEST_MESSAGE])
    if len(text) > _LONGEST_MESSAGE:
        text = text[:_LONGEST_MESSAGE] + "…"
    head = " ".join(part for part in (str(code) if code else "", reason) if part)
    message = ": ".join(part for part in (where, head, text) if part)
    return APIStatusError(message, code=code, reason=reason, retry_after=retry_after, body=body)


def _retry_after_header(value: str | None, now: float) -> float | None:
    if value is None:
        return None
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _retry_after_details(status: dict[str, Any]) -> float | None:
    details = status.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0:
        return float(seconds)
    return None
