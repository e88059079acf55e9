//! What a transform from outside is asked for, and what is shared, by example.

use std::time::Duration;

use super::*;
use crate::informer::{InformerOptions, QueueMode};
use crate::listener::{Backlog, Listener, Popped};
use crate::notification::Notification;
use crate::object_informer::Processed;
use crate::path::Path;
use crate::source::{ListReader, ReadOptions, Relist, Source};
use crate::transform::Transform;

const NOW: Option<Duration> = Some(Duration::ZERO);

fn informer() -> (ObjectInformer, Source) {
    informer_of(QueueMode::Atomic)
}

pub(super) fn informer_of(queue: QueueMode) -> (ObjectInformer, Source) {
    let options = InformerOptions {
        queue,
        ..InformerOptions::default()
    };
    let informer = ObjectInformer::new(options, ReadOptions::default());
    informer.set_transformer(Some(Transformer::External { cuts: None }));
    let source = informer.add_source();
    (informer, source)
}

pub(super) fn object(name: &str, version: &str, phase: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","uid":"u-{name}","resourceVersion":"{version}"}},"status":"{phase}"}}"#
    )
}

/// Queues a list.
pub(super) fn list(source: &Source, version: &str, objects: &[String]) {
    let items = objects.join(",");
    let body = format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}"}},"items":[{items}]}}"#
    );
    let (mut reader, mut relist) = (ListReader::new(source, false), Relist::default());
    reader.feed(source, &mut relist, body.as_bytes()).unwrap();
    reader.finish().unwrap();
    relist.commit(source, version.to_owned());
}

/// Processes what is queued with a transform that takes the status away, and fails where it is "bad"; the names that it
/// saw.
pub(super) fn process(informer: &ObjectInformer) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        match informer.process(NOW) {
            Processed::Untransformed(mut pending) => {
                seen.append(&mut settle(informer, &mut pending));
                assert!(informer.transformed(pending).is_none());
            }
            Processed::TimedOut => return seen,
            _ => panic!("no values are wanted, and nobody stopped it"),
        }
    }
}

/// The part of it with the transform.
pub(super) fn settle(informer: &ObjectInformer, pending: &mut PendingTransform) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let objects = pending.next(2);
        if objects.is_empty() {
            break;
        }
        let made: Vec<Option<Vec<u8>>> = objects
            .iter()
            .map(|(object, _)| {
                seen.push(object.name().to_owned());
                let plain = object.plain();
                let (json, _) = plain.json().rsplit_once(",\"status\"")?;
                let bad = plain.json().contains("bad");
                (!bad).then(|| format!("{json}}}").into_bytes())
            })
            .collect();
        let made: Vec<Option<&[u8]>> = made.iter().map(Option::as_deref).collect();
        assert!(pending.give(&made).iter().all(Option::is_none));
    }
    informer.settle(pending);
    seen
}

pub(super) fn stored(informer: &ObjectInformer, key: &str) -> Arc<Object> {
    Arc::clone(informer.informer().store().read().get(key).unwrap())
}

#[test]
fn the_same_bytes_are_shared_and_not_seen_again() {
    let (informer, source) = informer();
    let objects = ["a", "b", "c", "d", "e"].map(|name| object(name, "1", "x"));
    list(&source, "10", &objects);
    // Read while the store is empty, processed when it is not.
    list(&source, "10", &objects);
    assert_eq!(process(&informer), ["a", "b", "c", "d", "e"]);
    let first = stored(&informer, "b");
    assert_eq!(first.plain().section("status"), None);
    list(&source, "11", &objects);
    assert_eq!(
        informer.informer().queue().queued_bytes(),
        objects.len() * first.heap_size()
    );
    assert!(process(&informer).is_empty());
    assert!(Arc::ptr_eq(&first, &stored(&informer, "b")));

    // The same version with other bytes is another object, and so is another version.
    list(
        &source,
        "12",
        &[
            object("a", "1", "y"),
            object("b", "2", "x"),
            object("c", "1", "x"),
        ],
    );
    assert_eq!(process(&informer), ["a", "b"]);
    assert_eq!(stored(&informer, "b").resource_version(), "2");
    assert_eq!(informer.informer().store().read().len(), 3);
}

#[test]
fn what_fails_in_a_list_keeps_what_the_store_has_of_it() {
    let (informer, source) = informer();
    let listener = informer
        .informer()
        .add_listener(Backlog::GROW, None)
        .unwrap();
    list(
        &source,
        "10",
        &[object("a", "1", "x"), object("b", "1", "bad")],
    );
    process(&informer);
    let a = stored(&informer, "a");
    list(
        &source,
        "20",
        &[
            object("a", "2", "bad"),
            object("b", "2", "bad"),
            object("c", "2", "x"),
        ],
    );
    assert_eq!(process(&informer), ["a", "b", "c"]);
    assert!(Arc::ptr_eq(&a, &stored(&informer, "a")));
    assert_eq!(informer.informer().store().read().len(), 2);
    assert_eq!(informer.informer().store().read().resource_version(), "20");
    let Popped::Notifications(told) = listener.pop_batch(10, NOW) else {
        panic!("two additions");
    };
    let told: Vec<_> = told.iter().map(|it| it.key().to_owned()).collect();
    assert_eq!(told, ["a", "c"]);
}

#[test]
fn no_tombstone_shows_what_the_transform_has_not_seen() {
    let (informer, source) = informer();
    list(&source, "10", &[object("a", "1", "x")]);
    process(&informer);
    let listener = informer
        .informer()
        .add_listener(Backlog::GROW, None)
        .unwrap();
    let unseen = Object::parse(
        object("a", "2", "y").as_bytes(),
        &TypeMeta::default(),
        false,
    )
    .unwrap();
    let tombstone = DeltaObject::tombstone("a", Some(Arc::new(unseen)));
    informer
        .informer()
        .queue()
        .delete(SourceId::FIRST, tombstone);
    assert!(process(&informer).is_empty());
    let mut told = Vec::new();
    while let Popped::Notifications(batch) = listener.pop_batch(10, NOW) {
        told.extend(batch);
    }
    let Some(Notification::Tombstone {
        object: Some(last), ..
    }) = told.last()
    else {
        panic!("a deletion with the last known state");
    };
    assert_eq!(last.resource_version(), "1");
}

#[test]
fn a_batch_that_nobody_gave_anything_for_has_failed() {
    let (informer, source) = informer();
    list(
        &source,
        "10",
        &[object("a", "1", "x"), object("b", "1", "x")],
    );
    let Processed::Untransformed(mut pending) = informer.process(NOW) else {
        panic!("a transform is wanted");
    };
    assert_eq!(
        pending
            .give(&[Some(b"{}"), None, None])
            .iter()
            .flatten()
            .count(),
        1
    );
    informer.settle(&mut pending);
    informer.transformed(pending);
    assert!(informer.informer().has_synced());
    assert!(informer.informer().store().read().is_empty());
}

pub(super) fn parsed(name: &str, version: &str, phase: &str) -> Arc<Object> {
    let json = object(name, version, phase);
    Arc::new(Object::parse(json.as_bytes(), &TypeMeta::new("v1", "Pod"), false).unwrap())
}

/// Key, version and whether it is a tombstone, of each notification.
pub(super) fn told(listener: &Listener<Object>) -> Vec<String> {
    let mut told = Vec::new();
    while let Popped::Notifications(batch) = listener.pop_batch(10, NOW) {
        told.extend(batch.iter().map(|notification| match notification {
            Notification::Add { object, .. } => format!("add {object:?}"),
            Notification::Update { new, .. } => format!("update {new:?}"),
            Notification::Delete { object, .. } => format!("delete {object:?}"),
            Notification::Tombstone { object, .. } => {
                format!("gone {:?}", object.as_ref().unwrap())
            }
        }));
    }
    told
}

#[test]
fn an_event_that_fails_leaves_what_the_store_has() {
    let (informer, source) = informer();
    list(
        &source,
        "10",
        &[object("a", "1", "x"), object("b", "1", "x")],
    );
    process(&informer);
    let listener = informer
        .informer()
        .add_listener(Backlog::GROW, None)
        .unwrap();
    told(&listener);
    let a = stored(&informer, "a");
    let queue = informer.informer().queue();
    queue.update(SourceId::FIRST, parsed("a", "11", "bad"));
    queue.update(SourceId::FIRST, parsed("b", "12", "x"));
    queue.add(SourceId::FIRST, parsed("c", "13", "bad"));
    assert_eq!(process(&informer), ["a", "b", "c"]);
    assert!(Arc::ptr_eq(&a, &stored(&informer, "a")));
    assert_eq!(told(&listener), ["update Object(Pod b @12)"]);
    assert_eq!(informer.informer().store().read().resource_version(), "13");
}

#[test]
fn a_deletion_that_fails_is_told_with_what_the_store_has() {
    let (informer, source) = informer();
    list(
        &source,
        "10",
        &[object("a", "1", "x"), object("b", "1", "bad")],
    );
    process(&informer);
    let listener = informer
        .informer()
        .add_listener(Backlog::GROW, None)
        .unwrap();
    told(&listener);
    let queue = informer.informer().queue();
    queue.delete(SourceId::FIRST, parsed("a", "11", "bad"));
    queue.delete(SourceId::FIRST, parsed("b", "12", "bad"));
    process(&informer);
    assert_eq!(told(&listener), ["gone Object(Pod a @1)"]);
    assert!(informer.informer().store().read().is_empty());
    assert_eq!(informer.informer().store().read().resource_version(), "12");
    assert!(informer.failed().lock().is_empty());
}

#[test]
fn only_the_version_that_failed_is_tried_again() {
    let (informer, source) = informer();
    list(&source, "10", &[object("a", "7", "bad")]);
    process(&informer);
    let queue = informer.informer().queue();
    queue.update(SourceId::FIRST, parsed("a", "12", "bad"));
    process(&informer);
    let refetch = |version: &str, uid: &str| {
        let json = parsed("a", version, "x").plain().json().replace("u-a", uid);
        informer.refetched(json.as_bytes(), false).unwrap();
        process(&informer).len()
    };
    assert_eq!(
        (
            refetch("7", "u-a"),
            refetch("13", "u-a"),
            refetch("12", "other")
        ),
        (0, 0, 0)
    );
    queue.add(SourceId::FIRST, parsed("b", "20", "x"));
    process(&informer);
    assert_eq!(refetch("12", "u-a"), 1);
    assert_eq!(stored(&informer, "a").resource_version(), "12");
    assert_eq!(informer.informer().store().read().resource_version(), "20");
    assert_eq!(refetch("12", "u-a"), 0, "it is mended");

    queue.update(SourceId::FIRST, parsed("a", "21", "bad"));
    process(&informer);
    let items = [object("a", "21", "x"), object("b", "20", "y")].join(",");
    let list =
        format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{}},"items":[{items}]}}"#);
    informer.refetched(list.as_bytes(), true).unwrap();
    assert_eq!(process(&informer), ["a"]);
    assert_eq!(
        stored(&informer, "a")
            .plain()
            .json()
            .find("\"kind\":\"Pod\""),
        Some(19)
    );
}

#[test]
fn what_fails_is_forgotten_with_its_own_list_only() {
    let (informer, source) = informer();
    let other = informer.add_source();
    list(&source, "10", &[object("a", "1", "bad")]);
    list(&other, "11", &[object("b", "1", "bad")]);
    process(&informer);
    list(&source, "12", &[]);
    process(&informer);
    let failed: Vec<String> = informer.failed().lock().keys().cloned().collect();
    assert_eq!(failed, ["b"]);
}

#[test]
fn what_is_asked_for_again_is_cut_as_what_is_read() {
    let (informer, source) = informer();
    let cuts = Transform::drop(vec![Path::compile("spec").unwrap()]).unwrap();
    let cuts = Some(Arc::new(cuts));
    informer.set_transformer(Some(Transformer::External { cuts }));
    let with_spec = |json: &str| json.replace(",\"status\"", ",\"spec\":{},\"status\"");
    list(&source, "10", &[with_spec(&object("a", "7", "bad"))]);
    process(&informer);
    let again = with_spec(parsed("a", "7", "x").plain().json());
    informer.refetched(again.as_bytes(), false).unwrap();
    assert_eq!(process(&informer), ["a"]);
    assert_eq!(stored(&informer, "a").plain().section("spec"), None);
    list(&source, "11", &[with_spec(&object("a", "8", "x"))]);
    assert_eq!(process(&informer), ["a"]);
    assert_eq!(stored(&informer, "a").plain().section("spec"), None);
}
