"""`ListOptions`: what a LIST or WATCH request asks for, and its spelling in a URL.

A field is in the query iff it differs from its default; names and values are the API's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class ListOptions:
    """client-go's metav1.ListOptions in snake_case.

    A `tweak_list_options` function gets one and changes it in place (client-go §178). What it may change for an
    informer is `label_selector`, `field_selector`, `limit` (the page size of a LIST) and `timeout_seconds` (of a
    WATCH); the reflector sets the other fields itself, as its protocol with the server demands. The class has slots, so
    a misspelt field is an AttributeError and not a selector that is silently missing.

    Attributes:
        label_selector: label selector, as `kubectl -l` takes it; "" selects everything.
        field_selector: field selector, such as `spec.nodeName=node-1`; "" selects everything.
        limit: at most so many items a page of a LIST; 0 = no limit.
        continue_: token of the next page, from the page before.
        resource_version: "" = most recent, "0" = any, else at or after that version.
        resource_version_match: "Exact" or "NotOlderThan", or "".
        timeout_seconds: seconds after which the server ends the request; None = the server's default.
        allow_watch_bookmarks: ask for BOOKMARK events.
        send_initial_events: begin a watch with the present state; None leaves the parameter out.
        watch: WATCH instead of LIST.
    """

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    timeout_seconds: int | None = None
    allow_watch_bookmarks: bool = False
    send_initial_events: bool | None = None
    watch: bool = False

    def to_query(self) -> list[tuple[str, str]]:
        """Query parameters, not yet escaped, in a fixed order.

        Raises:
            TypeError: a field holds a value of another type; the message names the field.
        """
        query: list[tuple[str, str]] = []
        for name, parameter, kind in _PARAMETERS:
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise TypeError(f"ListOptions.{name} must be {kind.__name__}, not {type(value).__name__}")
            if value or name in _FALSE_IS_A_VALUE:
                query.append((parameter, str(value).lower() if kind is bool else str(value)))
        return query

    @classmethod
    def from_query(cls, query: Iterable[tuple[str, str]]) -> ListOptions:
        """The options that `to_query` spells like this; other parameters are left out.

        Raises:
            ValueError: a number is none.
        """
        given = dict(query)
        options = cls()
        for name, parameter, kind in _PARAMETERS:
            if (text := given.get(parameter)) is not None:
                setattr(options, name, text == "true" if kind is bool else kind(text))
        return options

    def to_kwargs(self) -> dict[str, Any]:
        """The options as arguments of the kubernetes package's list functions; what has its default is left out.

        `watch` is too: `Watch().stream` sets it, and a function that is called for a raw stream gets `watch=True`.
        """
        kwargs: dict[str, Any] = {}
        for name, _, _ in _PARAMETERS:
            value = getattr(self, name)
            if name != "watch" and value is not None and (value or name in _FALSE_IS_A_VALUE):
                kwargs["_continue" if name == "continue_" else name] = value
        return kwargs


_PARAMETERS: tuple[tuple[str, str, type], ...] = (
    ("watch", "watch", bool),
    ("label_selector", "labelSelector", str),
    ("field_selector", "fieldSelector", str),
    ("limit", "limit", int),
    ("continue_", "continue", str),
    ("resource_version", "resourceVersion", str),
    ("resource_version_match", "resourceVersionMatch", str),
    ("timeout_seconds", "timeoutSeconds", int),
    ("allow_watch_bookmarks", "allowWatchBookmarks", bool),
    ("send_initial_events", "sendInitialEvents", bool),
)
# None is "left out" for these, so False and 0 are values of their own.
_FALSE_IS_A_VALUE = frozenset({"send_initial_events", "timeout_seconds"})
