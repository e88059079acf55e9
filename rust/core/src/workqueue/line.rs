//! `Line`: who is next. Higher priorities first, in order of arrival within one; see `aging` for the exception.
//!
//! Invariant: a level that is not empty has an entry that counts. An entry counts iff its ticket is the one that its place
//! has now; the caller knows that. One that counts no more stays until a pop comes to it, or until most of the level is
//! like it.

use std::collections::VecDeque;

/// Levels kept although they are empty, so that a priority that comes and goes reserves its memory once.
const KEPT_LEVELS: usize = 8;

#[derive(Clone, Copy)]
struct Entry {
    ticket: u64,
    place: u32,
}

struct Level {
    priority: i32,
    entries: VecDeque<Entry>,
    live: usize,
}

impl Level {
    fn new(priority: i32) -> Self {
        Self {
            priority,
            entries: VecDeque::new(),
            live: 0,
        }
    }

    /// The first entry that counts; None if there is none.
    fn front(&mut self, counts: &impl Fn(u64, u32) -> bool) -> Option<Entry> {
        loop {
            let entry = *self.entries.front()?;
            if counts(entry.ticket, entry.place) {
                return Some(entry);
            }
            self.entries.pop_front();
        }
    }

    /// Restores the invariant after an entry counts no more.
    fn trim(&mut self, counts: &impl Fn(u64, u32) -> bool) {
        if self.live == 0 {
            self.entries.clear();
        } else if self.entries.len() > 2 * self.live + 64 {
            self.entries
                .retain(|entry| counts(entry.ticket, entry.place));
        }
    }
}

pub(super) struct Line {
    /// By priority, the highest last.
    levels: Vec<Level>,
    len: usize,
    tickets: u64,
    /// After so many pops that got ahead of lower priorities the entry with the oldest ticket comes, whatever its
    /// priority. None: never.
    aging: Option<u32>,
    got_ahead: u32,
}

impl Line {
    pub(super) fn new(aging: Option<u32>) -> Self {
        Self {
            levels: Vec::new(),
            len: 0,
            tickets: 0,
            aging,
            got_ahead: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// To the end of its priority; the ticket by which the entry counts, never 0.
    pub(super) fn push(&mut self, priority: i32, place: u32) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        let level = self.level(priority);
        level.live += 1;
        level.entries.push_back(Entry { ticket, place });
        self.len += 1;
        ticket
    }

    fn level(&mut self, priority: i32) -> &mut Level {
        let search = self
            .levels
            .binary_search_by_key(&priority, |level| level.priority);
        let index = search.unwrap_or_else(|index| {
            self.levels.insert(index, Level::new(priority));
            index
        });
        &mut self.levels[index]
    }

    /// An entry of this priority counts no more.
    pub(super) fn leave(&mut self, priority: i32, counts: impl Fn(u64, u32) -> bool) {
        let level = self.level(priority);
        level.live -= 1;
        level.trim(&counts);
        self.len -= 1;
        self.prune();
    }

    /// The next one's place.
    pub(super) fn pop(&mut self, counts: impl Fn(u64, u32) -> bool) -> Option<u32> {
        let index = self.next(&counts)?;
        let level = &mut self.levels[index];
        let entry = level.front(&counts).expect("the level is not empty");
        level.entries.pop_front();
        level.live -= 1;
        if level.live == 0 {
            level.entries.clear();
        }
        self.len -= 1;
        self.prune();
        Some(entry.place)
    }

    /// Index of the next one's level.
    fn next(&mut self, counts: &impl Fn(u64, u32) -> bool) -> Option<usize> {
        let highest = self.levels.iter().rposition(|level| level.live > 0)?;
        let lower = &self.levels[..highest];
        let Some(aging) = self
            .aging
            .filter(|_| lower.iter().any(|level| level.live > 0))
        else {
            self.got_ahead = 0;
            return Some(highest);
        };
        if self.got_ahead < aging {
            self.got_ahead += 1;
            return Some(highest);
        }
        self.got_ahead = 0;
        let levels = self.levels.iter_mut().enumerate();
        let waiting =
            levels.filter_map(|(index, level)| Some((level.front(counts)?.ticket, index)));
        waiting.min().map(|(_, index)| index)
    }

    fn prune(&mut self) {
        if self.levels.len() > KEPT_LEVELS {
            self.levels.retain(|level| level.live > 0);
        }
    }

    /// Entries that are kept, whether they count or not.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.levels.iter().map(|level| level.entries.len()).sum()
    }
}
