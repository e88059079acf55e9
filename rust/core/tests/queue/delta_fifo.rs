//! §32-§47 of `DeltaFifo`, and what sources add to them.

use std::sync::Arc;

use kubeinformer_core::queue::{Delta, DeltaFifo, DeltaFifoOptions, DeltaObject, WaitError};

use super::{known, list, obj, parse, show, Obj, FIRST, NOW};

fn fifo() -> DeltaFifo<Obj> {
    DeltaFifo::new(DeltaFifoOptions {
        emit_delta_type_replaced: true,
    })
}

/// Pops one key: its deltas, joined.
fn pop(fifo: &DeltaFifo<Obj>) -> String {
    let item = fifo.pop(NOW).expect("something is queued");
    fifo.processed();
    item.deltas.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn drain(fifo: &DeltaFifo<Obj>) -> Vec<String> {
    let mut popped = Vec::new();
    while !fifo.is_empty() {
        popped.push(pop(fifo));
    }
    popped
}

fn replace(fifo: &DeltaFifo<Obj>, objects: &[&str], known_objects: &[&str]) {
    fifo.quiet(NOW).expect("nothing is processed").replace(
        FIRST,
        list(objects),
        known(known_objects),
    );
}

#[test]
fn s32_key_is_queued_iff_it_has_deltas() {
    let fifo = fifo();
    for object in ["a1", "b1", "a2", "c1", "b2", "a3"] {
        fifo.add(FIRST, parse(object));
    }
    assert_eq!(fifo.len(), 3);
    assert_eq!(
        drain(&fifo),
        [
            "Added a1, Added a2, Added a3",
            "Added b1, Added b2",
            "Added c1"
        ]
    );
    assert!(fifo.is_empty());
    assert_eq!(fifo.pop(NOW).unwrap_err(), WaitError::TimedOut);
}

#[test]
fn s33_popped_key_goes_to_the_back_of_the_line() {
    let fifo = fifo();
    for object in ["a1", "b1", "c1"] {
        fifo.add(FIRST, parse(object));
    }
    assert_eq!(pop(&fifo), "Added a1");
    fifo.update(FIRST, parse("a2"));
    fifo.update(FIRST, parse("b2"));
    assert_eq!(
        drain(&fifo),
        ["Added b1, Updated b2", "Added c1", "Updated a2"]
    );
}

#[test]
fn s34_of_two_deletions_the_one_that_knows_more_is_kept() {
    let tombstone = |version| DeltaObject::tombstone("a", Some(obj("a", version)));
    let deletions = |older: DeltaObject<Obj>, newer: DeltaObject<Obj>| {
        let fifo = fifo();
        fifo.add(FIRST, parse("a1"));
        assert!(fifo.delete(FIRST, older));
        assert!(fifo.delete(FIRST, newer));
        pop(&fifo)
    };
    assert_eq!(
        deletions(parse("a2").into(), parse("a3").into()),
        "Added a1, Deleted a2"
    );
    assert_eq!(
        deletions(parse("a2").into(), tombstone(3)),
        "Added a1, Deleted a2"
    );
    assert_eq!(
        deletions(tombstone(2), parse("a3").into()),
        "Added a1, Deleted a3"
    );
    assert_eq!(
        deletions(tombstone(2), tombstone(3)),
        "Added a1, Deleted a(a3)"
    );
}

#[test]
fn s34_only_consecutive_trailing_deletions_are_merged() {
    let fifo = fifo();
    fifo.update(FIRST, parse("a1"));
    fifo.update(FIRST, parse("a1"));
    fifo.delete(FIRST, parse("a2"));
    fifo.add(FIRST, parse("a3"));
    fifo.delete(FIRST, parse("a4"));
    assert_eq!(
        pop(&fifo),
        "Updated a1, Updated a1, Deleted a2, Added a3, Deleted a4"
    );
}

#[test]
fn s35_delete_of_a_key_neither_queued_nor_known_is_dropped() {
    let fifo = fifo();
    assert!(!fifo.delete(FIRST, parse("a1")));
    let quiet = fifo.quiet(NOW).unwrap();
    assert!(!quiet.delete(FIRST, parse("a1"), false));
    assert!(quiet.delete(FIRST, parse("b1"), true));
    drop(quiet);
    fifo.add(FIRST, parse("c1"));
    assert!(fifo.delete(FIRST, parse("c2")));
    fifo.add_many(vec![Delta::deleted(FIRST, parse("d1"))]);
    assert_eq!(
        drain(&fifo),
        ["Deleted b1", "Added c1, Deleted c2", "Deleted d1"]
    );
    assert!(
        !fifo.delete(FIRST, parse("c3")),
        "popped, so no longer queued"
    );
}

#[test]
fn s36_replace_emits_replaced_only_if_asked() {
    let legacy = DeltaFifo::new(DeltaFifoOptions::default());
    replace(&legacy, &["a1"], &[]);
    assert_eq!(drain(&legacy), ["Sync a1"]);
    let fifo = fifo();
    replace(&fifo, &["a1"], &[]);
    assert_eq!(drain(&fifo), ["Replaced a1"]);
}

#[test]
fn s37_replace_adds_then_deletes_the_queued_then_the_known() {
    let fifo = fifo();
    for object in ["q1", "a1", "r1", "q2"] {
        fifo.add(FIRST, parse(object));
    }
    fifo.delete(FIRST, DeltaObject::tombstone("r", Some(obj("r", 5))));
    replace(&fifo, &["a2", "n2"], &["k1", "a1", "q0", "u?"]);
    assert_eq!(
        drain(&fifo),
        [
            "Added q1, Added q2, Deleted q(q2)",
            "Added a1, Replaced a2",
            "Added r1, Deleted r(r5)",
            "Replaced n2",
            "Deleted k(k1)",
            "Deleted u(?)",
        ]
    );
}

#[test]
fn s38_deleted_then_replaced_are_both_delivered() {
    let fifo = fifo();
    fifo.add(FIRST, parse("a1"));
    fifo.delete(FIRST, parse("a2"));
    replace(&fifo, &["a3"], &["a1"]);
    assert_eq!(drain(&fifo), ["Added a1, Deleted a2, Replaced a3"]);
}

#[test]
fn s39_object_only_in_the_queue_gets_a_tombstone() {
    let fifo = fifo();
    fifo.add(FIRST, parse("a1"));
    replace(&fifo, &[], &[]);
    assert_eq!(drain(&fifo), ["Added a1, Deleted a(a1)"]);
}

#[test]
fn s40_resync_syncs_known_keys_with_nothing_queued() {
    let fifo = fifo();
    fifo.update(FIRST, parse("a2"));
    let quiet = fifo.quiet(NOW).unwrap();
    quiet.resync(FIRST, known(&["a1", "b1", "c?"]));
    quiet.resync(FIRST, known(&["b1"]));
    quiet.resync(FIRST, Vec::new());
    drop(quiet);
    assert_eq!(drain(&fifo), ["Updated a2", "Sync b1"]);
}

#[test]
fn s41_initial_population_is_the_distinct_keys_and_the_tombstones() {
    let fifo = fifo();
    replace(&fifo, &["a1", "b1", "a2"], &["b0", "c1", "d?"]);
    for _ in 0..4 {
        assert!(!fifo.has_synced());
        assert!(fifo.pop(NOW).unwrap().initial);
        fifo.processed();
    }
    assert!(fifo.has_synced());
    replace(&fifo, &["e1"], &[]);
    assert!(fifo.has_synced(), "only the first Replace counts");
    assert!(!fifo.pop(NOW).unwrap().initial);
}

#[test]
fn s41_a_merged_deletion_still_counts() {
    let fifo = fifo();
    replace(&fifo, &[], &["a1"]);
    // Takes the place of the tombstone of the initial list.
    assert!(fifo.delete(FIRST, parse("a2")));
    assert!(!fifo.has_synced());
    let item = fifo.pop(NOW).unwrap();
    assert!(item.initial);
    assert_eq!(
        item.deltas.iter().map(show).collect::<Vec<_>>(),
        ["Deleted a2"]
    );
    fifo.processed();
    assert!(fifo.has_synced());
}

#[test]
fn s42_an_event_before_the_first_replace_makes_synced() {
    let events: [fn(&DeltaFifo<Obj>); 4] = [
        |fifo| fifo.add(FIRST, parse("a1")),
        |fifo| fifo.update(FIRST, parse("a1")),
        |fifo| assert!(!fifo.delete(FIRST, parse("a1"))),
        |fifo| fifo.add_many(vec![Delta::added(FIRST, parse("a1"))]),
    ];
    for event in events {
        let fifo = fifo();
        assert!(!fifo.has_synced());
        event(&fifo);
        assert!(fifo.has_synced());
        replace(&fifo, &["b1"], &[]);
        assert!(fifo.has_synced());
    }
}

#[test]
fn s42_a_resync_does_not() {
    let fifo = fifo();
    fifo.quiet(NOW).unwrap().resync(FIRST, known(&["a1"]));
    assert!(!fifo.has_synced());
    assert!(
        fifo.pop(NOW).unwrap().initial,
        "before the first Replace everything is initial"
    );
    fifo.processed();
    assert!(!fifo.has_synced());
}

#[test]
fn s43_empty_first_replace_is_synced_at_once() {
    let fifo = fifo();
    replace(&fifo, &[], &[]);
    assert!(fifo.has_synced());
    assert_eq!(fifo.wait_synced(NOW), Ok(()));
}

#[test]
fn s44_the_last_initial_key_is_initial_and_synced_follows_its_processing() {
    let fifo = fifo();
    replace(&fifo, &["a1", "b1"], &[]);
    fifo.update(FIRST, parse("b2"));
    fifo.add(FIRST, parse("c1"));
    assert!(fifo.pop(NOW).unwrap().initial);
    fifo.processed();
    assert!(fifo.pop(NOW).unwrap().initial);
    assert!(
        !fifo.has_synced(),
        "client-go's done channel closes before the processing"
    );
    assert_eq!(fifo.wait_synced(NOW), Err(WaitError::TimedOut));
    fifo.processed();
    assert!(fifo.has_synced());
    assert!(!fifo.pop(NOW).unwrap().initial);
}

#[test]
fn s45_closed_queue_is_drained_first_and_still_accepts() {
    let fifo = fifo();
    fifo.add(FIRST, parse("a1"));
    fifo.close();
    assert!(fifo.is_closed());
    fifo.add(FIRST, parse("b1"));
    replace(&fifo, &["c1"], &[]);
    assert_eq!(
        drain(&fifo),
        [
            "Added a1, Deleted a(a1)",
            "Added b1, Deleted b(b1)",
            "Replaced c1"
        ]
    );
    assert_eq!(fifo.pop(None).unwrap_err(), WaitError::Closed);
    assert_eq!(fifo.pop_batch(9, None).unwrap_err(), WaitError::Closed);
}

#[test]
fn s47_what_was_popped_is_gone_whatever_becomes_of_it() {
    let fifo = fifo();
    fifo.add(FIRST, parse("a1"));
    drop(fifo.pop(NOW).unwrap());
    fifo.processed();
    assert_eq!(fifo.pop(NOW).unwrap_err(), WaitError::TimedOut);
}

#[test]
fn batch_is_a_prefix_of_the_line() {
    let fifo = fifo();
    fifo.add_many(
        ["a1", "b1", "a2", "c1"]
            .into_iter()
            .map(|object| Delta::added(FIRST, parse(object)))
            .collect(),
    );
    let items = fifo.pop_batch(2, NOW).unwrap();
    fifo.processed();
    assert_eq!(
        items
            .iter()
            .map(|item| (item.key(), item.deltas.len()))
            .collect::<Vec<_>>(),
        [("a", 2), ("b", 1)]
    );
    assert_eq!(fifo.pop_batch(0, NOW).unwrap().len(), 1, "at least one");
}

#[test]
fn popped_objects_are_let_go() {
    let fifo = fifo();
    let object = parse("a1");
    fifo.add(FIRST, Arc::clone(&object));
    drop(fifo.pop(NOW));
    assert_eq!(Arc::strong_count(&object), 1);
}

#[test]
#[should_panic(expected = "is not an event of one object")]
fn add_many_refuses_what_is_no_event() {
    let fifo = fifo();
    replace(&fifo, &["a1"], &[]);
    let item = fifo.pop(NOW).unwrap();
    fifo.add_many(item.deltas.into_vec());
}

#[test]
#[should_panic(expected = "registered with add_source")]
fn a_foreign_source_is_refused() {
    fifo().add(kubeinformer_core::queue::SourceId(1), parse("a1"));
}

#[test]
fn sources_are_replaced_and_synced_each_on_its_own() {
    let fifo = fifo();
    let second = fifo.add_source();
    fifo.quiet(NOW)
        .unwrap()
        .replace(second, list(&["x1"]), Vec::new());
    replace(&fifo, &["a1", "b1"], &[]);
    assert_eq!(
        (
            fifo.has_synced_source(FIRST),
            fifo.has_synced_source(second)
        ),
        (false, false)
    );
    assert_eq!(pop(&fifo), "Replaced x1");
    assert_eq!(
        (
            fifo.has_synced_source(FIRST),
            fifo.has_synced_source(second)
        ),
        (false, true)
    );
    // x is of the other source, so this list says nothing about it.
    fifo.update(second, parse("x2"));
    replace(&fifo, &["b2"], &[]);
    assert!(!fifo.has_synced());
    assert_eq!(
        drain(&fifo),
        [
            "Replaced a1, Deleted a(a1)",
            "Replaced b1, Replaced b2",
            "Updated x2"
        ]
    );
    assert!(fifo.has_synced());
}

#[test]
fn a_list_looks_only_at_what_its_own_source_has_in_line() {
    let fifo = fifo();
    let second = fifo.add_source();
    fifo.add(FIRST, parse("m1"));
    fifo.update(second, parse("m2"));
    fifo.add(FIRST, parse("n1"));
    fifo.quiet(NOW).unwrap().delete(second, parse("n2"), true);
    fifo.update(second, parse("k2"));
    replace(&fifo, &[], &["k1"]);
    assert_eq!(
        drain(&fifo),
        [
            "Added m1, Updated m2, Deleted m(m1)",
            "Added n1, Deleted n2, Deleted n(n1)",
            "Updated k2, Deleted k(k1)"
        ]
    );
}

#[test]
fn deletions_of_two_sources_are_not_merged() {
    let fifo = fifo();
    let second = fifo.add_source();
    replace(&fifo, &[], &["a1"]);
    fifo.delete(second, parse("a2"));
    assert!(!fifo.has_synced());
    assert_eq!(drain(&fifo), ["Deleted a(a1), Deleted a2"]);
    assert!(fifo.has_synced());
}

#[test]
fn a_source_added_later_is_waited_for() {
    let fifo = fifo();
    replace(&fifo, &[], &[]);
    assert!(fifo.has_synced());
    let second = fifo.add_source();
    assert!(!fifo.has_synced());
    fifo.quiet(NOW)
        .unwrap()
        .replace(second, Vec::new(), Vec::new());
    assert!(fifo.has_synced());
}

#[test]
fn debug_shows_keys_but_no_content() {
    let fifo = fifo();
    fifo.add(FIRST, parse("a77"));
    let shown = format!("{:?}", fifo.pop(NOW).unwrap());
    assert!(
        shown.contains("Added") && shown.contains("\"a\""),
        "{shown}"
    );
    assert!(!shown.contains("77"), "{shown}");
}
