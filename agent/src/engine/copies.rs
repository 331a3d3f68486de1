//! Files that moved, or whose content moved: rotated away while nobody looked, copied by copytruncate, compressed.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::Id;
use super::reader::Reader;
use super::tracked::Tracked;
use crate::discover::Stat;
use crate::pipeline::FileKey;
use crate::registry::{Change, FileState, HEAD_LENGTH, Head, Tail};
use crate::tail::source::{Source, is_gzip};

/// How much is compared at each of the places where a copy is compared with its original.
const SAMPLE: usize = 1024;

/// What a file must hold to be the continuation of another one.
pub(super) struct Content {
    pub(super) head: Head,
    pub(super) tail: Tail,
}

impl Content {
    /// Whether the file holds it, and whether it is gzip.
    fn is_in(&self, path: &Path) -> Option<bool> {
        let mut source = Source::open(path, false).ok()?;
        let gzip = is_gzip(&source.head(2).ok()?);
        if gzip {
            source = Source::open(path, true).ok()?;
        }
        if self.head.len == 0 || !self.head.matches(&source.head(HEAD_LENGTH).ok()?) {
            return None;
        }
        let len = usize::from(self.tail.len);
        let mut bytes = Vec::new();
        source.read_at(self.tail.at.checked_sub(len as u64)?, len, &mut bytes).ok()?;
        self.tail.matches(&bytes).then_some(gzip)
    }
}

/// Whether a name may be what rotation made of another: `app.log` → `app.log.1`, `app.log-20261123.gz`,
/// `app-2026-11-23.log`.
fn is_rotated_name(base: &str, name: &str) -> bool {
    let stem = base.split_once('.').map_or(base, |(stem, _)| stem);
    let rest = name.strip_prefix(base).or_else(|| name.strip_prefix(stem));
    name != base && rest.is_some_and(|rest| rest.starts_with(['.', '-', '_']))
}

/// The names of which `name` may be the rotated form.
fn original_names(name: &str) -> Vec<String> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let cuts = name.char_indices().filter(|(index, character)| *index > 0 && matches!(character, '.' | '-' | '_'));
    let mut names = Vec::new();
    for (cut, _) in cuts {
        names.push(name[..cut].to_owned());
        names.extend(extension.map(|extension| format!("{}.{extension}", &name[..cut])));
    }
    names.retain(|original| original != name);
    names
}

/// A sibling of a path that holds the content, and whether it is gzip.
fn sibling_with(path: &Path, content: &Content, not: u64) -> Option<(PathBuf, bool)> {
    let base = path.file_name()?.to_str()?;
    let entries = fs::read_dir(path.parent()?).ok()?;
    let related =
        entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(|name| is_rotated_name(base, name)));
    let mut found: Vec<_> = related
        .filter_map(|entry| {
            let path = entry.path();
            let stat = Stat::of(&path).ok()?;
            (stat.is_file && stat.inode != not).then_some((stat.modified, path))
        })
        .collect();
    // The newest first: it is the one just made.
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().find_map(|(_, path)| content.is_in(&path).map(|gzip| (path, gzip)))
}

impl Reader {
    /// The registry's state of a file that was found, if it is a known one.
    pub(super) fn take_state(&mut self, input: usize, path: &Path, stat: &Stat, gzip: bool) -> Option<FileState> {
        let scope = self.inputs[input].scope.clone();
        let taken_over = self.inputs[input].settings.take_over_from.clone();
        let others: Vec<String> = self.inputs.iter().map(|input| input.scope.clone()).collect();
        let fits = |state: &FileState| {
            state.scope == scope || taken_over.contains(&state.scope) || !others.contains(&state.scope)
        };
        if let Some(states) = self.unmatched.get_mut(&stat.inode) {
            let place = |is: &dyn Fn(&FileState) -> bool| {
                states.iter().position(|state| fits(state) && state.gzip == gzip && is(state))
            };
            let found = place(&|state| stat.is_same_file(state.device, state.inode, state.birth));
            // Devices are numbered anew when disks are: then the time of birth tells.
            let moved = || place(&|state| stat.is_born_as(state.inode, state.birth) && state.path == path);
            if let Some(found) = found.or_else(moved) {
                let state = states.swap_remove(found);
                if states.is_empty() {
                    self.unmatched.remove(&stat.inode);
                }
                return self.check_state(input, path, stat, gzip, state);
            }
        }
        // Filebeat's fingerprint and path identities name no inode.
        if let Some(states) = self.unmatched.get_mut(&0)
            && let Some(found) = states.iter().position(|state| fits(state) && state.path == path)
        {
            let state = states.swap_remove(found);
            return (state.offset <= stat.size || gzip).then_some(state);
        }
        if gzip { self.take_compressed(input, path) } else { None }
    }

    /// A state of the same inode: does the file still hold what was read?
    fn check_state(
        &mut self,
        input: usize,
        path: &Path,
        stat: &Stat,
        gzip: bool,
        mut state: FileState,
    ) -> Option<FileState> {
        if state.key == FileKey::default() {
            return (state.offset <= stat.size || gzip).then_some(state);
        }
        let unchanged = state.complete && state.size == stat.size;
        if gzip || unchanged {
            return Some(state);
        }
        let content = Content { head: state.head, tail: state.tail };
        let whole = stat.size >= state.offset && (state.head.len == 0 || content.is_in(path) == Some(false));
        if whole {
            return Some(state);
        }
        // Truncated while nobody looked: the copy holds the rest, if there is one.
        let generation = state.generation + 1;
        let origin = std::mem::replace(&mut state.path, path.to_owned());
        let copy = self.find_content(input, &origin, &content, stat.inode);
        let resumed = copy.and_then(|(copy, gzip)| {
            let copy_stat = Stat::of(&copy).ok().filter(|stat| self.take_unread(input, stat))?;
            let id = self.resume(input, &copy, &copy_stat, gzip, state.clone());
            self.files.leave_path(id);
            self.queue(id);
            Some(id)
        });
        if resumed.is_none() {
            self.lose_known(input, &state, "truncated");
            self.registry.write(vec![Change::Forget(state.key)]);
        }
        self.pending_chain = resumed;
        let key = self.new_key(input, stat, generation);
        Some(FileState { generation, key, size: stat.size, ..FileState::default() })
    }

    /// A gzip file whose content is that of a file that was read in part, or wholly.
    fn take_compressed(&mut self, input: usize, path: &Path) -> Option<FileState> {
        let directory = path.parent()?.to_owned();
        let name = path.file_name()?.to_str()?.to_owned();
        let related = |other: &Path| {
            other.parent() == Some(&directory)
                && other.file_name().and_then(|other| other.to_str()).is_some_and(|other| {
                    is_rotated_name(other, &name)
                        || original_names(&name).iter().any(|base| is_rotated_name(base, other))
                })
        };
        for (place, states) in &self.unmatched {
            for (index, state) in states.iter().enumerate() {
                let content = Content { head: state.head, tail: state.tail };
                if related(&state.path) && !state.gzip && content.is_in(path) == Some(true) {
                    let place = *place;
                    return self.unmatched.get_mut(&place).map(|states| states.swap_remove(index));
                }
            }
        }
        for id in self.files.ids() {
            if self.files.get(id).is_none_or(|file| file.input != input || !related(&file.meta.path)) {
                continue;
            }
            if self.was_truncated(id) {
                // What it holds now may be what is in the gzip file.
                self.rewritten(id);
            } else if self.files.get(id).is_some_and(|file| file.head.len == 0 && file.source.is_some()) {
                self.look_at_size(id);
            }
        }
        // A file that is followed is read to its end itself: its compressed copy holds nothing new.
        let twin = self.files.iter().find(|(_, file)| {
            file.input == input && !file.gzip && file.copy_of.is_none() && related(&file.meta.path) && {
                let content = Content { head: file.head, tail: file.tail() };
                content.is_in(path) == Some(true)
            }
        });
        let twin = twin.map(|(id, _)| id)?;
        let file = self.files.get(twin)?;
        let offset = file.offset;
        if self.was_truncated(twin) {
            return self.hand_over_to_copy(input, twin);
        }
        let file = self.files.get(twin)?;
        if file.is_reachable() {
            return Some(FileState { complete: true, offset, ..FileState::default() });
        }
        // It is gone, and this is what is left of it.
        self.release(twin, true);
        let file = self.files.remove(twin)?;
        let mut state = file.state(&self.inputs[input].scope, &file.issued, None, 0);
        state.gzip = true;
        Some(state)
    }

    /// The state in which a truncated file goes on in its copy; the file itself begins anew.
    fn hand_over_to_copy(&mut self, input: usize, id: Id) -> Option<FileState> {
        self.release(id, true);
        let file = self.files.get(id)?;
        let state = file.state(&self.inputs[input].scope, &file.issued, None, 0);
        let size =
            file.source.as_ref().and_then(|source| Stat::of_file(source.file()).ok()).map_or(0, |stat| stat.size);
        self.start_over(id, size);
        Some(FileState { gzip: true, ..state })
    }

    /// A sibling of a path, or of where it leads, that holds the content, and whether it is gzip.
    pub(super) fn find_content(
        &self,
        input: usize,
        path: &Path,
        content: &Content,
        not: u64,
    ) -> Option<(PathBuf, bool)> {
        self.places(input, path).iter().find_map(|place| sibling_with(place, content, not))
    }

    /// A file that left a path, by what tells it: in the path's directory, or where its link leads.
    fn find_renamed(&self, input: usize, path: &Path, is: impl Fn(&Stat) -> bool) -> Option<(PathBuf, Stat)> {
        let places = self.places(input, path);
        let directories = places.iter().filter_map(|place| fs::read_dir(place.parent()?).ok());
        directories.flatten().flatten().find_map(|entry| {
            let stat = Stat::of(&entry.path()).ok()?;
            (stat.is_file && is(&stat)).then(|| (entry.path(), stat))
        })
    }

    /// A new file may be the copy that copytruncate makes before it truncates the original.
    pub(super) fn look_for_original(&mut self, id: Id) {
        let Some(file) = self.files.get(id) else { return };
        let (input, key, path) = (file.input, file.key(), file.meta.path.clone());
        let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return;
        };
        let originals = original_names(name).into_iter().filter_map(|name| {
            let path = directory.join(name);
            let original = self.files.at_path(input, &path).or_else(|| self.files.left(input, &path))?;
            let other = self.files.get(original)?;
            // Born in the same tick of the clock, the higher number mostly is the later file.
            let newer = (file.birth, file.meta.inode) > (other.birth, other.meta.inode) && other.birth != 0;
            (original != id && newer && !other.gzip).then_some(original)
        });
        let originals: Vec<Id> = originals.collect();
        for original in &originals {
            if self.files.get(*original).is_some_and(|file| !file.is_reachable()) {
                // It was renamed as well, and that was not seen yet.
                self.recheck(*original);
            }
            if self.was_truncated(*original) {
                self.rewritten(*original);
            }
        }
        // The truncated file may go on in this one now.
        if self.files.get(id).is_none_or(|file| file.key() != key) {
            return;
        }
        let original = originals.into_iter().find(|original| self.is_copy(id, *original));
        if let Some(file) = self.files.get_mut(id) {
            file.copy_of = original;
        }
    }

    /// Whether all of a file so far stands in another one at the same place, judged by samples.
    fn is_copy(&self, id: Id, original: Id) -> bool {
        let (Some(file), Some(original)) = (self.files.get(id), self.files.get(original)) else { return false };
        let opened = |file: &Tracked| Source::open(&file.meta.path, false).ok();
        let (Some(mut copy), Some(mut original)) = (opened(file), opened(original)) else { return false };
        let sizes = [&copy, &original].map(|source| Stat::of_file(source.file()).map_or(0, |stat| stat.size));
        if sizes[0] > sizes[1] {
            return false;
        }
        let last = sizes[0].saturating_sub(SAMPLE as u64);
        [0, last / 2, last].into_iter().all(|at| {
            let want = SAMPLE.min(usize::try_from(sizes[0] - at).unwrap_or(SAMPLE));
            let (mut one, mut other) = (Vec::new(), Vec::new());
            copy.read_at(at, want, &mut one).is_ok() && original.read_at(at, want, &mut other).is_ok() && one == other
        })
    }

    /// Whether a file that looked like a copy still does; if not it is read as a file of its own.
    pub(super) fn still_a_copy(&mut self, id: Id) -> bool {
        let Some(original) = self.files.get(id).and_then(|file| file.copy_of) else { return false };
        if self.files.get(original).is_some() && self.is_copy(id, original) {
            return true;
        }
        if self.was_truncated(original) {
            self.queue(id);
            self.rewritten(original);
            return true;
        }
        if let Some(file) = self.files.get_mut(id) {
            file.copy_of = None;
        }
        false
    }

    /// Whether a file was truncated just now, so that it has the first say about its copy.
    fn was_truncated(&mut self, original: Id) -> bool {
        let is_read = |file: &Tracked| (file.offset > 0 || file.head.len > 0) && !file.gzip && file.is_reachable();
        self.files.get(original).is_some_and(is_read)
            && self.open(original)
            && self.files.get(original).is_some_and(|file| !file.follows())
    }

    /// A closed file is not at its path any more: looks for it under another name.
    pub(super) fn find_closed(&mut self, id: Id) {
        let Some(file) = self.files.get(id) else { return };
        if let Some((path, _)) = self.find_renamed(file.input, &file.meta.path, |stat| file.is_stat(stat)) {
            self.renamed(id, &path);
        } else if let Some((path, gzip)) = self.copy_of_closed(id) {
            self.continue_in(id, &path, gzip);
        } else {
            self.let_go(id, "deleted");
        }
    }

    /// The sibling that holds what was read of a file, and whether it is gzip.
    pub(super) fn copy_of_closed(&self, id: Id) -> Option<(PathBuf, bool)> {
        let file = self.files.get(id)?;
        let content = Content { head: file.head, tail: file.tail() };
        self.find_content(file.input, file.origin(), &content, 0).filter(|_| file.settings.follow_rotated)
    }

    /// States of the registry whose files the globs do not match: rotated while nobody looked.
    pub(super) fn find_unmatched(&mut self) {
        let mut left = std::mem::take(&mut self.unmatched);
        for states in left.values_mut() {
            states.retain(|state| {
                let input = (0..self.inputs.len()).find(|input| {
                    self.inputs[*input].scope == state.scope && self.may_have_matched(*input, &state.path)
                });
                match input {
                    Some(input) => !self.find_rotated(input, state),
                    None => true,
                }
            });
        }
        left.retain(|_, states| !states.is_empty());
        left.shrink_to_fit();
        for (place, states) in std::mem::replace(&mut self.unmatched, left) {
            self.unmatched.entry(place).or_default().extend(states);
        }
    }

    /// Whether an input reads what has this path, or had it before rotation renamed it.
    fn may_have_matched(&self, input: usize, path: &Path) -> bool {
        let originals = path.file_name().and_then(|name| name.to_str()).map(original_names).unwrap_or_default();
        self.matches(input, path) || originals.iter().any(|name| self.matches(input, &path.with_file_name(name)))
    }

    /// Goes on with a file that left its path; `true` if the state is dealt with.
    fn find_rotated(&mut self, input: usize, state: &FileState) -> bool {
        let settings = self.inputs[input].settings.clone();
        if state.key == FileKey::default() {
            return false;
        }
        let renamed = self.find_renamed(input, &state.path, |stat| {
            stat.is_same_file(state.device, state.inode, state.birth) || stat.is_born_as(state.inode, state.birth)
        });
        let renamed = renamed.filter(|_| settings.follow_rotated);
        if let Some((path, stat)) = renamed
            && let Some(found) = self.check_state(input, &path, &stat, state.gzip, state.clone())
        {
            self.resume_rotated(input, &state.path, &path, &stat, found);
            return true;
        }
        let content = Content { head: state.head, tail: state.tail };
        let copy = self.find_content(input, &state.path, &content, 0).filter(|_| settings.follow_rotated);
        let copy = copy.and_then(|(path, gzip)| Some((Stat::of(&path).ok()?, path, gzip)));
        match copy.filter(|(stat, ..)| self.take_unread(input, stat)) {
            Some((stat, path, gzip)) => {
                let found = FileState { gzip, ..state.clone() };
                self.resume_rotated(input, &state.path, &path, &stat, found);
            }
            None => {
                self.lose_known(input, state, "deleted");
                if settings.clean_removed {
                    self.registry.write(vec![Change::Forget(state.key)]);
                }
            }
        }
        true
    }

    /// Lets go of a file that was found for itself, so that another one can go on in it. `false` if it was read.
    pub(super) fn take_unread(&mut self, input: usize, stat: &Stat) -> bool {
        let Some(known) = self.files.with_inode(input, stat) else { return true };
        let Some(file) = self.files.get(known) else { return true };
        if file.copy_of.is_none() && (file.offset > 0 || file.complete) && !file.is_twin() {
            return false;
        }
        let key = file.key();
        self.files.remove(known);
        self.registry.write(vec![Change::Forget(key)]);
        true
    }

    /// Goes on at `path` with a file that was at `origin` when it was last seen.
    fn resume_rotated(&mut self, input: usize, origin: &Path, path: &Path, stat: &Stat, state: FileState) {
        let id = self.resume(input, path, stat, state.gzip, state);
        if let Some(before) = self.pending_chain.take() {
            self.files.chain(before, id);
        }
        if let Some(file) = self.files.get_mut(id) {
            file.dirty = true;
        }
        self.files.leave_path(id);
        match self.files.at_path(input, origin) {
            Some(after) => self.files.chain_between(id, after),
            None => self.files.set_left(input, origin, id),
        }
        self.watch_file(id);
        self.queue(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names() {
        for (base, name, is) in [
            ("app.log", "app.log.1", true),
            ("app.log", "app.log-20261123.gz", true),
            ("app.log", "app-2026-11-23.log", true),
            ("app.log", "application.log", false),
            ("app.log", "app.log", false),
            ("app.log", "b.log.1", false),
        ] {
            assert_eq!(is_rotated_name(base, name), is, "{base} {name}");
            if is {
                assert!(original_names(name).iter().any(|original| original == base), "{base} {name}");
            }
        }
    }
}
