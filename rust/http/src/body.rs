//! `Body`: the body of an answer, decoded; what is there is given at once, and never waits for what follows.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use bytes::Bytes;
use http::{header, HeaderMap};
use http_body::Body as _;

use crate::client::Client;
use crate::error::Error;
use crate::gunzip::Gunzip;
use crate::http1;
use crate::link::{Incoming, Link};

/// See the [module](self).
pub struct Body {
    incoming: Incoming,
    client: Arc<Client>,
    coding: Coding,
    /// What the last read gave, unless it lies in the buffer of the connection.
    pieces: Vec<Bytes>,
    /// What broke it off, to be told after the pieces before.
    failed: Option<Error>,
    broken: bool,
    ended: bool,
    /// Of HTTP/2.
    announced: Option<u64>,
    got: u64,
}

enum Coding {
    Plain,
    Gzip(Box<Gunzip>),
    Unknown(String),
}

impl Body {
    pub(crate) fn new(incoming: Incoming, headers: &HeaderMap, client: Arc<Client>) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let coding = text(header::CONTENT_ENCODING).unwrap_or_default().trim();
        let coding = match coding.to_ascii_lowercase().as_str() {
            "" | "identity" => Coding::Plain,
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(Gunzip::new())),
            other => Coding::Unknown(other.to_owned()),
        };
        Self {
            incoming,
            client,
            coding,
            pieces: Vec::new(),
            failed: None,
            broken: false,
            ended: false,
            announced: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            got: 0,
        }
    }

    /// Whether the server has sent all of it, and all was read.
    pub fn is_at_end(&self) -> bool {
        let all_came = match &self.incoming {
            Incoming::Http1(incoming) => incoming.is_at_end(),
            Incoming::Http2(incoming) => incoming.is_end_stream(),
        };
        let all_decoded = match &self.coding {
            Coding::Gzip(gunzip) => gunzip.is_idle(),
            Coding::Plain | Coding::Unknown(_) => true,
        };
        !self.broken && (self.ended || (all_came && all_decoded))
    }

    /// Reads what is there, about `limit` bytes of it at most; waits while nothing is. It gave nothing iff the body is at
    /// its end.
    ///
    /// Can be called off: nothing is lost, and the next call goes on. Who calls has the deadline.
    pub async fn read(&mut self, limit: usize) -> Result<(), Error> {
        poll_fn(|cx| self.poll_read(cx, limit)).await
    }

    /// What the last read gave.
    pub fn pieces(&self) -> Vec<&[u8]> {
        match (&self.incoming, &self.coding) {
            (Incoming::Http1(incoming), Coding::Plain) => incoming.pieces().collect(),
            _ => self.pieces.iter().map(AsRef::as_ref).collect(),
        }
    }

    /// The connection can serve the next request iff the body was read to its end.
    pub fn give_back(self) {
        let is_at_end = self.is_at_end();
        if let (Incoming::Http1(incoming), true) = (self.incoming, is_at_end) {
            if let Some(connection) = incoming.into_connection() {
                self.client.put(Link::Http1(connection));
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<(), Error>> {
        if let (Incoming::Http1(incoming), Coding::Plain) = (&mut self.incoming, &self.coding) {
            return incoming.poll_read(cx);
        }
        self.pieces.clear();
        let mut left = limit;
        while left > 0 && !self.ended && !self.broken {
            match self.poll_piece(cx) {
                Poll::Pending if self.pieces.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(Some(piece))) if piece.is_empty() => {}
                Poll::Ready(Ok(Some(piece))) => {
                    left = left.saturating_sub(piece.len());
                    self.pieces.push(piece);
                }
                Poll::Ready(Ok(None)) => self.ended = true,
                Poll::Ready(Err(error)) => {
                    self.failed = Some(error);
                    self.broken = true;
                }
            }
        }
        if self.pieces.is_empty() && self.broken {
            let again = || Error::Failed("the body broke off before".to_owned());
            return Poll::Ready(Err(self.failed.take().unwrap_or_else(again)));
        }
        Poll::Ready(Ok(()))
    }

    /// The next piece as it was before it was encoded; may be empty.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        if let Coding::Gzip(gunzip) = &mut self.coding {
            if let Some(decoded) = gunzip.next()? {
                return Poll::Ready(Ok(Some(decoded)));
            }
        }
        let data = ready!(self.poll_data(cx))?;
        self.got += data.as_ref().map_or(0, |data| data.len() as u64);
        Poll::Ready(match (&mut self.coding, data) {
            (Coding::Plain, data) => Ok(data),
            (Coding::Gzip(gunzip), Some(data)) => {
                gunzip.put(data);
                gunzip.next()
            }
            (Coding::Gzip(gunzip), None) if self.got > 0 => gunzip.finish().map(|()| None),
            (Coding::Gzip(_), None) => Ok(None),
            (Coding::Unknown(coding), _) => Err(Error::Failed(format!(
                "the server sent an unknown content-encoding, {coding}"
            ))),
        })
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        match &mut self.incoming {
            Incoming::Http1(incoming) => poll_joined(incoming, cx),
            Incoming::Http2(incoming) => loop {
                return match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    None => Poll::Ready(Ok(None)),
                    Some(Err(error)) => Poll::Ready(Err(self.broken(&error))),
                    Some(Ok(frame)) => match frame.into_data() {
                        // Allowed, and not the end.
                        Ok(data) if data.is_empty() => continue,
                        Ok(data) => Poll::Ready(Ok(Some(data))),
                        Err(_trailers) => continue,
                    },
                };
            },
        }
    }

    fn broken(&self, error: &hyper::Error) -> Error {
        match self.announced {
            Some(of) if self.got < of => Error::Short { got: self.got, of },
            _ => match Error::of(error) {
                Error::Failed(what) => Error::Failed(format!("the body broke off: {what}")),
                other => other,
            },
        }
    }
}

/// All that there is, in a buffer of its own; None at the end.
fn poll_joined(
    incoming: &mut http1::Incoming,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, Error>> {
    ready!(incoming.poll_read(cx))?;
    let joined: Vec<u8> = incoming.pieces().flatten().copied().collect();
    Poll::Ready(Ok((!joined.is_empty()).then(|| joined.into())))
}
