"""The watch loop of a reflector (client-go §111-§121, §124).

It resumes at the last accepted event for as long as that is possible, and returns iff the collection has to be listed
again.
"""

from __future__ import annotations

from kubeinformer.errors import APIStatusError, DecodeError, TransportError

from .api_status import event_error, is_expired
from .reflector_session import Session, Stream
from .reflector_source import WatchReader
from .reflector_state import Phase, describe, logger

VERY_SHORT = 1.0


def watch(session: Session, stream: Stream | None) -> tuple[str, Exception | None]:
    """Watch, reconnecting whenever a stream ends, until a list is needed.

    A stream that ends after a while or after an event is followed by the next at once (§112); it makes no difference
    whether it ended cleanly, broke off or was silent past its deadline (§124). A request that reaches nobody, or is
    answered with 429, is tried again after a wait, without a list (§115; client-go lists after failures to connect
    other than "refused", here none of them needs it: the server says 410 if too much time has passed).

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
        started = session.clock.monotonic()
        before = _accepted(stream.reader)
        try:
            ending = follow(session, stream)
        except VersionWentBackError as suspicion:
            logger.warning("%s: %s; listing again to make sure", session.state.name, suspicion)
            session.state.resource_version_unavailable = True
            return "version_went_back", None
        lasted = session.clock.monotonic() - started
        accepted = _accepted(stream.reader) - before
        stream = None
        if isinstance(ending, APIStatusError):
            if is_expired(ending):
                logger.info("%s: %s; listing again", session.state.name, ending)
                return "expired", None
            if ending.code == 429:
                session.back_off(ending)
                continue
            return "watch_error", ending
        if accepted == 0 and lasted < VERY_SHORT:
            short = TransportError(f"a watch ended after {lasted:.1f} s without an event")
            short.__cause__ = ending
            return "very_short_watch", short
        logger.debug(
            "%s: the watch ended after %.0f s (%s), opening the next", session.state.name, lasted, ending or "EOF"
        )


class VersionWentBackError(Exception):
    """A bookmark has a lower resourceVersion than what came before it."""


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
            data = response.read(left)
            state.contact()
            before, bookmarks = state.resource_version, reader.bookmarks
            try:
                stream.over = feed(session, reader, data)
            finally:
                state.resource_version = reader.resource_version or before
            if reader.bookmarks > bookmarks and _went_back(before, state.resource_version):
                raise VersionWentBackError(f"resourceVersion went from {before} back to {state.resource_version}")
        if reader.error is not None:
            return event_error(f"{state.name}: ERROR event", reader.error)
        complete = True
        return None
    except TransportError as error:
        session.check_stopped()
        return error
    finally:
        response.close(complete=complete)


def feed(session: Session, reader: WatchReader, data: bytes) -> bool:
    """Give the reader what was read, or (b"") the end of the body. True iff the stream is over.

    Raises:
        TransportError: the body ended inside an event. That is cut off, not corrupt: the event was not accepted, and
            comes again on the next watch.
        DecodeError: bytes that are no event.
    """
    if data:
        return reader.feed(data)
    session.check_stopped()
    try:
        reader.finish()
    except DecodeError as error:
        logger.info("%s: the stream ended inside an event: %s", session.state.name, describe(error))
        raise TransportError("the stream ended inside an event") from error
    return True


def _accepted(reader: WatchReader) -> int:
    return reader.events + reader.unknown_events


def _went_back(before: str, after: str) -> bool:
    """Whether a version is lower; versions that are no numbers cannot be compared."""
    return before.isdecimal() and after.isdecimal() and int(after) < int(before)
