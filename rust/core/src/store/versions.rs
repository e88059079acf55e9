//! `Versions`: how far each source of a store has come.
//!
//! Invariant: of each source it has what was written last for it, be it higher or lower than before (client-go §27-§30).

use crate::queue::SourceId;

#[derive(Clone, Default)]
pub(super) struct Versions {
    of_source: Vec<String>,
    /// The source written last.
    last: usize,
}

impl Versions {
    pub fn set(&mut self, source: SourceId, version: &str) {
        self.last = source.0 as usize;
        if self.of_source.len() <= self.last {
            self.of_source.resize_with(self.last + 1, String::new);
        }
        let of_source = &mut self.of_source[self.last];
        of_source.clear();
        of_source.push_str(version);
    }

    pub fn set_all<'v>(&mut self, versions: impl IntoIterator<Item = (SourceId, &'v str)>) {
        for (source, version) in versions {
            self.set(source, version);
        }
    }

    /// "" until there is one.
    pub fn of(&self, source: SourceId) -> &str {
        self.of_source
            .get(source.0 as usize)
            .map_or("", String::as_str)
    }

    /// What was written last, for whichever source.
    pub fn last(&self) -> &str {
        self.of_source.get(self.last).map_or("", String::as_str)
    }
}
