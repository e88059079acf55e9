//! `Subject`: what a filter can look at, an object or the scan of one that nobody has copied yet.
//!
//! Invariant: a scan tells what the object that is made of it would, but for apiVersion and kind that only the list has.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::error::ScanError;
use crate::object::{Object, ObjectView, Plain};
use crate::path::{JsonValue, Path, PathSet};

/// See the module.
pub(super) trait Subject {
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

/// An object, decompressed once something is asked that it does not tell by itself.
pub(super) struct Stored<'o> {
    object: &'o Object,
    pub(super) plain: OnceCell<Plain<'o>>,
}

impl<'o> Stored<'o> {
    pub fn new(object: &'o Object) -> Self {
        Self {
            object,
            plain: OnceCell::new(),
        }
    }

    fn plain(&self) -> &Plain<'o> {
        self.plain.get_or_init(|| self.object.plain())
    }
}

impl Subject for Stored<'_> {
    fn namespace(&self) -> Cow<'_, str> {
        self.object.namespace().into()
    }

    fn name(&self) -> Cow<'_, str> {
        self.object.name().into()
    }

    fn label(&self, name: &str) -> Option<Cow<'_, str>> {
        self.object.label(name)
    }

    fn extract<'o>(
        &'o self,
        paths: &PathSet,
        sink: impl FnMut(usize, JsonValue<'o>),
    ) -> Result<(), ScanError> {
        paths.extract_plain(self.plain(), sink)
    }

    fn scanned(&self, path: &Path) -> Option<(&str, bool)> {
        self.plain().scanned(path)
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
