//! Lines become entries, entries batches, and batches go out with the positions they bring their file to.

use super::files::Id;
use super::reader::Reader;
use super::tracked::Overlap;
use crate::decode::{Decoder, Now, Output, RawLine};
use crate::pipeline::{Batch, Commit, Entry, Flags, Position, Span, Text};

impl Reader {
    /// Decodes the whole lines of what was read.
    pub(super) fn decode(&mut self, id: Id, text: Text, overlap: usize) {
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
            self.keep_within_quota(id, &mut lines, |line| (line.2, line.3));
            self.stats.bytes_read += u64::from(*ends.last().unwrap_or(&0));
            self.emit(id, text, &lines);
        }
        self.ends = ends;
    }

    /// Decodes lines, given by where they are in the text and in the file, and hands the batch over.
    pub(super) fn emit(&mut self, id: Id, mut text: Text, lines: &[(usize, usize, u64, u64, Flags)]) {
        let now = Now { wall: self.clock.wall(), tick: self.clock.now() };
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
        let now = Now { wall: self.clock.wall(), tick: self.clock.now() };
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
    pub(super) fn hand_over(&mut self, id: Id, text: Text, entries: Vec<Entry>, older: Vec<Entry>) {
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
}

fn send(outlet: &crate::pipeline::Outlet, batch: Batch) {
    if outlet.send(batch).is_err() {
        // The ticket is gone with it: its lines are read again after a restart.
        tracing::debug!("the output has stopped");
    }
}
