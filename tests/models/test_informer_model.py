"""An informer beside the log of all writes: whatever happens, cache, indices and every handler follow the server.

Each rule is one thing that users, servers or networks do. When everything has come to rest, the cache equals the
server, every index the same worked out anew, and what a handler was told, from its snapshot on, gives the cache.
While no list was needed, a handler whose backlog may grow was told of every event that the watches had, in order.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import Any

import pytest
from fault_support import event, status
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from informer_support import eventually, informer_threads
from informer_world import APPS, INDEXERS, NAMESPACES, SELECTORS, WATCHED, World
from machines import run
from witness import PATIENCE, Witness
from write_log import coalesced

from kubeinformer._core import InformerCore
from kubeinformer.cache import controller

WRITES = st.lists(
    st.tuples(
        st.sampled_from(NAMESPACES),
        st.sampled_from([f"pod-{number}" for number in range(4)]),
        st.sampled_from(["put", "put", "delete"]),
        st.sampled_from(APPS),
        st.sampled_from([None, "node-0", "node-1"]),
    ),
    min_size=1,
    max_size=12,
)
LIMITS = st.sampled_from([None, None, 1, 2, 5])
MOST_HANDLERS = 6


class InformerMachine(RuleBasedStateMachine):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.world: World

    @initialize(selector=st.sampled_from(list(SELECTORS)), watch_list=st.booleans(), writes=WRITES, early=LIMITS)
    def begin(self, selector: str | None, watch_list: bool, writes: list[Any], early: int | None) -> None:
        self.world = World(selector=selector, watch_list=watch_list, **self.options)
        self.write(writes)
        self.world.write_fences()
        self.reference = self.world.follow(Witness())
        self.world.follow(Witness(early))
        self.world.factory.start()

    @rule(writes=WRITES)
    def write(self, writes: list[Any]) -> None:
        self.did("write", writes)
        for each in writes:
            self.world.write(*each)

    def did(self, *what: object) -> None:
        """For failures: when threads were the cause, hypothesis cannot tell the steps, for the same ones pass."""
        self.world.history.append(" ".join(map(str, what)))

    # -- faults ------------------------------------------------------------------------------------------------------

    @rule(namespace=st.sampled_from(WATCHED))
    def watch_ends(self, namespace: str) -> None:
        self.did("watch_ends", namespace)
        self.world.server.faults.close_watches(namespace=namespace)

    @rule(after=st.sampled_from([0, 100, 3000]))
    def watches_break(self, after: int) -> None:
        self.did("watches_break", after)
        self.world.server.faults.reset_watches(after_bytes=after)

    @rule()
    def history_is_compacted(self) -> None:
        self.did("history_is_compacted")
        self.world.server.compact()

    @rule(writes=WRITES)
    def outage_with_compaction(self, writes: list[Any]) -> None:
        """The versions from which the watches would go on are gone: 410, relist (§84, §88)."""
        self.did("outage_with_compaction", writes)
        faults = self.world.server.faults
        faults.refuse_connections()
        faults.drop_connections()
        self.write(writes)
        self.world.server.compact()
        faults.accept_connections()

    @rule(namespace=st.sampled_from(WATCHED))
    def watch_says_gone(self, namespace: str) -> None:
        self.did("watch_says_gone", namespace)
        self.world.server.faults.inject(event("ERROR", status(410, "Expired")), namespace=namespace)

    @rule(writes=WRITES)
    def events_come_in_one_go(self, writes: list[Any]) -> None:
        self.did("events_come_in_one_go", writes)
        self.world.server.faults.pause_watches()
        self.write(writes)
        self.world.server.faults.resume_watches()

    # -- handlers and indices ----------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.followed) < MOST_HANDLERS)
    @rule(limit=LIMITS, raises=st.booleans())
    def handler_joins(self, limit: int | None, raises: bool) -> None:
        self.did("handler_joins", limit, raises)
        self.world.follow(Witness(limit, raises=raises))

    @precondition(lambda self: len(self.world.followed) > 2)
    @rule(data=st.data())
    def handler_leaves(self, data: st.DataObject) -> None:
        self.did("handler_leaves")
        self.world.remove(data.draw(st.sampled_from(self.world.followed[1:])))

    @precondition(lambda self: len(self.world.indexers) < len(INDEXERS))
    @rule(data=st.data())
    def index_is_added(self, data: st.DataObject) -> None:
        self.did("index_is_added")
        name = data.draw(st.sampled_from(sorted(set(INDEXERS) - self.world.indexers)))
        self.world.informer.add_indexers({name: INDEXERS[name]})
        self.world.indexers.add(name)

    @precondition(lambda self: any(each.witness.limit for each in self.world.followed))
    @rule(writes=WRITES, more=WRITES)
    def handlers_are_slow(self, writes: list[Any], more: list[Any]) -> None:
        """While a handler is held in a call, what waits for it is merged by the rules, and by no others."""
        self.did("handlers_are_slow", writes, more)
        self.world.settle()
        slow = [each for each in self.world.followed if each.witness.limit]
        for each in slow:
            each.witness.hold()
        self.world.write(WATCHED[0], "touched", "put", "web", None)
        for each in slow:
            assert each.witness.held.wait(PATIENCE), "a handler is called"
            assert each.registration.pending() == 0
        eventually(self.reference.is_idle, "the reference is told")
        begin = {id(each): (each.pushed(), len(each.witness.notes) + 1) for each in slow}
        all_before = self.reference.pushed()
        before = len(self.reference.witness.notes)
        self.write([*writes, *more])
        fences = self.world.write_fences()
        self.world._wait(self.reference, fences)
        for each in slow:
            expected = self.reference.pushed() - all_before
            eventually(lambda each=each, n=expected: each.pushed() - begin[id(each)][0] == n, "all is handed out")
        pushed = self.reference.witness.notes[before:]
        for each in slow:
            each.witness.let_go()
        for each in slow:
            eventually(each.is_idle, "a handler works off its backlog")
            assert each.witness.limit is not None
            told = each.witness.notes[begin[id(each)][1] :]
            assert told == coalesced(pushed, each.witness.limit), f"merged with a limit of {each.witness.limit}"

    @rule()
    def settle(self) -> None:
        self.did("settle")
        self.world.settle()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.world.settle()
        finally:
            self.world.close()
        counts = [len(each.witness.notes) for each in self.world.followed]
        assert informer_threads() == []
        assert [len(each.witness.notes) for each in self.world.followed] == counts


@pytest.mark.usefixtures("quick_backoff")
@pytest.mark.parametrize("queue", ["atomic", "in_order", "delta"])
def test_informer_follows_the_server(caplog: pytest.LogCaptureFixture, queue: str) -> None:
    caplog.set_level(logging.CRITICAL, "kubeinformer")
    run(partial(InformerMachine, queue=queue), examples=60, steps=25, shrink=False)


@pytest.mark.usefixtures("quick_backoff")
def test_informer_with_compression_follows_the_server(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dictionary is learnt in the middle of a run, from objects of which the cache keeps some."""
    caplog.set_level(logging.CRITICAL, "kubeinformer")
    monkeypatch.setattr(controller, "InformerCore", partial(InformerCore, dictionary_samples=4))
    run(partial(InformerMachine, compression="zstd"), examples=30, steps=25, shrink=False)
