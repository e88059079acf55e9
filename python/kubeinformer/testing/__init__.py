"""kubeinformer.testing: an embedded Kubernetes API server and what goes with it, for tests without a cluster.

Importing this package costs nothing: a name is loaded when it is first used, so the pytest plugin can live here without
pulling an HTTP server into every pytest run. :class:`APIServer` needs the extra ``testing`` (``pip install
'kubeinformer[testing]'``); :mod:`kubeinformer.testing.objects` needs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubeinformer.testing.effects import Match
    from kubeinformer.testing.errors import StatusError
    from kubeinformer.testing.faults import Faults
    from kubeinformer.testing.recorder import RecordedRequest
    from kubeinformer.testing.server import APIServer

__all__ = ["APIServer", "Faults", "Match", "RecordedRequest", "StatusError"]

_HOMES = {
    "APIServer": "server",
    "Faults": "faults",
    "Match": "effects",
    "RecordedRequest": "recorder",
    "StatusError": "errors",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
