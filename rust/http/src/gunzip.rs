//! `Gunzip`: decodes a gzip body piece by piece; what a piece holds is given at once, whatever follows it.
//!
//! A body may have several members: kube-apiserver sends one for each event. It may also end inside of one: a server that
//! ends a watch need not end what it compresses, and what is cut off is known by the framing of HTTP or by the JSON.

use std::io::Write;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use crate::error::Error;

/// Of compressed bytes at a time: what comes of them, at most a thousand times as much, is in memory at once.
const STEP: usize = 16 * 1024;

/// See the [module](self).
pub(crate) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
    waiting: Bytes,
    /// Bytes that came of it.
    decoded: usize,
}

impl Gunzip {
    pub fn new() -> Self {
        Self {
            decoder: MultiGzDecoder::new(Vec::new()),
            waiting: Bytes::new(),
            decoded: 0,
        }
    }

    /// Takes the next piece. The one before must be decoded: [`next`](Self::next) gave None.
    pub fn put(&mut self, piece: Bytes) {
        self.waiting = piece;
    }

    /// Whether all that was put in is decoded.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What comes of the next bytes, empty pieces included; None when there are none.
    pub fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let step = self.waiting.split_to(self.waiting.len().min(STEP));
        self.decoder
            .write_all(&step)
            .and_then(|()| self.decoder.flush())
            .map_err(|error| Error::Failed(format!("gzip: {error}")))?;
        let decoded = std::mem::take(self.decoder.get_mut());
        self.decoded += decoded.len();
        Ok(Some(decoded.into()))
    }

    /// The end of a body that had bytes; an error if nothing came of them and they are not all of a member.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.decoded > 0 {
            return Ok(());
        }
        self.decoder
            .try_finish()
            .map_err(|error| Error::Failed(format!("gzip: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use flate2::Compression;

    fn member(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn decode(gunzip: &mut Gunzip, piece: &[u8]) -> Result<Vec<u8>, Error> {
        gunzip.put(Bytes::copy_from_slice(piece));
        let mut all = Vec::new();
        while let Some(data) = gunzip.next()? {
            all.extend_from_slice(&data);
        }
        Ok(all)
    }

    #[test]
    fn a_flushed_piece_is_whole_at_once() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let mut gunzip = Gunzip::new();
        for event in ["one\n", "two\n"] {
            encoder.write_all(event.as_bytes()).expect("memory");
            encoder.flush().expect("memory");
            let sent = std::mem::take(encoder.get_mut());
            assert_eq!(decode(&mut gunzip, &sent).expect("gzip"), event.as_bytes());
        }
    }

    #[test]
    fn each_member_is_whole_at_once_in_whatever_pieces() {
        let mut gunzip = Gunzip::new();
        for number in 0..5 {
            let event = format!("event {number}\n");
            let mut got = Vec::new();
            for piece in member(event.as_bytes()).chunks(1 + number) {
                got.extend(decode(&mut gunzip, piece).expect("gzip"));
            }
            assert_eq!(got, event.as_bytes());
        }
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(decode(&mut Gunzip::new(), b"<html></html>").is_err());
        let mut short = Gunzip::new();
        decode(&mut short, b"<html>").expect("less than a header");
        assert!(short.finish().is_err());
        let mut empty = Gunzip::new();
        decode(&mut empty, &member(b"")).expect("gzip");
        assert!(empty.finish().is_ok());
        let mut broken = member(b"an event");
        *broken.last_mut().expect("a trailer") ^= 1;
        broken.extend(member(b"the next"));
        assert!(decode(&mut Gunzip::new(), &broken).is_err());
    }

    #[test]
    fn a_piece_is_decoded_in_steps() {
        let zeros = vec![0_u8; 100 << 20];
        let mut gunzip = Gunzip::new();
        gunzip.put(member(&zeros).into());
        let mut total = 0;
        while let Some(data) = gunzip.next().expect("gzip") {
            assert!(data.len() <= 1100 * STEP);
            total += data.len();
        }
        assert_eq!(total, zeros.len());
    }
}
