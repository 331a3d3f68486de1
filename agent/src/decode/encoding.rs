//! The encodings of files, by Filebeat's names, and what ends a line in them.

use encoding_rs::Encoding;

use super::codepage::CodePage;

/// How a file's bytes become text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextEncoding {
    /// `plain`, `utf-8`: bytes as they are.
    #[default]
    Plain,
    /// Any other encoding that encoding_rs knows.
    Other(&'static Encoding),
    /// An encoding of one byte a character that it does not know.
    Page(&'static CodePage),
    /// `hz-gb-2312`
    Hz,
    /// `utf-16-bom`: the file's byte order mark says which of the two it is.
    Utf16Bom,
}

impl TextEncoding {
    /// The encoding of one of Filebeat's names; `None` for an unknown one.
    pub fn named(name: &str) -> Option<TextEncoding> {
        let name = name.trim().to_ascii_lowercase();
        let encoding = match name.as_str() {
            "" | "plain" | "utf-8" | "utf8" | "unicode-1-1-utf-8" | "nop" => return Some(TextEncoding::Plain),
            "hz-gb-2312" => return Some(TextEncoding::Hz),
            "utf-16be" | "utf-16be-bom" => encoding_rs::UTF_16BE,
            "utf-16le" | "utf-16le-bom" | "utf-16" => encoding_rs::UTF_16LE,
            "utf-16-bom" => return Some(TextEncoding::Utf16Bom),
            name => match CodePage::named(name) {
                Some(page) => return Some(TextEncoding::Page(page)),
                None => Encoding::for_label_no_replacement(label(name).as_bytes())?,
            },
        };
        Some(TextEncoding::Other(encoding))
    }

    /// The encoding of a file that is big endian or not.
    #[must_use]
    pub fn resolved(self, big_endian: bool) -> TextEncoding {
        match self {
            TextEncoding::Utf16Bom if big_endian => TextEncoding::Other(encoding_rs::UTF_16BE),
            TextEncoding::Utf16Bom => TextEncoding::Other(encoding_rs::UTF_16LE),
            other => other,
        }
    }

    /// Text in this encoding, and how many bytes a character takes at least.
    pub fn encode(self, text: &str) -> (Vec<u8>, usize) {
        match self {
            TextEncoding::Plain | TextEncoding::Hz => (text.as_bytes().to_vec(), 1),
            TextEncoding::Page(page) => (page.encode(text).unwrap_or_else(|| text.as_bytes().to_vec()), 1),
            TextEncoding::Utf16Bom => self.resolved(false).encode(text),
            TextEncoding::Other(encoding) if encoding == encoding_rs::UTF_16BE => {
                (text.encode_utf16().flat_map(u16::to_be_bytes).collect(), 2)
            }
            TextEncoding::Other(encoding) if encoding == encoding_rs::UTF_16LE => {
                (text.encode_utf16().flat_map(u16::to_le_bytes).collect(), 2)
            }
            TextEncoding::Other(encoding) => (encoding.encode(text).0.into_owned(), 1),
        }
    }

    /// Bytes as text; what is not valid becomes U+FFFD. `is_start` takes a byte order mark away.
    pub fn decode(self, bytes: &[u8], is_start: bool) -> String {
        match self {
            TextEncoding::Plain => String::from_utf8_lossy(bytes).into_owned(),
            TextEncoding::Page(page) => page.decode(bytes),
            TextEncoding::Hz => super::hz::decode(bytes),
            TextEncoding::Utf16Bom => self.resolved(false).decode(bytes, is_start),
            TextEncoding::Other(encoding) if is_start => encoding.decode_with_bom_removal(bytes).0.into_owned(),
            TextEncoding::Other(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}

/// The name by which encoding_rs knows one of Filebeat's.
fn label(name: &str) -> &str {
    match name {
        "iso8859-6e" => "iso-8859-6-e",
        "iso8859-6i" => "iso-8859-6-i",
        "iso8859-8e" => "iso-8859-8-e",
        "iso8859-8i" => "iso-8859-8-i",
        "iso8859-16" => "iso-8859-16",
        "koi8r" => "koi8-r",
        "koi8u" => "koi8-u",
        "macintosh-cyrillic" => "x-mac-cyrillic",
        "windows1250" => "windows-1250",
        "windows1251" => "windows-1251",
        "windows1252" => "windows-1252",
        "windows1253" => "windows-1253",
        "windows1254" => "windows-1254",
        "windows1255" => "windows-1255",
        "windows1256" => "windows-1256",
        "windows1257" => "windows-1257",
        "windows1258" => "windows-1258",
        "windows874" => "windows-874",
        other => other,
    }
}

/// `line_terminator`: what ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineTerminator {
    /// `auto`: a line feed; a carriage return before it goes too.
    #[default]
    Auto,
    /// `line_feed`
    LineFeed,
    /// `vertical_tab`
    VerticalTab,
    /// `form_feed`
    FormFeed,
    /// `carriage_return`
    CarriageReturn,
    /// `carriage_return_line_feed`
    CarriageReturnLineFeed,
    /// `next_line`: U+0085
    NextLine,
    /// `line_separator`: U+2028
    LineSeparator,
    /// `paragraph_separator`: U+2029
    ParagraphSeparator,
    /// `null_terminator`
    Null,
}

impl LineTerminator {
    /// The terminator of one of Filebeat's names.
    pub fn named(name: &str) -> Option<LineTerminator> {
        Some(match name {
            "auto" => LineTerminator::Auto,
            "line_feed" => LineTerminator::LineFeed,
            "vertical_tab" => LineTerminator::VerticalTab,
            "form_feed" => LineTerminator::FormFeed,
            "carriage_return" => LineTerminator::CarriageReturn,
            "carriage_return_line_feed" => LineTerminator::CarriageReturnLineFeed,
            "next_line" => LineTerminator::NextLine,
            "line_separator" => LineTerminator::LineSeparator,
            "paragraph_separator" => LineTerminator::ParagraphSeparator,
            "null_terminator" => LineTerminator::Null,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_filebeat_is_known() {
        let names = "nop plain unicode-1-1-utf-8 utf-8 utf8 gbk gb18030 big5 euc-jp euc-kr iso-2022-jp shift-jis \
            iso8859-6e iso8859-6i iso8859-8e iso8859-8i iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 \
            iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-13 iso8859-14 iso8859-15 iso8859-16 cp437 cp850 cp852 \
            cp855 cp858 cp860 cp862 cp863 cp865 cp866 ebcdic-037 ebcdic-1040 ebcdic-1047 koi8r koi8u macintosh \
            macintosh-cyrillic windows1250 windows1251 windows1252 windows1253 windows1254 windows1255 windows1256 \
            windows1257 windows1258 windows874 utf-16-bom utf-16be-bom utf-16le-bom utf-16be utf-16le";
        for name in names.split_whitespace() {
            assert!(TextEncoding::named(name).is_some(), "{name}");
        }
        assert_eq!(TextEncoding::named("UTF-8"), Some(TextEncoding::Plain));
        assert_eq!(TextEncoding::named("no-such"), None);
    }
}
