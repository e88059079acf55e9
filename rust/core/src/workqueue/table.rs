//! `Table`: a value for each item, in slots that keep their place.
//!
//! Invariant: no two slots have equal items, provided that an item is inserted only under the lock under which `find`
//! did not find it. A birth is used once, so it tells an item from the next one in its slot.

use hashbrown::HashTable;

use super::item::{Compared, Item, Unsure};

struct Slot<T, V> {
    birth: u64,
    content: Option<(T, V)>,
}

impl<T, V> Slot<T, V> {
    fn item(&self) -> &T {
        &self.content.as_ref().expect(TAKEN).0
    }
}

pub(super) struct Table<T, V> {
    places: HashTable<u32>,
    slots: Vec<Slot<T, V>>,
    free: Vec<u32>,
    births: u64,
}

const TAKEN: &str = "a place is used until it is removed";

impl<T: Item, V> Table<T, V> {
    pub(super) fn new() -> Self {
        Self {
            places: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            births: 0,
        }
    }

    /// Place of an equal item. An error if that cannot be told here.
    pub(super) fn find(&self, item: &T, compared: &Compared) -> Result<Option<u32>, Unsure<T>> {
        let hash = item.hash();
        let mut unsure = Vec::new();
        let found = self.places.find(hash, |&place| {
            let slot = &self.slots[place as usize];
            let known = slot.item();
            if known.hash() != hash {
                return false;
            }
            known.same(item).unwrap_or_else(|| {
                let equal = compared.equal == Some(slot.birth);
                if !equal && !compared.different.contains(&slot.birth) {
                    unsure.push((slot.birth, known.clone()));
                }
                equal
            })
        });
        match found {
            Some(&place) => Ok(Some(place)),
            None if unsure.is_empty() => Ok(None),
            None => Err(Unsure(unsure)),
        }
    }

    /// Takes in an item that is not there.
    pub(super) fn insert(&mut self, item: T, value: V) -> u32 {
        let hash = item.hash();
        self.births += 1;
        let birth = self.births;
        let place = if let Some(place) = self.free.pop() {
            let slot = &mut self.slots[place as usize];
            slot.birth = birth;
            slot.content = Some((item, value));
            place
        } else {
            let content = Some((item, value));
            self.slots.push(Slot { birth, content });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 items fit into memory")
        };
        let slots = &self.slots;
        self.places
            .insert_unique(hash, place, |&other| slots[other as usize].item().hash());
        place
    }

    /// Lets an item go; drop it without the lock.
    pub(super) fn remove(&mut self, place: u32) -> T {
        let slot = &mut self.slots[place as usize];
        let (item, _) = slot.content.take().expect(TAKEN);
        let entry = self.places.find_entry(item.hash(), |&other| other == place);
        entry
            .expect("a taken slot has its place in the table")
            .remove();
        self.free.push(place);
        item
    }

    pub(super) fn item(&self, place: u32) -> &T {
        self.slots[place as usize].item()
    }

    /// None of a place that nobody has.
    pub(super) fn get(&self, place: u32) -> Option<&V> {
        self.slots[place as usize]
            .content
            .as_ref()
            .map(|(_, value)| value)
    }

    pub(super) fn value(&mut self, place: u32) -> &mut V {
        &mut self.slots[place as usize].content.as_mut().expect(TAKEN).1
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}
