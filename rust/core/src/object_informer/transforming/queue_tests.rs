//! Failed transforms where the queue asks the store what is known: what failed is not in there.

use std::thread;
use std::time::{Duration, Instant};

use super::tests::{informer_of, list, object, parsed, process, settle, stored, told};
use super::*;
use crate::informer::QueueMode::{self, Delta, InOrder};
use crate::listener::Backlog;
use crate::object_informer::Processed;
use crate::source::Source;

const NOW: Option<Duration> = Some(Duration::ZERO);

fn failed(informer: &ObjectInformer) -> Vec<String> {
    let failures = informer.failed().lock();
    failures.keys().cloned().collect()
}

fn refetch(informer: &ObjectInformer, object: &str) {
    informer.refetched(object.as_bytes(), false).unwrap();
}

#[test]
fn a_retry_leaves_each_source_its_resource_version() {
    let (informer, source) = informer_of(QueueMode::Atomic);
    let other = informer.add_source();
    list(&source, "10", &[object("a", "1", "bad")]);
    list(&other, "20", &[object("b", "2", "bad")]);
    process(&informer);
    refetch(&informer, &object("a", "1", "x"));
    process(&informer);
    refetch(&informer, &object("b", "2", "x"));
    process(&informer);
    assert_eq!(stored(&informer, "a").resource_version(), "1");
    assert_eq!(stored(&informer, "b").resource_version(), "2");
    let version = |source: &Source| informer.informer().resource_version(Some(source.id()));
    assert_eq!([version(&source), version(&other)], ["10", "20"]);
}

#[test]
fn a_list_without_it_ends_a_failure_that_was_never_stored() {
    for queue in [InOrder, Delta] {
        let (informer, source) = informer_of(queue);
        let other = informer.add_source();
        let bad = [object("a", "1", "bad"), object("b", "1", "x")];
        list(&source, "10", &bad);
        list(&other, "10", &[object("c", "1", "bad")]);
        process(&informer);
        list(&source, "11", &bad);
        process(&informer);
        let mut keys = failed(&informer);
        keys.sort_unstable();
        assert_eq!(keys, ["a", "c"], "{queue:?}");

        // The answer to a GET that was sent before it was deleted.
        refetch(&informer, &object("a", "1", "x"));
        list(&source, "12", &bad[1..]);
        process(&informer);
        assert_eq!(failed(&informer), ["c"], "{queue:?}");
        let view = informer.informer().store().read();
        assert!(view.get("a").is_none() && view.get("b").is_some());
    }
}

#[test]
fn its_deletion_ends_a_failure_that_was_never_stored() {
    for queue in [InOrder, Delta] {
        for answered in [false, true] {
            let (informer, source) = informer_of(queue);
            let informers_listener = informer.informer().add_listener(Backlog::GROW, None);
            let listener = informers_listener.unwrap();
            list(&source, "10", &[object("a", "1", "bad")]);
            process(&informer);
            if answered {
                refetch(&informer, &object("a", "1", "x"));
            }
            let deletion = crate::queue::Delta::deleted(source.id(), parsed("a", "11", "bad"));
            informer.informer().queue().add_many(vec![deletion]);
            process(&informer);
            assert!(failed(&informer).is_empty(), "{queue:?}");
            assert!(informer.informer().store().read().is_empty(), "{queue:?}");
            let told = told(&listener);
            assert_eq!(told.len(), if answered { 2 } else { 0 }, "{told:?}");
        }
    }
}

#[test]
fn a_list_is_not_compared_while_a_retry_is_on_its_way_to_the_store() {
    for queue in [InOrder, Delta] {
        let (informer, source) = informer_of(queue);
        list(&source, "10", &[object("a", "1", "bad")]);
        process(&informer);
        refetch(&informer, &object("a", "1", "x"));
        let Processed::Untransformed(mut pending) = informer.process(NOW) else {
            panic!("it is tried again");
        };
        settle(&informer, &mut pending);
        thread::scope(|scope| {
            let list = scope.spawn(|| list(&source, "11", &[]));
            let begin = Instant::now();
            while !list.is_finished() && begin.elapsed() < Duration::from_millis(50) {
                thread::yield_now();
            }
            informer.transformed(pending);
        });
        process(&informer);
        assert!(informer.informer().store().read().is_empty(), "{queue:?}");
    }
}

#[test]
fn what_fails_ends_another_object_of_its_name_that_waited_with_it() {
    let (informer, source) = informer_of(Delta);
    let queue = informer.informer().queue();
    queue.add(source.id(), parsed("a", "1", "x"));
    let other = object("a", "2", "bad").replace("u-a", "u-b");
    list(&source, "2", &[other]);
    process(&informer);
    assert_eq!(failed(&informer), ["a"]);
    assert!(informer.informer().store().read().is_empty());
}
