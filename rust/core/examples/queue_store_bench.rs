//! What an update through `DeltaFifo` and `Store` costs when key and index values are at hand: kubeinformer's side of the
//! row "prepared" of `benches/`.
//!
//! `cargo run --release --example queue_store_bench FILE`; the file holds the updates, one a line, as tab-separated key,
//! namespace, node and owner, and an empty line before each round; the first round fills the store. An update is: put into
//! the queue, popped, compared with the store (was it there, and what was there), stored with its three index values.
//! Prints nanoseconds an update and what the index by node holds at the end, as JSON.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kubeinformer_core::hashing::hash;
use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::queue::delta_fifo::Item;
use kubeinformer_core::queue::{Delta, DeltaFifo, DeltaFifoOptions, DeltaObject, SourceId};
use kubeinformer_core::store::Store;
use kubeinformer_core::write_batch::WriteBatch;
use mimalloc::MiMalloc;

/// As the extension module has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SOURCE: SourceId = SourceId::FIRST;
const INDICES: [&str; 3] = ["namespace", "node", "owner"];
const BATCH: usize = 1000;
/// As many as the other sides get; one more before them is not timed.
const TIMED_ROUNDS: usize = 12;

struct Prepared {
    key: Box<str>,
    hash: u64,
    values: [Box<str>; 3],
}

impl Keyed for Prepared {
    fn key(&self) -> &str {
        &self.key
    }

    fn key_hash(&self) -> u64 {
        self.hash
    }
}

struct Side {
    queue: DeltaFifo<Prepared>,
    store: Store<Prepared>,
    generation: u32,
    writes: WriteBatch<Prepared>,
    replaced: usize,
}

impl Side {
    fn new() -> Self {
        let store = Store::new();
        let pending = store
            .begin_add_indices(&INDICES)
            .expect("the names are new");
        store.finish_add_indices(pending, &WriteBatch::default());
        Self {
            queue: DeltaFifo::new(DeltaFifoOptions::default()),
            generation: store.generation(),
            store,
            writes: WriteBatch::default(),
            replaced: 0,
        }
    }

    fn batched(&mut self, updates: &[Arc<Prepared>]) {
        for batch in updates.chunks(BATCH) {
            let deltas = batch
                .iter()
                .map(|update| Delta::updated(SOURCE, Arc::clone(update)))
                .collect();
            self.queue.add_many(deltas);
            let items = self.queue.pop_batch(BATCH, Some(Duration::ZERO));
            self.process(items.expect("something was added"));
        }
    }

    fn single(&mut self, updates: &[Arc<Prepared>]) {
        for update in updates {
            self.queue.update(SOURCE, Arc::clone(update));
            let item = self.queue.pop(Some(Duration::ZERO));
            self.process(vec![item.expect("something was added")]);
        }
    }

    fn process(&mut self, items: Vec<Item<Prepared>>) {
        let writes = &mut self.writes;
        for item in items {
            for delta in item.deltas {
                let DeltaObject::Object(object) = delta.object else {
                    unreachable!("updates carry objects");
                };
                writes.put(object, SOURCE, |object, sink| {
                    for (index, value) in (0..).zip(&object.values) {
                        sink(index, value);
                    }
                });
            }
        }
        let applied = self.store.apply(writes, self.generation, None);
        applied.expect("nobody adds indices");
        self.replaced += writes.replaced().flatten().count();
        writes.clear();
        self.queue.processed();
    }
}

fn rounds(text: &str) -> Vec<Vec<Arc<Prepared>>> {
    let prepared = |line: &str| {
        let mut fields = line.split('\t').map(Box::from);
        let mut next = || fields.next().expect("a line has four fields");
        let key: Box<str> = next();
        Arc::new(Prepared {
            hash: hash(&key),
            key,
            values: [next(), next(), next()],
        })
    };
    let rounds = text.trim().split("\n\n");
    rounds
        .map(|round| round.lines().map(prepared).collect())
        .collect()
}

/// Nanoseconds an update, one figure a round.
fn time(rounds: &[Vec<Arc<Prepared>>], run: fn(&mut Side, &[Arc<Prepared>])) -> (Vec<f64>, Side) {
    let (initial, updates) = rounds.split_first().expect("a round that fills the store");
    let mut side = Side::new();
    side.batched(initial);
    let mut times = Vec::new();
    for round in updates.iter().cycle().take(1 + TIMED_ROUNDS) {
        let start = Instant::now();
        run(&mut side, round);
        let updates = u32::try_from(round.len()).expect("a round has fewer updates");
        times.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(updates));
    }
    times.remove(0);
    let expected = (1 + TIMED_ROUNDS) * initial.len();
    assert_eq!(
        side.replaced, expected,
        "every update found what it replaces"
    );
    (times, side)
}

fn main() {
    let file = env::args().nth(1).expect("a file with the updates");
    let text = fs::read_to_string(file).expect("the file can be read");
    let rounds = rounds(&text);
    let (single, _) = time(&rounds, Side::single);
    let (batched, side) = time(&rounds, Side::batched);
    let view = side.store.read();
    let nodes: BTreeMap<&str, usize> = view
        .index_values("node")
        .expect("it was added")
        .map(|node| {
            (
                node,
                view.count_by_index("node", node).expect("it was added"),
            )
        })
        .collect();
    println!(
        "{{\"rounds\": {}, \"single\": {single:?}, \"batched\": {batched:?}, \"nodes\": {nodes:?}}}",
        1 + TIMED_ROUNDS
    );
}
