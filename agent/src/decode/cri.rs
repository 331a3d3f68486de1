//! Lines of the Container Runtime Interface: `2026-11-23T09:15:00.000123456Z stdout F text`.

use std::ops::Range;

use memchr::memchr;
use tailrace_common::Timestamp;

use super::timestamp::Moments;
use crate::pipeline::Stream;

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriLine {
    /// The text, as indices into the line.
    pub message: Range<usize>,
    /// Whether the tag is `F`; after `P` the next piece of the stream belongs to it.
    pub complete: bool,
    /// The stream.
    pub stream: Stream,
    /// When it was written.
    pub timestamp: Timestamp,
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &[u8], moments: &mut Moments) -> Result<CriLine, &'static str> {
    match usual(line, moments) {
        Some(parsed) => Ok(parsed),
        None => parse_any(line, moments),
    }
}

/// A whole line with nine digits behind the second, in UTC: what containerd and CRI-O mostly write.
fn usual(line: &[u8], moments: &mut Moments) -> Option<CriLine> {
    const TIME: usize = "2026-11-23T09:15:00.000123456Z".len();
    const START: usize = TIME + " stdout F ".len();
    let (head, _) = line.split_first_chunk::<START>()?;
    let stream = match &head[TIME..] {
        b" stdout F " => Stream::Stdout,
        b" stderr F " => Stream::Stderr,
        _ => return None,
    };
    let timestamp = moments.read(&head[..TIME])?;
    Some(CriLine { message: START..line.len(), complete: true, stream, timestamp })
}

fn parse_any(line: &[u8], moments: &mut Moments) -> Result<CriLine, &'static str> {
    let time_end = memchr(b' ', line).ok_or("not a line of a container: no space behind the time")?;
    let timestamp = moments.read(&line[..time_end]).ok_or("the time is not RFC 3339")?;
    let rest = &line[time_end + 1..];
    let stream_end = memchr(b' ', rest).ok_or("no stream")?;
    let stream = match &rest[..stream_end] {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return Err("the stream is neither stdout nor stderr"),
    };
    let rest = &rest[stream_end + 1..];
    let tags_end = memchr(b' ', rest).ok_or("no tag")?;
    let complete = !rest[..tags_end].split(|byte| *byte == b':').any(|tag| tag == b"P");
    let start = time_end + 1 + stream_end + 1 + tags_end + 1;
    Ok(CriLine { message: start..line.len(), complete, stream, timestamp })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_partial_lines() {
        let text = b"2017-09-12T22:32:21.212861448Z stdout F  hi there ";
        let line = parse(text, &mut Moments::default()).unwrap();
        assert_eq!(&text[line.message.clone()], b" hi there ");
        assert!(line.complete);
        assert!(!parse(b"2017-09-12T22:32:21.2+08:00 stderr P:x a", &mut Moments::default()).unwrap().complete);
        assert_eq!(parse(b"2017-09-12T22:32:21Z stdout F ", &mut Moments::default()).unwrap().message.len(), 0);
    }

    #[test]
    fn bad_lines_are_refused() {
        for bad in ["", "hello", "2017-09-12T22:32:21Z", "2017-09-12T22:32:21Z stdout", "x stdout F a"] {
            assert!(parse(bad.as_bytes(), &mut Moments::default()).is_err(), "{bad}");
        }
        assert!(parse(b"2017-09-12T22:32:21Z stdlog F a", &mut Moments::default()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            drop(parse(&bytes, &mut Moments::default()));
        }
    }
}
