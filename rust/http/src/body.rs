//! `Body`: the body of an answer, decoded; what is there is given at once, and never waits for what follows.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{header, HeaderMap};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::client::Client;
use crate::error::Error;
use crate::gunzip::Gunzip;
use crate::link::Link;

/// See the [module](self).
pub struct Body {
    incoming: Incoming,
    link: Link,
    client: Arc<Client>,
    coding: Coding,
    /// Of a piece that was more than was asked for.
    rest: Bytes,
    /// What broke it off, to be told after the pieces before.
    failed: Option<Error>,
    broken: bool,
    ended: bool,
    announced: Option<u64>,
    got: u64,
}

enum Coding {
    Plain,
    Gzip(Box<Gunzip>),
    Unknown(String),
}

impl Body {
    pub(crate) fn new(
        incoming: Incoming,
        headers: &HeaderMap,
        link: Link,
        client: Arc<Client>,
    ) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let coding = text(header::CONTENT_ENCODING).unwrap_or_default().trim();
        let coding = match coding.to_ascii_lowercase().as_str() {
            "" | "identity" => Coding::Plain,
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(Gunzip::new())),
            other => Coding::Unknown(other.to_owned()),
        };
        Self {
            incoming,
            link,
            client,
            coding,
            rest: Bytes::new(),
            failed: None,
            broken: false,
            ended: false,
            announced: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            got: 0,
        }
    }

    /// Whether the server has sent all of it, and all was read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty() && !self.broken && (self.ended || self.incoming.is_end_stream())
    }

    /// Adds what is there to `pieces`, up to about `limit` bytes; waits while nothing is. Adds nothing at the end.
    ///
    /// Can be called off: nothing is lost, and the next call goes on. Who calls has the deadline.
    pub async fn read(&mut self, pieces: &mut Vec<Bytes>, limit: usize) -> Result<(), Error> {
        poll_fn(|cx| self.poll_read(cx, pieces, limit)).await
    }

    /// The connection can serve the next request iff the body was read to its end.
    pub fn give_back(self) {
        if self.is_at_end() {
            self.client.put(self.link);
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &mut Vec<Bytes>,
        limit: usize,
    ) -> Poll<Result<(), Error>> {
        let mut left = limit;
        while left > 0 && !self.ended && !self.broken {
            if self.rest.is_empty() {
                match self.poll_piece(cx) {
                    Poll::Pending if left == limit => return Poll::Pending,
                    Poll::Pending => break,
                    Poll::Ready(Ok(Some(piece))) => self.rest = piece,
                    Poll::Ready(Ok(None)) => self.ended = true,
                    Poll::Ready(Err(error)) => {
                        self.failed = Some(error);
                        self.broken = true;
                        break;
                    }
                }
            }
            let piece = self.rest.split_to(self.rest.len().min(left));
            if !piece.is_empty() {
                left -= piece.len();
                pieces.push(piece);
            }
        }
        if left == limit && self.broken {
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
        let Poll::Ready(data) = self.poll_data(cx)? else {
            return Poll::Pending;
        };
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
        loop {
            let mut frame = Pin::new(&mut self.incoming).poll_frame(cx);
            if frame.is_pending() {
                self.link.poll(cx);
                frame = Pin::new(&mut self.incoming).poll_frame(cx);
            }
            return match frame {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(error))) => Poll::Ready(Err(self.broken(&error))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    // Allowed in HTTP/2, and not the end.
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => {
                        self.got += data.len() as u64;
                        Poll::Ready(Ok(Some(data)))
                    }
                    Err(_trailers) => continue,
                },
            };
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
