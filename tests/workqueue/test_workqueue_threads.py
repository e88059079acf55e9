"""Many workers: nothing is lost and nothing overlaps; who waits costs nothing and hears Ctrl-C.

`KUBEINFORMER_WORKQUEUE_ITEMS` sets the number of items of the large test (default a million, which takes 2 to 3 s).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from workqueue_support import eventually, threads

from kubeinformer.workqueue import DelayingQueue, Queue, RateLimitingQueue, ShutDown

ITEMS = int(os.environ.get("KUBEINFORMER_WORKQUEUE_ITEMS", "1000000"))
WORKERS = 8


@pytest.fixture
def switch_interval() -> Iterator[Callable[[float], None]]:
    before = sys.getswitchinterval()
    yield sys.setswitchinterval
    sys.setswitchinterval(before)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("items", "seconds"), [(ITEMS, 0.005), (ITEMS // 50, 1e-6)])
def test_each_of_many_items_is_processed_and_never_twice_at_once(
    items: int, seconds: float, switch_interval: Callable[[float], None]
) -> None:
    switch_interval(seconds)
    queue: RateLimitingQueue[str] = RateLimitingQueue()
    # Each worker writes its own list, so the count of each item is exact without a lock.
    processed: list[list[str]] = [[] for _ in range(WORKERS)]
    busy: dict[str, int] = {}
    overlaps = []

    def work(number: int) -> None:
        mine = processed[number]
        while True:
            try:
                item = queue.get()
            except ShutDown:
                return
            if busy.setdefault(item, number) != number:
                overlaps.append(item)
            mine.append(item)
            if busy.pop(item) != number:
                overlaps.append(item)
            queue.done(item)

    def produce(first: int) -> None:
        for number in range(first, items, 2):
            key = f"namespace/{number}"
            if number % 16 == first:
                queue.add_after(key, 0.0001)
            else:
                queue.add(key, -(number % 3))
            if number % 64 == first:
                queue.add_all([key, f"namespace/{number // 2}"])

    works = [lambda number=number: work(number) for number in range(WORKERS)]
    with threads(*works):
        with threads(lambda: produce(0), lambda: produce(1)):
            pass
        eventually(lambda: queue.stats().waiting == 0, "no deadline is left")
        queue.shut_down()
    assert overlaps == []
    seen = {item for mine in processed for item in mine}
    assert len(seen) == items
    stats = queue.stats()
    assert (stats.depth, stats.processing) == (0, 0)
    assert stats.taken == stats.done == stats.adds == sum(map(len, processed))


def test_workers_that_wait_use_no_cpu() -> None:
    queue: DelayingQueue[str] = DelayingQueue()

    def work() -> None:
        with pytest.raises(ShutDown):
            queue.get()

    with threads(*[work] * WORKERS):
        queue.add_after("much later", 3600)
        time.sleep(0.1)
        begin, used = time.monotonic(), time.process_time()
        time.sleep(1)
        used, passed = time.process_time() - used, time.monotonic() - begin
        queue.shut_down()
    assert used <= 0.001 * passed + 0.001, f"{used * 1000:.1f} ms in {passed:.1f} s"


def test_one_deadline_wakes_one_worker() -> None:
    """Eight waiting workers and many deadlines cost as much as the deadlines do, not eight times that."""
    queue: DelayingQueue[int] = DelayingQueue()
    done = []

    def work() -> None:
        while True:
            try:
                item = queue.get()
            except ShutDown:
                return
            done.append(item)
            queue.done(item)

    with threads(*[work] * WORKERS):
        for item in range(200):
            queue.add_after(item, 0.001 * item)
        eventually(lambda: len(done) == 200, "every deadline")
        queue.shut_down()
    assert sorted(done) == list(range(200))


PROGRAM = """
import sys, threading
from kubeinformer.workqueue import RateLimitingQueue, run_workers
queue = RateLimitingQueue()
if sys.argv[1] == "drain":
    queue.add("a")
    queue.get()
call = {
    "get": queue.get,
    "item": queue.item().__enter__,
    "get_batch": lambda: queue.get_batch(5),
    "drain": queue.shut_down_with_drain,
    "run_workers": lambda: run_workers(queue, print),
    "run_workers and stop": lambda: run_workers(queue, print, stop=threading.Event()),
}[sys.argv[1]]
print("waiting", flush=True)
try:
    call()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    assert queue.shutting_down() == (sys.argv[1] in ("drain", "run_workers", "run_workers and stop"))
"""


@pytest.mark.parametrize("call", ["get", "item", "get_batch", "drain", "run_workers", "run_workers and stop"])
def test_ctrl_c_ends_a_blocking_call_within_200_ms(call: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, call], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)  # into the blocking call; earlier would only make the test easier
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        # 200 ms, and what a busy machine needs to run two processes
        assert time.monotonic() - begin < 0.4
        assert process.wait(10) == 0


def test_get_of_another_thread_is_woken_while_the_main_thread_waits() -> None:
    """The main thread waits in slices: a slice that ends must not swallow a wakeup meant for another."""
    queue: Queue[int] = Queue()
    got: list[int] = []

    def work() -> None:
        while (item := queue.get()) >= 0:
            got.append(item)
            queue.done(item)

    with threads(work):
        for item in range(5):
            with pytest.raises(TimeoutError):
                queue.get(timeout=0.001)
            queue.add(item)
            while len(got) <= item:
                try:
                    taken = queue.get(timeout=0.12)
                except TimeoutError:
                    continue
                got.append(taken)
                queue.done(taken)
        queue.add(-1)
    assert sorted(got) == list(range(5))
