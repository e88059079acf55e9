//! `Enqueuer`: keys of what changes, put into a workqueue by the thread that writes the store.
//!
//! Invariant: the queue gets what a handler behind the same filter would add that is told everything at once: the keys
//! of the new state and, of an update, those of the old one. News has one priority; objects of the initial list and
//! resyncs have another.

use std::sync::{Arc, Weak};

use crate::filter::Filter;
use crate::index_func::{IndexFunc, IndexPlan};
use crate::informer::Sink;
use crate::listener::told;
use crate::notification::Notification;
use crate::object::Object;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::workqueue::TextQueue;

/// See the module.
pub struct Enqueuer {
    /// Whose items are let go of by those who made it, so not kept alive here.
    queue: Weak<dyn TextQueue>,
    /// None: the key of the object.
    values: Option<IndexPlan>,
    when: Option<Arc<Filter>>,
    priority: i32,
    low_priority: i32,
    added: AtomicU64,
    filtered: AtomicU64,
}

/// Texts with priorities.
type Texts = Vec<(String, i32)>;

impl Enqueuer {
    /// Of each object the values of `key`, or (None) its key. `low_priority` is that of what is no news.
    pub fn new(
        queue: Weak<dyn TextQueue>,
        key: Option<IndexFunc>,
        when: Option<Arc<Filter>>,
        priority: i32,
        low_priority: i32,
    ) -> Self {
        Self {
            queue,
            values: key.map(|key| IndexPlan::new(vec![key])),
            when,
            priority,
            low_priority,
            added: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
        }
    }

    /// Keys that were put into the queue, each time that they were.
    pub fn added(&self) -> u64 {
        self.added.load(Ordering::Relaxed)
    }

    /// Notifications that the filter let nothing come of.
    pub fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }

    fn texts(&self, notification: &Notification<Object>, texts: &mut Texts) {
        match notification {
            Notification::Add { object, initial } => self.keys(object, *initial, texts),
            Notification::Update { old, new, resync } => {
                let from = texts.len();
                // Both have one key; and most updates leave the values as they are.
                if self.values.is_some() && !resync {
                    self.keys(old, false, texts);
                }
                let middle = texts.len();
                self.keys(new, *resync, texts);
                if texts[from..middle] == texts[middle..] {
                    texts.truncate(middle);
                }
            }
            Notification::Delete { object, .. } => self.keys(object, false, texts),
            Notification::Tombstone { key, object } => match (&self.values, object) {
                (None, _) => texts.push((key.as_str().to_owned(), self.priority)),
                (Some(_), Some(object)) => self.keys(object, false, texts),
                (Some(_), None) => {}
            },
        }
    }

    /// What cannot be read has no values.
    fn keys(&self, object: &Object, low: bool, texts: &mut Texts) {
        let priority = if low {
            self.low_priority
        } else {
            self.priority
        };
        match &self.values {
            None => texts.push((object.key().to_owned(), priority)),
            Some(plan) => {
                let _ = plan.values(object, |_, value| texts.push((value.to_owned(), priority)));
            }
        }
    }
}

impl Sink<Object> for Enqueuer {
    fn tell(&self, notifications: &[Notification<Object>]) {
        let Some(queue) = self.queue.upgrade() else {
            return;
        };
        let (mut texts, mut filtered) = (Vec::with_capacity(notifications.len()), 0);
        for notification in notifications {
            match &self.when {
                None => self.texts(notification, &mut texts),
                Some(when) => match told(&**when, notification) {
                    Some(told) => self.texts(&told, &mut texts),
                    None => filtered += 1,
                },
            }
        }
        self.added.fetch_add(texts.len() as u64, Ordering::Relaxed);
        self.filtered.fetch_add(filtered, Ordering::Relaxed);
        queue.add_texts(texts);
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::object::TypeMeta;
    use crate::path::Path;
    use crate::sync::Mutex;
    use crate::write_batch::Key;

    #[derive(Default)]
    struct Added(Mutex<Texts>);

    impl TextQueue for Added {
        fn add_texts(&self, texts: Texts) {
            self.0.lock().extend(texts);
        }
    }

    const NEWS: i32 = 5;
    const NO_NEWS: i32 = -5;

    fn pod(node: &str) -> Arc<Object> {
        let json = format!(
            r#"{{"metadata":{{"name":"a","namespace":"n"}},"spec":{{"nodeName":{node:?}}}}}"#
        );
        let types = TypeMeta::new("v1", "Pod");
        Arc::new(Object::parse(json.as_bytes(), &types, false).unwrap())
    }

    fn update(old: &str, new: &str) -> Notification<Object> {
        Notification::Update {
            old: pod(old),
            new: pod(new),
            resync: false,
        }
    }

    /// What comes of it by the object's key, and by the node.
    fn told(notification: &Notification<Object>) -> [Texts; 2] {
        let node = IndexFunc::Path(Path::compile("spec.nodeName").unwrap());
        [None, Some(node)].map(|key| {
            let added = Arc::new(Added::default());
            let queue = Arc::clone(&added) as Arc<dyn TextQueue>;
            let enqueuer = Enqueuer::new(Arc::downgrade(&queue), key, None, NEWS, NO_NEWS);
            enqueuer.tell(std::slice::from_ref(notification));
            let texts = std::mem::take(&mut *added.0.lock());
            assert_eq!(enqueuer.added(), texts.len() as u64);
            texts
        })
    }

    fn texts(priority: i32, texts: &[&str]) -> Texts {
        let texts = texts.iter().map(|&text| text.to_owned());
        texts.zip(iter::repeat(priority)).collect()
    }

    #[test]
    fn the_former_and_the_new_value_are_put_in_once_each() {
        let moved = [texts(NEWS, &["n/a"]), texts(NEWS, &["one", "two"])];
        assert_eq!(told(&update("one", "two")), moved);
        let stayed = [texts(NEWS, &["n/a"]), texts(NEWS, &["one"])];
        assert_eq!(told(&update("one", "one")), stayed);
    }

    #[test]
    fn only_the_first_list_and_resyncs_are_no_news() {
        let object = || pod("one");
        let add = |initial| Notification::Add {
            object: object(),
            initial,
        };
        let gone = [
            Notification::delete(&object()),
            Notification::tombstone(&object()),
            add(false),
        ];
        for news in gone {
            assert_eq!(
                told(&news),
                [texts(NEWS, &["n/a"]), texts(NEWS, &["one"])],
                "{news:?}"
            );
        }
        for known in [add(true), Notification::resync(&object())] {
            assert_eq!(
                told(&known),
                [texts(NO_NEWS, &["n/a"]), texts(NO_NEWS, &["one"])],
                "{known:?}"
            );
        }
        let unseen = Notification::Tombstone {
            key: Key::Text("n/a".into()),
            object: None,
        };
        assert_eq!(told(&unseen), [texts(NEWS, &["n/a"]), vec![]]);
    }
}
