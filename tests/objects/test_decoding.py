"""Lazy decoding: by many threads at once, shared between handles of one version, and with no lock held."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from object_samples import POD, core_with, kube_object, pod


def test_threads_that_look_first_at_the_same_time_see_the_same() -> None:
    objects = [kube_object() for _ in range(300)]
    barrier = threading.Barrier(8, timeout=30)

    def look(_: int) -> list[Any]:
        seen = []
        for obj in objects:
            barrier.wait()
            seen.append((obj["spec"], len(obj), obj.get_path("spec.nodeName"), obj.labels["app"]))
        return seen

    with ThreadPoolExecutor(8) as threads:
        for seen in threads.map(look, range(8)):
            assert seen == [(POD["spec"], len(POD), "node-1", "web")] * len(objects)


def test_threads_share_the_cache_of_a_core() -> None:
    pods = [pod(f"p{number}", number=number, nested=[{"a": number}]) for number in range(50)]
    core = core_with(pods, decode_cache=8)

    def look(seed: int) -> None:
        for step in range(2000):
            number = (seed * 7 + step * (seed + 1)) % len(pods)
            obj = core.get(f"default/p{number}")
            assert obj is not None
            assert obj["spec"]["number"] == number
            assert obj["spec"]["nested"][0]["a"] == number

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(look, range(8)))


@pytest.mark.timeout(30)
def test_finalizer_that_runs_while_decoding_may_look_at_the_same_handle() -> None:
    content = {**POD, "spec": {"list": [[number] for number in range(5000)]}}
    obj = kube_object(content)
    seen: list[Any] = []

    class Cyclic:
        def __init__(self) -> None:
            self.own = self

        def __del__(self) -> None:
            seen.append(obj["spec"]["list"][-1])

    gc.collect()
    thresholds = gc.get_threshold()
    Cyclic()
    gc.set_threshold(100)
    try:
        assert obj["spec"] == content["spec"]
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert seen == [[4999]]


COUNTING = """
import orjson
decoded = 0
loads = orjson.loads
def counting(text):
    global decoded
    decoded += 1
    return loads(text)
orjson.loads = counting

from object_samples import core_with, pod

def decodes(look):
    global decoded
    decoded = 0
    look()
    return decoded
"""


def run(program: str) -> None:
    """Run it in a process of its own: the core keeps the `orjson.loads` that it found first."""
    script = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n{COUNTING}\n{textwrap.dedent(program)}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_handles_of_one_version_decode_once() -> None:
    run(
        """
        core = core_with([pod("a", x=1)])
        handles = [core.get("default/a") for _ in range(8)]
        def look():
            for handle in handles:
                for _ in range(3):
                    assert handle["spec"]["x"] == 1
        assert decodes(look) == 1
        """
    )


def test_handle_keeps_what_it_decoded_without_the_cache() -> None:
    run(
        """
        core = core_with([pod("a", x=1)], decode_cache=0)
        handle = core.get("default/a")
        assert decodes(lambda: (handle["spec"], handle["kind"], len(handle))) == 1
        assert decodes(lambda: [core.get("default/a")["spec"] for _ in range(5)]) == 5
        """
    )


def test_cache_keeps_what_was_looked_at_last() -> None:
    run(
        """
        core = core_with([pod(f"p{number}") for number in range(100)], decode_cache=10)
        def look(*numbers):
            return decodes(lambda: [core.get(f"default/p{number}")["spec"] for number in numbers])

        assert look(*range(100)) == 100
        assert look(*range(95, 100)) == 0
        assert look(*range(90)) == 90
        # One that is looked at between the others stays, however many others there are.
        look(50)
        assert sum(look(number) for number in range(40) for _ in (0, 50) if look(50)) == 0
        # It never holds more than it may.
        look(*range(100))
        assert 5 <= sum(1 - look(number) for number in reversed(range(100))) <= 10
        """
    )


def test_by_default_a_few_objects_are_kept_and_thousands_are_not() -> None:
    run(
        """
        from kubeinformer import ControllerOptions
        for options in ({}, {"decode_cache": ControllerOptions().decode_cache}):
            core = core_with([pod(f"p{number}") for number in range(1000)], **options)
            def look(count):
                return decodes(lambda: [core.get(f"default/p{number}")["spec"] for number in range(count)])

            assert (look(100), look(100)) == (100, 0)
            # Each is something more for the garbage collector to walk.
            assert (look(1000), look(744)) == (900, 744)
        """
    )


def test_attributes_and_paths_decode_nothing_else() -> None:
    run(
        """
        core = core_with([pod("a", x=1, y={"z": [1, 2]})])
        handle = core.get("default/a")
        def look():
            assert (handle.key, handle.uid, handle.resource_version, handle.labels, handle.annotations)
            assert (hash(handle), repr(handle), handle.raw, handle == core.get("default/a"))
        assert decodes(look) == 0
        assert decodes(lambda: handle.get_path("spec.y.z[1]")) == 1
        assert decodes(lambda: handle.get_path("spec.nothing")) == 0
        assert decodes(lambda: core.project(["metadata.name", "spec.x"])) == 2
        """
    )


def test_object_outlives_its_core() -> None:
    core = core_with([pod("a", x=1)])
    obj = core.get("default/a")
    assert obj is not None
    core.stop()
    del core
    assert obj["spec"]["x"] == 1
