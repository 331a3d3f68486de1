//! A pipeline at work: its threads, its numbers, its end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::monitor::{Monitor, Stats};
use super::worker::{Hands, Shared};
use super::{Pipeline, PipelineSettings};
use crate::delivery::DeadLetters;
use crate::input::{Batch, Feed, Input, Stop};
use crate::output::{OutputError, Services};

/// How often filters with a clock of their own are asked what is due, as Logstash does.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// Why a pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder for dead letters cannot be used.
    #[error("cannot use '{path}' for dead letters: {source}")]
    DeadLetters {
        /// The folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// An output cannot work.
    #[error("output '{id}': {source}")]
    Output {
        /// Which.
        id: String,
        /// Why.
        source: OutputError,
    },
    /// The system gives no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// A pipeline at work.
pub struct Running {
    shared: Arc<Shared>,
    stop: Stop,
    abandon: Stop,
    drain: Duration,
    inputs: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    flusher: Option<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts the pipeline's threads.
    pub fn start(self, settings: &PipelineSettings) -> Result<Running, StartError> {
        let folder = settings.dead_letters.join(&settings.id);
        let letters = DeadLetters::open(&folder, settings.dead_letter_bytes)
            .map_err(|source| StartError::DeadLetters { path: folder.display().to_string(), source })?;
        let (stop, abandon) = (Stop::default(), Stop::default());
        let services = Services {
            dead_letters: Arc::new(letters),
            abandon: abandon.clone(),
            delivered: Arc::default(),
            bus: settings.bus.clone(),
        };
        for node in &self.outputs {
            let services = Services { delivered: node.delivered.clone(), ..services.clone() };
            node.output.start(&services).map_err(|source| StartError::Output { id: node.id.clone(), source })?;
        }
        let shared = Arc::new(Shared {
            id: settings.id.clone(),
            filters: self.filters,
            outputs: self.outputs,
            routes: self.routes,
            services,
            received: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            busy_nanos: AtomicU64::new(0),
            inputs: self.inputs.iter().map(|node| (node.id.clone(), node.name, Arc::default())).collect(),
            workers: settings.workers.max(1),
            batch_size: settings.batch_size.max(1),
            batch_delay: settings.batch_delay,
        });
        let workers = shared.workers;
        let (feed, batches) = Feed::new(workers * 2, stop.clone(), settings);
        let mut running = Running {
            shared,
            stop,
            abandon,
            drain: settings.drain,
            inputs: Vec::new(),
            workers: Vec::new(),
            flusher: None,
        };
        running.start_workers(workers, &batches)?;
        running.start_flusher()?;
        for (number, node) in self.inputs.into_iter().enumerate() {
            let received = running.shared.inputs[number].2.clone();
            running.start_input(node.id, node.input, feed.clone().counting(received))?;
        }
        Ok(running)
    }
}

impl Running {
    fn start_workers(&mut self, count: usize, batches: &Receiver<Batch>) -> io::Result<()> {
        for number in 0..count {
            let (shared, batches) = (self.shared.clone(), batches.clone());
            let thread = Builder::new().name(format!("worker-{number}")).spawn(move || shared.work(&batches))?;
            self.workers.push(thread);
        }
        Ok(())
    }

    fn start_flusher(&mut self) -> io::Result<()> {
        if self.shared.filters.flushes() {
            let (shared, stop) = (self.shared.clone(), self.stop.clone());
            let flush = move || {
                let mut hands = Hands::default();
                while !stop.is_set() {
                    stop.sleep(FLUSH_INTERVAL);
                    shared.flush(false, &mut hands);
                }
            };
            self.flusher = Some(Builder::new().name("flush".into()).spawn(flush)?);
        }
        Ok(())
    }

    fn start_input(&mut self, id: String, input: Box<dyn Input>, feed: Feed) -> io::Result<()> {
        let name = format!("in-{id}");
        let name: String = name.chars().filter(|character| *character != '\0').take(15).collect();
        let run = move || {
            if let Err(error) = input.run(&feed) {
                tracing::error!(input = id, %error, "the input ended");
            }
        };
        self.inputs.push(Builder::new().name(name).spawn(run)?);
        Ok(())
    }

    /// Where it stands.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Its numbers, also while [`Running::join`] waits.
    pub fn monitor(&self) -> Monitor {
        Monitor(self.shared.clone())
    }

    /// Whether all inputs have come to their end by themselves.
    pub fn inputs_ended(&self) -> bool {
        self.inputs.iter().all(JoinHandle::is_finished)
    }

    /// Tells the inputs to stop. [`Running::join`] waits for the rest.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Gives up on what is on the way; it is read again at the next start.
    pub fn abandon(&self) {
        self.stop.set();
        self.abandon.set();
    }

    /// The signal that [`Running::abandon`] gives, for use while [`Running::join`] waits.
    pub fn abandon_handle(&self) -> Stop {
        self.abandon.clone()
    }

    /// Waits until the inputs ended (by themselves or after [`Running::stop`]), all their events are filtered, and the
    /// outputs have made them safe; at most as long as the settings allow after the inputs' end.
    ///
    /// Says whether everything was delivered.
    pub fn join(mut self) -> bool {
        let inputs = std::mem::take(&mut self.inputs);
        for input in inputs {
            while !input.is_finished() && !self.stop.is_set() {
                std::thread::sleep(Duration::from_millis(5));
            }
            if self.stop.is_set() {
                // What inputs wait for may never be delivered.
                self.wait_or_abandon(|| input.is_finished());
            }
            finish(input, "an input");
        }
        self.stop.set();
        let workers = std::mem::take(&mut self.workers);
        self.wait_or_abandon(|| workers.iter().all(JoinHandle::is_finished));
        workers.into_iter().for_each(|worker| finish(worker, "a worker"));
        if let Some(flusher) = self.flusher.take() {
            finish(flusher, "the flusher");
            self.shared.flush(true, &mut Hands::default());
        }
        let shared = self.shared.clone();
        let closing = std::thread::spawn(move || shared.outputs.iter().for_each(|node| node.output.close()));
        self.wait_or_abandon(|| closing.is_finished());
        finish(closing, "closing the outputs");
        !self.abandon.is_set()
    }

    /// Waits for something; when it takes longer than the settings allow, the outputs are told to give up.
    fn wait_or_abandon(&self, done: impl Fn() -> bool) {
        let deadline = Instant::now() + self.drain;
        while !done() {
            if Instant::now() >= deadline && !self.abandon.is_set() {
                tracing::warn!(
                    pipeline = self.shared.id,
                    "not everything could be delivered in time; it is read again at the next start"
                );
                self.abandon.set();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn finish(thread: JoinHandle<()>, what: &str) {
    if thread.join().is_err() {
        tracing::error!("{what} panicked; what it worked on is read again at the next start");
    }
}
