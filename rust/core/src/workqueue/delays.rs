//! `Delays`: who waits for a deadline, the earliest first.
//!
//! An entry counts iff its place still has the ticket that it was given; the caller knows that. One that does not is
//! dropped when its deadline comes, or once most entries are like it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Ordered by deadline, then by ticket, so equal deadlines keep the order of arrival.
type Entry = Reverse<(Instant, u64, u32)>;

#[derive(Default)]
pub(super) struct Delays {
    heap: BinaryHeap<Entry>,
    live: usize,
    tickets: u64,
}

impl Delays {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// The earliest deadline. May be that of an entry that counts no more: then nothing is due at it.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((due, _, _))| *due)
    }

    /// The ticket by which the entry counts, never 0.
    pub(super) fn push(&mut self, due: Instant, place: u32) -> u64 {
        self.tickets += 1;
        self.live += 1;
        self.heap.push(Reverse((due, self.tickets, place)));
        self.tickets
    }

    /// An entry counts no more.
    pub(super) fn leave(&mut self, counts: impl Fn(u64, u32) -> bool) {
        self.live -= 1;
        if self.heap.len() > 2 * self.live + 64 {
            self.heap
                .retain(|Reverse((_, ticket, place))| counts(*ticket, *place));
        }
    }

    /// The place of the earliest one whose deadline is not after `now`.
    pub(super) fn pop_due(
        &mut self,
        now: Instant,
        counts: impl Fn(u64, u32) -> bool,
    ) -> Option<u32> {
        while self.next().is_some_and(|due| due <= now) {
            let Reverse((_, ticket, place)) = self.heap.pop()?;
            if counts(ticket, place) {
                self.live -= 1;
                return Some(place);
            }
        }
        None
    }

    /// Drops all; their places, with tickets.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = (u64, u32)> {
        self.live = 0;
        std::mem::take(&mut self.heap)
            .into_iter()
            .map(|Reverse((_, ticket, place))| (ticket, place))
    }

    /// Entries that are kept, whether they count or not.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.heap.len()
    }
}
