"""Every error that kubeinformer raises on purpose derives from `Error`; bad arguments are TypeError or ValueError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Error(Exception):
    """Base of all errors of this package."""


class DecodeError(Error, ValueError):
    """Bytes from the server, or of a stored object, are not what they must be.

    Attributes:
        key: `namespace/name` of the object, or None when the bytes do not tell.
        offset: position of the fault in bytes, from the start of the body, the stream or the object.
    """

    def __init__(self, message: str, key: str | None = None, offset: int = 0) -> None:
        super().__init__(message)
        self.key = key
        self.offset = offset

    def __reduce__(self) -> tuple[type[DecodeError], tuple[object, ...]]:
        return (type(self), (self.args[0], self.key, self.offset))


class TooLargeError(DecodeError):
    """An object, a line of a watch or a list is larger than `max_object_bytes` or `max_list_bytes`; see `DecodeError`.

    The cache keeps its last state, and the list is tried again after a wait.
    """


class ModelError(Error, ValueError):
    """An object is no valid model of the kubernetes package. The message has no values of the object.

    Attributes:
        key: `namespace/name` of the object.
        model: name of the class in `kubernetes.client`.
    """

    def __init__(self, message: str, key: str, model: str) -> None:
        super().__init__(message)
        self.key = key
        self.model = model

    def __reduce__(self) -> tuple[type[ModelError], tuple[object, ...]]:
        return (type(self), (self.args[0], self.key, self.model))


class NotFoundError(Error, LookupError):
    """A lister or store was asked for a name that it does not hold (client-go §181).

    Attributes:
        resource: `plural.group`, or `plural` for the core group.
        name: the name that was asked for.
    """

    def __init__(self, resource: str, name: str) -> None:
        super().__init__(f'{resource} "{name}" not found')
        self.resource = resource
        self.name = name

    def __reduce__(self) -> tuple[type[NotFoundError], tuple[object, ...]]:
        return (type(self), (self.resource, self.name))


class IndexNotFoundError(Error, LookupError):
    """An index name that was never added (client-go §18)."""


class ObjectKeyError(Error, ValueError):
    """A key function failed on an object; `__cause__` is what it raised (client-go's KeyError, §6).

    Attributes:
        obj: the object.
    """

    def __init__(self, message: str, obj: object = None) -> None:
        super().__init__(message)
        self.obj = obj


class TransactionError(Error):
    """Some changes of a transaction have no key; all others are done (client-go §25).

    Attributes:
        successful_indices: places of the changes that are done, in the list that was given.
        errors: what the key function raised on the others, in order.
    """

    def __init__(self, successful_indices: Sequence[int], errors: Sequence[Exception]) -> None:
        total = len(successful_indices) + len(errors)
        super().__init__(f"{len(errors)} of {total} changes failed: {'; '.join(map(str, errors))}")
        self.successful_indices = list(successful_indices)
        self.errors = list(errors)

    def __reduce__(self) -> tuple[type[TransactionError], tuple[object, ...]]:
        return (type(self), (self.successful_indices, self.errors))


class ClosedError(Error):
    """A queue or listener is closed and, for a queue, empty (client-go's ErrFIFOClosed, §45)."""


class ShutDown(Error):
    """A workqueue is shut down and empty: its worker has nothing more to do (client-go §187)."""


class ForkedError(Error, RuntimeError):
    """An object of the parent process was used in a forked child, where its threads do not run.

    Make a new factory in the child instead: in gunicorn's `post_fork`, in an ASGI lifespan, or at the start of a
    multiprocessing target.
    """


class CacheSyncTimeoutError(Error, TimeoutError):
    """Caches were not synced in time, or can never be (`fail_fast`).

    Attributes:
        unsynced: the last error (or None) of each resource that is not synced, by its name.
    """

    def __init__(self, message: str, unsynced: Mapping[str, BaseException | None]) -> None:
        super().__init__(message)
        self.unsynced = dict(unsynced)


class APIStatusError(Error):
    """The API server refused a request, with an HTTP status or an ERROR event in a watch.

    Attributes:
        code: the HTTP status code, or the Status object's `code` (0 when it has none).
        reason: the Status object's `reason` ("" when there is none, as for text bodies).
        retry_after: seconds the server asks to wait, or None.
        body: the first 2,048 bytes of the body, for the message.
    """

    def __init__(
        self, message: str, *, code: int = 0, reason: str = "", retry_after: float | None = None, body: bytes = b""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.retry_after = retry_after
        self.body = body[:2048]


class TransportError(Error, ConnectionError):
    """A request got no answer, or its body broke off: refused, reset, timed out, TLS, truncated."""
