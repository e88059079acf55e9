//! Listeners of an informer: merged backlogs, resyncs, and a stop in the middle of whatever goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kubeinformer_core::informer::{Informer, InformerOptions};
use kubeinformer_core::listener::{Backlog, Popped};
use shuttle::thread::{self, JoinHandle};

use super::{check, follow, pod, process, Pod, A, LONG};

const TINY: Backlog = Backlog {
    notifications: 1,
    bytes: usize::MAX,
};
const PERIOD: Duration = Duration::from_secs(1000);

fn start() -> (Arc<Informer<Pod>>, JoinHandle<()>) {
    let informer = Arc::new(Informer::new(InformerOptions::default()));
    informer.start();
    let processor = thread::spawn({
        let informer = Arc::clone(&informer);
        move || process(&informer)
    });
    (informer, processor)
}

fn expected(pods: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, version): &(&str, &str)| ((*key).to_owned(), (*version).to_owned());
    pods.iter().map(owned).collect()
}

#[test]
fn s139_a_merged_backlog_tells_the_same_story_and_counts_everything() {
    check(20_000, || {
        let (informer, processor) = start();
        let listeners =
            [TINY, Backlog::GROW].map(|backlog| informer.add_listener(backlog, None).unwrap());
        let followers = listeners
            .clone()
            .map(|listener| thread::spawn(move || follow(&listener)));
        let queue = informer.queue();
        queue.replace(A, "1".to_owned(), vec![pod("a", 1), pod("b", 1)]);
        queue.update(A, pod("a", 2));
        queue.delete(A, pod("b", 2));
        queue.update(A, pod("b", 3));
        queue.delete(A, pod("b", 4));
        queue.update(A, pod("last", 9));
        for follower in followers {
            assert_eq!(
                follower.join().unwrap(),
                expected(&[("a", "2"), ("last", "9")])
            );
        }
        queue.close();
        processor.join().unwrap();
        let [tiny, grow] = listeners.map(|listener| listener.stats());
        assert_eq!((grow.coalesced, grow.pending), (0, 0));
        assert_eq!(tiny.delivered + tiny.coalesced, grow.delivered);
    });
}

#[test]
fn s126_a_resync_beside_a_join_and_a_change_tells_no_old_state() {
    check(20_000, || {
        let (informer, processor) = start();
        let early = informer.add_listener(Backlog::GROW, Some(PERIOD)).unwrap();
        let mut followers = vec![thread::spawn(move || follow(&early))];
        let resyncer = thread::spawn({
            let informer = Arc::clone(&informer);
            move || {
                for round in 2..4 {
                    informer.resync(Instant::now() + PERIOD * round);
                }
            }
        });
        followers.push(thread::spawn({
            let informer = Arc::clone(&informer);
            move || {
                let late = informer.add_listener(TINY, Some(PERIOD)).unwrap();
                follow(&late)
            }
        }));
        let queue = informer.queue();
        queue.replace(A, "1".to_owned(), vec![pod("a", 1), pod("b", 1)]);
        queue.update(A, pod("a", 2));
        queue.delete(A, pod("b", 2));
        queue.update(A, pod("last", 9));
        for follower in followers {
            assert_eq!(
                follower.join().unwrap(),
                expected(&[("a", "2"), ("last", "9")])
            );
        }
        resyncer.join().unwrap();
        queue.close();
        processor.join().unwrap();
    });
}

#[test]
fn s153_after_a_stop_in_the_middle_of_a_commit_nothing_more_is_handed_out() {
    check(20_000, || {
        let (informer, processor) = start();
        let listener = informer.add_listener(Backlog::GROW, None).unwrap();
        let follower = thread::spawn({
            let listener = Arc::clone(&listener);
            move || drop(follow(&listener))
        });
        let joiner = thread::spawn({
            let informer = Arc::clone(&informer);
            move || {
                if let Some(late) = informer.add_listener(TINY, None) {
                    drop(follow(&late));
                }
            }
        });
        let queue = informer.queue();
        queue.replace(A, "1".to_owned(), vec![pod("a", 1), pod("b", 1)]);
        queue.update(A, pod("a", 2));
        queue.delete(A, pod("b", 2));
        informer.stop();
        let delivered = listener.stats().delivered;
        follower.join().unwrap();
        joiner.join().unwrap();
        processor.join().unwrap();
        assert_eq!(listener.stats().delivered, delivered, "told after the stop");
        assert!(matches!(listener.pop_batch(9, LONG), Popped::Closed));
        assert_eq!(listener.stats().pending, 0);
        assert!(informer.add_listener(Backlog::GROW, None).is_none());
    });
}
