//! Lines of Docker's json-file driver: `{"log":"text\n","stream":"stdout","time":"2026-11-23T09:15:00.000123456Z"}`.

use std::ops::Range;

use memchr::{memchr, memchr2};
use tailrace_common::Timestamp;

use super::timestamp::Moments;
use super::usual;
use crate::pipeline::Stream;

/// What a line holds. Ranges are indices into the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerLine {
    /// The text, unescaped in place, without its line end.
    pub message: Range<usize>,
    /// Whether the text ended with a line end; if not, the next piece of the stream belongs to it.
    pub complete: bool,
    /// `stream`
    pub stream: Stream,
    /// `time`
    pub timestamp: Timestamp,
    /// `attrs`, as the raw JSON object.
    pub attrs: Option<Range<usize>>,
}

#[derive(Default)]
struct Members {
    log: Option<Text>,
    stream: Option<Range<usize>>,
    time: Option<Range<usize>>,
    attrs: Option<Range<usize>>,
}

/// A JSON string without its quotes; the index of its first escape, if it has one.
struct Text {
    range: Range<usize>,
    escape: Option<usize>,
}

/// Reads a line and unescapes its text in place. A line that is refused is left as it was.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &mut [u8], moments: &mut Moments) -> Result<DockerLine, &'static str> {
    match usual::parse(line, moments) {
        Some(parsed) => Ok(parsed),
        None => parse_any(line, moments),
    }
}

/// Reads a line with its members in any order, and any others.
fn parse_any(line: &mut [u8], moments: &mut Moments) -> Result<DockerLine, &'static str> {
    let members = members(line)?;
    let stream = match members.stream.map(|range| &line[range]) {
        Some(b"stdout") => Stream::Stdout,
        Some(b"stderr") => Stream::Stderr,
        Some(b"") | None => Stream::Unnamed,
        Some(_) => return Err("the stream is neither stdout nor stderr"),
    };
    let time = members.time.ok_or("no time")?;
    let timestamp = moments.read(&line[time]).ok_or("the time is not RFC 3339")?;
    let log = members.log.unwrap_or(Text { range: 0..0, escape: None });
    let Text { range, escape } = log;
    let end = match escape {
        None => range.end,
        // The common line: its only escape is the line end.
        Some(at) if at + 2 == range.end && line[at + 1] == b'n' => {
            return Ok(DockerLine {
                message: range.start..at,
                complete: true,
                stream,
                timestamp,
                attrs: members.attrs,
            });
        }
        Some(at) => at + unescape(&mut line[at..range.end])?,
    };
    let complete = end > range.start && line[end - 1] == b'\n';
    let message = range.start..end - usize::from(complete);
    Ok(DockerLine { message, complete, stream, timestamp, attrs: members.attrs })
}

fn members(line: &[u8]) -> Result<Members, &'static str> {
    let mut found = Members::default();
    let mut at = blanks(line, 0);
    if line.get(at) != Some(&b'{') {
        return Err("not a JSON object");
    }
    at = blanks(line, at + 1);
    if line.get(at) == Some(&b'}') {
        return end_of_line(line, at + 1, found);
    }
    loop {
        let name = string(line, at)?;
        at = blanks(line, name.range.end + 1);
        if line.get(at) != Some(&b':') {
            return Err("no colon after a JSON key");
        }
        at = blanks(line, at + 1);
        at = match &line[name.range] {
            b"log" => {
                let log = string(line, at)?;
                let end = log.range.end + 1;
                found.log = Some(log);
                end
            }
            b"stream" => keep(string(line, at)?, &mut found.stream),
            b"time" => keep(string(line, at)?, &mut found.time),
            b"attrs" => {
                let end = skip_value(line, at)?;
                found.attrs = Some(at..end).filter(|range| line[range.start] == b'{');
                end
            }
            _ => skip_value(line, at)?,
        };
        at = blanks(line, at);
        match line.get(at) {
            Some(b',') => at = blanks(line, at + 1),
            Some(b'}') => return end_of_line(line, at + 1, found),
            Some(_) => return Err("no comma between JSON members"),
            None => return Err("the JSON ends too early"),
        }
    }
}

fn keep(text: Text, place: &mut Option<Range<usize>>) -> usize {
    let end = text.range.end + 1;
    *place = Some(text.range);
    end
}

fn end_of_line(line: &[u8], at: usize, found: Members) -> Result<Members, &'static str> {
    if blanks(line, at) == line.len() { Ok(found) } else { Err("text after the JSON object") }
}

fn blanks(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = line.get(at) {
        at += 1;
    }
    at
}

/// The string whose opening quote is at `at`.
fn string(line: &[u8], at: usize) -> Result<Text, &'static str> {
    if line.get(at) != Some(&b'"') {
        return Err("a JSON string is missing");
    }
    let start = at + 1;
    let mut escape = None;
    let mut from = start;
    loop {
        let found = line.get(from..).and_then(|rest| memchr2(b'"', b'\\', rest)).ok_or("a JSON string has no end")?;
        let index = from + found;
        if line[index] == b'"' {
            return Ok(Text { range: start..index, escape });
        }
        escape.get_or_insert(index);
        from = index + 2;
    }
}

/// The index behind the value at `at`.
fn skip_value(line: &[u8], at: usize) -> Result<usize, &'static str> {
    match line.get(at) {
        Some(b'"') => Ok(string(line, at)?.range.end + 1),
        Some(b'{' | b'[') => skip_nested(line, at),
        Some(_) => {
            let rest = &line[at..];
            let len = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ')).unwrap_or(rest.len());
            if len == 0 { Err("a JSON value is missing") } else { Ok(at + len) }
        }
        None => Err("the JSON ends too early"),
    }
}

fn skip_nested(line: &[u8], mut at: usize) -> Result<usize, &'static str> {
    let mut depth = 0usize;
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => at = string(line, at)?.range.end,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err("the JSON ends too early")
}

/// Unescapes a JSON string in place and returns its new length. Checks everything before it changes anything.
fn unescape(text: &mut [u8]) -> Result<usize, &'static str> {
    check_escapes(text)?;
    let (mut from, mut to) = (0, 0);
    while let Some(found) = memchr(b'\\', &text[from..]) {
        text.copy_within(from..from + found, to);
        to += found;
        from += found;
        let (used, written) = unescape_at(text, from, to);
        (from, to) = (from + used, to + written);
    }
    let len = text.len();
    text.copy_within(from..len, to);
    Ok(to + len - from)
}

fn check_escapes(text: &[u8]) -> Result<(), &'static str> {
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        if !is_escape(rest, at) {
            return Err("a wrong escape in a JSON string");
        }
        // What follows of a longer escape has no backslash.
        rest = &rest[at + 2..];
    }
    Ok(())
}

/// Whether an escape begins at `at`, where a backslash stands.
#[inline]
pub(super) fn is_escape(text: &[u8], at: usize) -> bool {
    match text.get(at + 1) {
        Some(b'u') => hex(text, at + 2).is_some(),
        Some(&letter) => simple(letter).is_some(),
        None => false,
    }
}

/// Writes at `to` what the escape at `from` stands for; how long this and that is.
#[inline]
pub(super) fn unescape_at(text: &mut [u8], from: usize, to: usize) -> (usize, usize) {
    let letter = text[from + 1];
    if letter == b'u' {
        let (character, used) = unicode(&text[from..]);
        return (used, character.encode_utf8(&mut text[to..]).len());
    }
    text[to] = simple(letter).unwrap_or(letter);
    (2, 1)
}

/// What a backslash and this letter stand for.
#[inline]
fn simple(letter: u8) -> Option<u8> {
    Some(match letter {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        b'"' | b'\\' | b'/' => letter,
        _ => return None,
    })
}

fn hex(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// The character of `\uXXXX` at the start of `text`, or of a pair of surrogates, and how many bytes it takes.
fn unicode(text: &[u8]) -> (char, usize) {
    let first = hex(text, 2).unwrap_or(0xFFFD);
    if (0xD800..0xDC00).contains(&first)
        && text.get(6..8) == Some(b"\\u")
        && let Some(second) = hex(text, 8).filter(|second| (0xDC00..0xE000).contains(second))
    {
        let joined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(joined).unwrap_or('\u{FFFD}'), 12);
    }
    (char::from_u32(first).unwrap_or('\u{FFFD}'), 6)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (String, DockerLine) {
        let mut bytes = line.as_bytes().to_vec();
        let line = parse(&mut bytes, &mut Moments::default()).unwrap();
        (String::from_utf8(bytes[line.message.clone()].to_vec()).unwrap(), line)
    }

    #[test]
    fn the_common_line() {
        let (message, line) = parsed(r#"{"log":"hello\n","stream":"stdout","time":"2026-11-23T09:15:00.000123456Z"}"#);
        assert_eq!((message.as_str(), line.complete, line.stream), ("hello", true, Stream::Stdout));
        assert_eq!(line.timestamp.nanos, 123_456);
    }

    #[test]
    fn escapes_and_order_and_attrs() {
        let (message, line) = parsed(
            r#"{ "time":"2026-11-23T09:15:00Z" , "x":[1,{"a":"]"}], "stream":"stderr","attrs":{"tag":"a}"},"log":"\u003ca\u003e \"q\" \\ \ud83d\ude00 \u4e2d\ttab"}"#,
        );
        assert_eq!(message, "<a> \"q\" \\ 😀 中\ttab");
        assert!(!line.complete);
        assert_eq!((line.stream, line.attrs.unwrap().len()), (Stream::Stderr, 12));
    }

    #[test]
    fn a_refused_line_is_left_as_it_was() {
        for bad in [
            "",
            "x",
            "{",
            r#"{"log":"cut"#,
            r#"{"log":"a\q\n","stream":"stdout","time":"2026-11-23T09:15:00Z"}"#,
            r#"{"log":"no\ttime\n","stream":"stdout"}"#,
            r#"{"log":"a\n","stream":"stdout","time":"yesterday"}"#,
            r#"{"log":"a\n","stream":"stdout","time":"2026-11-23T09:15:00Z"} {"#,
        ] {
            let mut bytes = bad.as_bytes().to_vec();
            assert!(parse(&mut bytes, &mut Moments::default()).is_err(), "{bad}");
            assert_eq!(bytes, bad.as_bytes());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,80}") {
            let line = serde_json::json!({"log": text, "stream": "stdout", "time": "2026-11-23T09:15:00Z"}).to_string();
            let mut bytes = line.into_bytes();
            let line = parse(&mut bytes, &mut Moments::default()).unwrap();
            let expected = text.strip_suffix('\n').unwrap_or(&text);
            proptest::prop_assert_eq!(&bytes[line.message], expected.as_bytes());
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
            drop(parse(&mut bytes, &mut Moments::default()));
        }
    }
}
