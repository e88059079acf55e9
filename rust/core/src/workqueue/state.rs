//! `State`: what a queue knows of its items. Everything here runs under the queue's lock.
//!
//! Invariant: an item has a slot iff it is dirty, processing or waiting; it is in the line iff it is dirty and not
//! processing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::delays::Delays;
use super::inbox::Entry;
use super::item::Item;
use super::line::Line;
use super::table::Table;
use super::times::Times;

/// When an item is added again.
struct Wait {
    due: Instant,
    ticket: u64,
    priority: i32,
}

/// As small as it gets: with the item it fits in a line of the processor's cache.
#[derive(Default)]
pub(super) struct Slot {
    dirty: bool,
    processing: bool,
    /// Of the dirty item; then of the one that is processed, until it is dirty again.
    priority: i32,
    /// In the line; 0 = not there.
    ticket: u64,
    wait: Option<Box<Wait>>,
    /// The priority that the one had when it was taken that is processed.
    taken_with: i32,
}

/// A queue's counters and times for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Items that are dirty (client-go's depth): in the line, or processed and added again meanwhile.
    pub depth: usize,
    /// Items that are processed.
    pub processing: usize,
    /// Items that wait for a deadline.
    pub waiting: usize,
    /// Adds that made an item dirty; repeated ones count once.
    pub adds: u64,
    /// Adds through a rate limiter.
    pub retries: u64,
    /// Items that were taken, and the sum of the times for which they had been dirty.
    pub taken: u64,
    /// See `taken`; zero unless the queue keeps times, as are all times below.
    pub queue_duration: Duration,
    /// Items that are done, and the sum of the times for which they were processed.
    pub done: u64,
    /// See `done`.
    pub work_duration: Duration,
    /// Sum of the times for which the items processed now have been.
    pub unfinished_work: Duration,
    /// The longest of these times.
    pub longest_running_processor: Duration,
}

pub(super) struct State<T> {
    pub(super) table: Table<T, Slot>,
    pub(super) line: Line,
    pub(super) delays: Delays,
    pub(super) shutting_down: bool,
    pub(super) draining: bool,
    /// Pushes into the line since the last look: as many waiters may go on.
    pub(super) pushed: usize,
    /// Adds since the last report to metrics.
    pub(super) unreported: u64,
    /// The waiter that has the earliest deadline as its timeout; 0 = nobody.
    pub(super) watcher: u64,
    /// Waits that were begun.
    pub(super) waits: u64,
    /// Out of the inbox, and no items yet.
    pub(super) incoming: VecDeque<Entry>,
    times: Times,
    counts: Stats,
}

impl<T: Item> State<T> {
    pub(super) fn new(aging: Option<u32>) -> Self {
        Self {
            table: Table::new(),
            line: Line::new(aging),
            delays: Delays::default(),
            shutting_down: false,
            draining: false,
            pushed: 0,
            unreported: 0,
            watcher: 0,
            waits: 0,
            incoming: VecDeque::new(),
            times: Times::default(),
            counts: Stats::default(),
        }
    }

    /// Makes the item at `found`, or this new one, dirty (client-go §184). Gives back what is to be dropped.
    pub(super) fn add(
        &mut self,
        found: Option<u32>,
        item: T,
        priority: i32,
        now: Option<Instant>,
    ) -> Option<T> {
        if self.shutting_down {
            return Some(item);
        }
        let (place, left) = self.slot(found, item);
        self.make_dirty(place, priority, now);
        left
    }

    /// Adds the item at `due`; the earlier deadline of one that waits already wins (client-go §189).
    pub(super) fn add_at(
        &mut self,
        found: Option<u32>,
        item: T,
        priority: Option<i32>,
        due: Instant,
    ) -> Option<T> {
        if self.shutting_down {
            return Some(item);
        }
        let (place, left) = self.slot(found, item);
        let priority = self.priority(place, priority);
        let entry = self.table.value(place);
        match &mut entry.wait {
            Some(wait) if wait.due <= due => wait.priority = wait.priority.max(priority),
            wait => {
                let ticket = self.delays.push(due, place);
                let before = wait.replace(Box::new(Wait {
                    due,
                    ticket,
                    priority,
                }));
                if let Some(before) = before {
                    let wait = wait.as_mut().expect("it was just put there");
                    wait.priority = priority.max(before.priority);
                    let table = &self.table;
                    self.delays
                        .leave(|ticket, place| waits_by(table, ticket, place));
                }
            }
        }
        left
    }

    /// The priority given, or the one with which an item was taken that is processed, or 0.
    pub(super) fn priority(&self, place: u32, given: Option<i32>) -> i32 {
        given.unwrap_or_else(|| match self.table.get(place) {
            Some(entry) if entry.processing => entry.taken_with,
            _ => 0,
        })
    }

    fn slot(&mut self, found: Option<u32>, item: T) -> (u32, Option<T>) {
        match found {
            Some(place) => (place, Some(item)),
            None => (self.table.insert(item, Slot::default()), None),
        }
    }

    fn make_dirty(&mut self, place: u32, priority: i32, now: Option<Instant>) {
        let entry = self.table.value(place);
        if !entry.dirty {
            entry.dirty = true;
            entry.priority = priority;
            let processing = entry.processing;
            if let Some(now) = now {
                self.times.dirty(place, now);
            }
            self.counts.depth += 1;
            self.counts.adds += 1;
            self.unreported += 1;
            if !processing {
                self.enter_line(place);
            }
        } else if priority > entry.priority {
            let before = std::mem::replace(&mut entry.priority, priority);
            if !entry.processing {
                entry.ticket = self.line.push(priority, place);
                let table = &self.table;
                self.line
                    .leave(before, |ticket, place| queued_by(table, ticket, place));
            }
        }
    }

    fn enter_line(&mut self, place: u32) {
        let entry = self.table.value(place);
        entry.ticket = self.line.push(entry.priority, place);
        self.pushed += 1;
    }

    /// Adds what is due.
    pub(super) fn promote(&mut self, now: Instant, timed: bool) {
        loop {
            let table = &self.table;
            let counts = |ticket, place| waits_by(table, ticket, place);
            let Some(place) = self.delays.pop_due(now, counts) else {
                return;
            };
            let wait = self.table.value(place).wait.take();
            let wait = wait.expect("only an entry that waits counts");
            self.make_dirty(place, wait.priority, timed.then_some(wait.due));
        }
    }

    /// Takes the next item of the line into processing: the item, and the time for which it was dirty.
    pub(super) fn take(&mut self, now: Option<Instant>) -> Option<(&T, Option<Duration>)> {
        let table = &self.table;
        let place = self
            .line
            .pop(|ticket, place| queued_by(table, ticket, place))?;
        let entry = self.table.value(place);
        entry.dirty = false;
        entry.ticket = 0;
        entry.processing = true;
        entry.taken_with = entry.priority;
        self.counts.depth -= 1;
        self.counts.processing += 1;
        self.counts.taken += 1;
        let waited = now.map(|now| self.times.taken(place, now));
        if let Some(waited) = waited {
            self.counts.queue_duration += waited;
        }
        Some((self.table.item(place), waited))
    }

    /// Ends the processing of the item at `place`, if it is processed: what is to be dropped, and the time it took.
    pub(super) fn done(
        &mut self,
        place: u32,
        now: Option<Instant>,
    ) -> Option<(Option<T>, Option<Duration>)> {
        let entry = self.table.value(place);
        if !std::mem::take(&mut entry.processing) {
            return None;
        }
        let (dirty, idle) = (entry.dirty, !entry.dirty && entry.wait.is_none());
        self.counts.processing -= 1;
        self.counts.done += 1;
        let worked = now.map(|now| self.times.done(place, now));
        if let Some(worked) = worked {
            self.counts.work_duration += worked;
        }
        if dirty {
            self.enter_line(place);
        }
        Some((idle.then(|| self.table.remove(place)), worked))
    }

    /// Refuses adds from now on and drops what waits (client-go §187, §189); returns what is to be dropped.
    pub(super) fn shut_down(&mut self) -> Vec<T> {
        self.shutting_down = true;
        let mut dropped = Vec::new();
        for (ticket, place) in self.delays.clear() {
            if !waits_by(&self.table, ticket, place) {
                continue;
            }
            let entry = self.table.value(place);
            entry.wait = None;
            if !entry.dirty && !entry.processing {
                dropped.push(self.table.remove(place));
            }
        }
        dropped
    }

    /// Whether nothing is processed.
    pub(super) fn is_idle(&self) -> bool {
        self.counts.processing == 0
    }

    pub(super) fn retried(&mut self) {
        self.counts.retries += 1;
    }

    pub(super) fn stats(&self, now: Instant) -> Stats {
        let (sum, longest) = self
            .times
            .running(now)
            .fold((Duration::ZERO, Duration::ZERO), |(sum, longest), it| {
                (sum + it, longest.max(it))
            });
        Stats {
            waiting: self.delays.len(),
            unfinished_work: sum,
            longest_running_processor: longest,
            ..self.counts
        }
    }
}

fn queued_by<T: Item>(table: &Table<T, Slot>, ticket: u64, place: u32) -> bool {
    table.get(place).is_some_and(|entry| entry.ticket == ticket)
}

fn waits_by<T: Item>(table: &Table<T, Slot>, ticket: u64, place: u32) -> bool {
    let wait = |entry: &Slot| {
        entry
            .wait
            .as_ref()
            .is_some_and(|wait| wait.ticket == ticket)
    };
    table.get(place).is_some_and(wait)
}
