//! Texts that come in by a thread that cannot make items count as items that were added.

use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::queue::TextQueue;
use super::testing::{drain, get, ms, queue, take, with_clock, Foreign, LONG};
use super::{Queue, Take, Waited};

fn add(queue: &Queue<&'static str>, texts: &[(&str, i32)]) {
    let texts = texts
        .iter()
        .map(|(text, priority)| ((*text).to_owned(), *priority));
    queue.add_texts(texts.collect());
}

#[test]
fn texts_are_items_to_whoever_looks() {
    let queue = queue::<&'static str>();
    queue.add("b", 0).unwrap();
    add(&queue, &[("a", 0), ("b", 0), ("a", 0), ("c", 1)]);
    assert_eq!(queue.len(), 3);
    assert_eq!((queue.stats().depth, queue.take_unreported()), (3, 3));
    assert_eq!(take(&queue), Some("c"));
    add(&queue, &[("c", 0), ("d", 0)]);
    assert_eq!(queue.len(), 3, "what is processed comes again later");
    queue.done(&"c").unwrap();
    assert_eq!(drain(&queue), ["b", "a", "d", "c"]);
}

#[test]
fn a_higher_priority_counts_and_moves_the_text_back() {
    let queue = queue::<&'static str>();
    add(&queue, &[("a", -1), ("b", -1), ("c", 0)]);
    add(&queue, &[("a", 0), ("b", -2)]);
    assert_eq!(drain(&queue), ["c", "a", "b"]);
}

#[test]
fn a_text_has_waited_since_it_came() {
    let (queue, clock) = with_clock::<&'static str>(None);
    add(&queue, &[("a", 0)]);
    clock.step(ms(70));
    let Take::Taken(taken) = queue.take(|item| *item) else {
        panic!("it is there");
    };
    assert_eq!(taken.waited, Some(ms(70)));
}

#[test]
fn a_text_wakes_a_worker() {
    let queue = queue::<&'static str>();
    let start = Instant::now();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| get(&queue))).collect();
        while queue.waits().0 < 3 {
            thread::yield_now();
        }
        add(&queue, &[("a", 0)]);
        add(&queue, &[("b", 0), ("c", 0)]);
        let mut items: Vec<_> = workers.into_iter().map(|it| it.join().unwrap()).collect();
        items.sort_unstable();
        assert_eq!(items, [Some("a"), Some("b"), Some("c")]);
    });
    assert!(Some(start.elapsed()) < LONG, "only the end of a wait");
    assert_eq!(queue.wait(Some(Duration::ZERO)), Waited::TimedOut);
    add(&queue, &[("d", 0)]);
    assert_eq!(queue.wait(LONG), Waited::Ready);
}

#[test]
fn s187_what_came_before_the_shutdown_is_handed_out_and_nothing_after() {
    let queue = queue::<&'static str>();
    add(&queue, &[("a", 0)]);
    queue.begin_drain();
    add(&queue, &[("b", 0)]);
    assert_eq!(take(&queue), Some("a"));
    assert_eq!(queue.wait_drained(Some(Duration::ZERO)), None);
    queue.done(&"a").unwrap();
    assert_eq!(queue.wait_drained(Some(Duration::ZERO)), Some(true));
    assert!(matches!(queue.take(|item| *item), Take::ShutDown));
    assert_eq!(queue.kept(), (0, 0, 0));
}

#[test]
fn more_texts_than_one_lock_takes() {
    let queue = queue::<u32>();
    queue.add_texts((0..5000).map(|it| (it.to_string(), 0)).collect());
    assert_eq!(queue.len(), 5000);
    assert_eq!(queue.places_of_incoming(), 0, "they are given back");
    assert_eq!(drain(&queue), (0..5000).collect::<Vec<_>>());
}

#[test]
fn what_only_foreign_code_can_compare_is_compared_without_the_lock() {
    let queue = queue::<Foreign>();
    queue.add(Foreign::new("a", |_, _| {}), 0).unwrap();
    // Nobody can be told that the second one cannot be compared: it is another item.
    queue.add_texts(vec![("a".into(), 0), ("incomparable".into(), 0)]);
    assert_eq!(queue.len(), 2);
    queue.add_texts(vec![("a".into(), 1)]);
    assert_eq!(queue.len(), 2);
    let names = std::iter::from_fn(|| take(&queue)).map(|item| item.name);
    assert_eq!(names.collect::<Vec<_>>(), ["a", "incomparable"]);
}

proptest! {
    /// Whatever the order, as if each text had been added by itself.
    #[test]
    fn an_inbox_is_what_its_adds_would_be(
        steps in prop::collection::vec(
            prop_oneof![
                4 => (0..6_u32, -1..2_i32).prop_map(Some),
                1 => Just(None),
            ],
            1..60,
        ),
    ) {
        let (inbox, plain) = (queue::<u32>(), queue::<u32>());
        for step in steps {
            if let Some((number, priority)) = step {
                inbox.add_texts(vec![(number.to_string(), priority)]);
                plain.add(number, priority).unwrap();
            } else {
                let taken = take(&plain);
                prop_assert_eq!(take(&inbox), taken);
                if let Some(taken) = taken.filter(|it| it % 2 == 0) {
                    inbox.done(&taken).unwrap();
                    plain.done(&taken).unwrap();
                }
            }
        }
        prop_assert_eq!(inbox.stats().adds, plain.stats().adds);
        prop_assert_eq!(drain(&inbox), drain(&plain));
    }
}
