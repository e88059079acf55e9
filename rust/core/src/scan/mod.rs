//! From bytes to objects, without decoding. Everything here takes its input in pieces and gives the same result however
//! the bytes were split; nothing here recurses over the depth of a document or panics on any input.
pub mod balance;
pub mod chunked;
pub(crate) mod cursor;
pub mod framer;
pub mod list;
pub(crate) mod simd;
pub mod text;
