//! Bytes as a JSON string: one U+FFFD for each byte that is no UTF-8, as Filebeat writes it.

use tailrace_common::json;

use crate::block;

/// Appends `bytes` in double quotes.
pub(crate) fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    write_contents(bytes, out);
    out.push(b'"');
}

fn write_contents(bytes: &[u8], out: &mut Vec<u8>) {
    // Most lines are text without anything to escape: one look tells, one copy does it.
    let mut rest = bytes;
    loop {
        let plain = plain_prefix(rest);
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        if rest.is_empty() {
            return;
        }
        rest = match rest[0] {
            byte if byte < 0x80 => {
                escape(byte, out);
                &rest[1..]
            }
            _ => wide(rest, out),
        };
    }
}

/// How many bytes at the start are ASCII and need no escape.
fn plain_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = block::special(block);
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += block::LEN;
    }
    at + bytes[at..].iter().position(|byte| block::is_special(*byte)).unwrap_or(bytes.len() - at)
}

/// Copies the text beyond ASCII at the start, up to the next ASCII byte; the rest comes back.
fn wide<'b>(bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
    let end = bytes.iter().position(u8::is_ascii).unwrap_or(bytes.len());
    let (run, rest) = bytes.split_at(end);
    let mut left = run;
    while !left.is_empty() {
        match std::str::from_utf8(left) {
            Ok(text) => {
                write_wide_text(text, out);
                break;
            }
            Err(error) => {
                let (valid, invalid) = left.split_at(error.valid_up_to());
                write_wide_text(std::str::from_utf8(valid).unwrap_or_default(), out);
                // Go replaces every single byte that starts no character.
                out.extend_from_slice("\u{fffd}".as_bytes());
                left = &invalid[1..];
            }
        }
    }
    rest
}

/// U+2028 and U+2029 are escaped, because they end lines in JavaScript.
fn write_wide_text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.find(['\u{2028}', '\u{2029}']) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        out.extend_from_slice(if rest[at..].starts_with('\u{2028}') { b"\\u2028" } else { b"\\u2029" });
        rest = &rest[at + 3..];
    }
    out.extend_from_slice(rest.as_bytes());
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The text that [`write_text`] writes, as a value.
pub(crate) fn to_text(bytes: &[u8]) -> tailrace_common::value::Str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            let mut quoted = Vec::with_capacity(bytes.len() + 16);
            write_text(bytes, &mut quoted);
            let quoted = String::from_utf8_lossy(&quoted).into_owned();
            match json::parse(&quoted.into(), json::Numbers::Float) {
                Ok(tailrace_common::Value::String(text)) => text,
                _ => String::from_utf8_lossy(bytes).into_owned().into(),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_text(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_invalid_byte_becomes_one_replacement() {
        assert_eq!(
            written(b"bad \xff\xfe bytes \xe4\xb8( cut \xe4\xb8"),
            "\"bad ��bytes ��( cut ��\"".replace("��b", "�� b")
        );
        assert_eq!(to_text(b"a\xffb\n\""), "a\u{fffd}b\n\"");
        // A surrogate half in UTF-8: three invalid bytes.
        assert_eq!(written(b"\xed\xa0\x80"), "\"���\"");
    }

    #[test]
    fn what_json_and_javascript_demand_is_escaped() {
        assert_eq!(
            written("nul \0 in \u{7} \u{7f}\"\\\n\r\t".as_bytes()),
            "\"nul \\u0000 in \\u0007 \u{7f}\\\"\\\\\\n\\r\\t\""
        );
        assert_eq!(written("a\u{2028}中\u{2029}<&>".as_bytes()), "\"a\\u2028中\\u2029<&>\"");
    }

    proptest! {
        #[test]
        fn text_comes_back(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&written(text.as_bytes())).unwrap(), text);
        }

        #[test]
        fn any_bytes_make_valid_json_of_as_many_characters(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let read = serde_json::from_str::<String>(&written(&bytes)).unwrap();
            let expected: String = {
                let (mut out, mut rest) = (String::new(), bytes.as_slice());
                while !rest.is_empty() {
                    let valid = std::str::from_utf8(rest).map_or_else(|e| e.valid_up_to(), str::len);
                    out.push_str(std::str::from_utf8(&rest[..valid]).unwrap());
                    if valid < rest.len() { out.push('\u{fffd}'); }
                    rest = rest.get(valid + 1..).unwrap_or_default();
                }
                out
            };
            prop_assert_eq!(&read, &expected);
            let as_value = to_text(&bytes);
            prop_assert_eq!(as_value.as_str(), read.as_str());
        }
    }
}
