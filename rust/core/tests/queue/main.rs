//! The queues against client-go's statements (`sNN_…` tests §NN), against naive models, and under threads. Who waits for whom
//! is tested beside the code.
//!
//! Not here, because Rust has no such thing: §46 and the transformer of §57 (the caller transforms before it adds), §53
//! (one callback or another for a batch of one) and §55 (a key that cannot be computed: payloads have one).

mod delta_fifo;
mod delta_fifo_model;
mod real_fifo;
mod real_fifo_model;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::queue::{Delta, DeltaObject, Known, SourceId};

/// Does not wait.
const NOW: Option<Duration> = Some(Duration::ZERO);
/// Longer than anything here takes, so that a lost wakeup fails a test instead of hanging it.
const LONG: Option<Duration> = Some(Duration::from_secs(20));
const FIRST: SourceId = SourceId::FIRST;

/// A payload whose bytes are its version, to tell sums apart.
#[derive(Debug, PartialEq, Eq)]
struct Obj {
    key: String,
    version: usize,
}

impl Keyed for Obj {
    fn key(&self) -> &str {
        &self.key
    }

    fn heap_size(&self) -> usize {
        self.version
    }
}

fn obj(key: &str, version: usize) -> Arc<Obj> {
    Arc::new(Obj {
        key: key.into(),
        version,
    })
}

/// Objects written as `"a1"`: key and version.
fn parse(object: &str) -> Arc<Obj> {
    let (key, version) = object.split_at(1);
    obj(key, version.parse().expect("a version follows the key"))
}

fn list(objects: &[&str]) -> Vec<Arc<Obj>> {
    objects.iter().copied().map(parse).collect()
}

/// Known objects; `"a?"` is one whose lookup failed.
fn known(objects: &[&str]) -> Known<Obj> {
    let entry = |object: &&str| match object.strip_suffix('?') {
        Some(key) => (key.into(), None),
        None => (object[..1].into(), Some(parse(object))),
    };
    objects.iter().map(entry).collect()
}

/// What a delta says, as `Added a1`, `Deleted a(a1)` for a tombstone, `ReplacedAll 7[a1 b1]`, `Bookmark 7`, `SyncAll`.
fn show(delta: &Delta<Obj>) -> String {
    let versioned = |object: &Arc<Obj>| format!("{}{}", object.key, object.version);
    let about = match &delta.object {
        DeltaObject::Object(object) => format!(" {}", versioned(object)),
        DeltaObject::Tombstone { key, object } => {
            format!(" {key}({})", object.as_ref().map_or("?".into(), versioned))
        }
        DeltaObject::Replacement(list) => {
            let objects: Vec<String> = list.objects.iter().map(versioned).collect();
            format!(" {}[{}]", list.resource_version, objects.join(" "))
        }
        DeltaObject::Bookmark { resource_version } => format!(" {resource_version}"),
        DeltaObject::OutOfScope { key, .. } => format!("out of scope {key}"),
        DeltaObject::None => String::new(),
    };
    format!("{:?}{about}", delta.kind)
}
