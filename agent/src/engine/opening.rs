//! Handles: opened when there is something to read, closed to make room for others.

use std::io;
use std::time::Duration;

use super::files::Id;
use super::reader::Reader;
use crate::discover::Stat;
use crate::tail::source::Source;

/// How long a busy file keeps its handle while others wait for theirs (`harvester_limit`).
const TURN: Duration = Duration::from_secs(1);

impl Reader {
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
        let again = file.settings.backoff.max.max(Duration::from_millis(100));
        if error.kind() == io::ErrorKind::NotFound {
            self.recheck(id);
        }
        self.set_timer(id, self.clock.now() + again);
    }
}
