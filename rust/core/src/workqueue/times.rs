//! `Times`: since when items are dirty and since when they are processed, of a queue that keeps times.
//!
//! Invariant: a place has a beginning of either iff its item is that now; `running` has those that are processed.

use std::time::{Duration, Instant};

#[derive(Clone, Default)]
struct Time {
    dirty: Option<Instant>,
    started: Option<Instant>,
    /// Place in `running`.
    index: u32,
}

#[derive(Default)]
pub(super) struct Times {
    of: Vec<Time>,
    running: Vec<u32>,
}

impl Times {
    fn at(&mut self, place: u32) -> &mut Time {
        let place = place as usize;
        if place >= self.of.len() {
            self.of.resize(place + 1, Time::default());
        }
        &mut self.of[place]
    }

    pub(super) fn dirty(&mut self, place: u32, now: Instant) {
        self.at(place).dirty = Some(now);
    }

    /// For how long the item was dirty that is processed from now on.
    pub(super) fn taken(&mut self, place: u32, now: Instant) -> Duration {
        let index = self.running.len() as u32;
        self.running.push(place);
        let time = self.at(place);
        time.started = Some(now);
        time.index = index;
        since(time.dirty.take(), now)
    }

    /// For how long the item was processed that is done.
    pub(super) fn done(&mut self, place: u32, now: Instant) -> Duration {
        let time = self.at(place);
        let (started, index) = (time.started.take(), time.index);
        self.running.swap_remove(index as usize);
        if let Some(&moved) = self.running.get(index as usize) {
            self.at(moved).index = index;
        }
        since(started, now)
    }

    /// For how long the items have been processed that are processed now.
    pub(super) fn running(&self, now: Instant) -> impl Iterator<Item = Duration> + '_ {
        let places = self.running.iter();
        places.map(move |&place| since(self.of[place as usize].started, now))
    }
}

fn since(begin: Option<Instant>, now: Instant) -> Duration {
    begin.map_or(Duration::ZERO, |begin| now.saturating_duration_since(begin))
}
