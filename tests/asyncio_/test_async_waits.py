"""`async with factory.running()` and the waits that are awaited: what they answer, and that nothing polls or blocks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from informer_support import informer_threads
from loop_support import AsyncRecorder, eventually, run

from kubeinformer import CacheSyncTimeoutError, ClosedError, SharedInformerFactory, wait_for_async
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_the_block_starts_waits_and_shuts_down(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a"))

    async def main() -> None:
        pods = factory.core().v1().pods()
        async with factory.running(timeout=10) as running:
            assert running is factory
            assert pods.informer().has_synced()
            assert pods.lister().pods("default").get("a").name == "a"
            nodes = factory.core().v1().nodes().informer()
            assert await factory.wait_for_cache_sync_async(10) == {"pods": True, "nodes": True}
            assert nodes.has_synced()
        assert informer_threads() == []
        with pytest.raises(ClosedError):
            async with factory.running():
                pass

    run(main)


def test_the_timeout_names_what_is_missing(server: APIServer, make_factory: Make) -> None:
    server.faults.stall(times=None)

    async def main() -> None:
        factory = make_factory()
        informer = factory.core().v1().pods().informer()
        with pytest.raises(CacheSyncTimeoutError, match=r"caches not synced after 0\.05 s: pods"):
            async with factory.running(timeout=0.05):
                pass
        assert not await informer.wait_for_cache_sync_async(), "it was stopped"
        assert not await informer.wait_for_resource_version_async("5")

    run(main)


def test_a_lasting_refusal_ends_the_wait(server: APIServer, make_factory: Make, quick_backoff: None) -> None:
    server.faults.respond(403, times=None)

    async def main() -> None:
        factory = make_factory()
        factory.core().v1().pods()
        with pytest.raises(CacheSyncTimeoutError, match="the server refuses"):
            async with factory.running():
                pass

    run(main)


def test_a_stop_ends_the_wait(server: APIServer, make_factory: Make) -> None:
    server.faults.stall(times=None)
    stop = threading.Event()

    async def main() -> None:
        factory = make_factory()
        factory.core().v1().pods()
        factory.start(stop)
        waiting = asyncio.ensure_future(factory.wait_for_cache_sync_async())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        stop.set()
        assert await waiting == {"pods": False}

    run(main)


def test_a_wait_that_is_cancelled_ends_the_block(server: APIServer, make_factory: Make) -> None:
    server.faults.stall(times=None)

    async def main() -> None:
        factory = make_factory()
        factory.core().v1().pods()

        async def block() -> None:
            async with factory.running():
                pass

        blocked = asyncio.ensure_future(block())
        await eventually(informer_threads, "it runs")
        blocked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await blocked
        assert informer_threads() == []

    run(main)


def test_the_wait_for_a_version_reads_what_was_written(server: APIServer, factory: SharedInformerFactory) -> None:
    async def main() -> None:
        pods = factory.core().v1().pods()
        informer = pods.informer()
        async with factory.running(timeout=10):
            with pytest.raises(ValueError, match="resource_version"):
                await informer.wait_for_resource_version_async("x")
            for number in range(50):
                server.create(pod(f"web-{number}"))
                assert await informer.wait_for_resource_version_async(server.resource_version, timeout=10)
                assert pods.lister().pods("default").get(f"web-{number}")
            later = str(int(server.resource_version) + 1)
            assert not await informer.wait_for_resource_version_async(later, timeout=0.02)
            waiting = asyncio.ensure_future(informer.wait_for_resource_version_async(later))
            await asyncio.sleep(0.01)
            server.create(pod("last"))
            assert await waiting

    run(main)


def test_the_wait_for_checkers_blocks_no_handler_of_the_loop(server: APIServer, factory: SharedInformerFactory) -> None:
    for number in range(10):
        server.create(pod(f"web-{number}"))

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        recorder = AsyncRecorder()
        registration = informer.add_event_handler(recorder)
        checkers = informer.has_synced_checker(), registration.has_synced_checker()
        unstarted = await wait_for_async("", *checkers, timeout=0.01)
        assert not any(unstarted.synced.values())
        assert isinstance(unstarted.cause, TimeoutError)
        factory.start()
        assert await wait_for_async("caches", *checkers, registration.has_synced, timeout=10)
        assert len(recorder.calls) == 10
        with pytest.raises(TypeError, match="has_synced_checker"):
            await wait_for_async("", informer)  # type: ignore[arg-type]
        removed = informer.add_event_handler(AsyncRecorder())
        informer.remove_event_handler(removed)
        assert isinstance((await wait_for_async("", removed.has_synced_checker())).cause, ClosedError)

    run(main)


def test_the_wait_for_checkers_leaves_no_thread_when_it_is_cancelled() -> None:
    asked = threading.Event()

    def never() -> bool:
        asked.set()
        return False

    async def main() -> None:
        waiting = asyncio.ensure_future(wait_for_async("", never))
        await eventually(asked.is_set, "it is asked")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await eventually(lambda: not [name for name in informer_threads() if "wait-for" in name], "its thread ends")

    run(main)


@pytest.fixture
def remote() -> Iterator[APIServer]:
    """A server whose own work is not this process's."""
    with APIServer(process=True) as server:
        yield server


def test_20_idle_coroutine_handlers_and_streams_use_less_than_5_ms_of_cpu_in_2_s(remote: APIServer) -> None:
    for number in range(50):
        remote.create(pod(f"web-{number}"))

    async def main() -> float:
        factory = SharedInformerFactory(remote.api_client(), resync_period=1000)
        informer = factory.core().v1().pods().informer()
        recorders = [AsyncRecorder() for _ in range(20)]
        registrations = [informer.add_event_handler(recorder) for recorder in recorders]
        async with factory.running(timeout=10):
            for registration in registrations:
                await eventually(registration.has_synced, "synced")
            streams = [informer.events() for _ in range(20)]
            for stream in streams:
                for _ in range(50):
                    await anext(stream)
            pulled = [asyncio.ensure_future(anext(stream)) for stream in streams]
            version = asyncio.ensure_future(informer.wait_for_resource_version_async(str(10**9)))
            remote.wait_for_watches(1)
            assert [name for name in informer_threads() if "-handler-" in name] == []
            await asyncio.sleep(0.05)
            begin = time.process_time()
            await asyncio.sleep(2)
            used = time.process_time() - begin
            await asyncio.to_thread(remote.create, pod("late"))
            for recorder in recorders:
                await eventually(lambda recorder=recorder: ("add", "default/late", False) in recorder.calls, "awake")
            assert {event.object.name for event in await asyncio.gather(*pulled)} == {"late"}
            version.cancel()
        return used

    used = run(main, debug=False)
    assert used < 0.005, f"{used * 1000:.2f} ms"


def test_one_loop_has_one_descriptor_and_a_closed_loop_none(server: APIServer, factory: SharedInformerFactory) -> None:
    informer = factory.core().v1().pods().informer()

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def main() -> tuple[int, int]:
        before = descriptors()
        waits = [asyncio.ensure_future(informer.wait_for_cache_sync_async()) for _ in range(50)]
        await asyncio.sleep(0.01)
        during = descriptors()
        for wait in waits:
            wait.cancel()
        return before, during

    counts = [run(main) for _ in range(4)]
    assert all(during <= before + 2 for before, during in counts)
    # An earlier test's connections may still be closing meanwhile, so the number may fall but never rise.
    assert counts[-1][0] <= counts[1][0], "what a closed loop had is given back"


CTRL_C = """
    import asyncio, os, signal, sys
    from kubeinformer import SharedInformerFactory, ResourceEventHandlerFuncs
    from kubeinformer.testing import APIServer
    from kubeinformer.testing.objects import pod

    began = asyncio.Event()

    async def added(obj):
        print("added", flush=True)
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            print("cancelled", flush=True)

    async def main():
        with APIServer() as server:
            server.create(pod("a"))
            factory = SharedInformerFactory(server.api_client())
            informer = factory.core().v1().pods().informer()
            informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
            async with factory.running(timeout=10):
                async for event in informer.events():
                    print(event.type, flush=True)
                    await began.wait()
                    os.kill(os.getpid(), signal.SIGINT)

    try:
        asyncio.run(main(), debug=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_ctrl_c_ends_the_program_in_order() -> None:
    program = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CTRL_C)], capture_output=True, text=True, timeout=60, check=False
    )
    assert program.returncode == 0, program.stderr
    said = program.stdout.splitlines()
    assert sorted(said[:2]) == ["ADDED", "added"]
    assert said[2:] == ["cancelled", "interrupted"]
    assert "never retrieved" not in program.stderr
    assert "destroyed" not in program.stderr
