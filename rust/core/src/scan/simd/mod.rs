//! The two loops that touch every byte: where an open bracket closes, and where a string stops. Each exists as one
//! generic algorithm over masks of 64 bytes, with thin wrappers that fill the masks: on `x86_64` AVX2 (found at run time)
//! and SSE2 (always there), on 64-bit ARM NEON, elsewhere integers. Invariant: all of them give equal results on equal
//! bytes.
// The generic algorithm has to be compiled into each wrapper, with the CPU features of that wrapper.
#![allow(clippy::inline_always)]

mod nesting;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
// The tests compare every other wrapper with it.
#[cfg_attr(
    any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_endian = "little")
    ),
    allow(dead_code)
)]
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use neon as native;
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_endian = "little")
)))]
use portable as native;
#[cfg(target_arch = "x86_64")]
use x86 as native;

pub(crate) use nesting::Nesting;

/// Reads `data` on from the state `nesting`; the index behind the bracket that brings the depth to 0, if it is in `data`.
#[inline]
pub(crate) fn close(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    native::close(nesting, data)
}

/// The index of the first `"` or `\` at or after `from`, or the length of `bytes`.
#[inline]
pub(crate) fn string_stop(bytes: &[u8], from: usize) -> usize {
    native::string_stop(bytes, from)
}

#[cfg(test)]
mod tests;
