//! Files that were truncated or rewritten, and the ledger of what was destroyed unread.

use std::path::Path;

use rustix::fs::SeekFrom;

use super::copies::Content;
use super::files::Id;
use super::reader::Reader;
use super::tracked::{Overlap, Tracked, unread};
use crate::discover::Stat;
use crate::pipeline::{Batch, Commit, Entry, Extra, FileMeta, Flags, Loss, Position, RangeSet, Span, Stream, Text};
use crate::registry::{Change, FileState, Head};
use crate::tail::source::Source;

impl Reader {
    /// What is in the file does not follow what was read: it was truncated, and perhaps written again.
    ///
    /// What was not read yet is read from the copy that copytruncate made, if there is one; else it is lost.
    pub(super) fn rewritten(&mut self, id: Id) {
        let Some(file) = self.files.get(id) else { return };
        let stat = file.source.as_ref().and_then(|source| Stat::of_file(source.file()).ok());
        let Some(stat) = stat else { return };
        if file.gzip {
            self.start_over(id, stat.size);
            return;
        }
        tracing::debug!(path = %file.meta.path.display(), read = file.offset, seen = file.size, "a file was truncated");
        let content = Content { head: file.head, tail: file.tail() };
        let (input, path) = (file.input, file.origin().to_owned());
        self.skip_read_copies(id);
        let copy = self.find_content(input, &path, &content, stat.inode);
        let copied = copy.and_then(|(copy, gzip)| self.split_off(id, &copy, gzip));
        if copied.is_none() {
            self.release(id, true);
            let Some(file) = self.files.get(id) else { return };
            let (meta, offset, bytes) = (file.meta.clone(), file.offset, file.unread());
            self.lose(meta, Some(id), offset, bytes, "truncated");
        }
        self.start_over(id, stat.size);
        if let Some(copied) = copied {
            self.files.chain(copied, id);
            self.queue(copied);
        }
    }

    /// Copies made before the last lines were read hold nothing new.
    fn skip_read_copies(&mut self, original: Id) {
        let Some(read) = self.files.get(original).map(|file| file.offset) else { return };
        for id in self.files.ids() {
            let Some(copy) = self.files.get(id).filter(|file| file.copy_of == Some(original)) else { continue };
            let size = Stat::of(&copy.meta.path).map_or(0, |stat| stat.size);
            if size > 0 && size < read {
                self.jump(id, size);
                if let Some(copy) = self.files.get_mut(id) {
                    copy.copy_of = None;
                    copy.size = size;
                }
                self.queue(id);
            }
        }
    }

    /// A file of its own for what was read so far: it goes on in the copy, under the same key.
    fn split_off(&mut self, id: Id, copy: &Path, gzip: bool) -> Option<Id> {
        let stat = Stat::of(copy).ok()?;
        let file = self.files.get(id)?;
        let (input, seen) = (file.input, file.size);
        // If it was read for itself there is nothing left to inherit.
        if !self.take_unread(input, &stat) {
            return None;
        }
        let now = self.clock.now();
        let file = self.files.get_mut(id)?;
        // The original takes a new key right after this; until then both have the same.
        let meta =
            FileMeta { path: copy.to_owned(), device: stat.device, inode: stat.inode, ..FileMeta::clone(&file.meta) };
        let taken = Tracked {
            origin: Some(file.origin().to_owned()),
            decoder: file.decoder.take(),
            skip: std::mem::take(&mut file.skip),
            older: file.older.take(),
            start: file.start.clone(),
            issued: file.issued.clone(),
            size: if gzip { seen } else { stat.size },
            big_endian: file.big_endian,
            rotated: true,
            known: file.known,
            awaiting: file.awaiting,
            offset: file.offset,
            overlap: file.overlap,
            head: file.head,
            lost: file.lost,
            visited: file.visited,
            ..Tracked::new(file.input, meta, &stat, file.generation, gzip, now)
        };
        let taken = self.files.insert(taken);
        self.watch_file(taken);
        // Written to the original after it was copied, and seen, but never read.
        if !gzip && seen > stat.size {
            let meta = self.files.get(taken)?.meta.clone();
            self.lose(meta, Some(taken), stat.size, seen - stat.size, "truncated");
        }
        Some(taken)
    }

    /// Goes on with a closed file in another one that has its content.
    pub(super) fn continue_in(&mut self, id: Id, path: &Path, gzip: bool) {
        let Some(copied) = self.split_off(id, path, gzip) else {
            self.let_go(id, "deleted");
            return;
        };
        let successor = self.files.get(id).and_then(|file| file.successor);
        self.files.remove_shadow(id);
        if let Some(successor) = successor {
            self.files.chain(copied, successor);
        }
        self.queue(copied);
    }

    /// Begins a new generation of a file, at its start.
    pub(super) fn start_over(&mut self, id: Id, size: u64) {
        let Some(file) = self.files.get(id) else { return };
        let stat = Stat {
            device: file.meta.device,
            inode: file.meta.inode,
            birth: file.birth,
            size,
            modified: file.modified,
            links: 1,
            is_file: true,
            is_symlink: false,
            uid: 0,
            gid: 0,
        };
        let (input, generation, old) = (file.input, file.generation + 1, file.key());
        let key = self.new_key(input, &stat, generation);
        let Some(file) = self.files.get_mut(id) else { return };
        let start = file.source.as_ref().map_or(0, hole);
        let meta = FileMeta { key, fingerprint: None, ..FileMeta::clone(&file.meta) };
        file.generation = generation;
        file.size = if file.gzip { 0 } else { size };
        file.offset = start;
        file.overlap = Overlap::default();
        file.head = Head::default();
        file.skip = RangeSet::default();
        file.decoder = None;
        file.older = None;
        file.scanned = 0;
        file.want = 0;
        file.start = Position::at(start);
        file.issued = Position::at(start);
        file.complete = false;
        file.dirty = true;
        file.active = self.clock.now();
        self.files.set_key(id, meta);
        if self.files.with_key(old).is_none() {
            self.registry.write(vec![Change::Forget(old)]);
        }
        self.learn_head(id, self.files.get(id).map_or(0, |file| file.size));
        self.queue(id);
    }

    /// Stops following a file that is gone; what was not read of it is lost.
    pub(super) fn let_go(&mut self, id: Id, reason: &'static str) {
        self.release(id, true);
        let Some(file) = self.files.get(id) else { return };
        let (meta, offset, bytes) = (file.meta.clone(), file.offset, file.unread());
        let clean = file.settings.clean_removed;
        // What a copy holds its original has, or lost.
        if file.copy_of.is_none() {
            self.lose(meta.clone(), Some(id), offset, bytes, reason);
        }
        self.files.remove(id);
        if clean {
            self.registry.write(vec![Change::Forget(meta.key)]);
        }
    }

    /// As [`Reader::lose`], for a file of which only the registry's state is left.
    pub(super) fn lose_known(&mut self, input: usize, state: &FileState, reason: &'static str) {
        let bytes = unread(state.offset, state.size, state.beyond.iter().copied());
        if bytes == 0 {
            return;
        }
        let meta = FileMeta {
            source: None,
            key: state.key,
            input: self.inputs[input].settings.clone(),
            path: state.path.clone(),
            device: state.device,
            inode: state.inode,
            fingerprint: None,
            owner: None,
            group: None,
        };
        self.lose(meta.into(), None, state.offset, bytes, reason);
    }

    /// Enters bytes that were destroyed unread into the ledger, and sends an event that says so.
    pub(super) fn lose(
        &mut self,
        meta: std::sync::Arc<FileMeta>,
        id: Option<Id>,
        offset: u64,
        bytes: u64,
        reason: &'static str,
    ) {
        if bytes == 0 {
            return;
        }
        tracing::warn!(path = %meta.path.display(), bytes, offset, reason, "bytes of a file were destroyed before they could be read");
        self.stats.lost_bytes += bytes;
        self.stats.losses += 1;
        let mut position = Position::at(offset);
        if let Some(file) = id.and_then(|id| self.files.get_mut(id)) {
            file.lost += bytes;
            file.dirty = true;
            position = file.issued.clone();
        }
        let text = format!("{bytes} bytes of this file were {reason} before they could be read");
        let mut flags = Flags::default();
        flags.insert(Flags::LOSS);
        let entry = Entry {
            message: Span { start: 0, len: text.len() as u32 },
            start: offset,
            end: offset + bytes,
            timestamp: self.clock.wall(),
            stream: Stream::None,
            flags,
            extra: Some(Box::new(Extra { loss: Some(Loss { bytes, offset, reason }), ..Extra::default() })),
        };
        let ticket = self.acks.issue([Commit { key: meta.key, position }]);
        let text = Text::from(text.into_bytes());
        if self.outlet.send(Batch { file: meta, text, entries: vec![entry], ticket }).is_err() {
            tracing::debug!("the output has stopped");
        }
    }
}

/// How many NUL bytes a file starts with that nobody wrote: a writer without `O_APPEND` goes on at its old offset after
/// the truncation, and leaves a hole.
fn hole(source: &Source) -> u64 {
    let Source::Plain(file) = source else { return 0 };
    let Ok(data) = rustix::fs::seek(file, SeekFrom::Data(0)) else { return 0 };
    if data == 0 {
        return 0;
    }
    let mut block = [0; 4096];
    let read = rustix::io::pread(file, &mut block, data).unwrap_or(0);
    let nuls = block[..read].iter().take_while(|byte| **byte == 0).count();
    data + nuls as u64
}
