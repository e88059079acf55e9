//! What the unit tests share: a payload, notifications as text, and a handler that believes what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::keyed::Keyed;
use crate::notification::Notification;
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

/// As text: what happened, key, versions.
pub(crate) fn show(notification: &Notification<Pod>) -> String {
    let key = notification.key();
    match notification {
        Notification::Add { object, initial } => {
            let initial = if *initial { " initial" } else { "" };
            format!("add {key} {}{initial}", object.version)
        }
        Notification::Update { old, new, resync } => {
            let word = if *resync { "resync" } else { "update" };
            format!("{word} {key} {} {}", old.version, new.version)
        }
        Notification::Delete { object, .. } => format!("delete {key} {}", object.version),
        Notification::Tombstone { object, .. } => {
            let version = object.as_ref().map_or("unknown", |object| &object.version);
            format!("tombstone {key} {version}")
        }
    }
}

/// What a handler knows that believes what it is told.
#[derive(Default)]
pub(crate) struct Believer {
    pub known: BTreeMap<String, Arc<Pod>>,
    /// Whether an update may lead to another object.
    pub recreate_as_update: bool,
}

impl Believer {
    /// Asserts that nothing is missing before the notification, and that nothing comes twice.
    pub fn hear(&mut self, notification: &Notification<Pod>) {
        let key = notification.key().to_owned();
        match notification {
            Notification::Add { object, .. } => {
                let known = self.known.insert(key, Arc::clone(object));
                assert!(known.is_none(), "added twice, or a deletion is missing");
            }
            Notification::Update { old, new, .. } => {
                let known = self.known.insert(key, Arc::clone(new));
                let known = known.expect("what is updated was added");
                assert!(Arc::ptr_eq(&known, old), "a version is missing");
                assert!(self.recreate_as_update || old.uid == new.uid);
            }
            Notification::Delete { object, .. } => {
                let known = self.known.remove(&key);
                let known = known.expect("what is deleted was added");
                assert!(self.recreate_as_update || known.uid == object.uid);
            }
            Notification::Tombstone { .. } => {
                assert!(
                    self.known.remove(&key).is_some(),
                    "what is deleted was added"
                );
            }
        }
    }

    /// Asserts that it knows these very objects and no others.
    pub fn assert_knows<'a>(&self, objects: impl Iterator<Item = &'a Arc<Pod>>) {
        let mut expected: Vec<_> = objects.map(|pod| (&*pod.key, Arc::as_ptr(pod))).collect();
        expected.sort_unstable();
        let known = self
            .known
            .iter()
            .map(|(key, pod)| (&**key, Arc::as_ptr(pod)));
        assert!(known.eq(expected));
    }
}
