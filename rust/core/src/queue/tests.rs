//! Idle, processing, quiet: who waits for whom, and what wakes them.

use std::sync::{mpsc, Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Delta, DeltaFifo, DeltaFifoOptions, DeltaObject, RealFifo, RealFifoMode, SourceId, WaitError,
};
use crate::keyed::Keyed;

const FIRST: SourceId = SourceId::FIRST;
/// Does not wait.
const NOW: Option<Duration> = Some(Duration::ZERO);
const SHORT: Option<Duration> = Some(Duration::from_millis(5));
/// So long that a lost wakeup fails a test, and does not hang it.
const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn delta_fifo() -> DeltaFifo<String> {
    DeltaFifo::new(DeltaFifoOptions::default())
}

fn real_fifo() -> RealFifo<String> {
    RealFifo::new(RealFifoMode::NonAtomic)
}

fn object(key: &str) -> Arc<String> {
    Arc::new(key.to_owned())
}

trait Waiting {
    fn waiting(&self) -> usize;
}

impl<T: Keyed + Send + Sync + 'static> Waiting for DeltaFifo<T> {
    fn waiting(&self) -> usize {
        Self::waiting(self)
    }
}

impl<T: Keyed + Send + Sync + 'static> Waiting for RealFifo<T> {
    fn waiting(&self) -> usize {
        Self::waiting(self)
    }
}

/// Lets another thread sleep in `wait`, then wakes it; what `wait` gave, unless it slept on.
fn woken<R: Send>(queue: &impl Waiting, wait: impl FnOnce() -> R + Send, wake: impl FnOnce()) -> R {
    thread::scope(|scope| {
        let start = Instant::now();
        let waiter = scope.spawn(wait);
        while queue.waiting() == 0 {
            assert!(!waiter.is_finished(), "it had to wait");
            thread::yield_now();
        }
        wake();
        let result = waiter.join().expect("the waiter does not panic");
        assert!(Some(start.elapsed()) < LONG, "woken by its timeout only");
        result
    })
}

#[test]
fn queues_are_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<DeltaFifo<String>>();
    is_shared::<RealFifo<String>>();
}

#[test]
fn quiet_waits_for_the_end_of_processing() {
    let fifo = delta_fifo();
    fifo.add(FIRST, object("a"));
    fifo.pop(NOW).unwrap();
    assert_eq!(fifo.quiet(SHORT).err(), Some(WaitError::TimedOut));
    assert!(woken(
        &fifo,
        || fifo.quiet(LONG).is_ok(),
        || fifo.processed()
    ));
}

#[test]
fn pop_waits_for_the_end_of_quiet() {
    let fifo = delta_fifo();
    fifo.add(FIRST, object("a"));
    let quiet = fifo.quiet(NOW).unwrap();
    assert_eq!(fifo.pop(SHORT).unwrap_err(), WaitError::TimedOut);
    fifo.processed();
    assert_eq!(
        fifo.pop(NOW).unwrap_err(),
        WaitError::TimedOut,
        "only its guard ends quiet"
    );
    assert!(woken(&fifo, || fifo.pop(LONG).is_ok(), || drop(quiet)));
}

#[test]
fn quiet_is_one_thread_at_a_time() {
    let fifo = real_fifo();
    let quiet = fifo.quiet(NOW).unwrap();
    assert_eq!(fifo.quiet(SHORT).err(), Some(WaitError::TimedOut));
    assert!(woken(&fifo, || fifo.quiet(LONG).is_ok(), || drop(quiet)));
}

#[test]
fn quiet_comes_before_the_next_pop() {
    let fifo = real_fifo();
    fifo.add_many(vec![
        Delta::added(FIRST, object("a")),
        Delta::added(FIRST, object("b")),
    ]);
    fifo.pop(NOW).unwrap();
    thread::scope(|scope| {
        let (end_quiet, quiet_ends) = mpsc::channel();
        let fifo = &fifo;
        scope.spawn(move || {
            let quiet = fifo.quiet(LONG);
            quiet_ends.recv().expect("the test ends the phase");
            drop(quiet);
        });
        while fifo.waiting() == 0 {
            thread::yield_now();
        }
        // Whether the other thread is awake by now or not, it is its turn.
        fifo.processed();
        assert_eq!(fifo.pop(NOW).unwrap_err(), WaitError::TimedOut);
        end_quiet.send(()).expect("the other thread waits for this");
        assert!(fifo.pop(LONG).is_ok());
    });
}

#[test]
fn consumers_take_turns() {
    let fifo = real_fifo();
    fifo.add(FIRST, object("a"));
    fifo.add(FIRST, object("b"));
    fifo.pop(NOW).unwrap();
    assert_eq!(fifo.pop(SHORT).unwrap_err(), WaitError::TimedOut);
    assert!(woken(&fifo, || fifo.pop(LONG).is_ok(), || fifo.processed()));
}

#[test]
fn adding_waits_for_nothing() {
    let fifo = real_fifo();
    fifo.add(FIRST, object("a"));
    fifo.pop(NOW).unwrap();
    fifo.add(FIRST, object("b"));
    fifo.processed();
    let quiet = fifo.quiet(NOW).unwrap();
    fifo.add(FIRST, object("c"));
    quiet.replace(FIRST, Vec::new(), Vec::new());
    drop(quiet);
    assert_eq!(fifo.len(), 4, "two objects and their tombstones");
}

#[test]
fn processed_without_a_pop_is_nothing() {
    let fifo = real_fifo();
    fifo.processed();
    assert!(fifo.quiet(NOW).is_ok());
}

#[test]
fn a_timed_out_quiet_lets_the_consumer_go_on() {
    let fifo = real_fifo();
    fifo.add_many(vec![
        Delta::added(FIRST, object("a")),
        Delta::added(FIRST, object("b")),
    ]);
    fifo.pop(NOW).unwrap();
    assert_eq!(fifo.quiet(SHORT).err(), Some(WaitError::TimedOut));
    fifo.processed();
    assert!(fifo.pop(NOW).is_ok());
}

#[test]
fn close_wakes_every_waiter() {
    let fifo = delta_fifo();
    assert_eq!(
        woken(&fifo, || fifo.pop(LONG).err(), || fifo.close()),
        Some(WaitError::Closed)
    );

    let fifo = real_fifo();
    assert_eq!(
        woken(&fifo, || fifo.wait_synced(LONG), || fifo.close()),
        Err(WaitError::Closed)
    );

    let fifo = real_fifo();
    fifo.add(FIRST, object("a"));
    assert_eq!(
        woken(&fifo, || fifo.wait_below(0, LONG), || fifo.close()),
        Err(WaitError::Closed)
    );

    let fifo = real_fifo();
    fifo.add(FIRST, object("a"));
    fifo.pop(NOW).unwrap();
    assert_eq!(
        woken(&fifo, || fifo.quiet(LONG).err(), || fifo.close()),
        Some(WaitError::Closed)
    );
    fifo.processed();
    assert!(fifo.quiet(NOW).is_ok(), "closed, but nothing is processed");
}

#[test]
fn what_is_waited_for_wakes() {
    let fifo = delta_fifo();
    assert!(woken(
        &fifo,
        || fifo.pop(LONG).is_ok(),
        || fifo.add(FIRST, object("a"))
    ));
    fifo.processed();
    let replace = || {
        fifo.quiet(NOW)
            .unwrap()
            .replace(FIRST, vec![object("b")], Vec::new());
    };
    assert!(woken(&fifo, || fifo.pop_batch(9, LONG).is_ok(), replace));

    let fifo = real_fifo();
    let quiet = fifo.quiet(NOW).unwrap();
    assert_eq!(
        woken(
            &fifo,
            || fifo.wait_synced(LONG),
            || quiet.replace(FIRST, Vec::new(), Vec::new())
        ),
        Ok(())
    );

    let fifo = RealFifo::<String>::new(RealFifoMode::Atomic {
        emit_bookmarks: true,
    });
    fifo.replace(FIRST, String::new(), vec![object("a")]);
    assert_eq!(
        woken(&fifo, || fifo.wait_below(0, LONG), || drop(fifo.pop(NOW))),
        Ok(())
    );
    assert_eq!(
        woken(&fifo, || fifo.wait_synced(LONG), || fifo.processed()),
        Ok(())
    );
}

#[test]
fn the_longest_timeout_is_none() {
    let fifo = real_fifo();
    assert!(woken(
        &fifo,
        || fifo.pop(Some(Duration::MAX)).is_ok(),
        || fifo.add(FIRST, object("a"))
    ));
}

type Queues = (Weak<DeltaFifo<Reentrant>>, Weak<RealFifo<Reentrant>>);

/// Takes the lock of its queue when it is dropped, as Python code run by a destructor may do.
struct Reentrant {
    key: &'static str,
    queues: &'static OnceLock<Queues>,
}

impl Keyed for Reentrant {
    fn key(&self) -> &str {
        self.key
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        if let Some((merging, ordered)) = self.queues.get() {
            merging.upgrade().map(|fifo| fifo.len());
            ordered.upgrade().map(|fifo| fifo.len());
        }
    }
}

#[test]
fn no_payload_is_dropped_under_the_lock() {
    static QUEUES: OnceLock<Queues> = OnceLock::new();
    let merging = Arc::new(DeltaFifo::new(DeltaFifoOptions::default()));
    let ordered = Arc::new(RealFifo::new(RealFifoMode::NonAtomic));
    assert!(QUEUES
        .set((Arc::downgrade(&merging), Arc::downgrade(&ordered)))
        .is_ok());
    let object = |key| {
        Arc::new(Reentrant {
            key,
            queues: &QUEUES,
        })
    };
    let tombstone = move |key| DeltaObject::tombstone(key, Some(object(key)));
    let known = move |key: &'static str| vec![(Arc::from(key), Some(object(key)))];

    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        merging.delete(FIRST, object("dropped"));
        merging.add(FIRST, object("a"));
        merging.delete(FIRST, tombstone("a"));
        merging.delete(FIRST, object("a"));
        merging.delete(FIRST, object("a"));
        merging.add_many(vec![
            Delta::deleted(FIRST, object("a")),
            Delta::added(FIRST, object("b")),
        ]);
        let quiet = merging.quiet(NOW).unwrap();
        quiet.delete(FIRST, object("dropped"), false);
        quiet.resync(FIRST, known("a"));
        quiet.replace(FIRST, vec![object("b")], known("a"));
        drop(quiet);
        drop(merging.pop(NOW));
        merging.processed();
        drop(merging.pop_batch(9, NOW));

        ordered.add(FIRST, object("a"));
        let quiet = ordered.quiet(NOW).unwrap();
        quiet.resync(FIRST, known("a"));
        quiet.replace(FIRST, vec![object("b")], known("a"));
        drop(quiet);
        drop(ordered.pop(NOW));
        ordered.processed();
        drop(ordered.pop_batch(9, NOW));
        done.send(()).expect("the test waits for this");
    });
    // A payload dropped under the lock would stop the thread for ever.
    is_done
        .recv_timeout(LONG.unwrap())
        .expect("no payload is dropped under the lock");
}
