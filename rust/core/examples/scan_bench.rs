//! Microseconds an object for each step of the way of an 8 KB pod: `cargo run --release --example scan_bench [PART]`;
//! only the steps whose names contain PART. Instructions of one step: `valgrind --tool=callgrind
//! --toggle-collect='*::measure*'`, which rival programs on the machine do not disturb.
use kubeinformer_core::error::ScanError;
use kubeinformer_core::index_func::{IndexFunc, IndexPlan};
use kubeinformer_core::object::{Object, ObjectView, TypeMeta};
use kubeinformer_core::path::Path;
use kubeinformer_core::scan::chunked::ChunkDecoder;
use kubeinformer_core::scan::framer::{WatchEvent, WatchFramer};
use kubeinformer_core::scan::list::{ListItem, ListSplitter};
use kubeinformer_core::selector::Selector;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

const POD: &str = include_str!("../testdata/pod.json");
const PODS: u32 = 2_000;
const ROUNDS: usize = 15;

/// Pods that differ, so that no branch predictor learns one by heart.
fn pods() -> Vec<String> {
    let pod = |number: u32| {
        let name = format!("checkout-7c9d5b6f4d-{number}");
        POD.trim_end()
            .replacen("checkout-7c9d5b6f4d-x2v8k", &name, 1)
            .replacen("\"worker-17.", &format!("\"worker-{}.", number % 97), 1)
            .replacen(
                "my-app",
                &"my-app-of-some-name"[..6 + number as usize % 13],
                1,
            )
            .replacen("\"48151623\"", &format!("\"{}\"", 48_151_623 + number), 1)
    };
    (0..PODS).map(pod).collect()
}

/// The best of some rounds, in microseconds for one of `PODS` objects.
#[inline(never)]
fn measure(name: &str, mut round: impl FnMut()) {
    let part = std::env::args().nth(1).unwrap_or_default();
    if !name.contains(&part) {
        return;
    }
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<44} {:>8.3} us/object", best * 1e6 / f64::from(PODS));
}

type Flow = Result<ControlFlow<()>, ScanError>;

fn take_event(event: WatchEvent<'_>) -> Flow {
    black_box(event.into_view()?);
    Ok(ControlFlow::Continue(()))
}

fn take_item(item: ListItem<'_>) -> Flow {
    black_box(item.into_view()?);
    Ok(ControlFlow::Continue(()))
}

/// What any reader of the bytes pays at least.
fn floors(pods: &[String], events: &[u8]) {
    measure("UTF-8 check alone (std)", || {
        for pod in pods {
            black_box(std::str::from_utf8(black_box(pod.as_bytes())).is_ok());
        }
    });
    measure("newlines alone (memchr)", || {
        black_box(memchr::memchr_iter(b'\n', events).count());
    });
}

fn streams(pods: &[String], events: &[u8]) {
    let list = format!(
        "{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"1\"}},\"items\":[{}]}}\n",
        pods.join(",")
    );
    for size in [8 << 10, 64 << 10, 256 << 10] {
        measure(
            &format!("watch: frame + scan, {} KiB reads", size >> 10),
            || {
                let mut framer = WatchFramer::new(1 << 24);
                for read in events.chunks(size) {
                    let _ = framer.feed(read, take_event).unwrap();
                }
            },
        );
        measure(
            &format!("list: split + scan, {} KiB reads", size >> 10),
            || {
                let mut splitter = ListSplitter::new(1 << 24);
                for read in list.as_bytes().chunks(size) {
                    let _ = splitter.feed(read, take_item).unwrap();
                }
                splitter.finish().unwrap();
            },
        );
    }
    let chunked: Vec<u8> = events
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| [format!("{:x}\r\n", line.len()).as_bytes(), line, b"\r\n"].concat())
        .collect();
    measure("watch: unchunk + frame + scan, 256 KiB reads", || {
        let (mut decoder, mut framer) = (ChunkDecoder::new(), WatchFramer::new(1 << 24));
        for read in chunked.chunks(256 << 10) {
            let mut rest = read;
            while !rest.is_empty() {
                let (used, piece) = decoder.next_piece(rest).unwrap();
                rest = &rest[used..];
                let _ = framer.feed(piece, take_event).unwrap();
            }
        }
    });
}

fn objects(pods: &[String]) {
    measure("scan alone (with UTF-8 check)", || {
        for pod in pods {
            black_box(ObjectView::scan(black_box(pod.as_bytes()), 0).unwrap());
        }
    });
    let defaults = TypeMeta::new("v1", "Pod");
    let views: Vec<_> = pods
        .iter()
        .map(|pod| ObjectView::scan(pod.as_bytes(), 0).unwrap())
        .collect();
    measure("copy, dropped at once", || {
        for view in &views {
            black_box(view.to_object(&defaults, false));
        }
    });
    measure("copy, kept (fresh memory from the system)", || {
        let kept: Vec<Object> = views
            .iter()
            .map(|view| view.to_object(&defaults, false))
            .collect();
        std::mem::forget(black_box(kept));
    });
    let objects: Vec<Object> = views
        .iter()
        .map(|view| view.to_object(&defaults, false))
        .collect();
    let paths = ["spec.nodeName", "status.phase", "metadata.labels['app']"];
    let paths = paths.map(|path| IndexFunc::Path(Path::compile(path).unwrap()));
    let plan = IndexPlan::new(paths.to_vec());
    measure("values of 3 index paths", || {
        for object in &objects {
            plan.values(black_box(object), |index, value| {
                black_box((index, value));
            })
            .unwrap();
        }
    });
    let plan = IndexPlan::new(vec![IndexFunc::ControllerOwner { kind: None }]);
    measure("value of the controller owner index", || {
        for object in &objects {
            plan.values(black_box(object), |index, value| {
                black_box((index, value));
            })
            .unwrap();
        }
    });
    let selector = Selector::parse("app!=x,tier in (backend)").unwrap();
    measure("selector of 2 requirements", || {
        for object in &objects {
            black_box(selector.matches(black_box(object)));
        }
    });
    println!(
        "an object: {} bytes of raw, {} on the heap",
        objects[0].raw_len(),
        objects[0].heap_size()
    );
}

fn main() {
    let pods = pods();
    let events: Vec<u8> = pods
        .iter()
        .flat_map(|pod| {
            let object = format!("{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",{}", &pod[1..]);
            format!("{{\"type\":\"ADDED\",\"object\":{object}}}\n").into_bytes()
        })
        .collect();
    println!("{PODS} pods of {} bytes", pods[0].len());
    floors(&pods, &events);
    streams(&pods, &events);
    objects(&pods);
}
