//! Looking for the bytes of a text that JSON writes with a backslash.

use wide::u8x16;

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// How many bytes at the start stand for themselves inside of quotes: up to a quote, a backslash, a control character, or
/// the end.
#[inline(always)]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    // Most texts are short.
    match bytes.first_chunk().map(special_of_block) {
        Some(special) if special != 0 => special.trailing_zeros() as usize,
        Some(_) => BLOCK + plain_length_of_any(&bytes[BLOCK..]),
        None => plain_length_of_any(bytes),
    }
}

fn plain_length_of_any(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special_of_block(block);
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    if let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    match last_bytes(bytes) {
        Some(word) if special_bytes(word) == 0 => bytes.len(),
        _ => at + bytes[at..].iter().take_while(|byte| is_plain(**byte)).count(),
    }
}

/// A bit for each byte that is a quote, a backslash or a control character, the first lowest.
#[inline(always)]
fn special_of_block(block: &[u8; BLOCK]) -> u32 {
    let block = u8x16::new(*block);
    let control = block.min(u8x16::splat(0x1f)).simd_eq(block);
    (block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\')) | control).to_bitmask()
}

/// The last bytes as a word: eight, or, where there are not as many, all of them, some twice. Nothing of fewer than four.
#[inline]
fn last_bytes(bytes: &[u8]) -> Option<u64> {
    if let Some(word) = bytes.last_chunk() {
        return Some(u64::from_le_bytes(*word));
    }
    let (first, last) = (bytes.first_chunk()?, bytes.last_chunk()?);
    Some(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)))
}

#[inline]
fn is_plain(byte: u8) -> bool {
    (byte >= 0x20) & (byte != b'"') & (byte != b'\\')
}

/// High bits set in the bytes of a word that are a quote, a backslash or a control character; lower bytes come first.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero_in = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
    zero_in(word ^ (LOW * u64::from(b'"'))) | zero_in(word ^ (LOW * u64::from(b'\\'))) | control
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for length in 0..200 {
            assert_eq!(plain_length("\u{fc}".repeat(length).as_bytes()), length * 2);
            for special in [b'"', b'\\', 0, 0x1f] {
                let mut bytes = vec![0x20; length];
                bytes.push(special);
                bytes.extend([b'"'; 40]);
                assert_eq!(plain_length(&bytes), length, "{special:#x}");
            }
        }
    }
}
