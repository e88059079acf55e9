//! The targets of `rust/fuzz` without a fuzzer: their corpus, and what proptest makes of it. `FUZZ_SECONDS` gives each
//! target so long instead of a fixed number of cases; a failure prints the input as a Rust literal.
mod targets;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

const CASES: usize = 3_000;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let entries = std::fs::read_dir(folder.join(name)).expect("a corpus for each target");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let seeds: Vec<_> = files
        .iter()
        .map(|file| std::fs::read(file).expect("a file that can be read"))
        .collect();
    assert!(!seeds.is_empty(), "{name} has no corpus");
    seeds
}

/// One change of a seed.
#[derive(Debug, Clone)]
enum Change {
    Put(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, prop::sample::Index),
    /// Appends a part of another seed.
    Join(prop::sample::Index, prop::sample::Index),
}

fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        any::<u8>(),
        prop::sample::select(b"{}[]\",:\\\n\r 01u'.=!()<>;a".to_vec())
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), byte()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (index(), prop::collection::vec(byte(), 1..5))
            .prop_map(|(at, put)| Change::Insert(at, put)),
        (index(), index()).prop_map(|(from, to)| Change::Remove(from, to)),
        (index(), index()).prop_map(|(seed, from)| Change::Join(seed, from)),
    ]
}

fn changed(seeds: &[Vec<u8>], seed: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut input = seed.to_vec();
    for change in changes {
        let end = input.len() + 1;
        match change {
            Change::Put(at, byte) if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] = *byte;
            }
            Change::Put(..) => {}
            Change::Insert(at, bytes) => {
                let at = at.index(end);
                input.splice(at..at, bytes.iter().copied());
            }
            Change::Remove(from, to) => {
                let (from, to) = (from.index(end), to.index(end));
                input.drain(from.min(to)..from.max(to));
            }
            Change::Join(seed, from) => {
                let seed = &seeds[seed.index(seeds.len())];
                input.extend_from_slice(&seed[from.index(seed.len() + 1)..]);
            }
        }
    }
    input
}

fn check(name: &str, target: fn(&[u8]), input: &[u8]) {
    let passes = catch_unwind(AssertUnwindSafe(|| target(input))).is_ok();
    assert!(passes, "{name} fails on b\"{}\"", input.escape_ascii());
}

/// A run of so many seconds is another one each time; without them it is always the same.
fn run(name: &str, target: fn(&[u8])) {
    let seeds = corpus(name);
    for seed in &seeds {
        check(name, target, seed);
    }
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let seconds = seconds.map(|text| Duration::from_secs(text.parse().expect("whole seconds")));
    let config = ProptestConfig::default();
    let mut runner = match seconds {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let plan = (
        any::<prop::sample::Index>(),
        prop::collection::vec(change(), 1..8),
    );
    let (begin, mut done) = (Instant::now(), 0);
    while seconds.map_or(done < CASES, |time| begin.elapsed() < time) {
        let tree = plan.new_tree(&mut runner).expect("a plan");
        let (seed, changes) = tree.current();
        check(
            name,
            target,
            &changed(&seeds, &seeds[seed.index(seeds.len())], &changes),
        );
        done += 1;
    }
    println!("{name}: {} seeds and {done} changed ones", seeds.len());
}

#[test]
fn framer() {
    run("framer", targets::framer);
}

#[test]
fn chunks() {
    run("chunks", targets::chunks);
}

#[test]
fn list() {
    run("list", targets::list);
}

#[test]
fn object() {
    run("object", targets::object);
}

#[test]
fn selector() {
    run("selector", targets::selector);
}

#[test]
fn path() {
    run("path", targets::path);
}
