"""The grid is what it says, a run can go on where it stood, and a cell that lost something is an error."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benches.cells import AXES, FIGURES, OBJECTS, RIVALS, Cell, default, full, parse
from benches.figure_run import MEASUREMENTS
from benches.pod_template import PodTemplate
from benches.results_file import ResultsFile, condense
from benches.wire_server import WireServer
from benches.wire_streams import Scenario, list_version
from hypothesis import given
from hypothesis import strategies as st

from benches import cell_run, cells, machine, pods, run, runner

EVENTS = 300


@given(
    st.builds(
        Cell,
        way=st.sampled_from(["list", "watchlist", "watch"]),
        objects=st.integers(1, 10**6),
        kilobytes=st.sampled_from(pods.KILOBYTES),
        handlers=st.integers(0, 9),
        reading=st.integers(0, 9),
        readers=st.integers(0, 9),
        beside=st.sampled_from(["idle", "python", "process"]),
        compressed=st.booleans(),
        peer=st.sampled_from(["kubeinformer", *RIVALS]),
    )
)
def test_a_name_says_everything_about_its_cell(cell: Cell) -> None:
    assert parse(cell.name) == cell


@pytest.mark.parametrize("name", ["", "list", "list-10k-2k-h1-r0-idle", "list-10k-8k-h1-r0-idle "])
def test_what_is_no_cell_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="is no cell"):
        parse(name)


def test_the_default_varies_one_axis_at_a_time() -> None:
    chosen = default()
    assert len(chosen) == len(set(chosen)) < 80
    for cell in chosen:
        centre = Cell(cell.way, peer=cell.peer)
        if cell in FIGURES or cell.peer in RIVALS:
            continue
        changed = [
            name
            for name in ("objects", "kilobytes", "handlers", "readers", "beside")
            if getattr(cell, name) != getattr(centre, name)
        ]
        assert len(changed) <= 1, cell.name
    assert {cell.objects for cell in default(["objects"])} == set(OBJECTS)
    assert set(FIGURES) <= set(chosen)
    assert set(chosen) <= set(full())
    assert set(chosen) == {cell for axis in AXES for cell in default([axis])}


def test_cells_of_one_server_come_together() -> None:
    keys = [(cell.objects, cell.kilobytes, cell.peer == "kubeinformer") for cell in default()]
    assert len(dict.fromkeys(keys)) == sum(key != before for key, before in zip(keys, [None, *keys], strict=False))


@pytest.mark.parametrize("kilobytes", pods.KILOBYTES)
def test_a_template_renders_the_very_pods(kilobytes: pods.Kilobytes) -> None:
    template = PodTemplate(kilobytes)
    for i, version in ((0, 0), (7, 1), (9_999, 20), (499_999, 6)):
        rendered = template.render(i, version)
        assert rendered == pods.render(pods.pod(i, version, kilobytes))
        assert len(rendered) == kilobytes * 1024


def test_what_is_not_held_is_rendered_while_it_is_sent() -> None:
    held, not_held = Scenario(30, 50), Scenario(30, 50, hold_bytes=1000)
    assert (held.held, not_held.held) == (True, False)
    for stream in ("list", "initial", "live"):
        for _ in range(2):
            assert b"".join(getattr(not_held, stream)) == b"".join(getattr(held, stream))


@pytest.fixture
def url() -> Iterator[str]:
    server = WireServer(Scenario(40, EVENTS, 1))
    server.start()
    yield server.url
    server.close()


SMALL = Cell("list", 40, 1)


@pytest.mark.parametrize(
    "cell",
    [
        SMALL,
        replace(SMALL, way="watchlist", handlers=2, reading=1, readers=1),
        replace(SMALL, handlers=0, readers=1, beside="python"),
    ],
    ids=lambda cell: cell.name,
)
def test_a_cell_is_measured_in_a_process_of_its_own(url: str, cell: Cell) -> None:
    """The process itself checks that the cache is full, the index right and every handler called."""
    result = runner.cell(cell, url)
    assert result["objects"] == 40
    assert 0 < result["seconds_to_sync"] <= result["seconds"]
    assert result["server_cpu_us"] >= 0
    assert (result["reads"] > 0) <= (cell.readers > 0)


def test_a_watch_is_measured_to_its_last_event(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cells._EVENTS, 1, EVENTS)
    result = cell_run.measure(replace(SMALL, way="watch", handlers=2), url)
    assert result["objects"] == EVENTS


def test_a_cell_that_lacks_an_object_is_an_error(url: str) -> None:
    with pytest.raises(AssertionError, match="40 of 41"):
        cell_run.measure(replace(SMALL, objects=41, handlers=0), url)


def test_what_this_build_lacks_is_said(url: str) -> None:
    with pytest.raises(cell_run.Unsupported, match="no_such_option"):
        cell_run.options(no_such_option=1)


def test_a_relist_is_told_by_a_410_and_ends_with_a_new_version(url: str) -> None:
    result = MEASUREMENTS["relist"].run(url, SMALL)
    assert result["notifications"] == 0
    assert result["reads"] > 0
    assert cell_run.lists_so_far(url) == 2
    assert list_version(1) > list_version(0)
    result = MEASUREMENTS["relist-watchlist"].run(url, replace(SMALL, way="watchlist"))
    assert result["notifications"] == 0
    assert cell_run.lists_so_far(url) == 4


def test_a_selector_finds_what_scans_find(url: str) -> None:
    assert MEASUREMENTS["selector"].run(url, SMALL)["objects"] == 1


def test_runs_are_condensed_to_medians_and_to_best_and_worst() -> None:
    runs = [
        {
            "objects": 10,
            "per_second": 5.0,
            "cpu_seconds": 2e-5,
            "stall_ms": 1.0,
            "baseline_stall_ms": 2.0,
            "none": None,
        },
        {
            "objects": 10,
            "per_second": 9.0,
            "cpu_seconds": 1e-5,
            "stall_ms": 7.0,
            "baseline_stall_ms": 2.0,
            "none": None,
        },
        {"objects": 10, "per_second": 6.0, "cpu_seconds": 4e-5, "stall_ms": 3.0, "baseline_stall_ms": 2.0, "none": 8},
    ]
    found = condense(runs)
    assert (found["runs"], found["per_second"], found["best_per_second"]) == (3, 6.0, 9.0)
    assert found["cpu_us"] == pytest.approx(1.0)
    assert (found["stall_ms"], found["worst_stall_ms"], found["baseline_stall_ms"]) == (3.0, 7.0, 2.0)
    assert found["none"] == 8
    assert condense([{"unsupported": "it"}] * 2) == {"unsupported": "it"}


def test_a_run_goes_on_where_it_stood(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    first = ResultsFile(file, resume=False)
    first.put("store", [{"row": "objects"}])
    first.put_cell("a", {"seconds": 1})
    first.put_cell("b", {"error": "it failed"})
    again = ResultsFile(file, resume=True)
    assert again.has("store")
    assert not again.has("wire")
    assert [again.has_cell(name) for name in ("a", "b", "c")] == [True, False, False]
    assert not ResultsFile(file, resume=False).has("store")


def test_a_run_does_not_go_on_with_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "results.json"
    versions = {"python": "3.11", "kubeinformer": "1", "commit": "abc"}
    monkeypatch.setattr(machine, "versions", lambda: dict(versions))
    ResultsFile(file, resume=False).put("store", [])
    versions["commit"] = "abc-dirty"  # by the results file itself
    ResultsFile(file, resume=True)
    versions["commit"] = "def"
    with pytest.raises(ValueError, match="made with commit abc, and now it is def"):
        ResultsFile(file, resume=True)


def test_a_failure_is_noted_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = ResultsFile(tmp_path / "results.json", resume=False)

    def fails_once(cell: Cell, url: str) -> dict[str, Any]:
        if cell.handlers == 0:
            raise subprocess.CalledProcessError(1, "it")
        return {"objects": cell.objects, "per_second": 1.0, "cpu_seconds": 1.0}

    monkeypatch.setattr(runner, "cell", fails_once)
    wanted = [replace(SMALL, handlers=count) for count in (0, 1)]
    run.run_cells(results, wanted, 1, lambda: False)
    written = json.loads(results.path.read_text())["cells"]
    assert [sorted(written[cell.name].keys() & {"error", "cpu_us"}) for cell in wanted] == [["error"], ["cpu_us"]]
    run.run_cells(results, wanted, 1, lambda: True)
    assert json.loads(results.path.read_text())["cells"] == written
