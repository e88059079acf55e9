"""How `watch` prints an event: columns, JSON or a name, one line each, written as soon as the event is there.

No value of a Secret is printed unless that was asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, BinaryIO

import orjson

from kubeinformer import Event, KubeObject
from kubeinformer.cli.columns import NONE, cell, columns_of
from kubeinformer.cli.errors import CommandError, PipeClosedError
from kubeinformer.resource import Resource

Printer = Callable[[Event[KubeObject]], None]

_COLOURS = {"ADDED": "32", "MODIFIED": "33", "DELETED": "31"}
_MEASURED = 500
_HIDDEN = "***"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def make_printer(
    output: str, resource: Resource, cached: Callable[[], Iterable[KubeObject]], *, show_secrets: bool = False
) -> Printer:
    """The printer for `-o` wide, json or name. It raises PipeClosedError when nobody reads any more.

    Args:
        output: one of the three.
        resource: what is printed.
        cached: the objects of the cache, from which the first widths of columns are taken.
        show_secrets: JSON has the values of Secrets.
    """
    stream = sys.stdout.buffer
    if output == "json":
        return lambda event: _write(stream, _json_line(event, show_secrets))
    if output == "name":
        prefix = ".".join([(resource.kind or resource.plural).lower(), *([resource.group] if resource.group else [])])
        return lambda event: _write(stream, f"{prefix}/{cell(event.object.name)}\n".encode())
    return _Table(resource, cached, stream).print


def _json_line(event: Event[Any], show_secrets: bool) -> bytes:
    state = _state(event)
    body = b"null" if state is None else state.raw
    if state is not None and _is_secret(state) and not show_secrets:
        body = _without_values(state)
    elif b"\n" in body:  # white space between tokens: a string cannot hold it
        body = orjson.dumps(orjson.loads(body))
    return b'{"type":"%s","object":%s}\n' % (event.type.encode(), body)


def _is_secret(obj: KubeObject) -> bool:
    return obj.kind == "Secret" and obj.api_version == "v1"


def _without_values(secret: KubeObject) -> bytes:
    """Its JSON with the names of what it holds, also without what `kubectl apply` keeps of it."""
    shown = secret.to_dict()
    for field in ("data", "stringData"):
        if isinstance(shown.get(field), dict):
            shown[field] = dict.fromkeys(shown[field], _HIDDEN)
        elif field in shown:
            shown[field] = _HIDDEN
    annotations = shown["metadata"].get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        annotations[_LAST_APPLIED] = _HIDDEN
    return orjson.dumps(shown)


class _Table:
    """Columns that only ever grow, so that lines stay below each other."""

    def __init__(self, resource: Resource, cached: Callable[[], Iterable[KubeObject]], stream: BinaryIO) -> None:
        self._columns = columns_of(resource)
        self._namespaced = resource.namespaced
        self._cached = cached
        self._stream = stream
        self._widths: list[int] = []
        self._colours = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def print(self, event: Event[KubeObject]) -> None:
        """Print the line of an event; before the first one the titles."""
        if not self._widths:
            titles = [
                "EVENT",
                *(["NAMESPACE"] if self._namespaced else []),
                "NAME",
                *(name for name, _ in self._columns),
            ]
            self._widths = [0] * len(titles)
            self._widen(titles)
            self._widen(["MODIFIED"])
            for obj in islice(self._cached(), _MEASURED):
                self._widen(["", *self._cells(obj)])
            _write(self._stream, self._line(titles).encode())
        state = _state(event)
        cells = self._cells(state) if state is not None else self._unknown(event.object.key)
        line = self._line([event.type, *cells])
        if self._colours:
            line = f"\x1b[{_COLOURS[event.type]}m{event.type}\x1b[0m{line.removeprefix(event.type)}"
        _write(self._stream, line.encode("utf-8", "replace"))

    def _cells(self, obj: KubeObject) -> list[str]:
        values: list[Any] = [obj.namespace] if self._namespaced else []
        return [cell(value) for value in (*values, obj.name, *(value(obj) for _, value in self._columns))]

    def _unknown(self, key: str) -> list[str]:
        namespace, _, name = key.rpartition("/")
        return [*([cell(namespace)] if self._namespaced else []), cell(name), *(NONE for _ in self._columns)]

    def _widen(self, cells: list[str]) -> None:
        for place, text in enumerate(cells):
            self._widths[place] = max(self._widths[place], len(text))

    def _line(self, cells: list[str]) -> str:
        self._widen(cells[:-1])
        padded = [text.ljust(width) for text, width in zip(cells[:-1], self._widths, strict=False)]
        return "   ".join([*padded, cells[-1]]) + "\n"


def _state(event: Event[Any]) -> KubeObject | None:
    """The object of an event: of a deletion that was missed, its last known state, if there is one."""
    obj = event.object
    return obj if isinstance(obj, KubeObject) else obj.obj


def _write(stream: BinaryIO, line: bytes) -> None:
    try:
        stream.write(line)
        stream.flush()
    except BrokenPipeError:
        raise PipeClosedError from None
    except OSError as error:
        raise CommandError(f"cannot write the output: {error.strerror}") from error
