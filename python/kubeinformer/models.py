"""KubeObjects as models of the kubernetes package, made afresh on each call; and models as JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from types import SimpleNamespace
from typing import Any

import orjson

from kubeinformer._core import KubeObject
from kubeinformer.errors import ModelError
from kubeinformer.redaction import reasons


@cache
def _model_names() -> dict[tuple[str, str], str]:
    from kubeinformer.informers.generated.resources import BUILT_IN

    return {(resource.api_version, resource.kind): resource.model for resource in BUILT_IN if resource.model}


@cache
def _types_by_model() -> dict[str, tuple[str, str]]:
    return {model: type_meta for type_meta, model in _model_names().items()}


@cache
def _client() -> Any:
    from kubernetes.client import ApiClient, Configuration

    return ApiClient(Configuration())


@cache
def _deserializer() -> Callable[[str, str], Any]:
    client = _client()
    if "response_text" in signature(client.deserialize).parameters:
        return lambda text, model: client.deserialize(text, model, "application/json")
    # Releases before 36 read the text off a response.
    return lambda text, model: client.deserialize(SimpleNamespace(data=text), model)


def to_model(obj: KubeObject) -> Any:
    """The object as its class in `kubernetes.client`, such as `V1Pod`; changes to it touch nothing else.

    Raises:
        TypeError: the kubernetes package has no model for this kind (a custom resource): use `to_dict()`.
        ModelError: the object does not pass the model's validation.
    """
    name = _model_names().get((obj.api_version, obj.kind))
    if name is None:
        raise TypeError(f"kubernetes.client has no model for {obj.api_version} {obj.kind}: use to_dict()")
    return deserialize(obj, name)


def from_model(model: object) -> KubeObject:
    """An object of the model's content, which belongs to no informer."""
    return KubeObject(orjson.dumps(to_json_dict(model)))


def deserialize(obj: KubeObject, model: str) -> Any:
    """The object as the class of this name in `kubernetes.client`.

    Raises:
        ModelError: the object does not pass the model's validation.
    """
    try:
        return _deserializer()(obj.raw.decode(), model)
    except Exception as error:
        # The error has values of the object, perhaps a Secret's, and every log would show it as the cause.
        why = "; ".join(reasons(error))
    raise ModelError(f"{obj.key} is no valid {model}: {why}", obj.key, model)


def is_model(value: object) -> bool:
    """Whether this is an object of a class of `kubernetes.client.models`."""
    return hasattr(type(value), "openapi_types")


def to_json_dict(model: Any) -> dict[str, Any]:
    """A model as the dict of its JSON, with apiVersion and kind also where it lacks them and its class is a built-in's.

    Times are spelled as the kubernetes package spells them.
    """
    data: dict[str, Any] = _client().sanitize_for_serialization(model)
    name = type(model).__name__
    item = name.removesuffix("List")
    if item in _types_by_model():
        api_version, kind = _types_by_model()[item]
        data.setdefault("apiVersion", api_version)
        data.setdefault("kind", kind if item == name else f"{kind}List")
    return data
