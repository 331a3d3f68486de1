//! The files that the reader follows, and by what they are found again.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::decode::{Decoder, TextEncoding};
use crate::discover::{Stat, WatchId};
use crate::pipeline::{FileKey, FileMeta, Position, RangeSet};
use crate::registry::{FileState, HEAD_LENGTH, Head, TAIL_LENGTH, Tail};
use crate::tail::settings::{Backoff, InputSettings};
use crate::tail::source::Source;

/// A file's place in [`Files`].
pub(super) type Id = usize;

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
    pub(super) modified: std::time::SystemTime,
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

/// All files followed, with their indexes.
#[derive(Debug, Default)]
pub(super) struct Files {
    slots: Vec<Option<Box<Tracked>>>,
    free: Vec<Id>,
    by_inode: HashMap<(usize, u64, u64), Id>,
    by_path: HashMap<(usize, PathBuf), Id>,
    by_key: HashMap<FileKey, Id>,
    /// The last file that left a path by rotation: the one found there next comes after it.
    left: HashMap<(usize, PathBuf), Id>,
    by_name: HashMap<WatchId, HashMap<OsString, SmallVec<[Id; 1]>>>,
}

impl Files {
    pub(super) fn insert(&mut self, file: Tracked) -> Id {
        let id = self.free.pop().unwrap_or(self.slots.len());
        if id == self.slots.len() {
            self.slots.push(None);
        }
        self.by_inode.insert((file.input, file.meta.device, file.meta.inode), id);
        self.by_key.insert(file.key(), id);
        if !file.rotated {
            self.by_path.insert((file.input, file.meta.path.clone()), id);
        }
        self.slots[id] = Some(Box::new(file));
        id
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Box<Tracked>> {
        let file = self.slots.get_mut(id)?.take()?;
        let remove_if = |found: Option<&Id>| found == Some(&id);
        let inode = (file.input, file.meta.device, file.meta.inode);
        if remove_if(self.by_inode.get(&inode)) {
            self.by_inode.remove(&inode);
        }
        let path = (file.input, file.meta.path.clone());
        if remove_if(self.by_path.get(&path)) {
            self.by_path.remove(&path);
        }
        if remove_if(self.by_key.get(&file.key())) {
            self.by_key.remove(&file.key());
        }
        for (watch, name) in &file.names {
            if let Some(names) = self.by_name.get_mut(watch)
                && let Some(ids) = names.get_mut(name)
            {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    names.remove(name);
                }
            }
        }
        self.left.retain(|_, left| *left != id);
        if let Some(after) = file.successor.and_then(|after| self.get_mut(after)) {
            after.predecessor = None;
        }
        if let Some(before) = file.predecessor.and_then(|before| self.get_mut(before)) {
            before.successor = None;
        }
        self.free.push(id);
        Some(file)
    }

    /// Removes a file whose key another one has taken over.
    pub(super) fn remove_shadow(&mut self, id: Id) {
        drop(self.remove(id));
    }

    pub(super) fn get(&self, id: Id) -> Option<&Tracked> {
        self.slots.get(id)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Tracked> {
        self.slots.get_mut(id)?.as_deref_mut()
    }

    pub(super) fn ids(&self) -> Vec<Id> {
        self.iter().map(|(id, _)| id).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Tracked)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| Some((id, slot.as_deref()?)))
    }

    pub(super) fn with_key(&self, key: FileKey) -> Option<Id> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn with_inode(&self, input: usize, stat: &Stat) -> Option<Id> {
        self.by_inode.get(&(input, stat.device, stat.inode)).copied()
    }

    pub(super) fn at_path(&self, input: usize, path: &Path) -> Option<Id> {
        self.by_path.get(&(input, path.to_owned())).copied()
    }

    /// The file goes by another key from now on.
    pub(super) fn set_meta(&mut self, id: Id, meta: FileMeta) {
        let Some(file) = self.slots.get_mut(id).and_then(Option::as_deref_mut) else { return };
        if file.meta.key != meta.key {
            self.by_key.remove(&file.meta.key);
            self.by_key.insert(meta.key, id);
        }
        if file.meta.path != meta.path {
            let old = (file.input, file.meta.path.clone());
            if self.by_path.get(&old) == Some(&id) {
                self.by_path.remove(&old);
                self.left.insert(old, id);
            }
            self.by_path.insert((file.input, meta.path.clone()), id);
        }
        file.meta = Arc::new(meta);
    }

    /// The same file, a new generation: its key changes, but a file that took the old one over keeps it.
    pub(super) fn set_key(&mut self, id: Id, meta: FileMeta) {
        let Some(file) = self.slots.get_mut(id).and_then(Option::as_deref_mut) else { return };
        if self.by_key.get(&file.meta.key) == Some(&id) {
            self.by_key.remove(&file.meta.key);
        }
        self.by_key.insert(meta.key, id);
        file.meta = Arc::new(meta);
    }

    /// The file is no longer at its path.
    pub(super) fn leave_path(&mut self, id: Id) {
        let Some(file) = self.slots.get_mut(id).and_then(Option::as_deref_mut) else { return };
        file.rotated = true;
        let path = (file.input, file.meta.path.clone());
        if self.by_path.get(&path) == Some(&id) {
            self.by_path.remove(&path);
            self.left.insert(path, id);
        }
    }

    /// The file that left a path last, if it is still followed.
    pub(super) fn left(&self, input: usize, path: &Path) -> Option<Id> {
        self.left.get(&(input, path.to_owned())).copied()
    }

    /// As [`Files::left`], and forgets it.
    pub(super) fn take_left(&mut self, input: usize, path: &Path) -> Option<Id> {
        self.left.remove(&(input, path.to_owned()))
    }

    /// Says which file left a path last.
    pub(super) fn set_left(&mut self, input: usize, path: &Path, id: Id) {
        self.left.insert((input, path.to_owned()), id);
    }

    /// The file is (also) known by this name in a watched directory.
    pub(super) fn name(&mut self, watch: WatchId, name: &OsStr, id: Id) {
        let Some(file) = self.get_mut(id) else { return };
        if file.names.iter().any(|(known_watch, known)| *known_watch == watch && known == name) {
            return;
        }
        file.names.push((watch, name.to_owned()));
        self.by_name.entry(watch).or_default().entry(name.to_owned()).or_default().push(id);
    }

    /// Orders two generations of one path.
    pub(super) fn chain(&mut self, before: Id, after: Id) {
        if before == after || self.get(before).is_none_or(|file| file.successor.is_some()) {
            return;
        }
        if let Some(file) = self.get_mut(after)
            && file.predecessor.is_none()
        {
            file.predecessor = Some(before);
            if let Some(file) = self.get_mut(before) {
                file.successor = Some(after);
            }
        }
    }

    /// Puts a generation that was met late before the one that was met already.
    pub(super) fn chain_between(&mut self, id: Id, next: Id) {
        if id == next || self.get(next).is_none_or(|file| file.offset > 0) {
            return;
        }
        let before = self.get_mut(next).and_then(|file| file.predecessor.take());
        if let Some(before) = before
            && let Some(file) = self.get_mut(before)
        {
            file.successor = None;
            self.chain(before, id);
        }
        self.chain(id, next);
    }

    pub(super) fn named(&self, watch: WatchId, name: &OsStr) -> SmallVec<[Id; 1]> {
        self.by_name.get(&watch).and_then(|names| names.get(name)).cloned().unwrap_or_default()
    }

    /// A directory that is no longer watched: what was in it.
    pub(super) fn unwatch(&mut self, watch: WatchId) -> Vec<Id> {
        self.by_name.remove(&watch).into_iter().flat_map(HashMap::into_values).flatten().collect()
    }
}
