"""Custom resources: a definition made here is served when the call returns."""

from __future__ import annotations

import time

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from .rest import request

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def create_crd(api_client: ApiClient, group: str, plural: str, kind: str, *, timeout: float = 30.0) -> str:
    """Define a namespaced resource of version v1 with any fields and a status; return the definition's name.

    Blocks until the API server serves it; TimeoutError when it does not within ``timeout`` seconds.
    """
    name = f"{plural}.{group}"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }
    request(api_client, "POST", DEFINITIONS, definition)
    deadline = time.monotonic() + timeout
    while True:
        try:
            request(api_client, "GET", f"/apis/{group}/v1/{plural}")
            return name
        except ApiException as error:
            if error.status != 404:
                raise
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} is not served after {timeout} s")
        time.sleep(0.05)


def delete_crd(api_client: ApiClient, name: str) -> None:
    """Delete a definition and, with it, its objects; they go in the background."""
    request(api_client, "DELETE", f"{DEFINITIONS}/{name}")
