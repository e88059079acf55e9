//! What an event costs that a filter keeps from a handler, beside the same event without any handler.
//!
//! `cargo run --release --example filter_bench [ROUNDS]`. Updates of pods of 8 KB, from the bytes of a watch into a store
//! with three indices. Prints nanoseconds an event, of each way the best of some rounds that take turns.

use std::env;
use std::fmt::Write;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use kubeinformer_core::enqueue::Enqueuer;
use kubeinformer_core::filter::{parse_fields, Expr, Filter};
use kubeinformer_core::index_func::IndexFunc;
use kubeinformer_core::informer::InformerOptions;
use kubeinformer_core::listener::Backlog;
use kubeinformer_core::object_informer::{Indexer, ObjectInformer, Processed};
use kubeinformer_core::path::Path;
use kubeinformer_core::selector::Selector;
use kubeinformer_core::source::{ReadOptions, WatchReader};
use kubeinformer_core::workqueue::TextQueue;

const PODS: usize = 500;
const PIECE: usize = 256 << 10;

/// Counts what it is given.
struct Nowhere;

impl TextQueue for Nowhere {
    fn add_texts(&self, texts: Vec<(String, i32)>) {
        drop(texts);
    }
}

fn pod(number: usize, version: usize) -> String {
    let mut environment = String::new();
    for variable in 0..75 {
        let _ = write!(
            environment,
            r#"{{"name":"VARIABLE_{variable}","value":"a value of some length, number {variable}"}},"#
        );
    }
    environment.pop();
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web-{number}","namespace":"shop","uid":"uid-{number}","resourceVersion":"{version}","labels":{{"app":"web","tier":"front"}},"annotations":{{"checked":"{version}"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"u","controller":true}}]}},"spec":{{"nodeName":"node-{}","containers":[{{"name":"c","image":"registry.example.com/web:1","env":[{environment}]}}]}},"status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}}],"podIP":"10.0.0.{}","startTime":"2026-01-01T00:00:00Z","containerStatuses":[{{"name":"c","ready":true,"restartCount":0,"state":{{"running":{{"startedAt":"2026-01-01T00:00:00Z"}}}}}}]}}}}"#,
        number % 20,
        number % 250
    )
}

fn path(text: &str) -> Path {
    Path::compile(text).expect("a path")
}

fn expressions() -> Vec<(&'static str, Expr)> {
    let labels = Selector::parse("app=db").expect("a selector");
    vec![
        ("labels", Expr::Labels(labels)),
        (
            "fields",
            parse_fields("status.phase=Failed").expect("a selector"),
        ),
        (
            "changed status.phase, metadata.labels",
            Expr::Changed(vec![path("status.phase"), path("metadata.labels")]),
        ),
    ]
}

/// Feeds all rounds; nanoseconds an event after the first, which fills the store.
fn run(rounds: &[String], informer: &ObjectInformer) -> f64 {
    let indexers = ["spec.nodeName", "metadata.labels.app", "metadata.namespace"];
    let indexers = indexers.map(|at| (at.to_owned(), Indexer::Declared(IndexFunc::Path(path(at)))));
    let pending = informer.begin_add_indexers(indexers.to_vec());
    informer.finish_add_indexers(pending.expect("the names are new"), &Vec::new());
    informer.informer().start();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, false);
    let mut feed = |body: &String| {
        for piece in body.as_bytes().chunks(PIECE) {
            reader.feed(&source, piece).expect("whole objects");
            let processed = informer.process(Some(Duration::ZERO));
            assert!(matches!(processed, Processed::TimedOut));
        }
    };
    feed(&rounds[0]);
    let start = Instant::now();
    rounds[1..].iter().for_each(&mut feed);
    let events = ((rounds.len() - 1) * PODS) as u32;
    start.elapsed().as_secs_f64() * 1e9 / f64::from(events)
}

fn informer(filter: Option<Arc<Filter>>) -> ObjectInformer {
    ObjectInformer::with_filter(InformerOptions::default(), ReadOptions::default(), filter)
}

fn main() {
    let turns: usize = env::args()
        .nth(1)
        .map_or(5, |it| it.parse().expect("a number"));
    let body = |round: usize| {
        let line = |number| {
            let kind = if round == 0 { "ADDED" } else { "MODIFIED" };
            let object = pod(number, 1 + round * PODS + number);
            format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
        };
        (0..PODS).map(line).collect::<String>()
    };
    let rounds: Vec<String> = (0..6).map(body).collect();
    println!("bytes an event: {}", rounds[0].len() / PODS);
    let mut best: Vec<(String, f64)> = Vec::new();
    let mut note = |name: String, cost: f64| match best.iter_mut().find(|it| it.0 == name) {
        Some((_, known)) => *known = known.min(cost),
        None => best.push((name, cost)),
    };
    for _ in 0..turns {
        note("no handler".into(), run(&rounds, &informer(None)));
        for (name, expr) in expressions() {
            let (filter, compares) = (Arc::new(Filter::new(expr)), name.starts_with("changed"));
            let filtered = informer(None);
            let predicate = Arc::clone(&filter) as _;
            let listener = filtered
                .informer()
                .add_listener_for(Backlog::GROW, None, Some(predicate))
                .expect("not stopped");
            note(format!("handler: {name}"), run(&rounds, &filtered));
            assert_eq!(listener.stats().pending, if compares { PODS } else { 0 });
            if !compares {
                let scoped = informer(Some(Arc::clone(&filter)));
                note(format!("informer: {name}"), run(&rounds, &scoped));
                assert!(scoped.informer().store().read().is_empty());
            }
        }
        let enqueueing = informer(None);
        let queue = Arc::new(Nowhere) as Arc<dyn TextQueue>;
        let weak: Weak<dyn TextQueue> = Arc::downgrade(&queue);
        let owner = IndexFunc::ControllerOwner { kind: None };
        let enqueuer = Enqueuer::new(weak, Some(owner), None, 0, 0);
        assert!(enqueueing.informer().add_sink(Arc::new(enqueuer), None));
        note("enqueue: owner".into(), run(&rounds, &enqueueing));
    }
    let alone = best[0].1;
    for (name, cost) in best {
        println!(
            "{name:50} {cost:8.0} ns   {:+6.1} %",
            (cost / alone - 1.0) * 100.0
        );
    }
}
