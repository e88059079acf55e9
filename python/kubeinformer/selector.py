"""Label selectors in the two spellings of the Kubernetes API, as the core's compiled `Selector`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from kubeinformer._core import Selector

LabelSelector: TypeAlias = "str | Mapping[str, Any] | Selector"
"""A selector string, a LabelSelector mapping (`matchLabels`, `matchExpressions`), or a compiled `Selector`."""


def to_selector(selector: LabelSelector | None) -> Selector | None:
    """The compiled selector; None when it matches everything.

    Raises:
        TypeError: neither a string, a mapping nor a Selector.
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
    requirements = [(str(key), "In", [str(value)]) for key, value in (selector.get("matchLabels") or {}).items()]
    for number, expression in enumerate(selector.get("matchExpressions") or ()):
        try:
            key, operator = expression["key"], expression["operator"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"selector.matchExpressions[{number}] needs key and operator") from error
        requirements.append((key, operator, list(expression.get("values") or ())))
    return requirements
