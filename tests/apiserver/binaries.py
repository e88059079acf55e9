"""Where the real etcd and kube-apiserver come from: an executable is returned iff it is complete.

Each program is looked for on its own, in the order of controller-runtime's envtest:

1. ``TEST_ASSET_ETCD`` / ``TEST_ASSET_KUBE_APISERVER``, full paths;
2. ``KUBEBUILDER_ASSETS``, a folder with ``etcd`` and ``kube-apiserver``;
3. the cache folder, ``$XDG_CACHE_HOME`` (or ``~/.cache``) ``/kubeinformer/apiserver-<hash of go.sum>``;
4. a build with Go from go.mod beside this file, into that cache folder (four to eight minutes on two cores, once).

What a variable names must exist: a wrong path is an error, not a reason to look further.

``python tests/apiserver/binaries.py`` does the same from the command line and prints the two paths.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).resolve().parent
KUBERNETES_VERSION = "v1.37.2"
_MAJOR, _MINOR = KUBERNETES_VERSION.removeprefix("v").split(".")[:2]
_VERSION_PACKAGE = "k8s.io/component-base/version"

# Without these the server says v0.0.0-master to whoever asks /version.
_VERSION_FLAGS = (
    f"-X {_VERSION_PACKAGE}.gitVersion={KUBERNETES_VERSION}"
    f" -X {_VERSION_PACKAGE}.gitMajor={_MAJOR} -X {_VERSION_PACKAGE}.gitMinor={_MINOR}"
)


@dataclass(frozen=True)
class Program:
    """One program: its file name, the variable that may name it, and how Go builds it."""

    name: str
    variable: str
    package: str
    build_flags: tuple[str, ...]


ETCD = Program("etcd", "TEST_ASSET_ETCD", "go.etcd.io/etcd/server/v3", ("-ldflags=-s -w",))
KUBE_APISERVER = Program(
    "kube-apiserver",
    "TEST_ASSET_KUBE_APISERVER",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    # Profile-guided optimisation would compile every dependency a second time.
    ("-pgo=off", f"-ldflags=-s -w {_VERSION_FLAGS}"),
)


@dataclass(frozen=True)
class Binaries:
    """The two executables."""

    etcd: Path
    kube_apiserver: Path


class BinariesUnavailableError(Exception):
    """There is no etcd or kube-apiserver and none can be built; the message says what to set."""


def cache_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Name the folder of the built programs: another go.sum, another folder."""
    root = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()
    return root / "kubeinformer" / f"apiserver-{digest[:16]}"


def find(env: Mapping[str, str] = os.environ) -> Binaries | None:
    """Return the programs, or None when at least one would have to be built; does not block.

    Raises BinariesUnavailableError when a variable names something that is not an executable file.
    """
    etcd, kube_apiserver = (_find_one(program, env) for program in (ETCD, KUBE_APISERVER))
    return Binaries(etcd, kube_apiserver) if etcd and kube_apiserver else None


def find_or_build(env: Mapping[str, str] = os.environ, *, say: Callable[[str], object] = print) -> Binaries:
    """Return the programs, building what is missing: blocks for minutes then, and says so through ``say``.

    Raises BinariesUnavailableError when there is no Go, the build fails, or a variable names no executable file.
    """
    found = find(env)
    if found is None:
        _build_missing(env, say)
        found = find(env)
        assert found is not None, "a build that succeeded leaves both programs in the cache folder"
    return found


def _find_one(program: Program, env: Mapping[str, str]) -> Path | None:
    if named := env.get(program.variable):
        return _executable(Path(named), program.variable)
    if folder := env.get("KUBEBUILDER_ASSETS"):
        return _executable(Path(folder) / program.name, "KUBEBUILDER_ASSETS")
    cached = cache_folder(env) / program.name
    return cached if cached.is_file() else None


def _executable(path: Path, variable: str) -> Path:
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise BinariesUnavailableError(f"{variable} asks for {path}, which is not an executable file")
    return path.resolve()


def _build_missing(env: Mapping[str, str], say: Callable[[str], object]) -> None:
    go = shutil.which("go", path=env.get("PATH"))
    if go is None:
        raise BinariesUnavailableError(
            "no etcd and kube-apiserver: set KUBEBUILDER_ASSETS to a folder that has both (`setup-envtest use -p path`"
            " prints one), or TEST_ASSET_ETCD and TEST_ASSET_KUBE_APISERVER to their paths, or install Go 1.26 to build"
            " them"
        )
    folder = cache_folder(env)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        # The kernel drops the lock when its holder dies, so a killed build never blocks the next one.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.glob(".build-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for program in (ETCD, KUBE_APISERVER):
            if _find_one(program, env) is None:
                _build(program, go, folder, env, say)


def _build(program: Program, go: str, folder: Path, env: Mapping[str, str], say: Callable[[str], object]) -> None:
    say(f"building {program.name} with {go} into {folder} (once; minutes)")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch:
        output = Path(scratch) / program.name
        command = [go, "build", "-trimpath", *program.build_flags, "-o", str(output), program.package]
        done = subprocess.run(
            command,
            cwd=MODULE,
            env={**env, "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            tail = "\n".join(done.stdout.splitlines()[-20:])
            raise BinariesUnavailableError(
                f"building {program.name} failed; set KUBEBUILDER_ASSETS to a folder that has etcd and kube-apiserver"
                f" to do without a build\n{tail}"
            )
        # The only way into the cache folder, and atomic: no half-written program is ever found there.
        output.rename(folder / program.name)
    say(f"built {program.name} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    try:
        programs = find_or_build(say=lambda text: print(text, file=sys.stderr, flush=True))
    except BinariesUnavailableError as unavailable:
        sys.exit(str(unavailable))
    print(programs.etcd, programs.kube_apiserver, sep="\n")
