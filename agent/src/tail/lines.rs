//! Cuts bytes into lines, in any encoding, and makes UTF-8 of them.

use memchr::memmem;

use crate::decode::{LineTerminator, TextEncoding};
use crate::pipeline::Span;

/// How the lines of one input end, compiled.
#[derive(Clone, Debug)]
pub struct LineFormat {
    encoding: TextEncoding,
    terminator: LineTerminator,
    /// The terminator in the file's encoding.
    bytes: Vec<u8>,
    /// How many bytes a character takes at least: terminators stand at multiples of it.
    unit: usize,
}

impl LineFormat {
    /// Compiles it.
    pub fn new(encoding: TextEncoding, terminator: LineTerminator) -> LineFormat {
        LineFormat::for_byte_order(encoding, terminator, false)
    }

    /// As [`LineFormat::new`], for a file whose byte order mark says big endian or not: `utf-16-bom` leaves it to that.
    pub fn for_byte_order(encoding: TextEncoding, terminator: LineTerminator, big_endian: bool) -> LineFormat {
        let text = match terminator {
            LineTerminator::Auto | LineTerminator::LineFeed => "\n",
            LineTerminator::VerticalTab => "\u{b}",
            LineTerminator::FormFeed => "\u{c}",
            LineTerminator::CarriageReturn => "\r",
            LineTerminator::CarriageReturnLineFeed => "\r\n",
            LineTerminator::NextLine => "\u{85}",
            LineTerminator::LineSeparator => "\u{2028}",
            LineTerminator::ParagraphSeparator => "\u{2029}",
            LineTerminator::Null => "\0",
        };
        let encoding = encoding.resolved(big_endian);
        let (bytes, unit) = encoding.encode(text);
        LineFormat { encoding, terminator, bytes, unit }
    }

    /// How many bytes end a line.
    pub fn terminator_len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends the index behind each line end of `text`.
    pub fn ends(&self, text: &[u8], ends: &mut Vec<u32>) {
        if let ([byte], 1) = (self.bytes.as_slice(), self.unit) {
            ends.extend(memchr::memchr_iter(*byte, text).map(|at| at as u32 + 1));
            return;
        }
        let mut from = 0;
        while let Some(end) = self.first_end(&text[from..]) {
            from += end;
            ends.push(from as u32);
        }
    }

    /// The index behind the first line end of `text`, which starts at a character.
    pub fn first_end(&self, text: &[u8]) -> Option<usize> {
        let found = memmem::find_iter(text, &self.bytes).find(|at| at % self.unit == 0);
        // A terminator that stands askew may hide one that does not.
        match found {
            Some(at) => Some(at + self.bytes.len()),
            None if self.unit > 1 => {
                let aligned = text.chunks(self.unit).position(|unit| unit == self.bytes);
                aligned.map(|index| (index + 1) * self.unit)
            }
            None => None,
        }
    }

    /// The line's text without its end; in another encoding than UTF-8 its translation is put behind the buffer.
    ///
    /// `line` is the whole line as indices into `text`, `is_start` says that the file starts with it.
    pub fn text(&self, text: &mut Vec<u8>, start: usize, end: usize, is_start: bool) -> Span {
        let mut line = &text[start..end];
        line = match self.bytes.as_slice() {
            [last] => line.strip_suffix(&[*last]),
            bytes => line.strip_suffix(bytes),
        }
        .unwrap_or(line);
        if let TextEncoding::Plain = self.encoding {
            if self.terminator == LineTerminator::Auto {
                line = line.strip_suffix(b"\r").unwrap_or(line);
            }
            return Span { start: start as u32, len: line.len() as u32 };
        }
        let mut decoded = self.encoding.decode(line, is_start);
        if self.terminator == LineTerminator::Auto && decoded.ends_with('\r') {
            decoded.pop();
        }
        let span = Span { start: text.len() as u32, len: decoded.len() as u32 };
        text.extend_from_slice(decoded.as_bytes());
        span
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(encoding: &str, terminator: LineTerminator, bytes: &[u8]) -> Vec<String> {
        let format = LineFormat::new(TextEncoding::named(encoding).unwrap(), terminator);
        let mut ends = Vec::new();
        format.ends(bytes, &mut ends);
        let mut text = bytes.to_vec();
        let mut start = 0;
        let mut lines = Vec::new();
        for end in ends {
            let span = format.text(&mut text, start, end as usize, start == 0);
            lines.push(String::from_utf8_lossy(span.of(&text)).into_owned());
            start = end as usize;
        }
        lines
    }

    #[test]
    fn auto_takes_a_carriage_return_away() {
        assert_eq!(
            lines("plain", LineTerminator::Auto, b"unix\ndos\r\n\r\nlone\rcr\nrest"),
            ["unix", "dos", "", "lone\rcr"]
        );
        assert_eq!(lines("plain", LineTerminator::LineFeed, b"dos\r\n"), ["dos\r"]);
    }

    #[test]
    fn other_terminators() {
        assert_eq!(lines("plain", LineTerminator::Null, b"a\0b\nc\0"), ["a", "b\nc"]);
        assert_eq!(lines("plain", LineTerminator::CarriageReturnLineFeed, b"a\nb\r\nc\r"), ["a\nb"]);
        assert_eq!(lines("utf-8", LineTerminator::LineSeparator, "a\u{2028}b\u{2028}".as_bytes()), ["a", "b"]);
    }

    #[test]
    fn utf16_is_cut_at_whole_characters_only() {
        // U+0A0D and U+0D0A hold the bytes of a line feed askew.
        let text = "\u{feff}a\u{a0d}\u{d0a}b\r\n中\n";
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let expected = ["a\u{a0d}\u{d0a}b", "中"];
        assert_eq!(lines("utf-16be-bom", LineTerminator::Auto, &be), expected);
        assert_eq!(lines("utf-16le", LineTerminator::Auto, &le), expected);
    }

    #[test]
    fn chinese_encodings() {
        let (gbk, ..) = encoding_rs::GBK.encode("订单\n库存\n");
        assert_eq!(lines("gbk", LineTerminator::Auto, &gbk), ["订单", "库存"]);
        let (big5, ..) = encoding_rs::BIG5.encode("訂單\n");
        assert_eq!(lines("big5", LineTerminator::Auto, &big5), ["訂單"]);
    }
}
