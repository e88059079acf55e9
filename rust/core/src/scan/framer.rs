//! Watch streams: one JSON object a line. Invariant: the events are the same however the stream was split, every line ends
//! at a byte 0x0A and nowhere else, and a last line without one is an event iff it is complete.
use super::cursor::{is_space, Cursor};
use super::text;
use crate::error::{excerpt, Fault, ScanError, ScanErrorKind};
use crate::object::view::utf8;
use crate::object::ObjectView;
use std::borrow::Cow;
use std::ops::ControlFlow;

/// What an event says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `ADDED`
    Added,
    /// `MODIFIED`
    Modified,
    /// `DELETED`
    Deleted,
    /// `BOOKMARK`: no change, only a resource version.
    Bookmark,
    /// `ERROR`: the object is a Status, or should be.
    Error,
    /// Anything else; the event's `type_name` has the word.
    Unknown,
}

impl EventType {
    fn of(name: &str) -> Self {
        match name {
            "ADDED" => Self::Added,
            "MODIFIED" => Self::Modified,
            "DELETED" => Self::Deleted,
            "BOOKMARK" => Self::Bookmark,
            "ERROR" => Self::Error,
            _ => Self::Unknown,
        }
    }
}

/// One line of a watch stream. It borrows the framer's input: copy what has to outlive the callback.
#[derive(Debug, Clone)]
pub struct WatchEvent<'a> {
    /// The type, as far as it is one of the known ones.
    pub kind: EventType,
    /// The type as the server wrote it.
    pub type_name: Cow<'a, str>,
    /// The bytes of `object`, brackets balanced.
    pub object: &'a [u8],
    /// Where `object` starts in the stream.
    pub offset: u64,
    view: Option<ObjectView<'a>>,
}

impl<'a> WatchEvent<'a> {
    /// The scan of `object`. For events that carry objects it was made while the line was split, so this costs nothing;
    /// otherwise, and for an object that cannot be used, it scans (again) and gives the error.
    pub fn into_view(self) -> Result<ObjectView<'a>, ScanError> {
        match self.view {
            Some(view) => Ok(view),
            None => ObjectView::scan(self.object, self.offset),
        }
    }
}

/// Splits a watch stream into events. After an error, or after the sink has said `Break`, the stream is over: what
/// follows would follow a gap.
#[derive(Debug)]
pub struct WatchFramer {
    max_line: usize,
    /// The start of a line whose end has not come.
    buffer: Vec<u8>,
    /// How much of `buffer` is known to hold no line end.
    searched: usize,
    /// Where `buffer` starts in the stream.
    offset: u64,
}

impl WatchFramer {
    /// A framer that refuses lines longer than `max_line` bytes.
    pub fn new(max_line: usize) -> Self {
        Self {
            max_line,
            buffer: Vec::new(),
            searched: 0,
            offset: 0,
        }
    }

    /// Bytes that wait for the end of their line.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The buffer itself, for a caller that can decode straight into it: append only, then `feed(&[], …)`.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Reads on; the sink gets each event as soon as its line is complete. Lines that lie whole in `data` are not copied.
    /// `Break` when the sink said so; the rest of the data is then dropped.
    pub fn feed<E: From<ScanError>>(
        &mut self,
        data: &[u8],
        mut sink: impl FnMut(WatchEvent<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let mut rest = data;
        if !self.buffer.is_empty() {
            if self.drain(&mut sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if !self.buffer.is_empty() {
                let Some(end) = memchr::memchr(b'\n', rest) else {
                    return self.keep(rest);
                };
                self.check(self.buffer.len() + end, [&self.buffer, rest])?;
                let mut line = std::mem::take(&mut self.buffer);
                line.extend_from_slice(&rest[..end]);
                rest = &rest[end + 1..];
                let flow = self.line(&line, self.offset, &mut sink)?;
                self.offset += line.len() as u64 + 1;
                self.searched = 0;
                if line.capacity() <= KEPT_CAPACITY {
                    line.clear();
                    self.buffer = line;
                }
                if flow.is_break() {
                    return Ok(flow);
                }
            }
        }
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let flow = self.line(&rest[..end], self.offset, &mut sink)?;
            self.offset += end as u64 + 1;
            rest = &rest[end + 1..];
            if flow.is_break() {
                return Ok(flow);
            }
        }
        self.keep(rest)
    }

    /// The end of the stream: a last line without its line end is an event if it is complete and `Truncated` if not.
    pub fn finish<E: From<ScanError>>(
        &mut self,
        mut sink: impl FnMut(WatchEvent<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let flow = self.feed(&[], &mut sink)?;
        if flow.is_break() {
            return Ok(flow);
        }
        let line = std::mem::take(&mut self.buffer);
        self.searched = 0;
        let flow = self.line(&line, self.offset, &mut sink)?;
        self.offset += line.len() as u64;
        Ok(flow)
    }

    /// The complete lines that a caller has put into the buffer.
    fn drain<E: From<ScanError>>(
        &mut self,
        sink: &mut impl FnMut(WatchEvent<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let mut start = 0;
        let buffer = std::mem::take(&mut self.buffer);
        let mut searched = std::mem::take(&mut self.searched).min(buffer.len());
        while let Some(end) = memchr::memchr(b'\n', &buffer[searched..]) {
            let end = searched + end;
            let flow = self.line(&buffer[start..end], self.offset, sink)?;
            self.offset += (end - start) as u64 + 1;
            start = end + 1;
            searched = start;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        self.buffer = buffer;
        self.buffer.drain(..start);
        self.keep(&[])
    }

    fn keep<E: From<ScanError>>(&mut self, rest: &[u8]) -> Result<ControlFlow<()>, E> {
        self.check(self.buffer.len() + rest.len(), [&self.buffer, rest])?;
        self.buffer.extend_from_slice(rest);
        self.searched = self.buffer.len();
        Ok(ControlFlow::Continue(()))
    }

    /// `start`, in two pieces, are bytes of the line from its beginning, to name its object.
    fn check(&self, length: usize, start: [&[u8]; 2]) -> Result<(), ScanError> {
        if length <= self.max_line {
            return Ok(());
        }
        let message = format!("watch line longer than {} bytes", self.max_line);
        let mut error = ScanError::new(ScanErrorKind::TooLarge, message, self.offset);
        error.key = key_in_line(&start.concat());
        Err(error)
    }

    /// One line; blank lines are nothing.
    fn line<E: From<ScanError>>(
        &self,
        line: &[u8],
        offset: u64,
        sink: &mut impl FnMut(WatchEvent<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        self.check(line.len(), [line, &[]])?;
        if line.iter().all(|byte| is_space(*byte)) {
            return Ok(ControlFlow::Continue(()));
        }
        sink(event(line, offset)?)
    }
}

/// A watch lives for long; one huge object must not pin its memory.
const KEPT_CAPACITY: usize = 256 * 1024;

fn event(line: &[u8], offset: u64) -> Result<WatchEvent<'_>, ScanError> {
    Parts::read(line, offset)
        .and_then(|parts| parts.event(line, offset))
        .map_err(|fault| {
            let mut error = fault.at_base(offset);
            error.key = key_in_line(line);
            if matches!(
                fault.kind,
                ScanErrorKind::Syntax | ScanErrorKind::NotAnObject
            ) {
                let shown = if is_foreign(line, offset) {
                    excerpt(line, 120)
                } else {
                    format!("of {} bytes", line.len())
                };
                error.message = format!("{} in watch line {shown}", error.message);
            }
            error
        })
}

/// Whether a line is no part of a watch, but what a proxy says, and so may be quoted: an event that is damaged may hold a
/// part of a Secret.
fn is_foreign(line: &[u8], offset: u64) -> bool {
    match line.trim_ascii_start().first() {
        Some(b'<') => true,
        first => offset == 0 && first != Some(&b'{'),
    }
}

/// The key of the object in a line that is broken or not all there, if it can be told.
fn key_in_line(line: &[u8]) -> Option<String> {
    const OBJECT: &[u8] = b"\"object\":";
    let behind = memchr::memmem::find(line, OBJECT)? + OBJECT.len();
    let start = behind + memchr::memchr(b'{', &line[behind..])?;
    ObjectView::key_of_start(&line[start..])
}

/// The members of a line that matter, as positions.
#[derive(Default)]
struct Parts<'a> {
    type_name: Option<(usize, usize)>,
    object: Option<(usize, usize)>,
    view: Option<ObjectView<'a>>,
}

impl<'a> Parts<'a> {
    fn read(line: &'a [u8], offset: u64) -> Result<Self, Fault> {
        let mut parts = Self::default();
        let mut cursor = Cursor::new(line, 0);
        if cursor.peek()? != b'{' {
            return Err(Fault::new(
                ScanErrorKind::NotAnObject,
                "not a JSON object",
                cursor.pos,
            ));
        }
        cursor.pos += 1;
        let mut first = true;
        while let Some(key) = cursor.next_key(&mut first)? {
            match &*cursor.key(key) {
                b"type" => {
                    let value = cursor.skip_value()?;
                    parts.type_name = (line[value.0] == b'"').then_some((value.0 + 1, value.1 - 1));
                }
                b"object" => {
                    parts.view = None;
                    parts.object = Some(parts.scan_object(line, &mut cursor, offset)?);
                }
                _ => {
                    cursor.skip_value()?;
                }
            }
        }
        match line[cursor.pos..].iter().position(|byte| !is_space(*byte)) {
            None => Ok(parts),
            Some(extra) => Err(Fault::syntax(
                "unexpected bytes behind the event",
                cursor.pos + extra,
            )),
        }
    }

    /// Scanning finds the end of the object on its way, so the line is gone through once. Bookmarks and Statuses are not
    /// scanned: they have no name and would have to be skipped again.
    fn scan_object(
        &mut self,
        line: &'a [u8],
        cursor: &mut Cursor<'a>,
        offset: u64,
    ) -> Result<(usize, usize), Fault> {
        let start = cursor.pos;
        let plain = match self.type_name {
            Some((from, to)) => matches!(&line[from..to], b"BOOKMARK" | b"ERROR"),
            None => false,
        };
        if !plain && line[start] == b'{' {
            if let Ok((view, length)) =
                ObjectView::scan_prefix(&line[start..], offset + start as u64)
            {
                cursor.pos = start + length;
                self.view = Some(view);
                return Ok((start, cursor.pos));
            }
        }
        cursor.skip_value()
    }

    fn event(self, line: &'a [u8], offset: u64) -> Result<WatchEvent<'a>, Fault> {
        let Some((start, end)) = self.type_name else {
            return Err(Fault::syntax("watch event without a type", 0));
        };
        let Some(object) = self.object else {
            return Err(Fault::syntax("watch event without an object", 0));
        };
        let raw = utf8(&line[start..end]).map_err(|fault| Fault {
            at: start + fault.at,
            ..fault
        })?;
        let type_name = text::unescape(raw).map_err(|invalid| {
            Fault::new(
                ScanErrorKind::InvalidEscape,
                "invalid escape in a string",
                start + invalid.at,
            )
        })?;
        Ok(WatchEvent {
            kind: EventType::of(&type_name),
            type_name,
            object: &line[object.0..object.1],
            offset: offset + object.0 as u64,
            view: self.view,
        })
    }
}

#[cfg(test)]
mod tests;
