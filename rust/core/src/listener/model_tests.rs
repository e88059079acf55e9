//! Random histories: merging against the rules as a search in a list, and what a handler knows in the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Backlog, Listener, ListenerStats, Popped};
use crate::notification::Notification;
use crate::testing::{show, Believer, Pod};

type N = Notification<Pod>;

pub(super) fn pop(listener: &Listener<Pod>, max: usize) -> Vec<N> {
    match listener.pop_batch(max, Some(Duration::ZERO)) {
        Popped::Notifications(batch) => batch,
        Popped::TimedOut => Vec::new(),
        Popped::Closed => panic!("nobody closes it"),
    }
}

/// What a random history does next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The key is added, or changed.
    Set(u8, bool),
    /// The key goes, if it is there; with or without a final state.
    Remove(u8, bool),
    /// The key goes and comes back under another uid, if it is there.
    Recreate(u8),
    Resync(u8),
    Pop(usize),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let key = 0..5_u8;
    prop_oneof![
        6 => (key.clone(), any::<bool>()).prop_map(|(key, initial)| Step::Set(key, initial)),
        3 => (key.clone(), any::<bool>()).prop_map(|(key, seen)| Step::Remove(key, seen)),
        1 => key.clone().prop_map(Step::Recreate),
        2 => key.prop_map(Step::Resync),
        2 => (1..5_usize).prop_map(Step::Pop),
    ]
}

/// The rules again, as a search in a list.
struct Model {
    limit: Backlog,
    merging: bool,
    line: Vec<N>,
    out: usize,
    delivered: u64,
    coalesced: u64,
}

impl Model {
    fn bytes(&self) -> usize {
        self.line.iter().map(Notification::heap_size).sum()
    }

    fn push(&mut self, second: N) {
        self.merging |=
            self.line.len() >= self.limit.notifications || self.bytes() >= self.limit.bytes;
        let place = self
            .line
            .iter()
            .rposition(|first| first.key() == second.key());
        let Some(place) = place.filter(|_| self.merging) else {
            self.line.push(second);
            return;
        };
        let is_resync = matches!(second, N::Update { resync: true, .. });
        let kept = match (self.line[place].clone(), second) {
            (first, second) if first.is_deletion() => {
                assert!(!is_resync && !second.is_deletion(), "not in this history");
                self.line.push(second);
                return;
            }
            (first, _) if is_resync => Some(first),
            (N::Add { .. }, second) if second.is_deletion() => None,
            (N::Add { initial, .. }, N::Update { new: object, .. }) => {
                Some(N::Add { object, initial })
            }
            (N::Update { old, .. }, N::Update { new, .. }) => {
                let resync = false;
                Some(N::Update { old, new, resync })
            }
            (N::Update { .. }, second) if second.is_deletion() => Some(second),
            (first, second) => panic!("{} then {}", show(&first), show(&second)),
        };
        self.coalesced += if kept.is_some() { 1 } else { 2 };
        self.line.splice(place..=place, kept);
    }

    fn pop(&mut self, max: usize) -> Vec<N> {
        let batch: Vec<N> = self.line.drain(..max.min(self.line.len())).collect();
        self.out = batch.iter().filter(|it| it.is_initial()).count();
        self.delivered += batch.len() as u64;
        let calm =
            self.line.len() <= self.limit.notifications / 2 && self.bytes() <= self.limit.bytes / 2;
        // Looked at when something was taken out.
        self.merging &= !calm || batch.is_empty();
        batch
    }

    fn initial_list_done(&self) -> bool {
        self.out == 0 && !self.line.iter().any(Notification::is_initial)
    }

    fn stats(&self) -> ListenerStats {
        ListenerStats {
            pending: self.line.len(),
            pending_bytes: self.bytes(),
            delivered: self.delivered,
            coalesced: self.coalesced,
            filtered: 0,
        }
    }
}

/// Turns steps into notifications that fit each other.
#[derive(Default)]
pub(super) struct World {
    pub objects: BTreeMap<u8, Arc<Pod>>,
    versions: u32,
    uids: u32,
}

impl World {
    fn next(&mut self, key: u8, uid: &str) -> Arc<Pod> {
        self.versions += 1;
        Pod::new(&format!("key{key}"), uid, &self.versions.to_string())
    }

    fn add(&mut self, key: u8, initial: bool) -> N {
        self.uids += 1;
        let object = self.next(key, &self.uids.to_string());
        self.objects.insert(key, Arc::clone(&object));
        N::Add { object, initial }
    }

    fn remove(&mut self, key: u8, seen: bool) -> Option<N> {
        let old = self.objects.remove(&key)?;
        if !seen {
            return Some(N::tombstone(&old));
        }
        let object = self.next(key, &old.uid);
        let last = Some(old);
        Some(N::Delete { object, last })
    }

    pub fn step(&mut self, step: &Step) -> Vec<N> {
        match *step {
            Step::Set(key, initial) => {
                let Some(old) = self.objects.get(&key).cloned() else {
                    return vec![self.add(key, initial)];
                };
                let new = self.next(key, &old.uid);
                self.objects.insert(key, Arc::clone(&new));
                let resync = false;
                vec![N::Update { old, new, resync }]
            }
            Step::Remove(key, seen) => self.remove(key, seen).into_iter().collect(),
            Step::Recreate(key) => {
                let gone = self.remove(key, false);
                gone.map_or(Vec::new(), |gone| vec![gone, self.add(key, false)])
            }
            Step::Resync(key) => self.objects.get(&key).map(N::resync).into_iter().collect(),
            Step::Pop(_) => Vec::new(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_as_a_search_in_a_list_and_tells_the_truth(
        steps in prop::collection::vec(step(), 1..150),
        limits in (0..12_usize, prop_oneof![Just(usize::MAX), 0..2000_usize]),
    ) {
        let limit = Backlog { notifications: limits.0, bytes: limits.1 };
        let listener = Listener::new(limit);
        let mut model = Model {
            limit, merging: false, line: Vec::new(), out: 0, delivered: 0, coalesced: 0,
        };
        let (mut world, mut handler) = (World::default(), Believer::default());
        let mut pushed = 0;
        for step in steps.iter().chain([&Step::Pop(usize::MAX)]) {
            let notifications = world.step(step);
            pushed += notifications.len() as u64;
            for notification in &notifications {
                model.push(notification.clone());
            }
            listener.push_all(notifications);
            if let Step::Pop(max) = step {
                let expected = model.pop(*max);
                let batch = pop(&listener, *max);
                let shown = |batch: &[N]| batch.iter().map(show).collect::<Vec<_>>();
                prop_assert_eq!(shown(&batch), shown(&expected));
                for notification in &batch {
                    handler.hear(notification);
                }
            }
            let stats = listener.stats();
            prop_assert_eq!(stats, model.stats());
            prop_assert_eq!(stats.delivered + stats.coalesced + stats.pending as u64, pushed);
            prop_assert_eq!(listener.initial_list_done(), model.initial_list_done());
        }
        handler.assert_knows(world.objects.values());
    }

    #[test]
    fn s138_without_a_limit_everything_comes_in_order(
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let listener = Listener::new(Backlog::GROW);
        let (mut world, mut pushed, mut popped) = (World::default(), Vec::new(), Vec::new());
        for step in &steps {
            let notifications = world.step(step);
            pushed.extend(notifications.iter().map(show));
            listener.push_all(notifications);
            if let Step::Pop(max) = step {
                popped.extend(pop(&listener, *max).iter().map(show));
            }
        }
        popped.extend(pop(&listener, usize::MAX).iter().map(show));
        prop_assert_eq!(popped, pushed);
        prop_assert_eq!(listener.stats().coalesced, 0);
    }
}
