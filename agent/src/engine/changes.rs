//! What the system tells of watched directories, and looking at files of which it tells nothing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Id;
use super::reader::Reader;
use crate::discover::{Stat, WatchId};

impl Reader {
    /// A name appeared in a watched directory.
    pub(super) fn appeared(&mut self, watch: WatchId, name: &OsStr) {
        let Some(path) = self.watcher.path(watch).map(|directory| directory.join(name)) else { return };
        let Ok(stat) = Stat::of(&path) else { return };
        if !stat.is_file && !stat.is_symlink {
            // A new directory: what is in it may match.
            self.next_scan = self.next_scan.min(self.clock.now() + Duration::from_millis(20));
            return;
        }
        for input in 0..self.inputs.len() {
            if self.matches(input, &path) {
                self.visit(input, &path);
            } else if let Some(id) = self.files.with_inode(input, &stat)
                && self.files.get(id).is_some_and(|file| file.is_stat(&stat) && !file.settings.symlinks)
            {
                self.renamed(id, &path);
            }
        }
        for id in self.files.named(watch, name) {
            self.recheck(id);
        }
    }

    /// A name was moved. What had a name that matches and was not met under it is a generation that was rotated away
    /// faster than we looked.
    pub(super) fn moved(&mut self, from: (WatchId, &OsStr), to: (WatchId, &OsStr)) {
        self.appeared(to.0, to.1);
        let path = |(watch, name): (WatchId, &OsStr)| self.watcher.path(watch).map(|directory| directory.join(name));
        let (Some(old), Some(new)) = (path(from), path(to)) else { return };
        for input in 0..self.inputs.len() {
            if self.inputs[input].settings.follow_rotated && self.matches(input, &old) {
                self.adopt_rotated(input, &old, &new);
            }
        }
    }

    /// Watches the directories of a file: that of its path, and where a symbolic link leads to.
    pub(super) fn watch_file(&mut self, id: Id) {
        let Some(file) = self.files.get(id) else { return };
        for place in self.places(file.input, &file.meta.path) {
            let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if let (Some(watch), Some(name)) = (self.watcher.watch(directory), place.file_name()) {
                self.files.name(watch, name, id);
            }
        }
    }

    /// A path, and where it leads if that is elsewhere and the input follows symbolic links.
    pub(super) fn places(&self, input: usize, path: &Path) -> Vec<PathBuf> {
        let mut places = vec![path.to_owned()];
        if self.inputs[input].settings.symlinks {
            places.extend(path.canonicalize().ok().filter(|target| target != path));
        }
        places
    }

    /// Looks at a file whose name may have gone, or lead to another file.
    pub(super) fn recheck(&mut self, id: Id) {
        let Some(file) = self.files.get(id) else { return };
        let (input, path, gzip, size) = (file.input, file.meta.path.clone(), file.gzip, file.size);
        let there = Stat::of(&path);
        if let Ok(stat) = &there
            && file.is_stat(stat)
        {
            let changed = !gzip && stat.size != size;
            self.queue_if(id, changed);
            return;
        }
        let open = file.source.as_ref().and_then(|source| Stat::of_file(source.file()).ok());
        match open {
            Some(stat) => {
                let Some(file) = self.files.get_mut(id) else { return };
                file.deleted |= stat.links == 0;
                let changed = !file.rotated || file.deleted || !file.gzip && stat.size != file.size;
                self.files.leave_path(id);
                self.queue_if(id, changed);
            }
            None => {
                self.files.leave_path(id);
                self.find_closed(id);
            }
        }
        if there.is_ok() && self.inputs[input].globs.iter().any(|glob| glob.matches(&path)) {
            self.visit(input, &path);
        }
    }

    /// Files in directories that cannot be watched.
    pub(super) fn poll_files(&mut self) {
        let now = self.clock.now();
        for id in self.files.ids() {
            let Some(file) = self.files.get(id) else { continue };
            if file.queued || file.gzip || file.copy_of.is_some() {
                continue;
            }
            let directory = file.meta.path.parent().unwrap_or(Path::new("."));
            if file.look.at > now || self.watcher.is_watched(directory) {
                continue;
            }
            let stat = match &file.source {
                Some(source) => Stat::of_file(source.file()),
                None => Stat::of(&file.meta.path),
            };
            let changed =
                stat.is_ok_and(|stat| stat.size != file.size || stat.modified != file.modified || stat.links == 0);
            if let Some(file) = self.files.get_mut(id) {
                file.look.next(now, changed, &file.settings.backoff);
            }
            self.queue_if(id, changed);
        }
    }
}
