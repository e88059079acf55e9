"""What a reflector feeds: one list/watch pair of an informer, as the Rust core implements it.

Bytes go in as they came from the server; nothing a reader holds reaches the store but by the rules stated here.
"""

from __future__ import annotations

from typing import Protocol


class ListMeta(Protocol):
    """The metadata of one page of a LIST."""

    @property
    def resource_version(self) -> str:
        """The list's resourceVersion."""

    @property
    def continue_token(self) -> str:
        """Token of the next page; "" = this was the last."""


class ListReader(Protocol):
    """Reads one page of a LIST."""

    def feed(self, data: bytes) -> bool:
        """Read on; True once a chunked body is complete, its last line end included. May block while the queue is full.

        Raises:
            DecodeError: the bytes are not those of a list.
            ClosedError: the informer was closed.
        """

    def finish(self) -> ListMeta:
        """The body is over.

        Raises:
            DecodeError: it is no complete list.
        """


class Relist(Protocol):
    """A Replace in the making: its objects reach nobody before `commit`, and never if it is dropped."""

    def page(self, *, chunked: bool) -> ListReader:
        """A reader for the next page."""

    def commit(self, resource_version: str) -> None:
        """Queue all objects read as one Replace. At most once."""

    def __len__(self) -> int:
        """Objects so far."""


class WatchReader(Protocol):
    """Reads one watch stream; every event it accepts is queued at once."""

    def feed(self, data: bytes) -> bool:
        """Read on; True once the stream is over: the last chunk, an ERROR event, or a version that went back.

        May block while the queue is full.

        After the last chunk, `finish` is still to be called.

        Raises:
            DecodeError: the bytes are no event. Events before them were accepted.
            ClosedError: the informer was closed.
        """

    def finish(self) -> None:
        """The body is over.

        Raises:
            DecodeError: it ended inside an event.
        """

    @property
    def events(self) -> int:
        """Events accepted, bookmarks included, ERROR not."""

    @property
    def bookmarks(self) -> int:
        """Bookmarks among them."""

    @property
    def unknown_events(self) -> int:
        """Events of a type that nobody knows; skipped, but the resourceVersion moves on (client-go §119)."""

    @property
    def resource_version(self) -> str:
        """Where to resume, of accepted events only (§103, §116, §121); "" until known."""

    @property
    def went_back_to(self) -> str:
        """The version of the bookmark or event that is lower than one before it, and was not accepted; "" = none was.

        Versions that are no numbers cannot be compared.
        """

    @property
    def synced(self) -> bool:
        """Of a watch-list: the end bookmark was read, and the objects were queued as one Replace."""

    @property
    def error(self) -> bytes | None:
        """The object of the ERROR event, as JSON; usually a Status."""


class Source(Protocol):
    """One list/watch pair of an informer."""

    def begin_relist(self) -> Relist:
        """Begin a Replace."""

    def watch_reader(self, *, chunked: bool, any_version: bool = False, not_older_than: str = "") -> WatchReader:
        """A reader for an ordinary watch from `not_older_than`; with `any_version`, that is "" or "0" (§116)."""

    def watch_list_reader(self, *, chunked: bool, not_older_than: str = "") -> WatchReader:
        """A reader for a stream with sendInitialEvents: collects until the end bookmark, then goes on as a watch.

        An end bookmark of a lower version than `not_older_than` ends it, and nothing is queued.
        """

    def has_synced(self) -> bool:
        """Whether the first Replace was processed."""
