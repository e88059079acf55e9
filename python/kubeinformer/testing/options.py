"""The query of a LIST, WATCH or GET: parsed once, and validated in the words of apimachinery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kubeinformer.testing.errors import StatusError, bad_request, invalid

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"
LARGEST_REVISION = 2**64 - 1
_FORBIDDEN = "FieldValueForbidden"
_NOT_SUPPORTED = "FieldValueNotSupported"


@dataclass(frozen=True)
class ListOptions:
    """The options that the server knows; ``send_initial_events`` is None when it was not given."""

    watch: bool
    label_selector: str
    field_selector: str
    resource_version: str
    resource_version_match: str
    limit: int
    continue_token: str
    timeout_seconds: int | None
    allow_watch_bookmarks: bool
    send_initial_events: bool | None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> ListOptions:
        """Parse a query. Raises StatusError 400 for a number that is none."""
        timeout = _integer(query.get("timeoutSeconds"))
        return cls(
            watch=bool(truth(query.get("watch"))),
            label_selector=query.get("labelSelector", ""),
            field_selector=query.get("fieldSelector", ""),
            resource_version=query.get("resourceVersion", ""),
            resource_version_match=query.get("resourceVersionMatch", ""),
            limit=_integer(query.get("limit")) or 0,
            continue_token=query.get("continue", ""),
            timeout_seconds=timeout,
            allow_watch_bookmarks=bool(truth(query.get("allowWatchBookmarks"))),
            send_initial_events=truth(query.get("sendInitialEvents")),
        )

    def defaulted(self) -> ListOptions:
        """Return what a server with WatchList makes of a watch: from "" or "0" it begins with the present state."""
        legacy = self.send_initial_events is None and not self.resource_version_match
        if not legacy or self.resource_version not in ("", "0"):
            return self
        return replace(self, send_initial_events=True, resource_version_match=NOT_OLDER_THAN)

    def validate(self, *, watch_list: bool) -> None:
        """Refuse combinations that make no sense. Raises StatusError 422.

        Args:
            watch_list: whether the server supports sendInitialEvents.

        """
        causes = self._watch_causes(watch_list) if self.watch else self._list_causes()
        if causes:
            raise invalid("meta.k8s.io", "ListOptions", "", causes)

    @property
    def revision(self) -> int:
        """The resourceVersion as a number, 0 when it is not given.

        Raises StatusError for one that is no number: 400 for a LIST, and for a WATCH 500 without a reason.
        """
        try:
            return parse_revision(self.resource_version)
        except StatusError as error:
            if self.watch:
                raise
            raise bad_request(f"invalid resource version: {error.message}") from None

    def _list_causes(self) -> list[tuple[str, str, str]]:
        causes = []
        field, match = "resourceVersionMatch", self.resource_version_match
        if match:
            if not self.resource_version:
                text = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
                causes.append((field, _FORBIDDEN, text))
            if self.continue_token:
                text = "Forbidden: resourceVersionMatch is forbidden when continue is provided"
                causes.append((field, _FORBIDDEN, text))
            if match not in (EXACT, NOT_OLDER_THAN):
                causes.append((field, _NOT_SUPPORTED, _unsupported(match, EXACT, NOT_OLDER_THAN, "")))
            if match == EXACT and self.resource_version == "0":
                text = 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
                causes.append((field, _FORBIDDEN, text))
        if self.send_initial_events is not None:
            text = "Forbidden: sendInitialEvents is forbidden for list"
            causes.append(("sendInitialEvents", _FORBIDDEN, text))
        return causes

    def _watch_causes(self, watch_list: bool) -> list[tuple[str, str, str]]:
        causes = []
        field, match = "resourceVersionMatch", self.resource_version_match
        if self.send_initial_events is not None:
            if match != NOT_OLDER_THAN:
                text = f"Forbidden: sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"
                causes.append((field, _FORBIDDEN, text))
            if not watch_list:
                text = (
                    "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                )
                causes.append(("sendInitialEvents", _FORBIDDEN, text))
        if match:
            if self.send_initial_events is None:
                text = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
                causes.append((field, _FORBIDDEN, text))
            if match != NOT_OLDER_THAN:
                causes.append((field, _NOT_SUPPORTED, _unsupported(match, NOT_OLDER_THAN)))
            if self.continue_token:
                text = "Forbidden: resourceVersionMatch is forbidden when continue is provided"
                causes.append((field, _FORBIDDEN, text))
        return causes


def _unsupported(value: str, *supported: str) -> str:
    return f'Unsupported value: "{value}": supported values: ' + ", ".join(f'"{one}"' for one in supported)


def parse_revision(text: str) -> int:
    """Return a resourceVersion as a number, 0 for "". Raises StatusError 500 without a reason: so a GET is refused."""
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]+", text):
        why = "invalid syntax"
    elif int(text) > LARGEST_REVISION:
        why = "value out of range"
    else:
        return int(text)
    raise StatusError(500, "", f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {why}')


def truth(text: str | None) -> bool | None:
    """Return a flag of a query: one without a value is set; None when it was not given."""
    return None if text is None else text.lower() not in ("0", "false")


def _integer(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)
