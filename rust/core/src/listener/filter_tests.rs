//! What a handler behind a filter is told, also where notifications were merged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::model_tests::{pop, step, Step, World};
use super::{told, Backlog, Listener, Popped, Predicate};
use crate::notification::Notification;
use crate::testing::{show, Believer, Pod};
use crate::wake::WakePipe;

type N = Notification<Pod>;

/// Accepts versions by their number modulo 10; compares them by a digit, or not.
#[derive(Clone, Copy, Debug)]
struct Digits {
    accepted: [bool; 10],
    compares: bool,
}

const ALL: [bool; 10] = [true; 10];

/// Versions below 50 are accepted; an update is told iff the last digit differs.
struct Small;

fn number(pod: &Pod) -> usize {
    pod.version.parse().unwrap()
}

impl Digits {
    fn phase(pod: &Pod) -> usize {
        number(pod) * 7 / 3 % 2
    }
}

impl Predicate<Pod> for Digits {
    fn accepts(&self, pod: &Pod) -> bool {
        self.accepted[number(pod) * 3 % 10]
    }

    fn passes(&self, old: &Pod, new: &Pod) -> bool {
        !self.compares || Self::phase(old) != Self::phase(new)
    }

    fn compares(&self) -> bool {
        self.compares
    }
}

impl Predicate<Pod> for Small {
    fn accepts(&self, pod: &Pod) -> bool {
        number(pod) < 50
    }

    fn passes(&self, old: &Pod, new: &Pod) -> bool {
        number(old) % 10 != number(new) % 10
    }

    fn compares(&self) -> bool {
        true
    }
}

fn pod(version: u32) -> Arc<Pod> {
    Pod::new("a", "uid", &version.to_string())
}

fn update(old: u32, new: u32) -> N {
    N::Update {
        old: pod(old),
        new: pod(new),
        resync: false,
    }
}

fn push(listener: &Listener<Pod>, predicate: &dyn Predicate<Pod>, notifications: &[N]) {
    let wanted: Vec<N> = notifications
        .iter()
        .filter_map(|it| told(predicate, it))
        .collect();
    listener.count_filtered(notifications.len() - wanted.len());
    listener.push_all(wanted);
}

#[test]
fn s154_an_update_is_what_it_is_to_the_handler() {
    let add = |version, initial| N::Add {
        object: pod(version),
        initial,
    };
    let delete = |last: Option<u32>, version| N::Delete {
        object: pod(version),
        last: last.map(pod),
    };
    let tombstone = |last: Option<u32>| N::Tombstone {
        key: crate::write_batch::Key::Text("a".into()),
        object: last.map(pod),
    };
    let cases = [
        (add(1, true), "add a 1 initial"),
        (add(51, true), ""),
        (update(1, 2), "update a 1 2"),
        (update(1, 11), ""),
        (update(1, 51), "delete a 1"),
        (update(51, 1), "add a 1"),
        (update(51, 52), ""),
        (N::resync(&pod(1)), ""),
        (delete(Some(1), 2), "delete a 2"),
        (delete(Some(1), 52), "delete a 52"),
        (delete(Some(51), 2), ""),
        (delete(None, 2), "delete a 2"),
        (delete(None, 52), ""),
        (tombstone(Some(1)), "tombstone a 1"),
        (tombstone(Some(51)), ""),
        (tombstone(None), "tombstone a unknown"),
    ];
    for (notification, expected) in cases {
        let shown = told(&Small, &notification).map_or(String::new(), |it| {
            assert!(!matches!(it, N::Delete { last: Some(_), .. }));
            show(&it)
        });
        assert_eq!(shown, expected, "{}", show(&notification));
    }
    let all = Digits {
        accepted: ALL,
        compares: false,
    };
    assert_eq!(
        told(&all, &N::resync(&pod(1))).map(|it| show(&it)),
        Some("resync a 1 1".into())
    );
}

#[test]
fn updates_that_come_to_nothing_when_merged_are_not_told_and_not_waited_for() {
    let none = Backlog {
        notifications: 0,
        bytes: 0,
    };
    let listener = Listener::with_predicate(none, Some(Arc::new(Small)));
    push(&listener, &Small, &[update(1, 2), update(2, 11)]);
    let barrier = listener.barrier();
    assert_eq!(listener.stats().pending, 1);
    assert!(
        listener.try_pop_batch(9).is_none(),
        "that takes a comparison"
    );
    assert!(listener
        .wait_handled(barrier, Some(Duration::ZERO))
        .is_err());
    let popped = listener.pop_batch(9, Some(Duration::ZERO));
    assert!(matches!(popped, Popped::TimedOut));
    assert!(listener.wait_handled(barrier, Some(Duration::ZERO)).is_ok());
    let stats = listener.stats();
    assert_eq!(
        (stats.delivered, stats.coalesced, stats.filtered),
        (0, 1, 1)
    );

    push(&listener, &Small, &[update(11, 12), update(12, 13)]);
    let batch = pop(&listener, 9);
    assert_eq!(
        batch.iter().map(show).collect::<Vec<_>>(),
        ["update a 11 13"]
    );
}

#[test]
fn who_polls_is_not_told_of_them_either() {
    let none = Backlog {
        notifications: 0,
        bytes: 0,
    };
    let listener = Listener::with_predicate(none, Some(Arc::new(Small)));
    let pipe = Arc::new(WakePipe::new().expect("file descriptors"));
    let waker = pipe.waker(1);
    push(&listener, &Small, &[update(1, 2), update(2, 11)]);
    assert!(listener.poll_batch(9, &waker).is_pending());
    push(&listener, &Small, &[update(11, 12)]);
    assert_eq!(pipe.take(), [1]);
    assert!(listener.poll_batch(9, &waker).is_ready());
}

/// What a handler knows that is told only of some updates: of each object a state in the same phase.
#[derive(Default)]
struct Phases(BTreeMap<String, usize>);

impl Phases {
    fn hear(&mut self, notification: &N) {
        let key = notification.key().to_owned();
        match notification {
            N::Add { object, .. } => {
                assert!(self.0.insert(key, Digits::phase(object)).is_none());
            }
            N::Update { old, new, .. } => {
                let known = self.0.insert(key, Digits::phase(new));
                assert_eq!(known, Some(Digits::phase(old)));
                assert_ne!(known, Some(Digits::phase(new)));
            }
            N::Delete { .. } | N::Tombstone { .. } => assert!(self.0.remove(&key).is_some()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// As if only the accepted states existed, whatever is merged.
    #[test]
    fn s154_a_filtered_handler_knows_what_is_accepted(
        steps in prop::collection::vec(step(), 1..150),
        accepted in any::<[bool; 10]>(),
        compares in any::<bool>(),
        limits in (0..12_usize, prop_oneof![Just(usize::MAX), 0..2000_usize]),
    ) {
        let digits = Digits { accepted, compares };
        let limit = Backlog { notifications: limits.0, bytes: limits.1 };
        let listener = Listener::with_predicate(limit, Some(Arc::new(digits)));
        let (mut world, mut total) = (World::default(), 0);
        let (mut handler, mut phases) = (Believer::default(), Phases::default());
        for step in steps.iter().chain([&Step::Pop(usize::MAX)]) {
            let notifications = world.step(step);
            total += notifications.len() as u64;
            push(&listener, &digits, &notifications);
            if let Step::Pop(max) = step {
                for notification in &pop(&listener, *max) {
                    if compares {
                        phases.hear(notification);
                    } else {
                        handler.hear(notification);
                    }
                }
            }
            let stats = listener.stats();
            let counted = stats.delivered + stats.coalesced + stats.pending as u64 + stats.filtered;
            prop_assert_eq!(counted, total);
        }
        let wanted = world.objects.values().filter(|pod| digits.accepts(pod));
        if compares {
            let expected = wanted.map(|pod| (pod.key.clone(), Digits::phase(pod)));
            prop_assert_eq!(phases.0, expected.collect::<BTreeMap<_, _>>());
        } else {
            handler.assert_knows(wanted);
        }
        let everything = listener.barrier();
        pop(&listener, 1);
        prop_assert!(listener.wait_handled(everything, Some(Duration::ZERO)).is_ok());
        prop_assert!(listener.initial_list_done());
    }
}
