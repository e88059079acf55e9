"""`ListWatch`: a list/watch source made of two functions (client-go's type of this name).

It is a `Transport`, so reflectors and readers see what functions give exactly as they see what a server sends.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
import urllib3

from kubeinformer.cache import reports
from kubeinformer.cache.api_status import status_error
from kubeinformer.cache.clock import SystemClock
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.list_watch_bodies import is_api_exception, list_body, list_dict, refusal_of
from kubeinformer.cache.list_watch_responses import Body, EventBody, call, is_response
from kubeinformer.errors import Error, TransportError
from kubeinformer.options import ListOptions
from kubeinformer.redaction import without_values
from kubeinformer.resource import Resource
from kubeinformer.transport import make_transport
from kubeinformer.transport._failures import transport_error
from kubeinformer.transport._response import HTTPResponse
from kubeinformer.transport.base import Response, ServerCapabilities, StopSignal, Transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_CONNECT_TIMEOUT = 10.0
_READ_TIMEOUT = 65.0


class _WithoutWatchList(ServerCapabilities):
    """client-go's IsWatchListSemanticsUnSupported (§97)."""

    def supports_watch_list(self, api_version: str) -> bool:
        return False


class ListWatch:
    """Lists and watches by calling functions, for `new_informer`, `new_shared_index_informer` and `new_reflector`.

    `list_func(options)` returns a list object: a dict, JSON as bytes, or a model of the kubernetes package. For fewer
    conversions, and bytes as the server sent them, let both functions return raw responses:

        pods = ListWatch(
            lambda options: v1.list_pod_for_all_namespaces(**options.to_kwargs(), _preload_content=False),
            lambda options: v1.list_pod_for_all_namespaces(**options.to_kwargs(), watch=True, _preload_content=False),
        )

    `watch_func(options)` returns an iterable of events, each with "type" and "object" (a dict or a model), as
    `kubernetes.watch.Watch().stream(...)` yields them, or JSON lines as bytes. It has to begin at
    `options.resource_version` and to end after `options.timeout_seconds`; what goes on for longer is given up, as a
    watch over HTTP is.

    Both are called on threads of their own, one call at a time for one reflector; `list_func` also for one object, when
    a watch had no event, to hear of the server's version, and beside that for an object whose transform failed, by a
    field selector for its name. A list function has no deadline, so give your client one;
    a watch function has to return within `options.timeout_seconds` and a minute.

    What they raise counts as follows: an `APIStatusError`, or an `ApiException` of the kubernetes package, is the
    server's answer with that status (410 leads to a new list, 429 and Retry-After to a wait), in the middle of a watch
    an ERROR event; everything else is a connection that failed, and is tried again after a wait, and logged with its
    traceback if it is no such failure.

    Stopping never waits for them. A list call that is under way is abandoned (client-go §84). Of an iteration that is
    under way `stop()`, or else `close()`, of what `watch_func` returned is called, once, from another thread; a raw
    response is ended at once. A generator has neither that would help while it waits: its thread, a daemon, ends with
    its next event, or when the server ends the watch after `timeout_seconds`.

    Args:
        list_func: called for each page of a list.
        watch_func: called for each watch.
        disable_chunking: `list_func` gets no limit, and returns the whole list (client-go's DisableChunking).
        supports_watch_list: `watch_func` can begin a stream with the present state (`options.send_initial_events`);
            False = the first list comes from `list_func` (§97).

    Raises:
        TypeError: one of the functions is not callable.
    """

    only_collections = True
    """A single object is asked for as a list of one, by `options.field_selector`."""

    def __init__(
        self,
        list_func: Callable[[ListOptions], Any],
        watch_func: Callable[[ListOptions], Any],
        *,
        disable_chunking: bool = False,
        supports_watch_list: bool = False,
    ) -> None:
        for name, function in (("list_func", list_func), ("watch_func", watch_func)):
            if not callable(function):
                raise TypeError(f"{name} must be callable, not {type(function).__name__}")
        self.capabilities = ServerCapabilities() if supports_watch_list else _WithoutWatchList()
        self._list_func = list_func
        self._watch_func = watch_func
        self._disable_chunking = disable_chunking
        self._guard = ForkGuard("this ListWatch")
        self._reported: set[tuple[type, str]] = set()

    @classmethod
    def from_client(
        cls,
        api_client: ApiClient,
        resource: Resource,
        namespace: str | None = None,
        *,
        field_selector: str = "",
        tweak_list_options: Callable[[ListOptions], object] | None = None,
        user_agent: str | None = None,
    ) -> ListWatch:
        """The list and watch of a resource (client-go's NewListWatchFromClient and NewFilteredListWatchFromClient).

        Args:
            api_client: see `SharedInformerFactory`.
            resource: what to list and watch.
            namespace: None = the whole cluster.
            field_selector: "" selects everything.
            tweak_list_options: called with the options of each LIST and WATCH, on a reader's thread, to change them in
                place.
            user_agent: None = the client's.
        """
        transport = make_transport("auto", api_client, user_agent=user_agent)
        return _ClientListWatch(transport, resource, namespace, field_selector, tweak_list_options)

    def list(self, options: ListOptions) -> dict[str, Any]:
        """List once, on this thread, and return the list object. Blocks as long as `list_func` does.

        Raises:
            APIStatusError: the function returned a response with another status than 200.
            Exception: what the function raises.
        """
        self._guard.check()
        result = self._list_func(self._for_list(options))
        if not is_response(result):
            return list_dict(result)
        response = _response(result, "LIST", _READ_TIMEOUT, None)
        complete = False
        try:
            if response.status != 200:
                now = SystemClock().time()
                raise status_error("LIST", response.status, response.headers, response.read_error_body(), now)
            body = _read_json(response)
            complete = True
            return body
        finally:
            response.close(complete)

    def request(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        accept: str = "application/json",
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None = None,
    ) -> Response:
        """See `Transport.request`: calls a function, which knows its own path; this one is for the log."""
        self._guard.check()
        options = ListOptions.from_query(query)
        where = f"{'WATCH' if options.watch else 'LIST'} {path}"
        if stop is not None and stop.is_set():
            raise TransportError(f"{where}: stopped")
        try:
            if options.watch:
                return self._watch(options, where, read_timeout, stop)
            return self._list(options, where, read_timeout, stop)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is not None and refusal.is_http():
                return Body(refusal.body, refusal.status, refusal.headers)
            failure = self._failure(where, error)
            # An error of a model shows values of it.
            raise failure from (error if without_values(error) is error else None)

    def _list(self, options: ListOptions, where: str, read_timeout: float, stop: StopSignal | None) -> Response:
        options = self._for_list(options)

        def answer() -> Any:
            result = self._list_func(options)
            return result if is_response(result) else Body(list_body(result))

        answered = call(answer, where, f"kubeinformer-list-{_short(where)}", stop)
        return _response(answered, where, read_timeout, stop)

    def _for_list(self, options: ListOptions) -> ListOptions:
        if self._disable_chunking:
            options.limit = 0
        return options

    def _watch(self, options: ListOptions, where: str, read_timeout: float, stop: StopSignal | None) -> Response:
        body = EventBody(
            lambda: self._watch_func(options),
            where,
            f"kubeinformer-watch-{_short(where)}",
            read_timeout=read_timeout,
            stop=stop,
            failure=lambda error: self._failure(where, error),
        )
        try:
            result = body.open((options.timeout_seconds or 0) + read_timeout)
        except BaseException:
            body.close(complete=False)
            raise
        if not is_response(result):
            return body
        body.let_go()
        return _response(result, where, read_timeout, stop)

    def _failure(self, where: str, error: BaseException) -> TransportError:
        """The failure of a connection that an exception counts as."""
        if isinstance(error, TransportError):
            return error
        kind = (type(error), str(without_values(error)))
        connection = OSError | urllib3.exceptions.HTTPError | http.client.HTTPException
        foreseen = isinstance(error, Error | connection) or is_api_exception(error)
        if not foreseen and kind not in self._reported and len(self._reported) < 64:
            self._reported.add(kind)
            reports.list_watch_function_failed(f"{where}: the function", error)
        return transport_error(error, where)


class _ClientListWatch(ListWatch):
    """One over HTTP: what a reflector asks for is asked of the server itself."""

    def __init__(
        self,
        transport: Transport,
        resource: Resource,
        namespace: str | None,
        field_selector: str,
        tweak_list_options: Callable[[ListOptions], object] | None,
    ) -> None:
        super().__init__(self._send, self._send)
        self.capabilities = transport.capabilities
        self._transport = transport
        self._path = resource.path(namespace)
        self._field_selector = field_selector
        self._tweak_list_options = tweak_list_options

    def _send(self, options: ListOptions) -> Response:
        return self.request("", options.to_query(), read_timeout=_READ_TIMEOUT, connect_timeout=_CONNECT_TIMEOUT)

    def request(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        accept: str = "application/json",
        read_timeout: float,
        connect_timeout: float,
        stop: StopSignal | None = None,
    ) -> Response:
        self._guard.check()
        options = ListOptions.from_query(query)
        # What is asked for by name is one of those that are selected.
        options.field_selector = ",".join(filter(None, (self._field_selector, options.field_selector)))
        if self._tweak_list_options is not None:
            self._tweak_list_options(options)
        return self._transport.request(
            self._path,
            options.to_query(),
            accept=accept,
            read_timeout=read_timeout,
            connect_timeout=connect_timeout,
            stop=stop,
        )


def _response(result: Any, where: str, read_timeout: float, stop: StopSignal | None) -> Response:
    if isinstance(result, urllib3.HTTPResponse):
        return HTTPResponse(result, where, read_timeout=read_timeout, stop=stop)
    response: Response = result
    return response


def _read_json(response: Response) -> dict[str, Any]:
    if isinstance(response, HTTPResponse):
        data = response.read_all()
    elif response.chunked:
        raise TypeError("a list_func whose responses are in chunked coding can only be used by a reflector")
    else:
        data = b"".join(iter(response.read, b""))
    body: dict[str, Any] = orjson.loads(data)
    return body


def _short(where: str) -> str:
    return where.rpartition("/")[2]
