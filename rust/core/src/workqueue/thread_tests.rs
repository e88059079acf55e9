//! Producers and workers at once: each item is processed after its last add, and by one worker at a time.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::testing::{get, queue, LONG};
use super::{Queue, Take, Waited};

const WORKERS: usize = 8;
const PRODUCERS: u32 = 2;
const ITEMS: u32 = 5_000;
const ROUNDS: u32 = 40;

/// What the workers see of an item.
#[derive(Default)]
struct Item {
    version: AtomicU32,
    seen: AtomicU32,
    busy: AtomicBool,
}

fn process(items: &[Item], item: u32) {
    let item = &items[item as usize];
    assert!(!item.busy.swap(true, Ordering::SeqCst), "two at once");
    let version = item.version.load(Ordering::SeqCst);
    item.seen.store(version, Ordering::SeqCst);
    item.busy.store(false, Ordering::SeqCst);
}

fn produce(queue: &Queue<u32>, items: &[Item], producer: u32) {
    for round in 1..=ROUNDS {
        for number in 0..ITEMS {
            let item = (number * 7 + round) % ITEMS;
            if item % PRODUCERS != producer {
                continue;
            }
            items[item as usize].version.fetch_add(1, Ordering::SeqCst);
            match (item + round) % 4 {
                0 => queue.add_after(item, Duration::from_micros(300), None),
                1 => queue.add_all(vec![item, item], -1),
                _ => queue.add(item, i32::try_from(item % 3).unwrap()),
            }
            .unwrap();
        }
    }
}

#[test]
fn no_add_is_lost_and_no_item_is_processed_twice_at_once() {
    let queue = queue();
    let items: Vec<Item> = (0..ITEMS).map(|_| Item::default()).collect();
    let processed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (queue, items, processed) = (&queue, &items, &processed);
            scope.spawn(move || {
                while let Some(item) = get(queue) {
                    process(items, item);
                    processed.fetch_add(1, Ordering::Relaxed);
                    queue.done(&item).unwrap();
                    if worker == 0 {
                        while let Take::Taken(batch) = queue.take_many(3, |item| *item) {
                            let batch: Vec<u32> = batch.iter().map(|taken| taken.item).collect();
                            for &item in &batch {
                                process(items, item);
                            }
                            queue.done_all(&batch).unwrap();
                        }
                    }
                }
            });
        }
        thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let (queue, items) = (&queue, &items);
                scope.spawn(move || produce(queue, items, producer));
            }
        });
        while queue.stats().waiting > 0 {
            thread::yield_now();
        }
        queue.shut_down();
    });
    for item in &items {
        assert_eq!(
            item.version.load(Ordering::SeqCst),
            item.seen.load(Ordering::SeqCst)
        );
    }
    assert!(processed.load(Ordering::Relaxed) >= ITEMS as usize);
    assert_eq!(queue.kept(), (0, 0, 0));
}

/// One item at a time and no more waiters than needed: a wakeup that goes to nobody stops this.
#[test]
fn each_add_wakes_somebody_while_waits_time_out() {
    let queue = queue();
    let got = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (queue, got) = (&queue, &got);
            scope.spawn(move || loop {
                match queue.take(|item: &u32| *item) {
                    Take::Taken(taken) => {
                        queue.done(&taken.item).unwrap();
                        got.fetch_add(1, Ordering::SeqCst);
                    }
                    Take::ShutDown => break,
                    Take::Empty if worker == 0 => {
                        assert_ne!(queue.wait(LONG), Waited::TimedOut, "nothing woke it");
                    }
                    // These give up all the time, with the deadline that they watched and any wakeup they had.
                    Take::Empty => {
                        queue.wait(Some(Duration::from_micros(20 * worker)));
                    }
                }
            });
        }
        for number in 0..3000 {
            if number % 2 == 0 {
                queue.add(number, 0).unwrap();
            } else {
                queue
                    .add_after(number, Duration::from_micros(10), None)
                    .unwrap();
            }
            while got.load(Ordering::SeqCst) <= number as usize {
                thread::yield_now();
            }
        }
        queue.shut_down();
    });
}
