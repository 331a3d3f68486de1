//! Files, the application that writes them and the tools that rotate them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::discover::Stat;

/// The name under which the application writes.
pub(super) const LIVE: &str = "app.log";

/// What was written into a file between two truncations.
#[derive(Debug, Default)]
pub(super) struct Generation {
    pub(super) bytes: Vec<u8>,
    /// Up to here the agent could see it while it was there.
    pub(super) seen: usize,
    /// The agent has met it.
    pub(super) known: bool,
    /// The agent had met it when its registry was last synced.
    pub(super) synced: bool,
}

/// A file, whatever its names.
#[derive(Debug)]
pub(super) struct Inode {
    /// Whose bytes it holds.
    pub(super) generation: usize,
    /// How many of them.
    pub(super) len: usize,
    /// What it was when its last name went.
    pub(super) nameless: Option<Stat>,
}

/// Which bytes exist.
#[derive(Debug)]
pub(super) struct World {
    folder: PathBuf,
    pub(super) generations: Vec<Generation>,
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<String, usize>,
    app: Option<(File, usize)>,
    /// The application's line that has no end yet.
    half: bool,
    lines: u32,
    rotations: u32,
    /// Every generation starts with the same lines.
    equal_heads: bool,
}

impl World {
    pub(super) fn new(folder: &Path, equal_heads: bool) -> World {
        World {
            folder: folder.to_owned(),
            generations: Vec::new(),
            inodes: Vec::new(),
            names: BTreeMap::new(),
            app: None,
            half: false,
            lines: 0,
            rotations: 0,
            equal_heads,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn new_inode(&mut self) -> usize {
        self.generations.push(Generation::default());
        self.inodes.push(Inode { generation: self.generations.len() - 1, len: 0, nameless: None });
        self.inodes.len() - 1
    }

    /// The application opens its log file, anew if it must.
    pub(super) fn reopen(&mut self) {
        let file = File::options().create(true).append(true).open(self.path(LIVE)).unwrap();
        let inode = match self.names.get(LIVE) {
            Some(inode) => *inode,
            None => {
                let inode = self.new_inode();
                self.names.insert(LIVE.to_owned(), inode);
                inode
            }
        };
        self.half = self.half && self.app.as_ref().is_some_and(|(_, open)| *open == inode);
        self.app = Some((file, inode));
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.app.is_none() {
            self.reopen();
        }
        let Some((file, inode)) = &mut self.app else { return };
        file.write_all(bytes).unwrap();
        let inode = &mut self.inodes[*inode];
        inode.len += bytes.len();
        self.generations[inode.generation].bytes.extend_from_slice(bytes);
    }

    fn line(&mut self) -> String {
        self.lines += 1;
        let filler = "abcdefghij".repeat(self.lines as usize * 7 % 5);
        format!("{:05} {filler}{}", self.lines, self.lines)
    }

    /// The application writes whole lines.
    pub(super) fn write(&mut self, lines: u8) {
        for _ in 0..lines {
            let is_empty = self.app.as_ref().is_none_or(|(_, inode)| self.inodes[*inode].len == 0);
            if self.equal_heads && is_empty {
                self.append(b"--- the log begins ---\n--- as it always does ---\n");
            }
            let line = if std::mem::take(&mut self.half) { "the rest".to_owned() } else { self.line() };
            self.append(format!("{line}\n").as_bytes());
        }
    }

    /// The application writes a line and not its end.
    pub(super) fn write_half(&mut self) {
        let line = self.line();
        self.append(line.as_bytes());
        self.half = true;
    }

    fn next_name(&mut self) -> String {
        self.rotations += 1;
        format!("{LIVE}.{}", self.rotations)
    }

    /// The log file is renamed; the application goes on writing to it until it opens another.
    pub(super) fn rename(&mut self) {
        let Some(inode) = self.names.remove(LIVE) else { return };
        let name = self.next_name();
        fs::rename(self.path(LIVE), self.path(&name)).unwrap();
        self.names.insert(name, inode);
    }

    /// The log file is copied, `between` is done, and it is emptied.
    pub(super) fn copy(&mut self, whole: bool) -> Option<String> {
        let original = *self.names.get(LIVE)?;
        let name = self.next_name();
        let (generation, len) = (self.inodes[original].generation, self.inodes[original].len);
        let len = if whole { len } else { len / 2 };
        fs::write(self.path(&name), &self.generations[generation].bytes[..len]).unwrap();
        self.inodes.push(Inode { generation, len, nameless: None });
        self.names.insert(name.clone(), self.inodes.len() - 1);
        Some(name)
    }

    /// The rest of a copy.
    pub(super) fn copy_rest(&mut self, name: &str) {
        let (Some(original), Some(copy)) = (self.names.get(LIVE).copied(), self.names.get(name).copied()) else {
            return;
        };
        let (from, to) = (self.inodes[copy].len, self.inodes[original].len);
        let mut file = File::options().append(true).open(self.path(name)).unwrap();
        file.write_all(&self.generations[self.inodes[copy].generation].bytes[from..to]).unwrap();
        self.inodes[copy].len = to;
    }

    pub(super) fn truncate(&mut self) {
        let Some(inode) = self.names.get(LIVE).copied() else { return };
        File::options().write(true).open(self.path(LIVE)).unwrap().set_len(0).unwrap();
        self.generations.push(Generation::default());
        self.inodes[inode].generation = self.generations.len() - 1;
        self.inodes[inode].len = 0;
        self.half = self.half && self.app.as_ref().is_none_or(|(_, open)| *open != inode);
    }

    /// The name goes; the application goes on writing to the file.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(inode) = self.names.remove(name) {
            self.inodes[inode].nameless = Some(Stat::of(&self.path(name)).unwrap());
            fs::remove_file(self.path(name)).unwrap();
        }
    }

    fn rotated(&self) -> impl Iterator<Item = &String> {
        self.names.keys().filter(|name| *name != LIVE)
    }

    /// The rotated file made first goes.
    pub(super) fn prune(&mut self) {
        let oldest = self.rotated().next().cloned();
        if let Some(name) = oldest {
            self.remove(&name);
        }
    }

    /// A rotated file to which nobody writes is compressed.
    pub(super) fn gzip(&mut self) {
        let written = self.app.as_ref().map(|(_, inode)| *inode);
        let plain = self.rotated().find(|name| !name.ends_with(".gz") && self.names.get(*name).copied() != written);
        let Some(name) = plain.cloned() else { return };
        let Some(inode) = self.names.get(&name).map(|inode| &self.inodes[*inode]) else { return };
        let (generation, len) = (inode.generation, inode.len);
        let compressed = format!("{name}.gz");
        let mut encoder = GzEncoder::new(File::create(self.path(&compressed)).unwrap(), Compression::fast());
        encoder.write_all(&self.generations[generation].bytes[..len]).unwrap();
        encoder.finish().unwrap();
        self.inodes.push(Inode { generation, len, nameless: None });
        self.names.insert(compressed, self.inodes.len() - 1);
        self.remove(&name);
    }
}
