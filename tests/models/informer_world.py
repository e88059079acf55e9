"""A server, an informer on two namespaces of it, and a log of every write: what the machine of the informer acts on."""

from __future__ import annotations

from typing import Any

from informer_support import eventually, listed
from witness import PATIENCE, Witness
from write_log import Note, WriteLog, replay

from kubeinformer import ControllerOptions, SharedInformerFactory
from kubeinformer.cache.registration import HandlerRegistration
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

WATCHED = ("a", "b")
NAMESPACES = (*WATCHED, "elsewhere")
APPS = ("web", "db", "bad")
SELECTORS = {None: APPS, "app in (web, bad)": ("web", "bad")}
"""Label selector -> values of the label that it lets through."""


def app(obj: Any) -> list[str]:
    """An index function that fails for some."""
    if obj.labels["app"] == "bad":
        raise LookupError(obj.key)
    return [obj.labels["app"]]


INDEXERS: dict[str, Any] = {"node": "spec.nodeName", "app": app, "path": "metadata.labels.app"}


class Followed:
    """A handler with its registration, and how much of its notes and of each log was compared."""

    def __init__(self, witness: Witness, registration: HandlerRegistration[Any], lists: dict[str, int]) -> None:
        self.witness = witness
        self.registration = registration
        self.compared: dict[str, int | None] = dict.fromkeys(WATCHED)
        self.states: dict[str, dict[str, int]] = {namespace: {} for namespace in WATCHED}
        self.looked_at = 0
        self.lists = lists

    def pushed(self) -> int:
        """Notifications that the informer made for it."""
        pending, _, delivered, merged = self.registration.listener.stats()
        return pending + delivered + merged

    def is_idle(self) -> bool:
        pending, _, delivered, _ = self.registration.listener.stats()
        return pending == 0 and delivered == len(self.witness.notes)


class World:
    """Writes, and what must follow from them."""

    def __init__(self, *, selector: str | None, watch_list: bool, **options: Any) -> None:
        self.selector = selector
        self.history = [f"selector {selector}, watch-list {watch_list}, {options}"]
        selected = SELECTORS[selector]
        self.server = APIServer()
        self.logs = {name: WriteLog(lambda obj: obj["metadata"]["labels"]["app"] in selected) for name in WATCHED}
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.writes = 0
        self.factory = SharedInformerFactory(
            self.server.api_client(),
            namespaces=WATCHED,
            options=ControllerOptions(use_watch_list=watch_list, page_size=3, **options),
        )
        self.informer = self.factory.core().v1().pods(label_selector=selector).informer()
        self.indexers: set[str] = set()
        self.followed: list[Followed] = []
        self.removed: list[tuple[Witness, int]] = []
        self.fence = ""
        self.settled_lists = dict.fromkeys(WATCHED, 0)
        self.in_order = options.get("queue") != "delta"

    # -- writes ------------------------------------------------------------------------------------------------------

    def write(self, namespace: str, name: str, kind: str, value: str, node: str | None) -> None:
        """Create, update, relabel or delete: what is possible, `kind` permitting."""
        self.writes += 1
        there = (namespace, name) in self.objects
        if there and kind == "delete":
            version = int(self.server.delete("pods", name, namespace)["metadata"]["resourceVersion"])
            del self.objects[namespace, name]
            if namespace in self.logs:
                self.logs[namespace].deleted(f"{namespace}/{name}", version)
            return
        made = pod(name, namespace, node=node, labels={"app": value}, annotations={"write": str(self.writes)})
        made["metadata"]["uid"] = f"uid-{self.writes}"
        stored = self.server.update(made) if there else self.server.create(made)
        self.objects[namespace, name] = stored
        if namespace in self.logs:
            self.logs[namespace].written(f"{namespace}/{name}", stored)

    def write_fences(self) -> dict[str, int]:
        """A new object in each namespace, of which every watch tells after all before it; key -> version."""
        old, self.fence = self.fence, f"fence-{self.writes}"
        for namespace in WATCHED:
            if (namespace, old) in self.objects:
                self.write(namespace, old, "delete", "web", None)
            self.write(namespace, self.fence, "put", "web", None)
        stored = {namespace: self.objects[namespace, self.fence]["metadata"] for namespace in WATCHED}
        return {f"{namespace}/{self.fence}": int(meta["resourceVersion"]) for namespace, meta in stored.items()}

    def lists(self) -> dict[str, int]:
        """Lists so far by namespace, watch-lists too."""
        count = dict.fromkeys(WATCHED, 0)
        for request in self.server.requests:
            whole = request.verb == "list" or request.query.get("sendInitialEvents") == "true"
            if whole and request.namespace in count and request.resource == "pods":
                count[request.namespace] += 1
        return count

    # -- handlers ----------------------------------------------------------------------------------------------------

    def follow(self, witness: Witness) -> Followed:
        backlog = "grow" if witness.limit is None else (witness.limit, 1 << 30)
        followed = Followed(witness, self.informer.add_event_handler(witness, backlog=backlog), self.settled_lists)
        self.followed.append(followed)
        return followed

    def remove(self, followed: Followed) -> None:
        self.followed.remove(followed)
        assert self.informer.shut_down_event_handler(followed.registration, timeout=10), "it has returned (§147)"
        self.removed.append((followed.witness, len(followed.witness.notes)))

    # -- what must hold ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until every handler has returned from all that was written, and compare everything."""
        # A list that is under way now is worked off before the fences come; a later one may tell of later writes.
        self.settled_lists = self.lists()
        fences = self.write_fences()
        for each in self.followed:
            self._wait(each, fences)
        if not self.in_order:
            # Keys overtake each other in a line that merges per key: a fence says nothing of the others.
            eventually(
                lambda: all(map(self._has_caught_up, self.followed)), "every handler knows the last state", PATIENCE
            )
            eventually(lambda: self._stored() == self._expected(), "the cache has the last state", PATIENCE)
        self.check_store()
        lists = self.lists()
        for each in self.followed:
            self.check_handler(each, lists)
        for witness, count in self.removed:
            assert len(witness.notes) == count, "a handler is told something after its removal (§146)"

    def _wait(self, each: Followed, fences: dict[str, int]) -> None:
        def has_all() -> bool:
            if not each.is_idle():
                return False
            told = {note.key: note.version for note in each.witness.notes if note.key in fences}
            return told == fences and each.is_idle()

        try:
            eventually(has_all, "", PATIENCE)
        except AssertionError:
            raise AssertionError(f"a handler is not told of everything\n{self.describe(each, fences)}") from None

    def _stored(self) -> dict[str, str]:
        return {obj.key: obj.resource_version for obj in self.informer.indexer().list()}

    def _expected(self) -> dict[str, str]:
        states = [log.state(len(log.events)) for log in self.logs.values()]
        return {key: str(version) for state in states for key, version in state.items()}

    def _has_caught_up(self, each: Followed) -> bool:
        notes = each.witness.notes[each.looked_at :]
        return each.is_idle() and all(
            replay(each.states[namespace], [note for note in notes if note.key.startswith(f"{namespace}/")])
            == log.state(len(log.events))
            for namespace, log in self.logs.items()
        )

    def describe(self, each: Followed, fences: dict[str, int]) -> str:
        """What can be seen from outside when something does not come."""
        indexer = self.informer.indexer()
        stored = {key: getattr(indexer.get_by_key(key), "resource_version", None) for key in fences}
        requests = [f"{request.verb} {request.namespace} {request.query}" for request in self.server.requests[-8:]]
        lines = [
            f"wanted {fences}, stored {stored}, server at {self.server.resource_version}",
            f"backlog {each.witness.limit}, {each.registration.listener.stats()}, {len(each.witness.notes)} calls",
            f"synced {self.informer.has_synced()}, live {self.informer.is_live()}, {self.informer.last_errors()}",
            f"watches {self.server.watch_count()}",
            *requests,
            *self.history,
        ]
        return "\n".join(lines)

    def check_store(self) -> None:
        """Cache and indices are what the server holds."""
        selectors = {} if self.selector is None else {"label_selector": self.selector}
        objects = listed(self.server, **selectors)
        objects = {key: obj for key, obj in objects.items() if obj["metadata"]["namespace"] in WATCHED}
        indexer = self.informer.indexer()
        versions = {key: obj["metadata"]["resourceVersion"] for key, obj in objects.items()}
        assert {obj.key: obj.resource_version for obj in indexer.list()} == versions, "cache == server"
        assert {obj.key: obj.to_dict() for obj in indexer.list()} == objects
        assert all(indexer.get_by_key(key).resource_version == version for key, version in versions.items())
        assert indexer.get_by_key("elsewhere/pod-0") is None
        values: dict[str, Any] = {
            "namespace": lambda obj: obj["metadata"]["namespace"],
            "node": lambda obj: obj["spec"].get("nodeName"),
            "app": lambda obj: obj["metadata"]["labels"]["app"],
            "path": lambda obj: obj["metadata"]["labels"]["app"],
        }
        for name in {"namespace", *self.indexers}:
            expected: dict[str, list[str]] = {}
            for key in sorted(objects):
                value = values[name](objects[key])
                if value is not None and (name, value) != ("app", "bad"):
                    expected.setdefault(value, []).append(key)
            found = {value: list(indexer.index_keys(name, value)) for value in indexer.list_index_func_values(name)}
            assert found == expected, f"index {name} == recomputed"
        bad = {key for key, obj in objects.items() if obj["metadata"]["labels"]["app"] == "bad"}
        errors = {name: set(keys) for name, keys in self.informer.index_errors().items()}
        assert errors == ({"app": bad} if bad and "app" in self.indexers else {}), "errors of the index function"

    def check_handler(self, each: Followed, lists: dict[str, int]) -> None:
        """What it was told since the last time is, source by source, the log's; it knows the store anyway."""
        witness, registration = each.witness, each.registration
        assert witness.recreated == [], "an object that was deleted and made again is updated"
        assert registration.errors() == witness.raised
        eventually(registration.has_synced, "the handler has synced (§149)")
        notes, initial = witness.notes[each.looked_at :], witness.initial[each.looked_at :]
        each.looked_at = len(witness.notes)
        for namespace, log in self.logs.items():
            own = [
                (note, flag) for note, flag in zip(notes, initial, strict=True) if note.key.startswith(f"{namespace}/")
            ]
            told = [note for note, _ in own]
            each.states[namespace] = replay(each.states[namespace], told)
            assert each.states[namespace] == log.state(len(log.events)), "replay == cache"
            for note in told:
                assert note.version in log.versions[note.key], f"{note} was never there"
            first = each.compared[namespace] is None
            # A handler that was there before the first list has that in its first notes.
            seen_lists = lists[namespace] - max(each.lists[namespace], 1 if first else 0)
            if witness.limit is None and seen_lists <= 0:
                self._compare(log, own, each.compared[namespace])
            each.compared[namespace] = len(log.events)
        each.lists = self.settled_lists

    def _compare(self, log: WriteLog, own: list[tuple[Note, bool]], compared: int | None) -> None:
        """All that is told is the log's, from `compared` on, or (None) from where the snapshot was taken."""
        if self.in_order:
            marks = [flag for _, flag in own]
            snapshot = sum(marks)
            assert marks == [True] * snapshot + [False] * (len(own) - snapshot), "is_in_initial_list"
            self._compare_line(log.events, [note for note, _ in own], compared, snapshot)
            return
        # A queue that merges per key keeps the order of each key only.
        for key in {event.key for event in log.events}:
            events = [event for event in log.events if event.key == key]
            before = None if compared is None else sum(event.key == key for event in log.events[:compared])
            line = [(note, flag) for note, flag in own if note.key == key]
            # One Pop marks all that it merged behind an object of the first list (§44), and nothing after it is marked.
            marks = [flag for note, flag in line if note.kind == "add"]
            assert marks == sorted(marks, reverse=True), "is_in_initial_list"
            self._compare_line(events, [note for note, _ in line], before, int(any(marks)))

    def _compare_line(self, events: list[Note], told: list[Note], compared: int | None, snapshot: int) -> None:
        """The first `snapshot` of what is told are the state at a cut of the events, the rest the events after it."""
        if compared is None:
            compared = len(events) - (len(told) - snapshot)
            assert compared >= 0, "more is told than happened"
            state = replay({}, events[:compared])
            assert {note.key: note.version for note in told[:snapshot]} == state, "the snapshot is one cut (§142)"
            told = told[snapshot:]
        else:
            assert snapshot == 0, "is_in_initial_list"
        assert told == events[compared:], "every event, in order"

    def close(self) -> None:
        for each in self.followed:
            each.witness.let_go()
        busy = self.factory.shutdown(timeout=10)
        self.server.close()
        assert busy == [], "a thread does not end"
