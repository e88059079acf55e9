//! What selectors find, with indices of labels that come while objects, other indices and snapshots come and go, against
//! a look at every object.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::index_func::IndexFunc;
use crate::informer::{InformerOptions, QueueMode};
use crate::object::{Object, TypeMeta};
use crate::object_informer::{PendingIndexers, Processed, Selection};
use crate::queue::SourceId;
use crate::source::ReadOptions;
use crate::store::{Cut, Snapshot, StoreError};

const KEYS: [&str; 5] = ["a", "b", "c", "n", "example.com/d"];
const VALUES: [&str; 6] = ["x", "y", "", "3", "7", "\\u0078"];
const REQUIREMENTS: [&str; 17] = [
    "a=x",
    "a in (x,y)",
    "a in (y,nobody)",
    "a==3",
    "a",
    "!a",
    "a!=x",
    "a notin (x,7)",
    "b=y",
    "b=",
    "b",
    "c=7",
    "n>3",
    "n in (3,7)",
    "n<7",
    "example.com/d=x",
    "example.com/d in (x,3)",
];

type Labels = BTreeMap<usize, usize>;

fn object(number: u8, version: usize, labels: &Labels) -> Arc<Object> {
    let labels: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!(r#""{}":"{}""#, KEYS[*key], VALUES[*value]))
        .collect();
    let json = format!(
        r#"{{"metadata":{{"name":"p{number}","namespace":"ns{}","uid":"u","resourceVersion":"{version}","labels":{{{}}}}}}}"#,
        number % 3,
        labels.join(",")
    );
    let meta = TypeMeta::new("v1", "Pod");
    Arc::new(Object::parse(json.as_bytes(), &meta, false).unwrap())
}

fn informer(queue: QueueMode) -> ObjectInformer {
    let options = InformerOptions {
        queue,
        ..InformerOptions::default()
    };
    let informer = ObjectInformer::new(options, ReadOptions::default());
    let namespace = IndexFunc::Namespace;
    let new = vec![("namespace".to_owned(), Indexer::Declared(namespace))];
    let pending = informer.begin_add_indexers(new).unwrap();
    informer.finish_add_indexers(pending, &Vec::new());
    informer
}

/// Without values of the indices that want some from outside.
fn process(informer: &ObjectInformer) {
    loop {
        match informer.process(Some(Duration::ZERO)) {
            Processed::Pending(mut pending) => {
                while let Err(again) = informer.commit(pending, &Vec::new()) {
                    pending = again;
                }
            }
            Processed::TimedOut => return,
            _ => panic!("there is no transform, and nobody stopped it"),
        }
    }
}

fn found(cut: &Cut<Object>, selection: Selection<'_>) -> BTreeSet<String> {
    let objects = selection.candidates(cut).objects();
    let keys: BTreeSet<String> = objects.iter().map(|it| it.key().to_owned()).collect();
    assert_eq!(keys.len(), objects.len(), "an object was found twice");
    keys
}

fn searched(cut: &Cut<Object>, selection: Selection<'_>) -> BTreeSet<String> {
    let is_it = |object: &&Arc<Object>| {
        selection.selector.is_none_or(|it| it.matches(object))
            && selection
                .namespace
                .is_none_or(|it| object.namespace() == it)
    };
    let objects = cut.objects().filter(is_it);
    objects.map(|it| it.key().to_owned()).collect()
}

fn check(cut: &Cut<Object>, selectors: &[Selector]) {
    for selector in selectors.iter().map(Some).chain([None]) {
        for namespace in [None, Some("ns0"), Some("nowhere")] {
            let selection = Selection {
                selector,
                namespace,
            };
            assert_eq!(
                found(cut, selection),
                searched(cut, selection),
                "{selector:?}"
            );
        }
    }
    let names: Vec<_> = cut.index_names().filter(|name| *name != "user").collect();
    assert_eq!(names, ["namespace"], "nobody sees an index of a label");
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Labels),
    Delete(u8),
    Relist(Vec<(u8, Labels)>),
    Ask(usize),
    /// Begin, finish or take back an index of a user's.
    Begin,
    End(bool),
    Snapshot,
}

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map(0..KEYS.len(), 0..VALUES.len(), 0..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u8, labels()).prop_map(|(number, labels)| Step::Put(number, labels)),
        1 => (0..12_u8).prop_map(Step::Delete),
        2 => prop::collection::vec((0..12_u8, labels()), 0..16).prop_map(Step::Relist),
        4 => any::<prop::sample::Index>().prop_map(|it| Step::Ask(it.index(4))),
        1 => Just(Step::Begin),
        1 => any::<bool>().prop_map(Step::End),
        1 => Just(Step::Snapshot),
    ]
}

fn selectors() -> impl Strategy<Value = Vec<Selector>> {
    let selector = prop::collection::vec(prop::sample::select(&REQUIREMENTS[..]), 1..4)
        .prop_map(|requirements| Selector::parse(&requirements.join(",")).unwrap());
    prop::collection::vec(selector, 4)
}

struct World {
    informer: ObjectInformer,
    selectors: Vec<Selector>,
    writes: usize,
    pending: Option<PendingIndexers>,
    has_user_index: bool,
    snapshot: Option<(Snapshot<Object>, Vec<BTreeSet<String>>)>,
}

impl World {
    fn answers(&self, cut: &Cut<Object>) -> Vec<BTreeSet<String>> {
        let selectors = self.selectors.iter().map(|selector| Selection {
            selector: Some(selector),
            namespace: None,
        });
        selectors.map(|it| found(cut, it)).collect()
    }

    fn step(&mut self, step: &Step) {
        let queue = self.informer.informer().queue();
        self.writes += 1;
        match step {
            Step::Put(number, labels) => {
                queue.update(SourceId::FIRST, object(*number, self.writes, labels));
            }
            Step::Delete(number) => {
                queue.delete(
                    SourceId::FIRST,
                    object(*number, self.writes, &Labels::new()),
                );
            }
            Step::Relist(objects) => {
                let objects = objects
                    .iter()
                    .map(|(number, labels)| object(*number, self.writes, labels));
                queue.replace(SourceId::FIRST, self.writes.to_string(), objects.collect());
            }
            Step::Ask(place) => self.ask(*place),
            Step::Begin => self.begin(),
            Step::End(keep) => match self.pending.take() {
                Some(pending) if *keep => {
                    self.informer.finish_add_indexers(pending, &Vec::new());
                    self.has_user_index = true;
                }
                Some(pending) => self.informer.abort_add_indexers(&pending),
                None => {}
            },
            Step::Snapshot => {
                let snapshot = self.informer.informer().store().snapshot();
                let answers = self.answers(&snapshot);
                self.snapshot = Some((snapshot, answers));
            }
        }
        process(&self.informer);
    }

    fn ask(&self, place: usize) {
        let made = self.informer.index_labels(&self.selectors[place], 100);
        assert!(!made || self.pending.is_none(), "beside a user's indices");
        assert!(self.informer.current().labels().count() <= MAX_INDICES);
    }

    fn begin(&mut self) {
        if self.has_user_index {
            return;
        }
        let new = vec![("user".to_owned(), Indexer::External)];
        let begun = self.informer.begin_add_indexers(new);
        if self.pending.is_some() {
            assert_eq!(begun.err(), Some(StoreError::AlreadyAdding));
        } else {
            self.pending = Some(begun.ok().unwrap());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_selector_finds_what_a_search_finds(
        mode in prop::sample::select(vec![QueueMode::Atomic, QueueMode::InOrder, QueueMode::Delta]),
        selectors in selectors(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut world = World {
            informer: informer(mode),
            selectors,
            writes: 0,
            pending: None,
            has_user_index: false,
            snapshot: None,
        };
        for step in &steps {
            world.step(step);
            let view = world.informer.informer().store().read();
            view.assert_consistent();
            check(&view, &world.selectors);
            if let Some((snapshot, answers)) = &world.snapshot {
                assert_eq!(&world.answers(snapshot), answers);
            }
        }
    }
}

fn with_objects(count: u8) -> ObjectInformer {
    let informer = informer(QueueMode::Atomic);
    for number in 0..count {
        let labels = Labels::from([(0, usize::from(number % 2)), (1, 0)]);
        let queue = informer.informer().queue();
        queue.update(SourceId::FIRST, object(number, 1, &labels));
    }
    process(&informer);
    informer
}

fn count(informer: &ObjectInformer, selector: &Selector) -> usize {
    let selection = Selection {
        selector: Some(selector),
        namespace: None,
    };
    let view = informer.informer().store().read();
    selection.candidates(&view).count()
}

#[test]
fn the_second_selector_that_names_values_of_a_label_makes_its_index() {
    let informer = with_objects(12);
    let selector = Selector::parse("a=x,!c").unwrap();
    assert!(!informer.index_labels(&selector, 12));
    assert_eq!(count(&informer, &selector), 12);
    assert!(informer.index_labels(&selector, 12));
    assert_eq!(count(&informer, &selector), 6);
    assert!(!informer.index_labels(&selector, 12), "it has it");
    for text in ["b", "!b", "b!=x", "b notin (x)", "b>3"] {
        let selector = Selector::parse(text).unwrap();
        assert!(!informer.index_labels(&selector, 12));
        assert!(!informer.index_labels(&selector, 12), "{text}");
    }
    let label = informer
        .current()
        .labels()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert_eq!(label, ["a"]);
    assert_eq!(informer.indexers().len(), 1, "a user sees none of them");
    let view = informer.informer().store().read();
    assert!(view.by_index("a", "x").is_err());
    assert!(view.index_values("a").is_err());
}

#[test]
fn a_user_may_name_an_index_like_a_label_that_has_one() {
    let informer = with_objects(12);
    let selector = Selector::parse("a=x").unwrap();
    informer.index_labels(&selector, 12);
    assert!(informer.index_labels(&selector, 12));
    let function = IndexFunc::Label("b".into());
    let new = vec![("a".to_owned(), Indexer::Declared(function))];
    let pending = informer.begin_add_indexers(new).unwrap();
    informer.finish_add_indexers(pending, &Vec::new());
    let view = informer.informer().store().read();
    assert_eq!(view.count_by_index("a", "x"), Ok(12));
    drop(view);
    assert_eq!(count(&informer, &selector), 6);
}

#[test]
fn few_objects_and_too_many_labels_make_no_index() {
    let informer = with_objects(12);
    let selector = Selector::parse("a=x").unwrap();
    for _ in 0..3 {
        assert!(!informer.index_labels(&selector, SEARCHED));
    }
    for number in 0..MAX_INDICES {
        let selector = Selector::parse(&format!("l{number}=x")).unwrap();
        informer.index_labels(&selector, 12);
        assert!(informer.index_labels(&selector, 12));
    }
    informer.index_labels(&selector, 12);
    assert!(!informer.index_labels(&selector, 12));
    assert_eq!(count(&informer, &selector), 12);
}

#[test]
fn a_label_asked_for_once_is_forgotten_behind_others() {
    let informer = with_objects(12);
    let ask = |text: &str| informer.index_labels(&Selector::parse(text).unwrap(), 12);
    assert!(!ask("a=x"));
    for number in 0..MAX_ASKED {
        assert!(!ask(&format!("l{number}=x")));
    }
    assert!(!ask("a=x"));
    assert!(ask("a=x"));
}

#[test]
fn nothing_is_found_without_a_look() {
    let informer = with_objects(12);
    assert_eq!(count(&informer, &Selector::nothing()), 0);
}
