"""`async for event in informer.events()`: what it gives, how it ends, and that a cancellation loses nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from loop_support import eventually, run

from kubeinformer import Event, KubeObject, SharedInformerFactory
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_it_gives_the_cache_and_then_what_changes(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a"))
    heard: list[tuple[str, str, bool]] = []

    async def main() -> None:
        async with factory.running(timeout=10):
            informer = factory.core().v1().pods().informer()
            assert await informer.wait_for_cache_sync_async(timeout=10)
            async for event in informer.events():
                heard.append((event.type, event.object.name, event.is_in_initial_list))
                if len(heard) == 1:
                    server.create(pod("b"))
                    server.update(pod("b", phase="Failed"))
                    server.delete("pods", "a")
                if event.type == "MODIFIED":
                    assert event.old is not None
                    assert event.old.get_path("status.phase") != event.object.get_path("status.phase")
                if event.type == "DELETED":
                    break

    run(main)
    assert heard == [("ADDED", "a", True), ("ADDED", "b", False), ("MODIFIED", "b", False), ("DELETED", "a", False)]


def test_it_ends_with_the_timeout_the_stop_and_the_close(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a"))

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        factory.start()
        assert await informer.wait_for_cache_sync_async(10)
        timed = informer.events(timeout=0.05)
        assert [event.object.name async for event in timed] == ["a"]
        assert timed._listener.is_closed()
        closed, stopped = informer.events(), informer.events()
        assert (await anext(closed)).object.name == (await anext(stopped)).object.name == "a"
        waiting = [asyncio.ensure_future(anext(events, None)) for events in (closed, stopped)]
        await asyncio.sleep(0.01)
        closed.close()
        assert await waiting[0] is None
        assert not waiting[1].done()
        informer.stop()
        assert await waiting[1] is None

    run(main)


def test_a_cancellation_loses_no_event_that_was_not_given(server: APIServer, factory: SharedInformerFactory) -> None:
    total, chance = 300, random.Random(7)
    given: list[str] = []

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        async with factory.running(timeout=10):
            events = informer.events()

            async def read() -> None:
                async for event in events:
                    given.append(event.object.name)
                    if len(given) % 7 == 0:
                        await asyncio.sleep(0)

            async def write() -> None:
                for number in range(total):
                    await asyncio.to_thread(server.create, pod(f"web-{number}"))

            writing = asyncio.ensure_future(write())
            cancelled = 0
            while len(given) < total:
                reading = asyncio.ensure_future(read())
                await asyncio.sleep(chance.random() * 0.005)
                cancelled += reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
            await writing
            assert cancelled > 10

    run(main, debug=False)
    assert given == [f"web-{number}" for number in range(total)]


def test_a_wait_that_was_given_up_leaves_nothing_behind(server: APIServer, factory: SharedInformerFactory) -> None:
    async def main() -> None:
        from kubeinformer.cache.loop_waker import LoopWaker

        informer = factory.core().v1().pods().informer()
        async with factory.running(timeout=10):
            events = informer.events()
            waker = LoopWaker.running()
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(events), 0.001)
            assert waker._waiting == {}
            woken: list[list[int]] = []
            loop = asyncio.get_running_loop()
            loop.remove_reader(waker._pipe.fileno())
            server.create(pod("a"))
            await eventually(lambda: events._listener.stats()[0], "it waits in the ring")
            woken.append(waker._pipe.take())
            assert woken == [[]], "nobody is woken for a wait that is over"
            loop.add_reader(waker._pipe.fileno(), waker._woken)
            assert (await anext(events)).object.name == "a"

    run(main)


def test_it_gives_way_to_other_tasks(server: APIServer, factory: SharedInformerFactory) -> None:
    for number in range(200):
        server.create(pod(f"web-{number}"))

    async def main() -> None:
        informer = factory.core().v1().pods().informer()
        ticks: list[int] = []
        seen = 0

        async def tick() -> None:
            while True:
                await asyncio.sleep(0)
                ticks.append(seen)

        async with factory.running(timeout=10):
            ticking = asyncio.ensure_future(tick())
            async for _event in informer.events():
                seen += 1
                until = asyncio.get_running_loop().time() + 0.002
                while asyncio.get_running_loop().time() < until:
                    pass
                if seen == 200:
                    break
            ticking.cancel()
        assert len({count for count in ticks if 0 < count < 200}) > 150

    run(main, debug=False)


def test_typed_events_are_models(server: APIServer, factory: SharedInformerFactory) -> None:
    server.create(pod("a", node="node-1"))

    async def main() -> None:
        informer = factory.core().v1().pods().typed().informer()
        async with factory.running(timeout=10):
            async for event in informer.events():
                assert event.object.spec.node_name == "node-1"
                break

    run(main)


def test_an_event_is_as_it_was_made() -> None:
    obj = KubeObject(b'{"metadata":{"name":"a"}}')
    event: Event[KubeObject] = Event("MODIFIED", obj, obj)
    assert (event["type"], event["object"], event["old"]) == (event.type, event.object, event.old)
    assert not event.is_in_initial_list
    with pytest.raises(KeyError, match="metadata"):
        event["metadata"]  # type: ignore[index]
    with pytest.raises(ValueError, match="type must be"):
        Event("ERROR", obj)
    with pytest.raises(AttributeError):
        event.type = "ADDED"  # type: ignore[misc]
