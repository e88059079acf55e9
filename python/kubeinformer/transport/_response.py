"""The body of an answer, read without ever waiting for more than the next byte.

Bytes that the server has sent are returned by the next `read`, whatever follows them and when: an event never waits for
the next one. A plain body is read from the connection's buffered file, in pieces of up to 256 KiB and with the chunked
coding left in, since urllib3's own reading costs more than all later work on an event. A compressed one goes through
urllib3, which decodes it piece by piece.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Mapping
from typing import Any

import urllib3

from kubeinformer.errors import TransportError

from ._failures import transport_error
from .base import StopSignal

_PIECE = 256 * 1024
_ERROR_BODY_TIMEOUT = 10.0
# Of a body that comes in drops.
_ERROR_BODY_DEADLINE = 60.0


class HTTPResponse:
    """A `Response` over urllib3's, which must not have been read from."""

    def __init__(
        self, raw: urllib3.HTTPResponse, where: str, *, read_timeout: float, stop: StopSignal | None = None
    ) -> None:
        self._raw = raw
        self._where = where
        self._read_timeout = read_timeout
        self._stop = stop
        self._lock = threading.Lock()
        self._shut = False
        self._closed = False
        self._socket = _socket_of(raw)
        self._file = _plain_file_of(raw)
        self.chunked = self._file is not None and raw.chunked
        self._total = None if self._file is None or self.chunked else raw.length_remaining
        self._left = self._total
        if stop is not None:
            stop.add(self.shutdown)

    @property
    def status(self) -> int:
        """HTTP status code."""
        return self._raw.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers; look-up ignores case."""
        return self._raw.headers

    def read(self, timeout: float | None = None) -> bytes:
        """See `Response.read`."""
        try:
            self._wait_at_most(self._read_timeout if timeout is None else timeout)
            data = self._take()
        except Exception as error:
            if self._shut:
                raise self._stopped() from None
            if isinstance(error, TransportError):
                raise
            raise transport_error(error, self._where) from error
        # After a shutdown the bytes may be the end of a body that did not end, or TLS records read as plain text.
        if self._shut:
            raise self._stopped()
        return data

    def _take(self) -> bytes:
        if self._file is None:
            return self._raw.read1(_PIECE, decode_content=True) or b""
        if self._left is None:
            return self._file.read1(_PIECE)
        if self._left == 0:
            return b""
        data = self._file.read1(min(_PIECE, self._left))
        if not data:
            got = (self._total or 0) - self._left
            raise TransportError(f"{self._where}: the body ended after {got} of {self._total} bytes")
        self._left -= len(data)
        return data

    def read_error_body(self, limit: int = 65536) -> bytes:
        """See `Response.read_error_body`."""
        self._file = None  # from here on urllib3 reads, and knows where the body ends
        body, deadline = bytearray(), time.monotonic() + _ERROR_BODY_DEADLINE
        try:
            self._wait_at_most(min(self._read_timeout, _ERROR_BODY_TIMEOUT))
            while len(body) < limit and time.monotonic() < deadline:
                data = self._raw.read1(limit - len(body), decode_content=True)
                if not data:
                    break
                body += data
            return bytes(body)
        except Exception:  # The status is what matters; a body that breaks off must not hide it.
            return b""

    def read_all(self) -> bytes:
        """The whole body, decoded; blocks for at most `read_timeout` at a time without a byte. Not after `read`.

        Raises:
            TransportError: as `read`.
        """
        self._file = None  # as in `read_error_body`
        try:
            self._wait_at_most(self._read_timeout)
            return self._raw.read(decode_content=True) or b""
        except Exception as error:
            if self._shut:
                raise self._stopped() from None
            raise transport_error(error, self._where) from error

    def shutdown(self) -> None:
        """See `Response.shutdown`."""
        with self._lock:
            self._shut = True
            if self._closed:
                return
            try:
                self._raw.shutdown()
            except (OSError, ValueError, RuntimeError):
                pass  # no connection any more: nothing can be blocked on it

    def close(self, complete: bool) -> None:
        """See `Response.close`. Does not block."""
        if self._stop is not None:
            self._stop.remove(self.shutdown)
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if complete and not self._shut and self._at_end():
            # http.client takes the next request on this connection iff it believes that this response is over.
            if self._raw._fp is not None:
                self._raw._fp.close()
        else:
            self._raw.close()
        self._raw.release_conn()

    def _at_end(self) -> bool:
        if self._file is None:
            return self._raw.closed
        return self.chunked or self._left == 0

    def _wait_at_most(self, seconds: float) -> None:
        if self._socket is not None:
            # 0 would mean "do not block".
            self._socket.settimeout(max(seconds, 0.001))

    def _stopped(self) -> TransportError:
        return TransportError(f"{self._where}: stopped")


def _plain_file_of(raw: urllib3.HTTPResponse) -> io.BufferedReader | None:
    """The buffered file below the body, if what comes out of it needs no decoding but that of chunks."""
    if raw.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return None
    file = getattr(getattr(raw, "_fp", None), "fp", None)
    return file if isinstance(file, io.BufferedReader) else None


def _socket_of(raw: urllib3.HTTPResponse) -> Any:
    """The socket that reads wait on; the connection has let go of it when the body ends with the connection."""
    sock = getattr(raw.connection, "sock", None)
    if sock is None:
        file = getattr(getattr(raw, "_fp", None), "fp", None)
        sock = getattr(getattr(file, "raw", None), "_sock", None)
    return sock
