//! Delivery, merging and the accounting of initial lists; named by the § of the client-go semantics where there is one.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{Backlog, Listener, ListenerStats, Popped};
use crate::keyed::Keyed;
use crate::notification::Notification;
use crate::testing::{show, Pod};

type N = Notification<Pod>;

fn pod(key: &str, version: &str) -> Arc<Pod> {
    Pod::new(key, "uid", version)
}

fn add(key: &str, version: &str, initial: bool) -> N {
    let object = pod(key, version);
    N::Add { object, initial }
}

fn update(key: &str, old: &str, new: &str) -> N {
    let (old, new) = (pod(key, old), pod(key, new));
    let resync = false;
    N::Update { old, new, resync }
}

fn resync(key: &str, version: &str) -> N {
    N::resync(&pod(key, version))
}

fn delete(key: &str, version: &str) -> N {
    let object = pod(key, version);
    N::delete(&object)
}

fn tombstone(key: &str, version: &str) -> N {
    N::tombstone(&pod(key, version))
}

fn limit(notifications: usize) -> Backlog {
    let bytes = usize::MAX;
    Backlog {
        notifications,
        bytes,
    }
}

fn pop(listener: &Listener<Pod>, max: usize) -> Vec<String> {
    match listener.try_pop_batch(max).expect("no other thread") {
        Popped::Notifications(batch) => batch.iter().map(show).collect(),
        Popped::TimedOut => Vec::new(),
        Popped::Closed => panic!("closed"),
    }
}

/// What comes out when all goes in past the limit.
fn merged(notifications: impl IntoIterator<Item = N>) -> Vec<String> {
    let listener = Listener::new(limit(0));
    listener.push_all(notifications);
    pop(&listener, 100)
}

#[test]
fn s138_below_the_limit_each_one_comes_in_order() {
    let listener = Listener::new(limit(6));
    let all = [
        add("a", "1", true),
        update("a", "1", "2"),
        delete("a", "2"),
        add("a", "3", false),
        resync("a", "3"),
    ];
    listener.push_all(all.iter().cloned());
    let shown: Vec<String> = all.iter().map(show).collect();
    assert_eq!(pop(&listener, 2), shown[..2]);
    assert_eq!(pop(&listener, 9), shown[2..]);
    assert_eq!(pop(&listener, 9), [""; 0]);
}

#[test]
fn merging_starts_at_the_limit_and_ends_at_half_of_it() {
    let listener = Listener::new(limit(4));
    let bump = |old: u8| {
        let (old, new) = (old.to_string(), (old + 1).to_string());
        listener.push_all([update("a", &old, &new)]);
        listener.stats().pending
    };
    assert_eq!([0, 1, 2, 3].map(bump), [1, 2, 3, 4]);
    assert_eq!([4, 5].map(bump), [4, 4], "at the limit");
    assert_eq!(pop(&listener, 1), ["update a 0 1"]);
    assert_eq!(bump(6), 3, "above half");
    assert_eq!(pop(&listener, 1), ["update a 1 2"]);
    assert_eq!([7, 8].map(bump), [3, 4], "no more");
    assert_eq!(
        pop(&listener, 9),
        [
            "update a 2 3",
            "update a 3 7",
            "update a 7 8",
            "update a 8 9"
        ]
    );
}

#[test]
fn the_limit_in_bytes_counts_objects_that_wait() {
    let size = pod("a", "1").heap_size();
    let listener = Listener::new(Backlog {
        notifications: usize::MAX,
        bytes: 3 * size,
    });
    listener.push_all([add("a", "1", false)]);
    assert_eq!(listener.stats().pending_bytes, size);
    listener.push_all([update("b", "1", "2"), update("b", "2", "3")]);
    assert_eq!(listener.stats().pending_bytes, 3 * size);
    assert_eq!(pop(&listener, 9), ["add a 1", "update b 1 3"]);
    assert_eq!(listener.stats().pending_bytes, 0);
    listener.push_all([resync("a", "1")]);
    assert_eq!(listener.stats().pending_bytes, size, "one object, twice");
}

#[test]
fn the_rules_of_merging() {
    let cases: [(Vec<N>, &[&str]); 16] = [
        (
            vec![add("a", "1", false), update("a", "1", "2")],
            &["add a 2"],
        ),
        (
            vec![add("a", "1", true), update("a", "1", "2")],
            &["add a 2 initial"],
        ),
        (vec![add("a", "1", false), delete("a", "2")], &[]),
        (vec![add("a", "1", true), tombstone("a", "1")], &[]),
        (
            vec![update("a", "1", "2"), update("a", "2", "3")],
            &["update a 1 3"],
        ),
        (
            vec![update("a", "1", "2"), delete("a", "3")],
            &["delete a 3"],
        ),
        (
            vec![update("a", "1", "2"), tombstone("a", "2")],
            &["tombstone a 2"],
        ),
        (
            vec![delete("a", "1"), add("a", "2", false)],
            &["delete a 1", "add a 2"],
        ),
        (
            vec![tombstone("a", "1"), add("a", "2", true)],
            &["tombstone a 1", "add a 2 initial"],
        ),
        (
            vec![resync("a", "1"), update("a", "1", "2")],
            &["update a 1 2"],
        ),
        (
            vec![update("a", "1", "2"), resync("a", "2")],
            &["update a 1 2"],
        ),
        (
            vec![add("a", "1", true), resync("a", "1")],
            &["add a 1 initial"],
        ),
        (vec![resync("a", "1"), resync("a", "1")], &["resync a 1 1"]),
        (vec![resync("a", "1"), delete("a", "2")], &["delete a 2"]),
        (vec![delete("a", "1"), delete("a", "2")], &["delete a 2"]),
        (
            // Absent in between, however short the second life.
            vec![
                delete("a", "1"),
                add("a", "2", false),
                update("a", "2", "3"),
                delete("a", "4"),
                add("a", "5", false),
            ],
            &["delete a 1", "add a 5"],
        ),
    ];
    for (pushed, expected) in cases {
        assert_eq!(merged(pushed), expected);
    }
}

#[test]
fn a_merged_one_keeps_the_first_place() {
    let pushed = [
        update("a", "1", "2"),
        add("b", "1", false),
        update("c", "1", "2"),
        add("d", "1", false),
        delete("b", "2"),
        update("d", "1", "2"),
        update("a", "2", "3"),
        delete("c", "3"),
        add("b", "4", false),
    ];
    assert_eq!(
        merged(pushed),
        ["update a 1 3", "delete c 3", "add d 2", "add b 4"]
    );
}

#[test]
fn s149_an_initial_list_is_done_when_the_last_batch_is_acknowledged() {
    let listener = Listener::new(Backlog::GROW);
    assert!(listener.initial_list_done(), "nothing came");
    listener.push_all([
        add("a", "1", true),
        add("b", "1", true),
        add("c", "1", false),
    ]);
    assert!(!listener.initial_list_done());
    assert_eq!(pop(&listener, 1).len(), 1);
    assert!(!listener.initial_list_done());
    assert_eq!(pop(&listener, 1).len(), 1);
    assert!(
        !listener.initial_list_done(),
        "the handler has the last one"
    );
    assert_eq!(pop(&listener, 1), ["add c 1"]);
    assert!(listener.initial_list_done());
}

#[test]
fn s149_a_wait_that_finds_nothing_acknowledges() {
    let listener = Listener::new(Backlog::GROW);
    listener.push_all([add("a", "1", true)]);
    assert_eq!(pop(&listener, 1).len(), 1);
    assert!(!listener.initial_list_done());
    assert_eq!(pop(&listener, 1).len(), 0);
    assert!(listener.initial_list_done());
}

#[test]
fn s149_an_initial_object_that_is_gone_again_is_not_waited_for() {
    let listener = Listener::new(limit(0));
    listener.push_all([add("a", "1", true), add("b", "1", true)]);
    listener.push_all([tombstone("b", "1")]);
    assert!(!listener.initial_list_done());
    listener.push_all([delete("a", "2")]);
    assert!(listener.initial_list_done());
    assert_eq!(listener.stats().pending, 0);
    assert_eq!(pop(&listener, 1), [""; 0]);
}

#[test]
fn s149_a_wait_for_the_initial_list_ends_with_it_or_with_the_listener() {
    let wait = |listener: &Arc<Listener<Pod>>| {
        let listener = Arc::clone(listener);
        thread::spawn(move || listener.wait_initial_list(None))
    };
    let listener = Arc::new(Listener::new(limit(0)));
    assert_eq!(listener.wait_initial_list(Some(Duration::ZERO)), Some(true));
    listener.push_all([add("a", "1", true)]);
    assert_eq!(listener.wait_initial_list(Some(Duration::ZERO)), None);
    let waiter = wait(&listener);
    assert_eq!(pop(&listener, 1), ["add a 1 initial"]);
    assert_eq!(listener.wait_initial_list(Some(Duration::ZERO)), None);
    assert_eq!(pop(&listener, 1), [""; 0], "acknowledges");
    assert_eq!(waiter.join().unwrap(), Some(true));

    listener.push_all([add("b", "2", true)]);
    let waiter = wait(&listener);
    listener.push_all([delete("b", "3")]);
    assert_eq!(waiter.join().unwrap(), Some(true), "merged away");

    listener.push_all([add("c", "4", true)]);
    let waiter = wait(&listener);
    listener.close();
    assert_eq!(waiter.join().unwrap(), Some(false));
}

#[test]
fn a_backlog_of_objects_that_come_and_go_does_not_grow() {
    let listener = Listener::new(limit(10));
    for number in 0..10 {
        listener.push_all([add(&format!("kept{number}"), "1", true)]);
    }
    for number in 0..10_000 {
        let key = format!("job{number}");
        listener.push_all([add(&key, "1", false), update(&key, "1", "2")]);
        listener.push_all([delete(&key, "3")]);
    }
    let state = listener.state.lock();
    assert!(state.ring.places() < 200, "{} places", state.ring.places());
    drop(state);
    listener.push_all([update("kept3", "1", "2"), delete("kept4", "2")]);
    let all = pop(&listener, 100);
    assert_eq!(all.len(), 9);
    assert_eq!(all[3], "add kept3 2 initial");
}

#[test]
fn a_big_backlog_gives_its_memory_back() {
    let listener = Listener::new(Backlog::GROW);
    listener.push_all((0..20_000).map(|_| add("a", "1", false)));
    assert_eq!(pop(&listener, usize::MAX).len(), 20_000);
    assert_eq!(listener.state.lock().ring.capacity(), 0);
    listener.push_all([add("b", "1", false)]);
    assert_eq!(pop(&listener, usize::MAX), ["add b 1"]);
}

#[test]
fn s146_a_closed_listener_hands_out_nothing() {
    let listener = Listener::new(Backlog::GROW);
    listener.push_all([add("a", "1", true)]);
    listener.close();
    listener.push_all([add("b", "1", true)]);
    assert!(listener.is_closed());
    assert!(matches!(listener.pop_batch(1, None), Popped::Closed));
    assert!(matches!(listener.try_pop_batch(1), Some(Popped::Closed)));
    assert_eq!(listener.stats(), ListenerStats::default());
    assert!(!listener.initial_list_done(), "it was never handed out");
}

#[test]
fn a_wait_ends_with_the_timeout() {
    let listener = Listener::<Pod>::new(Backlog::GROW);
    let (start, timeout) = (Instant::now(), Duration::from_millis(20));
    assert!(matches!(
        listener.pop_batch(1, Some(timeout)),
        Popped::TimedOut
    ));
    assert!(start.elapsed() >= timeout);
}

#[test]
fn a_wait_ends_with_a_push_or_close() {
    let listener = Listener::new(Backlog::GROW);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let first = listener.pop_batch(10, None);
            let second = listener.pop_batch(10, Some(Duration::MAX));
            (first, second)
        });
        listener.push_all([]);
        listener.push_all([add("a", "1", false)]);
        while listener.stats().delivered == 0 {
            thread::yield_now();
        }
        listener.close();
        let (first, second) = waiting.join().unwrap();
        assert!(matches!(first, Popped::Notifications(batch) if batch.len() == 1));
        assert!(matches!(second, Popped::Closed));
    });
}

#[test]
fn try_pop_batch_does_not_wait_for_the_lock() {
    let listener = Listener::<Pod>::new(Backlog::GROW);
    let locked = listener.state.lock();
    assert!(listener.try_pop_batch(1).is_none());
    drop(locked);
    assert!(matches!(listener.try_pop_batch(1), Some(Popped::TimedOut)));
}

/// Asserts that its listener is not locked when it is freed.
struct Probe(Weak<Listener<Probe>>);

impl Keyed for Probe {
    fn key(&self) -> &'static str {
        "key"
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(listener) = self.0.upgrade() {
            assert!(listener.state.try_lock().is_some(), "freed under the lock");
        }
    }
}

#[test]
fn objects_are_freed_when_no_lock_is_held() {
    let listener = Arc::new(Listener::new(limit(0)));
    let probe = || Arc::new(Probe(Arc::downgrade(&listener)));
    let add = || Notification::Add {
        object: probe(),
        initial: false,
    };
    let update = || Notification::Update {
        old: probe(),
        new: probe(),
        resync: false,
    };
    let delete = || Notification::delete(&probe());
    listener.push_all([
        add(),
        update(),
        update(),
        delete(),
        update(),
        delete(),
        add(),
    ]);
    listener.push_all([add()]);
    listener.close();
    listener.push_all([add()]);
}
