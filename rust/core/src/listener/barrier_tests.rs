//! Barriers: what they wait for, past merges, closed holes, batches and the end.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::{Backlog, Listener, Popped};
use crate::notification::Notification;
use crate::queue::WaitError;
use crate::testing::Pod;

const NOW: Option<Duration> = Some(Duration::ZERO);
const LONG: Option<Duration> = Some(Duration::from_secs(60));

fn pod(key: &str, version: u32) -> Arc<Pod> {
    Pod::new(key, "uid", &version.to_string())
}

fn add(key: &str, version: u32) -> Notification<Pod> {
    let object = pod(key, version);
    Notification::Add {
        object,
        initial: false,
    }
}

fn pop(listener: &Listener<Pod>, max: usize) -> usize {
    match listener.pop_batch(max, NOW) {
        Popped::Notifications(batch) => batch.len(),
        Popped::TimedOut => 0,
        Popped::Closed => panic!("closed"),
    }
}

fn push(listener: &Listener<Pod>, count: u32) {
    listener.push_all((0..count).map(|number| add(&format!("key{number}"), number)));
}

#[test]
fn a_barrier_is_passed_when_all_before_it_is_acknowledged() {
    let listener = Listener::new(Backlog::GROW);
    assert_eq!(listener.wait_handled(listener.barrier(), None), Ok(()));
    push(&listener, 3);
    assert_eq!(pop(&listener, 2), 2);
    let barrier = listener.barrier();
    push(&listener, 5);
    assert_eq!(
        listener.wait_handled(barrier, NOW),
        Err(WaitError::TimedOut)
    );
    assert_eq!(pop(&listener, 100), 1, "not past the barrier");
    assert_eq!(
        listener.wait_handled(barrier, NOW),
        Err(WaitError::TimedOut),
        "handed out is not handled"
    );
    assert_eq!(pop(&listener, 100), 5, "a barrier that is passed is none");
    assert_eq!(listener.wait_handled(barrier, None), Ok(()));
}

#[test]
fn what_is_merged_away_is_not_waited_for() {
    let listener = Listener::new(Backlog {
        notifications: 0,
        bytes: usize::MAX,
    });
    listener.push_all([add("a", 1), add("b", 1)]);
    let barrier = listener.barrier();
    listener.push_all([Notification::tombstone(&pod("a", 1)), add("c", 1)]);
    assert_eq!(pop(&listener, 100), 1);
    assert_eq!(pop(&listener, 100), 1, "c");
    assert_eq!(listener.wait_handled(barrier, None), Ok(()));
    listener.push_all([add("d", 1)]);
    let barrier = listener.barrier();
    listener.push_all([Notification::tombstone(&pod("d", 1))]);
    assert_eq!(pop(&listener, 1), 0);
    assert_eq!(listener.wait_handled(barrier, None), Ok(()));
}

#[test]
fn a_closed_listener_passes_only_the_barriers_that_it_had_passed() {
    let listener = Listener::new(Backlog::GROW);
    push(&listener, 2);
    let first = listener.barrier();
    assert_eq!((pop(&listener, 2), pop(&listener, 2)), (2, 0));
    push(&listener, 1);
    let second = listener.barrier();
    thread::scope(|scope| {
        let waiters = [0; 2].map(|_| scope.spawn(|| listener.wait_handled(second, LONG)));
        listener.close();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(WaitError::Closed));
        }
    });
    assert_eq!(listener.wait_handled(first, None), Ok(()));
    listener.close();
    assert_eq!(listener.wait_handled(second, None), Err(WaitError::Closed));
    assert_eq!(
        listener.wait_handled(listener.barrier(), None),
        Err(WaitError::Closed)
    );
}

#[derive(Clone, Debug)]
enum Step {
    Toggle(u8),
    Pop(usize),
    Barrier,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_u8).prop_map(Step::Toggle),
        2 => (1..9_usize).prop_map(Step::Pop),
        1 => Just(Step::Barrier),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Objects that come and go. A barrier counts the additions and deletions before it that are neither handled, nor
    /// merged away since.
    #[test]
    fn a_barrier_waits_for_what_was_before_it_and_no_more(
        steps in prop::collection::vec(step(), 1..300),
        limit in prop_oneof![Just(usize::MAX), 0..4_usize],
    ) {
        let listener = Listener::new(Backlog { notifications: limit, bytes: usize::MAX });
        let (mut there, mut added) = ([false; 6], [0; 6]);
        let (mut versions, mut barriers) = (0, Vec::new());
        let (mut line, mut out): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Toggle(key) => {
                    versions += 1;
                    let object = pod(&format!("key{key}"), versions);
                    there[key as usize] = !there[key as usize];
                    let before = listener.stats();
                    listener.push_all([if there[key as usize] {
                        Notification::Add { object, initial: false }
                    } else {
                        Notification::delete(&object)
                    }]);
                    if listener.stats().pending > before.pending {
                        line.push(versions);
                    } else {
                        // Its addition went with it: the one before of the same key, which is the newest of that key.
                        let gone = added[key as usize];
                        line.retain(|version| *version != gone);
                    }
                    added[key as usize] = versions;
                }
                Step::Pop(max) => {
                    out.clear();
                    let count = pop(&listener, max);
                    out.extend(line.drain(..count));
                }
                Step::Barrier => barriers.push((listener.barrier(), versions)),
            }
            for (barrier, version) in &barriers {
                let open = out.iter().chain(&line).any(|it| it <= version);
                prop_assert_eq!(listener.wait_handled(*barrier, NOW).is_ok(), !open);
            }
        }
    }
}
