"""How `kubeinformer watch` is ended from outside: Ctrl-C and a reader that goes away, at once and without a word."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_process import COMMAND, PATIENCE, Ended, Running, environment

from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import config_map, pod

Watch = Callable[..., Running]

INTERRUPTED, PIPE_CLOSED = 130, 141
AT_ONCE = 0.2
ATTEMPTS = 5


@pytest.fixture
def command(kubeconfig: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `kubeinformer watch` with pipes that the test reads itself, or does not."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*COMMAND, "watch", "--kubeconfig", str(kubeconfig), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(tmp_path),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _fastest(attempt: Callable[[], Ended]) -> float:
    """Seconds of the fastest of some attempts: what is left when other processes do not hold it up."""
    fastest = float("inf")
    for _ in range(ATTEMPTS):
        ended = attempt()
        assert (ended.status, ended.stdout, ended.stderr) == (INTERRUPTED, [], [])
        fastest = min(fastest, ended.seconds)
        if fastest < AT_ONCE:
            break
    return fastest


def test_ctrl_c_while_it_waits_for_events(server: APIServer, watch: Watch) -> None:
    server.create(pod("web-0"))

    def attempt() -> Ended:
        running = watch("pods", "-A")
        running.lines(2)
        return running.interrupt()

    assert _fastest(attempt) < AT_ONCE


def test_ctrl_c_while_the_server_is_silent(server: APIServer, watch: Watch) -> None:
    server.faults.stall(times=None, resource="pods")

    def attempt() -> Ended:
        server.clear_requests()
        running = watch("pods")
        while not any(request.path.endswith("/pods") for request in server.requests):
            assert running.process.poll() is None
        return running.interrupt()

    assert _fastest(attempt) < AT_ONCE


def test_ctrl_c_while_it_waits_to_try_again(server: APIServer, watch: Watch) -> None:
    server.faults.respond(503, times=None, resource="pods", headers={"Retry-After": "60"})

    def attempt() -> Ended:
        running = watch("pods")
        assert "it answers 503" in running.message()
        return running.interrupt()

    assert _fastest(attempt) < AT_ONCE


def test_ctrl_c_while_nobody_reads_the_output(
    server: APIServer, command: Callable[..., subprocess.Popen[bytes]]
) -> None:
    # More than a pipe holds: it blocks in a write, and what it could not write must not hold up its end.
    for number in range(40):
        server.create(config_map(f"large-{number}", data={"text": "x" * 20_000}))
    process = command("cm", "-o", "json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(10_000)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == INTERRUPTED
    assert process.stderr.read() == b""


def test_a_reader_that_goes_away_while_nothing_happens(
    server: APIServer, command: Callable[..., subprocess.Popen[bytes]]
) -> None:
    server.create(pod("web-0"))
    process = command("pods", "-o", "name")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"pod/web-0\n"
    process.stdout.close()
    assert process.wait(PATIENCE) == PIPE_CLOSED
    assert process.stderr.read() == b""


def test_a_reader_that_goes_away_while_it_writes(
    server: APIServer, command: Callable[..., subprocess.Popen[bytes]]
) -> None:
    for number in range(2000):
        server.create(config_map(f"map-{number:04}"))
    process = command("cm")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"EVENT")
    process.stdout.close()
    assert process.wait(PATIENCE) == PIPE_CLOSED
    assert process.stderr.read() == b""
