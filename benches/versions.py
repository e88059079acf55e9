"""The updates that the queue-and-store benchmark sends through every side.

Invariant: round r of `Rounds` is every pod once, in its version r + 1 and in a shuffled order that depends on r alone;
between two rounds a tenth of the pods changes its node, and nothing else that is indexed changes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from benches import pods


class PodVersion:
    """One version of one pod in all its forms; the dicts of one pod share what does not differ between versions."""

    def __init__(self, i: int, version: int, base: dict[str, Any]) -> None:
        self._i = i
        self._version = version
        self._base = base
        self.key = f"{pods.namespace_of(i)}/{base['metadata']['name']}"
        self.values = (pods.namespace_of(i), pods.node_of(i, version), pods.owner_uid_of(i))

    @cached_property
    def obj(self) -> dict[str, Any]:
        metadata = {**self._base["metadata"], "resourceVersion": pods.resource_version_of(self._i, self._version)}
        return {**self._base, "metadata": metadata, "spec": {**self._base["spec"], "nodeName": self.values[1]}}

    @property
    def raw(self) -> bytes:
        return pods.as_event_object(pods.render(pods.pod(self._i, self._version)))


class Rounds:
    """The first content of a store and the rounds of updates that follow it."""

    def __init__(self, pod_count: int, round_count: int) -> None:
        bases = [pods.pod(i) for i in range(pod_count)]
        self.initial: Sequence[PodVersion] = [PodVersion(i, 0, base) for i, base in enumerate(bases)]
        self.rounds: Sequence[Sequence[PodVersion]] = [
            self._shuffled(bases, version) for version in range(1, round_count + 1)
        ]

    @staticmethod
    def _shuffled(bases: list[dict[str, Any]], version: int) -> Sequence[PodVersion]:
        updates = [PodVersion(i, version, base) for i, base in enumerate(bases)]
        random.Random(version).shuffle(updates)
        return updates
