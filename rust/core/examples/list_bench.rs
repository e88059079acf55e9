//! What an object of a first LIST costs, by size of the list: `cargo run --release --example list_bench OBJECTS [floor]`,
//! one size a process, for memory that was used before is cheaper.
//!
//! Reads the pieces of a body, makes objects, processes the list into a store with three indices. `floor` only keeps a copy
//! of the bytes that an object has, which is what the machine takes for that much fresh memory. For each step nanoseconds
//! of the processor (user and system together), page faults an object, and seconds of user and system alone.

use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use kubeinformer_core::index_func::IndexFunc;
use kubeinformer_core::informer::InformerOptions;
use kubeinformer_core::object_informer::{Indexer, ObjectInformer, Processed};
use kubeinformer_core::path::Path;
use kubeinformer_core::source::{ListReader, ReadOptions, Relist};
use mimalloc::MiMalloc;

/// As the extension module has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const POD: &str = include_str!("../testdata/pod.json");
/// About as much as a transport hands over at a time.
const PODS_A_PIECE: usize = 32;
/// What an object keeps of such a pod, about.
const KEPT: usize = 5200;

/// Pods of which only the number in the name changes from piece to piece.
struct Pieces {
    text: Vec<u8>,
    numbers: Vec<Range<usize>>,
}

impl Pieces {
    fn new() -> Self {
        let (mut text, mut numbers) = (Vec::new(), Vec::new());
        for number in 0..PODS_A_PIECE {
            let pod = POD
                .trim_end()
                .replacen("7c9d5b6f4d-x2v8k", "7c9d5b6f4d-0000000", 1);
            let pod = pod.replacen("\"worker-17.", &format!("\"worker-{number:02}."), 1);
            let at = pod.find("-0000000").expect("it was put there") + 1;
            numbers.push(text.len() + at..text.len() + at + 7);
            text.extend_from_slice(pod.as_bytes());
            text.push(b',');
        }
        Self { text, numbers }
    }

    fn next(&mut self, first: usize) -> &[u8] {
        for (number, place) in (first..).zip(&self.numbers) {
            self.text[place.clone()].copy_from_slice(format!("{number:07}").as_bytes());
        }
        &self.text
    }
}

/// What this process, of one thread, has used.
struct Used {
    nanoseconds: f64,
    faults: f64,
    user: f64,
    system: f64,
}

impl Used {
    fn now() -> Self {
        let number = |text: &str| text.parse::<f64>().expect("a number");
        let schedule = fs::read_to_string("/proc/self/schedstat").expect("Linux has it");
        let stat = fs::read_to_string("/proc/self/stat").expect("Linux has it");
        let (_, behind_name) = stat.rsplit_once(") ").expect("the name is in brackets");
        let fields: Vec<&str> = behind_name.split(' ').collect();
        Self {
            nanoseconds: number(schedule.split(' ').next().expect("three numbers")),
            faults: number(fields[7]),
            user: number(fields[11]) / 100.0,
            system: number(fields[12]) / 100.0,
        }
    }

    fn show_since(&self, before: &Self, what: &str, objects: usize) {
        let objects = f64::from(u32::try_from(objects).expect("there are fewer"));
        println!(
            "{what:<8} {:>7.0} ns an object, {:>5.2} faults an object, user {:.2} s, system {:.2} s",
            (self.nanoseconds - before.nanoseconds) / objects,
            (self.faults - before.faults) / objects,
            self.user - before.user,
            self.system - before.system,
        );
    }
}

/// Copies of as many bytes as the objects have, kept.
fn floor(objects: usize, pieces: &mut Pieces) {
    let before = Used::now();
    let mut kept: Vec<Box<[u8]>> = Vec::new();
    for first in (0..objects).step_by(PODS_A_PIECE) {
        let piece = pieces.next(first);
        kept.extend((0..PODS_A_PIECE).map(|at| piece[at * KEPT..(at + 1) * KEPT].into()));
    }
    black_box(&kept);
    Used::now().show_since(&before, "floor", objects);
}

fn add_indices(informer: &ObjectInformer) {
    let indexer = |path: &str| {
        let function = IndexFunc::Path(Path::compile(path).expect("a path"));
        (path.to_owned(), Indexer::Declared(function))
    };
    let paths = ["spec.nodeName", "status.phase", "metadata.labels.app"];
    let pending = informer.begin_add_indexers(paths.map(indexer).into());
    informer.finish_add_indexers(pending.expect("they are new"), &Vec::new());
}

fn list(objects: usize, pieces: &mut Pieces) {
    let informer = ObjectInformer::new(InformerOptions::default(), ReadOptions::default());
    add_indices(&informer);
    informer.informer().start();
    let source = informer.add_source();
    let mut relist = Relist::default();
    let mut reader = ListReader::new(&source, false);
    let start =
        br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":["#;
    let before = Used::now();
    reader
        .feed(&source, &mut relist, start)
        .expect("it is JSON");
    for first in (0..objects).step_by(PODS_A_PIECE) {
        let piece = pieces.next(first);
        let is_last = first + PODS_A_PIECE >= objects;
        let piece = &piece[..piece.len() - usize::from(is_last)];
        reader
            .feed(&source, &mut relist, piece)
            .expect("it is JSON");
    }
    reader
        .feed(&source, &mut relist, b"]}")
        .expect("it is JSON");
    reader.finish().expect("it is whole");
    let read = Used::now();
    read.show_since(&before, "read", objects);
    relist.commit(&source, "1".to_owned());
    while !matches!(informer.process(Some(Duration::ZERO)), Processed::TimedOut) {}
    Used::now().show_since(&read, "process", objects);
    assert!(informer.informer().store().read().len() >= objects);
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let objects = arguments.next().expect("a number of objects");
    let objects = objects.parse().expect("a number of objects");
    let mut pieces = Pieces::new();
    match arguments.next().as_deref() {
        None => list(objects, &mut pieces),
        Some("floor") => floor(objects, &mut pieces),
        Some(other) => panic!("not {other:?}, but floor or nothing"),
    }
}
