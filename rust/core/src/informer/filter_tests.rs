//! Handlers behind filters, and sinks, in an informer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tests::{heard, informer, pod, process};
use super::{Informer, Sink};
use crate::listener::{Backlog, Listener, Predicate};
use crate::notification::Notification;
use crate::queue::SourceId;
use crate::sync::Mutex;
use crate::testing::{show, Pod};

const A: SourceId = SourceId::FIRST;

/// Odd versions.
#[derive(Default)]
struct Odd {
    asked: AtomicUsize,
}

impl Predicate<Pod> for Odd {
    fn accepts(&self, pod: &Pod) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        pod.version.parse::<u32>().unwrap() % 2 == 1
    }

    fn passes(&self, _: &Pod, _: &Pod) -> bool {
        true
    }

    fn compares(&self) -> bool {
        false
    }
}

fn listen(
    informer: &Informer<Pod>,
    odd: &Arc<Odd>,
    resync: Option<Duration>,
) -> Arc<Listener<Pod>> {
    let predicate = Arc::clone(odd) as Arc<dyn Predicate<Pod>>;
    let listener = informer.add_listener_for(Backlog::GROW, resync, Some(predicate));
    listener.expect("not stopped")
}

#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Sink<Pod> for Noted {
    fn tell(&self, notifications: &[Notification<Pod>]) {
        self.0.lock().extend(notifications.iter().map(show));
    }
}

impl Noted {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

#[test]
fn a_filtered_out_object_keeps_no_handler_from_syncing() {
    let (informer, odd) = (informer(), Arc::new(Odd::default()));
    let listener = listen(&informer, &odd, None);
    informer.start();
    let list = vec![pod("a", "2"), pod("b", "4")];
    informer.queue().replace(A, "5".into(), list);
    process(&informer);
    assert!(informer.has_synced() && listener.initial_list_done());
    assert_eq!(listener.stats().filtered, 2);
    assert_eq!(heard(&listener), [""; 0]);
}

#[test]
fn s142_a_filtered_handler_that_joins_gets_what_it_accepts() {
    let (informer, odd) = (informer(), Arc::new(Odd::default()));
    informer.start();
    let list = vec![pod("a", "1"), pod("b", "4")];
    informer.queue().replace(A, "5".into(), list);
    process(&informer);
    let listener = listen(&informer, &odd, None);
    assert_eq!(heard(&listener), ["add a 1 initial"]);
    informer.queue().update(A, pod("a", "6"));
    informer.queue().update(A, pod("b", "7"));
    process(&informer);
    assert_eq!(heard(&listener), ["delete a 1", "add b 7"]);
    // The deletion of what the handler was told is gone.
    informer.queue().delete(A, pod("a", "9"));
    // The final state is none that it accepts.
    informer.queue().delete(A, pod("b", "8"));
    process(&informer);
    assert_eq!(heard(&listener), ["delete b 8"]);
}

#[test]
fn handlers_with_one_filter_share_the_work() {
    let (informer, odd) = (informer(), Arc::new(Odd::default()));
    let listeners = [0, 1, 2].map(|_| listen(&informer, &odd, None));
    informer.start();
    informer.queue().add(A, pod("a", "1"));
    process(&informer);
    assert_eq!(odd.asked.load(Ordering::Relaxed), 1);
    for listener in &listeners {
        assert_eq!(heard(listener), ["add a 1"]);
    }
}

#[test]
fn s125_a_resync_gives_what_is_accepted() {
    let (informer, odd) = (informer(), Arc::new(Odd::default()));
    let second = Duration::from_secs(1);
    let listener = listen(&informer, &odd, Some(second));
    let noted = Arc::new(Noted::default());
    assert!(informer.add_sink(Arc::clone(&noted) as _, Some(second)));
    informer.start();
    informer.queue().add(A, pod("a", "1"));
    informer.queue().add(A, pod("b", "2"));
    process(&informer);
    assert_eq!(heard(&listener), ["add a 1"]);
    noted.take();
    assert_eq!(informer.resync(Instant::now() + 2 * second), 2);
    assert_eq!(heard(&listener), ["resync a 1 1"]);
    let mut resyncs = noted.take();
    resyncs.sort_unstable();
    assert_eq!(resyncs, ["resync a 1 1", "resync b 2 2"]);
}

#[test]
fn a_sink_is_told_what_a_handler_is() {
    let informer = informer();
    let early = Arc::new(Noted::default());
    assert!(informer.add_sink(Arc::clone(&early) as _, None));
    informer.start();
    informer.queue().replace(A, "1".into(), vec![pod("a", "1")]);
    process(&informer);
    assert_eq!(early.take(), ["add a 1 initial"]);
    let late = Arc::new(Noted::default());
    let late_sink = Arc::clone(&late) as Arc<dyn Sink<Pod>>;
    assert!(informer.add_sink(Arc::clone(&late_sink), None));
    assert_eq!(late.take(), ["add a 1 initial"]);
    informer.queue().update(A, pod("a", "2"));
    process(&informer);
    assert!(informer.remove_sink(&late_sink));
    assert!(!informer.remove_sink(&late_sink));
    informer.queue().delete(A, pod("a", "3"));
    process(&informer);
    assert_eq!(early.take(), ["update a 1 2", "delete a 3"]);
    assert_eq!(late.take(), ["update a 1 2"]);
    informer.stop();
    assert!(!informer.add_sink(late_sink, None));
}
