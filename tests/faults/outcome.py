"""What came of a fault: how long it took to recover, how many lists, how many events were lost. One record a test.

A test of a fault calls `begins` when it makes the trouble and `recovered` at the end, once; it is refused otherwise.
With ``RECORD_FAULTS=FILE`` in the environment the records of the tests that passed are written there, for
docs/reliability.md.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from informer.informer_support import eventually

from .follower import TIMEOUT, Follower

Record = dict[str, Any]

RECORDS = pytest.StashKey[list[Record]]()


class Outcome:
    """Of one test. `fault`, such as "F1", and what it is come from the test's name and the first line of its docstring.

    Args:
        transport: for the record.

    """

    def __init__(self, node: pytest.Function, transport: str) -> None:
        document = (node.function.__doc__ or "").strip().splitlines()
        self.faults = [f"F{int(number)}" for number in re.findall(r"_f(\d+)", node.originalname)]
        assert self.faults, f"{node.nodeid}: a test of a fault is named for it: test_f01_..."
        assert document, f"{node.nodeid}: the first line of the docstring says what the fault is"
        self._record: Record = {
            "faults": self.faults,
            "what": document[0].rstrip("."),
            "transport": transport,
            "test": node.nodeid,
        }
        self._begun: float | None = None
        self._bound = ""

    def begins(self, *, bound: str) -> None:
        """The trouble begins now; call it again, and it begins later.

        Args:
            bound: what limits the time that it takes to recover, in the words of the options that set it.

        """
        self._begun, self._bound = time.monotonic(), bound

    def recovered(self, *followers: Follower, within: float = TIMEOUT) -> None:
        """Wait until the informers are equal to the server and live, check all of it, and keep the record.

        Nobody may write any more. ``within`` is seconds from now, by which it must have happened.
        """
        assert self._begun is not None, "begins() comes first"
        assert "seconds" not in self._record, "recovered() comes once"
        for follower in followers:
            follower.check(within)
            follower.wait_live(within)
            eventually(lambda follower=follower: follower.informer.last_error() is None, "no error is left", within)
        seconds = time.monotonic() - self._begun
        relists: dict[str, int] = {}
        for follower in followers:
            for reason, times in follower.relists_since_start().items():
                relists[reason] = relists.get(reason, 0) + times
        self._record |= {
            "server": followers[0].log.server,
            "seconds": round(seconds, 2),
            "bound": self._bound,
            "relists": relists,
            "lost": None if None in (lost := [follower.lost() for follower in followers]) else sum(filter(None, lost)),
        }

    def record(self) -> Record:
        """Return the record of a test that passed."""
        assert "seconds" in self._record, "a test of a fault ends with recovered()"
        return self._record


def write(records: list[Record]) -> None:
    """Write the records to the file of RECORD_FAULTS, in the order of faults and tests."""
    from benches import machine

    content = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "records": sorted(records, key=lambda record: (int(record["faults"][0][1:]), record["test"])),
    }
    path = Path(os.environ["RECORD_FAULTS"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
