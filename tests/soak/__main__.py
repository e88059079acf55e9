"""Runs a soak; the exit code is 0 iff every cache was equal at every check and nothing leaked.

Rounds of some seconds, on all servers at once: writers write, faults happen, handlers and informers come and go; then
the writers rest and everything is compared with a LIST.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

from kubernetes.client import ApiClient

from apiserver.binaries import BinariesUnavailableError, find_or_build
from apiserver.churn import Churn
from apiserver.rest import ensure_namespace
from apiserver.workload import create_pods
from kubeinformer.cache.backoff import Backoff

from .audience import NAMESPACES, Audience
from .plot import draw
from .resources import WARM_UP_SECONDS, Baseline, Sampler, grown, judged
from .sites import Embedded, Real, Site

PODS = 200
ROUND_SECONDS = 30.0
_SAMPLES = 600
# The waits after a failure grow up to a minute: a server that fails every few seconds would hardly be read at all.
_SHORT_WAITS = partial(Backoff, initial=0.1, cap=1.0)


class Soak:
    """One server with its writers, faults and informers."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.faults: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.checks = 0
        self._seed = seed
        self._rng = random.Random(f"{seed}/faults/{site.name}")
        self._next_fault = self._shuffled()
        self._api_client = site.api_client()
        for namespace in NAMESPACES:
            ensure_namespace(self._api_client, namespace)
        create_pods(self._api_client, PODS // 2, NAMESPACES)
        self.audience = Audience(site, seed)

    def _shuffled(self) -> Iterator[str]:
        """Names of faults without end: each once in random order, then again."""
        while True:
            yield from self._rng.sample(list(self.site.faults), len(self.site.faults))

    def run(self, until: float) -> None:
        """Round after round, until this monotonic time."""
        try:
            while time.monotonic() < until:
                self._round(min(until, time.monotonic() + ROUND_SECONDS))
        except Exception as error:
            self.wrong.append(f"{self.site.name}: {error!r}")

    def _round(self, until: float) -> None:
        with self.site.api_client() as patient:
            configuration = patient.configuration
        configuration.retries = False  # the churn tries again by itself
        with ApiClient(configuration) as writer:
            churn = Churn(writer, NAMESPACES, range(PODS), threads=2, seed=f"{self._seed}/{self.checks}")
            with churn:
                while time.monotonic() < until:
                    time.sleep(self._rng.uniform(0.5, 2.0))
                    name = next(self._next_fault)
                    self.site.faults[name](self._rng)
                    self.faults[name] += 1
            self.site.mend()
        self.writes += churn.done
        objects = self.audience.check(self._api_client)
        self.checks += 1
        written = self.writes.total() - self.writes["failed"]
        print(
            f"{self.site.name}: check {self.checks}, {objects} pods, {written} writes, "
            f"{self.faults.total()} faults, {len(self.audience.wrong)} wrong",
            flush=True,
        )

    def close(self) -> None:
        """End informers, writers and the server."""
        self.audience.close()
        self._api_client.close()
        self.site.close()
        self.wrong += self.audience.wrong

    def summary(self) -> list[str]:
        """What happened, in a few lines."""
        failed = self.writes["failed"]
        return [
            f"{self.site.name}: {self.writes.total() - failed} writes ({failed} failed), {self.audience.calls} handler "
            f"calls, {self.audience.visits} visits, {self.checks} checks",
            f"  faults: {', '.join(f'{name} {count}' for name, count in sorted(self.faults.items()))}",
            f"  relists: {', '.join(f'{name} {n}' for name, n in sorted(self.audience.relists().items())) or 'none'}",
        ]


def _sites(server: str) -> list[Site]:
    sites: list[Site] = []
    if server in ("embedded", "both"):
        sites.append(Embedded())
    if server in ("real", "both"):
        try:
            sites.append(Real(find_or_build()))
        except BinariesUnavailableError as unavailable:
            if server == "real":
                raise SystemExit(str(unavailable)) from None
            print(f"without the real API server: {unavailable}", file=sys.stderr)
    return sites


def _soak(server: str, seconds: float, seed: int, sampler: Sampler | None = None) -> list[Soak]:
    """Run it; samples are taken once all informers are there, until the servers are to end."""
    soaks = [Soak(site, seed) for site in _sites(server)]
    try:
        if sampler is not None:
            sampler.start()
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=soak.run, args=(until,), name=f"soak-{soak.site.name}") for soak in soaks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if sampler is not None:
            sampler.stop()
    finally:
        for soak in soaks:
            soak.close()
    return soaks


def main() -> None:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.5, help="how long (default 0.5)")
    parser.add_argument("--seed", type=int, default=1, help="of writes, faults and visits (default 1)")
    parser.add_argument("--server", choices=("both", "embedded", "real"), default="both", help="default both")
    parser.add_argument("--out", type=Path, default=Path("target"), help="folder of soak.svg and soak.log")
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    arguments.out.mkdir(parents=True, exist_ok=True)
    log, plot = arguments.out / "soak.log", arguments.out / "soak.svg"
    logging.basicConfig(filename=log, filemode="w", format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    with patch("kubeinformer.cache.reflector.Backoff", _SHORT_WAITS):
        # What is made once and kept for the life of a process, such as the native transport's threads, is no leak.
        _soak("embedded", 0.0, arguments.seed)
        before = Baseline.take()
        sampler = Sampler(max(0.1, seconds / _SAMPLES))
        soaks = _soak(arguments.server, seconds, arguments.seed, sampler)
    wrong = [line for soak in soaks for line in soak.wrong]
    wrong += before.leaked() + grown(sampler.samples, arguments.minutes)
    plot.write_text(draw(sampler.samples, arguments.minutes))
    for soak in soaks:
        print("\n".join(soak.summary()))
    first, last = judged(sampler.samples)
    thirds = f"{first / 1e6:.1f} MB in the first third, {last / 1e6:.1f} in the last ({last / first - 1:+.1%})"
    print(f"memory, after {WARM_UP_SECONDS:g} s of a soak that lasts longer: {thirds}")
    for name in ("threads", "descriptors"):
        most = max(getattr(sample, name) for sample in sampler.samples)
        held = getattr(before, name)
        print(f"{name}: {held if isinstance(held, int) else len(held)} before and after, {most} at most")
    print(f"plot: {plot}, log: {log}")
    print(f"repeat with: make soak MINUTES={arguments.minutes:g} SEED={arguments.seed}")
    if wrong:
        sys.exit("\n".join(["FAILED", *wrong]))
    print("every cache was equal at every check, and nothing leaked")


if __name__ == "__main__":
    main()
