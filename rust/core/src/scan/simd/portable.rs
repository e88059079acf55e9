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

/// The high bits of eight bytes as eight bits, the first byte lowest.
#[inline(always)]
fn gather(high: u64) -> u64 {
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

impl Lanes for Words {
    #[inline(always)]
    unsafe fn masks(block: &[u8; 64]) -> Masks {
        let mut masks = Masks {
            quote: 0,
            backslash: 0,
            open: 0,
            close: 0,
            curly: 0,
        };
        for (index, bytes) in block.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
            // `[` and `{`, `]` and `}` differ in the bit 0x20 only.
            let folded = word | (LOW * 0x20);
            let shift = 8 * index;
            masks.quote |= gather(equal(word, b'"')) << shift;
            masks.backslash |= gather(equal(word, b'\\')) << shift;
            masks.open |= gather(equal(folded, b'{')) << shift;
            masks.close |= gather(equal(folded, b'}')) << shift;
            masks.curly |= gather((word << 2) & HIGH) << shift;
        }
        masks
    }
}

#[cfg_attr(all(target_arch = "x86_64", not(test)), allow(dead_code))]
pub(super) fn close(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    // SAFETY: `Words` needs no CPU feature.
    unsafe { nesting.close::<Words>(data) }
}

#[cfg_attr(all(target_arch = "x86_64", not(test)), allow(dead_code))]
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
