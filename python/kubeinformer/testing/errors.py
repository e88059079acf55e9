"""What the embedded API server answers instead of a result.

A handler that cannot answer raises one of these; the HTTP layer turns it into a response, a running watch into an ERROR
event, and a caller of :class:`~kubeinformer.testing.APIServer` sees it as an exception. A refusal is a
:class:`StatusError` iff a real server answers it with a ``Status`` object; :class:`TextError` is the plain text rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kubeinformer.errors import Error

RETRY_SECONDS_TOO_NEW = 1
# The codes whose Status has details even when there is nothing to say.
_ALWAYS_DETAILED = frozenset([403, 404, 405])


class StatusError(Error):
    """A request that the server refuses with a ``Status`` object.

    Attributes:
        code: the HTTP status code.
        reason: the machine-readable reason, for example ``NotFound`` (may be empty).
        message: the sentence for people.
        details: ``details`` of the Status (group, kind, name, causes, retryAfterSeconds), possibly empty.
        continue_token: ``metadata.continue`` of a 410 for an expired LIST.

    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        continue_token: str = "",
    ) -> None:
        super().__init__(code, reason, message, details, continue_token)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.continue_token = continue_token

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"

    @property
    def status(self) -> dict[str, Any]:
        """The ``Status`` object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details or self.code in _ALWAYS_DETAILED:
            status["details"] = self.details
        status["code"] = self.code
        return status

    @property
    def body(self) -> bytes:
        """The ``Status`` object as JSON."""
        return orjson.dumps(self.status)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to it: Retry-After when the details say so."""
        seconds = self.details.get("retryAfterSeconds")
        return {} if seconds is None else {"Retry-After": str(seconds)}


class TextError(Error):
    """A request that the server refuses with a line of plain text, as for an unknown API group."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def page_not_found() -> TextError:
    """404 of a path that no handler is registered for: an unknown group, version or a removed custom resource."""
    return TextError(404, "404 page not found\n")


def _qualified(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def _details(group: str, kind: str, name: str = "", **more: Any) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = kind
    details.update(more)
    return details


def not_found(group: str, plural: str, name: str) -> StatusError:
    """404 for an object."""
    message = f'{_qualified(group, plural)} "{name}" not found'
    return StatusError(404, "NotFound", message, _details(group, plural, name))


def resource_not_found() -> StatusError:
    """404 for a resource or subresource that does not exist in an API group that does."""
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, plural: str, name: str) -> StatusError:
    """409 on create."""
    message = f'{_qualified(group, plural)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = "") -> StatusError:
    """409 on update: the resourceVersion or a precondition does not match."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {_qualified(group, plural)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(group, plural, name))


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def invalid(group: str, kind: str, name: str, causes: Sequence[tuple[str, str, str]]) -> StatusError:
    """422. Each cause is (field, reason, message)."""
    texts = [f"{field}: {text}" for field, _, text in causes]
    listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = _details(group, kind, name)
    details["causes"] = [{"reason": reason, "message": text, "field": field} for field, reason, text in causes]
    qualified = f"{kind}.{group}" if group else kind
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', details)


def expired(message: str, continue_token: str = "") -> StatusError:
    """410: the resourceVersion or continue token is too old."""
    return StatusError(410, "Expired", message, None, continue_token)


def too_large_resource_version(
    wanted: int, current: int, retry_after: int | None = RETRY_SECONDS_TOO_NEW
) -> StatusError:
    """504: the server has not reached the resourceVersion asked for."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    retry = {} if retry_after is None else {"retryAfterSeconds": retry_after}
    return StatusError(504, "Timeout", message, {"causes": causes, **retry})


def forbidden(
    *, verb: str, group: str, plural: str, namespace: str | None, name: str, user: str, subresource: str = ""
) -> StatusError:
    """403 of the authorizer."""
    named = f' "{name}"' if name else ""
    resource = f"{plural}/{subresource}" if subresource else plural
    if plural == "namespaces" and not group and name:
        namespace = name  # To the authorizer a Namespace is in itself.
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{_qualified(group, plural)}{named} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}" {scope}'
    )
    return StatusError(403, "Forbidden", message, _details(group, plural, name))


def unauthorized() -> StatusError:
    """401."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> StatusError:
    """405."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def forbidden_path(*, method: str, path: str, user: str) -> StatusError:
    """403 of the authorizer for what is no resource."""
    return StatusError(403, "Forbidden", f'forbidden: User "{user}" cannot {method.lower()} path "{path}"')


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    """406."""
    return StatusError(406, "NotAcceptable", f"only the following media types are accepted: {', '.join(accepted)}")


def no_such_form(form: str, *, wanted_list: bool) -> StatusError:
    """406 for a PartialObjectMetadata of a list, or a PartialObjectMetadataList of an object."""
    what = "not a list" if wanted_list else "a list"
    return StatusError(406, "NotAcceptable", f"you requested {form}, but the requested object is {what}")


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    """415."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", message)


def request_too_large() -> StatusError:
    """500 of the storage for an object above its limit."""
    return StatusError(500, "", "etcdserver: request is too large")


def not_implemented(what: str) -> StatusError:
    """501: a real server would answer this, the embedded one does not."""
    return StatusError(501, "NotImplemented", f"the embedded API server does not implement {what}")
