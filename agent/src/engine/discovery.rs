//! Finds files and tells which of them are known: by inode and time of birth, by content, by the registry.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::files::Id;
use super::input::Input;
use super::reader::Reader;
use crate::decode::Pattern;
use crate::discover::Stat;
use crate::discover::glob::Found;
use crate::pipeline::FileMeta;
use crate::registry::Change;
use crate::tail::settings::{FileIdentity, ScanSort};

/// With every directory watched, scanning only makes up for what a watch may miss.
const WATCHED_FACTOR: u32 = 6;

impl Reader {
    /// Looks for files under every input's globs.
    pub(super) fn scan(&mut self) {
        self.scans += 1;
        self.watcher.retry();
        // Of inputs that come only now as well, files may have been rotated away while nobody looked.
        let new = self.inputs.iter().any(|input| !input.scanned);
        let mut interval = Duration::from_secs(60);
        let mut forbidden = Vec::new();
        for input in 0..self.inputs.len() {
            let settings = self.inputs[input].settings.clone();
            let mut found = Found::default();
            for glob in &self.inputs[input].globs {
                glob.find(&mut found);
            }
            for directory in &found.directories {
                self.watcher.watch(directory);
            }
            forbidden.append(&mut found.forbidden);
            sort(&mut found.paths, settings.scan_sort, settings.scan_descending);
            // Files that are known come first: what became of them says what the others may be.
            let (known, new): (Vec<_>, Vec<_>) = found
                .paths
                .iter()
                .partition(|path| Stat::of(path).is_ok_and(|stat| self.files.with_inode(input, &stat).is_some()));
            for path in known.into_iter().chain(new) {
                self.visit(input, path);
            }
            self.inputs[input].scanned = true;
            if !self.inputs[input].globs.is_empty() {
                interval = interval.min(settings.check_interval.max(Duration::from_millis(100)));
            }
        }
        self.tell_forbidden(forbidden);
        let scans = self.scans;
        for id in self.files.ids() {
            if self.files.get(id).is_some_and(|file| file.visited != scans && !file.deleted) {
                self.recheck(id);
            }
        }
        if new {
            self.find_unmatched();
        }
        self.forget_inactive();
        self.quotas.forget_idle(self.clock.now());
        let factor = if self.watcher.polls() { 1 } else { WATCHED_FACTOR };
        self.next_scan = self.clock.now() + interval * factor;
        self.plan_save();
    }

    /// Says once of each directory that it may not be looked into.
    fn tell_forbidden(&mut self, forbidden: Vec<PathBuf>) {
        for directory in forbidden.iter().filter(|directory| !self.forbidden.contains(directory)) {
            tracing::warn!(path = %directory.display(), "cannot look into a directory: permission denied");
        }
        self.forbidden = forbidden;
    }

    /// `clean_inactive`: states of files that are not there and did not change for so long.
    fn forget_inactive(&mut self) {
        let now = self.clock.wall().secs;
        let limits = self.inputs.iter().filter_map(|input| Some((input.scope.clone(), input.settings.clean_inactive?)));
        let limits: HashMap<String, Duration> = limits.collect();
        if limits.is_empty() {
            return;
        }
        let mut forgotten = Vec::new();
        for states in self.unmatched.values_mut() {
            states.retain(|state| {
                let limit = limits.get(&state.scope).and_then(|limit| i64::try_from(limit.as_secs()).ok());
                let keep = limit.is_none_or(|limit| state.updated.saturating_add(limit) >= now);
                if !keep {
                    forgotten.push(Change::Forget(state.key));
                }
                keep
            });
        }
        self.registry.write(forgotten);
    }

    /// A path that an input's globs match.
    pub(super) fn visit(&mut self, input: usize, path: &Path) {
        let settings = self.inputs[input].settings.clone();
        if !self.matches(input, path) {
            return;
        }
        let Ok(link) = Stat::of_link(path) else { return };
        let stat = if link.is_symlink {
            if !settings.symlinks {
                return;
            }
            // A link that leads nowhere yet is looked at again.
            let Ok(stat) = Stat::of(path) else { return };
            stat
        } else {
            link
        };
        if !stat.is_file {
            return;
        }
        if let Some(id) = self.files.with_inode(input, &stat) {
            if self.files.get(id).is_some_and(|file| file.is_stat(&stat)) {
                self.seen_again(id, path, &stat);
                return;
            }
            // The inode belongs to another file now.
            self.replaced(id);
        }
        if settings.identity == FileIdentity::Path
            && let Some(id) = self.files.at_path(input, path)
        {
            self.same_path(id, &stat);
            return;
        }
        self.adopt(input, path, &stat);
    }

    fn seen_again(&mut self, id: Id, path: &Path, stat: &Stat) {
        let scans = self.scans;
        let Some(file) = self.files.get_mut(id) else { return };
        file.visited = scans;
        let touched = file.settings.resend_on_touch && file.at_end && stat.modified > file.modified;
        let moved = file.meta.path != path;
        let changed = !file.gzip && (stat.size != file.size || stat.modified != file.modified);
        if touched && stat.size == file.offset {
            // Read it all again, as a new generation.
            file.modified = stat.modified;
            self.start_over(id, stat.size);
        }
        if moved && Stat::of(&self.path_of(id)).is_ok_and(|there| there.inode == stat.inode) {
            // Two names for one file: the first one found stays.
            self.queue_if(id, changed);
            return;
        }
        if moved {
            self.renamed(id, path);
        }
        self.queue_if(id, changed);
    }

    pub(super) fn queue_if(&mut self, id: Id, changed: bool) {
        if changed {
            self.queue(id);
        }
    }

    pub(super) fn path_of(&self, id: Id) -> PathBuf {
        self.files.get(id).map(|file| file.meta.path.clone()).unwrap_or_default()
    }

    /// Under `file_identity.path` another file at the path goes on where the last one ended.
    fn same_path(&mut self, id: Id, stat: &Stat) {
        self.close(id);
        let scans = self.scans;
        let Some(file) = self.files.get_mut(id) else { return };
        file.visited = scans;
        file.birth = stat.birth;
        let meta = FileMeta { device: stat.device, inode: stat.inode, ..FileMeta::clone(&file.meta) };
        self.files.set_meta(id, meta);
        self.queue(id);
    }

    pub(super) fn renamed(&mut self, id: Id, path: &Path) {
        let Some(file) = self.files.get_mut(id) else { return };
        tracing::debug!(from = %file.meta.path.display(), to = %path.display(), "a file was renamed");
        file.rotated = true;
        file.dirty = true;
        let origin = file.origin().to_owned();
        file.origin = Some(origin);
        let meta = FileMeta { path: path.to_owned(), ..FileMeta::clone(&file.meta) };
        self.files.set_meta(id, meta);
        self.watch_file(id);
        self.queue(id);
    }

    /// Another file has the inode: this one is gone, and what of it was not read is lost.
    fn replaced(&mut self, id: Id) {
        self.files.leave_path(id);
        let open = self.files.get(id).is_some_and(|file| file.source.is_some());
        if open {
            if let Some(file) = self.files.get_mut(id) {
                file.deleted = true;
            }
            self.queue(id);
        } else {
            self.let_go(id, "deleted");
        }
    }

    /// Whether an input reads what has this path.
    pub(super) fn matches(&self, input: usize, path: &Path) -> bool {
        let Input { globs, settings, .. } = &self.inputs[input];
        let name = path.as_os_str().as_encoded_bytes();
        globs.iter().any(|glob| glob.matches(path))
            && !Pattern::any(&settings.exclude_files, name)
            && (settings.include_files.is_empty() || Pattern::any(&settings.include_files, name))
    }
}

fn sort(paths: &mut [PathBuf], by: ScanSort, descending: bool) {
    match by {
        ScanSort::None => paths.sort(),
        ScanSort::FileName => paths.sort_by(|one, other| one.file_name().cmp(&other.file_name())),
        ScanSort::ModTime => {
            paths.sort_by_cached_key(|path| Stat::of(path).map_or(UNIX_EPOCH, |stat| stat.modified));
        }
    }
    if descending && by != ScanSort::None {
        paths.reverse();
    }
}
