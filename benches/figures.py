"""The figures that this project holds itself to, each with what it must reach at least and the aim beyond.

Invariant: a row compares figures of one results file only, and says `not measured` when one of them is missing; rivals
count with their best configuration. A bound is inclusive.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from benches import cells

Record = dict[str, Any]
Verdict = Literal["aim", "met", "missed", "not measured", ""]

_OURS = {"sync": ("kubeinformer, LIST",), "watch": ("kubeinformer, LIST", "kubeinformer, watch-list")}
"""A LIST is a LIST, also where a watch-list is faster; its events do not tell how a watch began."""
_PROTOBUF = ("client-go protobuf", "client-go protobuf, watch-list", "client-go protobuf, GOGC=400")
_KILO = 1000


class Missing(Exception):
    """A figure that the file does not have."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    text: str
    unit: str
    value: float | None
    at_least: float | None
    aim: float | None
    higher_is_better: bool
    detail: str

    @property
    def verdict(self) -> Verdict:
        """How the value stands to its bounds; "" for a row that has none."""
        if self.value is None:
            return "not measured"
        if self.at_least is None:
            return ""
        if self.aim is not None and self._reaches(self.value, self.aim):
            return "aim"
        return "met" if self._reaches(self.value, self.at_least) else "missed"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.higher_is_better else value <= bound

    def as_record(self) -> Record:
        return {**asdict(self), "verdict": self.verdict}


class Figures:
    """Looks figures up in a results file; Missing if they are not there."""

    def __init__(self, results: Record) -> None:
        self._results = results

    def wire(self, case: str, peers: tuple[str, ...], field: str, *, lowest: bool = False) -> float:
        """The best of these peers."""
        found = [
            record[field]
            for record in self._results.get("wire", [])
            if record["case"] == case and record["peer"] in peers and field in record
        ]
        if not found:
            raise Missing(f"{peers[0]}: {case}")
        return float(min(found) if lowest else max(found))

    def cell(self, name: str, field: str) -> float:
        found = self._results.get("cells", {}).get(name, {}).get(field)
        if found is None:
            raise Missing(name)
        return float(found)

    def stall_without_informer(self) -> float:
        """Milliseconds: the median of what the idle cells measured before they began. One of them alone is chance."""
        found = [
            record["baseline_stall_ms"]
            for name, record in self._results.get("cells", {}).items()
            if "-idle" in name and "baseline_stall_ms" in record
        ]
        if not found:
            raise Missing("stall without an informer")
        return statistics.median(found)

    def prepared(self, side: str, modes: tuple[str, ...]) -> float:
        """Microseconds an update in the best of these modes."""
        found = [
            record["best_us"]
            for record in self._results.get("store", [])
            if record["row"] == "prepared" and record["side"] == side and record["mode"] in modes
        ]
        if not found:
            raise Missing(side)
        return float(min(found))


_Value = Callable[[Figures], tuple[float, str]]
"""What a row shows, and what is said beside it."""


def _wire_ratio(case: str, rival: str) -> _Value:
    def value(of: Figures) -> tuple[float, str]:
        mine, theirs = of.wire(case, _OURS[case], "best_per_second"), of.wire(case, (rival,), "best_per_second")
        cpu = of.wire(case, (rival,), "cpu_us", lowest=True) / of.wire(case, _OURS[case], "cpu_us", lowest=True)
        return mine / theirs, f"{mine:,.0f}/s and {theirs:,.0f}/s; by CPU time {cpu:.1f} times"

    return value


def _rate(case: str) -> _Value:
    return lambda of: (of.wire(case, _OURS[case], "best_per_second"), "")


def _cpu_ratio(case: str, rivals: tuple[str, ...]) -> _Value:
    def value(of: Figures) -> tuple[float, str]:
        mine, theirs = (of.wire(case, peers, "cpu_us", lowest=True) for peers in (_OURS[case], rivals))
        return theirs / mine, f"{mine:.1f} and {theirs:.1f} us of CPU each"

    return value


def _flat(of: Figures) -> tuple[float, str]:
    small, middle, large = (of.cell(cell.name, "cpu_us") for cell in cells.FLAT)
    return large / small, f"{small:.1f}, {middle:.1f} and {large:.1f} us of CPU each for 10k, 100k and 500k"


def _beside(of: Figures) -> tuple[float, str]:
    # Medians: how the scheduler shares the core differs from run to run.
    python, process = (of.cell(cell.name, "per_second") for cell in (cells.BESIDE_PYTHON, cells.BESIDE_PROCESS))
    return python / process * 100, f"{python:,.0f}/s beside a Python thread, {process:,.0f}/s beside a process"


def _stall(of: Figures) -> tuple[float, str]:
    stall, worst = (of.cell(cells.STALL.name, name) for name in ("stall_ms", "worst_stall_ms"))
    baseline = of.stall_without_informer()
    said = f"{stall:.1f} ms, worst run {worst:.1f} ms; without an informer {baseline:.1f} ms, the median of idle cells"
    return max(0.0, stall - baseline), said


def _reader(of: Figures) -> tuple[float, str]:
    listed, streamed = (of.cell(name, "reader_p99_us") / 1000 for name in ("relist", "relist-watchlist"))
    return max(listed, streamed), f"{listed:.2f} ms by LIST, {streamed:.2f} ms by watch-list"


def _memory(cell: cells.Cell) -> _Value:
    def value(of: Figures) -> tuple[float, str]:
        peak = of.cell(cell.name, "peak_rss_bytes") / cell.objects
        return of.cell(cell.name, "rss_per_object") / _KILO, f"peak of the process {peak / _KILO:.2f} kB a pod"

    return value


def _relist_peak(of: Figures) -> tuple[float, str]:
    listed, streamed = (of.cell(name, "extra_peak") * 100 for name in ("relist", "relist-watchlist"))
    return max(listed, streamed), f"{listed:.1f} % by LIST, {streamed:.1f} % by watch-list"


def _relist_notifications(of: Figures) -> tuple[float, str]:
    return max(of.cell(name, "notifications") for name in ("relist", "relist-watchlist")), ""


def _prepared(rival: str) -> _Value:
    def value(of: Figures) -> tuple[float, str]:
        mine = of.prepared("kubeinformer's core", ("batched",))
        theirs = of.prepared(rival, ("single", "batched"))
        return theirs / mine, f"{mine:.3f} and {theirs:.3f} us of CPU an update"

    return value


def _selector(field: str) -> _Value:
    def value(of: Figures) -> tuple[float, str]:
        mine, theirs = of.cell("selector", "seconds") * 1e6, of.cell("selector", field) * 1e6
        return theirs / mine, f"{mine:,.1f} and {theirs:,.0f} us a list"

    return value


def _per_second(name: str, detail: str = "") -> _Value:
    return lambda of: (of.cell(name, "best_per_second"), detail)


def _by_key(of: Figures) -> tuple[float, str]:
    return of.cell("by-key-beside-python", "per_second"), (
        f"{of.cell('by-key-beside-python', 'per_second_alone'):,.0f}/s alone"
    )


def _filtered(name: str) -> _Value:
    def value(of: Figures) -> tuple[float, str]:
        alone, with_filter = of.cell("ingest-alone", "cpu_us"), of.cell(name, "cpu_us")
        return (with_filter / alone - 1) * 100, f"{with_filter:.2f} and {alone:.2f} us of CPU an event"

    return value


def _import(of: Figures) -> tuple[float, str]:
    return of.cell("import", "seconds") * 1000, f"best {of.cell('import', 'best_seconds') * 1000:.1f} ms"


class _Spec(NamedTuple):
    name: str
    unit: str
    at_least: float | None
    aim: float | None
    higher_is_better: bool
    value: _Value


_TEXTS = {
    "list-msgspec": "LIST to synced, 8 KB pods, against the msgspec rival",
    "list-rate": "LIST to synced, objects a second",
    "list-protobuf": "LIST to synced, CPU, against client-go with protobuf",
    "list-json": "LIST to synced, CPU, against client-go with JSON",
    "flat": "CPU an object of 500,000 against one of 10,000",
    "watch-msgspec": "watch to a trivial handler, against the msgspec rival",
    "watch-rate": "watch to a trivial handler, events a second",
    "watch-protobuf": "watch to a trivial handler, CPU, against client-go with protobuf",
    "beside": "watch beside a computing Python thread, of the rate beside a computing process",
    "stall": "longest stall of another Python thread during a LIST of 100,000, above the probe's own",
    "reader": "reader's p99 during a relist of unchanged 100,000",
    "memory": "resident memory of an 8 KB pod with 3 indices",
    "memory-compressed": "resident memory of such a pod, compressed",
    "relist-peak": "extra peak memory of a relist of unchanged 100,000",
    "relist-silent": "notifications of a relist of unchanged 100,000",
    "store": "queue and store, prepared, batched, 3 indices, against pure Python",
    "store-interned": "queue and store, prepared, against pure Python whose texts were interned beforehand",
    "selector-python": "label-selector list, 100 of 100,000, against a scan in Python",
    "selector-dicts": "label-selector list, against a scan of dicts of labels that are at hand",
    "selector-rust": "label-selector list, against a scan in Rust by two comparisons of numbers",
    "notifications": "notifications `(old, new)` to a trivial handler",
    "notifications-batches": "notifications to a handler of batches",
    "by-key": "reads by key beside a computing Python thread",
    "filtered": "events filtered out by a label, CPU above ingest alone",
    "filtered-change": "events filtered out because no label changed, CPU above ingest alone",
    "import": "`import kubeinformer` beyond `kubernetes`",
}

_ROWS = (
    _Spec("list-msgspec", "x", 2.5, 3, True, _wire_ratio("sync", "msgspec")),
    _Spec("list-rate", "/s", 100_000, None, True, _rate("sync")),
    _Spec("list-protobuf", "x", 5, 6, True, _cpu_ratio("sync", _PROTOBUF)),
    _Spec("list-json", "x", 15, 20, True, _cpu_ratio("sync", ("client-go JSON",))),
    _Spec("flat", "x", 1.15, 1.05, False, _flat),
    _Spec("watch-msgspec", "x", 2, 2.5, True, _wire_ratio("watch", "msgspec")),
    _Spec("watch-rate", "/s", 95_000, None, True, _rate("watch")),
    _Spec("watch-protobuf", "x", 6, 8, True, _cpu_ratio("watch", _PROTOBUF)),
    _Spec("beside", " %", 90, 98, True, _beside),
    _Spec("stall", " ms", 5, 1, False, _stall),
    _Spec("reader", " ms", 2, 0.5, False, _reader),
    _Spec("memory", " kB", 7.7, 7, False, _memory(cells.STALL)),
    _Spec("memory-compressed", " kB", 1.5, 1, False, _memory(cells.COMPRESSED)),
    _Spec("relist-peak", " %", 10, 5, False, _relist_peak),
    _Spec("relist-silent", "", 0, None, False, _relist_notifications),
    _Spec("store", "x", 20, 40, True, _prepared("pure Python")),
    _Spec("store-interned", "x", None, None, True, _prepared("pure Python, texts interned")),
    _Spec("selector-python", "x", 1000, None, True, _selector("python_seconds")),
    _Spec("selector-dicts", "x", None, None, True, _selector("python_dicts_seconds")),
    _Spec("selector-rust", "x", 100, None, True, _selector("rust_seconds")),
    _Spec("notifications", "/s", 2_000_000, 4_000_000, True, _per_second("notifications")),
    _Spec("notifications-batches", "/s", None, None, True, _per_second("notifications-batches")),
    _Spec("by-key", "/s", 500_000, 1_000_000, True, _by_key),
    _Spec("filtered", " %", 10, None, False, _filtered("ingest-filtered-by-label")),
    _Spec("filtered-change", " %", 10, None, False, _filtered("ingest-filtered-by-change")),
    _Spec("import", " ms", 30, 15, False, _import),
)


def rows(results: Record) -> list[Row]:
    """Every row of the table, in its order."""
    found = []
    for spec in _ROWS:
        measured, detail = None, ""
        try:
            measured, detail = spec.value(Figures(results))
        except Missing as missing:
            detail = f"not in the file: {missing}"
        bounds = (spec.at_least, spec.aim, spec.higher_is_better)
        found.append(Row(spec.name, _TEXTS[spec.name], spec.unit, measured, *bounds, detail))
    return found


def number(value: float | None, unit: str) -> str:
    """As the tables show it."""
    if value is None:
        return ""
    if abs(value) >= 1000 or (value == int(value) and unit in ("", "/s")):
        return f"{value:,.0f}{unit}"
    return f"{value:.2f}".rstrip("0").rstrip(".") + unit


def bound(row: Row, value: float | None) -> str:
    """As the tables show it."""
    return "" if value is None else f"{'at least' if row.higher_is_better else 'at most'} {number(value, row.unit)}"
