//! The workqueue: no wakeup is lost among workers, deadlines and shutdown, and no item is processed twice at once.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::workqueue::{
    Clock, FakeClock, Item, Options, Queue, Take, Waited, LOW_PRIORITY,
};
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread::{self, JoinHandle};

use super::check;

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Key(usize);

impl Item for Key {
    type Error = Infallible;

    fn of_text(text: &str) -> Self {
        Self(text.parse().expect("the tests put numbers in"))
    }

    fn hash(&self) -> u64 {
        self.0 as u64
    }

    fn same(&self, other: &Self) -> Option<bool> {
        // Even ones are compared without the lock.
        (self.0 % 2 == 1).then_some(self == other)
    }

    fn equals(&self, other: &Self) -> Result<bool, Infallible> {
        Ok(self == other)
    }
}

/// As a worker does it; None at shutdown.
fn get(queue: &Queue<Key>) -> Option<Key> {
    loop {
        match queue.take(|key| *key) {
            Take::Taken(taken) => return Some(taken.item),
            Take::ShutDown => return None,
            Take::Empty => assert_ne!(queue.wait(None), Waited::TimedOut),
        }
    }
}

/// Versions written by producers and seen by workers, and who is at work; by key.
#[derive(Default)]
struct Items {
    written: [AtomicU32; 2],
    seen: [AtomicU32; 2],
    busy: [AtomicU32; 2],
}

fn worker(queue: &Arc<Queue<Key>>, items: &Arc<Items>) -> JoinHandle<()> {
    let (queue, items) = (Arc::clone(queue), Arc::clone(items));
    thread::spawn(move || {
        while let Some(key) = get(&queue) {
            assert_eq!(items.busy[key.0].fetch_add(1, Ordering::SeqCst), 0);
            let version = items.written[key.0].load(Ordering::SeqCst);
            items.seen[key.0].store(version, Ordering::SeqCst);
            items.busy[key.0].fetch_sub(1, Ordering::SeqCst);
            queue.done(&key).unwrap();
        }
    })
}

#[test]
fn every_add_is_seen_by_one_worker_at_a_time() {
    check(20_000, || {
        let (queue, items) = (Queue::new(Options::default()), Arc::new(Items::default()));
        // Somebody always watches a deadline that never comes.
        queue.add_after(Key(0), HOUR, None).unwrap();
        let workers = [worker(&queue, &items), worker(&queue, &items)];
        let producers = [0, 1].map(|key| {
            let (queue, items) = (Arc::clone(&queue), Arc::clone(&items));
            thread::spawn(move || {
                for priority in [0, LOW_PRIORITY, 1] {
                    items.written[key].fetch_add(1, Ordering::SeqCst);
                    queue.add(Key(key), priority).unwrap();
                }
            })
        });
        for producer in producers {
            producer.join().unwrap();
        }
        queue.shut_down();
        for worker in workers {
            worker.join().unwrap();
        }
        for key in 0..2 {
            assert_eq!(items.seen[key].load(Ordering::SeqCst), 3);
        }
    });
}

#[test]
fn a_deadline_is_noticed_by_some_worker_that_waits() {
    check(20_000, || {
        let clock = Arc::new(FakeClock::default());
        let queue = Queue::new(Options {
            clock: Clock::Fake(Arc::clone(&clock)),
            ..Options::default()
        });
        let workers = [0, 1].map(|_| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || get(&queue).unwrap().0)
        });
        queue.add_after(Key(0), 2 * HOUR, None).unwrap();
        queue.add_after(Key(1), HOUR, None).unwrap();
        clock.step(HOUR);
        clock.step(HOUR);
        let mut got = workers.map(|worker| worker.join().unwrap());
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
    });
}

#[test]
fn a_drain_ends_with_the_last_item_or_at_shutdown() {
    check(10_000, || {
        let queue = Queue::new(Options::default());
        queue.add_all(vec![Key(0), Key(1)], 0).unwrap();
        let (first, second) = (get(&queue).unwrap(), get(&queue).unwrap());
        let drains = [0, 1].map(|_| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                queue.begin_drain();
                queue.wait_drained(None).unwrap()
            })
        });
        let worker = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.done(&first).unwrap())
        };
        queue.done(&second).unwrap();
        for drain in drains {
            assert!(drain.join().unwrap());
        }
        worker.join().unwrap();
        assert_eq!(get(&queue), None);
    });
}
