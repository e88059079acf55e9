"""The table of figures, the plots and the document say what a results file says, and nothing about what it lacks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from benches.cells import BESIDE_PROCESS, BESIDE_PYTHON, FLAT, STALL
from benches.figures import Row, number, rows
from benches.stages import STAGES, parse
from benches.svg import Bar, bars
from benches.wire_server import WireServer
from benches.wire_streams import ProtobufScenario, Scenario

from benches import document, native_peers, plots, results_file, summary


def wire(peer: str, case: str, rate: float, cpu: float, *, ours: bool = False) -> dict[str, Any]:
    return {
        "peer": peer,
        "case": case,
        "ours": ours,
        "best_per_second": rate,
        "median_per_second": rate,
        "cpu_us": cpu,
        "rss_per_object": 1000.0,
    }


@pytest.fixture
def results() -> dict[str, Any]:
    return {
        "date": "2026-11-24",
        "machine": {"cpu": "CPU <fast>", "cores": 2, "kernel": "6", "load_average": [0.1, 0, 0]},
        "load_average_after": [0.2, 0, 0],
        "versions": {"python": "3.11", "commit": "abc"},
        "pods": 10,
        "wire": [
            wire("reader", "sync", 400_000, 1.0),
            wire("msgspec", "sync", 40_000, 25.0),
            wire("client-go protobuf", "sync", 20_000, 60.0),
            wire("client-go protobuf, watch-list", "sync", 22_000, 50.0),
            wire("kubeinformer, LIST", "sync", 120_000, 9.0, ours=True),
            wire("kubeinformer, watch-list", "sync", 900_000, 1.0, ours=True),
        ],
        "cells": {
            **{cell.name: {"cpu_us": cpu} for cell, cpu in zip(FLAT, (10.0, 10.2, 11.0), strict=True)},
            BESIDE_PYTHON.name: {"per_second": 97.0, "best_per_second": 500.0, "cpu_us": 1.0},
            BESIDE_PROCESS.name: {"per_second": 100.0, "best_per_second": 100.0, "cpu_us": 1.0},
            "import": {"seconds": 0.04, "best_seconds": 0.03},
            "relist": {"extra_peak": 0.04, "notifications": 0, "reader_p99_us": 400.0},
            "relist-watchlist": {"extra_peak": 0.12, "notifications": 3, "reader_p99_us": 300.0},
            "failed": {"error": "it"},
            "odd": {"unsupported": "it"},
        },
        "ratios": [{"what": "store", "ratio": 0.5, "rival": "pure Python", "ours": "kubeinformer", "counts": True}],
    }


def by_name(results: dict[str, Any]) -> dict[str, Row]:
    return {row.name: row for row in rows(results)}


def test_a_row_compares_with_the_best_that_rivals_reach(results: dict[str, Any]) -> None:
    found = by_name(results)
    assert found["list-msgspec"].value == 3.0
    assert found["list-msgspec"].verdict == "aim"
    assert found["list-protobuf"].value == pytest.approx(50 / 9)
    assert found["list-protobuf"].verdict == "met"
    results["wire"].append(wire("client-go protobuf, GOGC=400", "watch", 30_000, 30.0))
    results["wire"].append(wire("kubeinformer, LIST", "watch", 100_000, 6.0, ours=True))
    assert by_name(results)["watch-protobuf"].value == 5.0
    assert found["flat"].value == pytest.approx(1.1)
    assert found["flat"].verdict == "met"
    assert (found["beside"].value, found["beside"].verdict) == (97.0, "met")
    assert (found["import"].value, found["import"].verdict) == (40.0, "missed")


def test_of_two_ways_to_relist_the_worse_one_counts(results: dict[str, Any]) -> None:
    found = by_name(results)
    assert (found["relist-peak"].value, found["relist-peak"].verdict) == (12.0, "missed")
    assert (found["relist-silent"].value, found["relist-silent"].verdict) == (3.0, "missed")
    assert (found["reader"].value, found["reader"].verdict) == (0.4, "aim")


def test_a_stall_is_compared_with_the_median_of_idle_cells(results: dict[str, Any]) -> None:
    cells = results["cells"]
    cells[STALL.name] |= {"stall_ms": 4.5, "worst_stall_ms": 6.0, "baseline_stall_ms": 5.0}
    cells[FLAT[0].name]["baseline_stall_ms"] = cells[FLAT[2].name]["baseline_stall_ms"] = 1.0
    cells[BESIDE_PYTHON.name]["baseline_stall_ms"] = 50.0
    assert (by_name(results)["stall"].value, by_name(results)["stall"].verdict) == (3.5, "met")
    cells[FLAT[0].name]["baseline_stall_ms"] = 9.0
    assert by_name(results)["stall"].value == 0.0


def test_the_document_says_how_busy_the_server_was(results: dict[str, Any]) -> None:
    results["cells"][STALL.name] = {"runs": 3, "cpu_us": 10.0, "best_per_second": 100_000.0, "server_cpu_us": 2.0}
    shown = document.sections(results, "a.json")["grid"]
    assert f"| `{STALL.name}` | 3 | 10.0 | 100,000 |  |  |  |  |  |  | 2.0 | 20 |" in shown


def test_what_the_file_lacks_is_not_measured(results: dict[str, Any]) -> None:
    found = by_name(results)
    for name in ("watch-msgspec", "list-json", "memory", "store", "notifications"):
        assert (found[name].value, found[name].verdict) == (None, "not measured")
    assert {row.verdict for row in rows({})} == {"not measured"}


@pytest.mark.parametrize("higher", [True, False])
def test_a_bound_is_inclusive(higher: bool) -> None:
    def verdict(value: float) -> str:
        return Row("", "", "", value, 10, 20 if higher else 5, higher, "").verdict

    met, missed, aim = (10, 9.9, 20) if higher else (10, 10.1, 5)
    assert [verdict(met), verdict(missed), verdict(aim)] == ["met", "missed", "aim"]
    assert Row("", "", "", 1.0, None, None, higher, "").verdict == ""


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(None, "x", ""), (2.5, "x", "2.5x"), (0.0, "", "0"), (1234567.8, "/s", "1,234,568/s"), (0.125, " ms", "0.12 ms")],
)
def test_numbers_are_short(value: float | None, unit: str, shown: str) -> None:
    assert number(value, unit) == shown


def test_the_summary_shows_cells_and_verdicts(results: dict[str, Any]) -> None:
    shown = summary.render({**results, "ratios": [], "figures": [row.as_record() for row in rows(results)]})
    assert STALL.name in shown
    assert "not measured" in shown
    assert "missed" in shown


def test_plots_are_drawings_of_what_is_there(results: dict[str, Any]) -> None:
    drawings = plots.plots(results)
    assert set(drawings) == {"list-cpu.svg", "memory.svg", "objects.svg", "size.svg", "axes.svg"} - {"size.svg"}
    for drawing in drawings.values():
        ElementTree.fromstring(drawing)
    assert "reader" not in drawings["list-cpu.svg"]
    assert drawings == plots.plots(results)
    assert plots.plots({**results, "wire": [], "cells": {}}) == {}


def test_bars_are_as_long_as_their_values() -> None:
    drawing = bars(
        "<title>", "where", [Bar("a & b", 10.0, True, "10"), Bar("c", 5.0, False, "5"), Bar("d", 0, False, "0")]
    )
    namespace = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.get("width", 0)) for bar in ElementTree.fromstring(drawing).iter(f"{namespace}rect")][1:]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.1)
    assert widths[2] == 1.0


def test_the_document_is_filled_between_its_markers_and_checked(tmp_path: Path, results: dict[str, Any]) -> None:
    page, folder = tmp_path / "performance.md", tmp_path / "performance"
    shutil.copy(document.DOCUMENT, page)
    filled = document.fill(page.read_text(), document.sections(results, "a.json"))
    page.write_text(filled)
    plots.write(plots.plots(results), folder)
    assert document.problems(page, folder, results, "a.json") == []
    assert document.fill(filled, document.sections(results, "a.json")) == filled
    assert "| missed |" not in filled
    assert "**missed**" in filled
    assert "- store: 0.50 times as fast as pure Python (kubeinformer)." in filled
    assert "so not known: " in filled
    assert "watch to a trivial handler, CPU, against client-go with protobuf; " in filled
    assert "Not in this file: official; " in filled
    assert "## How to repeat it" in filled
    page.write_text(filled.replace("3x", "4x", 1))
    (folder / "old.svg").write_text("")
    assert len(document.problems(page, folder, results, "a.json")) == 2
    plots.write(plots.plots(results), folder)
    assert not (folder / "old.svg").exists()


def test_a_document_without_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no <!-- figures"):
        document.fill("text", {"figures": "table"})


def test_the_newest_results_are_those_of_the_last_date(tmp_path: Path) -> None:
    for name in ("2026-01-31-z.json", "2026-11-02-a.json", "2025-12-31-z.json"):
        (tmp_path / name).touch()
    assert results_file.newest(tmp_path).name == "2026-11-02-a.json"
    with pytest.raises(FileNotFoundError):
        results_file.newest(tmp_path / "nothing")


def test_stages_read_what_the_programs_print() -> None:
    printed = "2000 pods of 8244 bytes\nscan alone (with UTF-8 check)    1.095 us/object\nan object: 5 bytes\n"
    printed += "queue, plan, commit, listener     10 % change a value     662\n 100000  first list  787 ns an object\n"
    assert parse(printed) == {
        "scan alone (with UTF-8 check)": 1.095,
        "queue, plan, commit, listener 10 % change a value": 0.662,
    }
    line = next(stage for stage in STAGES if stage.line.startswith("queue"))
    assert line.measured({"stages": {f"store_bench: {line.line}": 0.5}}) == 0.5
    assert all(stage.measured({}) is None for stage in STAGES)


def test_a_peer_without_its_toolchain_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    native_peers.build.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert native_peers.available() == []
    assert native_peers.protobuf_file(1, 1) is None
    assert capsys.readouterr().err.count("skipped") == 2
    native_peers.build.cache_clear()


def test_protobuf_goes_to_who_asks_for_it_first(tmp_path: Path) -> None:
    import urllib3

    file = tmp_path / "pods.protobuf"
    file.write_bytes(b"".join(kind + b"\x03\x00\x00\x00" + 3 * kind for kind in (b"M", b"L", b"B", b"A", b"L")))
    server = WireServer(Scenario(2, 0), protobuf=ProtobufScenario(file))
    server.start()
    kind = "application/vnd.kubernetes.protobuf"
    asked = {
        accept: urllib3.request("GET", f"{server.url}/api/v1/pods", headers={"Accept": accept})
        for accept in (f"{kind},application/json", f"application/json,{kind}")
    }
    server.close()
    first, second = asked.values()
    assert (first.headers["Content-Type"], first.data) == (kind, b"LLLLLL")
    assert second.json()["kind"] == "PodList"
