"""The pytest plugin: fixtures on the embedded API server.

Loaded by its entry point into every pytest run of an environment that has kubeinformer, so it imports nothing of weight
until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from kubeinformer.testing.server import APIServer


@pytest.fixture
def kube_apiserver() -> Iterator[APIServer]:
    """Run an embedded API server of this test's own, in a thread of this process."""
    from kubeinformer.testing.server import APIServer

    with APIServer() as server:
        yield server


@pytest.fixture
def kube_api_client(kube_apiserver: APIServer) -> Iterator[ApiClient]:
    """Give a client of the official package for :func:`kube_apiserver`."""
    with kube_apiserver.api_client() as client:
        yield client
