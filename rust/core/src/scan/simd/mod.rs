//! The two loops that touch every byte: where an open bracket closes, and where a string stops. Each exists as one
//! generic algorithm over masks of 64 bytes, with thin wrappers that fill the masks: AVX2 (found at run time), SSE2
//! (always there on `x86_64`) and portable integers. Invariant: all of them give equal results on equal bytes.
// The generic algorithm has to be compiled into each wrapper, with the CPU features of that wrapper.
#![allow(clippy::inline_always)]

mod nesting;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use nesting::Nesting;

/// Reads `data` on from the state `nesting`; the index behind the bracket that brings the depth to 0, if it is in `data`.
#[inline]
pub(crate) fn close(nesting: &mut Nesting, data: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    {
        x86::close(nesting, data)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        portable::close(nesting, data)
    }
}

/// The index of the first `"` or `\` at or after `from`, or the length of `bytes`.
#[inline]
pub(crate) fn string_stop(bytes: &[u8], from: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        x86::string_stop(bytes, from)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        portable::string_stop(bytes, from)
    }
}

#[cfg(test)]
mod tests;
