"""The search for the programs, on stand-ins for Go and the programs: order, build, and what is said without them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from .binaries import Binaries, BinariesUnavailableError, cache_folder, find, find_or_build
from .cluster import Access

REPOSITORY = Path(__file__).resolve().parents[2]


def executable(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return path


def fake_go(folder: Path, then: str) -> str:
    """Put a Go there that logs its output path, writes a part of the program, and goes on with ``then``."""
    executable(
        folder / "go",
        'while [ "$1" != "-o" ]; do shift; done\n'
        f'echo "${{2##*/}}" >> "{folder}/calls"\n'
        f'echo "half" > "$2"; chmod 755 "$2"\n{then}\n',
    )
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_each_program_is_taken_from_the_first_place_that_is_named(tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert find(env) is None
    cached = [executable(cache_folder(env) / name) for name in ("etcd", "kube-apiserver")]
    assert find(env) == Binaries(*cached)
    assets = [executable(tmp_path / "assets" / name) for name in ("etcd", "kube-apiserver")]
    env["KUBEBUILDER_ASSETS"] = str(tmp_path / "assets")
    assert find(env) == Binaries(*assets)
    env["TEST_ASSET_KUBE_APISERVER"] = str(executable(tmp_path / "own-server"))
    assert find(env) == Binaries(assets[0], tmp_path / "own-server")
    env["TEST_ASSET_ETCD"] = str(executable(tmp_path / "own-etcd"))
    assert find(env) == Binaries(tmp_path / "own-etcd", tmp_path / "own-server")


@pytest.mark.parametrize("variable", ["TEST_ASSET_ETCD", "TEST_ASSET_KUBE_APISERVER", "KUBEBUILDER_ASSETS"])
def test_a_variable_that_names_no_program_is_an_error(tmp_path: Path, variable: str) -> None:
    with pytest.raises(BinariesUnavailableError, match=f"{variable} asks for .*missing.* not an executable"):
        find({variable: str(tmp_path / "missing"), "XDG_CACHE_HOME": str(tmp_path)})


def test_without_go_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(BinariesUnavailableError, match=r"set KUBEBUILDER_ASSETS .* TEST_ASSET_ETCD .* install Go"):
        find_or_build({"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)})


def test_a_failed_or_killed_build_leaves_no_program(tmp_path: Path) -> None:
    for then in ("echo no network; exit 1", "kill -9 $$"):
        env = {"XDG_CACHE_HOME": str(tmp_path), "PATH": fake_go(tmp_path / "bin", then)}
        with pytest.raises(BinariesUnavailableError, match="building etcd failed"):
            find_or_build(env, say=lambda _: None)
        assert find(env) is None
        assert [path.name for path in cache_folder(env).iterdir()] == [".lock"]


def test_builds_at_the_same_time_build_each_program_once(tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path), "PATH": fake_go(tmp_path / "bin", "sleep 0.2")}
    found: list[Binaries] = []
    threads = [threading.Thread(target=lambda: found.append(find_or_build(env, say=lambda _: None))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Binaries(cache_folder(env) / "etcd", cache_folder(env) / "kube-apiserver")] * 3
    assert (tmp_path / "bin" / "calls").read_text().split() == ["etcd", "kube-apiserver"]


def run_pytest(tmp_path: Path, env: dict[str, str]) -> str:
    """Run two tests, one on each fixture, where there is neither Go nor a program; return what pytest printed."""
    tests = Path(__file__).with_name("test_cluster.py")
    chosen = "test_status_is_set_through_its_subresource or test_expire_history"
    base = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_ASSET", "KUBE", "USE_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tests), "-m", "apiserver", "-k", chosen],
        cwd=REPOSITORY,
        env={**base, "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), **env},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout


def test_no_server_skips_and_with_require_fails(tmp_path: Path) -> None:
    skipped = run_pytest(tmp_path, {})
    assert "2 skipped" in skipped
    assert "set KUBEBUILDER_ASSETS to a folder" in skipped
    failed = run_pytest(tmp_path, {"KUBEINFORMER_REQUIRE_APISERVER": "1"})
    assert "2 errors" in failed
    assert "KUBEINFORMER_REQUIRE_APISERVER=1, but no etcd and kube-apiserver: set KUBEBUILDER_ASSETS" in failed


def test_an_existing_cluster_is_used_when_asked_for(tmp_path: Path, cluster: Access) -> None:
    out = run_pytest(tmp_path, {"USE_EXISTING_CLUSTER": "true", "KUBECONFIG": str(cluster.kubeconfig)})
    assert "1 passed, 1 skipped" in out
