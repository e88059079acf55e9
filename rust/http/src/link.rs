//! `Link`: a connection that speaks HTTP.
//!
//! One of HTTP/1.1 is driven by whoever waits for something of it, in the same task: a watch event is one frame, and handing
//! each from task to task would cost more than all else. Nobody looks at an idle one, so it is asked whether it is still open
//! before it is used.

use std::future::{poll_fn, Future};
use std::io;
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2, TrySendError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::error::Error;
use crate::stream::Stream;

/// client-go's health check of HTTP/2.
const PING_AFTER: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// All streams share the connection, and one of them may stand still because its informer's queue is full.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
const FRAME: u32 = 256 << 10;

/// Bytes of a read. A new buffer is needed for each, as the frames before are still there to be fed; larger ones would be
/// fresh memory of the kernel's every time.
const READ: usize = 64 << 10;

pub(crate) type Get = Request<Empty<Bytes>>;
type Http1 = http1::Connection<TokioIo<Stream>, Empty<Bytes>>;

/// See the [module](self).
pub(crate) enum Link {
    Http1 {
        sender: http1::SendRequest<Empty<Bytes>>,
        /// None once it is closed.
        connection: Option<Box<Http1>>,
        /// The event loop may not have seen yet that the server has closed; the kernel has.
        socket: TcpStream,
    },
    Http2(http2::SendRequest<Empty<Bytes>>),
}

/// Why there is no answer.
pub(crate) enum SendError {
    /// Nothing of the request was sent.
    Unsent(Error),
    Failed(Error),
}

impl Link {
    pub async fn new(stream: Stream, is_http2: bool) -> Result<Self, Error> {
        if !is_http2 {
            let socket = stream.socket().map_err(|error| Error::of(&error))?;
            let (sender, connection) = http1::Builder::new()
                .read_buf_exact_size(Some(READ))
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|error| Error::of(&error))?;
            return Ok(Self::Http1 {
                sender,
                connection: Some(Box::new(connection)),
                socket,
            });
        }
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Error::of(&error))?;
        tokio::spawn(connection);
        Ok(Self::Http2(sender))
    }

    /// Goes on with the connection, as far as that is possible now.
    pub fn poll(&mut self, cx: &mut Context<'_>) {
        if let Self::Http1 { connection, .. } = self {
            poll_connection(connection, cx);
        }
    }

    /// Whether it takes a request now.
    pub async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            self.poll(cx);
            Poll::Ready(())
        })
        .await;
        match self {
            Self::Http1 {
                sender,
                connection,
                socket,
            } => connection.is_some() && sender.is_ready() && is_quiet(socket),
            Self::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn send(&mut self, request: Get) -> Result<Response<Incoming>, SendError> {
        match self {
            Self::Http1 {
                sender, connection, ..
            } => {
                let mut answer = pin!(sender.try_send_request(request));
                poll_fn(|cx| {
                    if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                        return Poll::Ready(answer);
                    }
                    poll_connection(connection, cx);
                    answer.as_mut().poll(cx)
                })
                .await
            }
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
        .map_err(not_sent)
    }
}

/// Whether there is nothing to read, not even the end. What a server says without being asked is its goodbye.
fn is_quiet(socket: &TcpStream) -> bool {
    let peeked = socket.peek(&mut [0]);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn poll_connection(connection: &mut Option<Box<Http1>>, cx: &mut Context<'_>) {
    if let Some(open) = connection {
        // What it failed with is told to the request or the body.
        if pin!(open).poll(cx).is_ready() {
            *connection = None;
        }
    }
}

fn not_sent(mut error: TrySendError<Get>) -> SendError {
    let is_unsent = error.take_message().is_some();
    let error = Error::of(error.error());
    if is_unsent {
        SendError::Unsent(error)
    } else {
        SendError::Failed(error)
    }
}
