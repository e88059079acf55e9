//! What a payload must tell to be kept by an informer.
//!
//! Invariant: two payloads are the same version iff nobody could tell the objects apart.

use crate::keyed::Keyed;

/// A payload that is one version of an API object.
pub trait Versioned: Keyed + Send + Sync + 'static {
    /// Unique over the lifetime of the cluster: a new uid under the same key is another object.
    fn uid(&self) -> &str;

    /// Opaque; differs between two versions of one object.
    fn resource_version(&self) -> &str;

    /// Whether both are the same version of the same object: its content is equal, whatever the version says.
    fn same_version(&self, other: &Self) -> bool;
}
