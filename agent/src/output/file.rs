//! `output.file`: documents in files that rotate.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tailrace_common::Timestamp;

use super::{Output, OutputStats};
use crate::document::Documents;
use crate::pipeline::Batch;

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
    /// `permissions`
    pub permissions: u32,
}

pub(super) struct FileOutput {
    settings: FileSettings,
    stats: Arc<OutputStats>,
    file: Option<(File, u64)>,
    text: Vec<u8>,
}

impl FileOutput {
    pub(super) fn new(settings: &FileSettings, stats: Arc<OutputStats>) -> FileOutput {
        FileOutput { settings: settings.clone(), stats, file: None, text: Vec::new() }
    }

    fn append(&mut self) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|(_, written)| *written >= self.settings.rotate_every) {
            self.file = None;
        }
        let (file, written) = match &mut self.file {
            Some(open) => open,
            None => {
                let opened = self.open()?;
                self.file.insert(opened)
            }
        };
        file.write_all(&self.text)?;
        *written += self.text.len() as u64;
        Ok(())
    }

    /// `NAME-20240315.ndjson`, then `NAME-20240315-1.ndjson` and so on.
    fn open(&self) -> io::Result<(File, u64)> {
        fs::create_dir_all(&self.settings.path)?;
        let date = Timestamp::now().date();
        let stem = format!("{}-{:04}{:02}{:02}", self.settings.filename, date.year, date.month, date.day);
        for number in 0_u32.. {
            let suffix = if number == 0 { String::new() } else { format!("-{number}") };
            let path = self.settings.path.join(format!("{stem}{suffix}.ndjson"));
            let length = match fs::metadata(&path) {
                Ok(metadata) if metadata.len() >= self.settings.rotate_every => continue,
                Ok(metadata) => metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(error),
            };
            let file = OpenOptions::new().append(true).create(true).mode(self.settings.permissions).open(&path)?;
            self.remove_oldest()?;
            return Ok((file, length));
        }
        Err(io::Error::other("no free name"))
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let ours = |name: &str| name.starts_with(&format!("{}-", self.settings.filename)) && name.ends_with(".ndjson");
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.settings.path)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(ours) {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(self.settings.number_of_files);
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
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
        // A full disk may have room again later.
        for wait in [0, 100, 1000, 5000] {
            std::thread::sleep(Duration::from_millis(wait));
            match self.append() {
                Ok(()) => {
                    self.stats.acknowledged.fetch_add(count, Ordering::Relaxed);
                    batch.ticket.acknowledge();
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, path = %self.settings.path.display(), "cannot write");
                    self.stats.retried.fetch_add(count, Ordering::Relaxed);
                    self.file = None;
                }
            }
        }
    }
}
