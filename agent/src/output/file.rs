//! `output.file`: documents in files that rotate.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Output, OutputStats};
use crate::document::Documents;
use crate::pipeline::Batch;
use crate::rolling;

/// `output.file`
#[derive(Clone, Debug)]
pub struct FileSettings {
    /// `path`: the folder.
    pub path: PathBuf,
    /// `filename`: the start of the names; Filebeat adds the date.
    pub filename: String,
    /// `rotate_every_kb`, in bytes.
    pub rotate_every: u64,
    /// `number_of_files`: older ones are deleted.
    pub number_of_files: usize,
    /// `rotate_on_startup`: every start begins a new file.
    pub rotate_on_startup: bool,
    /// `permissions`
    pub permissions: u32,
}

/// How long after a failed write it is tried again.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub(super) struct FileOutput {
    settings: FileSettings,
    stats: Arc<OutputStats>,
    stop: Arc<AtomicBool>,
    file: Option<(File, u64)>,
    /// Whether a file was opened since the start.
    begun: bool,
    text: Vec<u8>,
}

impl FileOutput {
    pub(super) fn new(settings: &FileSettings, stats: Arc<OutputStats>, stop: Arc<AtomicBool>) -> FileOutput {
        FileOutput { settings: settings.clone(), stats, stop, file: None, begun: false, text: Vec::new() }
    }

    fn append(&mut self) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|(_, written)| *written >= self.settings.rotate_every) {
            self.file = None;
        }
        let (file, written) = match &mut self.file {
            Some(open) => open,
            None => {
                let anew = self.settings.rotate_on_startup && !self.begun;
                let opened = self.open(if anew { 0 } else { self.settings.rotate_every.saturating_sub(1) })?;
                self.begun = true;
                self.file.insert(opened)
            }
        };
        if let Err(error) = file.write_all(&self.text) {
            // Half a document would spoil the next one.
            file.set_len(*written)?;
            return Err(error);
        }
        *written += self.text.len() as u64;
        Ok(())
    }

    /// The last file of today, if it has at most `largest` bytes, else the next one.
    fn open(&self, largest: u64) -> io::Result<(File, u64)> {
        let FileSettings { path, filename, permissions, .. } = &self.settings;
        let opened = rolling::open(path, filename, *permissions, largest)?;
        rolling::keep(path, filename, self.settings.number_of_files)?;
        Ok(opened)
    }
}

impl Output for FileOutput {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        self.text.clear();
        let mut count = 0;
        documents.write(&batch, |outgoing| {
            self.text.extend_from_slice(outgoing.bytes);
            self.text.push(b'\n');
            count += 1;
        });
        let mut wait = SHORTEST_WAIT;
        // A full disk may have room again later.
        while let Err(error) = self.append() {
            tracing::error!(%error, path = %self.settings.path.display(), "cannot write; trying again");
            self.stats.retried.fetch_add(count, Ordering::Relaxed);
            self.file = None;
            let until = Instant::now() + wait;
            while Instant::now() < until {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(SHORTEST_WAIT / 4);
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        self.stats.acknowledged.fetch_add(count, Ordering::Relaxed);
        batch.ticket.acknowledge();
    }
}
