"""KubeObjects as models of the kubernetes package, made afresh on each call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubeinformer._core import KubeObject


@cache
def _model_names() -> dict[tuple[str, str], str]:
    from kubeinformer.informers.generated.resources import BUILT_IN

    return {(resource.api_version, resource.kind): resource.model for resource in BUILT_IN if resource.model}


@cache
def _deserializer() -> Callable[[str, str], Any]:
    from kubernetes.client import ApiClient, Configuration

    client: Any = ApiClient(Configuration())
    if "response_text" in signature(client.deserialize).parameters:
        return lambda text, model: client.deserialize(text, model, "application/json")
    # Releases before 36 read the text off a response.
    return lambda text, model: client.deserialize(SimpleNamespace(data=text), model)


def to_model(obj: KubeObject) -> Any:
    """The object as its class in `kubernetes.client`, such as `V1Pod`; changes to it touch nothing else.

    Raises:
        TypeError: the kubernetes package has no model for this kind (a custom resource): use `to_dict()`.
        ValueError: the object does not pass the model's validation.
    """
    name = _model_names().get((obj.api_version, obj.kind))
    if name is None:
        raise TypeError(f"kubernetes.client has no model for {obj.api_version} {obj.kind}: use to_dict()")
    return deserialize(obj.raw, name)


def deserialize(raw: bytes, model: str) -> Any:
    """JSON as the class of this name in `kubernetes.client`.

    Raises:
        ValueError: the object does not pass the model's validation.
    """
    return _deserializer()(raw.decode(), model)
