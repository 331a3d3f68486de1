//! Streams of bytes cut into the texts that a codec decodes, collected for one batch.

use std::ops::Range;

use memchr::memmem::Finder;
use tailrace_common::{Event, Timestamp};

use crate::codec::{Codec, Framing, Joiner, Length, decode_pieces};

/// Texts collected for one batch: one buffer for all.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// Adds a text.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The same texts in batches of at most so many.
    pub(super) fn parts(self, most: usize) -> Vec<Texts> {
        if self.ends.len() <= most {
            return if self.ends.is_empty() { Vec::new() } else { vec![self] };
        }
        let mut start = 0;
        let mut parts = Vec::new();
        for ends in self.ends.chunks(most.max(1)) {
            let end = ends.last().copied().unwrap_or(start);
            let ends = ends.iter().map(|end| end - start).collect();
            parts.push(Texts { bytes: self.bytes[start..end].to_vec(), ends });
            start = end;
        }
        parts
    }

    /// Makes events of them. `finish` sees each event with the
    /// number of its text.
    pub(super) fn events(
        self,
        codec: &dyn Codec,
        now: Timestamp,
        mut finish: impl FnMut(usize, &mut Event),
    ) -> Vec<Event> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let pieces: Vec<Range<usize>> = starts.zip(self.ends.iter().copied()).map(|(start, end)| start..end).collect();
        decode_pieces(codec, self.bytes, &pieces, now, |number, events| {
            events.iter_mut().for_each(|event| finish(number, event));
        })
    }
}

/// Cuts one stream into texts, as its codec wants them.
pub(super) struct Cutter {
    pieces: Pieces,
    joiner: Option<Joiner>,
}

enum Pieces {
    Lines(Box<Lines>),
    Messages(Messages),
}

impl Cutter {
    /// A cutter at the start of a stream; `delimiter` is that of the input, for codecs that leave it to the input. A line
    /// longer than `longest` bytes is cut.
    pub(super) fn new(codec: &dyn Codec, delimiter: Option<&str>, longest: usize) -> Cutter {
        let pieces = match codec.framing() {
            Framing::Lines(own) => Pieces::Lines(Box::new(Lines::new(delimiter.unwrap_or(&own), longest))),
            Framing::Messages(length) => Pieces::Messages(Messages { length, rest: Vec::new(), longest }),
            Framing::Whole => Pieces::Messages(Messages { length: |_| Length::More, rest: Vec::new(), longest }),
        };
        Cutter { pieces, joiner: codec.joiner() }
    }

    /// Takes bytes of the stream; calls `text` for each text that is complete, without its delimiter, and for how many
    /// bytes of the stream it stood.
    pub(super) fn push(&mut self, bytes: &[u8], mut text: impl FnMut(&[u8], usize)) {
        match (&mut self.pieces, &mut self.joiner) {
            (Pieces::Lines(lines), None) => lines.push(bytes, text),
            (Pieces::Lines(lines), Some(joiner)) => {
                lines.push(bytes, |line, stood| joiner.push(without_return(line), stood, &mut text));
            }
            (Pieces::Messages(messages), _) => messages.push(bytes, text),
        }
    }

    /// The stream has ended: what is begun counts as a text.
    pub(super) fn finish(&mut self, mut text: impl FnMut(&[u8], usize)) {
        match (&mut self.pieces, &mut self.joiner) {
            (Pieces::Lines(lines), None) => lines.finish(text),
            (Pieces::Lines(lines), Some(joiner)) => {
                lines.finish(|line, stood| joiner.push(without_return(line), stood, &mut text));
                joiner.flush(text);
            }
            (Pieces::Messages(messages), _) => messages.finish(text),
        }
    }

    /// Gives out lines that have waited long enough for more to be joined to them.
    pub(super) fn flush_due(&mut self, text: impl FnMut(&[u8], usize)) {
        if let Some(joiner) = self.joiner.as_mut().filter(|joiner| joiner.is_due()) {
            joiner.flush(text);
        }
    }
}

/// Cuts a stream where its messages end.
struct Messages {
    length: fn(&[u8]) -> Length,
    /// The begun message.
    rest: Vec<u8>,
    /// What is longer is handed out as it is.
    longest: usize,
}

impl Messages {
    fn push(&mut self, bytes: &[u8], mut text: impl FnMut(&[u8], usize)) {
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while start < self.rest.len() {
            let rest = &self.rest[start..];
            let end = match (self.length)(rest) {
                Length::Complete(length) => length.clamp(1, rest.len()),
                Length::More if rest.len() < self.longest => break,
                Length::More | Length::Broken => rest.len(),
            };
            text(&rest[..end], end);
            start += end;
        }
        self.rest.drain(..start);
    }

    fn finish(&mut self, text: impl FnOnce(&[u8], usize)) {
        if !self.rest.is_empty() {
            text(&self.rest, self.rest.len());
            self.rest.clear();
        }
    }
}

/// Cuts a stream at its delimiter.
struct Lines {
    delimiter: Finder<'static>,
    /// The begun text.
    rest: Vec<u8>,
    /// A longer text is cut in two.
    longest: usize,
}

impl Lines {
    fn new(delimiter: &str, longest: usize) -> Lines {
        Lines { delimiter: Finder::new(delimiter.as_bytes()).into_owned(), rest: Vec::new(), longest }
    }

    fn push(&mut self, mut bytes: &[u8], mut text: impl FnMut(&[u8], usize)) {
        let delimiter = self.delimiter.needle().len();
        while !bytes.is_empty() {
            // A delimiter of several bytes may have begun in what came before.
            let overlap = self.rest.len().min(delimiter - 1);
            let before = self.rest.len() - overlap;
            let found = if overlap > 0 {
                let mut seam = self.rest[before..].to_vec();
                seam.extend_from_slice(&bytes[..bytes.len().min(delimiter - 1)]);
                self.delimiter.find(&seam).map(|at| before + at)
            } else {
                None
            };
            let found = found.or_else(|| self.delimiter.find(bytes).map(|at| self.rest.len() + at));
            let Some(end) = found else {
                self.rest.extend_from_slice(bytes);
                while self.rest.len() > self.longest {
                    let tail = self.rest.split_off(self.longest);
                    text(&self.rest, self.longest);
                    self.rest = tail;
                }
                return;
            };
            let taken = end + delimiter - self.rest.len();
            if self.rest.is_empty() {
                text(&bytes[..end], end + delimiter);
            } else {
                self.rest.extend_from_slice(&bytes[..taken]);
                text(&self.rest[..end], end + delimiter);
                self.rest.clear();
            }
            bytes = &bytes[taken..];
        }
    }

    fn finish(&mut self, text: impl FnOnce(&[u8], usize)) {
        if !self.rest.is_empty() {
            text(&self.rest, self.rest.len());
            self.rest.clear();
        }
    }
}

/// A line without the carriage return at its end.
pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cut_as_split_does_however_it_comes(text in "[a\r\n|é]{0,40}", step in 1_usize..7, delimiter in prop_oneof![Just("\n"), Just("\r\n"), Just("||")]) {
            let mut cutter = Lines::new(delimiter, 1000);
            let (mut texts, mut stood) = (Vec::new(), 0);
            for chunk in text.as_bytes().chunks(step) {
                cutter.push(chunk, |text, length| { texts.push(text.to_vec()); stood += length; });
            }
            cutter.finish(|text, length| { texts.push(text.to_vec()); stood += length; });
            let mut wanted: Vec<&str> = text.split(delimiter).collect();
            wanted.pop_if(|last| last.is_empty());
            prop_assert_eq!(texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>(), wanted);
            prop_assert_eq!(stood, text.len());
        }
    }

    #[test]
    fn messages_end_where_they_say() {
        // The first byte of a message is its length; 0 is none.
        let length = |bytes: &[u8]| match bytes[0] {
            0 => Length::Broken,
            length if bytes.len() < usize::from(length) => Length::More,
            length => Length::Complete(length.into()),
        };
        let mut cutter = Messages { length, rest: Vec::new(), longest: 8 };
        let mut texts = Vec::new();
        for bytes in [&b"\x01\x03a"[..], b"b\x02", b"c\x00xy", b"\x09......", b"..\x05."] {
            cutter.push(bytes, |text, _| texts.push(text.to_vec()));
        }
        cutter.finish(|text, _| texts.push(text.to_vec()));
        let wanted: [&[u8]; 6] = [b"\x01", b"\x03ab", b"\x02c", b"\x00xy", b"\x09........", b"\x05."];
        assert_eq!(texts, wanted);
    }

    #[test]
    fn long_texts_are_cut() {
        let mut cutter = Lines::new("\n", 4);
        let mut texts = Vec::new();
        cutter.push(b"abcdefghij\nk", |text, _| texts.push(text.to_vec()));
        assert_eq!(texts, [b"abcdefghij".to_vec()]);
        cutter.push(b"lmnop", |text, _| texts.push(text.to_vec()));
        assert_eq!(texts[1..], [b"klmn".to_vec()]);
        assert_eq!(cutter.rest, b"op");
    }
}
