//! The encodings of files, by Filebeat's names, and what ends a line in them.

use encoding_rs::Encoding;

/// How a file's bytes become text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextEncoding {
    /// `plain`, `utf-8`: bytes as they are.
    #[default]
    Plain,
    /// Any other encoding that encoding_rs knows.
    Other(&'static Encoding),
}

impl TextEncoding {
    /// The encoding of one of Filebeat's names; `None` for an unknown one.
    pub fn named(name: &str) -> Option<TextEncoding> {
        let name = name.trim().to_ascii_lowercase();
        let encoding = match name.as_str() {
            "" | "plain" | "utf-8" | "nop" => return Some(TextEncoding::Plain),
            "utf-16be" | "utf-16be-bom" => encoding_rs::UTF_16BE,
            "utf-16le" | "utf-16le-bom" | "utf-16-bom" | "utf-16" => encoding_rs::UTF_16LE,
            other => Encoding::for_label(other.as_bytes())?,
        };
        Some(TextEncoding::Other(encoding))
    }

    /// Text in this encoding, and how many bytes a character takes at least.
    pub fn encode(self, text: &str) -> (Vec<u8>, usize) {
        match self {
            TextEncoding::Plain => (text.as_bytes().to_vec(), 1),
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
            TextEncoding::Other(encoding) if is_start => encoding.decode_with_bom_removal(bytes).0.into_owned(),
            TextEncoding::Other(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        }
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
