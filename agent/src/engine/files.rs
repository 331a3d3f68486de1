//! The files that the reader follows, and by what they are found again.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hash, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::tracked::Tracked;
use crate::discover::{Stat, WatchId};
use crate::pipeline::{FileKey, FileMeta};

/// A file's place in [`Files`].
pub(super) type Id = usize;

/// Where the files with some property stand in [`Files::slots`]. It holds no more than their numbers: the property is
/// looked up in the file itself.
#[derive(Debug, Default)]
struct Index(HashTable<(u32, u32)>);

impl Index {
    fn insert(&mut self, hash: u32, id: Id) {
        self.0.insert_unique(spread(hash), (hash, id as u32), |(hash, _)| spread(*hash));
    }

    fn remove(&mut self, hash: u32, id: Id) {
        if let Ok(found) = self.0.find_entry(spread(hash), |entry| *entry == (hash, id as u32)) {
            found.remove();
        }
    }

    /// The files that may have the property.
    fn like(&self, hash: u32) -> impl Iterator<Item = Id> {
        self.0.iter_hash(spread(hash)).filter(move |(other, _)| *other == hash).map(|(_, id)| *id as Id)
    }
}

/// The table looks at the highest and the lowest bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// All files followed, with their indexes.
#[derive(Debug, Default)]
pub(super) struct Files {
    slots: Vec<Option<Box<Tracked>>>,
    free: Vec<Id>,
    hasher: RandomState,
    by_inode: Index,
    by_path: Index,
    by_key: Index,
    by_name: Index,
    /// The last file that left a path by rotation: the one found there next comes after it.
    left: HashMap<(usize, PathBuf), Id>,
}

impl Files {
    fn hash(&self, property: impl Hash) -> u32 {
        self.hasher.hash_one(property) as u32
    }

    pub(super) fn insert(&mut self, file: Tracked) -> Id {
        let id = self.free.pop().unwrap_or(self.slots.len());
        if id == self.slots.len() {
            self.slots.push(None);
        }
        let (input, rotated) = (file.input, file.rotated);
        let (key, inode) = (file.key(), (input, file.meta.device, file.meta.inode));
        let path = file.meta.path.clone();
        self.slots[id] = Some(Box::new(file));
        self.index_inode(inode, id);
        self.index_key(key, id);
        if !rotated {
            self.index_path(input, &path, id);
        }
        id
    }

    fn index_inode(&mut self, (input, device, inode): (usize, u64, u64), id: Id) {
        let hash = self.hash((input, device, inode));
        if let Some(other) = self.inode(input, device, inode) {
            self.by_inode.remove(hash, other);
        }
        self.by_inode.insert(hash, id);
    }

    fn index_key(&mut self, key: FileKey, id: Id) {
        let hash = self.hash(key);
        if let Some(other) = self.with_key(key) {
            self.by_key.remove(hash, other);
        }
        self.by_key.insert(hash, id);
    }

    fn index_path(&mut self, input: usize, path: &Path, id: Id) {
        let hash = self.hash((input, path));
        if let Some(other) = self.at_path(input, path) {
            self.by_path.remove(hash, other);
        }
        self.by_path.insert(hash, id);
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Box<Tracked>> {
        let file = self.slots.get(id)?.as_deref()?;
        let inode = self.hash((file.input, file.meta.device, file.meta.inode));
        let path = self.hash((file.input, &*file.meta.path));
        let key = self.hash(file.key());
        let names: SmallVec<[u32; 1]> = file.names.iter().map(|(watch, name)| self.hash((watch, name))).collect();
        self.by_inode.remove(inode, id);
        self.by_path.remove(path, id);
        self.by_key.remove(key, id);
        names.into_iter().for_each(|name| self.by_name.remove(name, id));
        self.left.retain(|_, left| *left != id);
        let file = self.slots.get_mut(id)?.take()?;
        if let Some(after) = file.successor.and_then(|after| self.get_mut(after)) {
            after.predecessor = None;
        }
        if let Some(before) = file.predecessor.and_then(|before| self.get_mut(before)) {
            before.successor = None;
        }
        self.free.push(id);
        Some(file)
    }

    /// Files are read by other inputs from now on; what came before and after each of them stays so.
    pub(super) fn move_to(&mut self, inputs: &[(Id, usize)]) {
        for (id, input) in inputs {
            self.move_one(*id, *input);
        }
        // Which files left which paths is told by the files' inputs, too.
        let left = std::mem::take(&mut self.left);
        let present = left.into_iter().filter_map(|((_, path), id)| Some(((self.get(id)?.input, path), id)));
        self.left = present.collect();
    }

    fn move_one(&mut self, id: Id, input: usize) {
        let Some(file) = self.get(id) else { return };
        let (old, meta) = (file.input, file.meta.clone());
        let at_path = self.at_path(old, &meta.path) == Some(id);
        self.by_inode.remove(self.hash((old, meta.device, meta.inode)), id);
        self.by_path.remove(self.hash((old, &*meta.path)), id);
        if let Some(file) = self.get_mut(id) {
            file.input = input;
        }
        self.index_inode((input, meta.device, meta.inode), id);
        if at_path {
            self.index_path(input, &meta.path, id);
        }
    }

    /// Removes a file whose key another one has taken over.
    pub(super) fn remove_shadow(&mut self, id: Id) {
        drop(self.remove(id));
    }

    pub(super) fn get(&self, id: Id) -> Option<&Tracked> {
        self.slots.get(id)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Tracked> {
        self.slots.get_mut(id)?.as_deref_mut()
    }

    pub(super) fn ids(&self) -> Vec<Id> {
        self.iter().map(|(id, _)| id).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Tracked)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| Some((id, slot.as_deref()?)))
    }

    pub(super) fn with_key(&self, key: FileKey) -> Option<Id> {
        self.by_key.like(self.hash(key)).find(|id| self.get(*id).is_some_and(|file| file.key() == key))
    }

    pub(super) fn with_inode(&self, input: usize, stat: &Stat) -> Option<Id> {
        self.inode(input, stat.device, stat.inode)
    }

    fn inode(&self, input: usize, device: u64, inode: u64) -> Option<Id> {
        let is = |file: &Tracked| (file.input, file.meta.device, file.meta.inode) == (input, device, inode);
        self.by_inode.like(self.hash((input, device, inode))).find(|id| self.get(*id).is_some_and(is))
    }

    pub(super) fn at_path(&self, input: usize, path: &Path) -> Option<Id> {
        let is = |file: &Tracked| file.input == input && file.meta.path == path;
        self.by_path.like(self.hash((input, path))).find(|id| self.get(*id).is_some_and(is))
    }

    /// What is known of the file is this from now on.
    pub(super) fn set_meta(&mut self, id: Id, meta: FileMeta) {
        let Some(file) = self.get(id) else { return };
        let (input, old) = (file.input, file.meta.clone());
        let of_inode = |meta: &FileMeta| (input, meta.device, meta.inode);
        if old.key != meta.key {
            self.by_key.remove(self.hash(old.key), id);
            self.index_key(meta.key, id);
        }
        if of_inode(&old) != of_inode(&meta) {
            self.by_inode.remove(self.hash(of_inode(&old)), id);
            self.index_inode(of_inode(&meta), id);
        }
        if old.path != meta.path {
            if self.at_path(input, &old.path) == Some(id) {
                self.by_path.remove(self.hash((input, &*old.path)), id);
                self.left.insert((input, old.path.clone()), id);
            }
            self.index_path(input, &meta.path, id);
        }
        self.put_meta(id, meta);
    }

    /// The same file, a new generation: its key changes, but a file that took the old one over keeps it.
    pub(super) fn set_key(&mut self, id: Id, meta: FileMeta) {
        let Some(old) = self.get(id).map(Tracked::key) else { return };
        self.by_key.remove(self.hash(old), id);
        self.index_key(meta.key, id);
        self.put_meta(id, meta);
    }

    fn put_meta(&mut self, id: Id, meta: FileMeta) {
        if let Some(file) = self.get_mut(id) {
            file.meta = Arc::new(meta);
        }
    }

    /// The file is no longer at its path.
    pub(super) fn leave_path(&mut self, id: Id) {
        let Some(file) = self.get_mut(id) else { return };
        file.rotated = true;
        let (input, path) = (file.input, file.meta.path.clone());
        if self.at_path(input, &path) == Some(id) {
            self.by_path.remove(self.hash((input, &*path)), id);
            self.left.insert((input, path), id);
        }
    }

    /// The file that left a path last, if it is still followed.
    pub(super) fn left(&self, input: usize, path: &Path) -> Option<Id> {
        self.left.get(&(input, path.to_owned())).copied()
    }

    /// As [`Files::left`], and forgets it.
    pub(super) fn take_left(&mut self, input: usize, path: &Path) -> Option<Id> {
        self.left.remove(&(input, path.to_owned()))
    }

    /// Says which file left a path last.
    pub(super) fn set_left(&mut self, input: usize, path: &Path, id: Id) {
        self.left.insert((input, path.to_owned()), id);
    }

    /// The file is (also) known by this name in a watched directory.
    pub(super) fn name(&mut self, watch: WatchId, name: &OsStr, id: Id) {
        let Some(file) = self.get_mut(id) else { return };
        if file.names.iter().any(|(known_watch, known)| *known_watch == watch && known == name) {
            return;
        }
        file.names.push((watch, name.to_owned()));
        self.by_name.insert(self.hash((watch, name)), id);
    }

    /// Orders two generations of one path.
    pub(super) fn chain(&mut self, before: Id, after: Id) {
        if before == after || self.get(before).is_none_or(|file| file.successor.is_some()) {
            return;
        }
        if let Some(file) = self.get_mut(after)
            && file.predecessor.is_none()
        {
            file.predecessor = Some(before);
            if let Some(file) = self.get_mut(before) {
                file.successor = Some(after);
            }
        }
    }

    /// Puts a generation that was met late before the one that was met already.
    pub(super) fn chain_between(&mut self, id: Id, next: Id) {
        if id == next || self.get(next).is_none_or(|file| file.offset > 0) {
            return;
        }
        let before = self.get_mut(next).and_then(|file| file.predecessor.take());
        if let Some(before) = before
            && let Some(file) = self.get_mut(before)
        {
            file.successor = None;
            self.chain(before, id);
        }
        self.chain(id, next);
    }

    pub(super) fn named(&self, watch: WatchId, name: &OsStr) -> SmallVec<[Id; 1]> {
        let is = |file: &Tracked| file.names.iter().any(|(at, known)| *at == watch && known == name);
        let found = self.by_name.like(self.hash((watch, name)));
        let mut found: SmallVec<[Id; 1]> = found.filter(|id| self.get(*id).is_some_and(is)).collect();
        found.sort_unstable();
        found
    }

    /// A directory that is no longer watched: what was in it.
    pub(super) fn unwatch(&mut self, watch: WatchId) -> Vec<Id> {
        let mut found = Vec::new();
        for id in self.ids() {
            let Some(file) = self.get_mut(id) else { continue };
            let names = std::mem::take(&mut file.names);
            let (gone, kept): (SmallVec<_>, _) = names.into_iter().partition(|(at, _)| *at == watch);
            file.names = kept;
            for (at, name) in &gone {
                self.by_name.remove(self.hash((at, name)), id);
            }
            found.extend((!gone.is_empty()).then_some(id));
        }
        found
    }
}
