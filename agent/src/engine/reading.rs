//! Reads one file a stretch further: bytes → lines → entries → a batch.

use std::io;
use std::time::Duration;

use tailrace_common::Timestamp;

use super::files::{Id, Overlap};
use super::reader::Reader;
use crate::decode::{Decoder, Now, Output, RawLine};
use crate::discover::Stat;
use crate::pipeline::{Batch, Commit, Entry, Flags, Position, Span, Text};
use crate::registry::{HEAD_LENGTH, Head};
use crate::tail::source::Source;

/// What a line may have beyond `message_max_bytes`: the frame that a container runtime puts around it.
const FRAME: usize = 64 << 10;
/// A line without an end is looked at again only from its known part on, once it is longer than this.
const LONG: usize = 64 << 10;

/// How long a busy file keeps its handle while others wait for theirs (`harvester_limit`).
const TURN: Duration = Duration::from_secs(1);

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

    /// Opens the file if it is not. `false` if it cannot be read now.
    pub(super) fn open(&mut self, id: Id) -> bool {
        let Some(file) = self.files.get(id) else { return false };
        if file.source.is_some() {
            return true;
        }
        let (input, limit) = (file.input, file.settings.harvester_limit);
        if limit > 0 && !self.make_room(input, limit) {
            self.set_timer(id, self.clock.now() + Duration::from_millis(100));
            return false;
        }
        let Some(file) = self.files.get(id) else { return false };
        let (path, gzip) = (file.meta.path.clone(), file.gzip);
        let opened = Source::open(&path, gzip).or_else(|error| {
            let too_many = error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error());
            if too_many && self.close_one(None) { Source::open(&path, gzip) } else { Err(error) }
        });
        match opened {
            Ok(source) => self.opened(id, source),
            Err(error) => {
                self.trouble(id, &error, "cannot open a file");
                false
            }
        }
    }

    fn opened(&mut self, id: Id, source: Source) -> bool {
        let stat = Stat::of_file(source.file());
        let Some(file) = self.files.get_mut(id) else { return false };
        let path = file.meta.path.clone();
        match stat {
            Ok(stat) if stat.is_file && file.is_stat(&stat) => {
                file.source = Some(source);
                file.look_at_byte_order();
                if !file.gzip && file.follows() {
                    file.size = file.size.max(stat.size);
                }
            }
            // Another file stands there by now.
            _ => {
                self.recheck(id);
                return false;
            }
        }
        file.opened = self.clock.now();
        file.trouble = None;
        self.stats.files_opened += 1;
        tracing::debug!(path = %path.display(), "reading a file");
        if let Some(interval) = self.files.get(id).and_then(|file| file.settings.close.after_interval) {
            self.set_timer(id, self.clock.now() + interval);
        }
        true
    }

    /// Whether one more file of the input may be opened; a file read to its end makes room for one that is not.
    fn make_room(&mut self, input: usize, limit: usize) -> bool {
        let open = self.files.iter().filter(|(_, file)| file.input == input && file.source.is_some()).count();
        open < limit || self.close_one(Some(input))
    }

    /// Closes the file that was read to its end longest ago; if all are busy, the one that had the longest turn.
    fn close_one(&mut self, input: Option<usize>) -> bool {
        let turn_over = self.clock.now().checked_sub(TURN);
        let closable = self.files.iter().filter(|(_, file)| {
            let may_close = file.at_end || turn_over.is_some_and(|since| file.opened <= since);
            file.source.is_some() && may_close && !file.deleted && input.is_none_or(|input| file.input == input)
        });
        let chosen =
            closable.min_by_key(|(_, file)| (!file.at_end, if file.at_end { file.active } else { file.opened }));
        let chosen = chosen.map(|(id, _)| id);
        if let Some(id) = chosen {
            self.close(id);
        }
        chosen.is_some()
    }

    pub(super) fn close(&mut self, id: Id) {
        if let Some(file) = self.files.get_mut(id)
            && file.source.take().is_some()
        {
            self.stats.files_closed += 1;
        }
    }

    /// Says once what is wrong with a file, and tries again later.
    pub(super) fn trouble(&mut self, id: Id, error: &io::Error, what: &str) {
        self.close(id);
        let Some(file) = self.files.get_mut(id) else { return };
        if file.trouble != Some(error.kind()) {
            file.trouble = Some(error.kind());
            tracing::warn!(path = %file.meta.path.display(), %error, "{what}");
        }
        let again = file.settings.backoff_max.max(Duration::from_millis(100));
        if error.kind() == io::ErrorKind::NotFound {
            self.recheck(id);
        }
        self.set_timer(id, self.clock.now() + again);
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
        let want = known.saturating_add(4096).min(self.stretch).max(file.want).max(head) + overlap;
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
        let line = [(overlap, overlap + len, start, line_end, flags)];
        self.emit(id, text, &line);
        Ok(())
    }

    /// Decodes the whole lines of what was read.
    fn decode(&mut self, id: Id, text: Text, overlap: usize) {
        let Some(file) = self.files.get_mut(id) else { return };
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        self.inputs[file.input].lines(file.big_endian).ends(&text[overlap..], &mut ends);
        if let Some(last) = ends.last() {
            let base = file.offset;
            let used = overlap + *last as usize;
            file.offset += u64::from(*last);
            file.overlap = Overlap::of(&text[..used]);
            let mut start = 0;
            let skip = std::mem::take(&mut file.skip);
            let mut lines = Vec::with_capacity(ends.len());
            for end in &ends {
                let (from, to) = (base + u64::from(start), base + u64::from(*end));
                // What was delivered before the last start is left out.
                if skip.is_empty() || skip.after(from).is_none_or(|done| done.start > from) {
                    lines.push((overlap + start as usize, overlap + *end as usize, from, to, Flags::default()));
                }
                start = *end;
            }
            if skip.ranges().last().is_some_and(|last| last.end > file.offset) {
                file.skip = skip;
            }
            self.stats.bytes_read += u64::from(*ends.last().unwrap_or(&0));
            self.emit(id, text, &lines);
        }
        self.ends = ends;
    }

    /// Decodes lines, given by where they are in the text and in the file, and hands the batch over.
    pub(super) fn emit(&mut self, id: Id, mut text: Text, lines: &[(usize, usize, u64, u64, Flags)]) {
        let now = Now { wall: Timestamp::now(), tick: self.clock.now() };
        let Some(file) = self.files.get_mut(id) else { return };
        let format = self.inputs[file.input].lines(file.big_endian);
        let mut decoder = match file.decoder.take() {
            Some(decoder) => decoder,
            None => Box::new(Decoder::new(file.settings.clone())),
        };
        let mut entries = Vec::with_capacity(lines.len());
        let mut older = Vec::new();
        for (start, end, from, to, flags) in lines {
            let span = format.text(&mut text, *start, *end, *from == 0);
            let line = RawLine { text: span, start: *from, end: *to, flags: *flags };
            let mut out = Output { text: &mut text, entries: &mut entries, older: &mut older };
            decoder.line(line, now, &mut out);
        }
        file.decoder = Some(decoder);
        self.hand_over(id, text, entries, older);
    }

    /// Sends on what waited in the decoder: for too long, or `all` of it.
    pub(super) fn release(&mut self, id: Id, all: bool) {
        let now = Now { wall: Timestamp::now(), tick: self.clock.now() };
        let Some(file) = self.files.get_mut(id) else { return };
        let Some(mut decoder) = file.decoder.take() else { return };
        let (mut text, mut entries, mut older) = (Text::default(), Vec::new(), Vec::new());
        let mut out = Output { text: &mut text, entries: &mut entries, older: &mut older };
        if all {
            decoder.flush(now, &mut out)
        } else {
            decoder.expire(now, &mut out)
        }
        file.decoder = Some(decoder);
        self.hand_over(id, text, entries, older);
    }

    /// Makes batches of entries and sends them, with the positions they bring the file to.
    fn hand_over(&mut self, id: Id, text: Text, entries: Vec<Entry>, older: Vec<Entry>) {
        let Some(file) = self.files.get_mut(id) else { return };
        for entry in entries.iter().chain(&older) {
            self.stats.entries += 1;
            self.stats.truncated += u64::from(entry.flags.contains(Flags::TRUNCATED));
            self.stats.unparsable += u64::from(entry.extra.as_ref().is_some_and(|extra| extra.failure.is_some()));
        }
        let (waiting, waits_for_older, idle) = match &file.decoder {
            Some(decoder) => (decoder.waiting(), decoder.waits_for_older(), decoder.is_idle()),
            None => Default::default(),
        };
        if idle && file.at_end {
            file.decoder = None;
        }
        let older_file = file.older.clone();
        if !waits_for_older {
            file.older = None;
        }
        if let Some((meta, end)) = older_file
            && (!older.is_empty() || !waits_for_older)
        {
            // The line that spans both generations, under the name of the one where it began.
            let mut moved = Vec::new();
            let moved_entries = older.into_iter().map(|mut entry| {
                let message = entry.message.of(&text).to_vec();
                entry.message = Span { start: moved.len() as u32, len: message.len() as u32 };
                moved.extend_from_slice(&message);
                entry
            });
            let moved_entries = moved_entries.collect();
            let mut commits = vec![Commit { key: file.key(), position: file.issued.clone() }];
            if !waits_for_older {
                commits.insert(0, Commit { key: meta.key, position: Position::at(end) });
            }
            let ticket = self.acks.issue(commits);
            send(&self.outlet, Batch { file: meta, text: moved.into(), entries: moved_entries, ticket });
        }
        let position = Position::of(file.offset, &waiting);
        if entries.is_empty() && position == file.issued {
            return;
        }
        file.issued = position.clone();
        let ticket = self.acks.issue([Commit { key: file.key(), position }]);
        if entries.is_empty() {
            ticket.acknowledge();
        } else {
            send(&self.outlet, Batch { file: file.meta.clone(), text, entries, ticket });
        }
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

fn send(outlet: &crate::pipeline::Outlet, batch: Batch) {
    if outlet.send(batch).is_err() {
        // The ticket is gone with it: its lines are read again after a restart.
        tracing::debug!("the output has stopped");
    }
}
