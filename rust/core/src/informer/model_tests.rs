//! Random watches, relists, moves between sources and handlers that come and go, against the rules applied to a map.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Informer, InformerOptions, QueueMode, BATCH_SIZE};
use crate::listener::{Backlog, Listener, Popped};
use crate::notification::Notification;
use crate::queue::{Delta, DeltaObject, DeltaType, SourceId, WaitError};
use crate::resource_version::ResourceVersion;
use crate::testing::{Believer, Pod};
use crate::write_batch::WriteBatch;

const SOURCES: u32 = 3;

const PERIOD: Duration = Duration::from_secs(600);

#[derive(Clone, Debug)]
enum Step {
    /// Created or changed, and the watch tells.
    Set(u8),
    /// Deleted, and the watch tells.
    Remove(u8),
    /// Created, changed, or deleted and created again while the source's watch is down.
    Miss(u8, u8),
    /// Moves to the next source, unchanged; the order in which the two tell is random.
    Move(u8, bool),
    /// What a relist tells may name some objects twice, and share allocations with the store.
    Relist(u8, bool),
    Bookmark(u8),
    Process(usize),
    Join(Option<usize>),
    Leave(usize),
    Resync,
    Pop(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..9_u8;
    let source = 0..SOURCES as u8;
    prop_oneof![
        8 => key.clone().prop_map(Step::Set),
        3 => key.clone().prop_map(Step::Remove),
        3 => (key.clone(), 0..4_u8).prop_map(|(key, how)| Step::Miss(key, how)),
        2 => (key, any::<bool>()).prop_map(|(key, gone_first)| Step::Move(key, gone_first)),
        4 => (source.clone(), any::<bool>()).prop_map(|(source, twice)| Step::Relist(source, twice)),
        1 => source.prop_map(Step::Bookmark),
        6 => (1..6_usize).prop_map(Step::Process),
        2 => prop::option::of(0..5_usize).prop_map(Step::Join),
        1 => (0..8_usize).prop_map(Step::Leave),
        1 => Just(Step::Resync),
        3 => (0..8_usize, 1..6_usize).prop_map(|(listener, max)| Step::Pop(listener, max)),
    ]
}

/// What a listener is to hear; deletions of one list, and snapshots, come in any order.
type Group = Vec<String>;

struct Handler {
    listener: Arc<Listener<Pod>>,
    /// None if it may merge.
    expected: Option<VecDeque<Group>>,
    heard: Vec<Notification<Pod>>,
}

/// The cluster, the queue's content, and the store as it must become.
struct Model {
    informer: Informer<Pod>,
    options: InformerOptions,
    cluster: BTreeMap<String, (SourceId, Arc<Pod>)>,
    /// By source: its watch is down, so it tells nothing until it relists.
    down: Vec<bool>,
    versions: u32,
    stored: BTreeMap<String, (SourceId, Arc<Pod>)>,
    /// By source.
    resource_versions: Vec<String>,
    handlers: Vec<Handler>,
    batches: u64,
    /// The clock of resyncs.
    now: Instant,
}

fn name(key: u8) -> String {
    format!("key{key}")
}

fn show(kind: &str, pod: &Pod) -> String {
    format!("{kind} {} {} {}", pod.key, pod.uid, pod.version)
}

fn show_update(kind: &str, old: &Pod, new: &Pod) -> String {
    format!("{} to {} {}", show(kind, old), new.uid, new.version)
}

fn show_add(pod: &Pod, initial: bool) -> String {
    show(if initial { "initial add" } else { "add" }, pod)
}

fn show_any(notification: &Notification<Pod>) -> String {
    match notification {
        Notification::Add { object, initial } => show_add(object, *initial),
        Notification::Update { old, new, resync } => {
            show_update(if *resync { "resync" } else { "update" }, old, new)
        }
        Notification::Delete { object, .. } => show("delete", object),
        Notification::Tombstone { object, .. } => {
            show("tombstone", object.as_ref().expect("it was seen"))
        }
    }
}

impl Model {
    fn new(options: InformerOptions) -> Self {
        let informer = Informer::new(options);
        for _ in 1..SOURCES {
            informer.queue().add_source();
        }
        informer.start();
        let pending = informer
            .store()
            .begin_add_indices(&["version", "uid"])
            .unwrap();
        informer
            .store()
            .finish_add_indices(pending, &WriteBatch::default());
        Self {
            informer,
            options,
            cluster: BTreeMap::new(),
            down: vec![true; SOURCES as usize],
            versions: 0,
            stored: BTreeMap::new(),
            resource_versions: vec![String::new(); SOURCES as usize],
            handlers: Vec::new(),
            batches: 0,
            now: Instant::now(),
        }
    }

    /// The next version of the object, of a new uid if `again`.
    fn next(&mut self, key: u8, again: bool) -> Arc<Pod> {
        self.versions += 1;
        let version = self.versions.to_string();
        let old = self.cluster.get(&name(key)).filter(|_| !again);
        let uid = old.map_or(format!("uid{version}"), |(_, old)| old.uid.clone());
        let values = [
            (0, &*format!("v{}", self.versions % 3)),
            (0, &*format!("v{}", self.versions % 5)),
            (1, &*uid),
        ];
        Pod::indexed(&name(key), &uid, &version, &values)
    }

    fn source_of(&self, key: u8) -> SourceId {
        let stays = self.cluster.get(&name(key)).map(|(source, _)| *source);
        stays.unwrap_or(SourceId(u32::from(key) % SOURCES))
    }

    fn is_down(&self, source: SourceId) -> bool {
        self.down[source.0 as usize]
    }

    fn set(&mut self, key: u8, again: bool) -> (SourceId, Arc<Pod>) {
        let (source, pod) = (self.source_of(key), self.next(key, again));
        self.cluster.insert(name(key), (source, Arc::clone(&pod)));
        (source, pod)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Set(key) if !self.is_down(self.source_of(key)) => {
                let known = self.cluster.contains_key(&name(key));
                let (source, pod) = self.set(key, false);
                let queue = self.informer.queue();
                if known {
                    queue.update(source, pod);
                } else {
                    queue.add(source, pod);
                }
            }
            Step::Set(key) => drop(self.set(key, false)),
            Step::Remove(key) if !self.is_down(self.source_of(key)) => {
                let last = self.next(key, false);
                if let Some((source, _)) = self.cluster.remove(&name(key)) {
                    self.informer.queue().delete(source, last);
                }
            }
            Step::Remove(key) => drop(self.cluster.remove(&name(key))),
            Step::Miss(key, how) => {
                let source = self.source_of(key);
                self.down[source.0 as usize] = true;
                match how {
                    0 => drop(self.cluster.remove(&name(key))),
                    1 => drop(self.set(key, false)),
                    _ => drop(self.set(key, true)),
                }
            }
            Step::Move(key, gone_first) => self.move_on(key, gone_first),
            Step::Relist(source, twice) => self.relist(SourceId(u32::from(source)), twice),
            Step::Bookmark(source) => {
                let source = SourceId(u32::from(source));
                if !self.is_down(source) {
                    let version = self.versions.to_string();
                    self.informer.queue().bookmark(source, &version);
                }
            }
            Step::Process(count) => self.process(count),
            Step::Join(limit) => self.join(limit),
            Step::Leave(number) => self.leave(number),
            Step::Resync => self.resync(),
            Step::Pop(number, max) => {
                if !self.handlers.is_empty() {
                    let number = number % self.handlers.len();
                    self.handlers[number].pop(max);
                }
            }
        }
    }

    fn move_on(&mut self, key: u8, gone_first: bool) {
        let Some((source, pod)) = self.cluster.get_mut(&name(key)) else {
            return;
        };
        let from = *source;
        let to = SourceId((from.0 + 1) % SOURCES);
        *source = to;
        let pod = Arc::clone(pod);
        let mut told = [
            (from, Delta::deleted(from, Arc::clone(&pod))),
            (to, Delta::added(to, pod)),
        ];
        if !gone_first {
            told.reverse();
        }
        for (source, delta) in told {
            if !self.is_down(source) {
                self.informer.queue().add_many(vec![delta]);
            }
        }
    }

    fn relist(&mut self, source: SourceId, twice: bool) {
        self.down[source.0 as usize] = false;
        let of_source = self.cluster.values().filter(|(owner, _)| *owner == source);
        let (mut older, mut list) = (Vec::new(), Vec::new());
        for (number, (_, pod)) in of_source.enumerate() {
            if twice && number % 2 == 1 {
                older.push(Arc::new(Pod {
                    version: "0".to_owned(),
                    ..(**pod).clone()
                }));
            }
            let shares = number % 3 == 2;
            list.push(if shares {
                Arc::clone(pod)
            } else {
                Arc::new((**pod).clone())
            });
        }
        list.reverse();
        list.splice(0..0, older);
        let version = self.versions.to_string();
        self.informer.queue().replace(source, version, list);
    }

    fn process(&mut self, max: usize) {
        if self.informer.queue().is_empty() {
            return;
        }
        let deltas = self
            .informer
            .queue()
            .pop_batch(max, Some(Duration::ZERO))
            .unwrap();
        let groups: Vec<Group> = deltas.iter().flat_map(|delta| self.rules(delta)).collect();
        let change = self.informer.plan(deltas);
        let generation = self.informer.generation();
        let done = self
            .informer
            .commit(change, generation, |_, pod, sink| pod.index(2, sink));
        assert!(done.is_ok());
        self.batches += 1;
        for handler in &mut self.handlers {
            if let Some(expected) = &mut handler.expected {
                expected.extend(groups.iter().cloned());
            }
        }
        self.check_store();
    }

    /// What client-go's rules, with the differences of this project, make of a delta.
    fn rules(&mut self, delta: &Delta<Pod>) -> Vec<Group> {
        let mut groups = Vec::new();
        let resource_version = &mut self.resource_versions[delta.source.0 as usize];
        match &delta.object {
            DeltaObject::Object(pod) if delta.kind == DeltaType::Deleted => {
                resource_version.clone_from(&pod.version);
                let owner = self.stored.get(&pod.key).map(|(owner, _)| *owner);
                if owner.is_none_or(|owner| owner == delta.source) {
                    self.stored.remove(&pod.key);
                    groups.push(vec![show("delete", pod)]);
                }
            }
            DeltaObject::Object(pod) => {
                resource_version.clone_from(&pod.version);
                groups.extend(self.upsert(delta, pod));
            }
            DeltaObject::Replacement(list) => {
                resource_version.clone_from(&list.resource_version);
                let newest: BTreeMap<&str, &Arc<Pod>> =
                    list.objects.iter().map(|pod| (&*pod.key, pod)).collect();
                let mut gone = Group::new();
                self.stored.retain(|key, (owner, pod)| {
                    let stays = *owner != delta.source || newest.contains_key(&**key);
                    if !stays {
                        gone.push(show("tombstone", pod));
                    }
                    stays
                });
                groups.push(gone);
                for pod in &list.objects {
                    if Arc::ptr_eq(newest[&*pod.key], pod) {
                        groups.extend(self.upsert(delta, pod));
                    }
                }
            }
            DeltaObject::Bookmark {
                resource_version: bookmark,
            } => *resource_version = bookmark.to_string(),
            DeltaObject::Tombstone { key, object } => {
                let pod = object.as_ref().expect("it was queued or stored");
                let owner = self.stored.get(&**key).map(|(owner, _)| *owner);
                if owner == Some(delta.source) {
                    self.stored.remove(&**key);
                    groups.push(vec![show("tombstone", pod)]);
                }
            }
            DeltaObject::OutOfScope { .. } | DeltaObject::None => panic!("nobody queues it here"),
        }
        groups
    }

    fn upsert(&mut self, delta: &Delta<Pod>, pod: &Arc<Pod>) -> Vec<Group> {
        let stored = self
            .stored
            .insert(pod.key.clone(), (delta.source, Arc::clone(pod)));
        let Some((_, old)) = stored else {
            return vec![vec![show_add(pod, delta.initial)]];
        };
        if (&old.uid, &old.version) == (&pod.uid, &pod.version) {
            // The allocation that is there stays.
            let stays = (delta.source, Arc::clone(&old));
            self.stored.insert(pod.key.clone(), stays);
            let told = show_update("resync", &old, &old);
            return if self.options.notify_unchanged_on_relist {
                vec![vec![told]]
            } else {
                Vec::new()
            };
        }
        if old.uid != pod.uid && !self.options.recreate_as_update {
            let gone = show("tombstone", &old);
            return vec![vec![gone], vec![show_add(pod, delta.initial)]];
        }
        vec![vec![show_update("update", &old, pod)]]
    }

    fn check_store(&self) {
        let view = self.informer.store().read();
        view.assert_consistent();
        assert_eq!(view.len(), self.stored.len());
        for (key, (source, pod)) in &self.stored {
            let (_, owner, object) = view.locate(key).expect("it is stored");
            assert!(Arc::ptr_eq(object, pod) && owner == *source);
            assert_eq!(view.values_of("uid", key).unwrap(), [&*pod.uid]);
        }
        drop(view);
        let informer = &self.informer;
        let has_versions = self.options.queue.has_resource_versions();
        for (source, version) in (0..).map(SourceId).zip(&self.resource_versions) {
            if !has_versions {
                assert_eq!(informer.resource_version(Some(source)), "", "§31");
                continue;
            }
            assert_eq!(informer.resource_version(Some(source)), *version);
            let version = ResourceVersion::parse(version).unwrap();
            let wait = |version| {
                informer.wait_for_resource_version(version, Some(source), Some(Duration::ZERO))
            };
            assert_eq!(wait(version), Ok(()));
            let next = (version.as_str().parse::<u32>().unwrap() + 1).to_string();
            let next = ResourceVersion::parse(&next).unwrap();
            assert_eq!(wait(next), Err(WaitError::TimedOut));
        }
        assert_eq!(self.informer.stats().batches, self.batches);
    }

    fn join(&mut self, limit: Option<usize>) {
        let backlog = limit.map_or(Backlog::GROW, |notifications| Backlog {
            notifications,
            bytes: usize::MAX,
        });
        let listener = self.informer.add_listener(backlog, Some(PERIOD)).unwrap();
        let snapshot = self
            .stored
            .values()
            .map(|(_, pod)| show_add(pod, true))
            .collect();
        self.handlers.push(Handler {
            listener,
            expected: limit.is_none().then(|| VecDeque::from([snapshot])),
            heard: Vec::new(),
        });
    }

    fn leave(&mut self, number: usize) {
        if !self.handlers.is_empty() {
            let number = number % self.handlers.len();
            let handler = self.handlers.swap_remove(number);
            assert!(self.informer.remove_listener(&handler.listener));
            assert!(matches!(
                handler.listener.pop_batch(1, None),
                Popped::Closed
            ));
        }
    }

    fn resync(&mut self) {
        // Further than any period, from the last time and from now.
        self.now += 3 * PERIOD;
        assert_eq!(self.informer.resync(self.now), self.handlers.len());
        assert_eq!(self.informer.resync(self.now), 0);
        let pods = self.stored.values();
        let resyncs: Group = pods
            .map(|(_, pod)| show_update("resync", pod, pod))
            .collect();
        for handler in &mut self.handlers {
            if let Some(expected) = &mut handler.expected {
                expected.push_back(resyncs.clone());
            }
        }
    }

    /// Everything is told, processed and heard; then all must agree.
    fn finish(mut self) {
        for source in 0..SOURCES {
            self.relist(SourceId(source), false);
        }
        while !self.informer.queue().is_empty() {
            self.process(BATCH_SIZE);
        }
        assert!(self.informer.has_synced());
        let versions = |objects: &BTreeMap<String, (SourceId, Arc<Pod>)>| {
            let all = objects
                .values()
                .map(|(source, pod)| (*source, Pod::clone(pod)));
            all.collect::<Vec<_>>()
        };
        assert_eq!(versions(&self.stored), versions(&self.cluster));
        for handler in &mut self.handlers {
            handler.pop(usize::MAX);
            handler.pop(1);
            assert!(handler.listener.initial_list_done());
            handler.check_expected();
            let mut believer = Believer {
                recreate_as_update: self.options.recreate_as_update,
                ..Believer::default()
            };
            handler.heard.iter().for_each(|it| believer.hear(it));
            believer.assert_knows(self.stored.values().map(|(_, pod)| pod));
        }
    }
}

impl Handler {
    fn pop(&mut self, max: usize) {
        match self.listener.pop_batch(max, Some(Duration::ZERO)) {
            Popped::Notifications(batch) => self.heard.extend(batch),
            Popped::TimedOut => {}
            Popped::Closed => panic!("it did not leave"),
        }
    }

    fn check_expected(&self) {
        let Some(expected) = &self.expected else {
            return;
        };
        let mut heard = self.heard.iter().map(show_any);
        for group in expected {
            let mut group = group.clone();
            let mut told: Vec<String> = heard.by_ref().take(group.len()).collect();
            group.sort_unstable();
            told.sort_unstable();
            assert_eq!(told, group);
        }
        assert_eq!(heard.next(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn every_handler_hears_what_happened_and_knows_what_is_stored(
        steps in prop::collection::vec(step(), 1..120),
        options in (any::<bool>(), any::<bool>()),
        queue in prop_oneof![Just(QueueMode::Atomic), Just(QueueMode::InOrder), Just(QueueMode::Delta)],
    ) {
        let mut model = Model::new(InformerOptions {
            is_filtered: false,
            recreate_as_update: options.0,
            notify_unchanged_on_relist: options.1,
            queue,
        });
        for step in &steps {
            model.step(step);
        }
        model.finish();
    }
}
