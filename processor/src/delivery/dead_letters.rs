//! Dead letters: events that can never be delivered, kept with the reason.
//!
//! Files of JSON lines in a folder per pipeline. An event is on disk (synced) before it counts as safe. When the folder
//! has reached its limit, further events are dropped, counted and logged, as Logstash's `drop_newer` does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tailrace_common::{Event, Timestamp, json};

/// A new file is begun when one has this many bytes.
const FILE_BYTES: u64 = 16 << 20;

/// The dead letters of one pipeline.
#[derive(Debug)]
pub struct DeadLetters {
    folder: PathBuf,
    limit: u64,
    state: Mutex<State>,
    written: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    number: u64,
    file_bytes: u64,
    total_bytes: u64,
}

impl DeadLetters {
    /// Opens the folder, or makes it; at most `limit` bytes are kept in it.
    pub fn open(folder: &Path, limit: u64) -> io::Result<DeadLetters> {
        fs::create_dir_all(folder)?;
        let mut state = State::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse().ok());
            if let Some(number) = number {
                state.number = state.number.max(number);
                state.total_bytes += entry.metadata()?.len();
            }
        }
        Ok(DeadLetters {
            folder: folder.into(),
            limit,
            state: Mutex::new(state),
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        })
    }

    /// Keeps an event that `plugin` could not deliver for `reason`.
    ///
    /// # Errors
    /// When the disk refuses; the event then must not count as safe.
    pub fn write(&self, event: &Event, plugin: &str, reason: &str) -> io::Result<()> {
        let (mut document, mut metadata) = (Vec::with_capacity(512), Vec::new());
        event.write_json(&mut document);
        json::write_object(event.metadata(), &mut metadata);
        self.write_json(&document, &metadata, plugin, reason)
    }

    /// Keeps a document that is JSON already, with what else is known of it as a JSON object.
    ///
    /// # Errors
    /// As [`DeadLetters::write`].
    pub fn write_json(&self, document: &[u8], metadata: &[u8], plugin: &str, reason: &str) -> io::Result<()> {
        let mut line = Vec::with_capacity(document.len() + 256);
        line.extend_from_slice(b"{\"@timestamp\":\"");
        Timestamp::now().write_iso8601(&mut line);
        line.extend_from_slice(b"\",\"plugin\":");
        json::write_string(plugin, &mut line);
        line.extend_from_slice(b",\"reason\":");
        json::write_string(reason, &mut line);
        line.extend_from_slice(b",\"metadata\":");
        line.extend_from_slice(metadata);
        line.extend_from_slice(b",\"event\":");
        line.extend_from_slice(if document.is_empty() { b"null" } else { document });
        line.extend_from_slice(b"}\n");
        self.append(&line, reason)
    }

    fn append(&self, line: &[u8], reason: &str) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let length = line.len() as u64;
        if state.total_bytes + length > self.limit {
            if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!(folder = %self.folder.display(), limit = self.limit, reason, "the dead letters are full; events are dropped");
            }
            return Ok(());
        }
        if state.file_bytes >= FILE_BYTES {
            state.file = None;
        }
        let file = match &mut state.file {
            Some(file) => file,
            None => {
                state.number += 1;
                state.file_bytes = 0;
                let path = self.folder.join(format!("{:08}.jsonl", state.number));
                let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
                File::open(&self.folder)?.sync_all()?;
                state.file.insert(file)
            }
        };
        file.write_all(line)?;
        file.sync_data()?;
        state.file_bytes += length;
        state.total_bytes += length;
        self.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Events kept since the start.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Bytes of all dead letters that are kept.
    pub fn bytes(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total_bytes
    }

    /// Events dropped since the start because the folder was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn kept_with_reason_across_restarts_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let event = Event::with_message("a".into(), Timestamp::from_millis(0));
        for _ in 0..2 {
            let letters = DeadLetters::open(folder.path(), 10_000).unwrap();
            letters.write(&event, "elasticsearch", "400: no \"mapping\"").unwrap();
        }
        let text = fs::read_to_string(folder.path().join("00000002.jsonl")).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (line["reason"].as_str(), line["event"]["message"].as_str()),
            (Some("400: no \"mapping\""), Some("a"))
        );
        let full = DeadLetters::open(folder.path(), text.len() as u64 * 2 + 1).unwrap();
        full.write(&event, "elasticsearch", "x").unwrap();
        assert_eq!((full.written(), full.dropped()), (0, 1));
    }
}
