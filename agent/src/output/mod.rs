//! Outputs: where documents go. Each runs on the sender's thread and acknowledges batches when they are safe.

mod console;
mod file;
mod kafka;
mod logstash;
pub mod probe;
mod rejected;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

pub use file::FileSettings;
pub use kafka::{KafkaSettings, Partitioner};
pub use logstash::{LogstashSettings, TlsSettings};

use crate::document::Documents;
use crate::pipeline::Batch;
use rejected::Rejected;

/// `output.*`: where documents go.
#[derive(Clone, Debug)]
pub enum OutputSettings {
    /// `output.kafka`
    Kafka(KafkaSettings),
    /// `output.logstash`
    Logstash(LogstashSettings),
    /// `output.file`
    File(FileSettings),
    /// `output.console`
    Console,
    /// `output.discard`
    Discard,
}

/// Why an output cannot be set up at all.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OutputError(pub String);

/// What outputs count.
#[derive(Debug, Default)]
pub struct OutputStats {
    /// Events that are safe: `libbeat.output.events.acked`.
    pub acknowledged: AtomicU64,
    /// Events given up for good and kept in the file of rejected events: `libbeat.output.events.dropped`.
    pub rejected: AtomicU64,
    /// Failures that were tried again: `libbeat.output.events.failed`.
    pub retried: AtomicU64,
}

/// An output at work.
trait Output {
    /// Takes a batch. May wait while too much is on the way; gives up when `stopping` says so, its tickets then are
    /// not acknowledged.
    fn publish(&mut self, batch: Batch, documents: &mut Documents);

    /// Does what is due besides: delivery reports, acknowledgements.
    fn poll(&mut self) {}

    /// Waits for what is on the way, at most until the deadline.
    fn close(&mut self, _deadline: Instant) {}
}

/// The sender's thread.
pub struct Sender {
    stats: Arc<OutputStats>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How long the sender waits for a batch before it looks after the output.
const POLL: Duration = Duration::from_millis(20);

impl Sender {
    /// Starts sending what comes from the reader. `data` is where rejected events are kept.
    ///
    /// # Errors
    /// When the output's settings cannot work.
    pub fn start(
        settings: &OutputSettings,
        mut documents: Documents,
        batches: Receiver<Batch>,
        data: &Path,
    ) -> Result<Sender, OutputError> {
        let stats = Arc::new(OutputStats::default());
        let stop = Arc::new(AtomicBool::new(false));
        let rejected = Arc::new(Rejected::new(data));
        let mut output: Box<dyn Output + Send> = match settings {
            OutputSettings::Kafka(settings) => {
                Box::new(kafka::Kafka::new(settings, stats.clone(), rejected, stop.clone())?)
            }
            OutputSettings::Logstash(settings) => {
                Box::new(logstash::Logstash::new(settings, stats.clone(), stop.clone())?)
            }
            OutputSettings::File(settings) => Box::new(file::FileOutput::new(settings, stats.clone())),
            OutputSettings::Console => Box::new(console::Console::new(stats.clone())),
            OutputSettings::Discard => Box::new(Discard { stats: stats.clone() }),
        };
        let stopping = stop.clone();
        let run = move || {
            let mut deadline = None;
            loop {
                match batches.recv_timeout(POLL) {
                    Ok(batch) => output.publish(batch, &mut documents),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                output.poll();
                if stopping.load(Ordering::Relaxed) {
                    deadline.get_or_insert_with(Instant::now);
                }
            }
            output.close(Instant::now() + CLOSE);
        };
        let thread = std::thread::Builder::new().name("sender".into()).spawn(run);
        let thread = thread.map_err(|error| OutputError(format!("cannot start a thread: {error}")))?;
        Ok(Sender { stats, stop, thread: Some(thread) })
    }

    /// What it counted.
    pub fn stats(&self) -> &Arc<OutputStats> {
        &self.stats
    }

    /// Gives up waiting for the far side: what is not acknowledged is read again at the next start.
    pub fn give_up(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Waits for the thread; the reader must be gone.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sender panicked; what it did not deliver is read again at the next start");
        }
    }
}

/// How long closing an output may take after the reader has let go of it.
const CLOSE: Duration = Duration::from_secs(5);

/// `output.discard`: everything is safe at once.
struct Discard {
    stats: Arc<OutputStats>,
}

impl Output for Discard {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        let mut count = 0;
        documents.write(&batch, |_| count += 1);
        self.stats.acknowledged.fetch_add(count, Ordering::Relaxed);
        batch.ticket.acknowledge();
    }
}

/// Writes a file that only its owner can read, all of it or nothing.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
