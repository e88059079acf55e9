"""KubeObjects as models of the kubernetes package, made afresh on each call."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubeinformer._core import KubeObject


@cache
def _model_names() -> dict[tuple[str, str], str]:
    from kubeinformer.informers.generated.resources import BUILT_IN

    return {(resource.api_version, resource.kind): resource.model for resource in BUILT_IN if resource.model}


@cache
def _api_client() -> Any:
    from kubernetes.client import ApiClient, Configuration

    return ApiClient(Configuration())


class _Response:
    """What `ApiClient.deserialize` reads of a response."""

    def __init__(self, data: str) -> None:
        self.data = data


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
    client = _api_client()
    try:
        return client.deserialize(_Response(raw.decode()), model, "application/json")
    except TypeError:  # releases before 33 take no content type
        return client.deserialize(_Response(raw.decode()), model)
