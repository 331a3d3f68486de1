//! What the registry says of one file.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use crate::pipeline::{FileKey, Position, RangeSet};

/// The most bytes of a file's start that are compared to know it again.
pub const HEAD_LENGTH: usize = 1024;
/// How many bytes before a position are compared to know the place again.
pub const TAIL_LENGTH: usize = 32;

/// The start of a file, as long as the file was when it was looked at, at most [`HEAD_LENGTH`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many bytes.
    pub len: u32,
    /// Their hash, XXH3.
    pub hash: u64,
}

impl Head {
    /// The head of a file that starts with these bytes.
    pub fn of(start: &[u8]) -> Head {
        let start = &start[..start.len().min(HEAD_LENGTH)];
        Head { len: start.len() as u32, hash: xxh3_64(start) }
    }

    /// Whether a file that starts with these bytes has this head.
    pub fn matches(&self, start: &[u8]) -> bool {
        self.len == 0 || start.get(..self.len as usize).is_some_and(|start| xxh3_64(start) == self.hash)
    }
}

/// The bytes just before a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The offset behind them.
    pub at: u64,
    /// How many, at most [`TAIL_LENGTH`].
    pub len: u8,
    /// Their hash, XXH3.
    pub hash: u64,
}

impl Tail {
    /// The tail of what was read up to `at`, given its last bytes.
    pub fn of(bytes: &[u8], at: u64) -> Tail {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_LENGTH)..];
        Tail { at, len: bytes.len() as u8, hash: xxh3_64(bytes) }
    }

    /// Whether these are the bytes; any are if none are known.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.len == 0 || bytes.len() == usize::from(self.len) && xxh3_64(bytes) == self.hash
    }
}

/// One file's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileState {
    /// The name of this generation of the file.
    #[serde(with = "key_text")]
    pub key: FileKey,
    /// Which reader it belongs to: the input's id and, if it reads only one stream, that.
    pub scope: String,
    /// Where it was last seen.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Time of birth in nanoseconds since 1970; 0 where the file system does not know.
    pub birth: i64,
    /// How many generations this inode had before: truncation begins a new one.
    #[serde(skip_serializing_if = "is_default")]
    pub generation: u32,
    /// How it starts.
    pub head: Head,
    /// What stands before the offset.
    pub tail: Tail,
    /// Everything before it is delivered.
    pub offset: u64,
    /// What else is delivered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<(u64, u64)>,
    /// Its size when it was last looked at.
    pub size: u64,
    /// Whether it is gzip; offsets are those of the content.
    #[serde(skip_serializing_if = "is_default")]
    pub gzip: bool,
    /// Whether nothing more comes: a gzip file read to its end.
    #[serde(skip_serializing_if = "is_default")]
    pub complete: bool,
    /// Bytes of it that were destroyed unread.
    #[serde(skip_serializing_if = "is_default")]
    pub lost: u64,
    /// When it last changed, in seconds since 1970.
    pub updated: i64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl FileState {
    /// How far it is delivered.
    pub fn position(&self) -> Position {
        let beyond: RangeSet = self.beyond.iter().map(|(start, end)| *start..*end).collect();
        Position { offset: self.offset, beyond }
    }

    /// Sets how far it is delivered.
    pub fn set_position(&mut self, position: &Position) {
        self.offset = position.offset;
        self.beyond = position.beyond.ranges().iter().map(|range| (range.start, range.end)).collect();
    }
}

mod key_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(key: &FileKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(key)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<FileKey, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Paths need not be UTF-8; those that are not are written as a list of bytes.
mod path_text {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Form {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => Form::Bytes(path.as_os_str().as_bytes().to_vec()).serialize(serializer),
        }
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) => text.into(),
            Form::Bytes(bytes) => OsString::from_vec(bytes).into(),
        })
    }
}
