//! client-go's statements on the queue (`sNN_…` tests §NN), and what is our own: priorities, foreign items, waiting.

use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::testing::{drain, get, ms, queue, take, with_clock, Foreign, LONG};
use super::{Options, Queue, Stats, Take, Waited, LOW_PRIORITY};

fn add(queue: &Queue<&'static str>, items: &[&'static str]) {
    for item in items {
        queue.add(item, 0).unwrap();
    }
}

fn add_after(queue: &Queue<&'static str>, item: &'static str, delay: Duration) {
    queue.add_after(item, delay, None).unwrap();
}

#[test]
fn s184_an_item_that_is_queued_is_there_once() {
    let queue = queue();
    add(&queue, &["a", "b", "a", "a"]);
    queue.add_all(vec!["c", "a", "c", "b"], 0).unwrap();
    assert_eq!(queue.stats().adds, 3);
    assert_eq!(drain(&queue), ["a", "b", "c"]);
}

#[test]
fn s184_an_item_added_while_it_is_processed_comes_again_once() {
    let queue = queue();
    add(&queue, &["a", "b"]);
    assert_eq!(take(&queue), Some("a"));
    add(&queue, &["a", "a", "c"]);
    assert_eq!(queue.len(), 2, "only b and c can be taken");
    queue.done(&"a").unwrap();
    assert_eq!(drain(&queue), ["b", "c", "a"]);
    assert_eq!(queue.kept(), (0, 0, 0));
}

#[test]
fn s185_a_taken_item_is_nobody_elses() {
    let queue = queue();
    add(&queue, &["a"]);
    assert_eq!(take(&queue), Some("a"));
    add(&queue, &["a"]);
    add_after(&queue, "a", Duration::ZERO);
    assert_eq!(take(&queue), None);
    queue.done(&"a").unwrap();
    assert_eq!(take(&queue), Some("a"));
}

#[test]
fn done_of_an_item_that_is_not_processed_has_no_effect() {
    let queue = queue();
    add(&queue, &["a"]);
    queue.done(&"a").unwrap();
    queue.done(&"never").unwrap();
    assert_eq!(drain(&queue), ["a"]);
    queue.done(&"a").unwrap();
    assert_eq!(queue.stats().done, 1);
}

#[test]
fn s187_after_shutdown_adds_are_ignored_and_the_rest_is_handed_out() {
    let queue = queue();
    add(&queue, &["a", "b"]);
    assert_eq!(take(&queue), Some("a"));
    add(&queue, &["a"]);
    queue.shut_down();
    assert!(queue.is_shutting_down());
    add(&queue, &["c"]);
    add_after(&queue, "d", ms(1));
    queue.add_all(vec!["e"], 0).unwrap();
    queue.done(&"a").unwrap();
    assert_eq!(drain(&queue), ["b", "a"]);
    assert!(matches!(queue.take(|item| *item), Take::ShutDown));
    assert_eq!(queue.wait(None), Waited::ShutDown);
    assert_eq!(queue.kept(), (0, 0, 0));
}

#[test]
fn s188_a_drain_waits_for_what_is_processed_not_for_what_is_queued() {
    let queue = queue();
    add(&queue, &["a", "b"]);
    assert_eq!(take(&queue), Some("a"));
    queue.begin_drain();
    assert_eq!(queue.wait_drained(Some(ms(1))), None);
    thread::scope(|scope| {
        let drained = scope.spawn(|| queue.wait_drained(LONG));
        queue.done(&"a").unwrap();
        assert_eq!(drained.join().unwrap(), Some(true));
    });
    assert_eq!(take(&queue), Some("b"));
}

#[test]
fn s188_a_later_shutdown_releases_a_drain() {
    let queue = queue();
    add(&queue, &["a"]);
    assert_eq!(take(&queue), Some("a"));
    queue.begin_drain();
    thread::scope(|scope| {
        let drained = scope.spawn(|| queue.wait_drained(LONG));
        queue.shut_down();
        assert_eq!(drained.join().unwrap(), Some(false));
    });
}

#[test]
fn s189_a_delay_of_nothing_adds_now() {
    let (queue, _) = with_clock(None);
    add_after(&queue, "a", Duration::ZERO);
    assert_eq!(drain(&queue), ["a"]);
}

#[test]
fn s189_the_earlier_deadline_of_a_waiting_item_wins() {
    let (queue, clock) = with_clock(None);
    add_after(&queue, "a", ms(100));
    add_after(&queue, "a", ms(50));
    add_after(&queue, "a", ms(70));
    assert_eq!(queue.stats().waiting, 1);
    clock.step(ms(49));
    assert_eq!(queue.len(), 0);
    clock.step(ms(1));
    assert_eq!(drain(&queue), ["a"]);
    clock.step(ms(1000));
    assert_eq!(drain(&queue), [""; 0], "the later deadlines are gone");
    assert_eq!(queue.kept(), (0, 0, 0));
}

#[test]
fn s189_an_item_that_waits_is_added_besides_and_comes_again() {
    let (queue, clock) = with_clock(None);
    add_after(&queue, "a", ms(10));
    add(&queue, &["a"]);
    assert_eq!(drain(&queue), ["a"]);
    clock.step(ms(10));
    assert_eq!(drain(&queue), ["a"]);
}

#[test]
fn s189_what_waits_at_shutdown_is_dropped_but_not_what_is_due() {
    let (queue, clock) = with_clock(None);
    add_after(&queue, "later", ms(20));
    add_after(&queue, "due", ms(10));
    add_after(&queue, "taken", ms(20));
    add(&queue, &["taken"]);
    assert_eq!(take(&queue), Some("taken"));
    clock.step(ms(10));
    queue.shut_down();
    clock.step(ms(100));
    queue.done(&"taken").unwrap();
    assert_eq!(drain(&queue), ["due"]);
    assert_eq!(queue.kept(), (0, 0, 0));
}

#[test]
fn delays_are_handed_out_in_the_order_of_their_deadlines() {
    let (queue, clock) = with_clock(None);
    for (item, delay) in [("c", 30), ("a", 10), ("b", 20), ("a2", 10)] {
        add_after(&queue, item, ms(delay));
    }
    add_after(&queue, "never", Duration::MAX);
    clock.step(ms(1_000_000));
    assert_eq!(drain(&queue), ["a", "a2", "b", "c"]);
}

#[test]
fn higher_priorities_come_first_and_equal_ones_in_order() {
    let (queue, _) = with_clock(None);
    for (item, priority) in [
        ("a", 0),
        ("low", LOW_PRIORITY),
        ("b", 0),
        ("high", 5),
        ("c", 0),
    ] {
        queue.add(item, priority).unwrap();
    }
    assert_eq!(drain(&queue), ["high", "a", "b", "c", "low"]);
}

#[test]
fn an_add_again_raises_the_priority_and_never_lowers_it() {
    let queue = queue();
    for (item, priority) in [
        ("a", -1),
        ("b", -1),
        ("b", 0),
        ("c", 0),
        ("c", -5),
        ("d", 0),
    ] {
        queue.add(item, priority).unwrap();
    }
    assert_eq!(drain(&queue), ["b", "c", "d", "a"]);
    for (item, priority) in [("a", -1), ("b", -1), ("a", 0)] {
        queue.add(item, priority).unwrap();
    }
    assert_eq!(drain(&queue), ["a", "b"], "it was the first of those below");
    queue.add("a", 0).unwrap();
    assert_eq!(take(&queue), Some("a"));
    queue.add("a", -3).unwrap();
    queue.add("b", 2).unwrap();
    queue.add("a", 3).unwrap();
    queue.done(&"a").unwrap();
    assert_eq!(drain(&queue), ["a", "b"], "raised while it was processed");
}

#[test]
fn a_retry_keeps_the_priority_that_the_item_was_taken_with() {
    let (queue, clock) = with_clock(None);
    queue.add("low", -1).unwrap();
    assert_eq!(take(&queue), Some("low"));
    queue.add("low", 7).unwrap();
    queue.add_after("low", ms(10), None).unwrap();
    queue.done(&"low").unwrap();
    assert_eq!(
        drain(&queue),
        ["low"],
        "it was added, with another priority"
    );
    add_after(&queue, "other", ms(10));
    clock.step(ms(10));
    assert_eq!(drain(&queue), ["other", "low"]);
}

#[test]
fn aging_lets_the_oldest_go_after_so_many_that_got_ahead() {
    let (queue, _) = with_clock(Some(2));
    queue.add("old", -1).unwrap();
    queue.add("older", -2).unwrap();
    for item in ["a", "b", "c", "d", "e", "f", "g"] {
        queue.add(item, 0).unwrap();
    }
    let order = ["a", "b", "old", "c", "d", "older", "e", "f", "g"];
    assert_eq!(drain(&queue), order);
}

#[test]
fn aging_counts_only_what_gets_ahead_of_somebody() {
    let (queue, _) = with_clock(Some(1));
    add(&queue, &["a", "b", "c"]);
    assert_eq!(take(&queue), Some("a"));
    assert_eq!(take(&queue), Some("b"));
    queue.add("low", -1).unwrap();
    add(&queue, &["d"]);
    let rest: Vec<_> = std::iter::from_fn(|| take(&queue)).collect();
    assert_eq!(rest, ["c", "low", "d"]);
}

#[test]
fn raising_and_timing_again_leave_nothing_behind() {
    let (queue, clock) = with_clock(None);
    queue.add("starved", -1).unwrap();
    for round in 0..10_000 {
        queue.add("a", -1).unwrap();
        queue.add("a", 0).unwrap();
        assert_eq!(take(&queue), Some("a"));
        queue.done(&"a").unwrap();
        add_after(&queue, "timed", ms(20_000 - round));
    }
    let (items, line, heap) = queue.kept();
    assert_eq!(items, 2);
    assert!(line < 100, "{line} entries in the line");
    assert!(heap < 100, "{heap} entries in the heap");
    clock.step(ms(20_000));
    assert_eq!(drain(&queue), ["timed", "starved"]);
    for priority in 0..1000 {
        queue.add("a", priority).unwrap();
        assert_eq!(drain(&queue), ["a"]);
    }
    assert_eq!(queue.kept(), (0, 0, 0));
}

#[test]
fn batches_take_in_order_and_end() {
    let queue = queue();
    add(&queue, &["a", "b", "c"]);
    let batch = |max| match queue.take_many(max, |item| *item) {
        Take::Taken(taken) => taken.into_iter().map(|taken| taken.item).collect(),
        Take::Empty => vec![],
        Take::ShutDown => vec!["shut down"],
    };
    assert_eq!(batch(2), ["a", "b"]);
    assert_eq!(batch(2), ["c"]);
    assert_eq!(batch(2), [""; 0]);
    add(&queue, &["b"]);
    queue.done_all(&["a", "b", "c"]).unwrap();
    queue.shut_down();
    assert_eq!(batch(9), ["b"]);
    assert_eq!(batch(9), ["shut down"]);
}

#[test]
fn foreign_items_are_compared_with_no_lock_held() {
    let queue = queue::<Foreign>();
    let in_it = Arc::downgrade(&queue);
    let uses_the_queue = move |_: &Foreign, _: &Foreign| {
        let queue = in_it.upgrade().expect("the test has it");
        assert!(queue.len() < 10);
    };
    let item = |name| Foreign::new(name, uses_the_queue.clone());
    for name in ["a", "b", "a", "c", "b"] {
        queue.add(item(name), 0).unwrap();
    }
    queue
        .add_all(vec![item("c"), item("d"), item("d")], 0)
        .unwrap();
    assert_eq!(names(&queue), ["a", "b", "c", "d"]);
    assert_eq!(queue.kept(), (0, 0, 0));
}

fn names(queue: &Queue<Foreign>) -> Vec<&'static str> {
    drain(queue).into_iter().map(|item| item.name).collect()
}

#[test]
fn what_comes_and_goes_while_items_are_compared_is_noticed() {
    let queue = queue::<Foreign>();
    let quiet = |name| Foreign::new(name, |_: &Foreign, _: &Foreign| ());
    queue.add(quiet("a"), 0).unwrap();
    let (in_it, happened) = (Arc::downgrade(&queue), Mutex::new(0));
    // Compared with an a that goes meanwhile, and then is there again as another one.
    let add = Foreign::new("a", move |_: &Foreign, _: &Foreign| {
        let queue = in_it.upgrade().expect("the test has it");
        let mut times = happened.lock().unwrap();
        *times += 1;
        if *times == 1 {
            assert_eq!(names(&queue), ["a"]);
            queue.add(quiet("b"), 0).unwrap();
            queue.add(quiet("a"), 0).unwrap();
        }
    });
    queue.add(add, 0).unwrap();
    assert_eq!(names(&queue), ["b", "a"], "one a, not two");
}

#[test]
fn an_error_of_comparing_leaves_the_queue_as_it_was() {
    let queue = queue::<Foreign>();
    let quiet = |name| Foreign::new(name, |_: &Foreign, _: &Foreign| ());
    queue.add(quiet("a"), 0).unwrap();
    assert_eq!(queue.add(quiet("incomparable"), 0), Err("no"));
    let batch = vec![quiet("b"), quiet("incomparable"), quiet("c")];
    assert_eq!(queue.add_all(batch, 0), Err("no"));
    assert_eq!(names(&queue), ["a", "b"]);
    assert_eq!(queue.kept(), (0, 0, 0));
}

#[test]
fn waiters_wake_for_an_add_a_deadline_and_shutdown() {
    let (queue, clock) = with_clock(None);
    thread::scope(|scope| {
        let worker = scope.spawn(|| [get(&queue), get(&queue), get(&queue)]);
        add(&queue, &["a"]);
        while queue.stats().taken < 1 {
            thread::yield_now();
        }
        add_after(&queue, "b", ms(3_600_000));
        add_after(&queue, "c", ms(60_000));
        clock.step(ms(60_000));
        while queue.stats().taken < 2 {
            thread::yield_now();
        }
        queue.shut_down();
        assert_eq!(worker.join().unwrap(), [Some("a"), Some("c"), None]);
    });
}

/// Waits until so many waits were begun and one of them watches a deadline, or none does.
fn until(queue: &Queue<&'static str>, waits: u64, watched: bool) {
    let begin = Instant::now();
    while queue.waits() != (waits, watched) {
        assert!(begin.elapsed() < ms(20_000), "{:?}", queue.waits());
        thread::yield_now();
    }
}

#[test]
fn an_earlier_deadline_wakes_who_waits_for_a_later_one() {
    let queue = queue();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for sender in [sender.clone(), sender] {
            let queue = &queue;
            scope.spawn(move || sender.send(get(queue)));
        }
        until(&queue, 2, false);
        add_after(&queue, "later", Duration::from_secs(3600));
        until(&queue, 2, true);
        // Wakes the other one, which must watch in place of the first.
        add_after(&queue, "soon", ms(20));
        assert_eq!(
            receiver.recv_timeout(Duration::from_secs(10)),
            Ok(Some("soon"))
        );
        queue.shut_down();
        assert_eq!(receiver.recv(), Ok(None));
    });
}

#[test]
fn who_gives_up_waiting_hands_over_the_deadline_that_it_watched() {
    let queue = queue();
    add_after(&queue, "a", Duration::from_secs(3600));
    thread::scope(|scope| {
        let gives_up = scope.spawn(|| queue.wait(Some(ms(300))));
        until(&queue, 1, true);
        let worker = scope.spawn(|| get(&queue));
        assert_eq!(gives_up.join().unwrap(), Waited::TimedOut);
        until(&queue, 2, true);
        queue.shut_down();
        assert_eq!(worker.join().unwrap(), None);
    });
    assert_eq!(queue.wait(Some(Duration::ZERO)), Waited::ShutDown);
}

#[test]
fn times_are_kept_if_asked_for() {
    let (queue, clock) = with_clock(None);
    add(&queue, &["a", "b"]);
    clock.step(ms(10));
    assert_eq!(take(&queue), Some("a"));
    clock.step(ms(10));
    assert_eq!(take(&queue), Some("b"));
    add(&queue, &["a", "a"]);
    add_after(&queue, "c", ms(30));
    clock.step(ms(10));
    let stats = Stats {
        depth: 1,
        processing: 2,
        waiting: 1,
        adds: 3,
        retries: 0,
        taken: 2,
        queue_duration: ms(30),
        done: 0,
        work_duration: Duration::ZERO,
        unfinished_work: ms(30),
        longest_running_processor: ms(20),
    };
    assert_eq!(queue.stats(), stats);
    assert_eq!(queue.done(&"a"), Ok(Some(ms(20))));
    assert_eq!(queue.done(&"b"), Ok(Some(ms(10))));
    assert_eq!(queue.stats().work_duration, ms(30));
    clock.step(ms(100));
    assert_eq!(drain(&queue), ["a", "c"]);
    let late = queue.stats().queue_duration;
    assert_eq!(late, ms(30 + 110 + 80), "c counts from its deadline");
    assert_eq!((queue.take_unreported(), queue.take_unreported()), (4, 0));

    let untimed = Queue::new(Options::default());
    add(&untimed, &["a"]);
    assert_eq!(take(&untimed), Some("a"));
    assert_eq!(untimed.done(&"a"), Ok(None));
    assert_eq!(untimed.stats().done, 1);
}
