//! One secondary index of the store: value -> slots.
//!
//! A slot is listed under a value iff the slot holds an [`Entry`] with that value, and each of the two knows the place
//! of the other: so an object leaves a value without a search, however many values it has or objects the value has. A
//! value exists iff at least one slot is listed under it (client-go §12).

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::hashing::hash;
use crate::store::with_room;
use crate::write_batch::Value;

/// Where a slot is listed: kept in the slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Number of the index.
    pub index: u16,
    /// Number of the value in that index.
    pub value: u32,
    /// Place in the list of the value.
    pub position: u32,
}

/// Who is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Number of the slot.
    pub slot: u32,
    /// Place of the entry in the slot.
    pub entry: u32,
}

/// Most values of an index like an owner have few objects: no allocation for those.
type Members = SmallVec<[Member; 3]>;

fn heap_of(members: &Members) -> usize {
    if members.spilled() {
        members.capacity() * size_of::<Member>()
    } else {
        0
    }
}

/// How an index is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexName {
    /// By the name that a user gave it.
    Given(Box<str>),
    /// By the key of the label that it is of: only selectors ask, no user sees it.
    Label(Box<str>),
}

impl IndexName {
    /// The text alone.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Given(name) | Self::Label(name) => name,
        }
    }
}

#[derive(Clone)]
struct Listed {
    text: Box<str>,
    hash: u64,
    members: Members,
}

/// A list longer than this gives memory back when three quarters of it are gone.
const KEPT_PLACES: usize = 64;

pub(crate) struct Index {
    pub name: IndexName,
    /// False while `add_indices` still fills it: written to, but not to be read.
    pub ready: bool,
    values: Vec<Option<Listed>>,
    /// Numbers of the empty places in `values`.
    free: Vec<u32>,
    numbers: HashTable<u32>,
    /// Sum of the lengths of the texts.
    text_bytes: usize,
    /// Bytes of the lists that have no place in `values`.
    list_bytes: usize,
    /// Sum of the lengths of the lists.
    entries: usize,
}

impl Index {
    /// One without values, that cannot be read yet.
    pub fn new(name: IndexName) -> Self {
        Self {
            name,
            ready: false,
            values: Vec::new(),
            free: Vec::new(),
            numbers: HashTable::new(),
            text_bytes: 0,
            list_bytes: 0,
            entries: 0,
        }
    }

    /// The same index without values.
    pub fn without_values(&self) -> Self {
        Self {
            ready: self.ready,
            ..Self::new(self.name.clone())
        }
    }

    /// Whether it takes so many new values without growing, or is not `large`.
    pub fn has_room(&self, more: usize, large: usize) -> bool {
        self.values.len() < large
            || (more <= self.values.capacity() - self.values.len() + self.free.len()
                && more <= self.numbers.capacity() - self.numbers.len())
    }

    /// A copy with room for so many new values.
    pub fn copy(&self, more: usize) -> Self {
        let needed = more.saturating_sub(self.free.len());
        let capacity = with_room(self.values.len(), self.values.capacity(), needed);
        let mut values = Vec::with_capacity(capacity);
        values.extend(self.values.iter().cloned());
        let listed = values.iter().flatten();
        let list_bytes = listed.map(|listed: &Listed| heap_of(&listed.members)).sum();
        let mut numbers = self.numbers.clone();
        numbers.reserve(more, |number| hash_of(&self.values, *number));
        Self {
            name: self.name.clone(),
            ready: self.ready,
            values,
            free: self.free.clone(),
            numbers,
            text_bytes: self.text_bytes,
            list_bytes,
            entries: self.entries,
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

    /// The number of a value.
    pub fn find(&self, value: Value<'_>) -> Option<u32> {
        self.find_hashed(value, hash(value.text))
    }

    fn find_hashed(&self, value: Value<'_>, hash: u64) -> Option<u32> {
        self.numbers
            .find(hash, |number| self.is(*number, value))
            .copied()
    }

    /// Lists a slot, which is not yet, under `value`; the caller keeps the entry.
    pub fn insert(&mut self, value: Value<'_>, member: Member) -> Entry {
        let hash = hash(value.text);
        let found = self.find_hashed(value, hash);
        let number = found.unwrap_or_else(|| self.add_value(value, hash));
        self.entries += 1;
        let listed = self.values[number as usize]
            .as_mut()
            .expect("found or just added");
        self.list_bytes -= heap_of(&listed.members);
        listed.members.push(member);
        self.list_bytes += heap_of(&listed.members);
        Entry {
            index: value.index,
            value: number,
            position: (listed.members.len() - 1) as u32,
        }
    }

    fn add_value(&mut self, value: Value<'_>, hash: u64) -> u32 {
        let listed = Some(Listed {
            text: value.text.into(),
            hash,
            members: Members::new(),
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
        self.numbers
            .insert_unique(hash, number, |other| hash_of(values, *other));
        number
    }

    /// Notes the place of an entry in its slot.
    pub fn set_place(&mut self, entry: Entry, place: usize) {
        let listed = self.values[entry.value as usize]
            .as_mut()
            .expect("an entry names a value that exists");
        listed.members[entry.position as usize].entry = place as u32;
    }

    /// Takes the entry's slot out of its list. Returns the one that moved to the entry's position, if one did.
    pub fn remove(&mut self, entry: Entry) -> Option<Member> {
        let listed = self.values[entry.value as usize]
            .as_mut()
            .expect("an entry names a value that exists");
        let position = entry.position as usize;
        listed.members.swap_remove(position);
        self.entries -= 1;
        if listed.members.is_empty() {
            self.remove_value(entry.value);
            return None;
        }
        let (len, capacity) = (listed.members.len(), listed.members.capacity());
        let moved = listed.members.get(position).copied();
        if capacity > KEPT_PLACES && len * 4 < capacity {
            // `SmallVec` shrinks to its length only: leave room, or the next slot reallocates.
            let mut members = Members::with_capacity(len * 2);
            members.extend_from_slice(&listed.members);
            self.list_bytes -= heap_of(&listed.members);
            self.list_bytes += heap_of(&members);
            listed.members = members;
        }
        moved
    }

    fn remove_value(&mut self, number: u32) {
        let gone = self.values[number as usize]
            .take()
            .expect("an entry names a value that exists");
        self.text_bytes -= gone.text.len();
        self.list_bytes -= heap_of(&gone.members);
        self.numbers
            .find_entry(gone.hash, |other| *other == number)
            .expect("a value that exists has its number")
            .remove();
        self.free.push(number);
    }

    /// The slots listed under a value; none under an unknown one (client-go §19).
    pub fn members(&self, text: &str) -> &[Member] {
        self.find(Value { index: 0, text })
            .map_or(&[], |number| &self.listed(number).members)
    }

    /// The slots listed under each value.
    pub fn lists(&self) -> impl Iterator<Item = &[Member]> {
        self.values.iter().flatten().map(|listed| &*listed.members)
    }

    /// The members of all values: each slot, as often as it is listed.
    pub fn all_members(&self) -> impl Iterator<Item = Member> + '_ {
        let values = self.values.iter().flatten();
        values.flat_map(|listed| listed.members.iter().copied())
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flatten().map(|listed| &*listed.text)
    }

    /// How many places `texts` looks at.
    pub fn value_bound(&self) -> usize {
        self.values.len()
    }

    /// Sum of the lengths of the lists: as each slot is listed once under a value.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Bytes on the heap; costs no walk over the values.
    pub fn heap_size(&self) -> usize {
        self.name.as_str().len()
            + self.text_bytes
            + self.list_bytes
            + self.values.capacity() * size_of::<Option<Listed>>()
            + self.free.capacity() * size_of::<u32>()
            + self.numbers.allocation_size()
    }

    /// The same, counted one by one.
    #[cfg(test)]
    pub fn counted_heap_size(&self) -> usize {
        let listed = self.values.iter().flatten();
        let of_values: usize = listed
            .map(|listed| listed.text.len() + heap_of(&listed.members))
            .sum();
        self.heap_size() - self.text_bytes - self.list_bytes + of_values
    }
}

fn hash_of(values: &[Option<Listed>], number: u32) -> u64 {
    let listed = values[number as usize].as_ref();
    listed.map_or(0, |listed| listed.hash)
}
