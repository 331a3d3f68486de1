//! Bytes of a stream become messages: by a delimiter, or by octet counting (RFC 6587). No IO.

use memchr::memchr;

use crate::tail::settings::Framing;

/// Cuts a stream into messages. What is longer than allowed is cut and marked; memory stays within the limit.
#[derive(Debug)]
pub(super) struct Framer {
    delimiter: Vec<u8>,
    octets: bool,
    longest: usize,
    /// The message so far, and behind its longest length what may be the start of the delimiter.
    pending: Vec<u8>,
    truncated: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a message.
    Start,
    /// In the digits of a count.
    Count,
    /// So many bytes of a counted message are to come.
    Counted(usize),
    /// In a message that a delimiter ends.
    Line,
}

/// Counts have no more digits than these.
const DIGITS: usize = 9;

impl Framer {
    pub(super) fn new(framing: &Framing, longest: usize) -> Framer {
        let (delimiter, octets) = match framing {
            Framing::Delimiter(delimiter) => (delimiter.clone(), false),
            Framing::Rfc6587 => (b"\n".to_vec(), true),
        };
        Framer { delimiter, octets, longest, pending: Vec::new(), truncated: false, state: State::Start }
    }

    /// Takes bytes; complete messages are handed to `emit`, with whether they were cut.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut emit: impl FnMut(&[u8], bool)) {
        while let Some(first) = bytes.first() {
            match self.state {
                State::Start => {
                    let counted = self.octets && (b'1'..=b'9').contains(first);
                    self.state = if counted { State::Count } else { State::Line };
                }
                State::Count => bytes = self.count(bytes),
                State::Counted(left) => {
                    let (taken, rest) = bytes.split_at(left.min(bytes.len()));
                    self.keep(taken);
                    self.state = State::Counted(left - taken.len());
                    bytes = rest;
                    if left == taken.len() {
                        self.complete(0, &mut emit);
                    }
                }
                State::Line => bytes = self.line(bytes, &mut emit),
            }
        }
    }

    /// Bytes of a message that is not complete.
    pub(super) fn held(&self) -> usize {
        self.pending.len()
    }

    /// The stream has ended: what is there is a message.
    pub(super) fn finish(&mut self, mut emit: impl FnMut(&[u8], bool)) {
        if !self.pending.is_empty() {
            self.complete(0, &mut emit);
        }
    }

    /// Digits and the blank behind them; anything else makes it a line.
    fn count<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let taken = digits.min(DIGITS.saturating_sub(self.pending.len()));
        self.pending.extend_from_slice(&bytes[..taken]);
        match bytes.get(taken) {
            None => {}
            Some(b' ') => {
                let count = std::str::from_utf8(&self.pending).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                self.pending.clear();
                self.state = State::Counted(count);
                return &bytes[taken + 1..];
            }
            Some(_) => self.state = State::Line,
        }
        &bytes[taken..]
    }

    fn line<'b>(&mut self, bytes: &'b [u8], emit: &mut impl FnMut(&[u8], bool)) -> &'b [u8] {
        let Some(last) = self.delimiter.last() else {
            self.keep(bytes);
            return &[];
        };
        let Some(at) = memchr(*last, bytes) else {
            self.keep(bytes);
            return &[];
        };
        let (taken, rest) = bytes.split_at(at + 1);
        self.keep(taken);
        if self.pending.ends_with(&self.delimiter) {
            self.complete(self.delimiter.len(), emit);
        }
        rest
    }

    /// Keeps the start of the message, and its last bytes as far as they may belong to the delimiter.
    fn keep(&mut self, bytes: &[u8]) {
        let most = self.longest + self.delimiter.len();
        let room = most.saturating_sub(self.pending.len());
        if bytes.len() <= room {
            self.pending.extend_from_slice(bytes);
            return;
        }
        self.truncated = true;
        let start = self.longest.saturating_sub(self.pending.len()).min(bytes.len());
        self.pending.extend_from_slice(&bytes[..start]);
        let mut tail = self.pending.split_off(self.longest);
        tail.extend_from_slice(&bytes[bytes.len().saturating_sub(self.delimiter.len()).max(start)..]);
        let surplus = tail.len().saturating_sub(self.delimiter.len());
        self.pending.extend_from_slice(&tail[surplus..]);
    }

    fn complete(&mut self, delimiter: usize, emit: &mut impl FnMut(&[u8], bool)) {
        let end = self.pending.len() - delimiter;
        let mut message = &self.pending[..end.min(self.longest)];
        // Lines may end with a carriage return, too.
        if !self.truncated && delimiter > 0 && self.delimiter == b"\n" {
            message = message.strip_suffix(b"\r").unwrap_or(message);
        }
        emit(message, self.truncated || end > self.longest);
        self.pending.clear();
        self.pending.shrink_to(64 << 10);
        self.truncated = false;
        self.state = State::Start;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(framing: &Framing, longest: usize, chunks: &[&[u8]]) -> Vec<(String, bool)> {
        let mut framer = Framer::new(framing, longest);
        let mut messages = Vec::new();
        let mut emit = |message: &[u8], cut: bool| messages.push((String::from_utf8_lossy(message).into_owned(), cut));
        for chunk in chunks {
            framer.feed(chunk, &mut emit);
        }
        framer.finish(&mut emit);
        messages
    }

    fn whole(texts: &[&str]) -> Vec<(String, bool)> {
        texts.iter().map(|text| ((*text).to_owned(), false)).collect()
    }

    #[test]
    fn delimiters_end_messages() {
        let lines = Framing::Delimiter(b"\n".to_vec());
        assert_eq!(cut(&lines, 99, &[b"a\nb", b"c\r\n\nlast"]), whole(&["a", "bc", "", "last"]));
        let marks = Framing::Delimiter(b"<EOM>".to_vec());
        assert_eq!(cut(&marks, 99, &[b"a>b<EO", b"M>c\n<EOM>"]), whole(&["a>b", "c\n"]));
    }

    #[test]
    fn counts_say_how_long_messages_are() {
        let framing = Framing::Rfc6587;
        assert_eq!(
            cut(&framing, 99, &[b"5 a\nb\nc3 xyz<1>line\n1", b"0 0123456789"]),
            whole(&["a\nb\nc", "xyz", "<1>line", "0123456789"])
        );
        assert_eq!(cut(&framing, 99, &[b"12x\n", b"9999999999 a\n"]), whole(&["12x", "9999999999 a"]));
    }

    #[test]
    fn long_messages_are_cut() {
        let lines = Framing::Delimiter(b"\r\n".to_vec());
        let wanted = vec![("0123".to_owned(), true), ("ab".to_owned(), false)];
        assert_eq!(cut(&lines, 4, &[b"01234567\r", b"\nab\r\n"]), wanted);
        assert_eq!(cut(&lines, 4, &[b"0123", b"4", b"5", b"67\r\nab\r\n"]), wanted);
        assert_eq!(cut(&Framing::Rfc6587, 4, &[b"8 01234567ab\n"]), wanted);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter_and_memory_is_bounded(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(b'3'), Just(b'1'), any::<u8>()], 0..80),
            at in 0usize..80,
            octets in any::<bool>(),
        ) {
            let framing = if octets { Framing::Rfc6587 } else { Framing::Delimiter(b"\n ".to_vec()) };
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(cut(&framing, 8, &[head, tail]), cut(&framing, 8, &[&bytes]));
            let mut framer = Framer::new(&framing, 8);
            for byte in &bytes {
                framer.feed(&[*byte], |message, _| assert!(message.len() <= 8));
                prop_assert!(framer.pending.len() <= 8 + 2);
            }
        }
    }
}
