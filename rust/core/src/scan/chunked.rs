//! HTTP/1.1 chunked transfer coding (RFC 9112, section 7.1). Invariant: the payload is the same however the input was
//! split, and no byte behind the last trailer line is consumed.
use crate::error::{ScanError, ScanErrorKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the digits of a size; whether one was read.
    Size {
        digits: bool,
    },
    /// In white space or an extension behind a size.
    Extension,
    Data,
    /// Behind the data of a chunk: its line end is due.
    DataEnd {
        carriage_return: bool,
    },
    /// In the trailer section; `blank` while the line holds nothing yet.
    Trailer {
        blank: bool,
    },
    Done,
}

/// Sizes, extensions and trailers are read past, up to this many bytes a line or section.
const MAX_OVERHEAD: u32 = 64 * 1024;

/// A resumable decoder of one chunked body.
#[derive(Debug, Clone)]
pub struct ChunkDecoder {
    state: State,
    /// What is left of the chunk; while its size is read, the size.
    left: u64,
    overhead: u32,
    read: u64,
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkDecoder {
    /// A decoder that stands at the first byte of a body.
    pub fn new() -> Self {
        Self {
            state: State::Size { digits: false },
            left: 0,
            overhead: 0,
            read: 0,
        }
    }

    /// Whether the last chunk and the trailers are read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Appends the payload of `input` to `out`; how many bytes were consumed: all of them, unless the body ended before.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, ScanError> {
        let mut consumed = 0;
        while consumed < input.len() && !self.is_done() {
            let (used, payload) = self.next_piece(&input[consumed..])?;
            out.extend_from_slice(payload);
            consumed += used;
        }
        Ok(consumed)
    }

    /// The next piece of payload in `input`, without a copy, and the bytes consumed with it: call it again with the rest
    /// while there is a rest and the body is not done. The piece is empty when `input` holds only framing.
    pub fn next_piece<'a>(&mut self, input: &'a [u8]) -> Result<(usize, &'a [u8]), ScanError> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let room = input.len() - at;
                let length = usize::try_from(self.left).map_or(room, |left| left.min(room));
                self.left -= length as u64;
                if self.left == 0 {
                    self.state = State::DataEnd {
                        carriage_return: false,
                    };
                }
                self.read += length as u64;
                return Ok((at + length, &input[at..at + length]));
            }
            self.frame(input[at])?;
            self.read += 1;
            at += 1;
        }
        Ok((at, &[]))
    }

    /// One byte of framing.
    fn frame(&mut self, byte: u8) -> Result<(), ScanError> {
        match self.state {
            State::Size { digits } => match (char::from(byte).to_digit(16), byte) {
                (Some(digit), _) => {
                    self.count_overhead()?;
                    if self.left >> 60 != 0 {
                        return Err(self.error("chunk size overflows"));
                    }
                    self.left = self.left << 4 | u64::from(digit);
                    self.state = State::Size { digits: true };
                }
                (None, _) if !digits => return Err(self.error("expected a chunk size")),
                (None, b'\n') => self.size_read(),
                (None, b' ' | b'\t' | b'\r' | b';') => self.state = State::Extension,
                _ => return Err(self.error("malformed chunk size")),
            },
            State::Extension => {
                self.count_overhead()?;
                if byte == b'\n' {
                    self.size_read();
                }
            }
            State::DataEnd { carriage_return } => match byte {
                b'\n' => self.state = State::Size { digits: false },
                b'\r' if !carriage_return => {
                    self.state = State::DataEnd {
                        carriage_return: true,
                    }
                }
                _ => return Err(self.error("expected a line end behind a chunk")),
            },
            State::Trailer { blank } => {
                self.count_overhead()?;
                match byte {
                    b'\n' if blank => self.state = State::Done,
                    b'\n' => self.state = State::Trailer { blank: true },
                    b'\r' if blank => {}
                    _ => self.state = State::Trailer { blank: false },
                }
            }
            State::Data | State::Done => {}
        }
        Ok(())
    }

    fn size_read(&mut self) {
        self.overhead = 0;
        self.state = if self.left == 0 {
            State::Trailer { blank: true }
        } else {
            State::Data
        };
    }

    fn count_overhead(&mut self) -> Result<(), ScanError> {
        self.overhead += 1;
        if self.overhead > MAX_OVERHEAD {
            return Err(self.error("chunk size, extension or trailers too long"));
        }
        Ok(())
    }

    fn error(&self, message: &str) -> ScanError {
        ScanError::new(ScanErrorKind::BadChunk, message, self.read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), ScanError> {
        let (mut decoder, mut out, mut consumed) = (ChunkDecoder::new(), Vec::new(), 0);
        for piece in input.chunks(step) {
            consumed += decoder.decode(piece, &mut out)?;
        }
        Ok((out, consumed, decoder.is_done()))
    }

    #[test]
    fn extensions_trailers_and_what_follows() {
        let body = b"5;name=\"v\"\r\nhello\r\n 6"; // a blank before a size is malformed
        assert_eq!(decode(body, 100).unwrap_err().offset, 19);
        let body = b"5 ;name=v\r\nhello\r\n00A\r\n, world 12\r\n0\r\nChecksum: 1\r\nOther: 2\r\n\r\nHTTP/1.1";
        for step in 1..body.len() {
            assert_eq!(
                decode(body, step),
                Ok((b"hello, world 12".to_vec(), body.len() - 8, true)),
                "{step}"
            );
        }
    }

    #[test]
    fn broken_framing_names_the_byte() {
        for (body, offset) in [
            (&b"\r\n"[..], 0),
            (b"5x\r\n", 1),
            (b"2\r\nabc", 5),
            (b"2\r\nab\r\r", 6),
            (b"11111111111111111\r\n", 16),
            (b"-1\r\n", 0),
        ] {
            for step in [1, 100] {
                let error = decode(body, step).unwrap_err();
                assert_eq!(
                    (error.kind, error.offset),
                    (ScanErrorKind::BadChunk, offset),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn endless_overhead_is_refused() {
        let mut body = b"1;".to_vec();
        body.resize(100_000, b'x');
        assert!(decode(&body, 4096).is_err());
        assert!(decode(&b"0".repeat(100_000), 4096).is_err());
        let mut body = b"0\r\n".to_vec();
        body.extend(b"a: b\r\n".repeat(20_000));
        assert!(decode(&body, 4096).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_chunks_any_split(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8), step in 1usize..300) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(decode(&body, step).unwrap(), (chunks.concat(), body.len(), true));
            prop_assert!(!decode(&body[..body.len() - 1], step).unwrap().2);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..50) {
            let whole = decode(&bytes, 1000);
            let pieces = decode(&bytes, step);
            prop_assert_eq!(whole.map(|(out, ..)| out), pieces.map(|(out, ..)| out));
        }
    }
}
