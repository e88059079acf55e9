"""Stores across `fork()`: those of the parent are unusable in the child, and say so; the child's own work."""

from __future__ import annotations

import os
import select
import signal
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from store_support import KeyedStore, Thing, indexer, values_of

from kubeinformer import ForkedError, KubeObject, Selector
from kubeinformer import index as ready_made
from kubeinformer._core import InformerCore, fork_count

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    # That a process with threads forks is what these tests are about.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def in_child(check: Callable[[], None]) -> None:
    """Run `check` in a forked child, for 30 s at most; what it raises fails the test."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            check()
            status = 0
        except BaseException:
            os.write(write, traceback.format_exc().encode()[:60_000])
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        # The child may hang before its first line: it ends when its end of the pipe is closed, or here.
        ended, _, _ = select.select([pipe], [], [], 30)
        if not ended:
            os.kill(child, signal.SIGKILL)
        report = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert status == 0, report or f"the child hung or was ended: {status}"


USES: list[Callable[[Any], object]] = [
    lambda store: store.add(Thing("b")),
    lambda store: store.update(Thing("b")),
    lambda store: store.delete(Thing("a")),
    lambda store: store.replace([]),
    lambda store: store.get(Thing("a")),
    lambda store: store.get_by_key("a"),
    lambda store: store.list(),
    lambda store: store.list_keys(),
    lambda store: store.index("values", Thing("a", ["x"])),
    lambda store: store.by_index("values", "x"),
    lambda store: store.index_keys("values", "x"),
    lambda store: store.list_index_func_values("values"),
    lambda store: store.get_indexers(),
    lambda store: store.add_indexers({"new": values_of}),
    lambda store: store.index_errors(),
    lambda store: store.bookmark("5"),
    lambda store: store.last_store_sync_resource_version(),
    len,
    lambda store: "a" in store,
]


@pytest.mark.parametrize("make", [indexer, KeyedStore])
def test_store_of_the_parent_is_refused_in_every_use(make: Callable[..., Any]) -> None:
    store = make({"values": values_of})
    store.add(Thing("a", ["x"]))

    def check() -> None:
        for use in USES:
            with pytest.raises(ForkedError, match="forked child"):
                use(store)

    in_child(check)
    assert store.index_keys("values", "x") == ["a"]


def test_transaction_and_core_of_the_parent_are_refused() -> None:
    store, core = indexer(), InformerCore("v1/pods")

    def check() -> None:
        with pytest.raises(ForkedError):
            store.transaction([("Added", Thing("a"))])
        with pytest.raises(ForkedError):
            core.list()

    in_child(check)


@pytest.mark.parametrize("make", [indexer, KeyedStore])
def test_new_store_works_in_the_child_and_in_its_child(make: Callable[..., Any]) -> None:
    parents = make({"values": values_of})
    counts = [fork_count()]

    def check() -> None:
        counts.append(fork_count())
        assert counts[-1] == counts[-2] + 1
        store = make({"values": values_of})
        store.add(Thing("b", ["x"]))
        assert store.index_keys("values", "x") == ["b"]
        if len(counts) < 4:
            in_child(check)
        assert len(store) == 1
        with pytest.raises(ForkedError):
            len(parents)

    in_child(check)


def test_child_touches_no_lock_that_a_thread_of_the_parent_holds() -> None:
    """A child that waits for such a lock waits for ever."""
    store = indexer({"values": values_of})
    things = [Thing(str(number), ["x", str(number % 7)]) for number in range(2000)]
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            store.replace(things)
            store.add(Thing("new", ["x"]))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()

    def check() -> None:
        for use in USES:
            with pytest.raises(ForkedError):
                use(store)

    try:
        for _ in range(50):
            in_child(check)
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_objects_selectors_and_indices_of_the_parent_work_in_the_child() -> None:
    looked_at = KubeObject(b'{"metadata":{"name":"a","labels":{"x":"y"}},"spec":{"z":1}}')
    new = KubeObject(looked_at.raw)
    selector, index = Selector("x=y"), ready_made.path("spec.z")
    view = looked_at["spec"]

    def check() -> None:
        assert view["z"] == looked_at["spec"]["z"] == new["spec"]["z"] == new.get_path("spec.z") == 1
        assert selector.matches(new)
        core = InformerCore("v1/pods")
        core.finish_add_indexers(core.begin_add_indexers({"z": index}), {})
        assert core.declared_values("z", new) == ["1"]

    in_child(check)
