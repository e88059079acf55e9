"""The soak runs, and what it is to find it finds: an inequality, a leak, memory that grows."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from apiserver.workload import create_pods
from kubeinformer.testing import APIServer

from . import audience
from .audience import NAMESPACES, Audience
from .resources import GROWTH_MINUTES, WARM_UP_SECONDS, Baseline, Sample, grown
from .sites import Embedded

ROOT = Path(__file__).resolve().parents[2]


def test_a_short_soak_ends_well(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "soak", "--minutes", "0.15", "--server", "embedded", "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    log = (tmp_path / "soak.log").read_text()[-5000:]
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log}"
    assert "every cache was equal at every check, and nothing leaked" in done.stdout
    lines = ElementTree.parse(tmp_path / "soak.svg").findall(".//{http://www.w3.org/2000/svg}polyline")
    assert all(len(line.attrib["points"].split()) > 10 for line in lines)
    assert len(lines) == 3


def test_a_cache_that_differs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "_EQUAL_SECONDS", 1.0)
    site = Embedded()
    try:
        with site.api_client() as api_client, APIServer() as other, other.api_client() as another_client:
            create_pods(api_client, 4, NAMESPACES)
            create_pods(another_client, 5, NAMESPACES)
            informers = Audience(site, seed=1)
            try:
                informers.check(another_client)
                assert len(informers.wrong) == len(audience._KINDS)
                assert "not equal" in informers.wrong[0]
                informers.wrong.clear()
                monkeypatch.setattr(audience, "_EQUAL_SECONDS", 30.0)
                assert informers.check(api_client) == 4
            finally:
                informers.close()
            assert informers.wrong == []
    finally:
        site.close()


def test_what_is_left_over_is_told() -> None:
    before, over = Baseline.take(), threading.Event()
    # More than an earlier test's connections and threads that end meanwhile could hide.
    left = [socket.socket() for _ in range(50)]
    waiting = [threading.Thread(target=over.wait, name="left-over") for _ in range(50)]
    for thread in waiting:
        thread.start()
    threads, descriptors = before.leaked(timeout=0)
    assert "left-over" in threads
    assert descriptors.endswith(" socket")
    for sock in left:
        sock.close()
    over.set()
    assert before.leaked() == []


def test_memory_that_grows_is_told_of_a_long_soak_only() -> None:
    begin = int(WARM_UP_SECONDS)
    before = [Sample(at, 10, 1, 1) for at in range(begin)]
    samples = before + [Sample(begin + at, 100 + at // 30 * 3, 1, 1) for at in range(90)]
    assert grown(samples, GROWTH_MINUTES) == ["memory grew from 0.0 to 0.0 MB, by more than 5%"]
    assert grown(samples, GROWTH_MINUTES - 1) == []
    flat = before + [Sample(begin + at, 100 + at // 30 * 2, 1, 1) for at in range(90)]
    assert grown(flat, GROWTH_MINUTES) == []
