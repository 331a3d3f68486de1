//! Sixteen bytes compared at once: with `unsafe` code, as `native/call.rs` only, to call vector
//! instructions that every x86-64 machine has. Others compare byte by byte.

use crate::run::Range;

/// A bit for each of the sixteen bytes, the first lowest.
pub(crate) const ALL: u32 = 0xFFFF;

/// Which of the bytes are in one of the ranges.
#[inline]
pub(crate) fn in_ranges(block: &[u8; 16], ranges: &[Range]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: the function needs SSE2 and nothing else; it is part of x86-64.
    return unsafe { sse2::in_ranges(block, ranges) };
    #[cfg(not(target_arch = "x86_64"))]
    bits(block, |byte| ranges.iter().any(|range| byte.wrapping_sub(range.low[0]) <= range.span[0]))
}

/// Which of the bytes are one of three.
#[inline]
pub(crate) fn equal(block: &[u8; 16], bytes: [u8; 3]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: as above.
    return unsafe { sse2::equal(block, bytes) };
    #[cfg(not(target_arch = "x86_64"))]
    bits(block, |byte| bytes.contains(&byte))
}

#[cfg(not(target_arch = "x86_64"))]
fn bits(block: &[u8; 16], test: impl Fn(u8) -> bool) -> u32 {
    block.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u32::from(test(byte)) << at)
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
        _mm_setzero_si128, _mm_sub_epi8,
    };

    use super::Range;

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(bytes: &[u8; 16]) -> __m128i {
        let whole = u128::from_le_bytes(*bytes);
        _mm_set_epi64x((whole >> 64) as i64, whole as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn in_ranges(block: &[u8; 16], ranges: &[Range]) -> u32 {
        let block = load(block);
        let mut found = _mm_setzero_si128();
        for range in ranges {
            let distance = _mm_sub_epi8(block, load(&range.low));
            let inside = _mm_cmpeq_epi8(_mm_min_epu8(distance, load(&range.span)), distance);
            found = _mm_or_si128(found, inside);
        }
        _mm_movemask_epi8(found) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn equal(block: &[u8; 16], bytes: [u8; 3]) -> u32 {
        let block = load(block);
        let a = _mm_cmpeq_epi8(block, _mm_set1_epi8(bytes[0] as i8));
        let b = _mm_cmpeq_epi8(block, _mm_set1_epi8(bytes[1] as i8));
        let c = _mm_cmpeq_epi8(block, _mm_set1_epi8(bytes[2] as i8));
        _mm_movemask_epi8(_mm_or_si128(a, _mm_or_si128(b, c))) as u32
    }
}
