"""`Transforms`: the transform of an informer, and what it raised if it is Python's.

The function has seen an object before anything else does. If it raises, the informer keeps what it had of that key (of
a deleted object: tells its deletion with that), the error is in `errors`, and the object is asked for again (unlike
client-go §120, which loses the event), until a later version passes or the object is gone.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

import orjson

from kubeinformer._core import Change, InformerCore, KubeObject, Transform, Untransformed
from kubeinformer.cache import reports
from kubeinformer.cache.fork_guard import ForkGuard
from kubeinformer.cache.transform_retries import TransformRetries
from kubeinformer.errors import ClosedError

TransformFunc = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes a decoded object, which it may change in place, and returns what is to be stored (client-go's TransformFunc).

It may change anything but the key (namespace and name), uid and resourceVersion. It is called on the processor's
thread, with no lock held, once for each version that is received, deleted objects' final state included; with what the
cache has already, byte for byte, it is not called again.
"""

BATCH = 1000
"""Objects that are decoded and transformed before what came of them takes the place of what was read."""


def checked(transform: object) -> None:
    """Raise TypeError if this is neither a function, nor a `Transform`, nor None."""
    if not (transform is None or isinstance(transform, Transform) or callable(transform)):
        raise TypeError(f"transform must be a function or of kubeinformer.transform, not {transform!r}")


class Transforms:
    """See the module. `run` is the processor's; the other methods may be called from any thread."""

    def __init__(
        self,
        core: InformerCore,
        retries: TransformRetries,
        cuts: Transform | None = None,
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        """Make it, without a function.

        Args:
            core: of the informer.
            retries: of what the function fails on.
            cuts: made of what is read, before the function sees it.
            on_error: called on the processor's thread when the function raised, or what it made was refused.
        """
        self._core = core
        self._on_error = on_error
        self._cuts = cuts
        self._retries = retries
        self._function: TransformFunc | None = None
        self._errors: dict[str, BaseException] = {}
        self._lock = threading.Lock()
        self._guard = ForkGuard("this informer")
        self.set(None)

    def set(self, transform: TransformFunc | Transform | None) -> None:
        """Set the transform; to be called before the start.

        Raises:
            TypeError: it is none.
            ValueError: it is a declared one beside `keep_paths` or `drop_paths`.
        """
        checked(transform)
        declared = self._cuts
        if isinstance(transform, Transform):
            if declared is not None:
                raise ValueError(
                    f"transform: {transform!r} beside {declared!r}, which the options ask for: join the paths"
                )
            declared, transform = transform, None
        self._function = transform
        self._core.set_transform(declared, external=transform is not None)

    def run(self, batch: Untransformed) -> Change | None:
        """Transform a batch and take it on its way; what comes back waits for index values.

        Raises:
            ClosedError: the informer was stopped meanwhile.
        """
        while objects := batch.next(BATCH):
            made = [self._transformed(obj) for obj, _ in objects]
            refused = batch.give([None if isinstance(json, BaseException) else json for json in made])
            for (obj, deleted), json, refusal in zip(objects, made, refused, strict=True):
                error = json if isinstance(json, BaseException) else refusal
                if error is not None:
                    self._failed(obj, error, deleted)
            # The frames of a traceback that is kept lead back to this one.
            made.clear()
            refused.clear()
        mended = self._core.settle(batch)
        if mended:
            with self._lock:
                for key in mended:
                    self._errors.pop(key, None)
            self._retries.forget(mended)
        return self._core.transformed(batch)

    def _transformed(self, obj: KubeObject) -> bytes | BaseException:
        if self._core.is_stopped():
            raise ClosedError("the informer is closed")
        assert self._function is not None
        try:
            made: object = self._function(obj.to_dict())
            if not isinstance(made, dict):
                raise TypeError(f"a transform must return a dict, not {type(made).__name__}")
            return orjson.dumps(made)
        except BaseException as error:
            return error

    def _failed(self, obj: KubeObject, error: BaseException, deleted: bool) -> None:
        self._on_error()
        with self._lock:
            news = obj.key not in self._errors
            if not deleted:
                self._errors[obj.key] = error
        if news:
            reports.transform_failed(obj.key, error)
        _forget_locals(error)
        if not deleted:
            self._retries.schedule(obj.key, obj.namespace, obj.name)

    def errors(self) -> dict[str, BaseException]:
        """Key -> what the transform raised."""
        self._guard.check()
        with self._lock:
            return dict(self._errors)


def _forget_locals(error: BaseException) -> None:
    """Keep the places of a traceback but not the values, which hold the untransformed object."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        pending += [one.__cause__, one.__context__]
        traceback.clear_frames(one.__traceback__)
