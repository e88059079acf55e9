"""The peers that are not Python: client-go and kube-rs, built when they are asked for and Go and Cargo are there.

Invariant: they are driven over the same socket as the others and print the same JSON; a missing toolchain, or a build
that fails, is a line on standard error and no error. What is built lies in `target/benches`, outside every other build.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benches import pods
from benches.pod_template import PodTemplate
from benches.wire_streams import list_version

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "benches" / "peers"
BUILT = ROOT / "target" / "benches"
BUILD_SECONDS = 1200


@dataclass(frozen=True)
class NativePeer:
    """One configuration of a program."""

    program: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, binary: Path, case: str, url: str, count: int, events: int) -> list[str]:
        if self.program == "kube_rs":
            return [str(binary), case, url, *self.arguments, str(count), str(events)]
        node = pods.node_of(0, 0)
        on_node = str(pods.count_on_node(node, count))
        return [str(binary), case, url, *self.arguments, str(count), str(events), node, on_node]


_LIST = {"KUBE_FEATURE_WatchListClient": "false"}
_WATCH_LIST = {"KUBE_FEATURE_WatchListClient": "true"}

PEERS = {
    "client-go protobuf": NativePeer("client_go", ("protobuf",), _LIST),
    "client-go protobuf, watch-list": NativePeer("client_go", ("protobuf",), _WATCH_LIST),
    "client-go protobuf, GOGC=400": NativePeer("client_go", ("protobuf",), {**_LIST, "GOGC": "400"}),
    "client-go JSON": NativePeer("client_go", ("json",), _LIST),
    "kube-rs": NativePeer("kube_rs", ("list",)),
    "kube-rs, watch-list": NativePeer("kube_rs", ("watch-list",)),
}
NAMES = tuple(PEERS)


def available() -> list[str]:
    """The peers whose programs there are now, after building them."""
    return [name for name, peer in PEERS.items() if build(peer.program) is not None]


@cache
def build(program: str) -> Path | None:
    """The program, built if its sources are newer; None if that is not possible here, which is said once."""
    tool = {"client_go": "go", "kube_rs": "cargo"}[program]
    if shutil.which(tool) is None:
        print(f"  {program}: skipped, {tool} is not installed", file=sys.stderr)
        return None
    source, target = SOURCES / program, BUILT / program
    target.mkdir(parents=True, exist_ok=True)
    if program == "client_go":
        binary = target / "client_go"
        command = ["go", "build", "-mod=readonly", "-o", str(binary), "."]
    else:
        binary = target / "release" / "kube-rs-peer"
        command = ["cargo", "build", "--release", "--locked", "--quiet"]
    # What shapes the project's own build must not shape this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARGO_PROFILE_")}
    environment["CARGO_TARGET_DIR"] = str(target)
    try:
        subprocess.run(command, cwd=source, env=environment, check=True, timeout=BUILD_SECONDS, stdout=sys.stderr)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"  {program}: skipped, {error}", file=sys.stderr)
        return None
    return binary


def measure(name: str, case: str, url: str, count: int, events: int, *, core: int, timeout: float) -> dict[str, Any]:
    """One run, as `runner.python` makes one of a Python peer; CalledProcessError if the peer failed a check."""
    peer = PEERS[name]
    binary = build(peer.program)
    if binary is None:
        raise FileNotFoundError(f"{peer.program} is not built")
    output = subprocess.run(
        peer.command(binary, case, url, count, events),
        env={**os.environ, **peer.environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    measured: dict[str, Any] = json.loads(output.stdout)
    measured["per_second"] = measured["objects"] / measured["seconds"]
    return {"peer": name, "case": case, **measured}


def protobuf_file(count: int, events: int, kilobytes: pods.Kilobytes = 8, *, watch_list: bool = False) -> Path | None:
    """What the wire server sends as protobuf, made once and kept until another one is; None without Go."""
    binary = build("client_go")
    if binary is None:
        return None
    made_by = b"".join((ROOT / "benches" / name).read_bytes() for name in ("pods.py", "pod_template.py"))
    made_by += (SOURCES / "client_go" / "encode.go").read_bytes()
    digest = hashlib.sha256(made_by).hexdigest()[:12]
    way = "watch-list" if watch_list else "list"
    file = BUILT / f"pods-{count}-{events}-{kilobytes}k-{way}-{digest}.protobuf"
    if file.is_file():
        return file
    # They are large.
    for other in BUILT.glob("pods-*.protobuf"):
        other.unlink()
    render = PodTemplate(kilobytes).render
    unfinished = file.with_suffix(".part")
    command = [str(binary), "encode", str(unfinished), str(count), list_version(0), way]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        for i in range(count):
            encoder.stdin.write(render(i) + b"\n")
        for n in range(events):
            version, i = divmod(n, count)
            encoder.stdin.write(render(i, version + 1) + b"\n")
        encoder.stdin.close()
    if encoder.returncode:
        raise subprocess.CalledProcessError(encoder.returncode, command)
    unfinished.rename(file)
    return file
