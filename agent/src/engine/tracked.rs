//! One generation of a file that is followed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use smallvec::SmallVec;

use super::files::Id;
use crate::decode::{Decoder, TextEncoding};
use crate::discover::{Stat, WatchId};
use crate::pipeline::{FileKey, FileMeta, Position, RangeSet};
use crate::registry::{FileState, HEAD_LENGTH, Head, TAIL_LENGTH, Tail};
use crate::tail::settings::{Backoff, InputSettings};
use crate::tail::source::Source;

/// How often deleting a file is tried, and how long after one another.
const DELETE_TRIES: u8 = 6;
const DELETE_PAUSE: Duration = Duration::from_secs(2);

/// Up to here generations of a file may well hold the same, such as a banner.
const SAME_HEADS: u64 = 16 << 10;

/// The last bytes before a file's offset: what is read next must follow them, else the file was rewritten.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overlap {
    bytes: [u8; TAIL_LENGTH],
    len: u8,
}

impl Overlap {
    pub(super) fn of(before: &[u8]) -> Overlap {
        let before = &before[before.len().saturating_sub(TAIL_LENGTH)..];
        let mut overlap = Overlap { bytes: [0; TAIL_LENGTH], len: before.len() as u8 };
        overlap.bytes[..before.len()].copy_from_slice(before);
        overlap
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// When a file whose changes nobody tells is looked at next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pause: Duration,
}

impl Look {
    pub(super) fn new(now: Instant) -> Look {
        Look { at: now, pause: Duration::ZERO }
    }

    /// Sets the next time, longer off as long as nothing changes.
    pub(super) fn next(&mut self, now: Instant, changed: bool, backoff: &Backoff) {
        self.pause = match self.pause {
            Duration::ZERO => backoff.init,
            _ if changed => backoff.init,
            pause => pause.mul_f64(backoff.factor).min(backoff.max),
        };
        self.at = now + self.pause;
    }
}

/// One generation of a file that is followed.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) settings: Arc<InputSettings>,
    /// Index of the input.
    pub(super) input: usize,
    pub(super) meta: Arc<FileMeta>,
    /// The path at which it was found, if rotation renamed it since.
    pub(super) origin: Option<PathBuf>,
    pub(super) birth: i64,
    /// How many generations the inode had before this one.
    pub(super) generation: u32,
    pub(super) gzip: bool,
    /// Its byte order mark says that it is UTF-16 with the big end first.
    pub(super) big_endian: bool,
    pub(super) source: Option<Source>,
    /// Up to here it is read.
    pub(super) offset: u64,
    /// How large it was when last looked at. Of gzip: how much of its content was seen.
    pub(super) size: u64,
    pub(super) overlap: Overlap,
    pub(super) head: Head,
    /// What was delivered beyond the offset before the last start.
    pub(super) skip: RangeSet,
    pub(super) decoder: Option<Box<Decoder>>,
    /// Up to here the line at the offset is known to have no end.
    pub(super) scanned: u64,
    /// How much must be read at once to get the line at the offset whole.
    pub(super) want: usize,
    /// Where it began when it was found.
    pub(super) start: Position,
    /// The position of the last batch.
    pub(super) issued: Position,
    pub(super) lost: u64,
    /// The generation before this one at the same path, which is read first.
    pub(super) predecessor: Option<Id>,
    /// The generation after this one, which waits for this one to be read.
    pub(super) successor: Option<Id>,
    /// The names in watched directories that lead to it.
    pub(super) names: SmallVec<[(WatchId, OsString); 1]>,
    /// The scan in which it was last found.
    pub(super) visited: u64,
    /// Where lines that wait began: the generation before, while any of it waits.
    pub(super) older: Option<(Arc<FileMeta>, u64)>,
    /// No longer at its path.
    pub(super) rotated: bool,
    /// Has no name any more.
    pub(super) deleted: bool,
    /// Looks like a copy of this file; not read while that one is whole.
    pub(super) copy_of: Option<Id>,
    /// Nothing more will come.
    pub(super) complete: bool,
    pub(super) queued: bool,
    /// Waits for room in the pool.
    pub(super) starved: bool,
    /// Everything there was is read.
    pub(super) at_end: bool,
    /// When bytes were last read, or it was found.
    pub(super) active: Instant,
    pub(super) opened: Instant,
    pub(super) modified: SystemTime,
    /// All that is to be known of it is known, or was waited for long enough.
    pub(super) known: bool,
    /// Since when it waits for that.
    pub(super) awaiting: Option<Instant>,
    /// When it wants to be looked at next.
    pub(super) timer: Option<Instant>,
    /// The registry has to learn more than its position.
    pub(super) dirty: bool,
    /// Why it cannot be opened or read, said once.
    pub(super) trouble: Option<std::io::ErrorKind>,
    /// How often it could not be deleted.
    pub(super) delete_tries: u8,
    /// When it is looked at next, if its directory cannot be watched.
    pub(super) look: Look,
}

impl Tracked {
    /// A file of which nothing was read yet.
    pub(super) fn new(input: usize, meta: FileMeta, stat: &Stat, generation: u32, gzip: bool, now: Instant) -> Tracked {
        Tracked {
            settings: meta.input.clone(),
            input,
            origin: None,
            meta: Arc::new(meta),
            birth: stat.birth,
            generation,
            gzip,
            big_endian: false,
            source: None,
            offset: 0,
            size: if gzip { 0 } else { stat.size },
            overlap: Overlap::default(),
            head: Head::default(),
            skip: RangeSet::default(),
            decoder: None,
            scanned: 0,
            want: 0,
            start: Position::default(),
            issued: Position::default(),
            lost: 0,
            predecessor: None,
            successor: None,
            names: SmallVec::new(),
            visited: 0,
            older: None,
            rotated: false,
            deleted: false,
            copy_of: None,
            complete: false,
            queued: false,
            starved: false,
            at_end: false,
            known: false,
            awaiting: None,
            active: now,
            opened: now,
            modified: stat.modified,
            timer: None,
            dirty: true,
            trouble: None,
            delete_tries: 0,
            look: Look::new(now),
        }
    }

    /// Looks at the byte order mark, where the encoding is `utf-16-bom`.
    pub(super) fn look_at_byte_order(&mut self) {
        if self.settings.encoding == TextEncoding::Utf16Bom
            && let Some(source) = &mut self.source
        {
            self.big_endian = source.head(2).is_ok_and(|mark| mark == [0xFE, 0xFF]);
        }
    }

    /// The path at which it was found.
    pub(super) fn origin(&self) -> &Path {
        self.origin.as_deref().unwrap_or(&self.meta.path)
    }

    pub(super) fn key(&self) -> FileKey {
        self.meta.key
    }

    /// Whether what was read still stands before the offset; if not the file was rewritten.
    pub(super) fn follows(&self) -> bool {
        let Some(Source::Plain(file)) = &self.source else { return true };
        let wanted = self.overlap.bytes();
        let mut bytes = [0; TAIL_LENGTH];
        let Some(at) = self.offset.checked_sub(wanted.len() as u64) else { return true };
        let read = rustix::io::pread(file, &mut bytes[..wanted.len()], at);
        if !read.is_ok_and(|read| bytes[..read] == *wanted) {
            return false;
        }
        // What stands so near to the start may be the same in every generation.
        let mut head = [0; HEAD_LENGTH];
        self.offset > SAME_HEADS
            || rustix::io::pread(file, &mut head, 0).is_ok_and(|read| self.head.matches(&head[..read]))
    }

    /// Whether it did not shrink, and still holds what was read.
    pub(super) fn is_intact(&self) -> bool {
        let Some(Source::Plain(file)) = &self.source else { return true };
        Stat::of_file(file).is_ok_and(|stat| stat.size >= self.size) && (self.offset > SAME_HEADS || self.follows())
    }

    /// Whether it was left alone as the compressed form of a file that was followed: nothing of it was read itself.
    pub(super) fn is_twin(&self) -> bool {
        self.complete && self.head.len == 0
    }

    /// Whether it is open, or can be opened by its path.
    pub(super) fn is_reachable(&self) -> bool {
        self.source.is_some() || Stat::of(&self.meta.path).is_ok_and(|stat| self.is_stat(&stat))
    }

    /// Whether it is open and larger than it was.
    pub(super) fn grew(&self) -> bool {
        let stat = self.source.as_ref().and_then(|source| Stat::of_file(source.file()).ok());
        !self.gzip && stat.is_some_and(|stat| stat.size > self.size)
    }

    /// How many bytes there are that were neither read now nor delivered before the last start.
    pub(super) fn unread(&self) -> u64 {
        unread(self.offset, self.size, self.skip.ranges().iter().map(|range| (range.start, range.end)))
    }

    /// Whether it is deleted and nobody is expected to write to it any more: `close.on_state_change.removed`, or
    /// nothing came for as long as `inactive` says.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let close = &self.settings.close;
        self.deleted && (close.removed || self.active + close.inactive <= now)
    }

    /// When it is to be deleted, if it is (`delete.enabled`): `grace_period` after it was closed, or would be. What
    /// could not be deleted is tried again some times.
    pub(super) fn delete_at(&self) -> Option<Instant> {
        let delete = &self.settings.delete;
        let is_read = delete.enabled && self.at_end && self.offset >= self.size;
        let close = &self.settings.close;
        let closed = if close.on_eof { Duration::ZERO } else { close.inactive };
        let again = DELETE_PAUSE * u32::from(self.delete_tries);
        (is_read && self.delete_tries < DELETE_TRIES).then(|| self.active + closed + delete.grace_period + again)
    }

    /// The bytes before the offset, for the registry.
    pub(super) fn tail(&self) -> Tail {
        Tail::of(self.overlap.bytes(), self.offset)
    }

    pub(super) fn is_stat(&self, stat: &Stat) -> bool {
        stat.is_same_file(self.meta.device, self.meta.inode, self.birth)
    }

    /// What the registry keeps of it, with a position that is committed.
    pub(super) fn state(&self, scope: &str, position: &Position, tail: Option<Tail>, now: i64) -> FileState {
        let mut state = FileState {
            key: self.key(),
            scope: scope.to_owned(),
            path: self.meta.path.clone(),
            device: self.meta.device,
            inode: self.meta.inode,
            birth: self.birth,
            generation: self.generation,
            head: self.head,
            tail: tail.unwrap_or_default(),
            size: self.size,
            gzip: self.gzip,
            complete: self.complete,
            lost: self.lost,
            updated: now,
            ..FileState::default()
        };
        state.set_position(position);
        state
    }
}

/// How many bytes from `offset` to `size` are not in `done`.
pub(super) fn unread(offset: u64, size: u64, done: impl Iterator<Item = (u64, u64)>) -> u64 {
    let done: u64 = done.map(|(start, end)| end.min(size).saturating_sub(start.max(offset))).sum();
    size.saturating_sub(offset).saturating_sub(done)
}
