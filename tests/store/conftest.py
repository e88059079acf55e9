from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from store_support import STORES


@pytest.fixture(params=STORES, ids=["Indexer", "ThreadSafeStore"])
def make_store(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a store of things, from index functions by name."""
    made: Callable[..., Any] = request.param
    return made
