"""What the functions of a `ListWatch` give, as the bytes that an API server would send.

A list becomes the body of a LIST, an event a line of a WATCH, an error that a server has answered with the Status that
it sent; so readers and reflector take in what functions give as they take in what a server gives.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import orjson
from urllib3 import HTTPHeaderDict

from kubeinformer._core import JSONMapping, JSONSequence, KubeObject
from kubeinformer.errors import APIStatusError
from kubeinformer.models import is_model, to_json_dict

_RAW = (bytes, bytearray, memoryview)
_LIST_CONTRACT = "list_func must return a list object (a dict, bytes or a model)"


def list_body(result: Any) -> bytes:
    """The JSON of a list.

    Args:
        result: a dict, JSON as bytes, a model, or what has `to_dict`, as the objects of the dynamic client have.

    Raises:
        TypeError: it is none of these, or holds what JSON has not.
    """
    if isinstance(result, _RAW):
        return bytes(result)
    return _json(_as_mapping(result, _LIST_CONTRACT))


def list_dict(result: Any) -> dict[str, Any]:
    """The same as a dict, whose items may still be models if it was one already.

    Raises:
        TypeError: see `list_body`.
    """
    if isinstance(result, _RAW):
        listed: dict[str, Any] = orjson.loads(bytes(result))
        return listed
    return _as_mapping(result, _LIST_CONTRACT)


def object_json(obj: Any) -> bytes:
    """The JSON of one object: a dict, a model, or what has `to_dict`.

    Raises:
        TypeError: it is none of these, or holds what JSON has not.
    """
    return _json(_as_mapping(obj, "an object must be a dict or a model"))


def event_line(event: Any) -> bytes:
    """The line of an event.

    Args:
        event: what has "type" and "object", which is a dict, a model or a KubeObject; or JSON lines as bytes.

    Raises:
        TypeError: it is none of these, or holds what JSON has not.
    """
    if isinstance(event, _RAW):
        line = bytes(event)
        return line if line.endswith(b"\n") else line + b"\n"
    try:
        kind, obj = event["type"], event["object"]
    except (KeyError, TypeError, IndexError):
        what = 'watch_func must give events: bytes, or what has "type" and "object"'
        raise TypeError(f"{what}, not {type(event).__name__}") from None
    if not isinstance(obj, KubeObject):
        obj = _as_mapping(obj, "the object of an event must be a dict or a model")
    return _json({"type": kind, "object": obj}) + b"\n"


def _as_mapping(value: Any, contract: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if is_model(value):
        return to_json_dict(value)
    if isinstance(value, JSONMapping | KubeObject) or hasattr(type(value), "to_dict"):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{contract}, not {type(value).__name__}")


def _json(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value, default=_beyond_json)
    except orjson.JSONEncodeError as error:
        raise TypeError(f"not JSON: {error.__cause__ or error}") from error


def _beyond_json(value: Any) -> Any:
    """What orjson asks for, inside of dicts and lists."""
    if isinstance(value, KubeObject):
        return orjson.Fragment(value.raw)
    if isinstance(value, JSONSequence):
        return value.to_list()
    return _as_mapping(value, "cannot be written")


class Refusal:
    """What a server has answered, read off the exception that tells it.

    Attributes:
        status: the HTTP status, or the code of an ERROR event.
        headers: of the answer, as far as they are known.
        body: of the answer; a Status made of what the exception says when it has no body.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def is_http(self) -> bool:
        """Whether a request can be answered with that status."""
        return 300 <= self.status <= 599

    def to_event(self) -> bytes:
        """The line of the ERROR event that says the same."""
        status = _status_of(self.body)
        if status is None:
            text = " ".join(self.body.decode("utf-8", "replace").split())
            status = _status(self.status, "", text)
        wait = self.headers.get("Retry-After") or ""
        if wait.strip().isdecimal():
            details = status.get("details")
            known = details if isinstance(details, dict) else {}
            status["details"] = {"retryAfterSeconds": int(wait), **known}
        return _json({"type": "ERROR", "object": status}) + b"\n"


def refusal_of(error: BaseException) -> Refusal | None:
    """The answer behind an `APIStatusError` or an `ApiException` of the kubernetes package; None behind another."""
    if isinstance(error, APIStatusError):
        headers = HTTPHeaderDict()
        if error.retry_after is not None:
            headers["Retry-After"] = str(math.ceil(error.retry_after))
        body = error.body
        if _status_of(body) is None:  # text, or the part of a Status that the error keeps
            causes = [{"reason": "ResourceVersionTooLarge"}] if b"ResourceVersionTooLarge" in body else []
            body = _json(_status(error.code, error.reason, str(error), causes))
        return Refusal(error.code, headers, body)
    if is_api_exception(error):
        status = getattr(error, "status", None)
        if not isinstance(status, int) or not status:
            return None
        text = getattr(error, "body", None) or b""
        body = text.encode() if isinstance(text, str) else bytes(text)
        if not body:
            # The kubernetes package's Watch tells of an ERROR event as "reason: message".
            message = str(getattr(error, "reason", None) or "")
            reason = message.partition(":")[0]
            body = _json(_status(int(status), reason if reason.isalnum() else "", message))
        return Refusal(int(status), HTTPHeaderDict(getattr(error, "headers", None) or {}), body)
    return None


def is_api_exception(error: BaseException) -> bool:
    """Whether this is the kubernetes package's ApiException; that need not be loaded."""
    module = sys.modules.get("kubernetes.client.exceptions")
    return module is not None and isinstance(error, module.ApiException)


def _status_of(body: bytes) -> dict[str, Any] | None:
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return status if isinstance(status, dict) and status.get("kind") == "Status" else None


def _status(code: int, reason: str, message: str, causes: list[dict[str, str]] | None = None) -> dict[str, Any]:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return {**status, "code": code, **({"details": {"causes": causes}} if causes else {})}
