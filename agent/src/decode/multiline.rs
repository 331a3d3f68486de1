//! The multiline parser: several lines become one event, per stream.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::chain::{Item, Now, deadline};
use super::pending::Pending;
use super::settings::{MultilineKind, MultilineMatch, MultilineSettings};
use super::trace::Trace;
use crate::pipeline::{Flags, Stream};

/// How long a single line may be held back by `auto`, which holds back every line. A stack trace comes in one burst.
const AUTO_WAIT: Duration = Duration::from_millis(500);

/// At most the event that a line ended, and the line itself.
pub(super) type Done = SmallVec<[Item; 2]>;

/// The parser with the events that wait for their next line, one per stream.
#[derive(Debug)]
pub(super) struct Multiline {
    settings: MultilineSettings,
    limit: usize,
    open: [Option<Open>; 2],
}

#[derive(Debug)]
struct Open {
    pending: Pending,
    /// The last line, which `match: before` looks at.
    last: Vec<u8>,
    trace: Trace,
}

/// What a line does to the event that waits.
enum Step {
    /// It belongs to it.
    Join,
    /// It belongs to it and is its last.
    JoinAndEnd,
    /// It begins a new one.
    Begin,
    /// It is an event of its own.
    Alone,
}

impl Multiline {
    pub(super) fn new(settings: MultilineSettings, limit: usize) -> Multiline {
        Multiline { settings, limit, open: [None, None] }
    }

    pub(super) fn line(&mut self, item: Item, now: Now, text: &mut Vec<u8>) -> Done {
        let slot = usize::from(item.entry.stream == Stream::Stderr);
        let line = item.entry.message.of(text);
        let step = match &mut self.open[slot] {
            Some(open) => self.settings.kind.next(open, line),
            None => self.settings.kind.first(line),
        };
        let mut done = Done::new();
        match step {
            Step::Join | Step::JoinAndEnd => {
                if let Some(open) = &mut self.open[slot] {
                    open.add(&item, &self.settings, self.limit, text, now);
                }
            }
            Step::Begin => {
                done.extend(self.close(slot, text));
                self.open[slot] = Some(Open::new(item, &self.settings, self.limit, text, now));
            }
            Step::Alone => {
                done.extend(self.close(slot, text));
                done.push(item);
            }
        }
        let full = match (&self.settings.kind, &self.open[slot]) {
            (MultilineKind::Count(count), Some(open)) => open.pending.lines >= *count,
            _ => false,
        };
        if full || matches!(step, Step::JoinAndEnd) {
            done.extend(self.close(slot, text));
        }
        done
    }

    fn close(&mut self, slot: usize, text: &mut Vec<u8>) -> Option<Item> {
        self.open[slot].take().map(|open| open.finish(text))
    }

    /// What waited too long for its next line, or everything.
    pub(super) fn release(&mut self, now: Now, all: bool, text: &mut Vec<u8>) -> Vec<Item> {
        let mut released = Vec::new();
        for slot in 0..self.open.len() {
            let late = self.open[slot].as_ref().and_then(|open| self.wait(open)).is_some_and(|end| end <= now.tick);
            if late || all {
                released.extend(self.close(slot, text));
            }
        }
        released
    }

    fn wait(&self, open: &Open) -> Option<Instant> {
        let timeout = match self.settings.kind {
            MultilineKind::Auto if open.pending.lines == 1 => AUTO_WAIT.min(self.settings.timeout.max(AUTO_WAIT)),
            _ => self.settings.timeout,
        };
        deadline(open.pending.touched, timeout)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.iter().flatten().filter_map(|open| self.wait(open)).min()
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.open.iter().flatten().map(|open| &open.pending)
    }

    pub(super) fn pending_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.open.iter_mut().flatten().map(|open| &mut open.pending)
    }
}

impl Open {
    fn new(item: Item, settings: &MultilineSettings, limit: usize, text: &[u8], now: Now) -> Open {
        let mut trace = Trace::default();
        if matches!(settings.kind, MultilineKind::Auto) {
            trace.begin(item.entry.message.of(text));
        }
        let mut open = Open { last: Vec::new(), trace, pending: Pending::new(item, text, limit, now.tick) };
        if settings.kind.looks_back() {
            open.last.extend_from_slice(&open.pending.text);
        }
        open
    }

    fn add(&mut self, item: &Item, settings: &MultilineSettings, limit: usize, text: &[u8], now: Now) {
        let line = item.entry.message.of(text);
        self.pending.extend(item, now.tick);
        if self.pending.lines > settings.max_lines {
            self.pending.first.flags.insert(Flags::TRUNCATED);
        } else {
            if !settings.skip_newline {
                self.pending.append(b"\n", limit);
            }
            self.pending.append(line, limit);
        }
        if settings.kind.looks_back() {
            self.last.clear();
            self.last.extend_from_slice(line);
        }
    }

    fn finish(self, text: &mut Vec<u8>) -> Item {
        let lines = self.pending.lines;
        let mut item = self.pending.finish(text);
        if lines > 1 {
            item.entry.flags.insert(Flags::MULTILINE);
        }
        item
    }
}

impl MultilineKind {
    fn looks_back(&self) -> bool {
        matches!(self, MultilineKind::Pattern { place: MultilineMatch::Before, .. })
    }

    /// For a line while nothing waits.
    fn first(&self, line: &[u8]) -> Step {
        match self {
            MultilineKind::While { pattern, negate } if pattern.is_match(line) == *negate => Step::Alone,
            _ => Step::Begin,
        }
    }

    /// For a line while an event waits.
    fn next(&self, open: &mut Open, line: &[u8]) -> Step {
        match self {
            MultilineKind::Pattern { flush: Some(flush), .. } if flush.is_match(line) => Step::JoinAndEnd,
            MultilineKind::Pattern { pattern, negate, place, .. } => {
                let looked_at = match place {
                    MultilineMatch::After => line,
                    MultilineMatch::Before => &open.last,
                };
                if pattern.is_match(looked_at) == *negate { Step::Begin } else { Step::Join }
            }
            MultilineKind::Count(_) => Step::Join,
            MultilineKind::While { pattern, negate } => {
                if pattern.is_match(line) == *negate {
                    Step::Alone
                } else {
                    Step::Join
                }
            }
            MultilineKind::Auto => {
                if open.trace.continues(line) {
                    Step::Join
                } else {
                    Step::Begin
                }
            }
        }
    }
}
