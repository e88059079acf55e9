"""What a fault is: which requests it is for, and what it does to them.

Values only; :class:`~kubeinformer.testing.Faults` keeps them, the HTTP side carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from kubeinformer.testing import errors
from kubeinformer.testing.routes import Target

JSON_TYPE = "application/json"


class MatchOptions(TypedDict, total=False):
    """The keywords of :class:`Match`."""

    method: str
    verb: str
    resource: str
    namespace: str
    path: str


@dataclass(frozen=True)
class Match:
    """Which requests a fault is for; what is None matches all.

    Attributes:
        method: the HTTP method.
        verb: the Kubernetes verb: list, watch, get, create, update, patch, delete, deletecollection.
        resource: the plural name.
        namespace: the namespace in the path.
        path: the beginning of the path.

    """

    method: str | None = None
    verb: str | None = None
    resource: str | None = None
    namespace: str | None = None
    path: str | None = None

    def covers(self, target: Target) -> bool:
        """Whether a request is meant."""
        wanted = (self.method, self.verb, self.resource, self.namespace)
        actual = (target.method, target.verb, target.resource, target.namespace)
        if any(want is not None and want != have for want, have in zip(wanted, actual, strict=True)):
            return False
        return self.path is None or target.path.startswith(self.path)


@dataclass(frozen=True)
class Respond:
    """Answer with this, instead of what was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Forbid:
    """Answer 403, in the words of the authorizer about the request at hand."""

    user: str

    def response(self, target: Target) -> Respond:
        """Return the response to one request."""
        if not target.resource:
            error = errors.forbidden_path(method=target.method, path=target.path, user=self.user)
            return Respond(403, {"Content-Type": JSON_TYPE}, error.body)
        error = errors.forbidden(
            verb=target.verb,
            group=target.group,
            plural=target.resource,
            namespace=target.namespace,
            name=target.name,
            user=self.user,
            subresource=target.subresource,
        )
        return Respond(403, {"Content-Type": JSON_TYPE}, error.body)


@dataclass(frozen=True)
class Close:
    """Close the connection without a response."""


@dataclass(frozen=True)
class Stall:
    """Accept the request and send nothing until the rule is removed; then answer as usual."""


@dataclass(frozen=True)
class Shape:
    """How the bodies of LIST and WATCH are made different.

    Attributes:
        gzip: compress when the client offers gzip, however small the body, and watches too (a gzip member an event).
        close_delimited: no Content-Length and no chunks; the end of the connection ends the body.
        chunk_bytes: cut the body into chunks of this size, wherever that falls.
        reset_after: reset the connection after this many bytes of the body.
        watch_list: False refuses sendInitialEvents, as a server without WatchList does.
        end_bookmark: False leaves out the bookmark that ends the initial events.
        backlog: end a watch cleanly when it is more than this many events behind and its client does not read.
        list_items: index -> raw JSON to put among the items of a LIST.

    """

    gzip: bool = False
    close_delimited: bool = False
    chunk_bytes: int | None = None
    reset_after: int | None = None
    watch_list: bool = True
    end_bookmark: bool = True
    backlog: int | None = None
    list_items: Mapping[int, bytes] = field(default_factory=dict)

    def and_also(self, other: Shape) -> Shape:
        """Both together; where they disagree, the other."""
        return Shape(
            gzip=self.gzip or other.gzip,
            close_delimited=self.close_delimited or other.close_delimited,
            chunk_bytes=self.chunk_bytes if other.chunk_bytes is None else other.chunk_bytes,
            reset_after=self.reset_after if other.reset_after is None else other.reset_after,
            watch_list=self.watch_list and other.watch_list,
            end_bookmark=self.end_bookmark and other.end_bookmark,
            backlog=self.backlog if other.backlog is None else other.backlog,
            list_items={**self.list_items, **other.list_items},
        )


Effect = Respond | Forbid | Close | Stall | Shape


@dataclass(frozen=True)
class Rule:
    """One fault for requests to come. ``left`` is how many times it will still act, None for ever."""

    id: int
    match: Match
    effect: Effect
    left: int | None
