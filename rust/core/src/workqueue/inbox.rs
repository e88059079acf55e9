//! `Inbox`: texts that are to become items, from threads that cannot make any. Each text is there once, with the highest
//! priority that it was given, in the place of the last change of that: as the queue itself has its items.
//!
//! Invariant: whoever uses the queue first takes all of the inbox over, so that a text that was put in counts as an item
//! that was added.

use std::time::Instant;

use hashbrown::hash_table::{Entry as Slot, HashTable};

use crate::hashing::hash;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::Mutex;

/// Texts that are put in under one lock.
const PIECE: usize = 256;

/// What was put in.
pub(super) struct Entry {
    pub text: String,
    pub priority: i32,
    /// When, if the queue keeps times.
    pub since: Option<Instant>,
}

#[derive(Default)]
struct Texts {
    places: HashTable<usize>,
    /// None: the text is further behind.
    entries: Vec<Option<Entry>>,
}

impl Texts {
    /// Whether the text is new.
    fn put(&mut self, entry: Entry) -> bool {
        let Self { places, entries } = self;
        let text_at = |place: usize| entries[place].as_ref().map_or("", |it| &it.text);
        let same = |place: &usize| text_at(*place) == entry.text;
        let end = entries.len();
        match places.entry(hash(&entry.text), same, |place| hash(text_at(*place))) {
            Slot::Vacant(slot) => {
                slot.insert(end);
                entries.push(Some(entry));
                true
            }
            Slot::Occupied(mut slot) => {
                let known = &mut entries[*slot.get()];
                if known
                    .as_ref()
                    .is_some_and(|it| it.priority < entry.priority)
                {
                    let mut known = known.take().expect("seen above");
                    known.priority = entry.priority;
                    *slot.get_mut() = end;
                    entries.push(Some(known));
                }
                false
            }
        }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Inbox {
    texts: Mutex<Texts>,
    filled: AtomicBool,
    closed: AtomicBool,
}

impl Inbox {
    /// Returns how many of the texts are new.
    pub fn put_all(&self, texts: Vec<(String, i32)>, since: Option<Instant>) -> usize {
        let mut new = 0;
        let mut texts = texts.into_iter();
        while texts.len() > 0 && !self.closed.load(Ordering::Acquire) {
            let mut inbox = self.texts.lock();
            for (text, priority) in texts.by_ref().take(PIECE) {
                new += usize::from(inbox.put(Entry {
                    text,
                    priority,
                    since,
                }));
            }
            self.filled.store(true, Ordering::Release);
        }
        new
    }

    /// Takes no lock.
    pub fn is_empty(&self) -> bool {
        !self.filled.load(Ordering::Acquire)
    }

    /// All texts in order; None while another thread puts some in.
    pub fn try_take(&self) -> Option<impl Iterator<Item = Entry>> {
        let mut texts = self.texts.try_lock()?;
        self.filled.store(false, Ordering::Release);
        let taken = std::mem::take(&mut *texts);
        Some(taken.entries.into_iter().flatten())
    }

    /// Waits until nobody puts any in.
    pub fn wait(&self) {
        drop(self.texts.lock());
    }

    /// Nothing is put in any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}
