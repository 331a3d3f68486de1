//! Watches directories by inotify.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// One watched directory.
pub type WatchId = i32;

/// Something that happened in a watched directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A file was written or truncated.
    Modified(WatchId, OsString),
    /// A name appeared: created, moved or linked to.
    Appeared(WatchId, OsString),
    /// A name went away: deleted or moved.
    Gone(WatchId, OsString),
    /// A name was moved, both ends of which are watched. Its `Gone` came before.
    Moved {
        /// The old name.
        from: (WatchId, OsString),
        /// The new name.
        to: (WatchId, OsString),
    },
    /// The directory itself went away.
    DirectoryGone(WatchId),
    /// More happened than the kernel could remember: look at everything.
    Overflow,
}

/// File systems whose changes may come from another machine, or from below, where inotify does not see them.
const UNSEEN: [u32; 8] = [
    0x6969,      // NFS
    0xFF53_4D42, // CIFS
    0xFE53_4D42, // SMB2
    0x6573_5546, // FUSE
    0x517B,      // SMB
    0x0102_1997, // 9p
    0x00C3_6400, // Ceph
    0x0BD0_0BD0, // Lustre
];

/// A container's own layer: changes made in the container are seen, those made below it are not.
const OVERLAY: u32 = 0x794C_7630;

/// The watched directories.
#[derive(Debug)]
pub struct Watcher {
    inotify: Option<OwnedFd>,
    paths: HashMap<WatchId, PathBuf>,
    /// `None` for a directory that cannot be watched and is polled instead.
    watches: HashMap<PathBuf, Option<WatchId>>,
    /// Directories that are watched, and polled as well because not every change may be seen.
    doubted: HashSet<PathBuf>,
    said: bool,
}

impl Watcher {
    /// Without inotify everything is polled.
    pub fn new() -> Watcher {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        if let Err(error) = &inotify {
            tracing::warn!(%error, "no inotify: files are polled");
        }
        Watcher {
            inotify: inotify.ok(),
            paths: HashMap::new(),
            watches: HashMap::new(),
            doubted: HashSet::new(),
            said: false,
        }
    }

    /// Watches nothing any more, so that everything is polled.
    #[cfg(test)]
    pub(crate) fn blind(&mut self) {
        self.inotify = None;
    }

    /// What becomes readable when something happened.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Watches a directory, or says by `None` that it has to be polled.
    pub fn watch(&mut self, directory: &Path) -> Option<WatchId> {
        if let Some(known) = self.watches.get(directory) {
            return *known;
        }
        let watch = self.add(directory);
        if let Some(id) = watch {
            self.paths.entry(id).or_insert_with(|| directory.to_owned());
        }
        self.watches.insert(directory.to_owned(), watch);
        watch
    }

    fn add(&mut self, directory: &Path) -> Option<WatchId> {
        let inotify = self.inotify.as_ref()?;
        let kind = rustix::fs::statfs(directory).ok()?.f_type as u32;
        if UNSEEN.contains(&kind) {
            return None;
        }
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(inotify, directory, flags) {
            Ok(id) => {
                if kind == OVERLAY {
                    self.doubted.insert(directory.to_owned());
                }
                Some(id)
            }
            Err(error) => {
                if !self.said {
                    self.said = true;
                    tracing::warn!(
                        %error,
                        directory = %directory.display(),
                        "cannot watch a directory, its files are polled; see fs.inotify.max_user_watches"
                    );
                }
                None
            }
        }
    }

    /// The directory of a watch.
    pub fn path(&self, id: WatchId) -> Option<&Path> {
        self.paths.get(&id).map(PathBuf::as_path)
    }

    /// Whether all changes in a directory are seen.
    pub fn is_watched(&self, directory: &Path) -> bool {
        matches!(self.watches.get(directory), Some(Some(_))) && !self.doubted.contains(directory)
    }

    /// Whether any directory has to be polled.
    pub fn polls(&self) -> bool {
        !self.doubted.is_empty() || self.watches.values().any(Option::is_none)
    }

    /// Forgets directories that could not be watched, to try again.
    pub fn retry(&mut self) {
        self.watches.retain(|_, watch| watch.is_some());
    }

    /// Takes what happened, up to a few thousand events at a time.
    pub fn take(&mut self, seen: &mut Vec<Seen>) {
        let Some(inotify) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        let mut gone = Vec::new();
        let mut leaving: Option<(u32, WatchId, OsString)> = None;
        for _ in 0..4096 {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => {
                    tracing::warn!(error = %io::Error::from(error), "cannot read from inotify");
                    break;
                }
            };
            let (id, flags) = (event.wd(), event.events());
            let name =
                || event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned()).unwrap_or_default();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                seen.push(Seen::Overflow);
            } else if flags.contains(ReadFlags::MODIFY) {
                seen.push(Seen::Modified(id, name()));
            } else if flags.contains(ReadFlags::MOVED_FROM) {
                leaving = Some((event.cookie(), id, name()));
                seen.push(Seen::Gone(id, name()));
            } else if flags.contains(ReadFlags::MOVED_TO)
                && let Some((_, from, old)) = leaving.take_if(|(cookie, ..)| *cookie == event.cookie())
            {
                seen.push(Seen::Moved { from: (from, old), to: (id, name()) });
            } else if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                seen.push(Seen::Appeared(id, name()));
            } else if flags.contains(ReadFlags::DELETE) {
                seen.push(Seen::Gone(id, name()));
            } else if flags.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED) {
                gone.push(id);
                seen.push(Seen::DirectoryGone(id));
            }
        }
        for id in gone {
            if let Some(path) = self.paths.remove(&id) {
                self.watches.remove(&path);
                self.doubted.remove(&path);
                // A moved directory is still watched under its old name.
                if let Some(inotify) = &self.inotify {
                    inotify::remove_watch(inotify, id).ok();
                }
            }
        }
    }
}

impl Default for Watcher {
    fn default() -> Watcher {
        Watcher::new()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_happens_in_a_directory_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::new();
        let Some(id) = watcher.watch(directory.path()) else {
            assert!(watcher.polls());
            return;
        };
        let file = directory.path().join("a");
        fs::write(&file, "x").unwrap();
        fs::rename(&file, directory.path().join("b")).unwrap();
        fs::remove_file(directory.path().join("b")).unwrap();
        let mut seen = Vec::new();
        watcher.take(&mut seen);
        let expected = [
            Seen::Appeared(id, "a".into()),
            Seen::Modified(id, "a".into()),
            Seen::Gone(id, "a".into()),
            Seen::Moved { from: (id, "a".into()), to: (id, "b".into()) },
            Seen::Gone(id, "b".into()),
        ];
        assert_eq!(seen, expected);
        assert_eq!(watcher.path(id), Some(directory.path()));
    }
}
