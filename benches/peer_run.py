"""One measurement of one peer, in a process of its own: `python -m benches.peer_run PEER CASE URL --pods N --events N`.

Invariant: the process runs on one core and holds nothing but this peer; what it prints is one JSON object.

CASE is `sync` (empty cache to full cache, with the memory that it then takes) or `watch` (from the release of the held
events to the last call of a handler that only counts). Rates are objects a second of wall-clock time; cpu is the
process's user and system time, so that a peer whose threads the server keeps waiting shows it. Beside a sync a thread
sleeps a millisecond again and again; its CPU time does not count.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
import time
from typing import Any

import urllib3

from benches import ours, peers, pods, probes
from benches.contract import Peer


def measure_sync(peer: Peer, url: str, n: int) -> dict[str, Any]:
    gc.collect()
    probe = probes.StallProbe()
    rss = probes.rss()
    probe.start()
    cpu, begin = time.process_time(), time.perf_counter()
    synced = peer.sync_list(url, n)
    end = time.perf_counter()
    seconds, cpu = end - begin, time.process_time() - cpu - probe.cpu_seconds()
    probe.stop()
    if synced.count != n:
        raise AssertionError(f"{peer.name} has {synced.count} of {n} objects")
    if synced.node_count is not None:
        node = pods.node_of(0, 0)
        expected = pods.count_on_node(node, n)
        if synced.node_count(node) != expected:
            raise AssertionError(f"{peer.name} has {synced.node_count(node)} of {expected} pods on {node}")
    gc.collect()
    result = {
        "objects": n,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "rss_per_object": (probes.rss() - rss) / n,
        "peak_rss_per_object": (probes.peak_rss() - rss) / n,
        "stall_ms": probe.longest(begin, end) * 1000,
    }
    synced.close()
    return result


def measure_watch(peer: Peer, url: str, n: int, events: int) -> dict[str, Any]:
    calls = 0
    last = n + events
    begin = begin_cpu = end = end_cpu = 0.0

    def handler(_kind: str, _old: Any, _new: Any) -> None:
        nonlocal calls, end, end_cpu
        calls += 1
        if calls == last:
            end, end_cpu = time.perf_counter(), time.process_time()

    def release() -> None:
        nonlocal begin, begin_cpu
        begin_cpu = time.process_time()
        try:
            answer = urllib3.request("POST", f"{url}/bench/release", retries=False, timeout=90)
            begin = answer.json()["released_at"]
        finally:
            if not begin:  # the peer would wait for events for ever
                print(f"{peer.name}: the events were not released", file=sys.stderr, flush=True)
                os._exit(1)

    thread = threading.Thread(target=release)
    peer.watch_events(url, n, events, handler, thread.start)
    thread.join()
    if calls != last:
        raise AssertionError(f"{peer.name}: {calls} calls in place of {last}")
    return {"objects": events, "seconds": end - begin, "cpu_seconds": end_cpu - begin_cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures one peer once.")
    parser.add_argument("peer")
    parser.add_argument("case", choices=("sync", "watch"))
    parser.add_argument("url")
    parser.add_argument("--pods", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--core", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    find = ours.peer if arguments.peer in ours.PEER_NAMES else peers.load
    peer = find(arguments.peer)
    if not peer.collect_garbage:
        gc.disable()
    if arguments.case == "sync":
        result = measure_sync(peer, arguments.url, arguments.pods)
    else:
        result = measure_watch(peer, arguments.url, arguments.pods, arguments.events)
    result["per_second"] = result["objects"] / result["seconds"]
    print(json.dumps({"peer": peer.name, "case": arguments.case, **result}), flush=True)
    # A daemon thread of a peer that is still reading can abort an interpreter that shuts down in an orderly way.
    os._exit(0)


if __name__ == "__main__":
    main()
