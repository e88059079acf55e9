//! `Http1`: a connection that speaks HTTP/1.1, one GET after the other.
//!
//! Whoever waits for something of it reads the socket, into one buffer that stays: a watch event is a chunk of its own, and
//! a frame, a buffer and a task for each would cost as much as to find its fields. Nobody looks at an idle connection, so it
//! is asked whether it is still open before it is used.
//!
//! Invariant: what is in the buffer belongs to the answer under way.

use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::ops::Range;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use http::{header, HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version};
use kubeinformer_core::scan::chunked::ChunkDecoder;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use crate::error::Error;
use crate::link::SendError;
use crate::pump::PIECE;
use crate::stream::Stream;

/// Bytes that are read at once, and at most of the head of an answer. With half of it a busy watch costs some 5 % more: who
/// reads sleeps more often. With 2 MB it is slower again.
const BUFFER: usize = PIECE;
const MAX_HEADERS: usize = 100;

/// See the [module](self).
pub(crate) struct Http1 {
    stream: Stream,
    /// The event loop may not have seen yet that the server has closed; the kernel has.
    socket: TcpStream,
    buffer: Box<[u8]>,
    /// What was read and not looked at.
    unread: Range<usize>,
    /// The server has ended its side.
    ended: bool,
    /// To be told after what was read before it.
    failed: Option<io::Error>,
}

/// The head of an answer.
pub(crate) struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
    version: Version,
}

/// How the end of a body is known (RFC 9112, section 6.3).
enum Framing {
    Length { left: u64, of: u64 },
    Chunked(ChunkDecoder),
    UntilClosed,
}

/// The body of an answer while it comes.
pub(crate) struct Incoming {
    connection: Box<Http1>,
    framing: Framing,
    is_persistent: bool,
    /// What the last read gave.
    pieces: Vec<Range<usize>>,
    /// To be told after the pieces before.
    failed: Option<Error>,
}

impl Http1 {
    pub fn new(stream: Stream) -> io::Result<Self> {
        Ok(Self {
            socket: stream.socket()?,
            stream,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            unread: 0..0,
            ended: false,
            failed: None,
        })
    }

    /// Whether there is nothing to read, not even the end. What a server says without being asked is its goodbye.
    pub fn is_open(&self) -> bool {
        let peeked = self.socket.peek(&mut [0]);
        let is_quiet = peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        is_quiet && self.unread.is_empty() && !self.ended && self.failed.is_none()
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn send(
        mut self: Box<Self>,
        request: &Request<()>,
    ) -> Result<(Head, Incoming), SendError> {
        self.write(&written(request)).await?;
        let head = self.read_head().await.map_err(SendError::Failed)?;
        let framing = framing(&head).map_err(SendError::Failed)?;
        let is_persistent = head.version == Version::HTTP_11
            && !has_token(&head.headers, &header::CONNECTION, "close");
        let incoming = Incoming {
            is_persistent: is_persistent && !matches!(framing, Framing::UntilClosed),
            connection: self,
            framing,
            pieces: Vec::new(),
            failed: None,
        };
        Ok((head, incoming))
    }

    async fn write(&mut self, request: &[u8]) -> Result<(), SendError> {
        let mut rest = request;
        while !rest.is_empty() {
            match self.stream.write(rest).await {
                Ok(count) if count > 0 => rest = &rest[count..],
                Ok(_) => return Err(SendError::Failed(closed())),
                Err(error) if rest.len() == request.len() => {
                    return Err(SendError::Unsent(Error::of(&error)));
                }
                Err(error) => return Err(SendError::Failed(Error::of(&error))),
            }
        }
        let flushed = self.stream.flush().await;
        flushed.map_err(|error| SendError::Failed(Error::of(&error)))
    }

    async fn read_head(&mut self) -> Result<Head, Error> {
        loop {
            if let Some((head, length)) = parse(&self.buffer[self.unread.clone()])? {
                self.unread.start += length;
                if !head.status.is_informational() {
                    return Ok(head);
                }
                if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Err(Error::Failed("the server switched the protocol".to_owned()));
                }
            } else if self.ended {
                return Err(closed());
            } else {
                self.make_room();
                if self.unread.end == self.buffer.len() {
                    let what = format!("the head of the answer has more than {BUFFER} bytes");
                    return Err(Error::Failed(what));
                }
                poll_fn(|cx| self.poll_fill(cx)).await?;
            }
        }
    }

    fn make_room(&mut self) {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
    }

    /// Reads what is there, as far as there is room; waits while there is nothing, not even the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(failed) = self.failed.take() {
            return Poll::Ready(Err(Error::of(&failed)));
        }
        let before = self.unread.end;
        while self.unread.end < self.buffer.len() && !self.ended {
            let mut room = ReadBuf::new(&mut self.buffer[self.unread.end..]);
            match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
                Poll::Ready(Ok(())) if room.filled().is_empty() => self.ended = true,
                Poll::Ready(Ok(())) => self.unread.end += room.filled().len(),
                Poll::Ready(Err(error)) if self.unread.end == before => {
                    return Poll::Ready(Err(Error::of(&error)));
                }
                Poll::Ready(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Poll::Pending if self.unread.end == before => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Incoming {
    /// Reads on, and waits while there is nothing. No pieces: the body is at its end.
    ///
    /// Can be called off: what was not given comes with the next call.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.pieces.clear();
        loop {
            if let Some(failed) = self.failed.take() {
                return Poll::Ready(Err(failed));
            }
            self.decode();
            if !self.pieces.is_empty() || self.is_at_end() {
                return Poll::Ready(Ok(()));
            }
            if self.failed.is_some() {
                continue;
            }
            if self.connection.ended {
                return Poll::Ready(Err(self.broken_off()));
            }
            self.connection.unread = 0..0;
            ready!(self.connection.poll_fill(cx)).map_err(|error| match error {
                Error::Failed(what) => Error::Failed(format!("the body broke off: {what}")),
                other => other,
            })?;
        }
    }

    /// What the last read gave.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let piece = |range: &Range<usize>| &self.connection.buffer[range.clone()];
        self.pieces.iter().map(piece)
    }

    /// Whether the server has sent all of it, and all was read.
    pub fn is_at_end(&self) -> bool {
        match &self.framing {
            Framing::Length { left, .. } => *left == 0,
            Framing::Chunked(decoder) => decoder.is_done(),
            Framing::UntilClosed => self.connection.ended && self.connection.unread.is_empty(),
        }
    }

    /// The connection, if it can serve another request.
    pub fn into_connection(self) -> Option<Box<Http1>> {
        let is_usable = self.is_persistent && self.is_at_end();
        is_usable.then_some(self.connection)
    }

    /// Takes all that is unread apart.
    fn decode(&mut self) {
        let Http1 { buffer, unread, .. } = &mut *self.connection;
        while unread.start < unread.end {
            let (used, piece) = match &mut self.framing {
                Framing::UntilClosed => (unread.len(), unread.clone()),
                Framing::Length { left, .. } => {
                    let length =
                        usize::try_from(*left).map_or(unread.len(), |left| left.min(unread.len()));
                    *left -= length as u64;
                    (length, unread.start..unread.start + length)
                }
                Framing::Chunked(decoder) => match decoder.next_piece(&buffer[unread.clone()]) {
                    Ok((used, piece)) => {
                        let end = unread.start + used;
                        (used, end - piece.len()..end)
                    }
                    Err(error) => {
                        self.failed = Some(Error::Failed(format!("the body broke off: {error}")));
                        return;
                    }
                },
            };
            if used == 0 {
                return;
            }
            unread.start += used;
            if !piece.is_empty() {
                self.pieces.push(piece);
            }
        }
    }

    fn broken_off(&self) -> Error {
        match self.framing {
            Framing::Length { left, of } => Error::Short { got: of - left, of },
            Framing::Chunked(_) | Framing::UntilClosed => {
                Error::Failed(format!("the body broke off: {}", closed()))
            }
        }
    }
}

fn closed() -> Error {
    Error::Failed("the server closed the connection in the middle of an answer".to_owned())
}

/// A request as it is sent.
fn written(request: &Request<()>) -> Vec<u8> {
    let uri = request.uri();
    let target = match uri.path_and_query() {
        Some(target) if uri.authority().is_none() => target.to_string(),
        _ => uri.to_string(),
    };
    let mut text = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// The head at the beginning of `bytes` and its length; None while it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Error> {
    let malformed = |what: &dyn std::fmt::Display| {
        Error::Failed(format!("the head of the answer is malformed: {what}"))
    };
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(&error)),
    };
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default());
    let mut map = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name =
            HeaderName::from_bytes(header.name.as_bytes()).map_err(|error| malformed(&error))?;
        let value = HeaderValue::from_bytes(header.value).map_err(|error| malformed(&error))?;
        map.append(name, value);
    }
    let head = Head {
        status: status.map_err(|error| malformed(&error))?,
        headers: map,
        version: match parsed.version {
            Some(1) => Version::HTTP_11,
            _ => Version::HTTP_10,
        },
    };
    Ok(Some((head, length)))
}

fn framing(head: &Head) -> Result<Framing, Error> {
    let length = |of| Framing::Length { left: of, of };
    if matches!(
        head.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    ) {
        return Ok(length(0));
    }
    if let Some(coding) = head
        .headers
        .get_all(header::TRANSFER_ENCODING)
        .iter()
        .next_back()
    {
        let last = coding
            .as_bytes()
            .rsplit(|byte| *byte == b',')
            .next()
            .unwrap_or_default();
        let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        return Ok(if is_chunked {
            Framing::Chunked(ChunkDecoder::new())
        } else {
            Framing::UntilClosed
        });
    }
    let mut announced = None;
    for value in head.headers.get_all(header::CONTENT_LENGTH) {
        let text = value.to_str().unwrap_or_default().trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let of: Option<u64> = digits.then(|| text.parse().ok()).flatten();
        if of.is_none() || announced.is_some_and(|before| Some(before) != of) {
            return Err(Error::Failed(format!(
                "the server sent content-length {value:?}"
            )));
        }
        announced = of;
    }
    Ok(announced.map_or(Framing::UntilClosed, length))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|it| it.trim().eq_ignore_ascii_case(token))
}
