"""The responses that are sent whole: objects, refusals, and what the faults answer instead."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import orjson

from kubeinformer.testing._aiohttp import web
from kubeinformer.testing.effects import Respond
from kubeinformer.testing.errors import StatusError, TextError

BODY_LIMIT = 3 * 1024 * 1024


def standard_headers() -> dict[str, str]:
    """Return the headers that every response of a real server has."""
    return {
        "Audit-Id": str(uuid.uuid4()),
        "Cache-Control": "no-cache, private",
        "X-Kubernetes-Pf-Flowschema-Uid": "00000000-0000-0000-0000-000000000001",
        "X-Kubernetes-Pf-Prioritylevel-Uid": "00000000-0000-0000-0000-000000000002",
    }


def json_response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON body, encoded already."""
    merged = {**standard_headers(), "Content-Type": "application/json", **(headers or {})}
    return web.Response(status=status, body=body, headers=merged)


def indented(raw: bytes) -> bytes:
    """Return JSON as it is for people."""
    return orjson.dumps(orjson.loads(raw), option=orjson.OPT_INDENT_2)


def injected(effect: Respond) -> web.Response:
    """Return what a fault answers."""
    response = web.Response(status=effect.status, body=effect.body, headers=dict(effect.headers))
    if response.headers.get("Connection", "").lower() == "close":
        response.force_close()
    return response


def refusal(error: StatusError | TextError | web.HTTPRequestEntityTooLarge) -> web.Response:
    """Return the response that an error stands for."""
    if isinstance(error, TextError):
        return web.Response(status=error.code, text=error.text, headers=standard_headers())
    if not isinstance(error, StatusError):
        message = f"Request entity too large: limit is {BODY_LIMIT}"
        error = StatusError(413, "RequestEntityTooLarge", message)
    return json_response(error.code, error.body + b"\n", error.headers)


def closed(request: web.BaseRequest) -> web.Response:
    """Close the connection; the response is never sent."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()
