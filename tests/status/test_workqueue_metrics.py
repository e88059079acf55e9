"""`WorkqueueCollector`: Kubernetes' names and buckets, for queues that are busy, gone or of another process."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from fork_support import in_child
from informer_support import eventually
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kubeinformer import SharedInformerFactory, workqueue
from kubeinformer.metrics import WorkqueueCollector
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.workqueue import FakeClock, Queue, RateLimitingQueue


@pytest.fixture
def collector() -> Iterator[WorkqueueCollector]:
    """What queues use that are made meanwhile."""
    collector = WorkqueueCollector()
    workqueue.set_provider(collector)
    yield collector
    workqueue.set_provider(None)


@pytest.fixture
def registry(collector: WorkqueueCollector) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    return registry


def value(registry: CollectorRegistry, metric: str, queue: str = "pods", **labels: str) -> float | None:
    return registry.get_sample_value(f"workqueue_{metric}", {"name": queue, **labels})


def test_the_names_types_and_buckets_are_kubernetess(registry: CollectorRegistry) -> None:
    queue = RateLimitingQueue[str](name="pods")
    queue.add("a")
    types = {}
    bounds = []
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            assert sample.labels["name"] == "pods"
            assert set(sample.labels) <= {"name", "le"}
            types[sample.name] = family.type
            if sample.name == "workqueue_queue_duration_seconds_bucket":
                bounds.append(float(sample.labels["le"]))
    assert {name: kind for name, kind in types.items() if not name.endswith("_created")} == {
        "workqueue_depth": "gauge",
        "workqueue_adds_total": "counter",
        "workqueue_queue_duration_seconds_bucket": "histogram",
        "workqueue_queue_duration_seconds_count": "histogram",
        "workqueue_queue_duration_seconds_sum": "histogram",
        "workqueue_work_duration_seconds_bucket": "histogram",
        "workqueue_work_duration_seconds_count": "histogram",
        "workqueue_work_duration_seconds_sum": "histogram",
        "workqueue_unfinished_work_seconds": "gauge",
        "workqueue_longest_running_processor_seconds": "gauge",
        "workqueue_retries_total": "counter",
    }
    assert bounds == pytest.approx([1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, float("inf")])


def test_a_queue_at_work(registry: CollectorRegistry) -> None:
    clock = FakeClock()
    queue = RateLimitingQueue[str](name="pods", clock=clock)
    for item in ("a", "b", "b", "c"):
        queue.add(item)
    assert (value(registry, "depth"), value(registry, "adds_total")) == (3, 3)
    clock.step(2)
    assert (queue.get(), queue.get()) == ("a", "b")
    assert value(registry, "depth") == 1
    assert value(registry, "queue_duration_seconds_sum") == 4
    assert value(registry, "queue_duration_seconds_count") == 2
    assert value(registry, "queue_duration_seconds_bucket", le="1.0") == 0
    assert value(registry, "queue_duration_seconds_bucket", le="10.0") == 2
    clock.step(3)
    queue.done("a")
    clock.step(1)
    assert value(registry, "work_duration_seconds_sum") == 3
    assert (value(registry, "unfinished_work_seconds"), value(registry, "longest_running_processor_seconds")) == (4, 4)
    queue.add_rate_limited("a")
    assert value(registry, "retries_total") == 1


def test_depth_is_true_while_all_workers_are_busy(
    server: APIServer, factory: SharedInformerFactory, registry: CollectorRegistry
) -> None:
    queue = RateLimitingQueue[str](name="pods")
    factory.core().v1().pods().informer().enqueue(queue)
    for number in range(7):
        server.create(pod(f"web-{number}"))
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    # Nobody uses the queue meanwhile.
    eventually(lambda: value(registry, "depth") == 7, "all keys are in the queue")


def test_queues_of_one_name_are_one(registry: CollectorRegistry) -> None:
    clock = FakeClock()
    first, second = (RateLimitingQueue[str](name="pods", clock=clock) for _ in range(2))
    other = RateLimitingQueue[str](name="nodes", clock=clock)
    for queue in (first, second, other):
        queue.add("a")
        queue.add("b")
    first.get()
    clock.step(1)
    second.get()
    clock.step(2)
    assert (value(registry, "depth"), value(registry, "depth", "nodes")) == (2, 2)
    assert (value(registry, "unfinished_work_seconds"), value(registry, "longest_running_processor_seconds")) == (5, 3)
    assert value(registry, "longest_running_processor_seconds", "nodes") == 0
    del first, queue
    gc.collect()
    assert (value(registry, "depth"), value(registry, "longest_running_processor_seconds")) == (1, 2)


def test_a_queue_without_a_name_has_no_metrics(registry: CollectorRegistry) -> None:
    queue = RateLimitingQueue[str]()
    queue.add("a")
    assert "name=" not in generate_latest(registry).decode()


def test_one_queue_can_have_it_alone(registry: CollectorRegistry) -> None:
    alone = WorkqueueCollector()
    queue = Queue[str](name="alone", metrics=alone)
    queue.add("a")
    own = CollectorRegistry(auto_describe=True)
    own.register(alone)
    assert (value(own, "depth", "alone"), value(registry, "depth", "alone")) == (1, None)


def test_it_is_scraped_while_queues_are_made_and_used(registry: CollectorRegistry) -> None:
    over, errors = threading.Event(), []

    def scrape() -> None:
        try:
            while not over.is_set():
                generate_latest(registry)
        except BaseException as error:
            errors.append(error)

    def use() -> None:
        for number in range(20):
            queue = RateLimitingQueue[int](name=f"queue-{number % 3}")
            for item in range(20):
                queue.add(item)
                with queue.item(timeout=5):
                    pass

    scraper = threading.Thread(target=scrape)
    users = [threading.Thread(target=use) for _ in range(3)]
    for thread in (scraper, *users):
        thread.start()
    for thread in users:
        thread.join(60)
    over.set()
    scraper.join(60)
    assert errors == []
    assert sum(value(registry, "adds_total", f"queue-{number}") or 0 for number in range(3)) == 3 * 20 * 20
    assert sum(value(registry, "depth", f"queue-{number}") or 0 for number in range(3)) == 0


def test_a_forked_child_can_be_scraped(registry: CollectorRegistry) -> None:
    queue = RateLimitingQueue[str](name="pods")
    queue.add("a")

    def child() -> tuple[float | None, float | None]:
        return value(registry, "depth"), value(registry, "adds_total")

    assert in_child(child) == (0, 1)
    assert child() == (1, 1)
