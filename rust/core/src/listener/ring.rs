//! `Ring`: notifications in line, merged per key past a limit.
//!
//! While it merges, `last` names the newest notification in line of each key, but for keys whose newest was merged
//! away. Sums count what is in line: not the holes that merging leaves, of which there are never more than
//! notifications, but for a few.

use std::collections::VecDeque;

use hashbrown::hash_table::{Entry, HashTable};

use super::Backlog;
use crate::hashing::hash;
use crate::keyed::Keyed;
use crate::notification::{merge, Merged, Notification};

struct Waiting<T> {
    notification: Notification<T>,
    /// Its heap size, kept so that taking it out touches no object.
    bytes: usize,
    /// Of the first push that is in it: these grow along the line.
    number: u64,
}

#[derive(Clone, Copy)]
struct Last {
    hash: u64,
    number: u64,
}

/// Holes that are no reason to move everything.
const KEPT_HOLES: usize = 64;

/// A ring that was emptied gives back a buffer of more places than this.
const KEPT_PLACES: usize = 4096;

pub(super) struct Ring<T> {
    limit: Backlog,
    /// None: a hole, merged away.
    line: VecDeque<Option<Waiting<T>>>,
    /// Number of the first place in line, counted from the first one ever.
    head: u64,
    merging: bool,
    /// Empty unless merging.
    last: HashTable<Last>,
    len: usize,
    bytes: usize,
    initial: usize,
    coalesced: u64,
    pushed: u64,
}

impl<T: Keyed> Ring<T> {
    pub fn new(limit: Backlog) -> Self {
        Self {
            limit,
            line: VecDeque::new(),
            head: 0,
            merging: false,
            last: HashTable::new(),
            len: 0,
            bytes: 0,
            initial: 0,
            coalesced: 0,
            pushed: 0,
        }
    }

    /// Notifications in line.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Sum of their heap sizes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Those among them that belong to an initial list.
    pub fn initial(&self) -> usize {
        self.initial
    }

    /// Notifications that were merged away, ever.
    pub fn coalesced(&self) -> u64 {
        self.coalesced
    }

    /// Notifications that were pushed, ever; the next push has this number.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Number of the oldest push that waits.
    pub fn oldest(&self) -> Option<u64> {
        let mut waiting = self.line.iter().flatten();
        waiting.next().map(|waiting| waiting.number)
    }

    /// What is no longer needed goes to `discarded`.
    pub fn push(&mut self, notification: Notification<T>, discarded: &mut Vec<Notification<T>>) {
        let full = self.len >= self.limit.notifications || self.bytes >= self.limit.bytes;
        if full && !self.merging {
            self.merging = true;
            self.remember_all();
        }
        if self.merging {
            self.push_merging(notification, discarded);
        } else {
            let waiting = self.count(notification, self.pushed);
            self.line.push_back(Some(waiting));
        }
        self.pushed += 1;
    }

    fn count(&mut self, notification: Notification<T>, number: u64) -> Waiting<T> {
        let bytes = notification.heap_size();
        self.len += 1;
        self.bytes += bytes;
        self.initial += usize::from(notification.is_initial());
        Waiting {
            notification,
            bytes,
            number,
        }
    }

    fn uncount(&mut self, waiting: Waiting<T>) -> Notification<T> {
        self.len -= 1;
        self.bytes -= waiting.bytes;
        self.initial -= usize::from(waiting.notification.is_initial());
        waiting.notification
    }

    fn push_merging(
        &mut self,
        notification: Notification<T>,
        discarded: &mut Vec<Notification<T>>,
    ) {
        let hash = hash(notification.key());
        let Some(place) = self.last_place(notification.key(), hash) else {
            self.push_last(notification, hash);
            return;
        };
        let first = self.line[place].as_ref().expect("`last` names no hole");
        match merge(&first.notification, &notification) {
            Merged::First => {
                self.coalesced += 1;
                discarded.push(notification);
            }
            Merged::One(merged) => {
                self.coalesced += 1;
                let merged = self.count(merged, first.number);
                let first = self.line[place].replace(merged).expect("seen above");
                discarded.extend([self.uncount(first), notification]);
            }
            Merged::Nothing => {
                self.coalesced += 2;
                self.forget(hash, place);
                let first = self.line[place].take().expect("seen above");
                discarded.extend([self.uncount(first), notification]);
                if self.line.len() > 2 * self.len + KEPT_HOLES {
                    self.close_holes();
                }
            }
            Merged::Both => self.push_last(notification, hash),
        }
    }

    /// Place in line of the newest notification of a key.
    fn last_place(&self, key: &str, hash: u64) -> Option<usize> {
        let place = |last: &Last| (last.number - self.head) as usize;
        let same = |last: &Last| {
            let waiting = self.line[place(last)].as_ref();
            last.hash == hash && waiting.is_some_and(|it| it.notification.key() == key)
        };
        self.last.find(hash, same).map(place)
    }

    fn push_last(&mut self, notification: Notification<T>, hash: u64) {
        let waiting = self.count(notification, self.pushed);
        self.line.push_back(Some(waiting));
        self.remember(self.line.len() - 1, hash);
    }

    /// Makes the notification at `place` the last one of its key.
    fn remember(&mut self, place: usize, hash: u64) {
        let (line, head) = (&self.line, self.head);
        let key_at = |place: usize| line[place].as_ref().map(|it| it.notification.key());
        let key = key_at(place);
        let last = Last {
            hash,
            number: head + place as u64,
        };
        let same =
            |other: &Last| other.hash == hash && key_at((other.number - head) as usize) == key;
        match self.last.entry(hash, same, |other| other.hash) {
            Entry::Occupied(mut entry) => *entry.get_mut() = last,
            Entry::Vacant(entry) => {
                entry.insert(last);
            }
        }
    }

    fn remember_all(&mut self) {
        self.last.reserve(self.len, |last| last.hash);
        for place in 0..self.line.len() {
            if let Some(waiting) = &self.line[place] {
                self.remember(place, hash(waiting.notification.key()));
            }
        }
    }

    /// Makes the notification at `place` no key's last, if it is one's.
    fn forget(&mut self, hash: u64, place: usize) {
        let number = self.head + place as u64;
        if let Ok(entry) = self.last.find_entry(hash, |last| last.number == number) {
            entry.remove();
        }
    }

    fn close_holes(&mut self) {
        self.line.retain(Option::is_some);
        self.last.clear();
        self.remember_all();
    }

    /// The oldest.
    pub fn pop(&mut self) -> Option<Notification<T>> {
        loop {
            let first = self.line.front_mut()?.take();
            if let (true, Some(waiting)) = (self.merging, &first) {
                self.forget(hash(waiting.notification.key()), 0);
            }
            self.line.pop_front();
            self.head += 1;
            let Some(waiting) = first else { continue };
            let notification = self.uncount(waiting);
            self.settle();
            return Some(notification);
        }
    }

    /// Takes everything out, to be freed where no lock is held. `initial` still counts what was never handed out.
    pub fn clear(&mut self) -> impl Sized {
        self.merging = false;
        self.last = HashTable::new();
        self.len = 0;
        self.bytes = 0;
        std::mem::take(&mut self.line)
    }

    /// Merging ends at half of the limit: a handler that is a little behind must not pay for it again and again.
    fn settle(&mut self) {
        let calm = self.len <= self.limit.notifications / 2 && self.bytes <= self.limit.bytes / 2;
        if self.merging && calm {
            self.merging = false;
            self.last = HashTable::new();
        }
        if self.len == 0 && self.line.capacity() > KEPT_PLACES {
            self.head += self.line.len() as u64;
            self.line = VecDeque::new();
        }
    }
}

#[cfg(test)]
impl<T> Ring<T> {
    /// Notifications and holes in line.
    pub fn places(&self) -> usize {
        self.line.len()
    }

    pub fn capacity(&self) -> usize {
        self.line.capacity()
    }
}
