"""Applying patches to decoded objects: JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

A strategic merge patch is applied as a merge patch, which differs where lists are merged by key; its directives
(``$patch``, ``$retainKeys`` and the like) have no meaning there and are refused with 501.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from kubeinformer.testing.errors import StatusError, bad_request, not_implemented

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
APPLY_CBOR = "application/apply-patch+cbor"
SUPPORTED = (JSON, MERGE, STRATEGIC)


def apply_patch(content_type: str, target: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Apply a decoded patch and return the result; the target is not changed.

    Raises StatusError: 400 for a malformed patch, 422 for a JSON patch that does not apply, 501 for directives.
    """
    if content_type == JSON:
        if not isinstance(patch, list):
            raise bad_request("a JSON patch must be a list of operations")
        document: Any = copy.deepcopy(target)
        for operation in patch:
            document = _apply_operation(document, operation)
    else:
        if not isinstance(patch, dict):
            raise bad_request("a merge patch must be an object")
        if content_type == STRATEGIC:
            _refuse_directives(patch)
        document = _merge(target, patch)
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        raise bad_request("the patched document is not an object with metadata")
    return document


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _refuse_directives(patch: Any) -> None:
    if isinstance(patch, list):
        for item in patch:
            _refuse_directives(item)
    elif isinstance(patch, dict):
        for key, value in patch.items():
            if key.startswith("$"):
                raise not_implemented(f"the strategic merge patch directive {key}")
            _refuse_directives(value)


def _apply_operation(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise bad_request("a JSON patch operation must be an object with a path")
    name, path = operation.get("op"), operation["path"]
    if name in ("add", "replace", "test") and "value" not in operation:
        raise bad_request(f"the JSON patch operation {name} needs a value")
    if name in ("move", "copy") and not isinstance(operation.get("from"), str):
        raise bad_request(f"the JSON patch operation {name} needs a from")
    if name == "add":
        return _add(document, path, operation["value"])
    if name == "remove":
        return _remove(document, path)
    if name == "replace":
        return _replace(document, path, operation["value"])
    if name == "test":
        if _find(document, path) != operation["value"]:
            raise _unprocessable(f"testing path {path} failed")
        return document
    if name == "copy":
        return _add(document, path, copy.deepcopy(_find(document, operation["from"])))
    if name == "move":
        value = _find(document, operation["from"])
        return _add(_remove(document, operation["from"]), path, value)
    raise bad_request(f"unexpected JSON patch operation {name!r}")


def _steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise _unprocessable(f"invalid path {path!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _find(document: Any, path: str) -> Any:
    for step in _steps(path):
        document = _child(document, step, path)
    return document


def _parent(document: Any, path: str) -> tuple[Any, str]:
    *steps, last = _steps(path)
    for step in steps:
        document = _child(document, step, path)
    return document, last


def _child(document: Any, step: str, path: str) -> Any:
    if isinstance(document, dict) and step in document:
        return document[step]
    if isinstance(document, list):
        return document[_index(step, len(document) - 1, path)]
    raise _unprocessable(f"path {path} does not exist")


def _index(step: str, highest: int, path: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]*", step) or int(step) > highest:
        raise _unprocessable(f"path {path}: no such list index {step!r}")
    return int(step)


def _add(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    parent, last = _parent(document, path)
    if isinstance(parent, list):
        position = len(parent) if last == "-" else _index(last, len(parent), path)
        parent.insert(position, value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _unprocessable(f"path {path} does not exist")
    return document


def _remove(document: Any, path: str) -> Any:
    if not path:
        raise _unprocessable("the whole document cannot be removed")
    parent, last = _parent(document, path)
    _child(parent, last, path)
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return document


def _replace(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    parent, last = _parent(document, path)
    _child(parent, last, path)
    parent[int(last) if isinstance(parent, list) else last] = value
    return document


def _unprocessable(why: str) -> StatusError:
    message = f"the server rejected our request due to an error in our request: {why}"
    return StatusError(422, "Invalid", message)
