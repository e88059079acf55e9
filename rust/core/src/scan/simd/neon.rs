//! The masks by NEON, which every 64-bit ARM CPU under Linux has: nothing to find out at run time.
use super::nesting::{Lanes, Masks, Nesting};
use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vdupq_n_u8, vget_lane_u64, vgetq_lane_u64, vld1q_u8, vorrq_u8,
    vpaddq_u8, vreinterpret_u64_u8, vreinterpretq_u16_u8, vreinterpretq_u64_u8, vshrn_n_u16,
    vtstq_u8,
};

/// The bit of a byte in the byte of its eight.
const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

/// One bit a byte, of 64 bytes that are all ones or 0: NEON has no instruction for it.
#[inline(always)]
fn bits(lanes: [uint8x16_t; 4]) -> u64 {
    // SAFETY: `BITS` is 16 bytes long; NEON is part of this target.
    unsafe {
        let weights = vld1q_u8(BITS.as_ptr());
        let [a, b, c, d] = lanes.map(|lanes| vandq_u8(lanes, weights));
        // Each step halves the number of bytes: after three, one holds the bits of eight.
        let fours = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(fours, fours)))
    }
}

struct Neon;

// The default of `prefix_parity` stays: a shift and an exclusive or are one instruction here, and six of them take no
// longer than the way into a vector register, through the multiplication (which not every CPU has) and back.
impl Lanes for Neon {
    #[inline(always)]
    unsafe fn masks(block: &[u8; 64]) -> Masks {
        // SAFETY: the block is 64 bytes long, the four loads end with it; NEON is part of this target.
        unsafe {
            let bytes = [0, 16, 32, 48].map(|from| vld1q_u8(block.as_ptr().add(from)));
            let bit_5 = vdupq_n_u8(0x20);
            let folded = bytes.map(|bytes| vorrq_u8(bytes, bit_5));
            let equal = |lanes: [uint8x16_t; 4], byte| {
                let byte = vdupq_n_u8(byte);
                bits(lanes.map(|lanes| vceqq_u8(lanes, byte)))
            };
            Masks {
                quote: equal(bytes, b'"'),
                backslash: equal(bytes, b'\\'),
                open: equal(folded, b'{'),
                close: equal(folded, b'}'),
                curly: bits(bytes.map(|bytes| vtstq_u8(bytes, bit_5))),
            }
        }
    }
}

pub(super) fn close(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    // SAFETY: NEON is part of this target.
    unsafe { nesting.close::<Neon>(data) }
}

#[inline]
pub(super) fn string_stop(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(window) = bytes.get(at..at + 16) {
        // SAFETY: the window is 16 bytes long; NEON is part of this target.
        let hits = unsafe {
            let lanes = vld1q_u8(window.as_ptr());
            let quote = vceqq_u8(lanes, vdupq_n_u8(b'"'));
            let backslash = vceqq_u8(lanes, vdupq_n_u8(b'\\'));
            let found = vreinterpretq_u16_u8(vorrq_u8(quote, backslash));
            // Four bits a byte: two bytes are four of one and four of the other.
            vget_lane_u64::<0>(vreinterpret_u64_u8(vshrn_n_u16::<4>(found)))
        };
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 4;
        }
        at += 16;
    }
    while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\\' {
        at += 1;
    }
    at.min(bytes.len())
}
