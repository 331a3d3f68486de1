//! The line that Docker writes unless it is told otherwise, read in one go:
//! `{"log":"text\n","stream":"stdout","time":"2026-11-23T09:15:00.000123456Z"}`.

use super::docker::{DockerLine, is_escape, unescape_at};
use super::timestamp::Moments;
use crate::block;
use crate::pipeline::Stream;

// As arrays they are compared word by word.
const HEAD: &[u8; 8] = b"{\"log\":\"";
const STDOUT: &[u8; 28] = b"\",\"stream\":\"stdout\",\"time\":\"";
const STDERR: &[u8; 28] = b"\",\"stream\":\"stderr\",\"time\":\"";
/// Lines with more escapes than this are read the general way.
const MOST: usize = 64;

/// Reads a line of this shape and unescapes its text in place; none of any other, which is left as it was.
pub(super) fn parse(line: &mut [u8], moments: &mut Moments) -> Option<DockerLine> {
    let (head, text) = line.split_first_chunk()?;
    if head != HEAD {
        return None;
    }
    let mut escapes = Escapes { places: [0; MOST], len: 0, next: 0 };
    let end = escapes.find(text)?;
    let (between, tail) = text.get(end..)?.split_first_chunk()?;
    let stream = match between {
        STDOUT => Stream::Stdout,
        STDERR => Stream::Stderr,
        _ => return None,
    };
    let [time @ .., b'"', b'}'] = tail else { return None };
    let timestamp = moments.read(time)?;
    let start = HEAD.len();
    let end = unescape(&mut line[start..start + end], escapes.places());
    let complete = end > 0 && line[start + end - 1] == b'\n';
    let message = start..start + end - usize::from(complete);
    Some(DockerLine { message, complete, stream, timestamp, attrs: None })
}

/// Where the backslashes stand that begin an escape.
struct Escapes {
    places: [u16; MOST],
    len: usize,
    /// Behind the last of them.
    next: usize,
}

impl Escapes {
    fn places(&self) -> &[u16] {
        &self.places[..self.len]
    }

    /// Looks through a JSON text up to the quote that ends it, and tells where that is. None where it has no end, wrong
    /// escapes, or too many.
    fn find(&mut self, text: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(blocks) = text.get(from..).and_then(<[u8]>::first_chunk) {
            match self.take(text, from, block::quotes_of_four(blocks))? {
                Some(end) => return Some(end),
                None => from = (from + 4 * block::LEN).max(self.next),
            }
        }
        while let Some(block) = text.get(from..).and_then(<[u8]>::first_chunk) {
            match self.take(text, from, block::quotes(block).into())? {
                Some(end) => return Some(end),
                None => from = (from + block::LEN).max(self.next),
            }
        }
        // What stands behind the text is longer than a block.
        None
    }

    /// Goes through the quotes and backslashes from `from` on; where the text ends, if it does there.
    #[inline]
    fn take(&mut self, text: &[u8], from: usize, mut marks: u64) -> Option<Option<usize>> {
        while marks != 0 {
            let at = from + marks.trailing_zeros() as usize;
            if text[at] == b'"' {
                return Some(Some(at));
            }
            self.note(text, at)?;
            // The character behind it is no mark, whatever it is.
            marks &= !(3 << (at - from));
        }
        Some(None)
    }

    fn note(&mut self, text: &[u8], at: usize) -> Option<()> {
        if !is_escape(text, at) {
            return None;
        }
        *self.places.get_mut(self.len)? = u16::try_from(at).ok()?;
        self.len += 1;
        self.next = at + 2;
        Some(())
    }
}

/// Unescapes a JSON text in place and returns its new length.
fn unescape(text: &mut [u8], escapes: &[u16]) -> usize {
    let Some(first) = escapes.first() else { return text.len() };
    let (mut from, mut to) = (usize::from(*first), usize::from(*first));
    for at in escapes.iter().map(|at| usize::from(*at)) {
        // The second half of a pair of surrogates has gone with the first.
        let Some(plain) = at.checked_sub(from) else { continue };
        text.copy_within(from..at, to);
        to += plain;
        let (used, written) = unescape_at(text, at, to);
        (from, to) = (at + used, to + written);
    }
    let len = text.len();
    text.copy_within(from..len, to);
    to + len - from
}
