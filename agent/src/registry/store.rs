//! The registry's file: lines of `CHECKSUM RECORD`, the first of which says the version.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::format::{Record, States, Whole, append, load};
use super::record::{FileState, Tail};
use crate::pipeline::{FileKey, Position};

/// The version of the format that we write.
pub(super) const VERSION: u32 = 1;
/// A file smaller than this is never rewritten.
const SMALLEST_REWRITE: u64 = 1 << 20;

/// Changes that cannot be written are kept up to so many bytes, then the file is written anew as soon as it can be.
const LARGEST_BUFFER: usize = 256 << 10;

/// How much room for records is kept for the next ones.
const KEPT_BUFFER: usize = 64 << 10;

/// Why a registry could not be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file or its directory could not be used.
    #[error("registry '{}': {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another agent has it open.
    #[error("registry '{}' is in use by another agent", .0.display())]
    InUse(PathBuf),
    /// A newer agent wrote it.
    #[error(
        "registry '{}' has version {found}, this agent reads up to version {VERSION}: run the newer agent, or move the \
         registry away to read all files from their start", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is not a registry of ours.
    #[error("'{}' is not a registry", .0.display())]
    Foreign(PathBuf),
    /// No file of that path or key is in it.
    #[error("no file '{0}' in the registry")]
    Unknown(String),
}

/// An open registry, held by a lock.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
    /// Holds the lock as long as the store lives.
    _lock: File,
    permissions: u32,
    seed: u64,
    states: States,
    /// Up to here the file is whole; a write that failed half-way is overwritten.
    len: u64,
    /// How long it was after it was last rewritten.
    rewritten_len: u64,
    buffer: Vec<u8>,
    /// What was written may not be on the disk yet.
    unsynced: bool,
    /// What changed is in the states only: the file is to be written anew.
    outdated: bool,
    /// Records that could not be read.
    damaged: u64,
}

impl Store {
    /// Opens the registry in a directory, or begins one.
    ///
    /// # Errors
    /// See [`RegistryError`]; a torn or rotten record is no error.
    pub fn open(directory: &Path, permissions: u32) -> Result<Store, RegistryError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| RegistryError::Io { path, source }
        };
        fs::create_dir_all(directory).map_err(io(directory))?;
        let lock_path = directory.join("tailrace.lock");
        let lock = open(&lock_path, permissions).map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RegistryError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(&lock_path)(error)),
        }
        let path = directory.join("tailrace.log");
        let file = open(&path, permissions).map_err(io(&path))?;
        let mut store = Store {
            file,
            _lock: lock,
            permissions,
            seed: 0,
            states: States::new(),
            len: 0,
            rewritten_len: 0,
            buffer: Vec::new(),
            unsynced: false,
            outdated: false,
            damaged: 0,
            path,
        };
        store.load()?;
        if store.seed == 0 {
            store.seed = uuid::Uuid::new_v4().as_u64_pair().0 | 1;
        }
        // A fresh start: the version stands first, what is torn or out of date is gone.
        let path = store.path.clone();
        match store.rewrite() {
            Err(error) if is_full(&error) => {
                tracing::error!(path = %path.display(), %error, "cannot write the registry: going on with what it holds");
                store.outdated = true;
            }
            result => result.map_err(io(&path))?,
        }
        Ok(store)
    }

    /// Reads what a registry holds without opening it for writing.
    ///
    /// # Errors
    /// When there is none, or it is not ours.
    pub fn read(directory: &Path) -> Result<Vec<FileState>, RegistryError> {
        let path = directory.join("tailrace.log");
        let file = File::open(&path).map_err(|source| RegistryError::Io { path: path.clone(), source })?;
        let (states, ..) = load(BufReader::new(file), &path)?;
        Ok(states.into_values().map(|state| *state).collect())
    }

    fn load(&mut self) -> Result<(), RegistryError> {
        (self.states, self.seed, self.damaged) = load(BufReader::new(&self.file), &self.path)?;
        if self.damaged > 0 {
            tracing::warn!(path = %self.path.display(), records = self.damaged, "left damaged registry records out");
        }
        Ok(())
    }

    /// Random, made with the registry: it goes into the names of files, so that those of two machines differ.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The states, in no order.
    pub fn states(&self) -> impl Iterator<Item = &FileState> {
        self.states.values().map(|state| &**state)
    }

    /// How many records could not be read.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// How many files it knows.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether the file could not be written when it was to be.
    pub fn is_outdated(&self) -> bool {
        self.outdated
    }

    /// Whether it knows no file.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Sets a file's state. Written with the next [`Store::sync`].
    pub fn put(&mut self, state: FileState) {
        if !self.outdated {
            append(&mut self.buffer, &Whole::File(&state));
        }
        self.states.insert(state.key, Box::new(state));
    }

    /// Moves a known file's position.
    pub fn advance(&mut self, key: FileKey, position: &Position, tail: Option<Tail>, size: u64, updated: i64) {
        let Some(state) = self.states.get_mut(&key) else { return };
        state.set_position(position);
        state.tail = tail.unwrap_or_default();
        state.size = size;
        state.updated = updated;
        if self.outdated {
            return;
        }
        let record = Record::At {
            key: key.to_string(),
            offset: state.offset,
            beyond: state.beyond.clone(),
            tail: state.tail,
            size,
            updated,
        };
        append(&mut self.buffer, &record);
    }

    /// Forgets a file.
    pub fn forget(&mut self, key: FileKey) {
        if self.states.remove(&key).is_some() && !self.outdated {
            append(&mut self.buffer, &Record::Forget(key.to_string()));
        }
    }

    /// Writes what changed: from here on it outlives the process, and after [`Store::sync`] the machine.
    ///
    /// # Errors
    /// When the disk is full or broken; what changed is kept and written with the next call.
    pub fn write(&mut self) -> io::Result<()> {
        if self.outdated || self.len > SMALLEST_REWRITE.max(self.rewritten_len * 4) {
            return self.rewrite();
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all_at(&self.buffer, self.len);
        if written.is_ok() {
            self.len += self.buffer.len() as u64;
            self.clear_buffer();
            self.unsynced = true;
        } else if self.buffer.len() > LARGEST_BUFFER {
            // The states have it all; a disk that is full for long must not fill the memory.
            self.outdated = true;
            self.buffer = Vec::new();
        }
        written
    }

    /// Writes what changed and waits until it is on the disk.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        if self.unsynced {
            // After a failure nobody knows what of the file is on the disk.
            self.file.sync_data().inspect_err(|_| self.outdated = true)?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Whether something was written that may not be on the disk yet.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// What many files at once have needed is not kept for a few.
    fn clear_buffer(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER);
    }

    /// Writes a new file with the present state only, in place of the old one.
    fn rewrite(&mut self) -> io::Result<()> {
        let new_path = self.path.with_extension("new");
        let new = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(self.permissions)
            .open(&new_path)?;
        let len = match self.write_whole(&new) {
            Ok(len) => len,
            Err(error) => {
                // On a full disk half a registry would only be in the way.
                fs::remove_file(&new_path).ok();
                return Err(error);
            }
        };
        fs::rename(&new_path, &self.path)?;
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        self.file = new;
        self.len = len;
        self.rewritten_len = self.len;
        self.clear_buffer();
        (self.outdated, self.unsynced) = (false, false);
        Ok(())
    }

    /// Writes the version and every state to a new file; how long it is then. With many files the records do not stand
    /// in memory all at once.
    fn write_whole(&self, new: &File) -> io::Result<u64> {
        let mut out = BufWriter::with_capacity(KEPT_BUFFER, new);
        let mut record = Vec::new();
        append(&mut record, &Record::Registry { version: VERSION, seed: self.seed });
        out.write_all(&record)?;
        let mut len = record.len() as u64;
        for state in self.states.values() {
            record.clear();
            append(&mut record, &Whole::File(state));
            out.write_all(&record)?;
            len += record.len() as u64;
        }
        out.flush()?;
        new.sync_data()?;
        Ok(len)
    }
}

/// Whether there may be room again later.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn open(path: &Path, permissions: u32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(permissions).open(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn state(number: u8, offset: u64) -> FileState {
        FileState {
            key: FileKey([number; 16]),
            path: format!("/var/log/{number}.log").into(),
            inode: u64::from(number),
            offset,
            ..FileState::default()
        }
    }

    fn offsets(directory: &Path) -> Vec<(u64, u64)> {
        let mut offsets: Vec<_> =
            Store::read(directory).unwrap().iter().map(|state| (state.inode, state.offset)).collect();
        offsets.sort_unstable();
        offsets
    }

    #[test]
    fn what_was_synced_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), 0o600).unwrap();
        let seed = store.seed();
        store.put(state(1, 10));
        store.put(state(2, 20));
        store.advance(FileKey([1; 16]), &Position::at(15), None, 15, 0);
        store.forget(FileKey([2; 16]));
        store.sync().unwrap();
        assert!(matches!(Store::open(directory.path(), 0o600), Err(RegistryError::InUse(_))));
        drop(store);
        let store = Store::open(directory.path(), 0o600).unwrap();
        assert_eq!((store.len(), store.seed()), (1, seed));
        assert_eq!(offsets(directory.path()), [(1, 15)]);
    }

    #[test]
    fn torn_at_any_byte_it_recovers_to_the_last_valid_state() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), 0o600).unwrap();
        let mut ends = Vec::new();
        for step in 1..=6u64 {
            match step {
                1 => store.put(state(1, 0)),
                _ => store.advance(FileKey([1; 16]), &Position::at(step * 10), None, 0, 0),
            }
            store.sync().unwrap();
            ends.push((store.len, if step == 1 { 0 } else { step * 10 }));
        }
        drop(store);
        let path = directory.path().join("tailrace.log");
        let bytes = fs::read(&path).unwrap();
        let first = ends[0].0;
        for cut in first..=bytes.len() as u64 {
            // A record without its line feed is whole all the same.
            let expected = ends.iter().rfind(|(end, _)| *end <= cut + 1).unwrap().1;
            let (states, ..) = load(&bytes[..cut as usize], &path).unwrap();
            assert_eq!(states[&FileKey([1; 16])].offset, expected, "cut at {cut}");
        }
        for cut in 0..first {
            assert!(load(&bytes[..cut as usize], &path).unwrap().0.len() <= 1);
        }
    }

    #[test]
    fn a_rotten_record_in_the_middle_costs_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), 0o600).unwrap();
        for number in 1..=3 {
            store.put(state(number, 5));
        }
        store.sync().unwrap();
        drop(store);
        let path = directory.path().join("tailrace.log");
        let mut bytes = fs::read(&path).unwrap();
        let at = memchr::memmem::find(&bytes, b"/var/log/2.log").unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(offsets(directory.path()), [(1, 5), (3, 5)]);
        assert_eq!(Store::open(directory.path(), 0o600).unwrap().damaged(), 1);
    }

    #[test]
    fn a_newer_version_is_a_clear_error() {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        append(&mut bytes, &Record::Registry { version: 7, seed: 1 });
        fs::write(directory.path().join("tailrace.log"), bytes).unwrap();
        let error = Store::open(directory.path(), 0o600).unwrap_err();
        assert!(error.to_string().contains("has version 7, this agent reads up to version 1"), "{error}");
    }

    #[test]
    fn a_foreign_file_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tailrace.log");
        fs::write(&path, "some\nlog\nlines\n").unwrap();
        assert!(matches!(Store::open(directory.path(), 0o600), Err(RegistryError::Foreign(_))));
        assert_eq!(fs::read(&path).unwrap(), b"some\nlog\nlines\n");
    }

    #[test]
    fn it_is_rewritten_when_most_of_it_is_out_of_date() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), 0o600).unwrap();
        store.put(state(1, 0));
        for offset in 0..20_000 {
            store.advance(FileKey([1; 16]), &Position::at(offset), None, offset, 0);
            if offset % 500 == 0 {
                store.sync().unwrap();
            }
        }
        store.sync().unwrap();
        assert!(store.len < 2 << 20, "{}", store.len);
        assert_eq!(offsets(directory.path()), [(1, 19_999)]);
    }

    #[test]
    fn paths_need_not_be_utf8() {
        use std::os::unix::ffi::OsStringExt;
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path(), 0o600).unwrap();
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"/a/\xff.log".to_vec()));
        store.put(FileState { path: path.clone(), ..state(1, 1) });
        store.sync().unwrap();
        assert_eq!(Store::read(directory.path()).unwrap()[0].path, path);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            drop(load(&*bytes, Path::new("x")));
        }
    }
}
