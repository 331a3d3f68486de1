//! Sixteen bytes looked at together, by vector instructions that every x86-64 machine has; elsewhere byte by byte.

/// How many bytes are looked at together.
pub(crate) const LEN: usize = 16;

/// Which of the bytes are double quotes or backslashes: a bit for each, the first lowest.
#[inline]
pub(crate) fn quotes(block: &[u8; LEN]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: the function needs SSE2 and nothing else; it is part of x86-64.
    return unsafe { sse2::quotes(block) };
    #[cfg(not(target_arch = "x86_64"))]
    bits(block, is_quote)
}

/// As [`quotes`], of four blocks behind one another.
#[inline]
pub(crate) fn quotes_of_four(blocks: &[u8; 4 * LEN]) -> u64 {
    let (blocks, _) = blocks.as_chunks::<LEN>();
    blocks.iter().rev().fold(0, |bits, block| bits << LEN | u64::from(quotes(block)))
}

/// Which of the bytes a JSON text cannot hold as they are, or are not ASCII.
#[inline]
pub(crate) fn special(block: &[u8; LEN]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: as above.
    return unsafe { sse2::special(block) };
    #[cfg(not(target_arch = "x86_64"))]
    bits(block, is_special)
}

/// What [`quotes`] looks for.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

/// What [`special`] looks for.
pub(crate) fn is_special(byte: u8) -> bool {
    !(0x20..0x80).contains(&byte) || matches!(byte, b'"' | b'\\')
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn bits(block: &[u8; LEN], test: impl Fn(u8) -> bool) -> u32 {
    block.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u32::from(test(byte)) << at)
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    use super::LEN;

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(bytes: &[u8; LEN]) -> __m128i {
        let whole = u128::from_le_bytes(*bytes);
        _mm_set_epi64x((whole >> 64) as i64, whole as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn marked(block: __m128i) -> __m128i {
        let quote = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'"' as i8));
        _mm_or_si128(quote, _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn quotes(block: &[u8; LEN]) -> u32 {
        _mm_movemask_epi8(marked(load(block))) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn special(block: &[u8; LEN]) -> u32 {
        let block = load(block);
        // Bytes beyond ASCII are negative.
        let low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
        _mm_movemask_epi8(_mm_or_si128(marked(block), low)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for at in 0..LEN {
                let mut block = *b"plain text, here";
                block[at] = byte;
                assert_eq!(quotes(&block), bits(&block, is_quote), "{byte} at {at}");
                assert_eq!(special(&block), bits(&block, is_special), "{byte} at {at}");
                let mut four = [b' '; 4 * LEN];
                four[2 * LEN..3 * LEN].copy_from_slice(&block);
                assert_eq!(quotes_of_four(&four), u64::from(quotes(&block)) << (2 * LEN));
            }
        }
    }
}
