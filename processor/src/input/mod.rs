//! Inputs: where records come from. Each runs on a thread of its own and hands batches to the workers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};
use tailrace_common::{Event, Timestamp};

use crate::delivery::{Bus, Lease};
use crate::options::{Invalid, Options};
use crate::pipeline::PipelineSettings;
use crate::plugin::BuildContext;

mod beats;
mod common;
mod cron;
mod dead_letters;
mod exec;
mod file;
mod generator;
mod heartbeat;
mod http;
mod kafka;
mod net;
mod pipeline;
mod stdin;
mod syslog;
mod tcp;
mod texts;
mod udp;

pub(crate) use net::{MOST_CONNECTIONS, Stream, shaken};

pub use common::InputDecoration;

/// An input, compiled.
pub trait Input: Send {
    /// Reads until there is nothing more to read or the pipeline stops. What it hands over may still be read again
    /// (Kafka, beats) until the lease of its batch is released.
    ///
    /// # Errors
    /// When it can never go on: the port is taken, the certificate is wrong. What can pass is retried inside.
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError>;
}

/// Why an input ended.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InputError(pub String);

/// Builds an input from its options.
pub type BuildInput = fn(Options<'_>, &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid>;

/// An input that configurations can name.
pub struct InputDefinition {
    /// `kafka`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Makes one.
    pub build: BuildInput,
}

/// All inputs, sorted by name.
pub static INPUTS: &[InputDefinition] = &[
    beats::DEFINITION,
    dead_letters::DEFINITION,
    exec::DEFINITION,
    file::DEFINITION,
    generator::DEFINITION,
    heartbeat::DEFINITION,
    http::DEFINITION,
    kafka::DEFINITION,
    pipeline::DEFINITION,
    stdin::DEFINITION,
    syslog::DEFINITION,
    tcp::DEFINITION,
    udp::DEFINITION,
];

/// The input of that name.
pub fn find(name: &str) -> Option<&'static InputDefinition> {
    INPUTS.iter().find(|definition| definition.name == name)
}

/// Records on their way to a worker, which decodes them.
pub trait Records: Send {
    /// Makes events of them.
    fn events(self: Box<Self>, now: Timestamp) -> Vec<Event>;
}

impl<F: FnOnce(Timestamp) -> Vec<Event> + Send> Records for F {
    fn events(self: Box<Self>, now: Timestamp) -> Vec<Event> {
        self(now)
    }
}

/// What an input hands over at once.
pub struct Batch {
    /// The records.
    pub records: Box<dyn Records>,
    /// How many there are.
    pub count: usize,
    /// Released when all of them are safe.
    pub lease: Lease,
}

/// What a running input is given.
#[derive(Clone)]
pub struct Feed {
    sender: Sender<Batch>,
    stop: Stop,
    closed: Arc<AtomicBool>,
    /// Records handed over by this input.
    received: Arc<AtomicU64>,
    /// `pipeline.batch.size`: records per batch.
    pub batch_size: usize,
    /// `pipeline.batch.delay`: how long an input waits for a batch to fill.
    pub batch_delay: Duration,
    /// `path.data`: where inputs keep their positions.
    pub data: PathBuf,
    /// How long an input that stops waits for what is on the way.
    pub drain: Duration,
    /// The other pipelines of this process.
    pub bus: Arc<Bus>,
}

/// The pipeline is gone or about to go.
#[derive(Debug)]
pub struct Stopped;

impl Feed {
    /// A feed and its other end; at most `capacity` batches wait in between.
    pub fn new(capacity: usize, stop: Stop, settings: &PipelineSettings) -> (Feed, Receiver<Batch>) {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        let feed = Feed {
            sender,
            stop,
            closed: Arc::default(),
            received: Arc::default(),
            batch_size: settings.batch_size.max(1),
            batch_delay: settings.batch_delay,
            data: settings.data.clone(),
            drain: settings.drain,
            bus: settings.bus.clone(),
        };
        (feed, receiver)
    }

    /// The feed of one input, with a counter of its own.
    pub fn counting(mut self, received: Arc<AtomicU64>) -> Feed {
        self.received = received;
        self
    }

    fn count(&self, records: usize) {
        self.received.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Hands a batch over; waits while the workers are busy.
    pub fn send(&self, batch: Batch) -> Result<(), Stopped> {
        let count = batch.count;
        self.sender.send(batch).map_err(|_| Stopped)?;
        self.count(count);
        Ok(())
    }

    /// Hands a batch over unless the workers are busy; then it comes back.
    pub fn offer(&self, batch: Batch) -> Result<(), Batch> {
        let count = batch.count;
        match self.sender.send_timeout(batch, Duration::from_millis(5)) {
            Ok(()) => {
                self.count(count);
                Ok(())
            }
            Err(error) => {
                self.closed.store(matches!(error, SendTimeoutError::Disconnected(_)), Ordering::Relaxed);
                Err(error.into_inner())
            }
        }
    }

    /// Hands a batch over if the workers have room for it now; else it comes back.
    pub fn try_send(&self, batch: Batch) -> Result<Option<Batch>, Stopped> {
        let count = batch.count;
        match self.sender.try_send(batch) {
            Ok(()) => {
                self.count(count);
                Ok(None)
            }
            Err(TrySendError::Full(batch)) => Ok(Some(batch)),
            Err(TrySendError::Disconnected(_)) => Err(Stopped),
        }
    }

    /// Whether the workers are gone.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Hands over records that cannot be read again.
    pub fn send_free(
        &self,
        count: usize,
        records: impl FnOnce(Timestamp) -> Vec<Event> + Send + 'static,
    ) -> Result<(), Stopped> {
        self.send(Batch { records: Box::new(records), count, lease: Lease::free() })
    }

    /// Whether the pipeline is about to stop.
    pub fn stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// The signal itself.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

/// The signal to stop, shared by all parts of a pipeline.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Gives the signal.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was given.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits for a time, less when the signal is given.
    pub fn sleep(&self, time: Duration) {
        const STEP: Duration = Duration::from_millis(50);
        let mut left = time;
        while !left.is_zero() && !self.is_set() {
            let step = left.min(STEP);
            std::thread::sleep(step);
            left -= step;
        }
    }
}
