"""The one place that imports aiohttp: who lacks it is told which extra brings it."""

from __future__ import annotations

try:
    from aiohttp import web
except ImportError as error:  # pragma: no cover - the tests need it
    raise ImportError(
        "kubeinformer.testing.APIServer needs aiohttp, which comes with the extra 'testing': "
        "pip install 'kubeinformer[testing]'"
    ) from error

__all__ = ["web"]
