//! Reads one file a stretch further: bytes → lines → entries → a batch.

use std::io;

use super::files::Id;
use super::reader::Reader;
use super::tracked::Overlap;
use crate::discover::Stat;
use crate::pipeline::Flags;
use crate::registry::{HEAD_LENGTH, Head};
use crate::tail::source::Source;

/// What a line may have beyond `message_max_bytes`: the frame that a container runtime puts around it.
const FRAME: usize = 64 << 10;
/// A line without an end is looked at again only from its known part on, once it is longer than this.
const LONG: usize = 64 << 10;

/// What reading a stretch came to.
enum Stretch {
    /// There is more.
    More,
    /// That was all, for now.
    End,
    /// The outputs hold too much.
    NoRoom,
    /// What is there does not follow what was read.
    Rewritten,
}

impl Reader {
    pub(super) fn read(&mut self, id: Id) {
        if self.waits_for_another(id) || !self.open(id) {
            return;
        }
        if self.files.get(id).is_some_and(|file| self.outlet.holds().is_held(file.key())) {
            self.look_at_size(id);
            self.starved.push(id);
            return;
        }
        if self.waits_for_quota(id) || self.awaits_facts(id) {
            return;
        }
        match self.read_stretch(id) {
            Ok(Stretch::More) => self.queue(id),
            Ok(Stretch::End) => self.reached_end(id),
            Ok(Stretch::NoRoom) => {
                self.look_at_size(id);
                self.starve(id);
            }
            Ok(Stretch::Rewritten) => self.rewritten(id),
            Err(error) => self.trouble(id, &error, "cannot read a file"),
        }
    }

    /// A file waits until the outputs let go of what they hold.
    fn starve(&mut self, id: Id) {
        if let Some(file) = self.files.get_mut(id)
            && !file.starved
        {
            file.starved = true;
            self.starved.push(id);
        }
    }

    /// A generation is read after the one before it, and a copy only when the original is gone.
    fn waits_for_another(&mut self, id: Id) -> bool {
        let Some(file) = self.files.get(id) else { return true };
        if file.complete {
            return true;
        }
        if file.copy_of.is_some() {
            return self.still_a_copy(id);
        }
        let Some(before) = self.files.get(id).and_then(|file| file.predecessor) else { return false };
        let Some(file) = self.files.get(before) else { return false };
        if file.at_end || file.trouble.is_some() || file.complete {
            self.succeed(before, id);
            return false;
        }
        self.queue(before);
        // Its handle keeps it alive, should it be deleted before its turn comes.
        if self.files.get(id).is_some_and(|file| file.settings.harvester_limit == 0) && self.open(id) {
            self.look_at_size(id);
        }
        true
    }

    /// Hands lines that wait for their rest over to the next generation.
    fn succeed(&mut self, before: Id, id: Id) {
        let Some(older) = self.files.get_mut(before) else { return };
        let (meta, end) = (older.meta.clone(), older.offset);
        let waits = older.decoder.as_ref().is_some_and(|decoder| !decoder.is_idle()) && older.older.is_none();
        let decoder = if waits { older.decoder.take() } else { None };
        let Some(file) = self.files.get_mut(id) else { return };
        file.predecessor = None;
        if let Some(older) = self.files.get_mut(before) {
            older.successor = None;
        }
        let Some(mut decoder) = decoder else { return };
        match self.files.get_mut(id).filter(|file| file.offset == 0) {
            Some(file) => {
                decoder.next_generation();
                file.decoder = Some(decoder);
                file.older = Some((meta, end));
            }
            None => {
                if let Some(older) = self.files.get_mut(before) {
                    older.decoder = Some(decoder);
                }
            }
        }
    }

    /// While the outputs are stuck the size is looked at all the same, so that what is destroyed unread is known.
    pub(super) fn look_at_size(&mut self, id: Id) {
        if let Some(file) = self.files.get_mut(id)
            && !file.gzip
            && let Some(stat) = file.source.as_ref().and_then(|source| Stat::of_file(source.file()).ok())
        {
            // In this order: the size is that of the content which is there after it was taken.
            if stat.size >= file.size && file.follows() {
                file.size = stat.size;
                self.learn_head(id, stat.size);
            } else {
                self.rewritten(id);
            }
        }
    }

    fn read_stretch(&mut self, id: Id) -> io::Result<Stretch> {
        let stretch = self.stretch_of(id);
        let Some(file) = self.files.get_mut(id) else { return Ok(Stretch::End) };
        if file.scanned > file.offset {
            return self.search_line_end(id);
        }
        if !file.is_intact() {
            return Ok(Stretch::Rewritten);
        }
        let overlap = file.overlap.bytes().len();
        let known = usize::try_from(file.size.saturating_sub(file.offset)).unwrap_or(usize::MAX);
        let begins = file.offset == overlap as u64;
        let head = if begins { file.head.len as usize } else { 0 };
        let want = known.saturating_add(4096).min(stretch).max(file.want).max(head) + overlap;
        let Some(mut text) = self.pool.take(want) else { return Ok(Stretch::NoRoom) };
        let Some(source) = &mut file.source else { return Ok(Stretch::End) };
        let read = source.read_at(file.offset - overlap as u64, want, &mut text)?;
        let is_end = read < want;
        let shrank = is_end && !file.gzip && file.offset - overlap as u64 + (read as u64) < file.size;
        let other_head = begins && !file.head.matches(&text);
        if shrank || other_head || read < overlap || text[..overlap] != *file.overlap.bytes() {
            return Ok(Stretch::Rewritten);
        }
        let there = file.offset + (read - overlap) as u64;
        if there > file.size {
            file.size = there;
            file.active = self.clock.now();
        } else if file.gzip && is_end && there < file.size {
            // Written to the original after it was copied, and seen, but never read.
            let (meta, lost) = (file.meta.clone(), file.size - there);
            file.size = there;
            self.lose(meta, Some(id), there, lost, "truncated");
        }
        let Some(file) = self.files.get_mut(id) else { return Ok(Stretch::End) };
        if read == overlap {
            return Ok(Stretch::End);
        }
        if begins && (file.head.len as usize) < HEAD_LENGTH.min(read) {
            file.head = Head::of(&text);
            file.dirty = true;
        }
        let before = file.offset;
        self.decode(id, text, overlap);
        let Some(file) = self.files.get_mut(id) else { return Ok(Stretch::End) };
        if file.offset == before {
            self.longer_line(id, read - overlap, is_end);
        } else {
            file.want = 0;
            file.active = self.clock.now();
        }
        Ok(if is_end { Stretch::End } else { Stretch::More })
    }

    /// The line at the offset has no end in the `have` bytes that were read.
    fn longer_line(&mut self, id: Id, have: usize, is_end: bool) {
        let Some(file) = self.files.get_mut(id) else { return };
        let most = file.settings.message_max_bytes.saturating_add(FRAME);
        if file.size > file.offset + have as u64 || !is_end {
            file.want = have.saturating_mul(4).min(most);
        }
        if have >= most || is_end && have > LONG {
            file.scanned = file.offset + have as u64;
        }
    }

    /// Looks for the end of a long line without keeping it.
    fn search_line_end(&mut self, id: Id) -> io::Result<Stretch> {
        let Some(file) = self.files.get_mut(id) else { return Ok(Stretch::End) };
        let format = self.inputs[file.input].lines(file.big_endian);
        // A terminator may have been cut in two; characters are counted from the line's start.
        let back = (format.terminator_len() as u64 - 1).next_multiple_of(4).min(file.scanned - file.offset);
        let from = file.offset + (file.scanned - back - file.offset) / 4 * 4;
        let Some(mut text) = self.pool.take(self.stretch) else { return Ok(Stretch::NoRoom) };
        let Some(source) = &mut file.source else { return Ok(Stretch::End) };
        let read = source.read_at(from, self.stretch, &mut text)? as u64;
        if from + read < file.scanned {
            return Ok(Stretch::Rewritten);
        }
        file.size = file.size.max(from + read);
        let is_end = (read as usize) < self.stretch;
        let Some(end) = format.first_end(&text) else {
            if from + read > file.scanned {
                file.active = self.clock.now();
            }
            file.scanned = from + read;
            return Ok(if is_end { Stretch::End } else { Stretch::More });
        };
        drop(text);
        let line_end = from + end as u64;
        let most = file.settings.message_max_bytes.saturating_add(FRAME) as u64;
        if line_end - file.offset <= most {
            file.scanned = 0;
            file.want = (line_end - file.offset) as usize;
            return Ok(Stretch::More);
        }
        self.cut_line(id, line_end, Flags::TRUNCATED)?;
        Ok(Stretch::More)
    }

    /// Sends as much of the line at the offset as the limit allows, and goes on behind it.
    pub(super) fn cut_line(&mut self, id: Id, line_end: u64, flags: Flags) -> io::Result<()> {
        let Some(file) = self.files.get_mut(id) else { return Ok(()) };
        let most = file.settings.message_max_bytes.saturating_add(FRAME);
        let overlap = file.overlap.bytes().len();
        let len = usize::try_from(line_end - file.offset).unwrap_or(most).min(most);
        let Some(mut text) = self.pool.take(len + overlap) else { return Ok(()) };
        let Some(source) = &mut file.source else { return Ok(()) };
        let read = source.read_at(file.offset - overlap as u64, len + overlap, &mut text)?;
        if read < len + overlap || text[..overlap] != *file.overlap.bytes() {
            return Ok(());
        }
        let next = if (len as u64) < line_end - file.offset {
            let mut tail = Vec::new();
            let keep = crate::registry::TAIL_LENGTH;
            source.read_at(line_end - keep as u64, keep, &mut tail)?;
            Overlap::of(&tail)
        } else {
            Overlap::of(&text)
        };
        let start = file.offset;
        file.offset = line_end;
        file.overlap = next;
        file.scanned = 0;
        file.want = 0;
        let mut line = vec![(overlap, overlap + len, start, line_end, flags)];
        self.keep_within_quota(id, &mut line, |line| (line.2, line.3));
        self.emit(id, text, &line);
        Ok(())
    }

    /// Everything there is was read.
    fn reached_end(&mut self, id: Id) {
        if let Some(file) = self.files.get(id) {
            self.learn_head(id, file.offset);
        }
        let once = self.options.once;
        let Some(file) = self.files.get_mut(id) else { return };
        file.at_end = true;
        let stat = file.source.as_ref().and_then(|source| Stat::of_file(source.file()).ok());
        if file.gzip {
            file.size = file.size.max(file.offset);
        }
        if let Some(stat) = stat {
            file.modified = stat.modified;
            file.deleted |= stat.links == 0;
        }
        if file.gzip || file.is_over(self.clock.now()) || once {
            self.flush_unterminated(id);
            if self.files.get(id).is_some_and(|file| file.gzip || file.successor.is_none()) {
                self.release(id, true);
            }
        }
        let Some(file) = self.files.get_mut(id) else { return };
        if file.gzip && file.offset >= file.size {
            file.complete = true;
            file.dirty = true;
        }
        if let Some(successor) = file.successor {
            self.queue(successor);
        }
        self.plan(id);
    }

    pub(super) fn has_successor(&self, id: Id) -> bool {
        self.files.get(id).is_some_and(|file| file.successor.is_some())
    }

    /// Remembers how the file starts while it is short, and its fingerprint once it has one.
    pub(super) fn learn_head(&mut self, id: Id, known: u64) {
        let Some(file) = self.files.get_mut(id) else { return };
        let grew = (file.head.len as usize) < HEAD_LENGTH && u64::from(file.head.len) < known;
        if grew {
            let len = usize::try_from(known).unwrap_or(HEAD_LENGTH).min(HEAD_LENGTH);
            let head = match &mut file.source {
                Some(source) => source.head(len),
                None => Source::open(&file.meta.path, file.gzip).and_then(|mut source| source.head(len)),
            };
            if let Ok(head) = head
                && head.len() == len
            {
                file.head = Head::of(&head);
                file.dirty = true;
            }
        }
        self.learn_fingerprint(id);
    }

    /// Sends the bytes behind the last line end as a line.
    pub(super) fn flush_unterminated(&mut self, id: Id) {
        let Some(file) = self.files.get_mut(id) else { return };
        let (start, end) = (file.offset, file.size);
        if end <= start || file.settings.unterminated_timeout.is_none() && !file.deleted && !file.gzip {
            return;
        }
        // Half a line of a container is of no use while its rest may come.
        let is_container = file
            .settings
            .parsers
            .first()
            .is_some_and(|parser| matches!(parser, crate::tail::settings::Parser::Container(_)));
        if is_container && !file.deleted && !file.gzip {
            return;
        }
        let limit = file.settings.message_max_bytes as u64;
        let mut flags = Flags::PARTIAL;
        if end - start > limit {
            flags.insert(Flags::TRUNCATED);
        }
        if let Err(error) = self.cut_line(id, end, flags) {
            self.trouble(id, &error, "cannot read a file");
        }
    }
}
