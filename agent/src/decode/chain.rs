//! The parsers of an input, one after the other, with the state that joined lines need.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tailrace_common::Timestamp;

use super::container::Container;
use super::multiline::Multiline;
use super::settings::Parser;
use super::{Pattern, ndjson, syslog};
use crate::pipeline::{Entry, Flags, RangeSet, Span, Stream};
use crate::tail::settings::InputSettings;

/// A line of a file before any parser.
#[derive(Clone, Copy, Debug)]
pub struct RawLine {
    /// Its text without line end, in the batch's text.
    pub text: Span,
    /// Offset of its first byte in the file.
    pub start: u64,
    /// Offset behind its line end.
    pub end: u64,
    /// [`Flags::TRUNCATED`] when it was cut while reading, [`Flags::PARTIAL`] when it has no line end.
    pub flags: Flags,
}

/// When a line is decoded.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The clock on the wall, for `@timestamp`.
    pub wall: Timestamp,
    /// The clock that only goes forward, for time-outs.
    pub tick: Instant,
}

/// What a decoder writes to: the batch that is being made.
#[derive(Debug)]
pub struct Output<'b> {
    /// The batch's text.
    pub text: &'b mut Vec<u8>,
    /// The entries of this file.
    pub entries: &'b mut Vec<Entry>,
    /// Entries that began in the file's generation before; their offsets are that one's.
    pub older: &'b mut Vec<Entry>,
}

/// An entry between two parsers.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) entry: Entry,
    /// The bytes of the file it is made of, where that is not all from its start to its end.
    pub(super) pieces: Option<Box<RangeSet>>,
    pub(super) older: bool,
}

impl Item {
    pub(super) fn ranges(&self) -> RangeSet {
        match &self.pieces {
            Some(pieces) => RangeSet::clone(pieces),
            None => std::iter::once(self.entry.start..self.entry.end).collect(),
        }
    }
}

/// The state of one file's parsers. Small while nothing waits.
#[derive(Debug)]
pub struct Decoder {
    settings: Arc<InputSettings>,
    stages: Vec<Stage>,
}

#[derive(Debug)]
enum Stage {
    Container(Box<Container>),
    Multiline(Box<Multiline>),
    Ndjson(Arc<ndjson::NdjsonSettings>),
    Syslog(Arc<syslog::SyslogSettings>),
    Include(usize),
}

impl Decoder {
    /// A decoder for a file of the input.
    pub fn new(settings: Arc<InputSettings>) -> Decoder {
        let limit = settings.message_max_bytes;
        let stages = settings.parsers.iter().enumerate().map(|(index, parser)| match parser {
            Parser::Container(container) => Stage::Container(Box::new(Container::new(container.clone(), limit))),
            Parser::Multiline(multiline) => Stage::Multiline(Box::new(Multiline::new(multiline.clone(), limit))),
            Parser::Ndjson(ndjson) => Stage::Ndjson(ndjson.clone()),
            Parser::Syslog(syslog) => Stage::Syslog(syslog.clone()),
            Parser::IncludeMessage(_) => Stage::Include(index),
        });
        Decoder { stages: stages.collect(), settings }
    }

    /// Decodes one line. What is complete goes to `out`.
    pub fn line(&mut self, line: RawLine, now: Now, out: &mut Output<'_>) {
        let entry = Entry {
            message: line.text,
            start: line.start,
            end: line.end,
            timestamp: now.wall,
            stream: Stream::None,
            flags: line.flags,
            extra: None,
        };
        self.pass(0, Item { entry, pieces: None, older: false }, now, out);
    }

    /// Sends on what waited too long.
    pub fn expire(&mut self, now: Now, out: &mut Output<'_>) {
        self.release(now, out, false);
    }

    /// Sends on everything that waits.
    pub fn flush(&mut self, now: Now, out: &mut Output<'_>) {
        self.release(now, out, true);
    }

    fn release(&mut self, now: Now, out: &mut Output<'_>, all: bool) {
        for index in 0..self.stages.len() {
            let released = match &mut self.stages[index] {
                Stage::Container(container) => container.release(now, all, out.text),
                Stage::Multiline(multiline) => multiline.release(now, all, out.text),
                _ => continue,
            };
            for item in released {
                self.pass(index + 1, item, now, out);
            }
        }
    }

    /// When [`Decoder::expire`] is to be called next.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = self.stages.iter().filter_map(|stage| match stage {
            Stage::Container(container) => container.deadline(),
            Stage::Multiline(multiline) => multiline.deadline(),
            _ => None,
        });
        deadlines.min()
    }

    /// The bytes of this file that wait for their rest.
    pub fn waiting(&self) -> RangeSet {
        let mut ranges = RangeSet::default();
        self.each_pending(|pending| {
            for range in pending.ranges.ranges() {
                ranges.insert(range.clone());
            }
        });
        ranges
    }

    /// Whether anything waits that began in the generation before.
    pub fn waits_for_older(&self) -> bool {
        let mut any = false;
        self.each_pending(|pending| any |= pending.older);
        any
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        let mut idle = true;
        self.each_pending(|_| idle = false);
        idle
    }

    /// Goes on with the next generation of the file: what waits now belongs to the generation before.
    pub fn next_generation(&mut self) {
        for stage in &mut self.stages {
            let pending: &mut dyn Iterator<Item = &mut super::pending::Pending> = match stage {
                Stage::Container(container) => &mut container.pending_mut(),
                Stage::Multiline(multiline) => &mut multiline.pending_mut(),
                _ => continue,
            };
            for pending in pending {
                pending.older = true;
                pending.ranges.clear();
            }
        }
    }

    fn each_pending(&self, mut see: impl FnMut(&super::pending::Pending)) {
        for stage in &self.stages {
            match stage {
                Stage::Container(container) => container.pending().for_each(&mut see),
                Stage::Multiline(multiline) => multiline.pending().for_each(&mut see),
                _ => {}
            }
        }
    }

    fn pass(&mut self, mut index: usize, mut item: Item, now: Now, out: &mut Output<'_>) {
        while let Some(stage) = self.stages.get_mut(index) {
            index += 1;
            let next = match stage {
                Stage::Container(container) => container.line(item, now, out.text),
                Stage::Multiline(multiline) => {
                    let done = multiline.line(item, now, out.text);
                    for item in done {
                        self.pass(index, item, now, out);
                    }
                    return;
                }
                Stage::Ndjson(settings) => {
                    ndjson::decode(settings, &mut item.entry, out.text);
                    Some(item)
                }
                Stage::Syslog(settings) => {
                    syslog::decode(settings, &mut item.entry, out.text, now.wall);
                    Some(item)
                }
                Stage::Include(parser) => {
                    let keep = match &self.settings.parsers[*parser] {
                        Parser::IncludeMessage(patterns) => Pattern::any(patterns, item.entry.message.of(out.text)),
                        _ => true,
                    };
                    keep.then_some(item)
                }
            };
            match next {
                Some(next) => item = next,
                None => return,
            }
        }
        self.finish(item, out);
    }

    /// The limit and the filters, which come after the parsers.
    fn finish(&self, item: Item, out: &mut Output<'_>) {
        let Item { mut entry, older, .. } = item;
        // An empty line of a plain file is no event.
        if entry.message.len == 0 && entry.stream == Stream::None && entry.extra.is_none() {
            return;
        }
        let limit = u32::try_from(self.settings.message_max_bytes).unwrap_or(u32::MAX);
        if entry.message.len > limit {
            entry.message.len = limit;
            entry.flags.insert(Flags::TRUNCATED);
        }
        let InputSettings { include_lines, exclude_lines, .. } = &*self.settings;
        if !include_lines.is_empty() && !Pattern::any(include_lines, entry.message.of(out.text)) {
            return;
        }
        if !exclude_lines.is_empty() && Pattern::any(exclude_lines, entry.message.of(out.text)) {
            return;
        }
        if older { out.older.push(entry) } else { out.entries.push(entry) }
    }
}

/// The moment `timeout` after `touched`; none if the time-out is zero.
pub(super) fn deadline(touched: Instant, timeout: Duration) -> Option<Instant> {
    (!timeout.is_zero()).then(|| touched + timeout)
}
