//! What can be wrong with bytes from a server. Invariant: an error names what is wrong, the byte where it was noticed
//! (counted from the start of the stream or body) and, as far as it was read before, the key of the object.
use std::fmt;

/// The class of a [`ScanError`]: what a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScanErrorKind {
    /// The input ended inside a value, a line or a chunk.
    Truncated,
    /// Brackets do not pair up.
    Unbalanced,
    /// A byte that JSON does not allow there.
    Syntax,
    /// A value that has to be a JSON object is something else (a list item that is `null`, for example).
    NotAnObject,
    /// An object without a `metadata` object.
    MissingMetadata,
    /// An object whose `metadata.name` is missing or empty.
    MissingName,
    /// A field of a known type has another type.
    WrongType,
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// A backslash escape that JSON does not know, or half of a surrogate pair.
    InvalidEscape,
    /// A line or an object is longer than the limit.
    TooLarge,
    /// The body is no Kubernetes list: HTML, a Status, a Table.
    NotAList,
    /// Broken HTTP chunk framing.
    BadChunk,
}

/// Bytes that cannot be used, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanError {
    /// The class of the error.
    pub kind: ScanErrorKind,
    /// What is wrong, in words, without the place.
    pub message: String,
    /// The byte at which it was noticed, from the start of the stream or body.
    pub offset: u64,
    /// `namespace/name` or `name` of the object, when it was already known.
    pub key: Option<String>,
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)?;
        match &self.key {
            Some(key) => write!(f, " in object {key:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ScanError {}

impl ScanError {
    /// An error without a key.
    pub fn new(kind: ScanErrorKind, message: impl Into<String>, offset: u64) -> Self {
        Self {
            kind,
            message: message.into(),
            offset,
            key: None,
        }
    }
}

/// The allocation-free form that the inner loops return; `at` counts from the start of the slice they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub kind: ScanErrorKind,
    pub what: &'static str,
    pub at: usize,
}

impl Fault {
    pub fn new(kind: ScanErrorKind, what: &'static str, at: usize) -> Self {
        Self { kind, what, at }
    }

    pub fn truncated(at: usize) -> Self {
        Self::new(
            ScanErrorKind::Truncated,
            "truncated: the input ends inside a JSON value",
            at,
        )
    }

    pub fn syntax(what: &'static str, at: usize) -> Self {
        Self::new(ScanErrorKind::Syntax, what, at)
    }

    /// The public error, with `base` as the offset of the scanned slice.
    pub fn at_base(self, base: u64) -> ScanError {
        ScanError::new(self.kind, self.what, base + self.at as u64)
    }
}

/// The first bytes of `bytes` as printable text, for messages about a body that is something else than expected.
pub(crate) fn excerpt(bytes: &[u8], limit: usize) -> String {
    let cut = &bytes[..bytes.len().min(limit)];
    let dots = if bytes.len() > limit { "…" } else { "" };
    format!("{:?}{dots}", String::from_utf8_lossy(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_what_where_and_whose() {
        let mut error = ScanError::new(ScanErrorKind::Unbalanced, "unbalanced brackets", 17);
        assert_eq!(error.to_string(), "unbalanced brackets at byte 17");
        error.key = Some("default/web-0".into());
        assert_eq!(
            error.to_string(),
            "unbalanced brackets at byte 17 in object \"default/web-0\""
        );
    }

    #[test]
    fn excerpt_is_printable_and_bounded() {
        assert_eq!(excerpt(b"<html>\n\xff", 100), "\"<html>\\n\u{fffd}\"");
        assert_eq!(excerpt(b"abcdef", 3), "\"abc\"…");
    }
}
