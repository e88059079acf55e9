//! `Link`: a connection that takes requests, of either version of HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::{http2, TrySendError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::error::Error;
use crate::http1::{self, Http1};
use crate::stream::Stream;

/// client-go's health check of HTTP/2.
const PING_AFTER: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// All streams share the connection, and one of them may stand still because its informer's queue is full.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
const FRAME: u32 = 256 << 10;

pub(crate) type Http2 = http2::SendRequest<Empty<Bytes>>;

/// See the [module](self).
pub(crate) enum Link {
    Http1(Box<Http1>),
    /// One of many on the same connection.
    Http2(Http2),
}

/// A body while it comes.
pub(crate) enum Incoming {
    Http1(http1::Incoming),
    Http2(hyper::body::Incoming),
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
            let connection = Http1::new(stream).map_err(|error| Error::of(&error))?;
            return Ok(Self::Http1(Box::new(connection)));
        }
        let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
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
        sender.ready().await.map_err(|error| Error::of(&error))?;
        Ok(Self::Http2(sender))
    }

    /// Whether it takes a request now.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_open(),
            Self::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn send(
        self,
        request: Request<()>,
    ) -> Result<(StatusCode, HeaderMap, Incoming), SendError> {
        match self {
            Self::Http1(connection) => {
                let (head, incoming) = connection.send(&request).await?;
                Ok((head.status, head.headers, Incoming::Http1(incoming)))
            }
            Self::Http2(mut sender) => {
                let request = request.map(|()| Empty::new());
                let answer = sender.try_send_request(request).await.map_err(not_sent)?;
                let (head, incoming) = answer.into_parts();
                Ok((head.status, head.headers, Incoming::Http2(incoming)))
            }
        }
    }
}

fn not_sent<B>(mut error: TrySendError<B>) -> SendError {
    let is_unsent = error.take_message().is_some();
    let error = Error::of(error.error());
    if is_unsent {
        SendError::Unsent(error)
    } else {
        SendError::Failed(error)
    }
}
