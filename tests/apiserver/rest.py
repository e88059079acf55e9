"""Plain JSON requests through the official client: what is returned is what the server sent, iff it answered 2xx.

The typed methods of the client cannot show an object as the server sent it, and cost milliseconds for each pod.
"""

from __future__ import annotations

import json
from typing import Any

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

REQUEST_TIMEOUT = 60.0
"""Seconds without a byte after which a request fails, so that a server that a test left paused hangs nobody."""


def request(api_client: ApiClient, method: str, path: str, body: object = None, **query: object) -> dict[str, Any]:
    """Send one request and return the decoded JSON answer; blocks until the server has answered.

    The body of a PATCH is a JSON merge patch. Raises ApiException (``status``, ``body``) when the answer is not 2xx,
    and urllib3's errors when there is none.
    """
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    _, url, headers, *_ = api_client.param_serialize(
        method,
        path,
        query_params=list(query.items()),
        header_params={"Accept": "application/json", "Content-Type": kind},
        auth_settings=["BearerToken"],
    )
    response = api_client.call_api(method, url, headers, body, _request_timeout=(10.0, REQUEST_TIMEOUT))
    data: bytes = response.read()  # type: ignore[no-untyped-call]
    if not 200 <= response.status <= 299:
        raise ApiException.from_response(http_resp=response, body=data.decode(errors="replace"), data=None)
    answer: dict[str, Any] = json.loads(data)
    return answer


def ensure_namespace(api_client: ApiClient, name: str) -> None:
    """Create a namespace if it does not exist."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    try:
        request(api_client, "POST", "/api/v1/namespaces", body)
    except ApiException as error:
        if error.status != 409:
            raise


def delete_namespace(api_client: ApiClient, name: str) -> None:
    """Delete a namespace and the pods in it at once: no namespace controller runs here that would."""
    # A pod that has a node would otherwise wait for a kubelet to confirm its end.
    request(api_client, "DELETE", f"/api/v1/namespaces/{name}/pods", gracePeriodSeconds=0)
    namespace = request(api_client, "DELETE", f"/api/v1/namespaces/{name}")
    if namespace.get("kind") == "Namespace":
        namespace["spec"]["finalizers"] = []
        request(api_client, "PUT", f"/api/v1/namespaces/{name}/finalize", namespace)
