//! Acknowledged positions go to the registry, and timers decide what becomes of idle files.

use std::time::{Duration, Instant};

use super::files::Id;
use super::reader::Reader;
use crate::discover::Stat;
use crate::pipeline::Position;
use crate::registry::{Change, TAIL_LENGTH, Tail};
use crate::tail::settings::Compression;
use crate::tail::source::Source;

/// How soon a file is looked at again whose end waits for acknowledgements.
const GLANCE: Duration = Duration::from_millis(200);
/// How soon what is acknowledged is handed to the registry, where saving is cheap: a process that is killed sends again
/// what was acknowledged since.
const SAVE: Duration = Duration::from_millis(20);
/// Saving takes at most this part of the time, unless that were later than the registry's `flush`.
const SAVE_SHARE: u32 = 20;

impl Reader {
    /// Hands to the registry what is acknowledged and what else changed.
    pub(super) fn save(&mut self) {
        self.next_save = None;
        let begun = self.clock.now();
        let now = self.clock.wall().secs;
        let mut changes = Vec::new();
        for commit in self.acks.take_commits() {
            let Some(id) = self.files.with_key(commit.key) else {
                let (key, position) = (commit.key, commit.position);
                let size = position.end();
                changes.push(Change::Advance { key, position, tail: None, size, updated: now });
                self.acks.forget(key);
                continue;
            };
            let tail = self.tail_at(id, commit.position.offset);
            let Some(file) = self.files.get(id) else { continue };
            if file.dirty {
                continue;
            }
            let size = file.size;
            changes.push(Change::Advance { key: commit.key, position: commit.position, tail, size, updated: now });
        }
        for id in self.files.ids() {
            if self.files.get(id).is_some_and(|file| file.dirty && file.copy_of.is_none()) {
                changes.push(self.whole_state(id, now));
            }
        }
        self.registry.write(changes);
        self.save_took = self.clock.now().saturating_duration_since(begun);
        if self.ready.is_empty() && self.pool.used() == 0 {
            self.pool.trim();
        }
    }

    /// Sees to it that what changed is saved soon.
    pub(super) fn plan_save(&mut self) {
        let soon = SAVE.max(self.save_took * SAVE_SHARE).min(self.options.registry_flush);
        self.next_save.get_or_insert(self.clock.now() + soon);
    }

    /// As [`Reader::save`], for every file.
    pub(super) fn save_all(&mut self) {
        for id in self.files.ids() {
            if let Some(file) = self.files.get_mut(id) {
                file.dirty = true;
            }
        }
        self.save();
    }

    fn whole_state(&mut self, id: Id, now: i64) -> Change {
        let position = self.committed(id);
        let tail = self.tail_at(id, position.offset);
        let Some(file) = self.files.get_mut(id) else { return Change::Forget(Default::default()) };
        file.dirty = false;
        let scope = &self.inputs[file.input].scope;
        Change::Put(Box::new(file.state(scope, &position, tail, now)))
    }

    /// Where a file stands in the registry's eyes: acknowledged, or where it began when nothing was yet.
    pub(super) fn committed(&self, id: Id) -> Position {
        let Some(file) = self.files.get(id) else { return Position::default() };
        match self.acks.committed(file.key()) {
            Some(position) => position,
            None if self.acks.outstanding(file.key()) == 0 => file.issued.clone(),
            None => file.start.clone(),
        }
    }

    /// What stands in a file before an offset.
    pub(super) fn tail_at(&mut self, id: Id, offset: u64) -> Option<Tail> {
        let file = self.files.get_mut(id)?;
        if offset == file.offset {
            return Some(file.tail());
        }
        if file.gzip {
            return None;
        }
        let len = TAIL_LENGTH.min(usize::try_from(offset).unwrap_or(TAIL_LENGTH));
        let mut bytes = Vec::with_capacity(len);
        let at = offset - len as u64;
        let read = match &mut file.source {
            Some(source) => source.read_at(at, len, &mut bytes),
            None => Source::open(&file.meta.path, false).and_then(|mut source| source.read_at(at, len, &mut bytes)),
        };
        (read.ok()? == len).then(|| Tail::of(&bytes, offset))
    }

    /// Sets when a file that was read to its end is to be looked at again.
    pub(super) fn plan(&mut self, id: Id) {
        if self.files.get(id).is_some_and(|file| file.dirty) {
            self.plan_save();
        }
        let Some(file) = self.files.get(id) else { return };
        let now = self.clock.now();
        let close = &file.settings.close;
        let mut next = file.source.is_some().then(|| file.active + close.inactive);
        let mut sooner = |at: Option<Instant>| next = [next, at].into_iter().flatten().min();
        sooner(file.decoder.as_ref().and_then(|decoder| decoder.deadline()));
        if file.size > file.offset {
            sooner(file.settings.unterminated_timeout.map(|timeout| file.active + timeout));
        }
        sooner(close.after_interval.filter(|_| file.source.is_some()).map(|interval| file.opened + interval));
        sooner(file.delete_at().map(|at| at.max(now + GLANCE)));
        if file.is_over(now) || file.complete {
            sooner(Some(now + GLANCE));
        } else if file.deleted {
            // Its writes may come under a name that we do not know.
            sooner(Some(now + Duration::from_secs(1)));
        } else if close.on_eof || (file.rotated && close.renamed) {
            sooner(Some(now));
        }
        if let Some(at) = next {
            self.set_timer(id, at.max(now + Duration::from_millis(1)));
        }
    }

    pub(super) fn on_timer(&mut self, id: Id) {
        let now = self.clock.now();
        let Some(file) = self.files.get(id) else { return };
        if file.trouble.is_some() || (!file.at_end && !file.complete) {
            self.queue(id);
            return;
        }
        if file.decoder.as_ref().and_then(|decoder| decoder.deadline()).is_some_and(|at| at <= now) {
            self.release(id, false);
        }
        let Some(file) = self.files.get(id) else { return };
        let timeout = file.settings.unterminated_timeout;
        if file.size > file.offset && timeout.is_some_and(|timeout| file.active + timeout <= now) {
            if file.source.is_none() {
                self.queue(id);
                return;
            }
            self.flush_unterminated(id);
        }
        if self.finished(id) {
            return;
        }
        let Some(file) = self.files.get(id) else { return };
        let close = &file.settings.close;
        let expired = close.after_interval.is_some_and(|interval| file.opened + interval <= now);
        if file.source.is_some()
            && !file.deleted
            && (file.active + close.inactive <= now || close.on_eof || expired || (file.rotated && close.renamed))
        {
            self.close(id);
        }
        self.plan(id);
    }

    /// A deleted file may stand compressed beside its old place, where no scan has found it yet: that is the same one.
    fn went_on_compressed(&mut self, id: Id) -> bool {
        if self.files.get(id).is_none_or(|file| file.gzip || file.settings.compression == Compression::None) {
            return false;
        }
        let Some((path, true)) = self.copy_of_closed(id) else { return false };
        self.continue_in(id, &path, true);
        true
    }

    /// Lets a file go of which nothing more comes, once all of it is acknowledged. `true` if it is gone.
    fn finished(&mut self, id: Id) -> bool {
        if self.files.get(id).is_some_and(|file| file.deleted && file.grew()) {
            self.queue(id);
            return false;
        }
        let over = self.files.get(id).is_some_and(|file| file.is_over(self.clock.now()));
        if over && !self.has_successor(id) {
            self.flush_unterminated(id);
            self.release(id, true);
            if self.files.get(id).is_some_and(|file| file.unread() > 0 && file.source.is_some()) {
                return false;
            }
        }
        let Some(file) = self.files.get(id) else { return true };
        let key = file.key();
        if self.acks.outstanding(key) > 0 || file.older.is_some() || self.has_successor(id) {
            return false;
        }
        if over {
            if self.went_on_compressed(id) {
                return true;
            }
            self.save();
            self.close(id);
            self.files.remove(id);
            self.acks.forget(key);
            self.registry.write(vec![Change::Forget(key)]);
            return true;
        }
        if file.delete_at().is_some_and(|at| at <= self.clock.now()) && self.delete(id) {
            return true;
        }
        if self.files.get(id).is_some_and(|file| file.complete) {
            self.close(id);
        }
        false
    }

    /// Deletes a file that is read and acknowledged (`delete.enabled`), unless it changed; `true` when it is gone.
    fn delete(&mut self, id: Id) -> bool {
        self.save();
        let now = self.clock.now();
        let Some(file) = self.files.get_mut(id) else { return true };
        let (path, key) = (file.meta.path.clone(), file.key());
        let there = Stat::of(&path);
        if !there.is_ok_and(|stat| file.is_stat(&stat) && (file.gzip || stat.size == file.size)) {
            file.active = now;
            self.queue(id);
            return false;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => {
                tracing::info!(path = %path.display(), "deleted a file that is read and delivered");
                self.close(id);
                self.files.remove(id);
                self.acks.forget(key);
                self.registry.write(vec![Change::Forget(key)]);
                true
            }
            Err(error) => {
                file.delete_tries += 1;
                let tries = file.delete_tries;
                tracing::warn!(path = %path.display(), %error, tries, "cannot delete a file");
                false
            }
        }
    }
}
