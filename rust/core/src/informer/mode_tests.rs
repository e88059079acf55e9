//! What tells the three modes of the queue apart, row by row of the table 0.1 of the client-go semantics.

use std::sync::Arc;
use std::time::Duration;

use super::{Informer, InformerOptions, QueueMode, BATCH_SIZE};
use crate::listener::{Backlog, Listener, Popped};
use crate::queue::{DeltaObject, SourceId};
use crate::testing::{show, Pod};
use QueueMode::{Atomic, Delta, InOrder};

const A: SourceId = SourceId::FIRST;
const MODES: [QueueMode; 3] = [Atomic, InOrder, Delta];

fn pod(key: &str, version: &str) -> Arc<Pod> {
    Pod::new(key, "uid", version)
}

struct Fixture {
    informer: Informer<Pod>,
    listener: Arc<Listener<Pod>>,
}

impl Fixture {
    fn new(queue: QueueMode) -> Self {
        let informer = Informer::new(InformerOptions {
            queue,
            ..InformerOptions::default()
        });
        let listener = informer.add_listener(Backlog::GROW, None).unwrap();
        Self { informer, listener }
    }

    /// One that holds and has told these.
    fn with(queue: QueueMode, pods: &[Arc<Pod>]) -> Self {
        let fixture = Self::new(queue);
        fixture.list(pods);
        assert_eq!(fixture.hear().len(), pods.len());
        fixture
    }

    fn list(&self, pods: &[Arc<Pod>]) {
        self.informer.queue().replace(A, "9".into(), pods.to_vec());
    }

    /// What one pop tells.
    fn process(&self) -> Vec<String> {
        let queue = self.informer.queue();
        let deltas = queue.pop_batch(BATCH_SIZE, Some(Duration::ZERO)).unwrap();
        let change = self.informer.plan(deltas);
        let done = self
            .informer
            .commit(change, self.informer.generation(), |_, _, _| {});
        assert!(done.is_ok());
        self.heard()
    }

    fn heard(&self) -> Vec<String> {
        match self.listener.pop_batch(usize::MAX, Some(Duration::ZERO)) {
            Popped::Notifications(batch) => batch.iter().map(show).collect(),
            Popped::TimedOut => Vec::new(),
            Popped::Closed => panic!("closed"),
        }
    }

    /// What each pop tells, until nothing is queued.
    fn units(&self) -> Vec<Vec<String>> {
        let queue = self.informer.queue();
        std::iter::from_fn(|| (!queue.is_empty()).then(|| self.process())).collect()
    }

    fn hear(&self) -> Vec<String> {
        self.units().concat()
    }

    fn stored(&self) -> Vec<String> {
        let view = self.informer.store().read();
        view.assert_consistent();
        let mut keys: Vec<String> = view.objects().map(|pod| pod.key.clone()).collect();
        keys.sort_unstable();
        keys
    }
}

#[test]
fn s48_s52_s67_unit_and_order() {
    let changes = |mode| {
        let it = Fixture::new(mode);
        it.informer.queue().add(A, pod("a", "1"));
        it.informer.queue().add(A, pod("b", "1"));
        it.informer.queue().update(A, pod("a", "2"));
        it.informer.queue().update(A, pod("a", "3"));
        let units = it.units();
        assert_eq!(it.informer.store().read().get("a").unwrap().version, "3");
        units
    };
    let (a1, b1) = ("add a 1", "add b 1");
    let (a2, a3) = ("update a 1 2", "update a 2 3");
    for mode in [Atomic, InOrder] {
        assert_eq!(changes(mode), [vec![a1, b1], vec![a2], vec![a3]]);
    }
    assert_eq!(changes(Delta), [vec![a1, a2, a3], vec![b1]]);
}

#[test]
fn s33_a_key_that_was_popped_goes_to_the_end_of_the_line() {
    let it = Fixture::new(Delta);
    it.informer.queue().add(A, pod("a", "1"));
    it.informer.queue().add(A, pod("b", "1"));
    assert_eq!(it.process(), ["add a 1"]);
    it.informer.queue().update(A, pod("a", "2"));
    assert_eq!(it.units(), [["add b 1"], ["update a 1 2"]]);
}

#[test]
fn s34_only_a_deltafifo_merges_and_only_deletions() {
    let deletions = |mode| {
        let it = Fixture::with(mode, &[pod("a", "1")]);
        it.informer.queue().delete(A, pod("a", "2"));
        it.informer.queue().delete(A, pod("a", "3"));
        it.informer.queue().add(A, pod("a", "4"));
        it.informer.queue().delete(A, pod("a", "5"));
        assert_eq!(it.informer.queue().len(), if mode == Delta { 1 } else { 4 });
        let heard = it.hear();
        assert!(it.stored().is_empty());
        heard
    };
    let (first, second) = ("delete a 2", "delete a 3");
    let later = ["add a 4", "delete a 5"];
    for mode in [Atomic, InOrder] {
        assert_eq!(deletions(mode), [&[first, second], &later[..]].concat());
    }
    assert_eq!(deletions(Delta), [&[first], &later[..]].concat());
}

#[test]
fn s35_s65_a_deltafifo_drops_the_deletion_of_what_nobody_knows() {
    for mode in MODES {
        let it = Fixture::with(mode, &[pod("a", "1")]);
        it.informer.queue().delete(A, pod("x", "2"));
        it.informer.queue().delete(A, pod("a", "3"));
        it.informer.queue().add(A, pod("b", "4"));
        it.informer.queue().delete(A, pod("b", "5"));
        let mut expected = vec!["delete a 3", "add b 4", "delete b 5"];
        if mode != Delta {
            expected.insert(0, "delete x 2");
        }
        assert_eq!(it.hear(), expected, "{mode:?}");
    }
}

#[test]
fn s37_s49_s67_deletions_of_a_relist_and_their_place() {
    let list = [pod("c", "2"), pod("b", "2"), pod("n", "2")];
    for mode in MODES {
        let it = Fixture::with(mode, &["a", "b", "c"].map(|key| pod(key, "1")));
        it.list(&list);
        let units = it.units();
        let gone = "tombstone a 1";
        let rest = ["update c 1 2", "update b 1 2", "add n 2"];
        match mode {
            Atomic | InOrder => assert_eq!(units, [[&[gone], &rest[..]].concat()], "{mode:?}"),
            Delta => assert_eq!(units, [[rest[0]], [rest[1]], [rest[2]], [gone]]),
        }
        assert_eq!(it.stored(), ["b", "c", "n"]);
    }
}

#[test]
fn s38_s39_a_relist_is_compared_with_what_is_queued_too() {
    for mode in MODES {
        let it = Fixture::with(mode, &[pod("kept", "1"), pod("again", "1")]);
        it.informer.queue().add(A, pod("short", "2"));
        it.informer.queue().delete(A, pod("again", "3"));
        it.informer.queue().update(A, pod("kept", "4"));
        it.list(&[pod("kept", "4"), pod("again", "5")]);
        let mut all = it.hear();
        let end = |all: &[String], key: &str| {
            let of_key = all.iter().filter(|told| told.contains(key)).cloned();
            of_key.collect::<Vec<_>>()
        };
        assert_eq!(end(&all, "short"), ["add short 2", "tombstone short 2"]);
        assert_eq!(end(&all, "again"), ["delete again 3", "add again 5"]);
        assert_eq!(end(&all, "kept"), ["update kept 1 4"], "once: {mode:?}");
        assert_eq!(all.drain(..).count(), 5);
        assert_eq!(it.stored(), ["again", "kept"]);
    }
}

#[test]
fn s68_what_is_stored_when_the_first_object_of_a_list_is_told() {
    let keys: Vec<String> = (0..BATCH_SIZE + 500).map(|it| format!("key{it}")).collect();
    let pods: Vec<Arc<Pod>> = keys.iter().map(|key| pod(key, "1")).collect();
    for (mode, expected) in [(Atomic, pods.len()), (InOrder, BATCH_SIZE), (Delta, 1)] {
        let it = Fixture::new(mode);
        it.list(&pods);
        let told = it.process();
        assert_eq!(told[0], "add key0 1 initial");
        assert_eq!((told.len(), it.stored().len()), (expected, expected));
        assert_eq!(it.hear().len(), pods.len() - expected);
        assert_eq!(it.stored().len(), pods.len());
    }
}

#[test]
fn s43_s59_an_empty_first_list_is_synced_at_once_unless_it_is_one_change() {
    for mode in MODES {
        let it = Fixture::new(mode);
        it.list(&[]);
        assert_eq!(it.informer.has_synced(), mode != Atomic, "{mode:?}");
        assert_eq!(it.hear(), [""; 0]);
        assert!(it.informer.has_synced());
    }
}

#[test]
fn s44_s51_s71_the_first_list_is_initial_to_its_last_object_and_then_synced() {
    for mode in MODES {
        let it = Fixture::new(mode);
        it.list(&[pod("a", "1"), pod("b", "1")]);
        it.informer.queue().add(A, pod("c", "2"));
        let mut told = Vec::new();
        while !it.informer.has_synced() {
            told.extend(it.process());
        }
        assert_eq!(told[..2], ["add a 1 initial", "add b 1 initial"]);
        told.extend(it.hear());
        assert_eq!(told[2..], ["add c 2"], "{mode:?}");
        it.list(&["a", "b", "c", "d"].map(|key| pod(key, "3")));
        assert_eq!(it.hear().pop().unwrap(), "add d 3");
    }
}

#[test]
fn s51_not_synced_while_the_last_initial_object_is_processed() {
    for mode in MODES {
        let it = Fixture::new(mode);
        it.list(&[pod("a", "1")]);
        let deltas = it.informer.queue().pop_batch(BATCH_SIZE, None).unwrap();
        let change = it.informer.plan(deltas);
        assert!(!it.informer.has_synced());
        let done = it.informer.commit(change, 0, |_, _, _| {});
        assert!(done.is_ok() && it.informer.has_synced(), "{mode:?}");
    }
}

#[test]
fn s31_s60_bookmarks_and_versions_are_of_the_atomic_mode() {
    for mode in MODES {
        let it = Fixture::with(mode, &[pod("a", "1")]);
        it.informer.queue().bookmark(A, "20");
        assert_eq!(it.informer.queue().is_empty(), mode != Atomic);
        it.hear();
        let expected = if mode == Atomic { "20" } else { "" };
        assert_eq!(it.informer.resource_version(None), expected);
        it.informer.queue().update(A, pod("a", "21"));
        it.hear();
        let expected = if mode == Atomic { "21" } else { "" };
        assert_eq!(it.informer.resource_version(Some(A)), expected);
        assert_eq!(it.informer.store().read().resource_version(), expected);
    }
}

#[test]
fn s40_s58_a_resync_is_of_all_that_is_stored_or_of_what_has_nothing_queued() {
    for mode in MODES {
        let it = Fixture::with(mode, &[pod("a", "1"), pod("b", "1")]);
        it.informer.queue().update(A, pod("b", "2"));
        it.informer.queue().resync(A);
        let mut all = it.hear();
        assert_eq!(all.remove(0), "update b 1 2");
        all.sort_unstable();
        let expected = ["resync a 1 1", "resync b 2 2"];
        let count = if mode == Atomic { 2 } else { 1 };
        assert_eq!(all, expected[..count], "{mode:?}");
    }
}

#[test]
fn s75_s136_a_new_uid_and_an_unchanged_object_are_told_alike_in_all_modes() {
    for mode in MODES {
        let it = Fixture::with(mode, &[Pod::new("a", "u1", "1"), pod("b", "1")]);
        it.list(&[Pod::new("a", "u2", "2"), pod("b", "1")]);
        assert_eq!(it.hear(), ["tombstone a 1", "add a 2"], "{mode:?}");
    }
}

#[test]
fn a_source_deletes_only_what_is_its_own_in_all_modes() {
    for mode in MODES {
        let it = Fixture::with(mode, &[pod("a", "1"), pod("moved", "1")]);
        let b = it.informer.queue().add_source();
        let list_b = |pods: &[Arc<Pod>]| it.informer.queue().replace(b, "9".into(), pods.to_vec());
        list_b(&[pod("b", "1"), pod("moved", "1")]);
        assert_eq!(it.hear(), ["add b 1 initial"], "{mode:?}");
        it.list(&[pod("a", "1")]);
        assert_eq!(it.hear(), [""; 0], "it is the other source's now");
        list_b(&[]);
        let mut gone = it.hear();
        gone.sort_unstable();
        assert_eq!(gone, ["tombstone b 1", "tombstone moved 1"]);
        assert_eq!(it.stored(), ["a"]);
    }
}

/// One source takes an object over and tells its end before the list of the other is processed.
#[test]
fn an_end_that_another_source_told_is_not_told_again() {
    for mode in MODES {
        let it = Fixture::with(mode, &[pod("a", "1")]);
        let b = it.informer.queue().add_source();
        it.informer.queue().add(b, pod("a", "1"));
        it.informer.queue().delete(b, pod("a", "2"));
        it.list(&[]);
        assert_eq!(it.hear(), ["delete a 2"], "{mode:?}");
        let it = Fixture::with(mode, &[pod("a", "1")]);
        let b = it.informer.queue().add_source();
        it.informer.queue().delete(b, pod("a", "2"));
        it.list(&[]);
        assert_eq!(it.hear(), ["tombstone a 1"], "not the other's: {mode:?}");
    }
}

#[test]
fn s3_s4_tombstones_that_are_queued() {
    for mode in MODES {
        let it = Fixture::with(mode, &[pod("a", "1")]);
        it.informer
            .queue()
            .delete(A, DeltaObject::tombstone("a", None));
        assert_eq!(it.hear(), ["tombstone a 1"], "{mode:?}");
        assert!(it.stored().is_empty());
    }
}

#[test]
fn what_is_queued_is_counted_in_bytes_in_all_modes() {
    for mode in MODES {
        let it = Fixture::new(mode);
        let queue = it.informer.queue();
        queue.add(A, pod("a", "1"));
        queue.update(A, pod("a", "22"));
        assert_eq!(queue.queued_bytes(), 102 + 103, "{mode:?}");
        assert!(queue.wait_below(205, None).is_ok());
        assert!(queue.wait_below(204, Some(Duration::ZERO)).is_err());
        it.hear();
        assert_eq!(queue.queued_bytes(), 0);
    }
}
