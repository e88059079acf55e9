//! Indices of labels, which selectors make: by label key, filled beside readers and writers like any other index, and
//! kept from then on. Invariant: what a selector finds does not depend on them.
//!
//! A key gets its index when lists of many objects ask for it a second time: one that is asked for once is cheaper to
//! search for.

use super::{Indexer, Indexers, ObjectInformer};
use crate::selector::{Operator, Selector};

/// A list that looks at no more objects needs no index: some 300 microseconds.
const SEARCHED: usize = if cfg!(test) { 2 } else { 2048 };

/// A store keeps at most so many: each costs time with every write, and memory.
const MAX_INDICES: usize = if cfg!(test) { 3 } else { 16 };

/// So many keys are remembered that were asked for once.
const MAX_ASKED: usize = if cfg!(test) { 2 } else { 64 };

/// Who adds indices.
#[derive(Debug, Default)]
pub(super) struct Adding {
    /// A user's indices were begun and not ended.
    pub by_user: bool,
    /// Label keys that were asked for once.
    asked: Vec<Box<str>>,
}

impl Adding {
    /// Whether the key was asked for before.
    fn ask(&mut self, key: &str) -> bool {
        if let Some(place) = self.asked.iter().position(|asked| **asked == *key) {
            self.asked.swap_remove(place);
            return true;
        }
        if self.asked.len() == MAX_ASKED {
            self.asked.remove(0);
        }
        self.asked.push(key.into());
        false
    }
}

impl ObjectInformer {
    /// To be called by a list that has to look at `count` objects, detached and with no view open. Makes the indices that
    /// would help the next ones, which takes some 50 milliseconds for 100,000 objects, and tells whether there is a new
    /// one. Waits for nobody: while others add indices it does nothing.
    pub fn index_labels(&self, selector: &Selector, count: usize) -> bool {
        if count <= SEARCHED {
            return false;
        }
        let Some(mut adding) = self.adding.try_lock() else {
            return false;
        };
        if adding.by_user {
            return false;
        }
        let current = self.current();
        let mut wanted: Vec<&str> = Vec::new();
        for requirement in selector.requirements() {
            let key = requirement.key();
            let names_values = matches!(
                requirement.operator(),
                Operator::In | Operator::Equals | Operator::DoubleEquals
            );
            if names_values && !wanted.contains(&key) && !current.has_label(key) {
                wanted.push(key);
            }
        }
        let room = MAX_INDICES.saturating_sub(current.labels().count());
        wanted.retain(|key| room > 0 && adding.ask(key));
        wanted.truncate(room);
        let new: Vec<_> = wanted
            .into_iter()
            .map(|key| (key.to_owned(), Indexer::Label))
            .collect();
        if new.is_empty() {
            return false;
        }
        let Ok(pending) = self.begin_add(new) else {
            // As many indices as there can be.
            return false;
        };
        self.finish_add(pending, &Vec::new());
        true
    }
}

impl Indexers {
    /// Keys of the labels that have an index.
    fn labels(&self) -> impl Iterator<Item = &str> {
        let all = self.all.iter();
        all.filter_map(|(name, indexer)| matches!(indexer, Indexer::Label).then_some(&**name))
    }

    fn has_label(&self, key: &str) -> bool {
        self.labels().any(|label| label == key)
    }
}

#[cfg(test)]
mod tests;
