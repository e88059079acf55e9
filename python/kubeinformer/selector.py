"""Label selectors in the two spellings of the Kubernetes API, as the core's compiled `Selector`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from kubeinformer._core import Selector

LabelSelector: TypeAlias = "str | Mapping[str, Any] | Selector"
"""A selector string, a LabelSelector mapping (`matchLabels`, `matchExpressions`), or a compiled `Selector`."""


def to_selector(selector: LabelSelector | None) -> Selector | None:
    """The compiled selector; None when it matches everything.

    Raises:
        TypeError: neither a string, a mapping nor a Selector, or a field of the mapping has not the type of the API.
        ValueError: it does not parse; the message points at the fault.
    """
    if selector is None or isinstance(selector, Selector):
        return selector
    if isinstance(selector, str):
        return Selector(selector) if selector.strip() else None
    if isinstance(selector, Mapping):
        requirements = _requirements(selector)
        return Selector.from_requirements(requirements) if requirements else None
    raise TypeError(f"selector must be a string, a LabelSelector mapping or a Selector, not {type(selector).__name__}")


def _requirements(selector: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    unknown = set(selector) - {"matchLabels", "matchExpressions"}
    if unknown:
        raise ValueError(f"selector has unknown fields {sorted(unknown)}: matchLabels and matchExpressions are known")
    requirements = [
        (_text(key, "selector.matchLabels"), "In", [_text(value, f"selector.matchLabels[{key!r}]")])
        for key, value in _optional(selector, "matchLabels", Mapping, "selector").items()
    ]
    for number, expression in enumerate(_optional(selector, "matchExpressions", Sequence, "selector")):
        where = f"selector.matchExpressions[{number}]"
        if not isinstance(expression, Mapping):
            raise TypeError(f"{where} must be a mapping with key, operator and values")
        try:
            key, operator = (_text(expression[name], f"{where}.{name}") for name in ("key", "operator"))
        except KeyError as error:
            raise ValueError(f"{where} needs key and operator") from error
        values = [_text(value, f"{where}.values") for value in _optional(expression, "values", Sequence, where)]
        requirements.append((key, operator, values))
    return requirements


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    return value


def _optional(fields: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    """Return a field, or an empty one where it is missing or null, as the API has it."""
    value = fields.get(name)
    if value is None:
        return {} if kind is Mapping else ()
    if isinstance(value, str) or not isinstance(value, kind):
        raise TypeError(f"{where}.{name} must be a {kind.__name__.lower()}, not {type(value).__name__}")
    return value
