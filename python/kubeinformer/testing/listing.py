"""LIST: which records, at which revision, in which pages, and the pieces of the body.

Every page of one paged LIST shows the state at the revision of the first page; a record is on exactly one of them. The
body is made by joining the stored bytes of the records, one piece an item, and is never decoded.
"""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_letters, digits

import orjson

from kubeinformer.testing import errors
from kubeinformer.testing.options import EXACT, NOT_OLDER_THAN, ListOptions
from kubeinformer.testing.resources import Resource
from kubeinformer.testing.rules import check_schema
from kubeinformer.testing.selectors import parse_field_selector, parse_label_selector
from kubeinformer.testing.storage import Record, Store

TOKEN_VERSION = "meta.k8s.io/v1"
LATEST = -1
_TOKEN_ALPHABET = frozenset(ascii_letters + digits + "-_")
PARTIAL_PREFIX = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",'


class Scope:
    """Which objects of a resource a request is about: namespace, name and selectors, parsed once."""

    def __init__(self, resource: Resource, namespace: str | None, name: str, options: ListOptions) -> None:
        """Parse the selectors. Raises StatusError 400 for bad ones."""
        self._resource = resource
        self.namespace = namespace or ""
        self.labels = parse_label_selector(options.label_selector)
        self.fields = parse_field_selector(
            options.field_selector, resource.supported_fields, known=resource.own_field_labels
        )
        self._name = name

    @property
    def selective(self) -> bool:
        """Whether a label or field selector is given."""
        return bool(self.labels or self.fields)

    def matches(self, record: Record) -> bool:
        """Whether a record is within the scope. Raises StatusError 501 when that takes a conversion to say."""
        if self.namespace and record.namespace != self.namespace:
            return False
        if self._name and record.name != self._name:
            return False
        check_schema(self._resource, record)
        if self.labels and not all(requirement.matches(record.labels) for requirement in self.labels):
            return False
        return not self.fields or all(requirement.matches(record.fields) for requirement in self.fields)

    def select(self, keys: list[str], items: dict[str, Record], start: str = "") -> list[Record]:
        """Return the records within the scope from a key on, in the order of their keys."""
        low = bisect_left(keys, max(start, self.namespace + "/")) if self.namespace else bisect_left(keys, start)
        high = bisect_left(keys, self.namespace + "0") if self.namespace else len(keys)
        records = [items[key] for key in keys[low:high]]
        if self._name or self.labels or self.fields:
            return [record for record in records if self.matches(record)]
        return records


@dataclass(frozen=True)
class Page:
    """One answer to a LIST: the records, the revision, and what goes into the list's metadata."""

    records: list[Record]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


def awaited_revision(options: ListOptions) -> int:
    """Return the revision that the server must have reached before it can answer this LIST; 0 or less for any."""
    return _first(options)[0] if options.continue_token else options.revision


def page(store: Store, resource: Resource, scope: Scope, options: ListOptions) -> Page:
    """Answer a LIST, once the store has reached :func:`awaited_revision`.

    A token names the key it goes on from as a path below the namespace of its LIST.

    Raises StatusError: 400 (bad token, token with a resourceVersion), 410 (compacted), 501 (conversion).
    """
    revision, start = LATEST, ""
    if options.continue_token:
        revision, path = _first(options)
        start = scope.namespace + path if scope.namespace else path[1:]
    elif options.revision and _wants_exactly(options):
        revision = options.revision
    with store.lock:
        collection = store.collection(resource.storage)
        if revision != LATEST and revision < store.oldest(collection):
            if options.continue_token:
                message = (
                    "The provided continue parameter is too old to display a consistent list result. You can start a "
                    "new list without the continue parameter, or use the continue token in this response to retrieve "
                    "the remainder of the results. Continuing with the provided token results in an inconsistent list "
                    "- objects that were created, modified, or deleted between the time the first chunk was returned "
                    "and now may show up in the list."
                )
                raise errors.expired(message, encode_token(LATEST, path[1:]))
            raise errors.expired("The resourceVersion for the provided list is too old.")
        now = store.revision
        shown = now if revision == LATEST else revision
        # The store may have gone back to an older snapshot since the revision was reached.
        state = collection.state_at(min(shown, now))
        assert state is not None, "not older than Store.oldest, so within the history"
        records = scope.select(*state, start)
    for record in records:
        check_schema(resource, record)
    # resourceVersion=0 is answered from the watch cache, which knows no pages.
    limit = 0 if options.resource_version == "0" and resource.cached else options.limit
    if limit <= 0 or len(records) <= limit:
        return Page(records, shown)
    key = records[limit - 1].key
    token = encode_token(shown, f"{key[len(scope.namespace) :] if scope.namespace else '/' + key}\0")
    return Page(records[:limit], shown, token, None if scope.selective else len(records) - limit)


def _wants_exactly(options: ListOptions) -> bool:
    """Say whether exactly this resourceVersion is meant; the legacy way is one with a limit and no match."""
    if options.resource_version_match == NOT_OLDER_THAN:
        return False
    return options.resource_version_match == EXACT or options.limit > 0


def encode_token(revision: int, start: str) -> str:
    """Return a continue token, opaque to clients."""
    token = orjson.dumps({"v": TOKEN_VERSION, "rv": revision, "start": start})
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _first(options: ListOptions) -> tuple[int, str]:
    """Return where a LIST with a continue token starts. Raises StatusError 400."""
    try:
        first = decode_token(options.continue_token)
    except ValueError as error:
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {error}") from None
    if options.resource_version not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    return first


def decode_token(token: str) -> tuple[int, str]:
    """Return the revision (LATEST for none) and the path of the first key of a continue token.

    Raises ValueError. What is wrong with JSON is said in other words than Go's.
    """
    illegal = next((index for index, char in enumerate(token) if char not in _TOKEN_ALPHABET), None)
    if illegal is None and len(token) % 4 == 1:
        illegal = len(token) - 1
    if illegal is not None:
        raise ValueError(f"illegal base64 data at input byte {illegal}")
    decoded = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    if not isinstance(decoded, dict):
        raise ValueError("json: the token is no object")
    version, revision, start = decoded.get("v", ""), decoded.get("rv", 0), decoded.get("start", "")
    if not isinstance(version, str) or not isinstance(revision, int) or not isinstance(start, str):
        raise ValueError("json: a field of the token has another type")
    if version != TOKEN_VERSION:
        raise ValueError(f"server does not recognize this encoded version {version}")
    if not revision:
        raise ValueError(f"incorrect encoded start resourceVersion (version {version})")
    if not start:
        raise ValueError(f"encoded start key empty (version {version})")
    path = start if start.startswith("/") else "/" + start
    if path != "/" and not {"", ".", ".."}.isdisjoint(path[1:].split("/")):
        raise ValueError(start)
    return max(revision, LATEST), path


def body(resource: Resource, answer: Page, *, partial: bool, extra: dict[int, bytes]) -> Iterator[bytes]:
    """Yield the pieces of the body of a LIST: the head, one for each item, the tail.

    With ``partial`` it is a PartialObjectMetadataList. ``extra`` are raw items to put in, by the index of the item
    before which they go (negative counts from the end).
    """
    items = _partial_items(answer.records) if partial else _items(resource, answer.records)
    custom = resource.custom and not partial
    meta = _list_meta(answer, empty_continue=custom)
    if partial:
        kind, api_version = b"PartialObjectMetadataList", b"meta.k8s.io/v1"
    else:
        kind, api_version = resource.list_kind.encode(), resource.api_version.encode()
    if custom:
        # Custom resources are encoded from maps: the keys of the list are in alphabetical order, its metadata last.
        yield b'{"apiVersion":"%s","items":[' % api_version
        tail = b'],"kind":"%s","metadata":%s}\n' % (kind, meta)
    else:
        yield b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[' % (kind, api_version, meta)
        tail = b"]}\n"
    if extra:
        items = _with_extra(list(items), extra)
    first = True
    for item in items:
        yield item if first else b"," + item
        first = False
    yield tail


def partial_object(record: Record) -> bytes:
    """Return a record as a PartialObjectMetadata."""
    return PARTIAL_PREFIX + record.body[: record.meta_end] + b"}"


def _items(resource: Resource, records: list[Record]) -> Iterator[bytes]:
    # The items of a typed list have no kind and apiVersion of their own, custom resources have.
    prefix = resource.prefix if resource.custom else b"{"
    return (prefix + record.body for record in records)


def _partial_items(records: list[Record]) -> Iterator[bytes]:
    return (partial_object(record) for record in records)


def _with_extra(items: list[bytes], extra: dict[int, bytes]) -> Iterator[bytes]:
    size = len(items)
    for index, raw in sorted(extra.items(), reverse=True):
        items.insert(index if index >= 0 else size + 1 + index, raw)
    return iter(items)


def _list_meta(answer: Page, *, empty_continue: bool) -> bytes:
    meta: dict[str, str | int] = {"resourceVersion": str(answer.revision)}
    if answer.continue_token or empty_continue:
        meta["continue"] = answer.continue_token
    if answer.remaining is not None:
        meta["remainingItemCount"] = answer.remaining
    return orjson.dumps(meta)
