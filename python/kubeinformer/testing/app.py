"""The HTTP side: from one request to its response.

Order of a request: it is recorded, the faults may answer instead, its path is resolved, then it is served. Whatever
goes wrong on the way is a response in the form of a real server; what this server does not implement is 501.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from kubeinformer.testing import builtin, discovery, errors, listing, negotiation, patches
from kubeinformer.testing._aiohttp import web
from kubeinformer.testing.effects import Close, Shape, Stall
from kubeinformer.testing.errors import StatusError, TextError
from kubeinformer.testing.faults import Faults
from kubeinformer.testing.negotiation import Form
from kubeinformer.testing.options import ListOptions, parse_revision
from kubeinformer.testing.recorder import RecordedRequest, Recorder
from kubeinformer.testing.resources import Registry, Resource
from kubeinformer.testing.responses import closed, indented, injected, json_response, refusal, standard_headers
from kubeinformer.testing.routes import Target, parse
from kubeinformer.testing.storage import Record, Store
from kubeinformer.testing.watching import Watch, WatchSettings, initial_events
from kubeinformer.testing.wire import GZIP_LEVEL, Body
from kubeinformer.testing.writes import Writer

_log = logging.getLogger(__name__)

GZIP_THRESHOLD = 128 * 1024


@dataclass(frozen=True)
class AppSettings:
    """``too_new_wait``: seconds to wait for a resourceVersion that the store has not reached."""

    watch: WatchSettings
    too_new_wait: float


@dataclass(frozen=True)
class Call:
    """One request, taken apart."""

    request: web.BaseRequest
    query: Mapping[str, str]
    target: Target
    shape: Shape


class App:
    """Serves requests. All methods are called on the server's loop."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        writer: Writer,
        faults: Faults,
        recorder: Recorder,
        settings: AppSettings,
    ) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        self._faults = faults
        self._recorder = recorder
        self._settings = settings
        self._waiting: set[asyncio.Event] = set()
        self._closing = False
        self.watches: set[Watch] = set()

    def wake(self, storages: set[str] | None) -> None:
        """Make what waits for a change look again; a watch only when its storage is named, or on None."""
        for event in self._waiting:
            event.set()
        for watch in self.watches:
            if storages is None or watch.storage in storages:
                watch.signal.set()

    def close(self) -> None:
        """End all watches cleanly and let nothing wait any longer."""
        self._closing = True
        for watch in self.watches:
            watch.end()
        self.wake(None)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request."""
        response = await self._handle(request)
        if _pretty(request) and isinstance(response, web.Response) and response.content_type == negotiation.JSON:
            body = response.body
            if isinstance(body, bytes) and body and "Content-Encoding" not in response.headers:
                response.body = indented(body)
        return response

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        query = dict(request.query)
        target = parse(request.method, request.path, query)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._recorder.add(
            RecordedRequest(
                target.method,
                target.path,
                query,
                headers,
                time.monotonic(),
                target.verb,
                target.resource,
                target.namespace,
            )
        )
        effect, rule, shape = self._faults.take(target, headers.get("authorization", ""))
        if isinstance(effect, Stall):
            await self._wait_until(lambda: not self._faults.stalls(rule))
        elif isinstance(effect, Close):
            return closed(request)
        elif effect is not None:
            return injected(effect)
        try:
            return await self._serve(Call(request, query, target, shape))
        except (StatusError, TextError, web.HTTPRequestEntityTooLarge) as error:
            return refusal(error)
        except Exception as error:
            _log.exception("%s %s failed", target.method, target.path)
            return refusal(StatusError(500, "InternalError", f"Internal error occurred: {error!r}"))

    async def _serve(self, call: Call) -> web.StreamResponse:
        target = call.target
        if not target.resource:
            return self._serve_path(call)
        resource = self._resource(target)
        if target.subresource and not (target.subresource == "status" and resource.status):
            if target.subresource.partition("/")[0] in resource.unserved:
                raise errors.not_implemented(f"the subresource {target.resource}/{target.subresource}")
            if resource.custom:
                raise errors.not_found(resource.group, resource.plural, target.name)
            raise errors.resource_not_found()
        if target.namespace is not None and not resource.namespaced:
            raise errors.resource_not_found()
        if target.name and resource.namespaced and target.namespace is None:
            raise errors.resource_not_found()
        accept = call.request.headers.get("Accept", "")
        form = negotiation.negotiate(accept, custom=resource.custom, watch=target.verb == "watch")
        if call.query.get("dryRun"):
            raise errors.not_implemented("dryRun")
        if target.verb == "list":
            return await self._list(call, resource, form)
        if target.verb == "watch" and not target.subresource:
            return await self._watch(call, resource, form)
        if target.verb == "get" and target.name:
            await self._reached(resource, parse_revision(call.query.get("resourceVersion", "")))
            return _object(call, resource, form, self._writer.get(resource, target.namespace or "", target.name))
        return await self._write(call, resource, form)

    def _resource(self, target: Target) -> Resource:
        found = self._registry.get(target.group, target.version, target.resource)
        if found is not None:
            return found
        if (target.group, target.version, target.resource) in builtin.UNSERVED:
            raise errors.not_implemented(f"the resource {target.resource}")
        raise errors.resource_not_found() if self._registry.built_in(target.group) else errors.page_not_found()

    def _serve_path(self, call: Call) -> web.StreamResponse:
        """Serve what is no resource: discovery, version and health."""
        parts = [part for part in call.target.path.split("/") if part]
        first = parts[0] if parts else ""
        if first in discovery.HEALTH_PATHS:
            return web.Response(text="ok", headers=standard_headers())
        if first == "version":
            return json_response(200, orjson.dumps(discovery.VERSION, option=orjson.OPT_INDENT_2))
        if first in ("", "openapi", "openid", ".well-known", "logs", "metrics"):
            raise errors.not_implemented(call.target.path)
        if first not in ("api", "apis"):
            raise errors.page_not_found()
        if call.request.method != "GET":
            raise errors.method_not_allowed()
        accept = call.request.headers.get("Accept", "")
        aggregated = negotiation.wants_aggregated_discovery(accept, offered=len(parts) == 1)
        document = discovery.document(self._registry, parts, call.request.host, aggregated=aggregated)
        headers = {"Content-Type": document.content_type}
        if document.etag:
            headers.update({"ETag": document.etag, "Cache-Control": "public", "Vary": "Accept"})
            if call.request.headers.get("If-None-Match", "") == document.etag:
                del headers["Content-Type"]
                return web.Response(status=304, headers={**standard_headers(), **headers})
        return json_response(200, document.body, headers)

    # -- reads ---------------------------------------------------------------------------------------------------------

    async def _list(self, call: Call, resource: Resource, form: Form) -> web.StreamResponse:
        options = ListOptions.parse(call.query)
        options.validate(watch_list=True)
        scope = listing.Scope(resource, call.target.namespace, "", options)
        await self._reached(resource, listing.awaited_revision(options))
        if form is Form.PARTIAL_OBJECT:
            raise errors.no_such_form(form.value, wanted_list=False)
        page = listing.page(self._store, resource, scope, options)
        pieces = listing.body(resource, page, partial=form is Form.PARTIAL_LIST, extra=dict(call.shape.list_items))
        if _pretty(call.request):
            pieces = iter([indented(b"".join(pieces))])
        size = sum(len(record.body) for record in page.records)
        body = Body(
            call.request,
            {**standard_headers(), "Content-Type": "application/json"},
            call.shape,
            gzip=_gzip(call, size),
        )
        try:
            await body.start()
            await body.send(pieces)
            await body.end()
        except ConnectionError:
            pass
        return body.response

    async def _watch(self, call: Call, resource: Resource, form: Form) -> web.StreamResponse:
        options = replace(ListOptions.parse(call.query), watch=True)  # The legacy form has no such parameter.
        if call.shape.watch_list:
            options = options.defaulted()
        options.validate(watch_list=call.shape.watch_list)
        scope = listing.Scope(resource, call.target.namespace, call.target.name, options)
        _ = options.revision  # refuses one that is no number, before the head is sent
        _, ends_with_bookmark = initial_events(options)
        offered = negotiation.accepts_gzip(call.request.headers.get("Accept-Encoding", ""))
        body = Body(
            call.request,
            {**standard_headers(), "Content-Type": "application/json"},
            call.shape,
            gzip=offered and (call.shape.gzip or ends_with_bookmark),
            member_per_piece=True,
        )
        watch = Watch(
            target=call.target,
            resource=resource,
            scope=scope,
            options=options,
            shape=call.shape,
            body=body,
            store=self._store,
            settings=self._settings.watch,
            reached=lambda revision: self._reached(resource, revision, watch=True),
            partial=form is Form.PARTIAL_OBJECT,
        )
        watch.pause(self._faults.watches_paused)
        self.watches.add(watch)
        try:
            if form is Form.PARTIAL_LIST or self._closing:
                await body.start()
                await body.end()
            else:
                await watch.run()
        except ConnectionError:
            pass
        finally:
            self.watches.discard(watch)
        return body.response

    # -- writes --------------------------------------------------------------------------------------------------------

    async def _write(self, call: Call, resource: Resource, form: Form) -> web.StreamResponse:
        target = call.target
        namespace = target.namespace or ""
        if resource.namespaced and not namespace:
            raise errors.method_not_allowed()
        subresource = target.subresource
        if target.verb == "create" and not target.name:
            record = self._writer.create(resource, namespace, await _json_body(call.request))
            return _object(call, resource, form, record, status=201)
        if target.verb == "update" and target.name:
            new = await _json_body(call.request)
            record = self._writer.update(resource, namespace, target.name, new, subresource=subresource)
            return _object(call, resource, form, record)
        if target.verb == "patch" and target.name:
            content_type = _content_type(call.request)
            if content_type in (patches.APPLY, patches.APPLY_CBOR):
                raise errors.not_implemented("server-side apply")
            if content_type not in patches.SUPPORTED:
                raise errors.unsupported_media_type(patches.SUPPORTED)
            patch = _decoded(await call.request.read())
            record = self._writer.patch(
                resource,
                namespace,
                target.name,
                lambda current: patches.apply_patch(content_type, current, patch),
                subresource=subresource,
            )
            return _object(call, resource, form, record)
        if target.verb == "delete" and not subresource:
            return await self._delete(call, resource, form, namespace)
        if target.verb == "deletecollection":
            return await self._delete_collection(call, resource)
        raise errors.method_not_allowed()

    async def _delete(self, call: Call, resource: Resource, form: Form, namespace: str) -> web.StreamResponse:
        options = await _delete_options(call)
        record, gone = self._writer.delete(resource, namespace, call.target.name, options.get("preconditions"))
        if not gone or resource.returns_object:
            return _object(call, resource, form, record)
        details = {"name": record.name, "group": resource.group, "kind": resource.plural, "uid": record.uid}
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {name: value for name, value in details.items() if value},
        }
        return json_response(200, orjson.dumps(status) + b"\n")

    async def _delete_collection(self, call: Call, resource: Resource) -> web.StreamResponse:
        options = ListOptions.parse(call.query)
        delete_options = await _delete_options(call)
        scope = listing.Scope(resource, call.target.namespace, "", options)
        with self._store.lock:
            page = listing.page(self._store, resource, scope, options)
            for record in page.records:
                self._writer.delete(resource, record.namespace, record.name, delete_options.get("preconditions"))
            page = listing.Page(page.records, self._store.revision)
        return json_response(200, b"".join(listing.body(resource, page, partial=False, extra={})))

    # -- waiting -------------------------------------------------------------------------------------------------------

    async def _reached(self, resource: Resource, revision: int, *, watch: bool = False) -> None:
        """Wait until the store has reached a revision. Raises StatusError 504 when it does not in time.

        It is the watch cache that waits, and that says when to ask again: without one the refusal comes at once.
        """
        if self._store.revision >= revision:
            return
        if resource.cached:
            if await self._wait_until(lambda: self._store.revision >= revision, self._settings.too_new_wait):
                return
        elif not watch:
            raise errors.too_large_resource_version(revision, self._store.revision, retry_after=None)
        raise errors.too_large_resource_version(revision, self._store.revision)

    async def _wait_until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait for a condition that is looked at after each change; False when the time is up or the server closes."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    if self._closing:
                        return False
                    await event.wait()
                    event.clear()
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(event)
        return True


def _object(call: Call, resource: Resource, form: Form, record: Record, status: int = 200) -> web.StreamResponse:
    if form is Form.PARTIAL_LIST:
        raise errors.no_such_form(form.value, wanted_list=True)
    raw = listing.partial_object(record) if form is Form.PARTIAL_OBJECT else resource.prefix + record.body
    raw = indented(raw) if _pretty(call.request) else raw + b"\n"
    if _gzip(call, len(raw)):
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return json_response(status, gzip.compress(raw, GZIP_LEVEL), headers)
    return json_response(status, raw)


def _pretty(request: web.BaseRequest) -> bool:
    return negotiation.wants_pretty(request.headers.get("User-Agent", ""), request.query.get("pretty"))


def _gzip(call: Call, size: int) -> bool:
    offered = negotiation.accepts_gzip(call.request.headers.get("Accept-Encoding", ""))
    return offered and (call.shape.gzip or size > GZIP_THRESHOLD)


def _content_type(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()


async def _json_body(request: web.BaseRequest) -> Any:
    content_type = _content_type(request)
    if content_type in negotiation.ACCEPTED[1:]:
        raise errors.not_implemented(f"bodies in {content_type}")
    if content_type != negotiation.JSON:
        raise errors.unsupported_media_type(negotiation.ACCEPTED)
    return _decoded(await request.read())


def _decoded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise errors.bad_request(f"the body of the request is not JSON: {error}") from None


async def _delete_options(call: Call) -> dict[str, Any]:
    raw = await call.request.read()
    options = _decoded(raw) if raw else {}
    if not isinstance(options, dict):
        raise errors.bad_request("DeleteOptions must be an object")
    policy = options.get("propagationPolicy") or call.query.get("propagationPolicy")
    if policy in ("Foreground", "Orphan") or options.get("orphanDependents"):
        raise errors.not_implemented(f"the propagation policy {policy}: there is no garbage collector")
    if options.get("dryRun"):
        raise errors.not_implemented("dryRun")
    return options
