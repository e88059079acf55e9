"""Switches that make the embedded server misbehave.

Two kinds. *Rules* are for requests to come: the first rule that answers, closes or stalls wins, all rules that shape
the body of a response add up; a rule with ``times=n`` is used up after n requests, ``times=None`` lasts until
:meth:`Faults.clear`. *Actions* are for the watches that run now, and return on how many they acted.

Both take the same keywords to say which requests or watches they mean (:class:`Match`); none means all.
A rule acts on a request iff it was added before the request's head was read.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar, Unpack

import orjson

from kubeinformer.testing import errors
from kubeinformer.testing.effects import (
    JSON_TYPE,
    Close,
    Effect,
    Forbid,
    Match,
    MatchOptions,
    Respond,
    Rule,
    Shape,
    Stall,
)
from kubeinformer.testing.routes import Target

TEXT_TYPE = "text/plain; charset=utf-8"

_T = TypeVar("_T")


class RunningWatch(Protocol):
    """What an action can do to a watch that runs. Called on the server's loop only."""

    target: Target

    def end(self) -> None:
        """End the stream cleanly."""

    def reset_after(self, count: int) -> None:
        """Reset the connection once this many more bytes of the body are sent."""

    def inject(self, data: bytes) -> None:
        """Send raw bytes."""

    def pause(self, paused: bool) -> None:
        """Stop sending, or go on."""


class Control(Protocol):
    """What the faults need of the server that they belong to."""

    def on_loop(self, action: Callable[[], _T]) -> _T:
        """Run something on the server's loop and return its result. Blocks the caller for that long."""

    def running_watches(self) -> list[RunningWatch]:
        """Return the watches that run now. On the loop only."""

    def wake(self) -> None:
        """Make everything that waits look again. Any thread."""

    def listen(self, listening: bool) -> None:
        """Open or close the listening socket. Blocks until that is done."""

    def drop_connections(self) -> int:
        """Reset every connection. Blocks until that is done."""


class Faults:
    """The switches of one server. Thread-safe; see the module for rules and actions.

    Every rule method returns a number for :meth:`remove` and :meth:`hits`.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._rules: dict[int, Rule] = {}
        self._hits: dict[int, int] = {}
        self._token: str | None = None
        self._pausing = False

    # -- rules: answers ------------------------------------------------------------------------------------------------

    def respond(
        self,
        status: int,
        *,
        body: bytes | str | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        **match: Unpack[MatchOptions],
    ) -> int:
        """Answer with a status.

        The body is bytes or text as they are, a mapping as JSON, or a ``Status`` object for that code when it is left
        out. The Content-Type follows from it (text: text/plain, else application/json) unless the headers have one.
        """
        content_type, raw = JSON_TYPE, b""
        if body is None:
            raw = errors.StatusError(status, _REASONS.get(status, ""), f"injected fault: {status}").body
        elif isinstance(body, str):
            content_type, raw = TEXT_TYPE, body.encode()
        elif isinstance(body, bytes):
            raw = body
        else:
            raw = orjson.dumps(body)
        return self._add(Respond(status, {"Content-Type": content_type, **(headers or {})}, raw), times, match)

    def too_many_requests(self, *, retry_after: int = 1, times: int | None = 1, **match: Unpack[MatchOptions]) -> int:
        """429 of priority and fairness: plain text and a Retry-After of so many seconds."""
        text = "Too many requests, please try again later.\n"
        return self.respond(429, body=text, headers={"Retry-After": str(retry_after)}, times=times, **match)

    def shutting_down(self, *, times: int | None = 1, **match: Unpack[MatchOptions]) -> int:
        """429 of a server that shuts down: plain text, Retry-After 5, the connection closes."""
        text = "The apiserver is shutting down, please try again later.\n"
        return self.respond(429, body=text, headers={"Retry-After": "5", "Connection": "close"}, times=times, **match)

    def initializing(self, *, retry_after: int = 1, times: int | None = 1, **match: Unpack[MatchOptions]) -> int:
        """429 of a watch cache that is not ready: a Status with retryAfterSeconds."""
        details = {"retryAfterSeconds": retry_after}
        error = errors.StatusError(429, "TooManyRequests", "storage is (re)initializing", details)
        return self.respond(429, body=error.status, headers=error.headers, times=times, **match)

    def unauthorized(self, *, times: int | None = 1, **match: Unpack[MatchOptions]) -> int:
        """401: a Status, without WWW-Authenticate."""
        return self.respond(401, body=errors.unauthorized().status, times=times, **match)

    def forbidden(self, *, user: str = "alice", times: int | None = None, **match: Unpack[MatchOptions]) -> int:
        """403 of the authorizer, for what exists and what does not; by default it lasts."""
        return self._add(Forbid(user), times, match)

    def require_token(self, token: str | None) -> None:
        """From now on answer 401 to every request without ``Authorization: Bearer TOKEN``; None to stop that."""
        with self._lock:
            self._token = token

    # -- rules: connections --------------------------------------------------------------------------------------------

    def close(self, *, times: int | None = 1, **match: Unpack[MatchOptions]) -> int:
        """Close the connection without a response."""
        return self._add(Close(), times, match)

    def stall(self, *, times: int | None = 1, **match: Unpack[MatchOptions]) -> int:
        """Accept the request and send nothing, until :meth:`remove` or :meth:`clear`."""
        return self._add(Stall(), times, match)

    # -- rules: bodies -------------------------------------------------------------------------------------------------

    def reset(self, *, after_bytes: int, times: int | None = 1, **match: Unpack[MatchOptions]) -> int:
        """Reset the connection of a LIST or WATCH after so many bytes of its body."""
        return self._add(Shape(reset_after=after_bytes), times, match)

    def gzip(self, *, times: int | None = None, **match: Unpack[MatchOptions]) -> int:
        """Compress LIST bodies of any size and watches, a gzip member an event, when the client offers gzip."""
        return self._add(Shape(gzip=True), times, match)

    def close_delimited(self, *, times: int | None = None, **match: Unpack[MatchOptions]) -> int:
        """Send LIST and WATCH bodies without chunks and Content-Length; the end of the connection ends them."""
        return self._add(Shape(close_delimited=True), times, match)

    def chunk_bytes(self, size: int, *, times: int | None = None, **match: Unpack[MatchOptions]) -> int:
        """Cut LIST and WATCH bodies into chunks of so many bytes, in the middle of tokens and characters."""
        if size < 1:
            raise ValueError("size must be at least 1")
        return self._add(Shape(chunk_bytes=size), times, match)

    def refuse_watch_list(self, *, times: int | None = None, **match: Unpack[MatchOptions]) -> int:
        """422 for sendInitialEvents, as a server without WatchList; a legacy watch gets no end bookmark either."""
        match.setdefault("verb", "watch")
        return self._add(Shape(watch_list=False), times, match)

    def no_end_bookmark(self, *, times: int | None = None, **match: Unpack[MatchOptions]) -> int:
        """Send the initial events of a watch, but not the bookmark that ends them."""
        match.setdefault("verb", "watch")
        return self._add(Shape(end_bookmark=False), times, match)

    def drop_slow_watches(self, backlog: int = 20, *, times: int | None = None, **match: Unpack[MatchOptions]) -> int:
        """End a watch cleanly when its client does not read and it is more than ``backlog`` events behind."""
        match.setdefault("verb", "watch")
        return self._add(Shape(backlog=backlog), times, match)

    def inject_list_item(
        self, raw: bytes, *, index: int = 0, times: int | None = 1, **match: Unpack[MatchOptions]
    ) -> int:
        """Put raw bytes among the items of a LIST, before the item of that index (-1: after the last)."""
        match.setdefault("verb", "list")
        return self._add(Shape(list_items={index: raw}), times, match)

    # -- keeping rules -------------------------------------------------------------------------------------------------

    def remove(self, rule: int) -> None:
        """Remove one rule; requests that it stalls go on. Removing one that is used up or gone does nothing."""
        with self._lock:
            self._rules.pop(rule, None)
        self._control.wake()

    def clear(self) -> None:
        """Remove every rule and the required token, let paused watches go on, and listen again."""
        with self._lock:
            self._rules.clear()
            self._token = None
        self.resume_watches()
        self.accept_connections()

    def hits(self, rule: int) -> int:
        """How many requests a rule has acted on."""
        with self._lock:
            return self._hits.get(rule, 0)

    # -- actions -------------------------------------------------------------------------------------------------------

    def close_watches(self, **match: Unpack[MatchOptions]) -> int:
        """End the running watches cleanly."""
        return self._each_watch(lambda watch: watch.end(), match)

    def reset_watches(self, *, after_bytes: int = 0, **match: Unpack[MatchOptions]) -> int:
        """Reset the connections of the running watches: now, or once so many more bytes of the body are sent."""
        return self._each_watch(lambda watch: watch.reset_after(after_bytes), match)

    def inject(self, data: bytes, **match: Unpack[MatchOptions]) -> int:
        """Send raw bytes on the running watches, exactly as they are: an event ends with a newline."""
        return self._each_watch(lambda watch: watch.inject(data), match)

    def pause_watches(self) -> int:
        """Stop sending on the running watches and on those to come; their connections stay open."""
        with self._lock:
            self._pausing = True
        return self._each_watch(lambda watch: watch.pause(True), {})

    def resume_watches(self) -> int:
        """Go on where :meth:`pause_watches` stopped."""
        with self._lock:
            self._pausing = False
        return self._each_watch(lambda watch: watch.pause(False), {})

    def drop_connections(self) -> int:
        """Reset every connection, idle ones too. Returns how many there were."""
        return self._control.drop_connections()

    def refuse_connections(self) -> None:
        """Close the listening socket: new connections are refused until :meth:`accept_connections`."""
        self._control.listen(False)

    def accept_connections(self) -> None:
        """Listen again, on the same port."""
        self._control.listen(True)

    # -- for the server ------------------------------------------------------------------------------------------------

    def take(self, target: Target, authorization: str) -> tuple[Respond | Close | Stall | None, int, Shape]:
        """Say what happens to a request: an effect instead of the answer, the rule's number, the shape of a body."""
        with self._lock:
            if self._token is not None and authorization != f"Bearer {self._token}":
                error = errors.unauthorized()
                return Respond(401, {"Content-Type": JSON_TYPE}, error.body), 0, Shape()
            covering = [rule for rule in self._rules.values() if rule.left != 0 and rule.match.covers(target)]
            for rule in covering:
                if not isinstance(rule.effect, Shape):
                    self._use(rule)
                    effect = rule.effect
                    answer = effect.response(target) if isinstance(effect, Forbid) else effect
                    return answer, rule.id, Shape()
            shape = Shape()
            if target.verb in ("list", "watch"):
                for rule in covering:
                    if isinstance(rule.effect, Shape):
                        self._use(rule)
                        shape = shape.and_also(rule.effect)
            return None, 0, shape

    def stalls(self, rule: int) -> bool:
        """Whether a request that this rule stalled still has to wait."""
        with self._lock:
            return rule in self._rules

    @property
    def watches_paused(self) -> bool:
        """Whether new watches start paused."""
        with self._lock:
            return self._pausing

    def _add(self, effect: Effect, times: int | None, match: MatchOptions) -> int:
        if times is not None and times < 1:
            raise ValueError("times must be at least 1, or None for ever")
        with self._lock:
            rule = Rule(next(self._ids), Match(**match), effect, times)
            self._rules[rule.id] = rule
            return rule.id

    def _use(self, rule: Rule) -> None:
        self._hits[rule.id] = self._hits.get(rule.id, 0) + 1
        if rule.left is None:
            return
        if rule.left > 1:
            self._rules[rule.id] = replace(rule, left=rule.left - 1)
        elif isinstance(rule.effect, Stall):
            # It stays, so that removing it lets the stalled request go on, but takes no more requests.
            self._rules[rule.id] = replace(rule, left=0)
        else:
            del self._rules[rule.id]

    def _each_watch(self, action: Callable[[RunningWatch], None], match: MatchOptions) -> int:
        wanted = Match(**match)

        def act() -> int:
            meant = [watch for watch in self._control.running_watches() if wanted.covers(watch.target)]
            for watch in meant:
                action(watch)
            return len(meant)

        return self._control.on_loop(act)


_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
