"""The one place that imports prometheus_client: who lacks it is told which extra brings it."""

from __future__ import annotations

try:
    from prometheus_client import Counter, Histogram
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
        SummaryMetricFamily,
    )
except ImportError as error:
    raise ImportError(
        "kubeinformer.metrics needs prometheus_client, which comes with the extra 'metrics': "
        "pip install 'kubeinformer[metrics]'"
    ) from error

__all__ = [
    "Counter",
    "CounterMetricFamily",
    "GaugeMetricFamily",
    "Histogram",
    "HistogramMetricFamily",
    "Metric",
    "SummaryMetricFamily",
]
