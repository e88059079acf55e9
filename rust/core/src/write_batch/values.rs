//! The index values of many objects in two allocations.
//!
//! Invariant: the values that one object has of one index are distinct (client-go §14).

use std::ops::Range;

use hashbrown::HashSet;

/// One value of one index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Value<'a> {
    /// Number of the index.
    pub index: u16,
    pub text: &'a str,
}

#[derive(Clone, Copy)]
struct Span {
    index: u16,
    start: u32,
    end: u32,
}

impl Span {
    fn value(self, text: &str) -> Value<'_> {
        Value {
            index: self.index,
            text: &text[self.start as usize..self.end as usize],
        }
    }
}

/// The values of one object.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    spans: &'a [Span],
    text: &'a str,
}

impl<'a> Values<'a> {
    pub fn len(self) -> usize {
        self.spans.len()
    }

    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        self.spans.iter().map(move |span| span.value(self.text))
    }
}

/// See the [module](self).
#[derive(Clone, Default)]
pub(crate) struct IndexValues {
    spans: Vec<Span>,
    text: String,
    /// One more than the highest index number of a value.
    pub index_bound: usize,
}

/// A value is compared with so many before it one by one, with those after them by hash.
const MANY: usize = if cfg!(test) { 3 } else { 32 };

/// Room for so many values an object, and bytes a value, is made at once.
const USUAL_VALUES: usize = 3;
const USUAL_LENGTH: usize = 24;

/// Whether two of the values are of one index, of which there are few: the search ends at the first that comes again.
fn index_repeats(spans: &[Span]) -> bool {
    let mut spans = spans
        .iter()
        .enumerate()
        .map(|(at, span)| (&spans[..at], span.index));
    spans.any(|(before, index)| before.iter().any(|span| span.index == index))
}

impl IndexValues {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Makes room for what objects usually have.
    pub fn reserve(&mut self, objects: usize) {
        self.spans.reserve(objects * USUAL_VALUES);
        self.text.reserve(objects * USUAL_VALUES * USUAL_LENGTH);
    }

    /// Adds the values of one object, which `values` hands to its sink as (index number, value). Returns where they are.
    ///
    /// # Panics
    ///
    /// If all texts exceed 4 GiB.
    pub fn add(&mut self, values: impl FnOnce(&mut dyn FnMut(u16, &str))) -> Range<u32> {
        let first = self.spans.len();
        let (mut before, mut ascending) = (None, true);
        values(&mut |index, text| {
            ascending &= before < Some(index);
            before = Some(index);
            let start = self.text.len() as u32;
            self.text.push_str(text);
            let end = self.text.len() as u32;
            self.index_bound = self.index_bound.max(usize::from(index) + 1);
            self.spans.push(Span { index, start, end });
        });
        assert!(
            u32::try_from(self.text.len()).is_ok(),
            "the values of a batch are below 4 GiB"
        );
        if !ascending && index_repeats(&self.spans[first..]) {
            self.drop_repeated(first);
        }
        first as u32..self.spans.len() as u32
    }

    /// Leaves each value of the spans from `first` on once.
    fn drop_repeated(&mut self, first: usize) {
        let text = &self.text;
        let mut spans = self.spans.split_off(first);
        let mut known = Vec::new();
        let mut more = HashSet::new();
        spans.retain(|span| {
            let value = span.value(text);
            if known.contains(&value) {
                return false;
            }
            if known.len() < MANY {
                known.push(value);
                return true;
            }
            more.insert(value)
        });
        self.spans.append(&mut spans);
    }

    pub fn at(&self, place: &Range<u32>) -> Values<'_> {
        Values {
            spans: &self.spans[place.start as usize..place.end as usize],
            text: &self.text,
        }
    }

    /// Forgets all and keeps the memory.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.text.clear();
        self.index_bound = 0;
    }
}
