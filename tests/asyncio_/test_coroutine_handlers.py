"""Coroutine handlers: one task each, one call at a time, and what ends them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from informer_support import Recorder, informer_threads
from loop_support import AsyncRecorder, eventually, run

from kubeinformer import (
    FilteringResourceEventHandler,
    KubeObject,
    ResourceEventHandlerFuncs,
    SharedInformerFactory,
)
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def churn(server: APIServer, rounds: int = 10) -> None:
    for version in range(rounds):
        for number in range(10):
            server.update(pod(f"web-{number}", annotations={"version": str(version)}))
        server.create(pod("comes-and-goes"))
        server.delete("pods", "comes-and-goes")


def test_it_hears_what_a_sync_handler_hears_one_call_at_a_time_without_a_thread(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for number in range(10):
        server.create(pod(f"web-{number}"))

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        sync, coroutine, late = Recorder(), AsyncRecorder(), AsyncRecorder()
        informer.add_event_handler(sync)
        registration = informer.add_event_handler(coroutine)
        async with factory.running(timeout=10):
            await eventually(registration.has_synced, "synced")
            assert len([name for name in informer_threads() if "-handler-" in name]) == 1
            work = asyncio.to_thread(churn, server)
            informer.add_event_handler(late)
            await work
            assert await registration.wait_for_resource_version_async(server.resource_version, timeout=10)
            assert await informer.wait_for_resource_version_async(server.resource_version, handlers=True, timeout=10)
            assert coroutine.calls == sync.calls
            assert late.state == coroutine.state == sync.state
            assert coroutine.faults == late.faults == sync.faults == []
            assert registration.errors() == 0

    run(main)


def test_a_call_that_raises_is_reported_and_the_next_one_follows(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abcd":
        server.create(pod(name))
    seen: list[str] = []

    async def added(obj: KubeObject) -> None:
        await asyncio.sleep(0)
        seen.append(obj.name)
        if obj.name == "a":
            raise ValueError("no")
        if obj.name == "b":
            raise SystemExit(1)
        if obj.name == "c":
            inner = asyncio.ensure_future(asyncio.sleep(60))
            inner.cancel()
            await inner

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
        async with factory.running(timeout=10):
            await eventually(registration.has_synced, "synced")
            assert registration.errors() == 3
            server.create(pod("e"))
            await eventually(lambda: "e" in seen, "delivery goes on")

    run(main)
    assert sorted(seen) == ["a", "b", "c", "d", "e"]
    for name in "abc":
        assert f"failed on default/{name}" in caplog.text
    assert "was cancelled" not in caplog.text


def test_a_handler_of_both_kinds_of_functions_is_called_on_the_loop(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    server.create(pod("a"))
    threads: list[threading.Thread] = []
    deleted: list[str] = []

    async def added(_obj: KubeObject) -> None:
        threads.append(threading.current_thread())

    def gone(obj: Any) -> None:
        threads.append(threading.current_thread())
        deleted.append(obj.key)

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added, delete_func=gone))
        async with factory.running(timeout=10):
            await eventually(lambda: threads, "the addition")
            server.delete("pods", "a")
            await eventually(lambda: deleted == ["default/a"], "the deletion")
        assert set(threads) == {threading.current_thread()}

    run(main)


def test_a_coroutine_method_of_a_subclass_of_a_ready_made_handler_is_awaited(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    heard: list[str] = []

    class Deletions(ResourceEventHandlerFuncs[KubeObject]):
        async def on_delete(self, obj: Any) -> None:
            await asyncio.sleep(0)
            heard.append(obj.key)

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        registration = informer.add_event_handler(Deletions(add_func=lambda obj: heard.append(obj.name)))
        assert registration.task is not None
        async with factory.running(timeout=10):
            server.create(pod("a"))
            await eventually(lambda: heard == ["a"], "the addition")
            server.delete("pods", "a")
            await eventually(lambda: heard == ["a", "default/a"], "the deletion")

    run(main)


def test_a_filter_before_it_passes_on_what_is_to_be_awaited(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[str, str]] = []

    async def added(obj: KubeObject) -> None:
        await asyncio.sleep(0)
        heard.append(("add", obj.name))

    async def deleted(obj: Any) -> None:
        await asyncio.sleep(0)
        heard.append(("delete", obj.name))

    def is_web(obj: Any) -> bool:
        if obj.labels["app"] == "fails":
            raise ValueError("no")
        return bool(obj.labels["app"] == "web")

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        funcs = ResourceEventHandlerFuncs(add_func=added, delete_func=deleted)
        registration = informer.add_event_handler(FilteringResourceEventHandler(is_web, funcs))
        async with factory.running(timeout=10):
            server.create(pod("a", labels={"app": "fails"}))
            server.update(pod("a", labels={"app": "web"}))
            server.update(pod("a", labels={"app": "db"}))
            await eventually(lambda: heard == [("add", "a"), ("delete", "a")], "both")
            assert registration.errors() == 2

    run(main)
    assert "failed on default/a" in caplog.text


def test_where_no_loop_runs_it_waits_for_the_start(server: APIServer, make_factory: Make) -> None:
    server.create(pod("a"))
    factory = make_factory()
    recorder = AsyncRecorder()
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(recorder)
    with pytest.raises(RuntimeError, match="no event loop runs"):
        factory.start()
    assert informer_threads() == []

    async def main() -> None:
        async with factory.running(timeout=10):
            await eventually(registration.has_synced, "synced")

    run(main)
    assert recorder.names("add") == ["default/a"]
    running = make_factory()
    with running.running(timeout=10):
        late = running.core().v1().pods().informer()
        with pytest.raises(RuntimeError, match="no event loop runs"):
            late.add_event_handler(AsyncRecorder())


def test_a_removal_lets_the_call_under_way_go_on_and_drops_what_waits(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for name in "ab":
        server.create(pod(name))
    begun, ended = [], []

    async def main() -> None:
        gate = asyncio.Event()

        async def added(obj: KubeObject) -> None:
            begun.append(obj.name)
            await gate.wait()
            ended.append(obj.name)

        informer = factory.core().v1().pods().informer()
        registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
        async with factory.running(timeout=10):
            await eventually(lambda: begun, "the first call")
            assert not informer.shut_down_event_handler(registration), "the loop itself does not wait"
            assert not await informer.shut_down_event_handler_async(registration, timeout=0.05)
            gate.set()
            assert await informer.shut_down_event_handler_async(registration, timeout=10)
            assert ended == begun
            assert len(begun) == 1
            assert not registration.thread.is_alive()

    run(main)


def test_it_may_remove_itself_and_is_told_nothing_more(server: APIServer, factory: SharedInformerFactory) -> None:
    for name in "abc":
        server.create(pod(name))
    seen: list[str] = []
    answers: list[bool] = []

    async def added(obj: KubeObject) -> None:
        seen.append(obj.name)
        answers.append(await informer.shut_down_event_handler_async(registration, timeout=10))
        with pytest.raises(RuntimeError, match="cannot wait until it has returned"):
            await registration.wait_for_resource_version_async("1")
        seen.append("ended")

    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))

    async def main() -> None:
        async with factory.running(timeout=10):
            await eventually(lambda: not registration.thread.is_alive(), "its end")

    run(main)
    assert seen[1:] == ["ended"]
    assert answers == [False]
    assert registration.errors() == 0


def test_a_shutdown_cancels_the_call_under_way(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    server.create(pod("a"))
    began: list[str] = []
    ended: list[str] = []

    async def added(obj: KubeObject) -> None:
        began.append(obj.name)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(obj.name)

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
        async with factory.running(timeout=10):
            await eventually(lambda: began, "the call")
        assert ended == ["a"], "it is waited for"
        assert registration.errors() == 0, "that is no failure of the handler"

    run(main)
    assert "was cancelled" not in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True])
def test_it_may_shut_its_factory_down(server: APIServer, factory: SharedInformerFactory, asynchronous: bool) -> None:
    server.create(pod("a"))
    ended: list[str] = []

    async def added(obj: KubeObject) -> None:
        if asynchronous:
            assert await factory.shutdown_async() == []
        else:
            assert factory.shutdown() == []
        await asyncio.sleep(0)
        ended.append(obj.name)

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
        factory.start()
        await eventually(lambda: ended == ["a"], "the call ends")

    run(main)


def test_a_loop_that_ends_before_the_factory_removes_the_handler(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "kubeinformer")
    recorder = AsyncRecorder()
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(recorder)

    async def main() -> None:
        factory.start()
        assert await informer.wait_for_cache_sync_async(10)

    run(main)
    assert not registration.thread.is_alive()
    assert registration.listener.is_closed(), "nothing is collected for it"
    assert "AsyncRecorder was cancelled with its event loop" in caplog.text
    server.create(pod("late"))
    assert informer.wait_for_resource_version(server.resource_version, handlers=True, timeout=10)
    assert recorder.calls == []
    assert factory.shutdown(timeout=10) == []


def test_a_loop_that_ends_at_once_removes_the_handler_too(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """The handler's task is cancelled before its first step."""
    caplog.set_level(logging.WARNING, "kubeinformer")
    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(AsyncRecorder())

    async def main() -> None:
        factory.start()

    run(main)
    assert not registration.thread.is_alive()
    assert registration.listener.is_closed()
    assert "AsyncRecorder was cancelled with its event loop" in caplog.text
    assert factory.shutdown(timeout=10) == []


def test_a_loop_that_is_closed_under_it_hangs_nobody(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a"))
    began: list[str] = []

    async def added(obj: KubeObject) -> None:
        began.append(obj.name)
        await asyncio.sleep(60)

    informer = factory.core().v1().pods().informer()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
        factory.start()
        await eventually(lambda: began, "the call")

    loop.run_until_complete(main())
    assert [name for name in factory.shutdown(timeout=10) if "-handler-" in name], "it stands still, which it says"
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert factory.shutdown(timeout=10) == []


@pytest.mark.parametrize("failure", [None, ValueError("no")])
def test_a_call_that_makes_something_else_of_its_cancellation_does_not_keep_the_loop(
    server: APIServer, factory: SharedInformerFactory, failure: Exception | None
) -> None:
    for name in "ab":
        server.create(pod(name))
    began: list[str] = []

    async def added(obj: KubeObject) -> None:
        began.append(obj.name)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if failure is not None:
                raise failure from None

    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))

    async def main() -> None:
        factory.start()
        await eventually(lambda: began, "the call")

    ending = threading.Thread(target=run, args=(main,), daemon=True)
    ending.start()
    ending.join(20)
    assert not ending.is_alive()
    assert len(began) == 1
    assert registration.errors() == (failure is not None)
    assert registration.listener.is_closed()


def test_a_call_whose_loop_is_gone_is_the_last_one_and_no_failure(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "ab":
        server.create(pod(name))
    began: list[str] = []

    async def added(obj: KubeObject) -> None:
        began.append(obj.name)
        # Only this call has the future: it goes with it, once the loop is closed.
        await asyncio.get_running_loop().create_future()

    informer = factory.core().v1().pods().informer()
    registration = informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))

    async def main() -> None:
        factory.start()
        await eventually(lambda: began, "the call")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert registration.task is not None
    coroutine = registration.task._task.get_coro()  # type: ignore[union-attr]
    coroutine.close()  # type: ignore[union-attr]  # as the collector does
    assert len(began) == 1
    assert registration.errors() == 0
    assert registration.listener.is_closed(), "nothing is collected for it"
    registration.task._task._log_destroy_pending = False  # type: ignore[union-attr]


def test_a_handler_that_never_waits_keeps_no_loop_from_its_other_tasks(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    for number in range(300):
        server.create(pod(f"web-{number}"))
    seen: list[str] = []
    ticks: list[int] = []

    async def added(obj: KubeObject) -> None:
        until = asyncio.get_running_loop().time() + 0.002
        while asyncio.get_running_loop().time() < until:
            pass
        seen.append(obj.name)

    async def tick() -> None:
        while True:
            await asyncio.sleep(0)
            ticks.append(len(seen))

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        informer.add_event_handler(ResourceEventHandlerFuncs(add_func=added))
        async with factory.running(timeout=10):
            ticking = asyncio.ensure_future(tick())
            await eventually(lambda: len(seen) == 300, "all calls")
            ticking.cancel()

    run(main, debug=False)
    assert len({count for count in ticks if 0 < count < 300}) > 250, "after nearly every call"


def test_blocking_the_loop_that_it_needs_is_an_error(server: APIServer, factory: SharedInformerFactory) -> None:
    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        registration = informer.add_event_handler(AsyncRecorder())
        async with factory.running(timeout=10):
            server.create(pod("a"))
            version = server.resource_version
            with pytest.raises(RuntimeError, match="await wait_for_resource_version_async"):
                registration.wait_for_resource_version(version, timeout=10)
            with pytest.raises(RuntimeError, match="await wait_for_resource_version_async"):
                informer.wait_for_resource_version(version, handlers=True, timeout=10)
            assert informer.wait_for_resource_version(version, timeout=10), "the store needs no loop"
            waits = [asyncio.to_thread(registration.wait_for_resource_version, version, 10) for _ in range(2)]
            assert await asyncio.gather(*waits) == [True, True]

    run(main)
