//! Queues with several consumers, and a list that is compared with what is known while a producer goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubeinformer_core::queue::{
    DeltaFifo, DeltaFifoOptions, DeltaType, Known, RealFifo, RealFifoMode,
};
use shuttle::sync::Mutex;
use shuttle::thread;

use super::{check, pod, Pod, A, LONG};

#[test]
fn s045_close_ends_every_one_of_several_consumers() {
    check(20_000, || {
        let fifo = Arc::new(DeltaFifo::new(DeltaFifoOptions::default()));
        // Two wait for the end of a phase when the queue becomes empty; it takes four to see that both are woken.
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                let fifo = Arc::clone(&fifo);
                thread::spawn(move || {
                    let mut popped = 0;
                    while fifo.pop(LONG).is_ok() {
                        popped += 1;
                        fifo.processed();
                    }
                    popped
                })
            })
            .collect();
        for key in ["a", "b"] {
            fifo.update(A, pod(key, 1));
        }
        fifo.close();
        let popped: usize = consumers.into_iter().map(|it| it.join().unwrap()).sum();
        assert_eq!(popped, 2);
    });
}

#[test]
fn s049_s062_a_replace_beside_a_producer_leaves_nothing_that_is_gone() {
    check(20_000, || {
        let fifo = Arc::new(RealFifo::new(RealFifoMode::NonAtomic));
        let known = Arc::new(Mutex::new(BTreeMap::<String, Arc<Pod>>::new()));
        let consumer = thread::spawn({
            let (fifo, known) = (Arc::clone(&fifo), Arc::clone(&known));
            move || {
                while let Ok(deltas) = fifo.pop_batch(2, LONG) {
                    for delta in &deltas {
                        let key = delta.key().unwrap().to_owned();
                        let mut known = known.lock().unwrap();
                        if delta.kind == DeltaType::Deleted {
                            known.remove(&key);
                        } else {
                            known.insert(key, Arc::clone(delta.object.object().unwrap()));
                        }
                    }
                    fifo.processed();
                }
            }
        });
        let producer = thread::spawn({
            let fifo = Arc::clone(&fifo);
            move || {
                fifo.update(A, pod("comes", 1));
                fifo.update(A, pod("comes", 2));
                fifo.delete(A, pod("comes", 3));
            }
        });
        fifo.update(A, pod("stays", 1));
        fifo.update(A, pod("goes", 1));
        {
            let quiet = fifo.quiet(LONG).unwrap();
            let now: Known<Pod> = known
                .lock()
                .unwrap()
                .iter()
                .map(|(key, pod)| (key.as_str().into(), Some(Arc::clone(pod))))
                .collect();
            quiet.replace(A, vec![pod("stays", 2)], now);
        }
        producer.join().unwrap();
        fifo.close();
        consumer.join().unwrap();
        assert!(fifo.has_synced());
        let known = known.lock().unwrap();
        let left: Vec<_> = known.values().map(|it| (&*it.key, &*it.version)).collect();
        assert_eq!(left, [("stays", "2")]);
    });
}
