//! Queues between reading and sending that outlast what the memory can hold.

mod spool;

pub use spool::{Opened, Spool, SpoolError};

use std::path::PathBuf;

/// `queue.disk`: where events wait while the far side is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// `path`: the folder.
    pub path: PathBuf,
    /// `max_size`, in bytes, over all spools in the folder.
    pub max_size: u64,
    /// `segment_size`, in bytes.
    pub segment_size: u64,
}
