"""2.E: what a batch of deltas does to the store, and what handlers hear of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
from core_support import CoreRig, line, named
from informer_support import Recorder, assert_equal_to_server, eventually
from reflector_fakes import PODS, bookmark
from statements import differs

from kubeinformer import KubeObject, ResourceEventHandlerFuncs, SharedInformerFactory
from kubeinformer.cache import Indexer, new_informer
from kubeinformer.errors import ClosedError
from kubeinformer.testing import APIServer
from kubeinformer.testing.objects import pod

Make = Callable[..., SharedInformerFactory]


def test_s63_the_store_decides_between_add_and_update() -> None:
    """A handler hears an update iff the store has the key, and an addition iff not, whatever the event's type is."""
    rig = CoreRig()
    rig.list("1", "a@1")
    rig.hear()
    rig.watch(line("ADDED", "a@2"), line("MODIFIED", "b@3"))
    assert rig.hear() == [("update", "a@1", "a@2"), ("add", "b@3")]
    rig.watch(line("DELETED", "b@4"), line("MODIFIED", "b@5"), line("ADDED", "b@6"))
    assert rig.hear() == [("delete", "b@4"), ("add", "b@5"), ("update", "b@5", "b@6")]


def test_s64_nobody_hears_of_what_is_not_written() -> None:
    """The store is written before anybody is told, and when the write is refused nobody is told."""
    rig = CoreRig()
    rig.add_python_index("mine")
    rig.list("1", "a@1")
    change = rig.process()
    assert change is not None
    assert (rig.stored(), rig.heard()) == ([], [])
    with pytest.raises(ValueError, match="mine"):
        rig.core.commit(change, {})
    assert (rig.stored(), rig.heard(), rig.core.has_synced()) == ([], [], False)
    assert rig.core.commit(change, {"mine": [["x"]]})
    assert (rig.stored(), rig.heard(), rig.core.has_synced()) == (["a@1"], [("add", "a@1", "initial")], True)


def test_s64_a_handler_finds_what_it_is_told(server: APIServer, factory: SharedInformerFactory) -> None:
    """When a handler is called, the store has what it is told of."""
    informer = factory.core().v1().pods().informer()
    found: list[bool] = []

    def version_of(obj: KubeObject) -> int:
        stored = informer.indexer().get_by_key(obj.key)
        return 0 if stored is None else int(stored.resource_version)

    informer.add_event_handler(
        ResourceEventHandlerFuncs(
            add_func=lambda obj: found.append(version_of(obj) >= int(obj.resource_version)),
            update_func=lambda _, new: found.append(version_of(new) >= int(new.resource_version)),
            delete_func=lambda obj: found.append(version_of(obj) == 0),
        )
    )
    factory.start()
    factory.wait_for_cache_sync(timeout=10)
    server.create(pod("web-0"))
    for number in range(20):
        server.update(pod("web-0", labels={"number": str(number)}))
    eventually(lambda: len(found) == 21, "the calls before the deletion")
    server.delete("pods", "web-0")
    eventually(lambda: len(found) == 22, "every call")
    assert all(found)


def test_s65_a_deletion_is_told_with_the_object_of_the_event() -> None:
    """A deletion is told with the final state that the watch gave, also when the store did not have the object."""
    rig = CoreRig()
    rig.list("1", "a@1")
    rig.hear()
    rig.watch(line("DELETED", "a@2"), line("DELETED", "a@3"), line("DELETED", "never-seen@4"))
    assert rig.hear() == [("delete", "a@2"), ("delete", "a@3"), ("delete", "never-seen@4")]
    assert rig.stored() == []
    rig.list("5", "b@5")
    rig.list("6")
    assert rig.hear() == [("add", "b@5"), ("tombstone", "b", "b@5")], "a list has no final state"


def test_s66_a_bookmark_moves_the_version_of_the_store_alone() -> None:
    """A bookmark moves the store's resourceVersion and calls no handler."""
    rig = CoreRig()
    rig.list("1", "a@1")
    rig.hear()
    rig.watch(bookmark("7"))
    assert rig.hear() == []
    assert (rig.stored(), rig.core.resource_version()) == (["a@1"], "7")


def test_s66_a_resync_tells_of_every_object_of_that_moment() -> None:
    """A resync tells of each object that is in the store at that moment as an update with itself."""
    rig = CoreRig(resync_period=0.001)
    rig.list("1", "a@1", "b@1")
    rig.watch(line("DELETED", "b@2"), line("ADDED", "c@3"))
    assert rig.process() is None
    rig.heard()
    time.sleep(0.002)  # the period
    rig.process()
    assert sorted(rig.heard()) == [("resync", "a@1"), ("resync", "c@3")]


def test_s67_a_relist_is_deletions_first_then_the_list_in_its_order() -> None:
    """A relist is one step of the store; told are first all deletions, as tombstones, then the rest in list order."""
    rig = CoreRig()
    rig.list("1", "d@1", "a@1", "c@1", "e@1", "b@1")
    rig.hear()
    rig.add_python_index("mine")
    rig.list("9", "z@8", "c@1", "b@7", "y@6", "a@9")
    before = rig.stored()
    change = rig.process()
    assert change is not None
    assert rig.stored() == before, "nothing of it is in the store yet"
    values = [[named(obj)] for obj in change.objects()]
    assert rig.core.commit(change, {"mine": values})
    assert rig.stored() == ["a@9", "b@7", "c@1", "y@6", "z@8"]
    heard = rig.heard()
    assert sorted(heard[:2]) == [("tombstone", "d", "d@1"), ("tombstone", "e", "e@1")]
    assert heard[2:] == [("add", "z@8"), ("update", "b@1", "b@7"), ("add", "y@6"), ("update", "a@1", "a@9")]
    assert rig.core.resource_version() == "9"


@pytest.mark.parametrize("use_watch_list", [True, False], ids=["watch-list", "list"])
def test_s68_the_first_call_of_a_handler_sees_the_whole_list(
    server: APIServer, make_factory: Make, use_watch_list: bool
) -> None:
    """When a handler hears of the first object of a list, the store holds the whole list."""
    for number in range(300):
        server.create(pod(f"web-{number}"))
    factory = make_factory(options={"use_watch_list": use_watch_list, "page_size": 7})
    pods = factory.core().v1().pods()
    seen: list[int] = []
    pods.informer().add_event_handler(
        ResourceEventHandlerFuncs(add_func=lambda _: seen.append(len(pods.lister().list())))
    )
    factory.start()
    eventually(lambda: len(seen) == 300, "every object")
    assert set(seen) == {300}


def test_s69_a_batch_is_one_write_and_then_its_calls_in_order() -> None:
    """What waits in the queue, up to 1000 deltas, is written in one step; handlers then hear of it in its order."""
    rig = CoreRig()
    rig.add_python_index("mine")
    rig.list("1")
    assert rig.process() is None
    rig.watch(*[line("ADDED", f"p-{number}@{number + 2}") for number in range(1001)])
    change = rig.process()
    assert change is not None
    assert len(change.objects()) == 1000
    assert (rig.stored(), rig.heard()) == ([], [])
    assert rig.core.commit(change, {"mine": [[] for _ in change.objects()]})
    assert len(rig.core) == 1000
    assert rig.heard() == [("add", f"p-{number}@{number + 2}") for number in range(1000)]
    last = rig.process()
    assert last is not None
    assert [named(obj) for obj in last.objects()] == ["p-1000@1002"]


@differs(
    "client-go skips the callback of an object of a batch whose write failed; here a write does not fail: an object "
    "whose index function raises is stored under no value of that index, and told, because a handler that never "
    "hears of an object cannot know that it should look."
)
def test_s69_an_object_that_an_index_function_fails_on_is_told_all_the_same(
    server: APIServer, factory: SharedInformerFactory
) -> None:
    """An index function that raises for one object of a batch keeps neither it nor the others from the handlers."""
    informer = factory.core().v1().pods().informer()
    informer.add_indexers({"number": lambda obj: [str(1 // int(obj.labels["number"]))]})
    recorder = Recorder()
    informer.add_event_handler(recorder)
    for number in range(3):
        server.create(pod(f"web-{number}", labels={"number": str(number)}))
    factory.start()
    assert_equal_to_server(server, informer, recorder)
    assert sorted(recorder.names("add")) == ["default/web-0", "default/web-1", "default/web-2"]
    assert informer.indexer().index_keys("number", "1") == ["default/web-1"]
    assert list(informer.index_errors()["number"]) == ["default/web-0"]


@differs(
    "client-go finds a delta of a type that it cannot process when it processes the batch; here the queue's types are "
    "a closed set and such a delta cannot be made, and a caller's own transaction checks types first."
)
def test_s70_a_batch_with_a_type_that_nobody_knows_touches_nothing() -> None:
    """A transaction that names a type of change that nobody knows fails before anything is written."""
    store: Indexer[KubeObject] = Indexer()
    first = KubeObject(b'{"metadata":{"name":"a"}}')
    with pytest.raises(ValueError, match="Teleported"):
        store.transaction([("Added", first), ("Teleported", first)])
    assert store.list() == []


def test_s71_only_the_first_list_is_initial() -> None:
    """Additions are of the initial list iff the first list has them, not when a later list or a watch brings them."""
    rig = CoreRig()
    rig.list("1", "a@1", "b@1")
    rig.watch(line("ADDED", "c@2"))
    assert rig.hear() == [("add", "a@1", "initial"), ("add", "b@1", "initial"), ("add", "c@2")]
    rig.list("9", "a@1", "b@1", "c@2", "d@9")
    assert rig.hear() == [("add", "d@9")]


@differs(
    "client-go drops a delta whose processing failed until the next relist; here processing has no step that can fail "
    "for one delta: a user's index function that raises is reported, and the object stored."
)
def test_s72_nothing_is_lost_when_a_user_function_fails_during_processing(
    server: APIServer, factory: SharedInformerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails while a delta is processed is logged with its key, and neither it nor what follows is lost."""
    informer = factory.core().v1().pods().informer()

    def fails(obj: KubeObject) -> list[str]:
        raise LookupError(obj.name)

    informer.add_indexers({"fails": fails})
    recorder = Recorder()
    informer.add_event_handler(recorder)
    with caplog.at_level(logging.ERROR, logger="kubeinformer"):
        factory.start()
        factory.wait_for_cache_sync(timeout=10)
        for number in range(3):
            server.create(pod(f"web-{number}"))
        assert_equal_to_server(server, informer, recorder)
    assert recorder.names("add") == ["default/web-0", "default/web-1", "default/web-2"]
    assert sum("failed on default/web-1" in record.getMessage() for record in caplog.records) == 1
    (reflector,) = informer.controller.reflectors.values()
    assert reflector.counters().relists == {}


def test_s73_what_is_queued_when_an_informer_stops_is_dropped() -> None:
    """After a stop nothing more is processed, however much is queued."""
    rig = CoreRig()
    rig.list("1", "a@1")
    rig.core.stop()
    with pytest.raises(ClosedError):
        rig.process()
    assert rig.stored() == []
    assert rig.listener.pop_events(10, 0) == []


@differs(
    "client-go calls the handler of NewInformer on the controller's goroutine, and a panic there comes out of Run; "
    "here it has a thread of its own, where an exception is logged with the key and delivery goes on, as for any other."
)
def test_s74_a_handler_of_new_informer_that_raises_is_logged(
    server: APIServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of the one handler of `new_informer` ends neither it nor the controller."""
    seen: list[str] = []

    def added(obj: KubeObject) -> None:
        seen.append(obj.key)
        raise RuntimeError("mine")

    store, controller = new_informer(server.api_client(), PODS, 0, ResourceEventHandlerFuncs(add_func=added))
    stop = threading.Event()
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            controller.run(stop)
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    for name in ("a", "b"):
        server.create(pod(name))
        eventually(lambda name=name: f"default/{name}" in seen, "the call")
    assert sorted(store.list_keys()) == ["default/a", "default/b"]
    stop.set()
    thread.join(10)
    assert ended == [None]
    assert sum("failed on default/a: RuntimeError('mine')" in message for message in caplog.messages) == 1


@differs(
    "client-go delivers one OnUpdate from the old uid to the new; here OnDelete with the last known state, then OnAdd, "
    "because what belongs to the old object must be cleaned up; `recreate_as_update` restores client-go's way."
)
@pytest.mark.usefixtures("quick_backoff")
def test_s75_a_new_uid_under_a_known_name_is_delete_and_add(server: APIServer, make_factory: Make) -> None:
    """An object that was deleted and made again while nobody watched is a deletion and an addition."""

    def kinds(recorder: Recorder) -> list[str]:
        return [kind for kind, _, _ in recorder.calls]

    recorders = {}
    for as_update in (False, True):
        factory = make_factory(options={"recreate_as_update": as_update, "watch_timeout": 300.0})
        informer = factory.core().v1().pods().informer()
        recorders[as_update] = Recorder()
        informer.add_event_handler(recorders[as_update])
        factory.start()
    server.create(pod("web-0"))
    for recorder in recorders.values():
        eventually(lambda recorder=recorder: kinds(recorder) == ["add"], "the first pod")
    server.faults.refuse_connections()
    server.faults.drop_connections()
    server.delete("pods", "web-0")
    again = pod("web-0")
    again["metadata"]["uid"] = "another"
    server.create(again)
    server.compact()
    server.faults.accept_connections()
    eventually(lambda: kinds(recorders[False]) == ["add", "delete", "add"], "delete and add")
    eventually(lambda: kinds(recorders[True]) == ["add", "update"], "one update")
    assert recorders[False].tombstones == 1
