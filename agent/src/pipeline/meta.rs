//! Who a file is, and the names of its events.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::Entry;
use crate::tail::settings::InputSettings;

/// The lasting name of one generation of a file.
///
/// It is made once, from the agent's seed, device, inode, time of birth, the count of earlier generations at that inode
/// and the reading scope, and then stands in the registry. It survives renames, and travels with the content when
/// copytruncate or gzip move that to another inode; what is written after a truncation is a new generation with a new
/// key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileKey(pub [u8; 16]);

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileKey({self})")
    }
}

impl FromStr for FileKey {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<FileKey, Self::Err> {
        u128::from_str_radix(text, 16).map(|key| FileKey(key.to_be_bytes()))
    }
}

/// What the events of one file have in common. Looked up when the file is opened or renamed, shared by its batches.
///
/// Outputs may cache what they derive from it (container and pod names, rendered JSON) by the address of its `Arc`: a
/// change makes a new one.
#[derive(Clone, Debug)]
pub struct FileMeta {
    /// The file's lasting name.
    pub key: FileKey,
    /// The input that reads it.
    pub input: Arc<InputSettings>,
    /// `log.file.path`: the path by which it was found, or to which it was renamed.
    pub path: PathBuf,
    /// `log.source.address`, where it is no file but a sender's address.
    pub source: Option<String>,
    /// `log.file.device_id`
    pub device: u64,
    /// `log.file.inode`
    pub inode: u64,
    /// `log.file.fingerprint`: SHA-256 in hex of the first bytes, once the file has as many.
    pub fingerprint: Option<String>,
    /// `log.file.owner`, where the input asks for it.
    pub owner: Option<String>,
    /// `log.file.group`, where the input asks for it.
    pub group: Option<String>,
}

impl FileMeta {
    /// No file: for events that come from none.
    #[cfg(test)]
    pub(crate) fn unknown() -> FileMeta {
        FileMeta {
            key: FileKey::default(),
            input: Arc::default(),
            path: PathBuf::new(),
            source: None,
            device: 0,
            inode: 0,
            fingerprint: None,
            owner: None,
            group: None,
        }
    }

    /// The deterministic name of an event, for `@metadata._id`: 22 characters of URL-safe base64, made of 128 bits over
    /// the file's key, the entry's first and last byte offset, and its text.
    ///
    /// A line that is sent twice has the same name twice, so that it is indexed once. The end and the text are part of
    /// it because the same place can hold different text: a line sent in two parts, or a file rewritten in place; such
    /// documents must not take each other's place.
    pub fn event_id(&self, entry: &Entry, text: &[u8]) -> EventId {
        let mut place = [0; 40];
        place[..16].copy_from_slice(&self.key.0);
        place[16..24].copy_from_slice(&entry.start.to_le_bytes());
        place[24..32].copy_from_slice(&entry.end.to_le_bytes());
        place[32..].copy_from_slice(&xxh3_64(entry.message.of(text)).to_le_bytes());
        EventId::encode(xxh3_128(&place))
    }
}

/// A deterministic document id, see [`FileMeta::event_id`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId([u8; 22]);

impl EventId {
    fn encode(hash: u128) -> EventId {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = [0; 22];
        let mut rest = hash;
        for byte in &mut text {
            *byte = ALPHABET[(rest & 63) as usize];
            rest >>= 6;
        }
        EventId(text)
    }

    /// The id's characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}
