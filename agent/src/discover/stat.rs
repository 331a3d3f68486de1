//! What the file system says of a file.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who a file is and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Time of birth in nanoseconds since 1970; 0 where the file system does not know.
    pub birth: i64,
    /// Size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: SystemTime,
    /// How many names it has; 0 once it is deleted.
    pub links: u64,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Whether it is a symbolic link.
    pub is_symlink: bool,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Stat {
    /// Of what a path leads to.
    ///
    /// # Errors
    /// As [`fs::metadata`].
    pub fn of(path: &Path) -> io::Result<Stat> {
        fs::metadata(path).map(|metadata| Stat::from(&metadata))
    }

    /// Of the path itself, symbolic or not.
    ///
    /// # Errors
    /// As [`fs::symlink_metadata`].
    pub fn of_link(path: &Path) -> io::Result<Stat> {
        fs::symlink_metadata(path).map(|metadata| Stat::from(&metadata))
    }

    /// Of an open file.
    ///
    /// # Errors
    /// As [`File::metadata`].
    pub fn of_file(file: &File) -> io::Result<Stat> {
        file.metadata().map(|metadata| Stat::from(&metadata))
    }

    /// Whether it has this inode and, known exactly, this time of birth, on whatever device.
    pub fn is_born_as(&self, inode: u64, birth: i64) -> bool {
        self.inode == inode && self.birth == birth && birth != 0
    }

    /// Whether both are the same file. Without times of birth the inode has to do.
    pub fn is_same_file(&self, device: u64, inode: u64, birth: i64) -> bool {
        self.device == device && self.inode == inode && (self.birth == birth || self.birth == 0 || birth == 0)
    }
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Stat {
        let birth = metadata.created().ok().and_then(|birth| birth.duration_since(UNIX_EPOCH).ok());
        Stat {
            device: metadata.dev(),
            inode: metadata.ino(),
            birth: birth.and_then(|birth| i64::try_from(birth.as_nanos()).ok()).unwrap_or(0),
            size: metadata.len(),
            modified: metadata.modified().unwrap_or(UNIX_EPOCH),
            links: metadata.nlink(),
            is_file: metadata.is_file(),
            is_symlink: metadata.is_symlink(),
            uid: metadata.uid(),
            gid: metadata.gid(),
        }
    }
}
