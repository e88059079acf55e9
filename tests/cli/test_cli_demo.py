"""`kubeinformer demo`: it shows, counts and checks; a cache that is not as listed makes it fail."""

from __future__ import annotations

import copy
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from cli_process import COMMAND, PATIENCE, Running, environment, run

from kubeinformer import KubeObject, SharedIndexInformer, SharedInformerFactory, index
from kubeinformer.cli.demo import play, verify
from kubeinformer.cli.demo.fleet import POD_BYTES, pod_of
from kubeinformer.cli.demo.observer import percentile
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod
from kubeinformer.transport import HTTPTransport

NUMBER = r"([\d,]+)"


def _numbers(pattern: str, text: str) -> list[int]:
    found = re.search(pattern, text)
    assert found is not None, text
    return [int(group.replace(",", "")) for group in found.groups()]


def test_it_ends_well_and_with_figures_that_agree(tmp_path: Path) -> None:
    ended = run(tmp_path, "demo", "--pods", "200", "--seconds", "2", FORCE_COLOR="1")
    assert (ended.returncode, ended.stderr) == (0, "")
    text = ended.stdout
    assert all(line.isprintable() for line in text.splitlines())  # no control codes
    for phase in ("starting an API server", "creating pods", "following changes", "comparing with a fresh LIST"):
        assert phase in text
    assert _numbers(f"synced +{NUMBER} pods", text) == [200]
    (written,) = _numbers(rf"changes written +{NUMBER} in", text)
    created, removed, updates, labels = _numbers(
        rf"{NUMBER} pods created, {NUMBER} deleted, {NUMBER} updates, {NUMBER} label changes", text
    )
    assert written == created + removed + updates + labels > 100
    events = _numbers(rf"events handled +{NUMBER}: {NUMBER} added, {NUMBER} modified, {NUMBER} deleted", text)
    assert events == [written, created, updates + labels, removed]
    assert _numbers(rf"cache +{NUMBER} pods on", text) == [200 + created - removed]
    assert re.search(r"check +cache, 3 indices and handler equal a fresh LIST at resourceVersion \d+", text)


def test_ctrl_c_ends_it_and_its_cluster(tmp_path: Path) -> None:
    running = Running(tmp_path, "demo", "--pods", "200", "--seconds", "60")
    try:
        while "following changes" not in running.line():
            pass
        children = _children(running.process.pid)
        assert children
        ended = running.interrupt()
        assert (ended.status, ended.stderr) == (130, [])
        assert ended.seconds < 2
        assert not any(line.startswith("check") for line in ended.stdout)
        deadline = time.monotonic() + PATIENCE
        while any(_runs(child) for child in children):
            assert time.monotonic() < deadline, "a process is left behind"
    finally:
        running.kill()


def test_ctrl_c_of_a_terminal_reaches_every_process_and_only_one_ends(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--pods", "200", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
        start_new_session=True,
    )
    assert process.stdout is not None
    while "following changes" not in process.stdout.readline():
        assert process.poll() is None
    children = _children(process.pid)
    assert children
    assert all(_ignores(child, signal.SIGINT) for child in children)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (130, "")


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--pods", "20", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def _ignores(pid: int, number: int) -> bool:
    ignored = re.search(r"SigIgn:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    assert ignored is not None
    return bool(int(ignored[1], 16) >> (number - 1) & 1)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_terminal_gets_a_live_screen_that_goes_away(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environ = {**environment(tmp_path), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        [*COMMAND, "demo", "--pods", "50", "--seconds", "1"], stdout=slave, stderr=slave, stdin=slave, env=environ
    )
    os.close(slave)
    text = b"".join(_read(master)).decode("utf-8", "replace")
    assert process.wait(PATIENCE) == 0
    live, _, summary = text.rpartition("\x1b[?25h")
    assert "\x1b[?25l" in live  # the cursor is hidden, and shown again
    for shown in ("kubeinformer demo", "following changes", "track=canary", "node-0", "latency"):
        assert shown in live
    assert "equal a fresh LIST" in summary


def _read(descriptor: int) -> Iterator[bytes]:
    try:
        while data := os.read(descriptor, 65536):
            yield data
    except OSError:  # how Linux says that the other end of a terminal is closed
        pass
    finally:
        os.close(descriptor)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import kubeinformer.cli.errors as errors; errors.find_spec = lambda name: None\n"
        "from kubeinformer.cli import main; raise SystemExit(main(['demo']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment(tmp_path)
    )
    assert ended.returncode == 2
    assert ended.stderr == "kubeinformer: the demo needs rich and aiohttp: pip install 'kubeinformer[cli]'\n"


def test_a_difference_makes_it_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def tampered(transport: Any) -> verify.Listing:
        listing = verify.list_pods(transport)
        listing.objects.popitem()
        return listing

    monkeypatch.setattr(play, "list_pods", tampered)
    assert play.Play(pods=20, seconds=0.2, rate=100).run() == 1
    text = capsys.readouterr().out
    assert "check             FAILED against a fresh LIST" in text
    assert "which is not listed" in text


@pytest.fixture
def informer(server: APIServer) -> Iterator[SharedIndexInformer[KubeObject]]:
    for number in range(6):
        server.create(pod(f"web-{number}", node=f"node-{number % 2}", owner="web", size=4096))
    factory = SharedInformerFactory(server.api_client())
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"node": "spec.nodeName", "owner": index.controller_owner(), "app": "metadata.labels.app"})
    with factory.running(timeout=PATIENCE):
        yield informer


def test_the_check_sees_every_kind_of_difference(server: APIServer, informer: SharedIndexInformer[KubeObject]) -> None:
    listing = verify.list_pods(HTTPTransport(server.api_client()))
    versions = {key: item["metadata"]["resourceVersion"] for key, item in listing.objects.items()}
    assert len(listing.objects) == 6
    assert listing.version == int(server.resource_version)
    assert verify.differences(listing, informer, versions) == []

    def with_objects(change: Any) -> list[str]:
        objects = copy.deepcopy(listing.objects)
        change(objects)
        return verify.differences(verify.Listing(listing.version, objects), informer, versions)

    assert "the cache has default/web-0, which is not listed" in with_objects(lambda o: o.pop("default/web-0"))
    assert "the cache lacks default/new" in with_objects(
        lambda o: o.update({"default/new": copy.deepcopy(o["default/web-0"])})
    )
    assert with_objects(lambda o: o["default/web-1"]["spec"].update(dnsPolicy="None")) == [
        "the cache has another default/web-1"
    ]
    moved = with_objects(lambda o: o["default/web-1"]["spec"].update(nodeName="node-0"))
    assert "the index node has another node-0" in moved
    assert "the index node has another node-1" in moved
    orphan = with_objects(lambda o: o["default/web-1"]["metadata"].pop("ownerReferences"))
    assert "the index owner has another default/ReplicaSet/web" in orphan
    renamed = with_objects(lambda o: o["default/web-1"]["metadata"]["labels"].update(app="api"))
    assert "the index app lacks api" in renamed
    assert verify.differences(listing, informer, {**versions, "default/web-2": "1"}) == [
        "the handler's replica has another default/web-2"
    ]
    many = verify.differences(listing, informer, {})
    assert many[-1] == "the handler's replica: 1 more"


def test_pods_of_the_fleet_are_realistic_and_always_the_same() -> None:
    first = [pod_of(number) for number in range(50)]
    assert first == [pod_of(number) for number in range(50)]
    assert len({(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in first}) == 50
    assert all(abs(len(orjson.dumps(pod)) / POD_BYTES - 1) < 0.02 for pod in first)
    assert len({pod["spec"]["nodeName"] for pod in first}) > 10
    assert len({pod["metadata"]["labels"]["app"] for pod in first}) > 5


def test_percentiles() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (51.0, 100.0, 100.0)
    assert percentile([], 0.5) == 0.0
