"""Ctrl-C ends each blocking call of the main thread, one after another in one program that needs no server."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

PROGRAM = """
import threading
from kubeinformer import Resource, ResourceEventHandlerFuncs, wait_for, wait_for_cache_sync, workqueue
from kubeinformer.cache import (
    DeltaFIFO, ListWatch, RealFIFO, Indexer, new_informer, new_reflector, new_shared_index_informer,
    wait_for_named_cache_sync,
)

never = threading.Event()
PODS = Resource("", "v1", "pods", "Pod")
silent = ListWatch(lambda options: never.wait(), lambda options: never.wait())
informer = new_shared_index_informer(silent, PODS)
registration = informer.add_event_handler(ResourceEventHandlerFuncs())
informer.start()
busy = workqueue.Queue()
busy.add("a")
busy.get()
_, controller = new_informer(silent, PODS, 0, ResourceEventHandlerFuncs())
stop = threading.Event()

CALLS = {
    "DeltaFIFO.pop": lambda: DeltaFIFO().pop(print),
    "RealFIFO.pop": lambda: RealFIFO().pop(print),
    "RealFIFO.pop_batch": lambda: RealFIFO().pop_batch(print, 10),
    "Queue.get": lambda: workqueue.Queue().get(),
    "DelayingQueue.get": lambda: workqueue.DelayingQueue().get(),
    "RateLimitingQueue.get_batch": lambda: workqueue.RateLimitingQueue().get_batch(10),
    "Queue.shut_down_with_drain": lambda: busy.shut_down_with_drain(),
    "run_workers": lambda: workqueue.run_workers(workqueue.RateLimitingQueue(), print),
    "wait_for_cache_sync": lambda: wait_for_cache_sync(None, lambda: False),
    "wait_for_named_cache_sync": lambda: wait_for_named_cache_sync("caches", None, lambda: False),
    "wait_for": lambda: wait_for(None, "caches", informer.has_synced_checker(), registration.has_synced_checker()),
    "informer.wait_for_cache_sync": lambda: informer.wait_for_cache_sync(),
    "informer.wait_for_resource_version": lambda: informer.wait_for_resource_version("5"),
    "informer.wait_for_resource_version with handlers": lambda: informer.wait_for_resource_version("5", handlers=True),
    "registration.wait_for_resource_version": lambda: registration.wait_for_resource_version("5"),
    "informer.run": lambda: new_shared_index_informer(silent, PODS).run(stop),
    "Controller.run": lambda: controller.run(stop),
    "Reflector.run": lambda: new_reflector(silent, PODS, Indexer()).run(stop),
    "for event in informer.events()": lambda: next(iter(informer.events())),
}
for name, call in CALLS.items():
    try:
        print(name, flush=True)
        call()
        print("returned", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
print("end", flush=True)
"""

AT_MOST = 0.4
"""Seconds from the signal to the line of the program: 0.2 to act, the rest for a busy machine to write it."""


def test_ctrl_c_ends_every_blocking_call_of_the_main_thread() -> None:
    slow, done = [], 0
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while (name := process.stdout.readline().strip()) != "end":
            assert name, "the program ended"
            time.sleep(0.15)  # into the blocking call; earlier would only make the test easier
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline().strip() == "interrupted", name
            if time.monotonic() - begin > AT_MOST:
                slow.append((name, time.monotonic() - begin))
            done += 1
        assert process.wait(10) == 0
    assert slow == []
    assert done == 19
