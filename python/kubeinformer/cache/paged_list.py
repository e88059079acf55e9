"""The LIST path of a reflector: pages in, one Replace out (client-go §86-§95).

The store sees a list iff all its pages were read; the resourceVersion to watch from is the first page's.
"""

from __future__ import annotations

from kubeinformer.errors import APIStatusError, DecodeError
from kubeinformer.transport.base import Response

from .api_status import is_expired, is_too_large_resource_version
from .read_into import read_into
from .reflector_session import Session
from .reflector_source import ListMeta, ListReader
from .reflector_state import Phase
from .version_went_back import VersionWentBackError, list_to_make_sure, went_back


def list_and_replace(session: Session) -> None:
    """Read the whole collection and queue it as one Replace. Blocks until that is done.

    A resourceVersion that the server no longer has, or not yet, is dropped, and the list is tried once more (§87). So
    it is when the server answers with a lower one, whatever it lacks: see `version_went_back`.

    Raises:
        APIStatusError, TransportError, DecodeError: the list was not read; nothing was queued.
    """
    state = session.state
    state.count("lists")
    version = state.relist_version()
    # With a version of its own, a limited list would be read at exactly that version (§89).
    limited = version in ("", "0") or state.paginates_from_any_version
    limit = session.timing.page_size if limited else 0
    try:
        _list(session, version, limit)
        return
    except APIStatusError as error:
        if not (is_expired(error) or is_too_large_resource_version(error)):
            raise
        state.report(error)
        state.resource_version_unavailable = True
    except VersionWentBackError as suspicion:
        list_to_make_sure(state, suspicion)
        state.count_relist("version_went_back")
    # Here, where what was read before is freed: an exception keeps it.
    _list(session, "", limit)


def _list(session: Session, version: str, limit: int) -> None:
    relist = session.source.begin_relist()
    list_version = token = ""
    while True:
        try:
            response = session.get_page("" if token else version, limit, token)
        except APIStatusError as error:
            if token and limit and error.reason == "Expired":
                session.state.report(error)
                del relist  # frees the pages read so far before the same objects come again
                _list(session, version, 0)  # §92
                return
            raise
        meta = _read_page(session, response, relist.page(chunked=response.chunked))
        if not token:
            list_version = meta.resource_version
            if went_back(version, list_version):
                raise VersionWentBackError(version, list_version)
        if not meta.continue_token:
            break
        if meta.continue_token == token:
            raise DecodeError("the server answered a continue token with the same token")
        if version == "0":
            session.state.paginates_from_any_version = True
        token = meta.continue_token
    objects = len(relist)
    session.state.resource_version_unavailable = False  # before the commit, as §93 has it
    relist.commit(list_version)
    session.state.replaced(list_version, "LIST", objects)


def current_version(session: Session) -> str:
    """Ask the server for its version now, by a consistent LIST of one object.

    Raises:
        APIStatusError, TransportError, DecodeError: it does not say.
    """
    response = session.get_page("", 1, "", phase=Phase.CONNECTING)
    page = session.source.begin_relist().page(chunked=response.chunked)
    return _read_page(session, response, page).resource_version


def _read_page(session: Session, response: Response, reader: ListReader) -> ListMeta:
    complete = False
    try:
        while not read_into(session.state, response, reader):
            pass
        session.check_stopped()
        meta = reader.finish()
        complete = True
        return meta
    finally:
        response.close(complete=complete)
