//! Reading characters out of bytes that need not be valid UTF-8.
//!
//! A byte that is no part of a valid sequence is a character of its own with the code
//! [`INVALID`]. A lead byte always starts a character, so the division of a text into
//! characters is the same from wherever it is read, forwards and backwards.

use crate::charset::INVALID;

/// The character at `pos` (which must be inside of the text) and its length in bytes.
#[inline]
pub(crate) fn decode(text: &[u8], pos: usize) -> (u32, usize) {
    let first = text[pos];
    if first < 0x80 {
        return (u32::from(first), 1);
    }
    decode_long(&text[pos..])
}

fn decode_long(bytes: &[u8]) -> (u32, usize) {
    let continuation = |i: usize| match bytes.get(i) {
        Some(&byte) if byte & 0xC0 == 0x80 => Some(u32::from(byte & 0x3F)),
        _ => None,
    };
    let first = u32::from(bytes[0]);
    let decoded = match first {
        0xC2..=0xDF => continuation(1).map(|a| ((first & 0x1F) << 6 | a, 2)),
        0xE0..=0xEF => continuation(1)
            .zip(continuation(2))
            .map(|(a, b)| ((first & 0x0F) << 12 | a << 6 | b, 3))
            .filter(|&(code, _)| code >= 0x800 && !(0xD800..0xE000).contains(&code)),
        0xF0..=0xF4 => continuation(1)
            .zip(continuation(2))
            .zip(continuation(3))
            .map(|((a, b), c)| ((first & 0x07) << 18 | a << 12 | b << 6 | c, 4))
            .filter(|&(code, _)| (0x1_0000..INVALID).contains(&code)),
        _ => None,
    };
    decoded.unwrap_or((INVALID, 1))
}

/// The first place from `pos` on where a character starts, when one starts right before `pos`.
#[inline]
pub(crate) fn boundary(text: &[u8], pos: usize) -> usize {
    pos - 1 + decode(text, pos - 1).1
}

/// Where the character that ends at `pos` starts; `pos` must be greater than 0.
#[inline]
pub(crate) fn before(text: &[u8], pos: usize) -> usize {
    if text[pos - 1] & 0xC0 != 0x80 {
        return pos - 1;
    }
    let mut start = pos - 1;
    while start > 0 && pos - start < 4 {
        start -= 1;
        if text[start] & 0xC0 != 0x80 {
            return if start + decode(text, start).1 == pos { start } else { pos - 1 };
        }
    }
    pos - 1
}

/// The first byte of the UTF-8 form of a code point.
pub(crate) fn lead(code: u32) -> u8 {
    match code {
        0..0x80 => code as u8,
        0x80..0x800 => 0xC0 | (code >> 6) as u8,
        0x800..0x1_0000 => 0xE0 | (code >> 12) as u8,
        _ => 0xF0 | (code >> 18).min(7) as u8,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_same_characters_in_both_directions() {
        for text in [
            &b"a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80z"[..],
            b"\x80\xBF\xC3\xC3\xA9\xA9\xE4\xB8\xF0\x9F\x98",
            b"\xED\xA0\x80\xC0\x80\xF5\x80\x80\x80\xFF",
        ] {
            let mut starts = vec![];
            let mut pos = 0;
            while pos < text.len() {
                starts.push(pos);
                pos += decode(text, pos).1;
            }
            let mut back = vec![];
            let mut pos = text.len();
            while pos > 0 {
                pos = before(text, pos);
                back.push(pos);
            }
            back.reverse();
            assert_eq!(starts, back);
        }
    }
}
