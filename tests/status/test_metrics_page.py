"""`docs/status.md` lists the metrics that there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubeinformer.metrics import InformerCollector, WorkqueueCollector

PAGE = Path(__file__).parents[2] / "docs" / "status.md"


def rows() -> Iterator[str]:
    for family in [*InformerCollector().describe(), *WorkqueueCollector().collect()]:
        described: Any = family
        labels = ", ".join(getattr(described, "_labelnames", ()) or ["name"])
        total = "_total" if family.type == "counter" else ""
        yield f"| `{family.name}{total}` | {family.type} | {labels} | {family.documentation} |"


def test_the_table_is_what_the_collectors_give() -> None:
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert table == [*rows()]
