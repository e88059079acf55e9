//! Finds where a JSON value ends, in input that arrives in pieces. Invariant: the end that is found does not depend on
//! where the pieces were cut.
use super::simd::{self, Nesting};
use crate::error::{Fault, ScanError, ScanErrorKind};

#[derive(Debug, Clone, Copy)]
enum State {
    Start,
    Container {
        nesting: Nesting,
        closing: u8,
    },
    /// Inside a string; `escaped` is true just behind a backslash.
    Text {
        escaped: bool,
    },
    Scalar,
}

/// A resumable skipper over one JSON value.
#[derive(Debug, Clone, Copy)]
pub struct Balance {
    state: State,
    read: u64,
}

impl Default for Balance {
    fn default() -> Self {
        Self::new()
    }
}

impl Balance {
    /// A skipper whose next byte is the first of a value.
    pub fn new() -> Self {
        Self {
            state: State::Start,
            read: 0,
        }
    }

    /// Reads on; `Some(n)` when the value ends with the first `n` bytes of `data`. A number or literal ends before the
    /// first byte that cannot be part of it, so such a value at the very end of the input stays open.
    ///
    /// The offset of an error counts from the first byte of the value.
    pub fn feed(&mut self, data: &[u8]) -> Result<Option<usize>, ScanError> {
        let base = self.read;
        self.read += data.len() as u64;
        self.advance(data).map_err(|fault| fault.at_base(base))
    }

    pub(crate) fn advance(&mut self, data: &[u8]) -> Result<Option<usize>, Fault> {
        let mut from = 0;
        if let State::Start = self.state {
            let Some(&first) = data.first() else {
                return Ok(None);
            };
            from = 1;
            self.state = match first {
                b'{' => State::Container {
                    nesting: Nesting::opened(first),
                    closing: b'}',
                },
                b'[' => State::Container {
                    nesting: Nesting::opened(first),
                    closing: b']',
                },
                b'"' => State::Text { escaped: false },
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => State::Scalar,
                _ => return Err(Fault::syntax("expected a JSON value", 0)),
            };
        }
        match &mut self.state {
            State::Container { nesting, closing } => {
                let Some(end) = simd::close(nesting, &data[from..]) else {
                    return Ok(None);
                };
                let end = from + end;
                if !nesting.pairs_up() || data[end - 1] != *closing {
                    return Err(Fault::new(
                        ScanErrorKind::Unbalanced,
                        "unbalanced brackets",
                        end - 1,
                    ));
                }
                Ok(Some(end))
            }
            State::Text { escaped } => Ok(string_end(data, from, escaped)),
            State::Scalar => {
                let part =
                    |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                Ok(data[from..]
                    .iter()
                    .position(|byte| !part(byte))
                    .map(|length| from + length))
            }
            State::Start => Ok(None),
        }
    }
}

fn string_end(data: &[u8], from: usize, escaped: &mut bool) -> Option<usize> {
    let mut at = from;
    if *escaped && at < data.len() {
        *escaped = false;
        at += 1;
    }
    loop {
        at = simd::string_stop(data, at);
        match data.get(at) {
            Some(b'"') => return Some(at + 1),
            Some(_) if at + 1 < data.len() => at += 2,
            Some(_) => {
                *escaped = true;
                return None;
            }
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(pieces: &[&[u8]]) -> Result<Option<usize>, ScanError> {
        let mut balance = Balance::new();
        let mut before = 0;
        for piece in pieces {
            if let Some(end) = balance.feed(piece)? {
                return Ok(Some(before + end));
            }
            before += piece.len();
        }
        Ok(None)
    }

    #[test]
    fn every_cut_of_every_kind_of_value() {
        for value in [
            r#"{"a":"}\"\\","b":[{}]}"#,
            r#"["]",{"\\\\\"":1}]"#,
            r#""a\\\"b""#,
            "-1.5e+3",
            "true",
            "null",
        ] {
            let input = format!("{value}, 1");
            for cut in 0..input.len() {
                let (left, right) = input.as_bytes().split_at(cut);
                assert_eq!(
                    end(&[left, right]),
                    Ok(Some(value.len())),
                    "{value} cut at {cut}"
                );
            }
            let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
            assert_eq!(end(&bytes), Ok(Some(value.len())), "{value} by bytes");
        }
    }

    #[test]
    fn mismatched_brackets_are_an_error_with_the_offset() {
        for (value, offset) in [("[1,2}", 4), ("{\"a\":1]", 6), ("[{]]", 3), ("x", 0)] {
            assert_eq!(
                end(&[value.as_bytes()]).unwrap_err().offset,
                offset,
                "{value}"
            );
            let bytes: Vec<&[u8]> = value.as_bytes().chunks(1).collect();
            assert_eq!(end(&bytes).unwrap_err().offset, offset, "{value} by bytes");
        }
    }
}
