//! Indices of labels, which selectors make: by label key, filled beside readers and writers like any other index, and
//! kept from then on. Invariant: what a selector finds does not depend on them.
//!
//! A key gets its index when lists of many objects ask for it a second time: one that is asked for once is cheaper to
//! search for.

use super::{Indexer, ObjectInformer};
use crate::selector::{Operator, Requirement, Selector};

/// A store keeps at most so many: each costs time with every write, and memory.
const MAX_INDICES: usize = 16;

/// So many keys are remembered that were asked for once.
const MAX_ASKED: usize = 64;

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

/// Whether objects are found by the value that it names.
fn is_of_values(requirement: &&Requirement) -> bool {
    matches!(
        requirement.operator(),
        Operator::In | Operator::Equals | Operator::DoubleEquals
    )
}

impl ObjectInformer {
    /// To be called by a list that has to look at many objects, detached and with no view open. Makes the indices that
    /// would help, which takes some 10 milliseconds for 100,000 objects, and tells whether there is a new one. Waits for
    /// nobody: while others add indices it does nothing.
    pub fn index_labels(&self, selector: &Selector) -> bool {
        let mut wanted: Vec<&str> = selector
            .requirements()
            .iter()
            .filter(is_of_values)
            .map(Requirement::key)
            .collect();
        wanted.dedup();
        let all = &self.current().all;
        let mut labels = all
            .iter()
            .filter(|(_, indexer)| matches!(indexer, Indexer::Label));
        wanted.retain(|key| labels.clone().all(|(known, _)| known != key));
        let room = MAX_INDICES.saturating_sub(labels.by_ref().count());
        if wanted.is_empty() || room == 0 {
            return false;
        }
        let Some(mut adding) = self.adding.try_lock() else {
            return false;
        };
        if adding.by_user {
            return false;
        }
        wanted.retain(|key| adding.ask(key));
        wanted.truncate(room);
        let new = wanted
            .iter()
            .map(|key| ((*key).to_owned(), Indexer::Label))
            .collect::<Vec<_>>();
        if new.is_empty() {
            return false;
        }
        // Another thread may have made one since `current`.
        match self.begin_add(new) {
            Ok(pending) => {
                self.finish_add(pending, &Vec::new());
                true
            }
            Err(_) => false,
        }
    }
}
