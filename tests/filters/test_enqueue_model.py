"""`enqueue` beside a handler of Python's behind the same filter: the same items, in the same order."""

from __future__ import annotations

from typing import Any

from filter_support import Core, pod
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kubeinformer import Filter, Index, filter, index
from kubeinformer.workqueue import LOW_PRIORITY, Queue, enqueue_handler

NAMES = st.sampled_from("abcd")
STATES = st.fixed_dictionaries(
    {
        "app": st.sampled_from(["web", "db"]),
        "phase": st.sampled_from(["Running", "Failed"]),
        "owner": st.sampled_from(["", "one", "two"]),
    }
)


def owner(obj: Any) -> str | None:
    controller = obj.controller_owner
    return f"{obj.namespace}/{controller['name']}" if controller else None


KEYS: list[tuple[Index | None, Any]] = [
    (None, None),
    (index.controller_owner("ReplicaSet"), owner),
    (index.path("metadata.labels.app"), lambda obj: obj.labels.get("app")),
]
FILTERS: list[Filter | None] = [
    None,
    filter.labels("app=web"),
    filter.changed("status.phase"),
    filter.labels("app=web") & filter.changed("metadata.ownerReferences", "status.phase"),
    ~filter.fields("status.phase=Failed") | filter.name("a"),
]


class EnqueueMachine(RuleBasedStateMachine):
    @initialize(key=st.sampled_from(KEYS), when=st.sampled_from(FILTERS), listed=st.dictionaries(NAMES, STATES))
    def begin(self, key: tuple[Index | None, Any], when: Filter | None, listed: dict[str, dict[str, str]]) -> None:
        self.core = Core()
        self.version = 0
        self.states: dict[str, dict[str, str]] = {}
        self.ours, self.reference = Queue[str](), Queue[str]()
        assert self.core.core.add_enqueuer(self.ours, key[0], when, low_priority=LOW_PRIORITY) is not None
        self.listener = self.core.listen(when)
        handler = enqueue_handler(self.reference) if key[1] is None else enqueue_handler(self.reference, key[1])
        self.handler = handler
        self.relist(listed)

    def made(self, name: str, state: dict[str, str]) -> dict[str, Any]:
        self.version += 1
        return pod(name, self.version, **state)

    def deliver(self) -> None:
        errors: list[tuple[str, BaseException]] = []
        self.listener.deliver(self.handler, lambda key, error: errors.append((key, error)), timeout=0)
        assert not errors

    @rule(name=NAMES, state=STATES)
    def write(self, name: str, state: dict[str, str]) -> None:
        kind = "MODIFIED" if name in self.states else "ADDED"
        self.states[name] = state
        self.core.watch(kind, self.made(name, state))
        self.deliver()

    @rule(name=NAMES, state=STATES)
    def delete(self, name: str, state: dict[str, str]) -> None:
        if self.states.pop(name, None) is not None:
            self.core.watch("DELETED", self.made(name, state))
            self.deliver()

    @rule(listed=st.dictionaries(NAMES, STATES))
    def relist(self, listed: dict[str, dict[str, str]]) -> None:
        self.states = dict(listed)
        objects = [self.made(name, state) for name, state in listed.items()]
        self.version += 1
        self.core.list(self.version, *objects)
        self.deliver()

    @rule()
    def work(self) -> None:
        if len(self.reference):
            with self.ours.item(timeout=0) as ours, self.reference.item(timeout=0) as reference:
                assert ours == reference

    @invariant()
    def equal(self) -> None:
        if hasattr(self, "ours"):
            assert len(self.ours) == len(self.reference)
            assert self.ours.stats().adds == self.reference.stats().adds

    def teardown(self) -> None:
        if hasattr(self, "ours"):
            while len(self.reference):
                self.work()
            assert len(self.ours) == 0


EnqueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestEnqueue = EnqueueMachine.TestCase
