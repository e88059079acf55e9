"""The streaming path of a reflector: a watch that begins with the whole collection (client-go §97-§110).

It ends in one of two ways: the collection is queued and the same stream goes on as the watch, or LIST has to do it.
"""

from __future__ import annotations

import logging

from kubeinformer.errors import APIStatusError, DecodeError, TransportError
from kubeinformer.transport.base import ReadTimeoutError, RefusedError

from .api_status import event_error, is_expired, is_too_large_resource_version
from .reflector_session import Session, Stream
from .reflector_state import describe, logger
from .version_went_back import VersionWentBackError, list_to_make_sure
from .watch import VERY_SHORT, read_on


class _UnsupportedError(Exception):
    """The server shows that it cannot stream lists; `error` says how."""

    def __init__(self, error: APIStatusError | TransportError) -> None:
        super().__init__(str(error))
        self.error = error


def watch_list(session: Session) -> Stream | None:
    """Read the collection from a stream. Blocks until it is queued, or cannot be.

    429 and a refused connection are waited out (§105), a version that the server does not have, or answers with a lower
    one, is dropped (§106), and a stream that ends early is tried once more. Unlike client-go (§108), that is all: then
    LIST takes over, and what shows that the server cannot do it at all (400, 422, an ERROR 500 or 504, no end bookmark
    in time) is remembered.

    Returns:
        The open stream, or None: use LIST.

    Raises:
        TransportError: the server cannot be reached.
    """
    state = session.state
    ended_early = False
    while True:
        state.count("watch_lists")
        version = state.watch_list_version()
        try:
            stream = session.open_stream(version, initial_events=True)
            failure = _read_initial_events(session, stream)
        except RefusedError as error:
            session.back_off(error)
            continue
        except (ReadTimeoutError, DecodeError) as error:
            # No headers in time: a server that cannot read from etcd hangs here, but may serve LIST from its cache.
            _fall_back(session, error)
            return None
        except _UnsupportedError as reason:
            _disable(session, reason.error)
            return None
        except VersionWentBackError as suspicion:
            list_to_make_sure(state, suspicion)
            state.count_relist("version_went_back")
            continue
        except APIStatusError as error:
            if error.code in (400, 422):
                _disable(session, error)
                return None
            failure = error
        if failure is None:
            state.resource_version_unavailable = False
            reader = stream.reader
            state.replaced(reader.resource_version, "watch-list", reader.events - reader.bookmarks)
            return stream
        if isinstance(failure, APIStatusError):
            if failure.code == 429:
                session.back_off(failure)
                continue
            if version and (is_expired(failure) or is_too_large_resource_version(failure)):
                state.report(failure)
                state.resource_version_unavailable = True
                continue
        elif not ended_early and not _very_short(session, stream):
            state.report(failure)
            ended_early = True
            continue
        _fall_back(session, failure)
        return None


def _read_initial_events(session: Session, stream: Stream) -> APIStatusError | TransportError | None:
    """Read until the end bookmark (None), or to whatever comes instead of it; then the stream is closed."""
    response, reader, clock = stream.response, stream.reader, session.clock
    patience = session.timing.watch_list_timeout
    progress, objects = stream.opened, 0
    keep = False
    try:
        while not stream.over:
            left = min(progress + patience, stream.deadline) - clock.monotonic()
            bookmarks = reader.bookmarks
            try:
                if left <= 0:
                    raise ReadTimeoutError("no time left")
                stream.over = read_on(session, stream, left)
            except ReadTimeoutError:
                waited = clock.monotonic() - stream.opened
                raise _UnsupportedError(TransportError(f"no end bookmark within {waited:.0f} s")) from None
            except TransportError as error:
                session.check_stopped()
                return _ended_early(session, stream, error)
            if reader.synced:
                keep = True
                return None
            # An ordinary bookmark is no step towards the end; a part of an object is.
            if reader.events - reader.bookmarks > objects or reader.bookmarks == bookmarks:
                progress, objects = clock.monotonic(), reader.events - reader.bookmarks
        if reader.went_back_to:
            raise VersionWentBackError(session.state.resource_version, reader.went_back_to)
        if reader.error is None:
            return _ended_early(session, stream, None)
        error_event = event_error(f"{session.state.name}: ERROR event", reader.error)
        if error_event.code in (500, 504) and not is_too_large_resource_version(error_event):
            raise _UnsupportedError(error_event)
        return error_event
    finally:
        if not keep:
            response.close(complete=stream.over and reader.error is None)


def _ended_early(session: Session, stream: Stream, cause: TransportError | None) -> TransportError:
    lasted = session.clock.monotonic() - stream.opened
    if lasted >= stream.timeout_seconds - 1:
        raise _UnsupportedError(TransportError(f"no end bookmark before timeoutSeconds={stream.timeout_seconds}"))
    error = TransportError(f"a watch-list ended after {lasted:.1f} s, before its end bookmark ({cause or 'EOF'})")
    error.__cause__ = cause
    return error


def _very_short(session: Session, stream: Stream) -> bool:
    return stream.reader.events == 0 and session.clock.monotonic() - stream.opened < VERY_SHORT


def _fall_back(session: Session, error: Exception) -> None:
    """Log why LIST takes over in this attempt; once, while attempts keep failing."""
    level = logging.WARNING if isinstance(error, DecodeError) else logging.INFO
    if session.state.last_error is not None:
        level = logging.DEBUG
    logger.log(level, "%s: %s; using LIST", session.state.name, describe(error))
    session.state.report(error)


def _disable(session: Session, error: APIStatusError | TransportError) -> None:
    """Remember, for all reflectors of this transport, to use LIST."""
    version = session.resource.api_version
    if session.transport.capabilities.disable_watch_list(version, str(error)):
        logger.info("%s: the server does not stream lists of %s (%s); using LIST", session.state.name, version, error)
    session.state.report(error)
