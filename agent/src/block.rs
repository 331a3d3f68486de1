//! Sixteen bytes looked at together.

use wide::u8x16;

/// How many bytes are looked at together.
pub(crate) const LEN: usize = 16;

/// Which of the bytes are double quotes or backslashes: a bit for each, the first lowest.
#[inline]
pub(crate) fn quotes(block: &[u8; LEN]) -> u32 {
    marked(u8x16::new(*block)).to_bitmask()
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
    let block = u8x16::new(*block);
    let control = block.min(u8x16::splat(0x1f)).simd_eq(block);
    // A bit is the highest of its byte: that of the byte itself tells whether it is beyond ASCII.
    (marked(block) | control | block).to_bitmask()
}

#[inline]
fn marked(block: u8x16) -> u8x16 {
    block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\'))
}

/// What [`special`] looks for.
pub(crate) fn is_special(byte: u8) -> bool {
    !(0x20..0x80).contains(&byte) || matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(block: &[u8; LEN], test: impl Fn(u8) -> bool) -> u32 {
        block.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u32::from(test(byte)) << at)
    }

    fn is_quote(byte: u8) -> bool {
        matches!(byte, b'"' | b'\\')
    }

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
