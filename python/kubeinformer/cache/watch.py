"""The watch loop of a reflector (client-go §111-§121, §124).

It resumes at the last accepted event for as long as that is possible, and returns iff the collection has to be listed
again.
"""

from __future__ import annotations

import math

from kubeinformer.errors import APIStatusError, DecodeError, TransportError

from .api_status import event_error, is_expired
from .paged_list import current_version
from .read_into import read_into
from .reflector_session import Session, Stream
from .reflector_source import WatchReader
from .reflector_state import Phase, describe, logger

VERY_SHORT = 1.0
"""Seconds (client-go §113); for a watch that was asked for less than twice that, half of what was asked for."""


def watch(session: Session, stream: Stream | None) -> tuple[str, Exception | None]:
    """Watch, reconnecting whenever a stream ends, until a list is needed.

    A stream that ends after a while or after an event is followed by the next at once (§112); it makes no difference
    whether it ended cleanly, broke off or was silent past its deadline (§124). A request that reaches nobody, or is
    answered with 429, is tried again after a wait, without a list (§115; client-go lists after failures to connect
    other than "refused", here none of them needs it: the server says 410 if too much time has passed).

    A watch that was silent from beginning to end may be one from a version that the server, restored from a backup, has
    not reached: it gets no error, and misses what happens meanwhile. So the server is asked for its version before the
    next one. Where bookmarks come, no healthy watch is silent for long.

    Args:
        session: what to work with.
        stream: a stream that is open already: that of a watch-list (§101).

    Returns:
        Why a list is needed, and the failure behind it, if there is one to note.

    Raises:
        APIStatusError: a watch was refused otherwise.
        DecodeError: the server sent what is no event.
    """
    while True:
        if stream is None:
            try:
                stream = session.open_stream(session.state.resource_version, initial_events=False)
            except (TransportError, APIStatusError) as error:
                if isinstance(error, APIStatusError) and error.code != 429:
                    raise
                session.back_off(error)
                continue
            session.state.count("watches")
            session.state.succeeded()
        accepted_before = _accepted(stream.reader)
        try:
            ending = follow(session, stream)
        except VersionWentBackError as suspicion:
            return _list_to_make_sure(session, suspicion)
        # Of the whole stream: what is left of a watch-list after a slow first list may be short and yet healthy.
        lasted = session.clock.monotonic() - stream.opened
        short_of = min(VERY_SHORT, stream.timeout_seconds / 2)
        accepted = _accepted(stream.reader) - accepted_before
        silent = _accepted(stream.reader) == 0
        stream = None
        if isinstance(ending, APIStatusError):
            if is_expired(ending):
                session.state.report(ending)
                logger.info("%s: %s; listing again", session.state.name, ending)
                return "expired", None
            if ending.code == 429:
                session.back_off(ending)
                continue
            return "watch_error", ending
        if accepted == 0 and lasted < short_of:
            why = f": {ending}" if ending is not None else ""
            short = TransportError(f"a watch ended after {lasted:.1f} s without an event{why}")
            short.__cause__ = ending
            return "very_short_watch", short
        if ending is not None:
            session.state.report(ending)
        if silent and lasted >= VERY_SHORT:
            before, now = session.state.resource_version, current_version(session)
            if _went_back(before, now):
                return _list_to_make_sure(session, VersionWentBackError(before, now))
        logger.debug(
            "%s: the watch ended after %.0f s (%s), opening the next", session.state.name, lasted, ending or "EOF"
        )


class VersionWentBackError(Exception):
    """A bookmark or a list has a lower resourceVersion than what came before it."""

    def __init__(self, before: str, now: str) -> None:
        super().__init__(f"resourceVersion went from {before} back to {now}")


def _list_to_make_sure(session: Session, suspicion: VersionWentBackError) -> tuple[str, None]:
    logger.warning("%s: %s; listing again to make sure", session.state.name, suspicion)
    session.state.resource_version_unavailable = True
    return "version_went_back", None


def follow(session: Session, stream: Stream) -> APIStatusError | TransportError | None:
    """Read a stream to its end and close it. Blocks until then.

    Returns:
        The ERROR event that ended it, or how it broke off, or None when it ended cleanly.

    Raises:
        DecodeError: bytes that are no event; those before them were accepted.
        VersionWentBackError: see there.
    """
    response, reader, state = stream.response, stream.reader, session.state
    complete = False
    state.enter(Phase.WATCHING)
    try:
        while not stream.over:
            left = stream.deadline - session.clock.monotonic()
            if left <= 0:
                return TransportError("the watch outlived its timeoutSeconds")
            before, bookmarks = state.resource_version, reader.bookmarks
            try:
                stream.over = read_on(session, stream, left, at_most=left)
            finally:
                state.resource_version = reader.resource_version or before
            if reader.bookmarks > bookmarks:
                before = reader.version_before_bookmark or before
                if _went_back(before, state.resource_version):
                    raise VersionWentBackError(before, state.resource_version)
        if reader.error is not None:
            return event_error(f"{state.name}: ERROR event", reader.error)
        complete = True
        return None
    except TransportError as error:
        session.check_stopped()
        return error
    finally:
        response.close(complete=complete)


def read_on(session: Session, stream: Stream, timeout: float, at_most: float = math.inf) -> bool:
    """Give the reader what comes, see `read_into`; at the end of the body, finish it. True iff the stream is over.

    Raises:
        TransportError: the stream broke off, or the body ended inside an event. That is cut off, not corrupt: the event
            was not accepted, and comes again on the next watch.
        DecodeError: bytes that are no event.
    """
    reader = stream.reader
    unknown = reader.unknown_events
    try:
        over = read_into(session.state, stream.response, reader, timeout, at_most)
        if over and reader.error is None:
            _finish(session, reader)
        return over
    finally:
        if unknown == 0 and reader.unknown_events:
            logger.warning("%s: the watch has events of a type that nobody knows; they are skipped", session.state.name)


def _finish(session: Session, reader: WatchReader) -> None:
    session.check_stopped()
    try:
        reader.finish()
    except DecodeError as error:
        logger.info("%s: the stream ended inside an event: %s", session.state.name, describe(error))
        raise TransportError("the stream ended inside an event") from error


def _accepted(reader: WatchReader) -> int:
    return reader.events + reader.unknown_events


def _went_back(before: str, after: str) -> bool:
    """Whether a version is lower; versions that are no numbers cannot be compared."""
    return before.isdecimal() and after.isdecimal() and int(after) < int(before)
