//! HTTP/1.1 against a server of plain sockets: the head and the end of a body are known however they come, and a
//! connection serves another request iff nothing is left on it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use kubeinformer_http::client::{Answer, Client, Timeouts, Wanted};
use kubeinformer_http::connect::Origin;
use kubeinformer_http::error::Error;
use kubeinformer_http::runtime;
use kubeinformer_http::stop::Stop;

const LONG: Duration = Duration::from_secs(20);

/// A server that answers each request with the next of `answers`, in the pieces given, and then closes if `closes`. What it
/// receives are the numbers of the connections on which a request came.
fn serve(answers: Vec<Vec<Vec<u8>>>, closes: bool) -> (Arc<Client>, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (requests, received) = channel();
    std::thread::spawn(move || {
        let mut answers = answers.into_iter();
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a client");
            stream.set_nodelay(true).expect("TCP");
            let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            while let Some(Ok(line)) = lines.next() {
                if !line.is_empty() {
                    continue;
                }
                let _ = requests.send(number);
                for piece in answers.next().unwrap_or_default() {
                    if stream.write_all(&piece).is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(300));
                }
                if closes {
                    break;
                }
            }
        }
    });
    let address = format!("http://127.0.0.1:{port}/")
        .parse()
        .expect("an address");
    let client = Client::new(Origin {
        address,
        tls: None,
        proxy: None,
    });
    (Arc::new(client), received)
}

fn get(client: &Arc<Client>) -> Result<Answer, Error> {
    let wanted = Wanted {
        target: "/a?b=c".parse().expect("a target"),
        headers: HeaderMap::new(),
    };
    let timeouts = Timeouts {
        connect: LONG,
        read: LONG,
    };
    let runtime = runtime::handle(0).expect("threads");
    runtime.block_on(Arc::clone(client).get(wanted, timeouts, Arc::default()))
}

/// The whole body, whose connection is given back.
fn read(mut answer: Answer) -> Result<Vec<u8>, Error> {
    let runtime = runtime::handle(0).expect("threads");
    let mut all = Vec::new();
    loop {
        runtime.block_on(async {
            let read = tokio::time::timeout(LONG, answer.body.read(1 << 18)).await;
            read.expect("the body comes")
        })?;
        let pieces = answer.body.pieces().concat();
        if pieces.is_empty() {
            answer.body.give_back();
            return Ok(all);
        }
        all.extend(pieces);
    }
}

fn whole(answer: &[u8]) -> Vec<Vec<u8>> {
    vec![answer.to_vec()]
}

fn failure<T>(result: Result<T, Error>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn an_answer_is_the_same_in_whatever_pieces_it_comes() {
    let answers: [(&[u8], &[u8]); 5] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\na: b\r\n\r\n",
            b"hello!",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    ];
    for (answer, body) in answers {
        for size in [1, 2, 3, 7, answer.len()] {
            let pieces: Vec<_> = answer.chunks(size).map(<[u8]>::to_vec).collect();
            let (client, requests) = serve(vec![pieces.clone(), pieces], false);
            for _ in 0..2 {
                assert_eq!(read(get(&client).expect("a head")).expect("a body"), body);
                assert_eq!(
                    requests.recv().expect("a request"),
                    0,
                    "the same connection"
                );
            }
        }
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let answer = whole(b"HTTP/1.1 200 OK\r\n\r\nall there is");
    let (client, _requests) = serve(vec![answer], true);
    assert_eq!(
        read(get(&client).expect("a head")).expect("a body"),
        b"all there is"
    );
}

#[test]
fn a_body_that_is_cut_off_is_an_error_after_what_came() {
    let short = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    let (client, _requests) = serve(vec![short], true);
    let error = read(get(&client).expect("a head")).expect_err("it is short");
    assert!(matches!(error, Error::Short { got: 5, of: 9 }), "{error}");
    for chunks in [
        "5\r\nhello\r\n",
        "5\r\nhel",
        "5\r\nhello\r\nzz\r\n",
        "5\r\nhello\r\n0\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let (client, _requests) = serve(vec![whole(answer.as_bytes())], true);
        let mut answer = get(&client).expect("a head");
        let runtime = runtime::handle(0).expect("threads");
        runtime
            .block_on(answer.body.read(1 << 18))
            .expect("what came");
        assert!(answer.body.pieces().concat().starts_with(b"hel"));
        assert!(failure(read(answer)).contains("broke off"), "{chunks}");
    }
}

#[test]
fn a_connection_with_something_left_on_it_serves_no_other_request() {
    let left = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];
    for answer in left {
        let next = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
        let (client, requests) = serve(vec![whole(answer.as_bytes()), next], false);
        assert_eq!(read(get(&client).expect("a head")).expect("a body"), b"{}");
        // The server takes the next connection when this one is closed.
        assert_eq!(read(get(&client).expect("a head")).expect("a body"), b"1");
        assert_eq!(requests.iter().take(2).collect::<Vec<_>>(), [0, 1]);
    }
}

#[test]
fn a_head_that_is_none_is_an_error_that_says_so() {
    let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(1 << 20));
    for (answer, what) in [
        ("<html>", "malformed"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            "content-length",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
            "content-length",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Le", "closed"),
        ("", "closed"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "switched"),
        (&endless, "more than"),
    ] {
        let (client, _requests) = serve(vec![whole(answer.as_bytes())], true);
        let error = failure(get(&client));
        assert!(error.contains(what), "{what}: {error}");
    }
}

#[test]
fn a_request_is_stopped_while_it_waits_for_the_head() {
    let (client, requests) = serve(vec![whole(b"HTTP/1.1 200 OK\r\n")], false);
    let stop = Arc::new(Stop::default());
    let stopping = Arc::clone(&stop);
    std::thread::spawn(move || {
        requests.recv().expect("a request");
        stopping.set();
    });
    let wanted = Wanted {
        target: "/".parse().expect("a target"),
        headers: HeaderMap::new(),
    };
    let timeouts = Timeouts {
        connect: LONG,
        read: LONG,
    };
    let runtime = runtime::handle(0).expect("threads");
    let answer = runtime.block_on(client.get(wanted, timeouts, stop));
    assert!(matches!(answer.err(), Some(Error::Stopped)));
}
