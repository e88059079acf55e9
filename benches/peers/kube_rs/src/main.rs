//! kube-rs as a peer of the wire benchmark: a reflector's store of typed pods.
//!
//!     kube_rs sync|watch URL list|watch-list PODS EVENTS      one measurement; JSON on standard output
//!
//! Invariant: what is measured is what `peer_run.py` measures of the others: the store is full, each event is one call of
//! a handler that only counts. A store of kube-rs has no indices, so none is kept or checked; managedFields are cut, as
//! its documentation recommends and kubeinformer does. One thread, since it has one core.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Config, ResourceExt};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, url, way, pods, events] = arguments.as_slice() else {
        return Err("kube_rs sync|watch URL list|watch-list PODS EVENTS".into());
    };
    let result = measure(what == "watch", url, way, pods.parse()?, events.parse()?).await?;
    println!("{result}");
    Ok(())
}

async fn measure(
    watching: bool,
    url: &str,
    way: &str,
    pods: usize,
    events: usize,
) -> Result<Value, Failure> {
    let rss = memory("VmRSS:")?;
    let (begin, used) = (
        seconds(ClockId::Monotonic),
        seconds(ClockId::ProcessCPUTime),
    );
    let client = Client::try_from(Config::new(url.parse()?))?;
    let (store, writer) = reflector::store::<Pod>();
    let config = watcher::Config::default().any_semantic();
    let config = if way == "watch-list" {
        config.streaming_lists()
    } else {
        config
    };
    let stream =
        watch(Api::<Pod>::all(client), config).modify(|pod| pod.managed_fields_mut().clear());
    let mut stream = pin!(stream.reflect(writer));
    while !matches!(
        stream.next().await.ok_or("the stream ended")??,
        Event::InitDone
    ) {}
    let (end, end_used) = (
        seconds(ClockId::Monotonic),
        seconds(ClockId::ProcessCPUTime),
    );
    check(&store, pods)?;
    if !watching {
        let peak = memory("VmHWM:")? - rss;
        let kept = memory("VmRSS:")? - rss;
        check(&store, pods)?; // what is measured is alive until here
        return Ok(json!({
            "objects": pods, "seconds": end - begin, "cpu_seconds": end_used - used,
            "rss_per_object": kept / pods as f64, "peak_rss_per_object": peak / pods as f64,
        }));
    }
    let address = url.to_owned();
    let used = seconds(ClockId::ProcessCPUTime);
    let released = std::thread::spawn(move || release(&address).map_err(|error| error.to_string()));
    let mut calls = 0_usize;
    while calls < events {
        let event = stream.next().await.ok_or("the watch ended too early")??;
        if let Event::Apply(pod) | Event::Delete(pod) = &event {
            black_box(pod);
            calls += 1;
        }
    }
    let (end, end_used) = (
        seconds(ClockId::Monotonic),
        seconds(ClockId::ProcessCPUTime),
    );
    let begin = released.join().map_err(|_| "the release failed")??;
    Ok(json!({"objects": events, "seconds": end - begin, "cpu_seconds": end_used - used}))
}

fn check(store: &Store<Pod>, pods: usize) -> Result<(), Failure> {
    let count = store.len();
    if count == pods {
        Ok(())
    } else {
        Err(format!("{count} of {pods} objects").into())
    }
}

/// Lets the server send the events; when, by the clock that all processes share.
fn release(url: &str) -> Result<f64, Failure> {
    use std::io::{Read, Write};
    let host = url.trim_start_matches("http://");
    let mut connection = std::net::TcpStream::connect(host)?;
    write!(
        connection,
        "POST /bench/release HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
    )?;
    connection.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1).ok_or("no answer")?;
    let body: BTreeMap<String, Option<f64>> = serde_json::from_str(body)?;
    body.get("released_at")
        .copied()
        .flatten()
        .ok_or_else(|| "the events were not released".into())
}

fn seconds(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn memory(field: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .ok_or("no such field")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes * 1024.0)
}
