//! The pump against a server of plain sockets: what comes together is fed together, and everything that waits can end.

use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{mpsc, Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use kubeinformer_core::source::ReadError;
use kubeinformer_http::body::Body;
use kubeinformer_http::client::{Client, Timeouts, Wanted};
use kubeinformer_http::connect::Origin;
use kubeinformer_http::error::Error;
use kubeinformer_http::pump::{pump, Heard, Limits, Pumped, PIECE};
use kubeinformer_http::runtime;
use kubeinformer_http::sink::{Fed, Sink};
use kubeinformer_http::stop::Stop;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// A server that answers one request as it is told; the head is sent already.
fn serve(answer: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
        while lines
            .next()
            .is_some_and(|line| !line.expect("text").is_empty())
        {}
        stream.write_all(HEAD).expect("the client reads");
        answer(stream);
    });
    port
}

fn until_closed(stream: TcpStream) {
    let _ = BufReader::new(stream).lines().count();
}

/// What was fed at each time.
#[derive(Clone, Default)]
struct Record {
    feeds: Arc<Mutex<Vec<usize>>>,
    full: bool,
    broken: bool,
    blocks: bool,
}

impl Record {
    fn feeds(&self) -> Vec<usize> {
        self.feeds.lock().expect("no panic").clone()
    }
}

impl Sink for Record {
    fn has_room(&mut self) -> Result<bool, ReadError> {
        Ok(!self.full)
    }

    fn feed(&mut self, pieces: &[&[u8]]) -> Result<Fed, ReadError> {
        let size = pieces.iter().map(|piece| piece.len()).sum();
        self.feeds.lock().expect("no panic").push(size);
        if self.broken {
            return Err(ReadError::Closed);
        }
        Ok(Fed::More)
    }

    fn blocks(&self) -> bool {
        self.blocks
    }
}

async fn body(port: u16) -> Body {
    let address = format!("http://127.0.0.1:{port}/")
        .parse()
        .expect("an address");
    let client = Client::new(Origin {
        address,
        tls: None,
        proxy: None,
    });
    let wanted = Wanted {
        target: "/p".parse().expect("a path"),
        headers: HeaderMap::new(),
    };
    let timeouts = Timeouts {
        connect: LONG,
        read: LONG,
    };
    let answer = Arc::new(client).get(wanted, timeouts, Arc::default()).await;
    answer.expect("an answer").body
}

fn on_the_runtime<R: Send + 'static>(work: impl Future<Output = R> + Send + 'static) -> R {
    let runtime = runtime::handle(0).expect("threads");
    runtime.block_on(runtime.spawn(work)).expect("no panic")
}

fn run(port: u16, sink: &Record, silence: Duration, at_most: Duration) -> Result<Pumped, Error> {
    let mut sink = sink.clone();
    on_the_runtime(async move {
        let mut body = body(port).await;
        let limits = Limits { silence, at_most };
        pump(
            &mut body,
            &mut sink,
            limits,
            &Stop::default(),
            &Heard::default(),
        )
        .await
    })
}

#[test]
fn chunks_that_are_there_together_are_fed_together() {
    let event = [b'x'; 1000];
    let port = serve(move |mut stream| {
        let all: Vec<u8> = (0..1000).flat_map(|_| chunk(&event)).collect();
        stream.write_all(&all).expect("the client reads");
        stream.write_all(&chunk(b"")).expect("the client reads");
        until_closed(stream);
    });
    let sink = Record::default();
    let pumped = run(port, &sink, LONG, LONG);
    assert!(matches!(pumped, Ok(Pumped::Over)), "{pumped:?}");
    let feeds = sink.feeds();
    assert_eq!(feeds.iter().sum::<usize>(), 1_000_000);
    assert!(feeds.iter().all(|&size| size <= PIECE));
    assert!(feeds.len() < 200, "{} feeds for 1000 chunks", feeds.len());
}

#[test]
fn a_chunk_is_fed_before_the_next_one_comes() {
    let (next, wait) = mpsc::channel();
    let port = serve(move |mut stream| {
        while let Ok(event) = wait.recv_timeout(LONG) {
            stream.write_all(&chunk(event)).expect("the client reads");
        }
        until_closed(stream);
    });
    let sink = Record::default();
    let watched = sink.clone();
    let feeder = std::thread::spawn(move || {
        for event in [b"one" as &[u8], b"three", b"four"] {
            let before = watched.feeds().len();
            next.send(event).expect("the server waits");
            while watched.feeds().len() == before {
                std::thread::yield_now();
            }
        }
        next.send(b"").expect("the server waits");
        watched.feeds()
    });
    assert!(matches!(run(port, &sink, LONG, LONG), Ok(Pumped::Over)));
    assert_eq!(feeder.join().expect("no panic"), [3, 5, 4]);
}

#[test]
fn silence_and_the_end_of_the_time_are_told_apart() {
    let one = |mut stream: TcpStream| {
        stream.write_all(&chunk(b"one")).expect("the client reads");
        until_closed(stream);
    };
    let sink = Record::default();
    assert!(matches!(
        run(serve(one), &sink, SHORT, LONG),
        Err(Error::Silent)
    ));
    assert!(matches!(
        run(serve(one), &sink, LONG, SHORT),
        Ok(Pumped::Look)
    ));
    assert_eq!(sink.feeds(), [3, 3]);
}

#[test]
fn a_stop_ends_the_wait_for_bytes_and_the_wait_for_room() {
    for full in [false, true] {
        let port = serve(until_closed);
        let stop = Arc::new(Stop::default());
        let stopping = Arc::clone(&stop);
        let ended = on_the_runtime(async move {
            let mut body = body(port).await;
            let mut sink = Record {
                full,
                ..Record::default()
            };
            let limits = Limits {
                silence: LONG,
                at_most: LONG,
            };
            let heard = Heard::default();
            let stop = async {
                tokio::time::sleep(SHORT).await;
                stopping.set();
            };
            tokio::join!(pump(&mut body, &mut sink, limits, &stopping, &heard), stop).0
        });
        assert!(matches!(ended, Err(Error::Stopped)), "{ended:?}");
        assert!(stop.is_set());
    }
}

#[test]
fn a_body_that_breaks_off_is_fed_up_to_there() {
    let port = serve(|mut stream| {
        stream.write_all(&chunk(b"one")).expect("the client reads");
        stream.write_all(b"20\r\npart").expect("the client reads");
    });
    let sink = Record::default();
    assert!(matches!(
        run(port, &sink, LONG, LONG),
        Err(Error::Failed(_))
    ));
    assert_eq!(sink.feeds().iter().sum::<usize>(), 7);
}

#[test]
fn what_the_sink_says_ends_it_also_where_it_may_block() {
    for blocks in [false, true] {
        let port = serve(|mut stream| {
            stream.write_all(&chunk(b"one")).expect("the client reads");
            until_closed(stream);
        });
        let sink = Record {
            broken: true,
            blocks,
            ..Record::default()
        };
        let ended = run(port, &sink, LONG, LONG);
        assert!(
            matches!(ended, Err(Error::Read(ReadError::Closed))),
            "{ended:?}"
        );
        assert_eq!(sink.feeds(), [3]);
    }
}

#[test]
fn a_runtime_of_a_later_generation_is_another_one() {
    let ids = [0, 1, 0, 3].map(|generation| runtime::handle(generation).expect("threads").id());
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[3]);
}
