//! One secondary index of the store: value -> slots.
//!
//! A slot is listed under a value iff the slot holds an `Entry` with that value and the slot's position in its list;
//! a value exists iff at least one slot is listed under it (client-go §12).

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Where a slot stands in an index: kept in the slot, so that leaving a value needs neither a hash nor a search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub index: u16,
    pub value: u32,
    pub position: u32,
}

struct Value {
    text: Box<str>,
    hash: u64,
    slots: Vec<u32>,
}

pub(crate) struct Index {
    pub name: Box<str>,
    /// False while `add_indices` still fills it: written to, but not to be read.
    pub ready: bool,
    values: Vec<Option<Value>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Index {
    pub fn new(name: &str, ready: bool) -> Self {
        Self {
            name: name.into(),
            ready,
            values: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            hasher: RandomState::default(),
        }
    }

    fn value(&self, id: u32) -> &Value {
        self.values[id as usize].as_ref().expect("an entry names a value that exists")
    }

    pub fn text(&self, id: u32) -> &str {
        &self.value(id).text
    }

    fn find(&self, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.table.find(hash, |id| self.text(*id) == text).copied()
    }

    /// Lists `slot` under `text`; the caller keeps the entry.
    pub fn insert(&mut self, text: &str, slot: u32) -> (u32, u32) {
        let hash = self.hasher.hash_one(text);
        let found = self.table.find(hash, |id| self.text(*id) == text).copied();
        let id = found.unwrap_or_else(|| {
            let value = Some(Value { text: text.into(), hash, slots: Vec::new() });
            let id = if let Some(id) = self.free.pop() {
                self.values[id as usize] = value;
                id
            } else {
                self.values.push(value);
                (self.values.len() - 1) as u32
            };
            let values = &self.values;
            self.table.insert_unique(hash, id, |id| values[*id as usize].as_ref().map_or(0, |value| value.hash));
            id
        });
        let slots = &mut self.values[id as usize].as_mut().expect("found or just made").slots;
        slots.push(slot);
        (id, (slots.len() - 1) as u32)
    }

    /// Takes the slot at `position` out of the value. Returns the slot that moved to `position`, if one did.
    pub fn remove(&mut self, id: u32, position: u32) -> Option<u32> {
        let value = self.values[id as usize].as_mut().expect("an entry names a value that exists");
        value.slots.swap_remove(position as usize);
        let moved = value.slots.get(position as usize).copied();
        if value.slots.is_empty() {
            let hash = value.hash;
            if let Ok(found) = self.table.find_entry(hash, |candidate| *candidate == id) {
                found.remove();
            }
            self.values[id as usize] = None;
            self.free.push(id);
        } else if value.slots.capacity() > 64 && value.slots.len() * 4 < value.slots.capacity() {
            value.slots.shrink_to(value.slots.len() * 2);
        }
        moved
    }

    pub fn slots(&self, text: &str) -> &[u32] {
        self.find(text).map_or(&[], |id| &self.value(id).slots)
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flatten().map(|value| &*value.text)
    }

    /// Bytes on the heap, for accounting: an estimate from capacities.
    pub fn heap_size(&self) -> usize {
        let values = self.values.iter().flatten();
        let lists: usize = values.map(|value| value.text.len() + value.slots.capacity() * 4).sum();
        lists + self.values.capacity() * std::mem::size_of::<Option<Value>>() + self.table.capacity() * 5
    }
}
