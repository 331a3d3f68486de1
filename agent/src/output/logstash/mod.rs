//! `output.logstash`: documents by Lumberjack to Logstash, or to the processor's input `beats`.
//!
//! Documents are cut into windows, which wait in one queue. Every link, a thread with a connection, takes windows from it
//! and sends several before the first is acknowledged. Without `loadbalance` there is one link, which tries the hosts in
//! turn; with it there are `worker` links for each host. When a connection breaks, the windows that are not acknowledged
//! go back to the head of the queue.

mod link;
mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tailrace_common::lumberjack;

use self::link::Link;
use self::queue::{Queue, Window};
use super::{Output, OutputError, OutputStats, TlsSettings};
use crate::document::Documents;
use crate::pipeline::Batch;

/// `output.logstash`
#[derive(Clone, Debug)]
pub struct LogstashSettings {
    /// `hosts`, with ports.
    pub hosts: Vec<String>,
    /// `loadbalance`: all hosts are sent to, not only one of them.
    pub loadbalance: bool,
    /// `worker`, `workers`: connections to each host, with `loadbalance`.
    pub workers: usize,
    /// `compression_level`; 0 sends as it is.
    pub compression_level: u32,
    /// `bulk_max_size`: events per window.
    pub bulk_max_size: usize,
    /// `slow_start`: windows begin small, and again after each failure.
    pub slow_start: bool,
    /// `pipelining`: windows on the way at once.
    pub pipelining: usize,
    /// `timeout`: a far side that says nothing for so long is given up.
    pub timeout: Duration,
    /// `ttl`: how long a connection is used; zero for ever.
    pub ttl: Duration,
    /// `backoff.init` and `backoff.max`
    pub backoff: (Duration, Duration),
    /// `index`: `@metadata.beat`
    pub index: Option<String>,
    /// `ssl`
    pub tls: Option<TlsSettings>,
}

/// How long it is waited for room in the queue before it is looked whether the agent stops.
const GLANCE: Duration = Duration::from_millis(20);
/// The first window of `slow_start`.
const FIRST_WINDOW: usize = 10;

/// How many events the next window may have.
struct WindowSize {
    size: AtomicUsize,
    most: usize,
}

impl WindowSize {
    fn new(settings: &LogstashSettings) -> WindowSize {
        // Zero stands for no limit: a window for each batch of the reader.
        let most = if settings.bulk_max_size == 0 { usize::MAX } else { settings.bulk_max_size };
        let first = if settings.slow_start { FIRST_WINDOW.min(most) } else { most };
        WindowSize { size: AtomicUsize::new(first), most }
    }

    fn get(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// A window of so many events was acknowledged: the next may have half as many more.
    fn acknowledged(&self, count: usize) {
        let size = self.get();
        if size < self.most && count >= size {
            self.size.store(size.saturating_add(size.div_ceil(2)).min(self.most), Ordering::Relaxed);
        }
    }

    /// With `slow_start` windows become smaller after a failure.
    fn failed(&self, slow_start: bool) {
        if slow_start {
            self.size.store((self.get() / 2).max(1), Ordering::Relaxed);
        }
    }
}

pub(super) struct Logstash {
    settings: Arc<LogstashSettings>,
    stop: Arc<AtomicBool>,
    stats: Arc<OutputStats>,
    queue: Arc<Queue>,
    window_size: Arc<WindowSize>,
    /// How many windows may wait or be on the way.
    most: usize,
}

impl Logstash {
    pub(super) fn new(
        settings: &LogstashSettings,
        stats: Arc<OutputStats>,
        stop: Arc<AtomicBool>,
    ) -> Result<Logstash, OutputError> {
        let tls = settings.tls.as_ref().map(TlsSettings::client).transpose()?.map(Arc::new);
        let settings = Arc::new(settings.clone());
        let queue = Arc::new(Queue::default());
        let window_size = Arc::new(WindowSize::new(&settings));
        let hosts: Vec<Vec<String>> = if settings.loadbalance {
            let each = settings.hosts.iter().flat_map(|host| std::iter::repeat_n(host, settings.workers.max(1)));
            each.map(|host| vec![host.clone()]).collect()
        } else {
            // Any of them first, so that several agents do not all choose the same.
            let mut all = settings.hosts.clone();
            let first = usize::from(uuid::Uuid::new_v4().as_bytes()[0]) % all.len().max(1);
            all.rotate_left(first);
            vec![all]
        };
        let most = hosts.len() * settings.pipelining.max(1);
        for hosts in hosts {
            let link = Link {
                hosts,
                settings: settings.clone(),
                tls: tls.clone(),
                stats: stats.clone(),
                stop: stop.clone(),
                queue: queue.clone(),
                window_size: window_size.clone(),
            };
            let started = std::thread::Builder::new().name("logstash".into()).spawn(move || link.run());
            started.map_err(|error| OutputError(format!("cannot start a thread: {error}")))?;
        }
        Ok(Logstash { settings, stop, stats, queue, window_size, most })
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Makes windows of a batch.
    fn cut(&self, batch: Batch, documents: &mut Documents) {
        let most = self.window_size.get();
        let mut frames: Vec<(Vec<u8>, u32)> = Vec::new();
        let mut all = 0;
        documents.write(&batch, |outgoing| {
            all += 1;
            if frames.last().is_none_or(|(_, count)| *count as usize >= most) {
                frames.push((Vec::with_capacity(1 << 16), 0));
            }
            if let Some((bytes, count)) = frames.last_mut() {
                *count += 1;
                lumberjack::write_json(*count, outgoing.bytes, bytes);
            }
        });
        self.stats.took(batch.entries.len(), all);
        let ticket = batch.ticket.share(frames.len());
        for (events, count) in frames {
            let mut bytes = Vec::with_capacity(events.len() / 2);
            lumberjack::write_window(count, &mut bytes);
            if self.settings.compression_level > 0 {
                lumberjack::write_compressed(&events, self.settings.compression_level, &mut bytes);
            } else {
                bytes.extend_from_slice(&events);
            }
            self.queue.push(Window { bytes, count, ticket: ticket.clone() });
        }
    }
}

impl Output for Logstash {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        self.cut(batch, documents);
        while self.queue.unacknowledged() >= self.most && !self.stopping() {
            self.queue.wait_for_room(self.most, GLANCE);
        }
    }

    fn poll(&mut self, _: &mut Documents) -> Duration {
        Duration::from_millis(200)
    }

    fn close(&mut self, deadline: Instant) {
        while self.queue.unacknowledged() > 0 && Instant::now() < deadline && !self.stopping() {
            self.queue.wait_for_room(1, GLANCE);
        }
    }
}

impl Drop for Logstash {
    fn drop(&mut self) {
        // A link that is connecting ends by itself.
        self.queue.close();
    }
}

#[cfg(test)]
mod tests;
