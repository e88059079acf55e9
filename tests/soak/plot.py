"""The plot of a soak: memory, threads and descriptors over time, each on a scale of its own from 0."""

from __future__ import annotations

from collections.abc import Sequence

from benches.svg import Line, lines

from .resources import Sample


def draw(samples: Sequence[Sample], minutes: float) -> str:
    """An SVG; the sampled process is the one of the informers, their handlers and the writers."""
    times = [sample.at for sample in samples]
    return lines(
        "Soak",
        f"{minutes:g} minutes of writes and faults; the process of the informers",
        times,
        [
            Line("resident memory", [sample.rss / 1e6 for sample in samples], "MB"),
            Line("threads", [float(sample.threads) for sample in samples]),
            Line("descriptors", [float(sample.descriptors) for sample in samples]),
        ],
    )
