"""What may be said of objects and errors where others read it: in logs, messages and reprs.

Invariant: nothing that is made here has a value of an object, which may be a Secret, nor a credential.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubeinformer._core import KubeObject
from kubeinformer.errors import ModelError

_HIDDEN = "***"
# Shorter words are too common: to leave out "t" would make a message unreadable.
_SHORTEST = 8
_FIELD = re.compile(r"Invalid value for `(\w+)`")
_IN_ADDRESS = re.compile(r"(\w://)[^/\s@]+@")
_TOKEN = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*)*")
_NAMED = re.compile(
    r"""((?:token|password|passwd|secret|credential|authorization|api[-_]?key|key-?data)["']?\s*[:=]\s*["']?"""
    r"""|\b(?:bearer|basic)\s+)([^\s"',;]{8,})""",
    re.IGNORECASE,
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the secrets, any word of them that is long enough to be one itself, and users of addresses."""
    words = {word for secret in secrets for word in (secret, *secret.split()) if len(word) >= _SHORTEST}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, _HIDDEN)
    return _IN_ADDRESS.sub(rf"\1{_HIDDEN}@", text)


def redact_foreign(text: str) -> str:
    """`text` of a program that handles credentials which nobody here knows, without what looks like one."""
    return _NAMED.sub(rf"\1{_HIDDEN}", _TOKEN.sub(_HIDDEN, redact(text)))


def describe_object(obj: Any) -> str:
    """An object in a repr: its class, and its key if that can be told."""
    from kubeinformer.cache.tombstone import DeletedFinalStateUnknown

    if obj is None or isinstance(obj, KubeObject | DeletedFinalStateUnknown | str | int | float):
        return repr(obj)
    metadata = obj.get("metadata") if isinstance(obj, Mapping) else getattr(obj, "metadata", None)
    names = []
    for field in ("namespace", "name"):
        name = metadata.get(field) if isinstance(metadata, Mapping) else getattr(metadata, field, None)
        if isinstance(name, str) and name:
            names.append(name)
    return f"<{' '.join(filter(None, (type(obj).__name__, '/'.join(names))))}>"


def without_values(error: BaseException) -> BaseException:
    """The error, or what stands for it in a log if it, or one that led to it, is of a model and so has values of it.

    That has the places of the traceback, and no cause.
    """
    for cause in causes(error):
        if is_of_model(cause):
            model = str(getattr(cause, "title", "")) or "model"
            made = ModelError(f"an object is no valid {model}: {'; '.join(reasons(cause))}", "", model)
            return made.with_traceback(error.__traceback__)
    return error


def is_of_model(error: BaseException) -> bool:
    """Whether a class of `kubernetes.client.models` has raised it, for values that it does not take."""
    if hasattr(error, "errors") and hasattr(error, "title"):
        return True
    # Models of releases before 36.
    return isinstance(error, ValueError) and _FIELD.match(str(error)) is not None


def reasons(error: BaseException) -> Iterator[str]:
    """What is wrong with a model, in the names of models and fields only."""
    if hasattr(error, "errors") and hasattr(error, "title"):
        for detail in error.errors(include_url=False, include_context=False, include_input=False):
            yield f"{'.'.join([error.title, *map(str, detail['loc'][:1])])} ({detail['type']})"
    elif found := _FIELD.match(str(error)):
        yield f"invalid value for {found[1]}"
    else:
        yield type(error).__name__


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, root last. urllib3 keeps the next one in any of these four places."""
    seen: set[int] = set()
    current: object = error
    while isinstance(current, BaseException) and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = next((argument for argument in current.args if isinstance(argument, BaseException)), None)
        current = getattr(current, "original_error", None) or current.__cause__ or inner or current.__context__
