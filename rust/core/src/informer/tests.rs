//! One behaviour of the informer each; named by the § of the client-go semantics where there is one.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Informer, InformerOptions, BATCH_SIZE};
use crate::listener::{Backlog, Listener, Popped};
use crate::queue::{DeltaObject, SourceId};
use crate::testing::{show, Pod};
use crate::write_batch::WriteBatch;

const A: SourceId = SourceId::FIRST;

pub(super) fn pod(key: &str, version: &str) -> Arc<Pod> {
    Pod::new(key, "uid", version)
}

pub(super) fn informer() -> Informer<Pod> {
    Informer::new(InformerOptions::default())
}

fn process_one(informer: &Informer<Pod>) -> usize {
    let deltas = informer
        .queue()
        .pop_batch(BATCH_SIZE, Some(Duration::ZERO))
        .unwrap();
    let change = informer.plan(deltas);
    let generation = informer.generation();
    let done = informer.commit(change, generation, |_, pod, sink| {
        pod.index(generation as u16, sink);
    });
    done.ok().expect("nobody adds indices")
}

pub(super) fn process(informer: &Informer<Pod>) {
    while !informer.queue().is_empty() {
        process_one(informer);
    }
    informer.store().read().assert_consistent();
}

pub(super) fn heard(listener: &Listener<Pod>) -> Vec<String> {
    match listener.try_pop_batch(usize::MAX).expect("no other thread") {
        Popped::Notifications(batch) => batch.iter().map(show).collect(),
        Popped::TimedOut => Vec::new(),
        Popped::Closed => panic!("closed"),
    }
}

/// Processes what is queued; what a handler hears of it.
fn hear(informer: &Informer<Pod>, listener: &Listener<Pod>) -> Vec<String> {
    process(informer);
    heard(listener)
}

fn listen(informer: &Informer<Pod>) -> Arc<Listener<Pod>> {
    informer
        .add_listener(Backlog::GROW, None)
        .expect("not stopped")
}

fn list(informer: &Informer<Pod>, source: SourceId, version: &str, pods: &[Arc<Pod>]) {
    informer
        .queue()
        .replace(source, version.to_owned(), pods.to_vec());
}

#[test]
fn s63_the_store_decides_between_add_and_update() {
    let informer = informer();
    let listener = listen(&informer);
    informer.queue().update(A, pod("a", "1"));
    assert_eq!(hear(&informer, &listener), ["add a 1"]);
    informer.queue().add(A, pod("a", "2"));
    assert_eq!(hear(&informer, &listener), ["update a 1 2"]);
    assert_eq!(informer.store().read().get("a").unwrap().version, "2");
}

#[test]
fn s64_s68_the_store_is_written_before_anyone_hears() {
    let informer = informer();
    let listener = listen(&informer);
    list(&informer, A, "9", &[pod("a", "1"), pod("b", "2")]);
    thread::scope(|scope| {
        let handler = scope.spawn(|| {
            let Popped::Notifications(batch) = listener.pop_batch(1, None) else {
                panic!("not closed");
            };
            assert_eq!(show(&batch[0]), "add a 1 initial");
            let view = informer.store().read();
            assert_eq!((view.len(), view.resource_version()), (2, "9"));
        });
        process(&informer);
        handler.join().unwrap();
    });
}

#[test]
fn s65_a_deletion_is_told_even_if_the_object_was_unknown() {
    let informer = informer();
    let listener = listen(&informer);
    informer.queue().delete(A, pod("a", "1"));
    assert_eq!(hear(&informer, &listener), ["delete a 1"]);
    informer.queue().add(A, pod("b", "2"));
    informer.queue().delete(A, pod("b", "3"));
    assert_eq!(hear(&informer, &listener), ["add b 2", "delete b 3"]);
    assert!(informer.store().read().is_empty());
}

#[test]
fn s3_s4_a_tombstone_goes_by_its_key_and_knows_what_was_seen() {
    let informer = informer();
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a", "1"), pod("b", "1")]);
    process(&informer);
    heard(&listener);
    informer
        .queue()
        .delete(A, DeltaObject::tombstone("a", None));
    informer
        .queue()
        .delete(A, DeltaObject::tombstone("b", Some(pod("x", "0"))));
    informer
        .queue()
        .delete(A, DeltaObject::tombstone("c", None));
    let expected = ["tombstone a 1", "tombstone b 0", "tombstone c unknown"];
    assert_eq!(hear(&informer, &listener), expected);
    assert!(informer.store().read().is_empty());
}

#[test]
fn s66_a_bookmark_moves_the_resource_version_and_sync_all_tells_everything() {
    let informer = informer();
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a", "1"), pod("b", "1")]);
    process(&informer);
    heard(&listener);
    informer.queue().bookmark(A, "5");
    assert_eq!(hear(&informer, &listener), [""; 0]);
    assert_eq!(informer.store().read().resource_version(), "5");
    informer.queue().resync(A);
    let mut all = hear(&informer, &listener);
    all.sort_unstable();
    assert_eq!(all, ["resync a 1 1", "resync b 1 1"]);
    assert_eq!(informer.store().read().resource_version(), "5");
}

#[test]
fn s67_a_list_tells_deletions_first_then_its_own_order() {
    let informer = informer();
    let listener = listen(&informer);
    let pods = ["a", "b", "c", "d", "e", "f", "g"].map(|key| pod(key, "1"));
    list(&informer, A, "1", &pods);
    assert_eq!(hear(&informer, &listener).len(), 7);
    let mut pods = vec![
        pod("z", "2"),
        pod("c", "2"),
        pod("y", "2"),
        pod("a", "1"),
        pod("b", "2"),
    ];
    pods.extend([pod("g", "1")]);
    list(&informer, A, "2", &pods);
    let all = hear(&informer, &listener);
    let (gone, rest) = all.split_at(3);
    let mut gone = gone.to_vec();
    gone.sort_unstable();
    assert_eq!(gone, ["tombstone d 1", "tombstone e 1", "tombstone f 1"]);
    assert_eq!(rest, ["add z 2", "update c 1 2", "add y 2", "update b 1 2"]);
    assert_eq!(informer.store().read().len(), 6);
    assert_eq!(informer.store().read().resource_version(), "2");
}

#[test]
fn s23_of_equal_keys_in_a_list_the_last_counts() {
    let informer = informer();
    let listener = listen(&informer);
    let pods = [
        pod("a", "1"),
        pod("b", "1"),
        pod("a", "2"),
        pod("c", "1"),
        pod("a", "3"),
    ];
    list(&informer, A, "1", &pods);
    assert_eq!(
        hear(&informer, &listener),
        ["add b 1 initial", "add c 1 initial", "add a 3 initial"]
    );
    list(
        &informer,
        A,
        "2",
        &[pod("a", "4"), pod("b", "1"), pod("a", "3"), pod("c", "1")],
    );
    assert_eq!(hear(&informer, &listener), [""; 0]);
}

#[test]
fn s71_only_the_first_list_is_initial() {
    let informer = informer();
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a", "1")]);
    list(&informer, A, "2", &[pod("a", "1"), pod("b", "2")]);
    informer.queue().add(A, pod("c", "3"));
    let expected = ["add a 1 initial", "add b 2", "add c 3"];
    assert_eq!(hear(&informer, &listener), expected);
}

#[test]
fn s71_the_first_list_of_a_later_source_is_initial_too() {
    let informer = informer();
    let b = informer.queue().add_source();
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a/x", "1")]);
    informer.queue().add(A, pod("a/y", "2"));
    list(&informer, b, "3", &[pod("b/x", "3")]);
    let expected = ["add a/x 1 initial", "add a/y 2", "add b/x 3 initial"];
    assert_eq!(hear(&informer, &listener), expected);
}

#[test]
fn s75_a_new_uid_is_a_deletion_and_an_addition() {
    let informer = informer();
    let listener = listen(&informer);
    list(
        &informer,
        A,
        "1",
        &[Pod::new("a", "u1", "1"), Pod::new("b", "u2", "1")],
    );
    process(&informer);
    heard(&listener);
    informer.queue().update(A, Pod::new("a", "u3", "2"));
    assert_eq!(hear(&informer, &listener), ["tombstone a 1", "add a 2"]);
    list(
        &informer,
        A,
        "1",
        &[Pod::new("a", "u3", "2"), Pod::new("b", "u4", "1")],
    );
    assert_eq!(hear(&informer, &listener), ["tombstone b 1", "add b 1"]);
    assert_eq!(informer.store().read().get("b").unwrap().uid, "u4");
}

#[test]
fn s75_or_one_update_if_asked_for() {
    let options = InformerOptions {
        recreate_as_update: true,
        ..InformerOptions::default()
    };
    let informer = Informer::new(options);
    let listener = listen(&informer);
    list(&informer, A, "1", &[Pod::new("a", "u1", "1")]);
    list(&informer, A, "2", &[Pod::new("a", "u2", "2")]);
    assert_eq!(
        hear(&informer, &listener),
        ["add a 1 initial", "update a 1 2"]
    );
}

#[test]
fn s134_s136_an_unchanged_object_is_silent_and_keeps_its_allocation() {
    let informer = informer();
    let listener = listen(&informer);
    let first = pod("a", "1");
    list(&informer, A, "1", &[Arc::clone(&first)]);
    process(&informer);
    heard(&listener);
    list(&informer, A, "2", &[pod("a", "1")]);
    informer.queue().update(A, pod("a", "1"));
    informer.queue().update(A, Arc::clone(&first));
    assert_eq!(hear(&informer, &listener), [""; 0]);
    assert!(Arc::ptr_eq(
        informer.store().read().get("a").unwrap(),
        &first
    ));
    assert_eq!(
        informer.store().read().resource_version(),
        "1",
        "of the last delta"
    );
}

#[test]
fn s136_or_told_if_asked_for() {
    let options = InformerOptions {
        notify_unchanged_on_relist: true,
        ..InformerOptions::default()
    };
    let informer = Informer::new(options);
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a", "1")]);
    list(&informer, A, "2", &[pod("a", "1")]);
    assert_eq!(
        hear(&informer, &listener),
        ["add a 1 initial", "resync a 1 1"]
    );
}

#[test]
fn a_source_deletes_only_what_is_its_own() {
    let informer = informer();
    let b = informer.queue().add_source();
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a", "1"), pod("b", "1")]);
    list(&informer, b, "1", &[pod("c", "1")]);
    process(&informer);
    heard(&listener);
    list(&informer, b, "2", &[]);
    assert_eq!(hear(&informer, &listener), ["tombstone c 1"]);
    informer.queue().delete(b, pod("a", "3"));
    informer
        .queue()
        .delete(b, DeltaObject::tombstone("b", None));
    assert_eq!(hear(&informer, &listener), [""; 0]);
    list(&informer, A, "3", &[]);
    assert_eq!(hear(&informer, &listener).len(), 2);
}

#[test]
fn an_object_that_moved_to_another_source_is_not_deleted_by_the_first() {
    let informer = informer();
    let b = informer.queue().add_source();
    let listener = listen(&informer);
    list(
        &informer,
        A,
        "1",
        &[pod("a", "1"), pod("b", "1"), pod("c", "1")],
    );
    list(&informer, b, "1", &[]);
    process(&informer);
    heard(&listener);
    // The same version, a newer one, and the same allocation.
    let same = Arc::clone(informer.store().read().get("c").unwrap());
    list(&informer, b, "2", &[pod("a", "1"), pod("b", "2"), same]);
    assert_eq!(hear(&informer, &listener), ["update b 1 2"]);
    informer.queue().delete(A, pod("a", "3"));
    list(&informer, A, "3", &[]);
    assert_eq!(hear(&informer, &listener), [""; 0]);
    informer.queue().delete(b, pod("a", "4"));
    assert_eq!(hear(&informer, &listener), ["delete a 4"]);
}

#[test]
fn s141_s142_a_late_listener_gets_the_store_first() {
    let informer = informer();
    let early = listen(&informer);
    assert!(informer.start());
    list(&informer, A, "1", &[pod("a", "1"), pod("b", "1")]);
    process(&informer);
    let late = listen(&informer);
    informer.queue().update(A, pod("a", "2"));
    process(&informer);
    assert_eq!(
        heard(&early),
        ["add a 1 initial", "add b 1 initial", "update a 1 2"]
    );
    let mut all = heard(&late);
    assert_eq!(all.pop().unwrap(), "update a 1 2");
    all.sort_unstable();
    assert_eq!(all, ["add a 1 initial", "add b 1 initial"]);
}

#[test]
fn s142_a_listener_that_joins_between_plan_and_commit_misses_nothing() {
    let informer = informer();
    informer.start();
    list(&informer, A, "1", &[pod("a", "1"), pod("b", "1")]);
    process(&informer);
    informer.queue().update(A, pod("a", "2"));
    let deltas = informer.queue().pop_batch(1, None).unwrap();
    let change = informer.plan(deltas);
    assert_eq!(
        change.puts().map(|pod| &*pod.key).collect::<Vec<_>>(),
        ["a"]
    );
    assert_eq!(change.deleted_keys().count(), 0);
    let late = listen(&informer);
    let done = informer.commit(change, informer.generation(), |_, _, _| {});
    assert_eq!(done.ok(), Some(1));
    let all = heard(&late);
    assert_eq!(all.len(), 3);
    assert_eq!(all[2], "update a 1 2");
}

#[test]
fn s143_s153_s157_a_stopped_informer_takes_no_listener_and_closes_those_it_has() {
    let informer = informer();
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a", "1")]);
    process(&informer);
    informer.stop();
    assert!(informer.is_stopped() && informer.queue().is_closed());
    assert!(matches!(listener.pop_batch(1, None), Popped::Closed));
    assert!(informer.add_listener(Backlog::GROW, None).is_none());
    assert!(informer.remove_listener(&listener), "still one of its own");
    informer.stop();
}

#[test]
fn s145_only_the_own_listener_is_removed_and_only_once() {
    let (informer, other) = (informer(), informer());
    let (mine, foreign) = (listen(&informer), listen(&other));
    assert!(!informer.remove_listener(&foreign));
    assert!(!foreign.is_closed());
    assert!(informer.remove_listener(&mine));
    assert!(mine.is_closed());
    assert!(!informer.remove_listener(&mine));
    list(&informer, A, "1", &[pod("a", "1")]);
    process(&informer);
    assert_eq!(informer.stats().batches, 1);
}

#[test]
fn s149_s158_synced_when_every_source_is_processed_and_for_good() {
    let informer = informer();
    let b = informer.queue().add_source();
    let listener = listen(&informer);
    list(&informer, A, "1", &[pod("a", "1")]);
    process(&informer);
    assert!(!informer.has_synced());
    list(&informer, b, "1", &[]);
    assert!(!informer.has_synced());
    process(&informer);
    assert!(informer.has_synced());
    assert!(!listener.initial_list_done());
    assert_eq!(heard(&listener).len(), 1);
    assert_eq!(heard(&listener).len(), 0);
    assert!(listener.initial_list_done());
    informer.queue().add_source();
    assert!(informer.has_synced());
}

#[test]
fn s156_the_second_start_changes_nothing() {
    let informer = informer();
    let period = Duration::from_secs(1000);
    informer.add_listener(Backlog::GROW, Some(period)).unwrap();
    assert_eq!(informer.until_resync(Instant::now()), None, "not started");
    let before = Instant::now();
    assert!(informer.start());
    let after = Instant::now();
    let due = before + informer.until_resync(before).unwrap();
    assert!(due >= before + period && due <= after + period);
    assert!(!informer.start());
    assert_eq!(before + informer.until_resync(before).unwrap(), due);
}

#[test]
fn s125_s128_each_handler_has_its_own_resync() {
    let informer = informer();
    let minutes = |count| Duration::from_secs(60 * count);
    let often = informer
        .add_listener(Backlog::GROW, Some(minutes(2)))
        .unwrap();
    let rarely = informer
        .add_listener(Backlog::GROW, Some(minutes(5)))
        .unwrap();
    let never = informer.add_listener(Backlog::GROW, None).unwrap();
    informer.start();
    let start = Instant::now();
    list(&informer, A, "1", &[pod("a", "1")]);
    process(&informer);
    let counts = || [&often, &rarely, &never].map(|listener| heard(listener).len());
    assert_eq!(counts(), [1, 1, 1]);
    assert_eq!(informer.resync(start), 0);
    // A second more than due: the informer was started a little before `start` was read.
    let at = |count: u64| start + minutes(count) + Duration::from_secs(1);
    assert_eq!(informer.resync(at(2)), 1);
    assert_eq!(counts(), [1, 0, 0]);
    assert_eq!(informer.until_resync(at(2)), Some(minutes(2)));
    assert_eq!(informer.resync(at(3)), 0);
    assert_eq!(informer.resync(at(5)), 2);
    assert_eq!(counts(), [1, 1, 0]);
    let due = at(5) + informer.until_resync(at(5)).unwrap();
    assert_eq!(
        informer.resync(due.checked_sub(Duration::from_nanos(1)).unwrap()),
        0
    );
    assert_eq!(informer.resync(due), 1);
    // A handler that joins late counts from then on.
    informer
        .add_listener(Backlog::GROW, Some(minutes(1)))
        .unwrap();
    let wait = informer.until_resync(Instant::now()).unwrap();
    assert!(wait <= minutes(1) && wait > minutes(0));
    assert_eq!(informer.resync(at(5)), 1);
}

#[test]
fn a_period_past_the_end_of_the_clock_is_never_due() {
    let informer = informer();
    informer
        .add_listener(Backlog::GROW, Some(Duration::MAX))
        .unwrap();
    informer.start();
    assert_eq!(informer.until_resync(Instant::now()), None);
    assert_eq!(
        informer.resync(Instant::now() + Duration::from_secs(1 << 30)),
        0
    );
}

#[test]
fn a_change_planned_for_other_indices_comes_back_whole() {
    let informer = informer();
    let listener = listen(&informer);
    let object = Pod::indexed("a", "u", "1", &[(0, "n1")]);
    list(&informer, A, "7", &[object]);
    let deltas = informer.queue().pop_batch(1, None).unwrap();
    let change = informer.plan(deltas);
    let generation = informer.generation();
    let pending = informer.store().begin_add_indices(&["node"]).unwrap();
    informer
        .store()
        .finish_add_indices(pending, &WriteBatch::default());
    let refused = informer.commit(change, generation, |_, _, _| {});
    let change = refused.expect_err("there is a new index");
    assert!(informer.store().read().is_empty());
    assert_eq!(informer.store().read().resource_version(), "");
    assert_eq!(heard(&listener), [""; 0]);
    assert!(!informer.has_synced());
    let done = informer.commit(change, informer.generation(), |number, pod, sink| {
        assert_eq!(number, 0);
        pod.index(1, sink);
    });
    assert_eq!(done.ok(), Some(1));
    assert_eq!(heard(&listener), ["add a 1 initial"]);
    assert_eq!(informer.store().read().count_by_index("node", "n1"), Ok(1));
    assert!(informer.has_synced());
}

#[test]
fn index_values_are_asked_for_in_the_order_of_the_puts() {
    let informer = informer();
    let pending = informer.store().begin_add_indices(&["number"]).unwrap();
    informer
        .store()
        .finish_add_indices(pending, &WriteBatch::default());
    list(&informer, A, "1", &[pod("gone", "1"), pod("same", "1")]);
    process(&informer);
    list(
        &informer,
        A,
        "2",
        &[pod("b", "2"), pod("same", "1"), pod("a", "2")],
    );
    let deltas = informer.queue().pop_batch(1, None).unwrap();
    let change = informer.plan(deltas);
    assert_eq!(change.deleted_keys().collect::<Vec<_>>(), ["gone"]);
    let keys: Vec<String> = change.puts().map(|pod| pod.key.clone()).collect();
    assert_eq!(keys, ["b", "a"]);
    let done = informer.commit(change, informer.generation(), |number, pod, sink| {
        assert_eq!(pod.key, keys[number]);
        sink(0, &number.to_string());
    });
    assert_eq!(done.ok(), Some(1));
    let view = informer.store().read();
    assert_eq!(view.values_of("number", "a").unwrap(), ["1"]);
    assert_eq!(view.values_of("number", "b").unwrap(), ["0"]);
}

#[test]
fn the_counters_count_batches_and_notifications_once() {
    let informer = informer();
    let _listeners = [listen(&informer), listen(&informer)];
    list(&informer, A, "1", &[pod("a", "1"), pod("b", "1")]);
    process(&informer);
    informer.queue().bookmark(A, "2");
    process(&informer);
    let stats = informer.stats();
    assert_eq!((stats.batches, stats.notifications), (2, 2));
}
