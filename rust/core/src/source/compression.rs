//! `Compression`: when an informer's objects become compressed.
//!
//! A dictionary is learnt once, by the thread that reads, from the first objects that it lists: after so many of them, or
//! at the end of a list that is not much shorter. An informer that lists few objects learns from its store when that has
//! grown. What was read before stays plain until its next version: never more objects than a dictionary is learnt from.
//!
//! Invariant: what is compressed is queued compressed, so that no list and no backlog is ever plain as a whole.

use std::sync::{Arc, OnceLock};

use super::ReadOptions;
use crate::object::{Dictionary, Object, Plain};
use crate::store::Store;
use crate::sync::Mutex;

/// A list that ends early is learnt from if it has at least this part of the samples.
const SHORT: usize = 10;

/// What the sources of an informer share.
#[derive(Debug)]
pub struct Compression {
    samples: usize,
    dictionary: OnceLock<Arc<Dictionary>>,
    /// Held by who learns: the others read on.
    learning: Mutex<()>,
}

impl Compression {
    pub(crate) fn new(options: &ReadOptions) -> Option<Arc<Self>> {
        let samples = options.dictionary_samples?;
        Some(Arc::new(Self {
            samples,
            dictionary: OnceLock::new(),
            learning: Mutex::new(()),
        }))
    }

    /// The object compressed, once there is a dictionary.
    pub fn compress(&self, object: Object) -> Object {
        match self.dictionary.get() {
            Some(dictionary) => object.compressed(dictionary).unwrap_or(object),
            None => object,
        }
    }

    /// Compresses what the list has so far, too, once there is a dictionary.
    pub(super) fn learn_from_list<'o>(
        &self,
        count: usize,
        objects: impl Iterator<Item = &'o mut Arc<Object>>,
        is_complete: bool,
    ) {
        let known = self.dictionary.get().is_some();
        let part = if is_complete { SHORT } else { 1 };
        let wanted = self.samples.div_ceil(part);
        if count < wanted || known && !is_complete {
            return;
        }
        // Somebody else learns: the end of the list compresses all of it.
        if !known && !is_complete && self.learning.try_lock().is_none() {
            return;
        }
        let objects: Vec<_> = objects.collect();
        if !known {
            if is_complete {
                // Who learns now has a dictionary when it lets go: a list that ends meanwhile must not stay plain.
                drop(self.learning.lock());
            }
            self.learn(objects.iter().map(|object| &***object));
        }
        self.compress_all(objects);
    }

    pub(super) fn learn_from_store(&self, store: &Store<Object>) {
        if self.dictionary.get().is_some() || store.read().len() < self.samples {
            return;
        }
        let view = store.read();
        let objects: Vec<_> = view.objects().take(self.samples).cloned().collect();
        drop(view);
        self.learn(objects.iter().map(|object| &**object));
    }

    fn learn<'o>(&self, objects: impl Iterator<Item = &'o Object>) {
        if let Some(_learning) = self.learning.try_lock() {
            let samples: Vec<_> = objects.take(self.samples).map(Object::plain).collect();
            let samples = samples.iter().map(Plain::raw);
            self.dictionary
                .get_or_init(|| Arc::new(Dictionary::train(samples)));
        }
    }

    /// What the store has as well stays as it is, as the same object.
    fn compress_all(&self, objects: Vec<&mut Arc<Object>>) {
        let Some(dictionary) = self.dictionary.get() else {
            return;
        };
        for object in objects {
            if Arc::strong_count(object) == 1 {
                if let Some(compressed) = object.compressed(dictionary) {
                    *object = Arc::new(compressed);
                }
            }
        }
    }
}
