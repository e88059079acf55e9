//! The store under two writers of batches so long that each is written into a copy: nothing that the other wrote
//! meanwhile is lost.

use std::sync::{Arc, Barrier};
use std::thread;

use kubeinformer_core::queue::SourceId;
use kubeinformer_core::store::Store;
use kubeinformer_core::write_batch::WriteBatch;

/// More than the store writes in place.
const OBJECTS: usize = 10_000;
const WRITERS: usize = 2;
const ROUNDS: usize = 8;

/// Objects that no other batch has.
fn batch(writer: usize, round: usize) -> WriteBatch<String> {
    let mut batch = WriteBatch::with_capacity(OBJECTS);
    for number in 0..OBJECTS {
        let object = Arc::new(format!("{writer}/{round}/{number}"));
        batch.put(object, SourceId::FIRST, |_, _| {});
    }
    batch
}

#[test]
fn a_long_write_loses_nothing_that_another_thread_wrote_meanwhile() {
    let store = Store::new();
    let together = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, together) = (&store, &together);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let mut batch = batch(writer, round);
                    together.wait();
                    let applied = store.apply(&mut batch, store.generation(), None);
                    assert!(applied.is_ok());
                }
            });
        }
    });
    assert_eq!(store.read().len(), WRITERS * ROUNDS * OBJECTS);
}
