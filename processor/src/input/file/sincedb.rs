//! Positions of files, kept between runs.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::input::InputError;

/// How often positions are written while they change.
const INTERVAL: Duration = Duration::from_secs(1);
/// Files that were not seen for this long are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(14 * 86_400);

/// Device and inode: what a file keeps when it is renamed.
pub(super) type Key = (u64, u64);

/// What is known of a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Names this file among all that ever had its inode.
    pub(super) id: String,
    /// Everything before this byte is safe.
    pub(super) position: u64,
    /// Seconds since the epoch.
    pub(super) seen: u64,
    pub(super) path: PathBuf,
}

/// The positions of one input's files.
pub(super) struct SinceDb {
    path: PathBuf,
    entries: HashMap<Key, Entry>,
    changed: bool,
    saved: Instant,
}

impl SinceDb {
    /// Below the data folder, one per set of patterns.
    pub(super) fn default_path(data: &Path, patterns: &[String]) -> PathBuf {
        let digest = Sha256::digest(patterns.join("\n"));
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        data.join("plugins/inputs/file").join(format!("positions-{name}.json"))
    }

    /// Reads the positions, if there are any.
    pub(super) fn open(path: &Path) -> Result<SinceDb, InputError> {
        let failed = |error: &dyn std::fmt::Display| InputError(format!("cannot read '{}': {error}", path.display()));
        // Logstash's way to say: keep nothing.
        let entries: Vec<Entry> = if path == Path::new("/dev/null") || !path.exists() {
            Vec::new()
        } else {
            serde_json::from_slice(&fs::read(path).map_err(|error| failed(&error))?).map_err(|error| failed(&error))?
        };
        let entries = entries.into_iter().map(|entry| ((entry.device, entry.inode), entry)).collect();
        Ok(SinceDb { path: path.into(), entries, changed: false, saved: Instant::now() })
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// Notes an entry; it is written soon.
    pub(super) fn put(&mut self, entry: Entry) {
        let key = (entry.device, entry.inode);
        let same = self
            .entries
            .get(&key)
            .is_some_and(|held| (held.position, &held.id, &held.path) == (entry.position, &entry.id, &entry.path));
        if !same {
            self.entries.insert(key, entry);
            self.changed = true;
        }
    }

    /// Writes when something changed and the last time is long enough ago.
    pub(super) fn save_if_due(&mut self) {
        if self.changed
            && self.saved.elapsed() >= INTERVAL
            && let Err(error) = self.save()
        {
            tracing::error!(%error, "will try again");
        }
    }

    /// Writes what changed.
    pub(super) fn save(&mut self) -> Result<(), InputError> {
        if !self.changed || self.path == Path::new("/dev/null") {
            return Ok(());
        }
        let oldest = now().saturating_sub(FORGOTTEN_AFTER.as_secs());
        self.entries.retain(|_, entry| entry.seen >= oldest || entry.path.exists());
        self.write().map_err(|error| InputError(format!("cannot write '{}': {error}", self.path.display())))?;
        (self.changed, self.saved) = (false, Instant::now());
        Ok(())
    }

    /// Writes a new file in the place of the old one.
    fn write(&self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let entries: Vec<&Entry> = self.entries.values().collect();
        let fresh = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(&entries)?)?;
        file.sync_data()?;
        fs::rename(&fresh, &self.path)
    }
}

/// Seconds since the epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
