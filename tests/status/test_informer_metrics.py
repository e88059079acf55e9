"""`InformerCollector`: client-go's names and labels, values that are `status()`'s, and scrapes that never fail."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fork_support import in_child
from informer_support import Gate, Recorder, eventually
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kubeinformer import InformerName, SharedIndexInformer, SharedInformerFactory
from kubeinformer.metrics import InformerCollector
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]
pytestmark = pytest.mark.usefixtures("quick_backoff")

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def registry_of(*watched: Any) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(InformerCollector(*watched))
    return registry


def scrape(registry: CollectorRegistry) -> Samples:
    """Every sample of what Prometheus would read; a time series that comes twice fails."""
    samples: Samples = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in samples, f"twice: {key}"
            samples[key] = sample.value
    return samples


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    return samples.get((metric, tuple(sorted(labels.items()))))


def names(samples: Samples, of: str = "") -> set[str]:
    return {labels["name"] for metric, pairs in samples if metric.startswith(of) and (labels := dict(pairs))}


def running(factory: SharedInformerFactory) -> SharedIndexInformer[Any]:
    informer = factory.core().v1().pods().informer()
    factory.start()
    factory.wait_for_cache_sync(timeout=20)
    eventually(informer.is_live, "it watches")
    return informer


CLIENT_GO = {
    "reflector_lists_total": ("counter", ("name",)),
    "reflector_list_duration_seconds": ("summary", ("name",)),
    "reflector_items_per_list": ("summary", ("name",)),
    "reflector_watches_total": ("counter", ("name",)),
    "reflector_short_watches_total": ("counter", ("name",)),
    "reflector_watch_duration_seconds": ("summary", ("name",)),
    "reflector_items_per_watch": ("summary", ("name",)),
    "reflector_last_resource_version": ("gauge", ("name",)),
    "informer_queued_items": ("gauge", ("group", "name", "resource", "version")),
    "informer_processing_latency_seconds": ("histogram", ("group", "name", "resource", "version")),
    "informer_store_resource_version": ("gauge", ("group", "name", "resource", "version")),
}


def test_the_names_types_and_labels_are_client_gos(server: APIServer, factory: SharedInformerFactory) -> None:
    running(factory)
    text = generate_latest(registry_of(factory)).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            base = sample.name.removesuffix("_count").removesuffix("_sum").removesuffix("_bucket")
            labels = tuple(sorted(set(sample.labels) - {"le"}))
            found[base] = (family.type, labels)
    for name, expected in CLIENT_GO.items():
        assert found[name] == expected, name
    assert all(name.startswith("kubeinformer_") for name in set(found) - set(CLIENT_GO))


def test_values_are_the_statuss(server: APIServer, factory: SharedInformerFactory) -> None:
    for number in range(4):
        server.create(pod(f"web-{number}"))
    informer = factory.core().v1().pods().informer()
    gate = Gate()
    informer.add_event_handler(gate)
    informer.add_event_handler(Recorder())
    informer.add_event_handler(Recorder())
    running(factory)
    assert gate.entered.wait(20)
    try:
        eventually(lambda: sum(it.pending for it in informer.status().handlers[1:]) == 0, "the others have all")
        samples, status = scrape(registry_of(factory)), informer.status()
        gvr = {"name": "pods", "group": "", "version": "v1", "resource": "pods"}
        counters = status.sources[""].counters
        assert value(samples, "reflector_lists_total", name="pods") == counters.lists + counters.watch_lists == 1
        assert value(samples, "reflector_list_duration_seconds_count", name="pods") == 1
        assert value(samples, "reflector_list_duration_seconds_sum", name="pods") == counters.list_seconds > 0
        assert value(samples, "reflector_items_per_list_sum", name="pods") == 4
        version = value(samples, "reflector_last_resource_version", name="pods")
        assert version == float(status.last_sync_resource_version)
        stored = value(samples, "informer_store_resource_version", **gvr)
        assert stored == float(status.last_store_sync_resource_version)
        assert value(samples, "informer_queued_items", **gvr) == 0
        batches = sum(count for _, count in status.processing_latency.counts)
        assert value(samples, "informer_processing_latency_seconds_count", **gvr) == batches > 0
        bounds = [
            dict(labels)["le"] for name, labels in samples if name == "informer_processing_latency_seconds_bucket"
        ]
        assert [float(bound) for bound in bounds] == [
            0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.inf,
        ]  # fmt: skip
        assert value(samples, "kubeinformer_store_objects", name="pods") == 4
        assert value(samples, "kubeinformer_store_bytes", name="pods") == status.bytes
        assert value(samples, "kubeinformer_informer_live", name="pods") == 1
        assert value(samples, "kubeinformer_informer_synced", name="pods") == 1
        assert value(samples, "kubeinformer_reflector_phase", name="pods", phase="watching") == 1
        assert value(samples, "kubeinformer_reflector_phase", name="pods", phase="backoff") == 0
        staleness = value(samples, "kubeinformer_reflector_staleness_seconds", name="pods")
        assert staleness is not None
        assert 0 <= staleness < 20
        two = {"name": "pods", "handler": "informer_support.Recorder"}
        assert value(samples, "kubeinformer_handler_delivered_total", **two) == 8, "handlers of one name are one"
        slow = {"name": "pods", "handler": "informer_support.Gate"}
        slow_pending = value(samples, "kubeinformer_handler_pending", **slow)
        slow_delivered = value(samples, "kubeinformer_handler_delivered_total", **slow)
        assert slow_pending is not None
        assert slow_delivered is not None
        assert slow_pending + slow_delivered == 4
        assert value(samples, "kubeinformer_function_errors_total", name="pods", function="handler") == 0
    finally:
        gate.open.set()


def test_an_outage(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = running(factory)
    registry = registry_of(factory)
    server.faults.refuse_connections()
    server.faults.drop_connections()
    eventually(lambda: informer.status().sources[""].counters.failures > 3, "it fails")
    samples = scrape(registry)
    assert value(samples, "kubeinformer_informer_live", name="pods") == 0
    assert value(samples, "kubeinformer_informer_synced", name="pods") == 1
    failures = value(samples, "kubeinformer_reflector_failures_total", name="pods")
    assert failures is not None
    assert failures > 3
    server.faults.accept_connections()
    eventually(informer.is_live, "the end")
    assert value(scrape(registry), "kubeinformer_informer_live", name="pods") == 1


def test_before_the_first_list(factory: SharedInformerFactory) -> None:
    factory.core().v1().pods().informer()
    samples = scrape(registry_of(factory))
    assert value(samples, "kubeinformer_reflector_staleness_seconds", name="pods") == math.inf
    assert value(samples, "reflector_last_resource_version", name="pods") is None
    assert value(samples, "reflector_lists_total", name="pods") == 0
    assert value(samples, "kubeinformer_reflector_phase", name="pods", phase="idle") == 1


def test_what_is_asked_for_later_is_there_and_what_is_stopped_stays(factory: SharedInformerFactory) -> None:
    registry = registry_of(factory)
    assert scrape(registry) == {}
    running(factory)
    assert names(scrape(registry)) == {"pods"}
    factory.core().v1().nodes().informer()
    assert names(scrape(registry)) == {"pods", "nodes"}
    factory.shutdown(timeout=20)
    assert value(scrape(registry), "kubeinformer_reflector_phase", name="pods", phase="stopped") == 1


def test_each_namespace_has_a_reflector(make_factory: Make) -> None:
    factory = make_factory(namespaces=["a", "b"])
    factory.core().v1().pods().informer()
    samples = scrape(registry_of(factory))
    assert names(samples, "reflector_") == {"pods in a", "pods in b"}
    assert names(samples, "informer_") == names(samples, "kubeinformer_store") == {"pods"}


def test_scopes_of_a_resource_are_told_apart(make_factory: Make) -> None:
    plain, named = make_factory(), make_factory(name=InformerName("named"))
    for factory in (plain, named):
        factory.core().v1().pods().informer()
        factory.core().v1().pods(label_selector="app=web").informer()
    both = [informer.name for informer in plain.status().informers.values()]
    assert names(scrape(registry_of(plain)), "informer_") == set(both)
    samples = scrape(registry_of(plain, named))
    assert names(samples, "reflector_") == {*both, *(f"named/{name}" for name in both)}
    assert names(samples, "informer_") == {*both, "named"}, "as client-go's, the first of a name and resource"


def test_two_of_one_name_do_not_fail_the_scrape(make_factory: Make, caplog: pytest.LogCaptureFixture) -> None:
    factories = [make_factory(), make_factory()]
    for factory in factories:
        factory.core().v1().pods().informer()
    registry = registry_of(*factories)
    for _ in range(3):
        assert names(scrape(registry)) == {"pods"}
    warnings = [record.getMessage() for record in caplog.records if "metrics" in record.getMessage()]
    assert warnings == ["metrics: a second informer is called pods, and left out: give its factory a name"]


def test_informers_of_no_factory_and_removal(factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()
    collector = InformerCollector(informer)
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    assert names(scrape(registry)) == {"pods"}
    collector.remove(informer)
    collector.remove(informer)
    assert scrape(registry) == {}
    with pytest.raises(TypeError, match="must be a factory or an informer, not str"):
        collector.add("pods")  # type: ignore[arg-type]


def test_a_registry_refuses_a_second_collector_at_once(factory: SharedInformerFactory) -> None:
    registry = registry_of()
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(InformerCollector(factory))


def test_a_forked_child_can_be_scraped(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = running(factory)
    registry = registry_of(factory, informer)
    assert in_child(lambda: scrape(registry)) == {}
    assert names(scrape(registry)) == {"pods"}


def test_without_prometheus_client_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "import kubeinformer\n"
        "try: kubeinformer.metrics\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert "pip install 'kubeinformer[metrics]'" in done.stdout
