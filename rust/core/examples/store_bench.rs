//! What an update costs in the store, and on the whole way from the queue to a handler; and how long readers wait.
//!
//! `cargo run --release --example store_bench [objects]...`; flat means that the columns of a table hardly differ.
//! Objects are made before the clock starts, a thousand at a time. Freeing those that they replace is measured too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kubeinformer_core::informer::{Informer, InformerOptions, BATCH_SIZE};
use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::listener::{Backlog, Listener, Popped};
use kubeinformer_core::queue::{Delta, SourceId};
use kubeinformer_core::store::Store;
use kubeinformer_core::versioned::Versioned;
use kubeinformer_core::write_batch::WriteBatch;

const SOURCE: SourceId = SourceId::FIRST;
const INDICES: [&str; 3] = ["namespace", "node", "owner"];
const ROUNDS: usize = 400;

/// All fields in one text, as an object of the API is one piece of bytes.
struct Pod {
    text: Box<str>,
    /// Where key, uid, version and the three values end.
    ends: [u16; 6],
}

impl Keyed for Pod {
    fn key(&self) -> &str {
        self.field(0)
    }

    fn heap_size(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

impl Versioned for Pod {
    fn uid(&self) -> &str {
        self.field(1)
    }

    fn resource_version(&self) -> &str {
        self.field(2)
    }

    fn same_version(&self, other: &Self) -> bool {
        self.resource_version() == other.resource_version() && self.uid() == other.uid()
    }
}

impl Pod {
    /// `moves`: how often it changed its node.
    fn new(number: usize, version: usize, moves: usize) -> Arc<Self> {
        let namespace = format!("namespace-{}", number % 100);
        let fields = [
            format!("{namespace}/deployment-7c5ddbdf54-{number:06}"),
            format!("3f1c9d5e-8a51-4b0e-9c55-{number:012}"),
            version.to_string(),
            namespace,
            format!(
                "ip-10-0-{}.eu-central-1.compute.internal",
                (number * 7 + moves) % 5000
            ),
            format!("b7a3d1f0-1111-4222-8333-{:012}", number / 3),
        ];
        let mut end = 0;
        let ends = fields.each_ref().map(|field| {
            end += field.len() as u16;
            end
        });
        Arc::new(Self {
            text: fields.concat().into(),
            ends,
        })
    }

    fn field(&self, number: usize) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[usize::from(start)..usize::from(self.ends[number])]
    }

    fn index(&self, sink: &mut dyn FnMut(u16, &str)) {
        for index in 0..3 {
            sink(index, self.field(3 + usize::from(index)));
        }
    }
}

/// The same numbers for every run, in an order that no cache foresees.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Makes new versions of random objects, of which `percent` get another value of one index.
struct Updates {
    random: Random,
    objects: usize,
    percent: usize,
    version: usize,
}

impl Updates {
    fn new(objects: usize, percent: usize) -> Self {
        Self {
            random: Random(0x9e37_79b9_7f4a_7c15),
            objects,
            percent,
            version: 0,
        }
    }

    fn next(&mut self) -> Arc<Pod> {
        self.version += 1;
        let number = self.random.below(self.objects);
        let moves = usize::from(self.random.below(100) < self.percent) * self.version;
        Pod::new(number, self.version, moves)
    }

    /// Median time of `run` for 1000 updates, made before its clock starts, by update.
    fn time<P>(&mut self, prepare: impl Fn(Vec<Arc<Pod>>) -> P, run: impl Fn(P)) -> f64 {
        let mut times: Vec<f64> = Vec::new();
        for _ in 0..ROUNDS {
            let prepared = prepare((0..1000).map(|_| self.next()).collect());
            let start = Instant::now();
            run(prepared);
            times.push(nanoseconds(start.elapsed(), 1000));
        }
        times.sort_unstable_by(f64::total_cmp);
        times[ROUNDS / 2]
    }
}

fn initial(objects: usize) -> Vec<Arc<Pod>> {
    (0..objects).map(|number| Pod::new(number, 0, 0)).collect()
}

fn batch(pods: &[Arc<Pod>]) -> WriteBatch<Pod> {
    let mut batch = WriteBatch::with_capacity(pods.len());
    for pod in pods {
        batch.put(Arc::clone(pod), SOURCE, Pod::index);
    }
    batch
}

fn add_indices(store: &Store<Pod>) {
    let pending = store.begin_add_indices(&INDICES).expect("they are new");
    store.finish_add_indices(pending, &WriteBatch::default());
}

fn nanoseconds(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_secs_f64() * 1e9 / f64::from(count as u32)
}

/// Time to apply prepared batches of `size`, per update.
fn store_alone(objects: usize, percent: usize, size: usize) -> f64 {
    let store = Store::new();
    add_indices(&store);
    let generation = store.generation();
    let apply = |mut batch: WriteBatch<Pod>| {
        let applied = store.apply(&mut batch, generation, Some("1"));
        applied.expect("the indices are current");
    };
    apply(batch(&initial(objects)));
    Updates::new(objects, percent).time(
        |pods| pods.chunks(size).map(batch).collect::<Vec<_>>(),
        |batches| batches.into_iter().for_each(apply),
    )
}

fn process(informer: &Informer<Pod>, listener: &Listener<Pod>) {
    while !informer.queue().is_empty() {
        let deltas = informer
            .queue()
            .pop_batch(BATCH_SIZE, None)
            .expect("not empty");
        let change = informer.plan(deltas);
        let done = informer.commit(change, informer.generation(), |_, pod, sink| {
            pod.index(sink);
        });
        assert!(done.is_ok());
        while let Popped::Notifications(batch) = listener.pop_batch(1000, Some(Duration::ZERO)) {
            drop(batch);
        }
    }
}

fn informer() -> (Informer<Pod>, Arc<Listener<Pod>>) {
    let informer = Informer::new(InformerOptions::default());
    add_indices(informer.store());
    informer.start();
    let listener = informer
        .add_listener(Backlog::GROW, None)
        .expect("not stopped");
    (informer, listener)
}

fn list(informer: &Informer<Pod>, listener: &Listener<Pod>, pods: Vec<Arc<Pod>>) -> f64 {
    let count = pods.len();
    let start = Instant::now();
    informer.queue().replace(SOURCE, "1".to_owned(), pods);
    process(informer, listener);
    nanoseconds(start.elapsed(), count)
}

/// Time from the queue through plan and commit to a popped notification, per update.
fn whole_way(objects: usize, percent: usize) -> f64 {
    let (informer, listener) = informer();
    list(&informer, &listener, initial(objects));
    let deltas = |pods: Vec<Arc<Pod>>| {
        let deltas = pods.into_iter().map(|pod| Delta::updated(SOURCE, pod));
        deltas.collect::<Vec<_>>()
    };
    Updates::new(objects, percent).time(deltas, |deltas| {
        informer.queue().add_many(deltas);
        process(&informer, &listener);
    })
}

/// Runs `work` beside a reader; how long that waited at most for a view.
fn longest_wait<R>(store: &Store<Pod>, work: impl FnOnce() -> R) -> (R, Duration) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::Acquire) {
                let start = Instant::now();
                drop(store.read());
                longest = longest.max(start.elapsed());
            }
            longest
        });
        let result = work();
        done.store(true, Ordering::Release);
        (result, reader.join().expect("it only reads"))
    })
}

/// What rare events cost an object, and how long a reader waits at most.
fn rare_events(objects: usize) -> Vec<(&'static str, f64, Duration)> {
    let (informer, listener) = informer();
    let store = informer.store();
    let mut events = Vec::new();
    let mut event = |what, work: &dyn Fn() -> f64| {
        let (cost, wait) = longest_wait(store, work);
        events.push((what, cost, wait));
    };
    let relist = |version, moved| {
        let pods = (0..objects).map(|number| Pod::new(number, version, moved * (number % 2)));
        list(&informer, &listener, pods.collect())
    };
    event("first list", &|| relist(0, 0));
    event("relist, nothing changed", &|| relist(0, 0));
    event("relist, all changed, half moved", &|| relist(1, 1));
    event("a fourth index", &|| {
        let start = Instant::now();
        let pending = store.begin_add_indices(&["another"]).expect("it is new");
        let mut values = WriteBatch::default();
        for pod in pending.objects() {
            values.put(Arc::clone(pod), SOURCE, |pod, sink| sink(0, pod.field(4)));
        }
        store.finish_add_indices(pending, &values);
        nanoseconds(start.elapsed(), objects)
    });
    event("a listener joins", &|| {
        let start = Instant::now();
        let late = informer.add_listener(Backlog::GROW, None);
        assert!(late.is_some());
        nanoseconds(start.elapsed(), objects)
    });
    events
}

/// The least disturbed of three runs.
fn show_rare_events(objects: usize) {
    let mut best = rare_events(objects);
    for _ in 0..2 {
        for (best, (_, cost, wait)) in best.iter_mut().zip(rare_events(objects)) {
            *best = (best.0, best.1.min(cost), best.2.min(wait));
        }
    }
    for (what, cost, wait) in best {
        println!("{objects:>8}  {what:<32} {cost:>7.0} ns an object, a reader waits {wait:>9.1?}");
    }
}

fn main() {
    let sizes = std::env::args()
        .skip(1)
        .map(|size| size.parse().expect("a number of objects"));
    let mut sizes: Vec<usize> = sizes.collect();
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000, 500_000];
    }
    println!("ns per update, 3 indices; columns: objects {sizes:?}");
    for percent in [0, 10, 100] {
        let rows: [(&str, &dyn Fn(usize) -> f64); 3] = [
            ("store, prepared batches of 1000", &|size| {
                store_alone(size, percent, 1000)
            }),
            ("store, prepared single updates", &|size| {
                store_alone(size, percent, 1)
            }),
            ("queue, plan, commit, listener", &|size| {
                whole_way(size, percent)
            }),
        ];
        for (what, run) in rows {
            let costs = sizes.iter().map(|size| format!("{:>7.0}", run(*size)));
            let costs: String = costs.collect();
            println!("{what:<32} {percent:>3} % change a value {costs}");
        }
    }
    for objects in sizes {
        show_rare_events(objects);
    }
}
