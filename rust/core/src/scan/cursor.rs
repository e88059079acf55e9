//! A reader over a slice that holds the start of a JSON value. Invariant: `pos` never passes the end of the slice, and
//! running out of input is always reported as `Truncated`, anything else never.
use super::simd::{self, Nesting};
use super::text;
use crate::error::{Fault, ScanErrorKind};
use std::borrow::Cow;

/// The content of a string, between its quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Token {
    pub start: usize,
    pub end: usize,
    /// Whether a backslash occurs in it.
    pub escaped: bool,
}

/// What JSON allows between its tokens.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// A position in a slice.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    pub pos: usize,
}

// A token that is returned through memory is read back in other pieces than it was written in, for which the processor waits
// longer than for all the rest: where keys are read, they stay in registers.
#[allow(clippy::inline_always)]
impl<'a> Cursor<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8], pos: usize) -> Self {
        Self { bytes, pos }
    }

    /// The next byte that is no white space; it is not consumed.
    #[inline]
    pub fn peek(&mut self) -> Result<u8, Fault> {
        while let Some(&byte) = self.bytes.get(self.pos) {
            if !is_space(byte) {
                return Ok(byte);
            }
            self.pos += 1;
        }
        Err(Fault::truncated(self.pos))
    }

    /// Consumes `wanted`, after white space.
    #[inline]
    pub fn expect(&mut self, wanted: u8, what: &'static str) -> Result<(), Fault> {
        if self.peek()? != wanted {
            return Err(Fault::syntax(what, self.pos));
        }
        self.pos += 1;
        Ok(())
    }

    /// Consumes a string whose opening quote is at `pos`.
    #[inline(always)]
    pub fn string(&mut self) -> Result<Token, Fault> {
        let start = self.pos + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = simd::string_stop(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(_) => {
                    escaped = true;
                    at += 2;
                    if at > self.bytes.len() {
                        return Err(Fault::truncated(self.bytes.len()));
                    }
                }
                None => return Err(Fault::truncated(self.bytes.len())),
            }
        }
        self.pos = at + 1;
        Ok(Token {
            start,
            end: at,
            escaped,
        })
    }

    /// Consumes the value at `pos`; where it begins and ends.
    #[inline]
    pub fn skip_value(&mut self) -> Result<(usize, usize), Fault> {
        let first = self.peek()?;
        let start = self.pos;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.skip_rest(first, start + 1)?,
            _ => self.skip_scalar()?,
        }
        Ok((start, self.pos))
    }

    /// Consumes everything up to and with the bracket that closes the container opened by `bracket`; `from` lies anywhere
    /// in it outside of inner values.
    #[inline]
    pub fn skip_rest(&mut self, bracket: u8, from: usize) -> Result<(), Fault> {
        let mut nesting = Nesting::opened(bracket);
        let rest = self.bytes.get(from..).unwrap_or_default();
        let Some(end) = simd::close(&mut nesting, rest) else {
            return Err(Fault::truncated(self.bytes.len()));
        };
        self.pos = from + end;
        let closing = if bracket == b'{' { b'}' } else { b']' };
        if !nesting.pairs_up() || self.bytes[self.pos - 1] != closing {
            return Err(Fault::new(
                ScanErrorKind::Unbalanced,
                "unbalanced brackets",
                self.pos - 1,
            ));
        }
        Ok(())
    }

    /// Consumes a number, `true`, `false` or `null`; that it is well formed is left to the decoder.
    fn skip_scalar(&mut self) -> Result<(), Fault> {
        let start = self.pos;
        if !matches!(self.bytes[start], b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
            return Err(Fault::syntax("expected a JSON value", start));
        }
        while let Some(&byte) = self.bytes.get(self.pos) {
            if !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-' | b'.') {
                return Ok(());
            }
            self.pos += 1;
        }
        Err(Fault::truncated(self.pos))
    }

    /// The next key of the object whose `{` was consumed, with `pos` at its value; `None` once the object has ended.
    /// `first` is true before the first call.
    #[inline(always)]
    pub fn next_key(&mut self, first: &mut bool) -> Result<Option<Token>, Fault> {
        let mut byte = self.peek()?;
        if byte == b'}' {
            self.pos += 1;
            return Ok(None);
        }
        if !std::mem::replace(first, false) {
            if byte != b',' {
                return Err(Fault::syntax("expected ',' or '}'", self.pos));
            }
            self.pos += 1;
            byte = self.peek()?;
        }
        if byte != b'"' {
            return Err(Fault::syntax("expected a key in double quotes", self.pos));
        }
        let key = self.string()?;
        self.expect(b':', "expected ':'")?;
        self.peek()?;
        Ok(Some(key))
    }

    /// Whether the array whose `[` was consumed has another element, with `pos` at it.
    #[inline]
    pub fn next_element(&mut self, first: &mut bool) -> Result<bool, Fault> {
        let byte = self.peek()?;
        if byte == b']' {
            self.pos += 1;
            return Ok(false);
        }
        if !std::mem::replace(first, false) {
            if byte != b',' {
                return Err(Fault::syntax("expected ',' or ']'", self.pos));
            }
            self.pos += 1;
            self.peek()?;
        }
        Ok(true)
    }

    /// The bytes of a token as they stand.
    #[inline]
    pub fn raw(&self, token: Token) -> &'a [u8] {
        &self.bytes[token.start..token.end]
    }

    /// Whether a key is `name` once its escapes are gone.
    #[inline]
    pub fn is_key(&self, token: Token, name: &[u8]) -> bool {
        if token.escaped {
            *self.key(token) == *name
        } else {
            self.raw(token) == name
        }
    }

    /// A key as it is compared: without escapes. Bytes that are not UTF-8 equal no key.
    #[inline]
    pub fn key(&self, token: Token) -> Cow<'a, [u8]> {
        let raw = self.raw(token);
        if !token.escaped {
            return Cow::Borrowed(raw);
        }
        let unescaped = std::str::from_utf8(raw)
            .ok()
            .and_then(|raw| text::unescape(raw).ok());
        unescaped.map_or(Cow::Borrowed(raw), |key| {
            Cow::Owned(key.into_owned().into_bytes())
        })
    }
}
