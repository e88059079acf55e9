//! The masks by 64-bit integers, for CPUs without a wrapper of their own and as the reference of those that have one.
use super::nesting::{Lanes, Masks, Nesting};

/// Eight bytes at a time.
pub(super) struct Words;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte of `word` that equals `byte`.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ (LOW * u64::from(byte));
    // Exact for every byte: no borrow can cross, for the high bits are kept out of the subtraction.
    !(((differing & !HIGH) + !HIGH) | differing) & HIGH
}

/// Bit n of the result says whether `test` holds for byte n. The first loop is one that compilers turn into vector code.
#[inline(always)]
fn mask(block: &[u8; 64], test: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0u8; 64];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(test(*byte));
    }
    let mut mask = 0;
    for (index, bytes) in flags.chunks_exact(8).enumerate() {
        let word = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        let pairs = word | (word >> 7);
        let fours = pairs | (pairs >> 14);
        mask |= ((fours | (fours >> 28)) & 0xff) << (8 * index);
    }
    mask
}

impl Lanes for Words {
    #[inline(always)]
    unsafe fn masks(block: &[u8; 64]) -> Masks {
        Masks {
            quote: mask(block, |byte| byte == b'"'),
            backslash: mask(block, |byte| byte == b'\\'),
            // `[` and `{`, `]` and `}` differ in the bit 0x20 only.
            open: mask(block, |byte| byte | 0x20 == b'{'),
            close: mask(block, |byte| byte | 0x20 == b'}'),
            curly: mask(block, |byte| byte & 0x20 != 0),
        }
    }
}

pub(super) fn close(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    // SAFETY: `Words` needs no CPU feature.
    unsafe { nesting.close::<Words>(data) }
}

pub(super) fn string_stop(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(window) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(window.try_into().expect("8 bytes"));
        let hits = equal(word, b'"') | equal(word, b'\\');
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\\' {
        at += 1;
    }
    at.min(bytes.len())
}
