"""Collectors for prometheus_client, under client-go's metric names.

What client-go does not count begins with `kubeinformer_`.

    from prometheus_client import REGISTRY
    from kubeinformer import metrics, workqueue

    REGISTRY.register(metrics.InformerCollector(factory))
    queues = metrics.WorkqueueCollector()
    REGISTRY.register(queues)
    workqueue.set_provider(queues)              # before the queues are made

Nothing runs between two scrapes: informers are asked for their `status()` when somebody looks. Needs the extra
`metrics`.
"""

from __future__ import annotations

from kubeinformer.metrics.informers import InformerCollector
from kubeinformer.metrics.workqueues import WorkqueueCollector

__all__ = ["InformerCollector", "WorkqueueCollector"]
