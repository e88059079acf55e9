"""`IndexFunctions`: the index functions of an informer that are Python's, and what they raised.

A function's values reach the store in the same write as the object they were computed from. One that raises leaves the
object under no value of its index, and in `errors` until a later version of the object passes or the object is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubeinformer._core import Change, Index, InformerCore, KubeObject
from kubeinformer.cache import reports
from kubeinformer.cache.fork_guard import ForkGuard

IndexFunc = Callable[[Any], Iterable[str]]
"""Takes an object, gives the values under which an index lists it."""


_Version = tuple[str, str]
"""uid and resourceVersion of an object."""

_Errors = dict[str, dict[str, tuple[_Version, Exception]]]
"""Index -> key -> the version for which its function failed, and how."""


class IndexFunctions:
    """Adds indexers to an informer's core, and computes the values that the core asks for."""

    def __init__(self, core: InformerCore, on_error: Callable[[], None] = lambda: None) -> None:
        """`on_error`: called, on any thread, when a function raised."""
        self._core = core
        self._on_error = on_error
        self._functions: dict[str, IndexFunc] = {}
        self._errors: _Errors = {}
        self._adding: set[str] = set()
        self._lock = threading.Lock()
        self._guard = ForkGuard("this informer")

    def add(self, indexers: Mapping[str, str | Index | IndexFunc]) -> None:
        """Index what the store holds by these as well; when this returns, the indices answer (client-go §21).

        Raises:
            ValueError: a name is taken (none is added then), or a path does not parse.
            TypeError: an indexer is neither a path, an `Index` nor a function.
            RuntimeError: another thread is adding indexers.
            ClosedError: the informer is stopped (§161).
        """
        self._guard.check()
        declared: dict[str, Index | None] = {}
        functions: dict[str, IndexFunc] = {}
        for name, indexer in indexers.items():
            if isinstance(indexer, Index):
                declared[name] = indexer
            elif isinstance(indexer, str):
                declared[name] = Index.path(indexer)
            elif callable(indexer):
                declared[name] = None
                functions[name] = indexer
            else:
                raise TypeError(f"indexers[{name!r}] must be a path, an Index or a function, not {indexer!r}")
        # The processor may ask for their values as soon as the core knows the names.
        with self._lock:
            taken = set(declared) & {*self._core.index_names(), *self._adding}
            if taken:
                raise ValueError(f"indexer conflict: {', '.join(sorted(taken))}")
            self._functions.update(functions)
            self._adding.update(declared)
        noted: _Errors = {}
        try:
            new = self._core.begin_add_indexers(declared)
            try:
                values = self._evaluate(functions, new.objects(), noted) if functions else {}
            except BaseException:
                self._core.abort_add_indexers(new)
                raise
            self._core.finish_add_indexers(new, values)
            self._take_over(noted)
        finally:
            with self._lock:
                self._adding.difference_update(declared)

    def commit(self, change: Change) -> None:
        """Compute the values that `change` wants and write it."""
        while True:
            functions = {name: self._functions[name] for name in change.index_names()}
            values = self._evaluate(functions, change.objects(), self._errors)
            if self._errors:
                self._forget(change.deleted_keys())
            if self._core.commit(change, values):
                return

    def call(self, name: str, obj: KubeObject) -> list[str]:
        """The values of a function for one object; what it raises is raised (client-go §17)."""
        return _checked(self._functions[name](obj))

    def errors(self) -> dict[str, dict[str, Exception]]:
        """Index -> key -> what the index function raised, without its traceback, for objects in the store."""
        self._guard.check()
        with self._lock:
            noted = {name: dict(errors) for name, errors in self._errors.items()}
        # What `add` notes of an object that was written or deleted meanwhile is no longer true.
        true: dict[str, dict[str, Exception]] = {}
        for name, errors in noted.items():
            for key, (version, error) in errors.items():
                if self._is_stored(key, version):
                    true.setdefault(name, {})[key] = error
        return true

    def _is_stored(self, key: str, version: _Version) -> bool:
        obj = self._core.get(key)
        return obj is not None and (obj.uid, obj.resource_version) == version

    def _evaluate(
        self, functions: Mapping[str, IndexFunc], objects: list[KubeObject], noted: _Errors
    ) -> dict[str, list[list[str]]]:
        return {name: [self._values(name, func, obj, noted) for obj in objects] for name, func in functions.items()}

    def _values(self, name: str, func: IndexFunc, obj: KubeObject, noted: _Errors) -> list[str]:
        try:
            values = _checked(func(obj))
        except Exception as error:
            self._on_error()
            self._note(name, obj, error, noted)
            return []
        if noted.get(name):
            self._note(name, obj, None, noted)
        return values

    def _note(self, name: str, obj: KubeObject, error: Exception | None, noted: _Errors) -> None:
        key = obj.key
        with self._lock:
            errors = noted.setdefault(name, {})
            known = errors.pop(key, None) is not None
            if error is not None:
                errors[key] = ((obj.uid, obj.resource_version), error)
        if error is not None:
            if not known:
                reports.index_function_failed(name, key, error)
            _forget_frames(error)

    def _take_over(self, noted: _Errors) -> None:
        """What was noted of the objects that were there. The processor's word on a later version counts more."""
        for name, errors in noted.items():
            stored = {key: note for key, note in errors.items() if self._is_stored(key, note[0])}
            with self._lock:
                self._errors[name] = {**stored, **self._errors.get(name, {})}

    def _forget(self, keys: list[str]) -> None:
        with self._lock:
            for errors in self._errors.values():
                for key in keys:
                    errors.pop(key, None)


def _forget_frames(error: BaseException) -> None:
    """Drop the tracebacks, which the log has: their frames hold every object that was indexed together with this."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            pending += [one.__cause__, one.__context__]
            one.__traceback__ = None


def _checked(values: Iterable[str] | None) -> list[str]:
    if isinstance(values, str):
        raise TypeError("an index function must return a list of strings, not a string")
    checked = [] if values is None else list(values)
    for value in checked:
        if not isinstance(value, str):
            raise TypeError(f"an index function must return strings, not {type(value).__name__}")
    return checked
