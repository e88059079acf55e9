//! The payload of the unit tests.

use std::sync::Arc;

use crate::keyed::Keyed;
use crate::versioned::Versioned;

/// One version of an object, with the index values that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub key: String,
    pub uid: String,
    pub version: String,
    /// (number of the index, value).
    pub values: Vec<(u16, String)>,
    pub size: usize,
}

impl Pod {
    pub fn new(key: &str, uid: &str, version: &str) -> Arc<Self> {
        Self::indexed(key, uid, version, &[])
    }

    pub fn indexed(key: &str, uid: &str, version: &str, values: &[(u16, &str)]) -> Arc<Self> {
        let values = values
            .iter()
            .map(|(index, value)| (*index, (*value).to_owned()));
        Arc::new(Self {
            key: key.to_owned(),
            uid: uid.to_owned(),
            version: version.to_owned(),
            values: values.collect(),
            size: 100 + key.len() + version.len(),
        })
    }

    /// Gives the values of the indices below `bound` to the sink of a write batch.
    pub fn index(&self, bound: u16, sink: &mut dyn FnMut(u16, &str)) {
        for (index, value) in self.values.iter().filter(|(index, _)| *index < bound) {
            sink(*index, value);
        }
    }
}

impl Keyed for Pod {
    fn key(&self) -> &str {
        &self.key
    }

    fn heap_size(&self) -> usize {
        self.size
    }
}

impl Versioned for Pod {
    fn uid(&self) -> &str {
        &self.uid
    }

    fn resource_version(&self) -> &str {
        &self.version
    }

    fn same_version(&self, other: &Self) -> bool {
        (&self.uid, &self.version) == (&other.uid, &other.version)
    }
}
