"""`read_into`: the next bytes of a response go to a reader; natively, where response and reader know how.

Whatever way they go, the reflector's state tells the truth meanwhile: when the server was heard, and which version was
read.
"""

from __future__ import annotations

import math
from typing import cast

from kubeinformer import _core
from kubeinformer.transport.base import Response

from .reflector_source import ListReader, WatchReader
from .reflector_state import ReflectorState


def read_into(
    state: ReflectorState,
    response: Response,
    reader: ListReader | WatchReader,
    timeout: float | None = None,
    at_most: float = math.inf,
) -> bool:
    """Read what comes and feed it to the reader. Blocks while nothing does.

    A response without `read_into` is read once. A native one is read on until there is something to decide: the end, a
    bookmark, or the time is up.

    Args:
        state: is told when the server was heard.
        response: where the bytes come from.
        reader: where they go.
        timeout: seconds to wait for a byte; None = the request's `read_timeout`.
        at_most: seconds after which a native response returns, whatever comes; later if the queue is full then.

    Returns:
        True when the body is at its end, or the reader says that its stream is over.

    Raises:
        TransportError: as `Response.read`.
        DecodeError, ClosedError: as the reader's `feed`.
    """
    watch = cast(WatchReader, reader) if hasattr(reader, "resource_version") else None
    native = getattr(response, "read_into", None)
    if native is not None and isinstance(reader, _core.ListReader | _core.WatchReader):
        with state.reading(watch, response.silence):  # type: ignore[attr-defined]
            over: bool = native(reader, timeout, at_most)
        if over:
            # The end of a body is a word of the server, too, and no byte of it.
            state.contact()
        return over
    data = response.read() if timeout is None else response.read(timeout)
    state.contact()
    if not data:
        return True
    # A handler may be told of an event before `feed` has come back to this thread.
    with state.reading(watch):
        return reader.feed(data)
