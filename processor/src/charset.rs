//! Bytes to text, in the encoding that an option `charset` names (`util/charset.rb`).

use encoding_rs::Encoding;

use crate::options::Options;
use crate::plan::text::inspect_bytes;

/// What bytes are read as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Charset {
    /// A text with bytes that are none is shown as Ruby's `inspect` does: `\xE4`.
    Utf8,
    /// Bytes beyond ASCII become U+FFFD.
    Ascii,
    /// Every byte is a character.
    Latin1,
    /// Bytes that are none become U+FFFD.
    Other(&'static Encoding),
}

impl Charset {
    /// Reads the option; UTF-8 where it is not set.
    pub(crate) fn read(options: &mut Options<'_>) -> Charset {
        let name = options.string("charset").unwrap_or_else(|| "UTF-8".into());
        Charset::named(&name).unwrap_or_else(|| {
            options.error_at("charset", format!("the charset '{name}' is not known"));
            Charset::Utf8
        })
    }

    fn named(name: &str) -> Option<Charset> {
        match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" | "CP65001" | "UTF-8-MAC" | "UTF8-MAC" => return Some(Charset::Utf8),
            "US-ASCII" | "ASCII" | "ANSI_X3.4-1968" | "646" | "ASCII-8BIT" | "BINARY" => return Some(Charset::Ascii),
            // The web reads Latin-1 as Windows-1252, Ruby does not.
            "ISO-8859-1" | "ISO8859-1" => return Some(Charset::Latin1),
            _ => {}
        }
        let label = name.to_ascii_lowercase().replacen("cp", "windows-", usize::from(name.len() == 6));
        let found = Encoding::for_label(label.as_bytes()).or_else(|| Encoding::for_label(name.as_bytes()));
        found.map(Charset::Other)
    }

    /// The text.
    pub(crate) fn text(self, bytes: Vec<u8>) -> String {
        match self {
            Charset::Utf8 => String::from_utf8(bytes).unwrap_or_else(|error| inspect_bytes(error.as_bytes())),
            Charset::Ascii => {
                bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' }).collect()
            }
            Charset::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Charset::Other(encoding) => encoding.decode_without_bom_handling(&bytes).0.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_by_their_names_in_ruby() {
        for (name, bytes, wanted) in [
            ("UTF-8", "caf\u{e9}".as_bytes(), "café"),
            ("utf-8", &b"\"\xe9\0\""[..], "\\\"\\xE9\\u0000\\\""),
            ("ASCII-8BIT", &b"a\xe9"[..], "a\u{fffd}"),
            ("ISO-8859-1", &b"\xe9\x80"[..], "é\u{80}"),
            ("CP1252", &b"\xe9\x80"[..], "é€"),
            ("Windows-1251", &b"\xcf"[..], "П"),
            ("Shift_JIS", &b"\x82\xa0"[..], "あ"),
            ("GBK", &b"\xd3\xd0"[..], "有"),
            ("UTF-16LE", &b"a\0\xe9\0"[..], "aé"),
        ] {
            let charset = Charset::named(name);
            assert_eq!(charset.map(|charset| charset.text(bytes.to_vec())).as_deref(), Some(wanted), "{name}");
        }
        assert!(Charset::named("KLINGON").is_none());
    }
}
