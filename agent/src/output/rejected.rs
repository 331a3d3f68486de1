//! Events that the far side will never take: kept in a file, with the reason.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tailrace_common::json;

/// The file grows no further than this.
const LIMIT: u64 = 256 << 20;

/// The file of rejected events.
pub(super) struct Rejected {
    path: PathBuf,
}

impl Rejected {
    pub(super) fn new(data: &Path) -> Rejected {
        Rejected { path: data.join("rejected.ndjson") }
    }

    /// Keeps an event; false when that is not possible.
    pub(super) fn keep(&self, document: &[u8], reason: &str) -> bool {
        match self.write(document, reason) {
            Ok(()) => {
                tracing::warn!(reason, path = %self.path.display(), "an event was rejected and is kept");
                true
            }
            Err(error) => {
                tracing::error!(%error, reason, path = %self.path.display(), "a rejected event cannot be kept");
                false
            }
        }
    }

    fn write(&self, document: &[u8], reason: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        if file.metadata()?.len() + document.len() as u64 > LIMIT {
            return Err(io::Error::other("the file is full"));
        }
        let mut line = b"{\"reason\":".to_vec();
        json::write_string(reason, &mut line);
        line.extend_from_slice(b",\"event\":");
        json::write_string(&String::from_utf8_lossy(document), &mut line);
        line.extend_from_slice(b"}\n");
        file.write_all(&line)?;
        file.sync_data()
    }
}
