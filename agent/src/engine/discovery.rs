//! Finds files and tells which of them are known: by inode and time of birth, by content, by the registry.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tailrace_common::Timestamp;
use xxhash_rust::xxh3::Xxh3;

use super::files::{Id, Overlap, Tracked};
use super::reader::{Input, Reader};
use crate::decode::Pattern;
use crate::discover::glob::Found;
use crate::discover::{Stat, WatchId};
use crate::pipeline::{FileKey, FileMeta, Position, RangeSet};
use crate::registry::{Change, FileState, Head, TAIL_LENGTH};
use crate::tail::settings::{Compression, FileIdentity, IgnoreInactive, ScanSort};
use crate::tail::source::{Source, is_gzip};

/// With every directory watched, scanning only makes up for what a watch may miss.
const WATCHED_FACTOR: u32 = 6;

impl Reader {
    /// Looks for files under every input's globs.
    pub(super) fn scan(&mut self) {
        self.scans += 1;
        self.watcher.retry();
        let first = self.scans == 1;
        let mut interval = Duration::from_secs(60);
        for input in 0..self.inputs.len() {
            let settings = self.inputs[input].settings.clone();
            let mut found = Found::default();
            for glob in &self.inputs[input].globs {
                glob.find(&mut found);
            }
            for directory in &found.directories {
                self.watcher.watch(directory);
            }
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
        let scans = self.scans;
        for id in self.files.ids() {
            if self.files.get(id).is_some_and(|file| file.visited != scans && !file.deleted) {
                self.recheck(id);
            }
        }
        if first {
            self.find_unmatched();
        }
        self.forget_inactive();
        let factor = if self.watcher.polls() { 1 } else { WATCHED_FACTOR };
        self.next_scan = self.clock.now() + interval * factor;
        if self.next_save.is_none() {
            self.next_save = Some(self.clock.now() + self.options.registry_flush);
        }
    }

    /// `clean_inactive`: states of files that are not there and did not change for so long.
    fn forget_inactive(&mut self) {
        let now = Timestamp::now().secs;
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

    fn queue_if(&mut self, id: Id, changed: bool) {
        if changed {
            self.queue(id);
        }
    }

    fn path_of(&self, id: Id) -> PathBuf {
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

    /// A file that is new to this run.
    fn adopt(&mut self, input: usize, path: &Path, stat: &Stat) -> Id {
        let settings = self.inputs[input].settings.clone();
        let gzip = match settings.compression {
            Compression::None => false,
            Compression::Gzip => true,
            Compression::Auto => {
                Source::open(path, false).and_then(|mut file| file.head(2)).is_ok_and(|it| is_gzip(&it))
            }
        };
        if let Some(before) = self.files.at_path(input, path) {
            self.files.leave_path(before);
            self.queue(before);
        }
        let before = self.files.take_left(input, path);
        let state = self.take_state(input, path, stat, gzip);
        // A truncated file may have gone on in it meanwhile.
        if let Some(known) = self.files.with_inode(input, stat) {
            return known;
        }
        let id = match state {
            Some(state) => self.resume(input, path, stat, gzip, state),
            None => {
                // Earlier generations may live on in copies.
                let taken = |generation: &u32| {
                    let key = self.new_key(input, stat, *generation);
                    self.known_keys.contains(&key) || self.files.with_key(key).is_some()
                };
                let generation = (0..u32::MAX).find(|generation| !taken(generation)).unwrap_or(0);
                let id = self.track(input, path, stat, gzip, generation);
                self.begin(id, stat);
                if !gzip {
                    self.learn_head(id, stat.size);
                }
                id
            }
        };
        if let Some(before) = self.pending_chain.take().or(before) {
            self.files.chain(before, id);
        }
        self.watch_file(id);
        self.queue(id);
        id
    }

    /// Where a file begins of which nothing was read: mostly at its start.
    fn begin(&mut self, id: Id, stat: &Stat) {
        let input = self.files.get(id).map_or(0, |file| file.input);
        let Some(file) = self.files.get(id) else { return };
        let settings = file.settings.clone();
        let since = |moment: SystemTime| stat.modified < moment;
        let age = stat.modified.elapsed().unwrap_or_default();
        let old = !settings.ignore_older.is_zero() && age > settings.ignore_older
            || match settings.ignore_inactive {
                IgnoreInactive::Never => false,
                IgnoreInactive::SinceFirstStart | IgnoreInactive::SinceLastStart => since(self.started),
            };
        let at_tail = settings.seek_to_tail && !self.inputs[input].scanned && self.unmatched.is_empty();
        if (old || at_tail) && !file.gzip {
            let size = stat.size;
            self.jump(id, size);
        } else {
            self.look_for_original(id);
        }
    }

    /// Goes on at an offset without having read what is before it.
    pub(super) fn jump(&mut self, id: Id, offset: u64) {
        let Some(file) = self.files.get_mut(id) else { return };
        let mut bytes = Vec::new();
        let len = TAIL_LENGTH.min(usize::try_from(offset).unwrap_or(TAIL_LENGTH));
        let mut source = match file.source.take() {
            Some(source) => Ok(source),
            None => Source::open(&file.meta.path, file.gzip),
        };
        if let Ok(source) = &mut source {
            source.read_at(offset - len as u64, len, &mut bytes).ok();
        }
        file.offset = offset;
        file.overlap = if bytes.len() == len { Overlap::of(&bytes) } else { Overlap::default() };
        file.start = Position::at(offset);
        file.issued = Position::at(offset);
        file.dirty = true;
    }

    /// Follows a file under a new key.
    pub(super) fn track(&mut self, input: usize, path: &Path, stat: &Stat, gzip: bool, generation: u32) -> Id {
        let settings = self.inputs[input].settings.clone();
        let meta = FileMeta {
            source: None,
            key: self.new_key(input, stat, generation),
            input: settings.clone(),
            path: path.to_owned(),
            device: stat.device,
            inode: stat.inode,
            fingerprint: None,
            owner: settings.include_file_owner_name.then(|| name_of("/etc/passwd", stat.uid)).flatten(),
            group: settings.include_file_owner_group_name.then(|| name_of("/etc/group", stat.gid)).flatten(),
        };
        let now = self.clock.now();
        let id = self.files.insert(Tracked {
            settings,
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
            names: Default::default(),
            visited: self.scans,
            older: None,
            rotated: false,
            deleted: false,
            copy_of: None,
            complete: false,
            queued: false,
            starved: false,
            at_end: false,
            active: now,
            opened: now,
            modified: stat.modified,
            timer: None,
            dirty: true,
            trouble: None,
        });
        self.learn_fingerprint(id);
        id
    }

    /// The lasting name of a generation, see [`FileKey`].
    pub(super) fn new_key(&self, input: usize, stat: &Stat, generation: u32) -> FileKey {
        let mut hash = Xxh3::with_seed(self.seed);
        for number in [stat.device, stat.inode, stat.birth as u64, u64::from(generation)] {
            hash.update(&number.to_le_bytes());
        }
        hash.update(self.inputs[input].scope.as_bytes());
        FileKey(hash.digest128().to_be_bytes())
    }

    /// Goes on where the registry says.
    pub(super) fn resume(&mut self, input: usize, path: &Path, stat: &Stat, gzip: bool, state: FileState) -> Id {
        let id = self.track(input, path, stat, gzip, state.generation);
        let Some(file) = self.files.get_mut(id) else { return id };
        let meta = FileMeta { key: state.key, ..FileMeta::clone(&file.meta) };
        let imported = state.key == FileKey::default();
        file.head = state.head;
        file.complete = state.complete;
        file.lost = state.lost;
        if !imported {
            self.files.set_meta(id, meta);
        }
        self.jump(id, state.offset);
        let position = state.position();
        if let Some(file) = self.files.get_mut(id) {
            file.skip = position.beyond.clone();
            file.start = position.clone();
            file.issued = position;
            file.dirty = imported || file.meta.path != state.path;
            file.at_end = file.complete;
        }
        id
    }

    /// The fingerprint in the documents: SHA-256 of the first bytes, once there are enough.
    pub(super) fn learn_fingerprint(&mut self, id: Id) {
        let Some(file) = self.files.get_mut(id) else { return };
        let wanted = &file.settings.fingerprint;
        let end = wanted.offset + wanted.length;
        if !wanted.enabled
            || !file.settings.include_file_fingerprint
            || !file.settings.kind.has_file_identity()
            || file.meta.fingerprint.is_some()
            || file.size.max(file.offset) < end
        {
            return;
        }
        let mut bytes = Vec::new();
        let len = usize::try_from(wanted.length).unwrap_or(usize::MAX).min(1 << 20);
        let opened = match &mut file.source {
            Some(source) => source.read_at(wanted.offset, len, &mut bytes),
            None => Source::open(&file.meta.path, file.gzip)
                .and_then(|mut source| source.read_at(wanted.offset, len, &mut bytes)),
        };
        if opened.is_ok_and(|read| read == len) {
            let digest = Sha256::digest(&bytes);
            let fingerprint = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let meta = FileMeta { fingerprint: Some(fingerprint), ..FileMeta::clone(&file.meta) };
            self.files.set_meta(id, meta);
        }
    }

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

    /// Whether an input reads what has this path.
    pub(super) fn matches(&self, input: usize, path: &Path) -> bool {
        let Input { globs, settings, .. } = &self.inputs[input];
        let name = path.as_os_str().as_encoded_bytes();
        globs.iter().any(|glob| glob.matches(path))
            && !Pattern::any(&settings.exclude_files, name)
            && (settings.include_files.is_empty() || Pattern::any(&settings.include_files, name))
    }

    /// Follows a file that had the path `old` and was never met there.
    pub(super) fn adopt_rotated(&mut self, input: usize, old: &Path, new: &Path) {
        let Ok(stat) = Stat::of_link(new) else { return };
        if !stat.is_file || self.files.with_inode(input, &stat).is_some() {
            return;
        }
        let before = self.files.take_left(input, old);
        let next = self.files.at_path(input, old);
        let id = self.adopt(input, new, &stat);
        if let Some(before) = before.filter(|before| *before != id) {
            self.files.chain(before, id);
        }
        if let Some(next) = next {
            self.files.chain_between(id, next);
        }
        self.files.leave_path(id);
        self.files.set_left(input, old, id);
    }

    /// Watches the directories of a file: that of its path, and where a symbolic link leads to.
    pub(super) fn watch_file(&mut self, id: Id) {
        let path = self.path_of(id);
        let mut places = vec![path.clone()];
        if self.files.get(id).is_some_and(|file| file.settings.symlinks)
            && let Ok(target) = path.canonicalize()
            && target != path
        {
            places.push(target);
        }
        for place in places {
            let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if let (Some(watch), Some(name)) = (self.watcher.watch(directory), place.file_name()) {
                self.files.name(watch, name, id);
            }
        }
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
        for id in self.files.ids() {
            let Some(file) = self.files.get(id) else { continue };
            if file.queued || file.gzip || file.copy_of.is_some() {
                continue;
            }
            let directory = file.meta.path.parent().unwrap_or(Path::new("."));
            if self.watcher.is_watched(directory) {
                continue;
            }
            let stat = match &file.source {
                Some(source) => Stat::of_file(source.file()),
                None => Stat::of(&file.meta.path),
            };
            if stat.is_ok_and(|stat| stat.size != file.size || stat.modified != file.modified || stat.links == 0) {
                self.queue(id);
            }
        }
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

/// The name of a user or group by its number, as the machine's files have it.
fn name_of(table: &str, number: u32) -> Option<String> {
    let text = std::fs::read_to_string(table).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    })
}
