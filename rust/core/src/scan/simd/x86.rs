//! The masks by SSE2, which every `x86_64` CPU has, and by AVX2 with a carry-less multiplication where the CPU has them.
use super::nesting::{Lanes, Masks, Nesting};
use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m128i, __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8, _mm256_slli_epi16, _mm_clmulepi64_si128, _mm_cmpeq_epi8, _mm_cvtsi128_si64,
    _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8, _mm_set_epi64x,
    _mm_slli_epi16,
};
use std::sync::OnceLock;

/// The same bits, as the intrinsics take them.
#[inline(always)]
fn signed(byte: u8) -> i8 {
    i8::from_ne_bytes([byte])
}

/// The same bits, as the masks have them.
#[inline(always)]
fn unsigned(mask: i32) -> u64 {
    u64::from(u32::from_ne_bytes(mask.to_ne_bytes()))
}

struct Sse2;

impl Lanes for Sse2 {
    #[inline(always)]
    unsafe fn masks(block: &[u8; 64]) -> Masks {
        let mut masks = Masks {
            quote: 0,
            backslash: 0,
            open: 0,
            close: 0,
            curly: 0,
        };
        // SAFETY: the block is 64 bytes long, the four unaligned loads end with it; SSE2 is part of x86_64.
        unsafe {
            let bits = |lanes: __m128i| unsigned(_mm_movemask_epi8(lanes));
            let equal = |lanes, byte: u8| bits(_mm_cmpeq_epi8(lanes, _mm_set1_epi8(signed(byte))));
            for part in 0..4 {
                let shift = 16 * part;
                let bytes = _mm_loadu_si128(block.as_ptr().add(shift).cast());
                let folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
                masks.quote |= equal(bytes, b'"') << shift;
                masks.backslash |= equal(bytes, b'\\') << shift;
                masks.open |= equal(folded, b'{') << shift;
                masks.close |= equal(folded, b'}') << shift;
                masks.curly |= bits(_mm_slli_epi16::<2>(bytes)) << shift;
            }
        }
        masks
    }
}

struct Avx2;

impl Lanes for Avx2 {
    #[inline(always)]
    unsafe fn masks(block: &[u8; 64]) -> Masks {
        let mut masks = Masks {
            quote: 0,
            backslash: 0,
            open: 0,
            close: 0,
            curly: 0,
        };
        // SAFETY: the block is 64 bytes long, the two unaligned loads end with it; the caller has seen to AVX2.
        unsafe {
            let bits = |lanes: __m256i| unsigned(_mm256_movemask_epi8(lanes));
            let equal =
                |lanes, byte: u8| bits(_mm256_cmpeq_epi8(lanes, _mm256_set1_epi8(signed(byte))));
            for part in 0..2 {
                let shift = 32 * part;
                let bytes = _mm256_loadu_si256(block.as_ptr().add(shift).cast());
                let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
                masks.quote |= equal(bytes, b'"') << shift;
                masks.backslash |= equal(bytes, b'\\') << shift;
                masks.open |= equal(folded, b'{') << shift;
                masks.close |= equal(folded, b'}') << shift;
                masks.curly |= bits(_mm256_slli_epi16::<2>(bytes)) << shift;
            }
        }
        masks
    }

    #[inline(always)]
    unsafe fn prefix_parity(bits: u64) -> u64 {
        // SAFETY: the caller has seen to PCLMULQDQ.
        unsafe {
            let product = _mm_clmulepi64_si128::<0>(
                _mm_set_epi64x(0, i64::from_ne_bytes(bits.to_ne_bytes())),
                _mm_set1_epi8(-1),
            );
            u64::from_ne_bytes(_mm_cvtsi128_si64(product).to_ne_bytes())
        }
    }
}

/// # Safety
/// The CPU must have AVX2, PCLMULQDQ, POPCNT and BMI1.
#[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
pub(super) unsafe fn close_avx2(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    // SAFETY: this function's own requirement.
    unsafe { nesting.close::<Avx2>(data) }
}

/// What [`close_avx2`] needs, asked once.
#[inline]
pub(super) fn has_avx2() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
    })
}

#[inline]
pub(super) fn close(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    if has_avx2() {
        // SAFETY: the features were just found.
        unsafe { close_avx2(nesting, data) }
    } else {
        close_sse2(nesting, data)
    }
}

pub(super) fn close_sse2(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    // SAFETY: SSE2 is part of x86_64.
    unsafe { nesting.close::<Sse2>(data) }
}

#[inline]
pub(super) fn string_stop(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(window) = bytes.get(at..at + 16) {
        // SAFETY: the window is 16 bytes long; SSE2 is part of x86_64.
        let hits = unsafe {
            let lanes = _mm_loadu_si128(window.as_ptr().cast());
            let quote = _mm_cmpeq_epi8(lanes, _mm_set1_epi8(signed(b'"')));
            let backslash = _mm_cmpeq_epi8(lanes, _mm_set1_epi8(signed(b'\\')));
            _mm_movemask_epi8(_mm_or_si128(quote, backslash))
        };
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += 16;
    }
    while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\\' {
        at += 1;
    }
    at.min(bytes.len())
}
