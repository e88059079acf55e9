from __future__ import annotations

from collections.abc import Iterator

import pytest
from apiserver_http import Http

from kubeinformer.testing import APIServer


@pytest.fixture
def server() -> Iterator[APIServer]:
    with APIServer(too_new_wait=0.2) as running:
        yield running


@pytest.fixture
def api(server: APIServer) -> Http:
    return Http(server.url)
