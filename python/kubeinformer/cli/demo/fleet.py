"""The demo's cluster: some applications in some namespaces, and their pods, numbered.

The pod of a number is always the same, so the process that writes pods and whoever wants to know them need not talk.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any

from kubeinformer.testing.objects import pod

POD_BYTES = 8 * 1024
SENT_AT = "demo.kubeinformer.io/sent-at"
"""Annotation: monotonic nanoseconds at which the last write of the object was sent."""

_APPS = {
    "shop": ("web", "cart", "checkout", "catalog", "images"),
    "payments": ("gateway", "ledger", "fraud-check"),
    "search": ("query", "indexer", "suggest"),
    "platform": ("auth", "mail", "audit", "metrics", "log-shipper"),
}
NAMESPACES = tuple(_APPS)
_NODES = 40
_PLACES = [(namespace, app) for namespace, apps in _APPS.items() for app in apps]
# A few applications have most of the pods, as everywhere.
_WEIGHTS = [1 / (1 + place) for place in range(len(_PLACES))]
# Letters that Kubernetes uses for generated names.
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def pod_of(number: int) -> dict[str, Any]:
    """The pod of a number, about 8 KB; the caller may change it."""
    random_of_pod = random.Random(number)
    namespace, app = random_of_pod.choices(_PLACES, _WEIGHTS)[0]
    replica_set = f"{app}-{_name(app, 9)}"
    return pod(
        f"{replica_set}-{_name(str(number), 5)}{number % 10}",
        namespace,
        labels={"app": app, "team": namespace, "track": "stable"},
        annotations={SENT_AT: "0" * 20},
        node=f"node-{min(random_of_pod.randrange(_NODES), random_of_pod.randrange(_NODES)):02}",
        owner=replica_set,
        image=f"registry.example.com/{namespace}/{app}:1.42.0",
        size=POD_BYTES,
    )


def _name(seed: str, length: int) -> str:
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:length])
