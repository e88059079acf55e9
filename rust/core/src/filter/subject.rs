//! `Subject`: what a filter can look at, an object with its JSON or the scan of one that nobody has copied yet.
//!
//! Invariant: a scan tells what the object that is made of it would, but for apiVersion and kind that only the list has.

use std::borrow::Cow;

use crate::error::ScanError;
use crate::object::{ObjectView, Plain};
use crate::path::{JsonValue, Path, PathSet};

/// See the module.
pub trait Subject {
    /// `metadata.namespace`, "" for a cluster-scoped object.
    fn namespace(&self) -> Cow<'_, str>;

    /// `metadata.name`.
    fn name(&self) -> Cow<'_, str>;

    /// The value of a label.
    fn label(&self, name: &str) -> Option<Cow<'_, str>>;

    /// See [`PathSet::extract`].
    fn extract<'o>(
        &'o self,
        paths: &PathSet,
        sink: impl FnMut(usize, JsonValue<'o>),
    ) -> Result<(), ScanError>;

    /// The JSON of a value on the way of a path that is there without a search, and whether the path ends there.
    fn scanned(&self, _path: &Path) -> Option<(&str, bool)> {
        None
    }
}

impl Subject for Plain<'_> {
    fn namespace(&self) -> Cow<'_, str> {
        (**self).namespace().into()
    }

    fn name(&self) -> Cow<'_, str> {
        (**self).name().into()
    }

    fn label(&self, name: &str) -> Option<Cow<'_, str>> {
        (**self).label(name)
    }

    fn extract<'o>(
        &'o self,
        paths: &PathSet,
        sink: impl FnMut(usize, JsonValue<'o>),
    ) -> Result<(), ScanError> {
        paths.extract_plain(self, sink)
    }

    fn scanned(&self, path: &Path) -> Option<(&str, bool)> {
        Plain::scanned(self, path)
    }
}

impl Subject for ObjectView<'_> {
    fn namespace(&self) -> Cow<'_, str> {
        self.namespace()
    }

    fn name(&self) -> Cow<'_, str> {
        self.name()
    }

    fn label(&self, name: &str) -> Option<Cow<'_, str>> {
        self.label(name)
    }

    fn extract<'o>(
        &'o self,
        paths: &PathSet,
        sink: impl FnMut(usize, JsonValue<'o>),
    ) -> Result<(), ScanError> {
        paths.extract_view(self, sink)
    }
}
