//! Waiting for a resource version: what ends it, and what is in the store and with the handlers then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use super::{Informer, InformerOptions, BATCH_SIZE};
use crate::listener::{Backlog, Listener, Popped};
use crate::queue::{SourceId, WaitError};
use crate::resource_version::ResourceVersion;
use crate::testing::Pod;
use crate::wake::WakePipe;

const A: SourceId = SourceId::FIRST;
const NOW: Option<Duration> = Some(Duration::ZERO);
/// Longer than any test takes.
const LONG: Option<Duration> = Some(Duration::from_secs(60));

fn informer() -> Informer<Pod> {
    Informer::new(InformerOptions::default())
}

fn pod(key: &str, version: &str) -> Arc<Pod> {
    Pod::new(key, "uid", version)
}

fn process(informer: &Informer<Pod>) {
    while !informer.queue().is_empty() {
        let deltas = informer.queue().pop_batch(BATCH_SIZE, NOW).unwrap();
        let change = informer.plan(deltas);
        let done = informer.commit(change, informer.generation(), |_, _, _| {});
        assert!(done.is_ok());
    }
}

fn wait(
    informer: &Informer<Pod>,
    version: &str,
    source: Option<SourceId>,
    timeout: Option<Duration>,
) -> Result<(), WaitError> {
    let version = ResourceVersion::parse(version).unwrap();
    informer.wait_for_resource_version(version, source, timeout)
}

#[test]
fn s27_s30_each_source_has_the_version_that_was_written_last() {
    let informer = informer();
    let b = informer.queue().add_source();
    assert_eq!(informer.resource_version(Some(A)), "");
    informer.queue().replace(A, "9".into(), vec![pod("a", "4")]);
    informer.queue().add(b, pod("b", "30"));
    informer.queue().update(A, pod("a", "10"));
    process(&informer);
    assert_eq!(informer.resource_version(Some(A)), "10");
    assert_eq!(informer.resource_version(Some(b)), "30");
    assert_eq!(informer.resource_version(None), "10", "the lowest");
    informer.queue().bookmark(A, "200");
    process(&informer);
    assert_eq!(informer.resource_version(Some(A)), "200");
    assert_eq!(informer.resource_version(None), "30");
    informer.queue().delete(b, pod("b", "31"));
    informer.queue().bookmark(A, "7");
    process(&informer);
    let both = [A, b].map(|source| informer.resource_version(Some(source)));
    assert_eq!(both, ["7", "31"], "lower, too");
    informer.queue().add_source();
    assert_eq!(informer.resource_version(None), "", "one has none");
}

#[test]
fn a_wait_needs_every_source_or_the_one_that_is_named() {
    let informer = informer();
    let b = informer.queue().add_source();
    informer.queue().bookmark(A, "10");
    process(&informer);
    assert_eq!(wait(&informer, "10", Some(A), NOW), Ok(()));
    assert_eq!(wait(&informer, "9", Some(A), None), Ok(()));
    assert_eq!(
        wait(&informer, "11", Some(A), NOW),
        Err(WaitError::TimedOut)
    );
    assert_eq!(wait(&informer, "9", Some(b), NOW), Err(WaitError::TimedOut));
    assert_eq!(wait(&informer, "9", None, NOW), Err(WaitError::TimedOut));
    for any in ["", "0"] {
        assert_eq!(wait(&informer, any, None, None), Ok(()));
    }
    informer.queue().bookmark(b, "9");
    process(&informer);
    assert_eq!(wait(&informer, "9", None, None), Ok(()));
    assert_eq!(wait(&informer, "10", None, NOW), Err(WaitError::TimedOut));
}

#[test]
fn a_version_that_is_no_number_is_at_no_other() {
    let informer = informer();
    informer.queue().bookmark(A, "x9");
    process(&informer);
    assert_eq!(informer.resource_version(None), "x9");
    assert_eq!(wait(&informer, "1", None, NOW), Err(WaitError::TimedOut));
}

#[test]
fn a_version_that_goes_back_lets_the_wait_go_on() {
    let informer = informer();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| wait(&informer, "10", None, LONG));
        for version in ["9", "3", "9"] {
            informer.queue().replace(A, version.into(), Vec::new());
            process(&informer);
            assert!(!waiter.is_finished());
        }
        informer.queue().replace(A, "11".into(), Vec::new());
        process(&informer);
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_stop_ends_the_wait_unless_the_version_was_reached() {
    let informer = informer();
    informer.queue().bookmark(A, "5");
    process(&informer);
    thread::scope(|scope| {
        let waiters = [0; 3].map(|_| scope.spawn(|| wait(&informer, "6", None, LONG)));
        informer.stop();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(WaitError::Closed));
        }
    });
    assert_eq!(wait(&informer, "6", None, None), Err(WaitError::Closed));
    assert_eq!(wait(&informer, "5", None, None), Ok(()));
}

const ROUNDS: u64 = 3000;

/// Listens until it is closed; how far it has come is in `heard`.
fn follow(listener: &Listener<Pod>, heard: &AtomicU64) {
    while let Popped::Notifications(batch) = listener.pop_batch(7, None) {
        for notification in batch {
            let version = notification.key().parse().unwrap();
            heard.store(version, Ordering::Release);
        }
    }
}

/// Stops the informer, also when the thread panics: nobody waits for ever.
struct Stops<'a>(&'a Informer<Pod>);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Two sources whose objects are named for their versions; whoever waits for a version finds its object in the store
/// and the handler past it.
#[test]
fn what_was_waited_for_is_in_the_store_and_heard() {
    let informer = informer();
    let b = informer.queue().add_source();
    let listener = informer.add_listener(Backlog::GROW, None).unwrap();
    informer.start();
    let (written, heard) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let (informer, listener, written, heard) = (&informer, &listener, &written, &heard);
        let _stops = Stops(informer);
        scope.spawn(|| follow(listener, heard));
        scope.spawn(|| {
            while let Ok(deltas) = informer.queue().pop_batch(BATCH_SIZE, LONG) {
                let change = informer.plan(deltas);
                let done = informer.commit(change, informer.generation(), |_, _, _| {});
                assert!(done.is_ok());
            }
        });
        let waiters = [0; 3].map(|_| {
            scope.spawn(|| {
                let mut last = 0;
                while last < ROUNDS {
                    last = written.load(Ordering::Acquire).max(last + 1).min(ROUNDS);
                    let version = last.to_string();
                    let source = [A, b][(last % 2) as usize];
                    assert_eq!(wait(informer, &version, Some(source), LONG), Ok(()));
                    assert!(informer.store().read().get(&version).is_some());
                    let barrier = listener.barrier();
                    assert_eq!(listener.wait_handled(barrier, LONG), Ok(()));
                    assert!(heard.load(Ordering::Acquire) >= last);
                }
            })
        });
        for version in 1..=ROUNDS {
            let source = [A, b][(version % 2) as usize];
            let text = version.to_string();
            informer.queue().add(source, pod(&text, &text));
            written.store(version, Ordering::Release);
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn polls_end_as_the_waits_do_and_wake_when_they_may_be_over() {
    let informer = informer();
    let pipe = Arc::new(WakePipe::new().expect("file descriptors"));
    let (version, synced) = (pipe.waker(1), pipe.waker(2));
    let five = ResourceVersion::parse("5").unwrap();
    let poll = || informer.poll_resource_version(five, None, &version);
    assert_eq!(poll(), Poll::Pending);
    assert_eq!(informer.queue().poll_synced(&synced), Poll::Pending);
    informer.queue().replace(A, "4".into(), vec![pod("a", "4")]);
    assert_eq!(pipe.take(), [0; 0], "what is queued is not there");
    process(&informer);
    let mut woken = pipe.take();
    woken.sort_unstable();
    assert_eq!(woken, [1, 2]);
    assert_eq!(poll(), Poll::Pending, "at 4");
    assert_eq!(informer.queue().poll_synced(&synced), Poll::Ready(Ok(())));
    informer.queue().update(A, pod("a", "5"));
    process(&informer);
    assert_eq!(pipe.take(), [1]);
    assert_eq!(poll(), Poll::Ready(Ok(())));
    let six = ResourceVersion::parse("6").unwrap();
    let poll = || informer.poll_resource_version(six, None, &version);
    assert_eq!(poll(), Poll::Pending);
    informer.forget(&version);
    informer.queue().update(A, pod("a", "5"));
    process(&informer);
    assert_eq!(pipe.take(), [0; 0]);
    assert_eq!(poll(), Poll::Pending);
    informer.stop();
    assert_eq!(pipe.take(), [1]);
    assert_eq!(poll(), Poll::Ready(Err(WaitError::Closed)));
}
