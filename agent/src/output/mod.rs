//! Outputs: where documents go. Each runs on the sender's thread and acknowledges batches when they are safe.

mod console;
mod elasticsearch;
mod file;
mod kafka;
mod logstash;
pub mod probe;
mod rejected;
#[cfg(test)]
mod testing;
mod tls;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

pub use elasticsearch::{ElasticsearchSettings, Secret};
pub use file::FileSettings;
pub use kafka::{
    Broker, Cluster, ClusterState, KafkaSettings, LaneCounts, Oversized, PartitionSettings, Partitioner, TopicRule,
    Window,
};
pub use logstash::LogstashSettings;
pub use tls::{Pem, TlsSettings, TlsVersion, Verification};

use crate::document::{Decor, Documents};
use crate::pipeline::{Batch, Holds};
use crate::processors::Chain;
use rejected::Rejected;
pub(crate) use tls::is_pem;

/// `output.*`: where documents go.
#[derive(Clone, Debug)]
pub enum OutputSettings {
    /// `output.kafka`
    Kafka(KafkaSettings),
    /// `output.logstash`
    Logstash(LogstashSettings),
    /// `output.elasticsearch`
    Elasticsearch(ElasticsearchSettings),
    /// `output.file`
    File(FileSettings),
    /// `output.console`
    Console,
    /// `output.discard`
    Discard,
}

impl OutputSettings {
    /// Whether it looks at events as a whole, and not only at single fields of them.
    pub fn sees_events(&self) -> bool {
        matches!(self, OutputSettings::Kafka(kafka) if kafka.topics.iter().any(|rule| rule.when.is_some()))
    }

    /// Its name in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            OutputSettings::Kafka(_) => "kafka",
            OutputSettings::Logstash(_) => "logstash",
            OutputSettings::Elasticsearch(_) => "elasticsearch",
            OutputSettings::File(_) => "file",
            OutputSettings::Console => "console",
            OutputSettings::Discard => "discard",
        }
    }
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
    /// Events larger than the output takes: cut or rejected, as its settings say.
    pub oversized: AtomicU64,
    /// Events that processors dropped.
    pub filtered: AtomicU64,
    /// Batches taken.
    pub batches: AtomicU64,
    /// Configurations taken over while running.
    pub reloads: AtomicU64,
    /// Kafka's brokers.
    pub cluster: Arc<Cluster>,
    lanes: Mutex<Vec<LaneStats>>,
}

/// One topic as `/stats` and `/metrics` show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Its name.
    pub topic: String,
    /// Whether events go out.
    pub open: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Bytes that wait or are under way.
    pub waiting_bytes: u64,
    /// Bytes on disk.
    pub spooled_bytes: u64,
    /// Files that are not read because of it.
    pub held_files: u64,
    /// Events that Kafka has.
    pub acknowledged: u64,
    /// Events that Kafka will never take.
    pub rejected: u64,
    /// Events that were refused and went again.
    pub retried: u64,
}

impl OutputStats {
    /// A batch was taken: so many entries of it became so many documents.
    fn took(&self, entries: usize, documents: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.filtered.fetch_add(entries.saturating_sub(documents) as u64, Ordering::Relaxed);
    }

    /// Every topic, as of half a second ago or later.
    pub fn lanes(&self) -> Vec<LaneStats> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_lanes(&self, lanes: Vec<LaneStats>) {
        *self.lanes.lock().unwrap_or_else(PoisonError::into_inner) = lanes;
    }
}

/// An output at work.
trait Output {
    /// Takes a batch. May wait while too much is on the way; gives up when `stopping` says so, its tickets then are
    /// not acknowledged.
    fn publish(&mut self, batch: Batch, documents: &mut Documents);

    /// Does what is due besides: delivery reports, acknowledgements. Says how long it may wait for the next time.
    fn poll(&mut self, _documents: &mut Documents) -> Duration {
        POLL
    }

    /// Waits for what is on the way, at most until the deadline.
    fn close(&mut self, _deadline: Instant) {}
}

/// The sender's thread.
pub struct Sender {
    stats: Arc<OutputStats>,
    reloads: Reloads,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How long the sender waits for a batch before it looks after the output.
const POLL: Duration = Duration::from_millis(50);

impl Sender {
    /// Starts sending what comes from the reader. `data` is where rejected events are kept.
    ///
    /// # Errors
    /// When the output's settings cannot work.
    pub fn start(
        settings: &OutputSettings,
        mut documents: Documents,
        batches: Receiver<Batch>,
        holds: Holds,
        data: &Path,
    ) -> Result<Sender, OutputError> {
        let stats = Arc::new(OutputStats::default());
        let stop = Arc::new(AtomicBool::new(false));
        let rejected = Arc::new(Rejected::new(data));
        let mut output: Box<dyn Output + Send> = match settings {
            OutputSettings::Kafka(settings) => {
                Box::new(kafka::Kafka::new(settings, stats.clone(), rejected, stop.clone(), holds)?)
            }
            OutputSettings::Logstash(settings) => {
                Box::new(logstash::Logstash::new(settings, stats.clone(), stop.clone())?)
            }
            OutputSettings::Elasticsearch(settings) => {
                Box::new(elasticsearch::Elasticsearch::new(settings, stats.clone(), rejected, stop.clone())?)
            }
            OutputSettings::File(settings) => Box::new(file::FileOutput::new(settings, stats.clone(), stop.clone())),
            OutputSettings::Console => Box::new(console::Console::new(stats.clone())),
            OutputSettings::Discard => Box::new(Discard { stats: stats.clone() }),
        };
        let reloads = Reloads::default();
        let reloading = reloads.clone();
        let run = move || {
            let mut wait = Duration::ZERO;
            loop {
                match batches.recv_timeout(wait) {
                    Ok(batch) => {
                        reloading.take(&mut documents);
                        output.publish(batch, &mut documents);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                // While batches come, each publish does what is due.
                wait = if batches.is_empty() { output.poll(&mut documents) } else { Duration::ZERO };
            }
            output.close(Instant::now() + CLOSE);
        };
        let thread = std::thread::Builder::new().name("sender".into()).spawn(run);
        let thread = thread.map_err(|error| OutputError(format!("cannot start a thread: {error}")))?;
        Ok(Sender { stats, reloads, stop, thread: Some(thread) })
    }

    /// What it counted.
    pub fn stats(&self) -> &Arc<OutputStats> {
        &self.stats
    }

    /// For changing its inputs from elsewhere.
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
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

/// Gives the sender other inputs, and other processors of all inputs, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Reloads(Arc<Mutex<Option<Reload>>>);

#[derive(Debug, Default)]
struct Reload {
    decors: Vec<Decor>,
    processors: Chain,
}

impl Reloads {
    /// Goes on with these. To be called before the reader is told.
    pub fn put(&self, decors: Vec<Decor>, processors: Chain) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = waiting.get_or_insert_default();
        // What was not taken over yet may have been read meanwhile.
        waiting.decors.extend(decors);
        waiting.processors = processors;
    }

    fn take(&self, documents: &mut Documents) {
        if let Some(Reload { decors, processors }) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            documents.reload(decors, processors);
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
        self.stats.took(batch.entries.len(), count as usize);
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
