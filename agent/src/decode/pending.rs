//! An entry that waits for its rest: a container's piece, or the first lines of a multi-line event.

use std::time::Instant;

use super::chain::Item;
use crate::pipeline::{Entry, Flags, RangeSet, Span};

/// Text collected so far. Its bytes are kept here, because the batch it began in may be long gone.
#[derive(Debug)]
pub(super) struct Pending {
    /// The first line's entry; its span means nothing.
    pub(super) first: Entry,
    /// The text, never longer than the limit it is appended with.
    pub(super) text: Vec<u8>,
    /// The bytes of the file that it is made of.
    pub(super) ranges: RangeSet,
    /// When the last line came.
    pub(super) touched: Instant,
    /// How many lines it has.
    pub(super) lines: usize,
    /// Whether it began in the generation before this one.
    pub(super) older: bool,
}

impl Pending {
    pub(super) fn new(item: Item, text: &[u8], limit: usize, now: Instant) -> Pending {
        let ranges = item.ranges();
        let mut pending =
            Pending { text: Vec::new(), ranges, touched: now, lines: 1, older: item.older, first: item.entry };
        let message = pending.first.message;
        pending.append(message.of(text), limit);
        pending
    }

    /// Adds an entry that belongs to it, without its text.
    pub(super) fn extend(&mut self, item: &Item, now: Instant) {
        for range in item.ranges().ranges() {
            self.ranges.insert(range.clone());
        }
        self.first.end = item.entry.end;
        self.first.flags.insert(item.entry.flags);
        self.touched = now;
        self.lines += 1;
    }

    /// Adds text, as much as fits; the entry is flagged if not all does.
    pub(super) fn append(&mut self, text: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.text.len());
        if text.len() > room {
            self.first.flags.insert(Flags::TRUNCATED);
        }
        self.text.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// The whole entry, its text put behind what the batch has already.
    pub(super) fn finish(self, batch: &mut Vec<u8>) -> Item {
        let mut entry = self.first;
        entry.message = push(batch, &self.text);
        Item { entry, pieces: Some(Box::new(self.ranges)), older: self.older }
    }
}

/// Appends bytes to a batch's text.
pub(super) fn push(batch: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let span = Span { start: batch.len() as u32, len: bytes.len() as u32 };
    batch.extend_from_slice(bytes);
    span
}
