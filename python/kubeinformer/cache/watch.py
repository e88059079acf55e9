"""The watch loop of a reflector (client-go §111-§121, §124).

It resumes at the last accepted event for as long as that is possible, and returns iff the collection has to be listed
again.
"""

from __future__ import annotations

import math

from kubeinformer.errors import APIStatusError, DecodeError, TransportError
from kubeinformer.transport.base import ReadTimeoutError

from .api_status import event_error, is_expired
from .paged_list import current_version
from .read_into import read_into
from .reflector_session import Session, Stream
from .reflector_source import WatchReader
from .reflector_state import Phase, describe, logger
from .version_went_back import VersionWentBackError, list_to_make_sure, went_back

VERY_SHORT = 1.0
"""Seconds (client-go §113); for a watch that was asked for less than twice that, half of what was asked for."""


def watch(session: Session, stream: Stream | None) -> tuple[str, Exception | None]:
    """Watch, reconnecting whenever a stream ends, until a list is needed.

    A stream that ends after a while or after an event is followed by the next at once (§112); it makes no difference
    whether it ended cleanly, broke off or was silent past its deadline (§124). A request that reaches nobody, or is
    answered with 429, is tried again after a wait, without a list (§115; client-go lists after failures to connect
    other than "refused", here none of them needs it: the server says 410 if too much time has passed).

    A watch from a version that the server, restored from a backup, has not reached gets no error, and misses what
    happens meanwhile. So the server is asked for its version before the next watch: when nobody was reached, as is so
    while a backup is restored, and after a watch that was silent from beginning to end. Where bookmarks come, no
    healthy watch is silent for long; one that is, is ended for that question, which costs little. A server that cannot
    answer it, since etcd stands still, may well have a watch for us: the question is put again later.

    Args:
        session: what to work with.
        stream: a stream that is open already: that of a watch-list (§101).

    Returns:
        Why a list is needed, and the failure behind it, if there is one to note.

    Raises:
        APIStatusError: a watch was refused otherwise.
        DecodeError: the server sent what is no event.
    """
    try:
        return _watch(session, stream)
    except VersionWentBackError as suspicion:
        list_to_make_sure(session.state, suspicion)
        return "version_went_back", None


def _watch(session: Session, stream: Stream | None) -> tuple[str, Exception | None]:
    is_doubtful = False
    while True:
        if stream is None:
            try:
                is_doubtful = is_doubtful and not _check_version(session)
                stream = session.open_stream(session.state.resource_version, initial_events=False)
            except (TransportError, APIStatusError) as error:
                if isinstance(error, APIStatusError) and error.code != 429:
                    raise
                is_doubtful = is_doubtful or isinstance(error, TransportError)
                session.back_off(error)
                continue
            session.state.opened_watch()
            session.state.succeeded()
        accepted_before = _accepted(stream.reader)
        ending = follow(session, stream)
        # Of the whole stream: what is left of a watch-list after a slow first list may be short and yet healthy.
        lasted = session.clock.monotonic() - stream.opened
        short_of = min(VERY_SHORT, stream.timeout_seconds / 2)
        accepted = _accepted(stream.reader) - accepted_before
        no_bookmark = isinstance(ending, _NoBookmarkError)
        is_doubtful = is_doubtful or no_bookmark or (_accepted(stream.reader) == 0 and lasted >= VERY_SHORT)
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
        if accepted == 0 and lasted < short_of and not no_bookmark:
            why = f": {ending}" if ending is not None else ""
            short = TransportError(f"a watch ended after {lasted:.1f} s without an event{why}")
            session.state.count("short_watches")
            short.__cause__ = ending
            return "very_short_watch", short
        if ending is not None and not no_bookmark:
            session.state.report(ending)
        logger.debug(
            "%s: the watch ended after %.0f s (%s), opening the next", session.state.name, lasted, ending or "EOF"
        )


def _check_version(session: Session) -> bool:
    """Ask the server for its version, if that can be compared with the last one seen; False if the server is silent.

    Raises:
        VersionWentBackError: it is lower.
        TransportError, APIStatusError: nobody was reached, or the answer is 429.
    """
    before = session.state.resource_version
    if not before.isdecimal():
        return True
    try:
        now = current_version(session)
    except ReadTimeoutError as error:
        session.state.report(error)
        return False
    except (APIStatusError, DecodeError) as error:
        if isinstance(error, APIStatusError) and error.code == 429:
            raise
        session.state.report(error)
        return True
    if went_back(before, now):
        raise VersionWentBackError(before, now)
    return True


class _NoBookmarkError(TransportError):
    """A watch was silent for so long that a bookmark should have come. A hint, and no failure."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no bookmark within {seconds:.0f} s")


def follow(session: Session, stream: Stream) -> APIStatusError | TransportError | None:
    """Read a stream to its end and close it. Blocks until then.

    Returns:
        The ERROR event that ended it, or how it broke off, or None when it ended cleanly.

    Raises:
        DecodeError: bytes that are no event; those before them were accepted.
        VersionWentBackError: see there.
    """
    response, reader, state = stream.response, stream.reader, session.state
    complete, accepted_before = False, _accepted(reader)
    state.enter(Phase.WATCHING)
    try:
        while not stream.over:
            left = stream.deadline - session.clock.monotonic()
            if left <= 0:
                return TransportError("the watch outlived its timeoutSeconds")
            quiet = stream.patience - state.silence() if state.bookmarks_come else left
            if quiet <= 0:
                return _NoBookmarkError(stream.patience)
            before, bookmarks, wait = state.resource_version, reader.bookmarks, min(left, quiet)
            try:
                stream.over = read_on(session, stream, wait, at_most=wait)
            except ReadTimeoutError:
                if wait == left:
                    raise
                return _NoBookmarkError(stream.patience)
            finally:
                state.resource_version = reader.resource_version or before
            state.bookmarks_come = state.bookmarks_come or reader.bookmarks > bookmarks
        if reader.went_back_to:
            raise VersionWentBackError(state.resource_version, reader.went_back_to)
        if reader.error is not None:
            return event_error(f"{state.name}: ERROR event", reader.error)
        complete = True
        return None
    except TransportError as error:
        session.check_stopped()
        return error
    finally:
        state.watched(session.clock.monotonic() - stream.opened, _accepted(reader) - accepted_before)
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
