//! What an object, an event, a relist and a handler cost in memory: counted allocations, which are the same on every
//! machine. Each limit is a measurement with some room; who breaks one has made something dearer for every object.
// Counts here are far below 2^52.
#![allow(clippy::cast_possible_wrap, clippy::cast_precision_loss)]

use allocation_counter::{measure, AllocationInfo};
use kubeinformer_core::index_func::IndexFunc;
use kubeinformer_core::informer::InformerOptions;
use kubeinformer_core::listener::{Backlog, Listener, Popped};
use kubeinformer_core::object::{Object, ObjectView, TypeMeta};
use kubeinformer_core::object_informer::{Indexer, ObjectInformer, Processed};
use kubeinformer_core::path::Path;
use kubeinformer_core::source::{ListReader, ReadOptions, Relist, Source, WatchReader};
use std::sync::Arc;
use std::time::Duration;

/// 8 KB, two fifths of it managedFields.
const POD: &str = include_str!("../testdata/pod.json");
const NOW: Option<Duration> = Some(Duration::ZERO);
/// Enough for what is once a batch, once a page or once a growing table to be little of an object.
const PODS: u32 = 4_000;
/// As the transports read.
const READ: usize = 256 << 10;

/// The versions have as many digits, so an update changes no length.
fn pod(number: u32, version: u32) -> String {
    POD.trim_end()
        .replacen("7c9d5b6f4d-x2v8k", &format!("7c9d5b6f4d-{number:05}"), 1)
        .replacen("\"worker-17.", &format!("\"worker-{:02}.", number % 97), 1)
        .replacen("\"48151623\"", &format!("\"{}\"", 50_000_000 + version), 1)
}

fn kept_bytes() -> i64 {
    let (pod, defaults) = (pod(0, 0), TypeMeta::new("v1", "Pod"));
    let object = Object::parse(pod.as_bytes(), &defaults, false).expect("a pod");
    object.raw_len() as i64
}

fn list(pods: u32) -> String {
    let items: Vec<String> = (0..pods).map(|number| pod(number, number)).collect();
    format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{}]}}"#,
        items.join(",")
    )
}

/// An event for each pod; `version` is that of the first.
fn events(kind: &str, version: u32) -> String {
    let event = |number| {
        let pod = pod(number, version + number);
        format!(
            "{{\"type\":\"{kind}\",\"object\":{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",{}}}\n",
            &pod[1..]
        )
    };
    (0..PODS).map(event).collect()
}

struct Setup {
    informer: ObjectInformer,
    source: Source,
    watch: WatchReader,
}

impl Setup {
    /// An informer with three declared indices.
    fn new() -> Self {
        let informer = ObjectInformer::new(InformerOptions::default(), ReadOptions::default());
        let source = informer.add_source();
        let indexer = |path: &str| {
            let function = IndexFunc::Path(Path::compile(path).expect("a path"));
            (path.to_owned(), Indexer::Declared(function))
        };
        let paths = ["spec.nodeName", "status.phase", "metadata.labels.app"];
        let pending = informer
            .begin_add_indexers(paths.map(indexer).into())
            .expect("new indices");
        informer.finish_add_indexers(pending, &Vec::new());
        informer.informer().start();
        let watch = WatchReader::new(&source, false, false);
        Self {
            informer,
            source,
            watch,
        }
    }

    fn listed(body: &str) -> Self {
        let setup = Self::new();
        setup.list(body);
        setup
    }

    fn process(&self) {
        assert!(matches!(self.informer.process(NOW), Processed::TimedOut));
    }

    fn list(&self, body: &str) {
        let mut relist = Relist::default();
        let mut reader = ListReader::new(&self.source, false);
        for piece in body.as_bytes().chunks(READ) {
            reader
                .feed(&self.source, &mut relist, piece)
                .expect("a list");
        }
        reader.finish().expect("the end of the list");
        relist.commit(&self.source, "1".to_owned());
        self.process();
    }

    /// Reads the events; each of the handlers takes what it is told.
    fn watch(&mut self, body: &str, handlers: &[Arc<Listener<Object>>]) {
        for piece in body.as_bytes().chunks(READ) {
            self.watch.feed(&self.source, piece).expect("events");
            self.process();
            for handler in handlers {
                take(handler);
            }
        }
    }

    fn handlers(&self, count: usize) -> Vec<Arc<Listener<Object>>> {
        let handler = || {
            self.informer
                .informer()
                .add_listener(Backlog::default(), None)
        };
        let handlers: Vec<_> = (0..count).map(|_| handler().expect("running")).collect();
        for handler in &handlers {
            take(handler);
        }
        handlers
    }
}

/// All that waits for a handler; how much it is.
fn take(handler: &Listener<Object>) -> usize {
    let mut taken = 0;
    while let Popped::Notifications(batch) = handler.pop_batch(1_000, NOW) {
        taken += batch.len();
    }
    taken
}

fn each(total: impl TryInto<i64>) -> f64 {
    let total = total.try_into().ok().expect("a count");
    total as f64 / f64::from(PODS)
}

#[track_caller]
fn assert_below(what: &str, measured: f64, limit: f64) {
    println!("{what}: {measured:.3} (limit {limit})");
    assert!(
        measured <= limit,
        "{what}: {measured:.3}, not below {limit}"
    );
}

#[track_caller]
fn assert_allocations(what: &str, info: AllocationInfo, limit: f64) {
    assert_below(
        &format!("{what}: allocations"),
        each(info.count_total),
        limit,
    );
}

#[test]
fn a_scan_allocates_nothing() {
    let pod = pod(0, 0);
    let info = measure(|| {
        ObjectView::scan(pod.as_bytes(), 0).expect("a pod");
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn a_listed_object() {
    let (body, kept) = (list(PODS), kept_bytes());
    let mut setup = None;
    let info = measure(|| setup = Some(Setup::listed(&body)));
    // Two that stay, the object and its bytes (2.05 with the store's tables); the rest is an item on the border of two
    // reads, and a batch.
    assert_allocations("listed", info, 2.45);
    assert_below("allocations that stay", each(info.count_current), 2.1);
    let live = each(info.bytes_current);
    // 212 for fields, key and count of references; 124 for slot, key map and three indices. managedFields cost nothing.
    assert_below("bytes beside the object's", live - kept as f64, 340.0);
    // The deltas, the writes and the values of a list are there once each before they are written.
    assert_below("peak", each(info.bytes_max) / live, 1.06);
    let dropped = measure(|| setup = None);
    assert_eq!(
        (dropped.count_current, dropped.bytes_current),
        (-info.count_current, -info.bytes_current),
        "nothing stays behind"
    );
}

#[test]
fn the_cost_of_an_object_does_not_grow_with_their_number() {
    let live = |pods| {
        let (body, mut setup) = (list(pods), None);
        let info = measure(|| setup = Some(Setup::listed(&body)));
        info.bytes_current as f64 / f64::from(pods)
    };
    // A table grows to twice its size; with 1.1 times as many objects it may or may not.
    assert_below(
        "bytes of many to bytes of few",
        live(PODS * 4) / live(PODS),
        1.01,
    );
}

#[test]
fn a_relist_of_what_is_unchanged() {
    let body = list(PODS);
    let setup = Setup::listed(&body);
    let handlers = setup.handlers(1);
    let live = f64::from(PODS) * kept_bytes() as f64;
    let info = measure(|| setup.list(&body));
    assert_eq!((info.count_current, info.bytes_current), (0, 0));
    // The copy that is compared with what is stored, and freed at once.
    assert_allocations("listed again", info, 1.2);
    assert_below("peak", info.bytes_max as f64 / live, 0.006);
    assert_eq!(take(&handlers[0]), 0);
}

#[test]
fn a_watched_object() {
    let mut setup = Setup::new();
    let added = events("ADDED", 0);
    let updated = [10_000, 20_000].map(|version| events("MODIFIED", version));
    let deleted = events("DELETED", 30_000);
    let info = measure(|| setup.watch(&added, &[]));
    assert_allocations("added", info, 2.8);
    let live = each(info.bytes_current);
    assert_below(
        "bytes beside the object's",
        live - kept_bytes() as f64,
        342.0,
    );
    // The object and its bytes; half of one is what a batch costs, the 30 events of a read.
    assert_allocations("updated", measure(|| setup.watch(&updated[0], &[])), 2.65);
    let info = measure(|| setup.watch(&updated[1], &[]));
    assert_eq!((info.count_current, info.bytes_current), (0, 0));
    // The events of one read: what they replace is freed with each batch.
    assert_below("peak of updates", info.bytes_max as f64, READ as f64);
    let info = measure(|| setup.watch(&deleted, &[]));
    assert!(setup.informer.informer().store().read().is_empty());
    // Slots and tables keep their room.
    assert_below(
        "bytes that a deleted one leaves",
        live + each(info.bytes_current),
        120.0,
    );
}

#[test]
fn a_handler_costs_by_the_batch() {
    let (body, first, second, third) = (
        list(PODS),
        events("MODIFIED", PODS),
        events("MODIFIED", 2 * PODS),
        events("MODIFIED", 3 * PODS),
    );
    let mut setup = Setup::listed(&body);
    setup.watch(&first, &[]);
    let none = measure(|| setup.watch(&second, &[]));
    let mut handlers = Vec::new();
    let added = measure(|| handlers = setup.handlers(8));
    let eight = measure(|| setup.watch(&third, &handlers));
    // A ring hands out a batch as one vector: one for the 30 events of a read.
    let more = each(eight.count_total) - each(none.count_total);
    assert_below("allocations an event and handler", more / 8.0, 0.04);
    let removed = measure(|| {
        for handler in handlers.drain(..) {
            setup.informer.informer().remove_listener(&handler);
        }
        handlers = Vec::new();
    });
    let left = added.bytes_current + eight.bytes_current + removed.bytes_current;
    // The vector of registrations keeps its room.
    assert_below("bytes that removed handlers leave", left as f64, 500.0);
}

#[test]
fn a_read_by_key_allocates_nothing() {
    let body = list(100);
    let setup = Setup::listed(&body);
    let pod = pod(0, 0);
    let key = ObjectView::scan(pod.as_bytes(), 0).expect("a pod").key();
    let info = measure(|| {
        let store = setup.informer.informer().store().read();
        assert!(store.get(&key).is_some());
    });
    assert_eq!(info.count_total, 0);
}
