//! One secondary index of the store: value -> slots.
//!
//! A slot is listed under a value iff the slot holds an [`Entry`] with that value and the slot's position in its list;
//! a value exists iff at least one slot is listed under it (client-go §12). The store keeps the entries, because only
//! it can reach a slot from a position.

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::hashing::hash;
use crate::write_batch::Value;

/// Where a slot stands in an index: kept in the slot, so that leaving a value needs neither a hash nor a search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Number of the index.
    pub index: u16,
    /// Number of the value in that index.
    pub value: u32,
    /// Place in the list of the value.
    pub position: u32,
}

/// Most values of an index like a uid have one slot: no allocation for those.
type Slots = SmallVec<[u32; 4]>;

#[derive(Clone)]
struct Listed {
    text: Box<str>,
    hash: u64,
    slots: Slots,
}

/// A list longer than this gives memory back when three quarters of it are gone.
const KEPT_SLOTS: usize = 64;

#[derive(Clone)]
pub(crate) struct Index {
    pub name: Box<str>,
    /// False while `add_indices` still fills it: written to, but not to be read.
    pub ready: bool,
    values: Vec<Option<Listed>>,
    /// Numbers of the empty places in `values`.
    free: Vec<u32>,
    numbers: HashTable<u32>,
    /// Sum of the lengths of the texts.
    text_bytes: usize,
    /// Sum of the lengths of the lists.
    entries: usize,
}

impl Index {
    /// One without values, that cannot be read yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            ready: false,
            values: Vec::new(),
            free: Vec::new(),
            numbers: HashTable::new(),
            text_bytes: 0,
            entries: 0,
        }
    }

    fn listed(&self, number: u32) -> &Listed {
        self.values[number as usize]
            .as_ref()
            .expect("an entry names a value that exists")
    }

    pub fn text(&self, number: u32) -> &str {
        &self.listed(number).text
    }

    /// Whether the value of that number is `value`.
    pub fn is(&self, number: u32, value: Value<'_>) -> bool {
        let listed = self.listed(number);
        *listed.text == *value.text
    }

    fn find(&self, value: Value<'_>) -> Option<u32> {
        self.find_hashed(value, hash(value.text))
    }

    fn find_hashed(&self, value: Value<'_>, hash: u64) -> Option<u32> {
        self.numbers
            .find(hash, |number| self.is(*number, value))
            .copied()
    }

    /// Lists `slot`, which is not yet, under `value`; the caller keeps the entry.
    pub fn insert(&mut self, value: Value<'_>, slot: u32) -> Entry {
        let hash = hash(value.text);
        let found = self.find_hashed(value, hash);
        let number = found.unwrap_or_else(|| self.add_value(value, hash));
        self.entries += 1;
        let listed = self.values[number as usize]
            .as_mut()
            .expect("found or just added");
        listed.slots.push(slot);
        Entry {
            index: value.index,
            value: number,
            position: (listed.slots.len() - 1) as u32,
        }
    }

    fn add_value(&mut self, value: Value<'_>, hash: u64) -> u32 {
        let listed = Some(Listed {
            text: value.text.into(),
            hash,
            slots: Slots::new(),
        });
        self.text_bytes += value.text.len();
        let number = if let Some(number) = self.free.pop() {
            self.values[number as usize] = listed;
            number
        } else {
            self.values.push(listed);
            (self.values.len() - 1) as u32
        };
        let values = &self.values;
        self.numbers.insert_unique(hash, number, |other| {
            values[*other as usize]
                .as_ref()
                .map_or(0, |listed| listed.hash)
        });
        number
    }

    /// Takes the entry's slot out of its list. Returns the slot that moved to the entry's position, if one did.
    pub fn remove(&mut self, entry: Entry) -> Option<u32> {
        let listed = self.values[entry.value as usize]
            .as_mut()
            .expect("an entry names a value that exists");
        let position = entry.position as usize;
        listed.slots.swap_remove(position);
        self.entries -= 1;
        if listed.slots.is_empty() {
            self.remove_value(entry.value);
            return None;
        }
        let (len, capacity) = (listed.slots.len(), listed.slots.capacity());
        let moved = listed.slots.get(position).copied();
        if capacity > KEPT_SLOTS && len * 4 < capacity {
            // `SmallVec` shrinks to its length only: leave room, or the next slot reallocates.
            let mut slots = Slots::with_capacity(len * 2);
            slots.extend_from_slice(&listed.slots);
            listed.slots = slots;
        }
        moved
    }

    fn remove_value(&mut self, number: u32) {
        let gone = self.values[number as usize]
            .take()
            .expect("an entry names a value that exists");
        self.text_bytes -= gone.text.len();
        self.numbers
            .find_entry(gone.hash, |other| *other == number)
            .expect("a value that exists has its number")
            .remove();
        self.free.push(number);
    }

    /// The slots listed under a value; none under an unknown one (client-go §19).
    pub fn slots(&self, text: &str) -> &[u32] {
        self.find(Value { index: 0, text })
            .map_or(&[], |number| &self.listed(number).slots)
    }

    /// Each slot, as often as it is listed.
    pub fn all_slots(&self) -> impl Iterator<Item = u32> + '_ {
        let values = self.values.iter().flatten();
        values.flat_map(|listed| listed.slots.iter().copied())
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flatten().map(|listed| &*listed.text)
    }

    /// Bytes on the heap: an estimate that costs no walk over the values.
    pub fn heap_size(&self) -> usize {
        self.text_bytes
            + self.entries * size_of::<u32>()
            + self.values.capacity() * size_of::<Option<Listed>>()
            + self.numbers.capacity() * (size_of::<u32>() + 1)
    }
}
