//! §48-§62 of `RealFifo`, and what sources and bytes add to them.

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::queue::{Delta, DeltaObject, RealFifo, RealFifoMode, SourceId, WaitError};

use super::{known, list, parse, show, Obj, FIRST, NOW};

fn atomic() -> RealFifo<Obj> {
    RealFifo::new(RealFifoMode::Atomic {
        emit_bookmarks: true,
    })
}

fn non_atomic() -> RealFifo<Obj> {
    RealFifo::new(RealFifoMode::NonAtomic)
}

fn pop(fifo: &RealFifo<Obj>) -> String {
    let delta = fifo.pop(NOW).expect("something is queued");
    fifo.processed();
    show(&delta)
}

fn drain(fifo: &RealFifo<Obj>) -> Vec<String> {
    let mut popped = Vec::new();
    while !fifo.is_empty() {
        popped.push(pop(fifo));
    }
    popped
}

fn batch(fifo: &RealFifo<Obj>, max: usize) -> Vec<String> {
    let deltas = fifo.pop_batch(max, NOW).expect("something is queued");
    fifo.processed();
    deltas.iter().map(show).collect()
}

fn replace(fifo: &RealFifo<Obj>, objects: &[&str], known_objects: &[&str]) {
    fifo.quiet(NOW).expect("nothing is processed").replace(
        FIRST,
        list(objects),
        known(known_objects),
    );
}

fn add_all(fifo: &RealFifo<Obj>, source: SourceId, objects: &[&str]) {
    fifo.add_many(
        objects
            .iter()
            .map(|object| Delta::added(source, parse(object)))
            .collect(),
    );
}

#[test]
fn s48_everything_comes_in_order_and_nothing_is_merged() {
    for fifo in [atomic(), non_atomic()] {
        fifo.add(FIRST, parse("a1"));
        fifo.update(FIRST, parse("b1"));
        fifo.update(FIRST, parse("a2"));
        fifo.delete(FIRST, parse("a3"));
        fifo.delete(FIRST, DeltaObject::tombstone("a", None));
        fifo.delete(FIRST, parse("u1"));
        add_all(&fifo, FIRST, &["a4", "a4"]);
        assert_eq!(fifo.len(), 8);
        let expected = [
            "Added a1",
            "Updated b1",
            "Updated a2",
            "Deleted a3",
            "Deleted a(?)",
            "Deleted u1",
            "Added a4",
            "Added a4",
        ];
        assert_eq!(drain(&fifo), expected);
    }
}

#[test]
fn s49_replace_deletes_the_queued_then_the_known_then_adds() {
    let fifo = non_atomic();
    for object in ["q1", "d1", "a1", "q2"] {
        fifo.add(FIRST, parse(object));
    }
    fifo.delete(FIRST, parse("d2"));
    replace(&fifo, &["a2", "n1", "n1"], &["k1", "d1", "a1", "q1", "u?"]);
    assert_eq!(
        drain(&fifo)[5..],
        [
            "Deleted q(q2)",
            "Deleted k(k1)",
            "Deleted u(?)",
            "Replaced a2",
            "Replaced n1",
            "Replaced n1",
        ]
    );
}

#[test]
fn s49_a_key_queued_again_after_its_deletion_gets_a_tombstone() {
    let fifo = non_atomic();
    fifo.delete(FIRST, parse("a1"));
    fifo.add(FIRST, parse("a2"));
    replace(&fifo, &[], &["a1"]);
    assert_eq!(drain(&fifo), ["Deleted a1", "Added a2", "Deleted a(a2)"]);
}

#[test]
fn s50_initial_population_is_all_that_is_queued_after_the_first_replace() {
    let fifo = non_atomic();
    let quiet = fifo.quiet(NOW).unwrap();
    quiet.resync(FIRST, known(&["a1"]));
    quiet.replace(FIRST, list(&["b1", "b1"]), known(&["a1", "c1"]));
    drop(quiet);
    fifo.add(FIRST, parse("d1"));
    for expected in [
        "Sync a1",
        "Deleted a(a1)",
        "Deleted c(c1)",
        "Replaced b1",
        "Replaced b1",
    ] {
        assert!(!fifo.has_synced());
        let delta = fifo.pop(NOW).unwrap();
        assert_eq!((show(&delta).as_str(), delta.initial), (expected, true));
        fifo.processed();
    }
    assert!(fifo.has_synced());
    assert!(!fifo.pop(NOW).unwrap().initial);
}

#[test]
fn s50_an_event_before_the_first_replace_makes_synced() {
    for fifo in [atomic(), non_atomic()] {
        assert!(!fifo.has_synced());
        fifo.delete(FIRST, parse("a1"));
        assert!(fifo.has_synced());
    }
}

#[test]
fn s50_empty_first_replace_is_synced_at_once() {
    let fifo = non_atomic();
    replace(&fifo, &[], &[]);
    assert!(fifo.has_synced());
}

#[test]
fn s51_synced_only_after_the_last_initial_delta_is_processed() {
    let fifo = non_atomic();
    replace(&fifo, &["a1", "b1"], &[]);
    fifo.pop_batch(9, NOW).unwrap();
    assert!(!fifo.has_synced() && !fifo.has_synced_source(FIRST));
    assert_eq!(fifo.wait_synced(NOW), Err(WaitError::TimedOut));
    fifo.processed();
    assert!(fifo.has_synced() && fifo.has_synced_source(FIRST));
    assert_eq!(fifo.wait_synced(NOW), Ok(()));
}

#[test]
fn s52_batch_has_distinct_keys_and_at_most_max() {
    let fifo = atomic();
    add_all(&fifo, FIRST, &["a1", "b1", "c1", "a2", "b2", "b3", "c2"]);
    assert_eq!(batch(&fifo, 2), ["Added a1", "Added b1"]);
    assert_eq!(batch(&fifo, 1000), ["Added c1", "Added a2", "Added b2"]);
    assert_eq!(batch(&fifo, 0), ["Added b3"], "at least one");
    assert_eq!(batch(&fifo, 1000), ["Added c2"]);
    assert_eq!(fifo.pop_batch(1000, NOW).unwrap_err(), WaitError::TimedOut);
}

#[test]
fn s52_a_tombstone_and_an_object_of_one_key_are_not_distinct() {
    let fifo = atomic();
    fifo.add(FIRST, parse("a1"));
    fifo.delete(FIRST, DeltaObject::tombstone("a", None));
    assert_eq!(batch(&fifo, 9), ["Added a1"]);
    assert_eq!(batch(&fifo, 9), ["Deleted a(?)"]);
}

#[test]
fn s52_batch_ends_with_the_initial_list() {
    let fifo = non_atomic();
    replace(&fifo, &["a1", "b1"], &[]);
    fifo.add(FIRST, parse("c1"));
    let deltas = fifo.pop_batch(9, NOW).unwrap();
    assert_eq!(
        deltas.iter().map(|delta| delta.initial).collect::<Vec<_>>(),
        [true, true]
    );
    fifo.processed();
    let deltas = fifo.pop_batch(9, NOW).unwrap();
    assert_eq!(
        deltas.iter().map(|delta| delta.initial).collect::<Vec<_>>(),
        [false]
    );
}

#[test]
fn s52_initial_lists_of_two_sources_share_a_batch() {
    let fifo = non_atomic();
    let second = fifo.add_source();
    replace(&fifo, &["a1"], &[]);
    fifo.quiet(NOW)
        .unwrap()
        .replace(second, list(&["x1"]), Vec::new());
    fifo.add(second, parse("y1"));
    assert_eq!(batch(&fifo, 9), ["Replaced a1", "Replaced x1"]);
    assert!(fifo.has_synced());
    assert_eq!(batch(&fifo, 9), ["Added y1"]);
}

#[test]
fn s54_what_concerns_all_objects_comes_alone() {
    let fifo = atomic();
    fifo.add(FIRST, parse("a1"));
    fifo.bookmark(FIRST, "2");
    fifo.replace(FIRST, "3".into(), list(&["b1"]));
    fifo.add(FIRST, parse("c1"));
    fifo.add(FIRST, parse("d1"));
    fifo.resync(FIRST);
    assert_eq!(batch(&fifo, 9), ["Added a1"]);
    assert_eq!(batch(&fifo, 9), ["Bookmark 2"]);
    assert_eq!(batch(&fifo, 9), ["ReplacedAll 3[b1]"]);
    assert_eq!(batch(&fifo, 9), ["Added c1", "Added d1"]);
    assert_eq!(batch(&fifo, 9), ["SyncAll"]);
}

#[test]
fn s56_popped_objects_are_let_go() {
    let fifo = atomic();
    let object = parse("a1");
    fifo.add(FIRST, Arc::clone(&object));
    fifo.replace(FIRST, String::new(), vec![Arc::clone(&object)]);
    assert_eq!(Arc::strong_count(&object), 3);
    drop(fifo.pop(NOW));
    fifo.processed();
    assert_eq!(Arc::strong_count(&object), 2);
    drop(fifo.pop_batch(9, NOW));
    assert_eq!(Arc::strong_count(&object), 1);
}

#[test]
fn s57_atomic_replace_is_one_delta() {
    let fifo = atomic();
    fifo.add(FIRST, parse("q1"));
    fifo.replace(FIRST, "7".into(), list(&["b1", "a1", "b1"]));
    assert_eq!(drain(&fifo), ["Added q1", "ReplacedAll 7[b1 a1 b1]"]);
}

#[test]
fn s58_atomic_resync_is_one_delta_whatever_is_queued() {
    let fifo = atomic();
    fifo.resync(FIRST);
    fifo.add(FIRST, parse("a1"));
    fifo.resync(FIRST);
    fifo.resync(FIRST);
    assert_eq!(drain(&fifo), ["SyncAll", "Added a1", "SyncAll", "SyncAll"]);
}

#[test]
fn s58_non_atomic_resync_syncs_known_keys_with_nothing_queued() {
    let fifo = non_atomic();
    fifo.delete(FIRST, parse("a2"));
    fifo.quiet(NOW)
        .unwrap()
        .resync(FIRST, known(&["a1", "b1", "c?"]));
    assert_eq!(drain(&fifo), ["Deleted a2", "Sync b1"]);
}

#[test]
fn s59_atomic_empty_first_list_is_synced_after_its_processing() {
    let fifo = atomic();
    fifo.replace(FIRST, "1".into(), Vec::new());
    assert!(!fifo.has_synced());
    assert!(fifo.pop(NOW).unwrap().initial);
    assert!(!fifo.has_synced());
    fifo.processed();
    assert!(fifo.has_synced());
}

#[test]
fn s60_bookmarks_are_queued_only_if_emitted_and_do_not_populate() {
    let fifo = atomic();
    fifo.bookmark(FIRST, "5");
    assert!(!fifo.has_synced());
    fifo.replace(FIRST, "6".into(), Vec::new());
    assert_eq!(pop(&fifo), "Bookmark 5");
    assert!(!fifo.has_synced());
    assert_eq!(pop(&fifo), "ReplacedAll 6[]");
    assert!(fifo.has_synced());

    for mode in [
        RealFifoMode::NonAtomic,
        RealFifoMode::Atomic {
            emit_bookmarks: false,
        },
    ] {
        let fifo = RealFifo::<Obj>::new(mode);
        fifo.bookmark(FIRST, "5");
        assert!(fifo.is_empty());
    }
}

#[test]
#[should_panic(expected = "the other mode")]
fn s61_atomic_queue_compares_with_nothing() {
    drop(atomic().quiet(NOW));
}

#[test]
#[should_panic(expected = "the other mode")]
fn s61_non_atomic_queue_has_no_replaced_all() {
    non_atomic().replace(FIRST, String::new(), Vec::new());
}

#[test]
#[should_panic(expected = "the other mode")]
fn s61_non_atomic_queue_has_no_sync_all() {
    non_atomic().resync(FIRST);
}

#[test]
fn s62_producers_wait_while_more_bytes_are_queued() {
    let fifo = atomic();
    fifo.add(FIRST, parse("a100"));
    fifo.replace(FIRST, String::new(), list(&["b20", "c30"]));
    fifo.resync(FIRST);
    fifo.delete(FIRST, DeltaObject::tombstone("d", Some(parse("d1000"))));
    assert_eq!(
        fifo.queued_bytes(),
        150,
        "a tombstone's object is held elsewhere"
    );
    assert_eq!(fifo.wait_below(150, NOW), Ok(()));
    assert_eq!(
        fifo.wait_below(149, Some(Duration::from_millis(5))),
        Err(WaitError::TimedOut)
    );
    assert_eq!(pop(&fifo), "Added a100");
    assert_eq!(fifo.queued_bytes(), 50);
    assert_eq!(fifo.wait_below(149, NOW), Ok(()));
    fifo.close();
    assert_eq!(fifo.wait_below(49, None), Err(WaitError::Closed));
    assert_eq!(fifo.wait_below(50, None), Ok(()));
    assert_eq!(batch(&fifo, 9), ["ReplacedAll [b20 c30]"]);
    assert_eq!(fifo.queued_bytes(), 0);
}

#[test]
fn s62_a_resync_of_what_is_known_holds_no_bytes() {
    let fifo = non_atomic();
    fifo.quiet(NOW).unwrap().resync(FIRST, known(&["a100"]));
    assert_eq!((fifo.len(), fifo.queued_bytes()), (1, 0));
}

#[test]
fn closed_queue_is_drained_first_and_still_accepts() {
    let fifo = atomic();
    fifo.add(FIRST, parse("a1"));
    fifo.close();
    assert!(fifo.is_closed());
    fifo.add(FIRST, parse("b1"));
    assert_eq!(drain(&fifo), ["Added a1", "Added b1"]);
    assert_eq!(fifo.pop(None).unwrap_err(), WaitError::Closed);
    assert_eq!(fifo.pop_batch(9, None).unwrap_err(), WaitError::Closed);
    assert_eq!(
        fifo.wait_synced(None),
        Ok(()),
        "synced before it was closed"
    );
}

#[test]
fn closed_queue_that_never_synced_says_so() {
    let fifo = atomic();
    fifo.close();
    assert_eq!(fifo.wait_synced(None), Err(WaitError::Closed));
}

#[test]
fn sources_are_replaced_and_synced_each_on_its_own() {
    let fifo = atomic();
    let second = fifo.add_source();
    assert_eq!(second, SourceId(1));
    fifo.replace(second, "1".into(), list(&["x1"]));
    fifo.replace(FIRST, "1".into(), list(&["a1"]));
    let delta = fifo.pop(NOW).unwrap();
    assert_eq!((delta.source, delta.initial), (second, true));
    fifo.processed();
    assert_eq!(
        (
            fifo.has_synced_source(FIRST),
            fifo.has_synced_source(second)
        ),
        (false, true)
    );
    assert!(!fifo.has_synced());
    pop(&fifo);
    assert!(fifo.has_synced());
}

#[test]
fn a_list_says_nothing_about_another_source() {
    let fifo = non_atomic();
    let second = fifo.add_source();
    fifo.add(second, parse("x1"));
    fifo.add(FIRST, parse("m1"));
    // It has moved to the other source: the consumer knows that when it gets to the tombstone.
    fifo.update(second, parse("m2"));
    fifo.delete(second, parse("k2"));
    replace(&fifo, &[], &["m0", "k1"]);
    let expected = [
        "Added x1",
        "Added m1",
        "Updated m2",
        "Deleted k2",
        "Deleted m(m1)",
        "Deleted k(k1)",
    ];
    assert_eq!(drain(&fifo), expected);
}

#[test]
#[should_panic(expected = "is not an event of one object")]
fn add_many_refuses_what_is_no_event() {
    let fifo = atomic();
    fifo.resync(FIRST);
    let delta = fifo.pop(NOW).unwrap();
    fifo.add_many(vec![delta]);
}

#[test]
#[should_panic(expected = "registered with add_source")]
fn a_foreign_source_is_refused() {
    atomic().bookmark(SourceId(1), "1");
}
