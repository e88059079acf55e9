//! `Body`: takes off the chunked transfer coding, when the transport left it on.

use crate::error::ScanError;
use crate::scan::chunked::ChunkDecoder;

/// The payload of a body, piece by piece and without a copy.
pub(super) struct Body {
    chunks: Option<ChunkDecoder>,
}

impl Body {
    pub fn new(chunked: bool) -> Self {
        Self {
            chunks: chunked.then(ChunkDecoder::new),
        }
    }

    /// Whether the coding says that the body is complete; without a coding only the connection knows.
    pub fn is_complete(&self) -> bool {
        self.chunks.as_ref().is_some_and(ChunkDecoder::is_done)
    }

    /// Whether the connection may end here.
    pub fn may_end(&self) -> bool {
        self.chunks.as_ref().is_none_or(ChunkDecoder::is_done)
    }

    /// Takes the next piece off `data`; None when nothing is left of it.
    pub fn next<'a>(&mut self, data: &mut &'a [u8]) -> Result<Option<&'a [u8]>, ScanError> {
        if data.is_empty() || self.is_complete() {
            return Ok(None);
        }
        let Some(chunks) = &mut self.chunks else {
            return Ok(Some(std::mem::take(data)));
        };
        let (consumed, piece) = chunks.next_piece(data)?;
        *data = &data[consumed..];
        Ok(Some(piece))
    }
}
