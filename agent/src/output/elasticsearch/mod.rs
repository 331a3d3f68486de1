//! `output.elasticsearch`: documents by bulk requests, for sites without Kafka.
//!
//! Documents are created, never overwritten, under their deterministic ids: one that is there already (409) was delivered
//! before. What the far side cannot take now is sent again; what it never will is kept in the file of rejected events.

mod client;
mod response;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tailrace_common::json;

use self::client::Client;
use self::response::{Fate, fates};
use super::rejected::Rejected;
use super::{Output, OutputError, OutputStats, TlsSettings};
use crate::document::{Documents, Fields, Format, Reference};
use crate::pipeline::{Batch, Ticket};

/// `output.elasticsearch`
#[derive(Clone, Debug)]
pub struct ElasticsearchSettings {
    /// `hosts`, as complete addresses; they are tried in turn.
    pub hosts: Vec<String>,
    /// `username` and `password`, or `api_key`: the header `Authorization`.
    pub authorization: Option<Secret>,
    /// `headers`
    pub headers: Vec<(String, String)>,
    /// `parameters` of the address.
    pub parameters: Vec<(String, String)>,
    /// `index`
    pub index: Format,
    /// `pipeline`
    pub pipeline: Option<Format>,
    /// `bulk_max_size`: documents per request.
    pub bulk_max_size: usize,
    /// `timeout` of a request.
    pub timeout: Duration,
    /// `backoff.init` and `backoff.max`
    pub backoff: (Duration, Duration),
    /// `compression_level`; 0 sends as it is.
    pub compression_level: u32,
    /// `ssl`
    pub tls: TlsSettings,
}

/// Asks a host who it is; what went wrong comes back.
pub(super) fn ping(settings: &ElasticsearchSettings) -> Result<(), String> {
    Client::new(settings).map_err(|error| error.to_string())?.ping()
}

/// A text that is not shown.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// A request is sent when it is so large, however few documents it has.
const LARGEST: usize = 8 << 20;
/// A document waits for others no longer than this.
const GATHER: Duration = Duration::from_millis(50);

/// A document in a bulk request: its action and its source, a line each.
struct Item {
    action: Vec<u8>,
    source: Vec<u8>,
}

pub(super) struct Elasticsearch {
    settings: ElasticsearchSettings,
    client: Client,
    stats: Arc<OutputStats>,
    rejected: Arc<Rejected>,
    stop: Arc<AtomicBool>,
    names: Names,
    items: Vec<Item>,
    bytes: usize,
    /// Acknowledged when all of `items` are safe.
    tickets: Vec<Ticket>,
    since: Option<Instant>,
}

/// The fields that decide where a document goes.
struct Names {
    id: Reference,
    index: Reference,
    pipeline: Reference,
}

impl Elasticsearch {
    pub(super) fn new(
        settings: &ElasticsearchSettings,
        stats: Arc<OutputStats>,
        rejected: Arc<Rejected>,
        stop: Arc<AtomicBool>,
    ) -> Result<Elasticsearch, OutputError> {
        Ok(Elasticsearch {
            client: Client::new(settings)?,
            settings: settings.clone(),
            stats,
            rejected,
            stop,
            names: Names {
                id: Reference::dotted("@metadata._id"),
                index: Reference::dotted("@metadata.raw_index"),
                pipeline: Reference::dotted("@metadata.pipeline"),
            },
            items: Vec::new(),
            bytes: 0,
            tickets: Vec::new(),
            since: None,
        })
    }

    /// Sends all that is gathered, until all of it is safe or the agent stops.
    fn flush(&mut self) {
        let mut items = std::mem::take(&mut self.items);
        let tickets = std::mem::take(&mut self.tickets);
        self.bytes = 0;
        self.since = None;
        let mut wait = self.settings.backoff.0;
        let mut most = self.settings.bulk_max_size;
        while !items.is_empty() {
            let count = items.len().min(most);
            let progress = match self.client.bulk(&items[..count]) {
                Ok(answer) => self.settle(&answer, count, &mut items),
                Err(client::Failure::TooLarge) if count > 1 => {
                    most = count / 2;
                    continue;
                }
                Err(client::Failure::TooLarge) => {
                    let item = items.remove(0);
                    self.reject(&item, "the request is too large for Elasticsearch")
                }
                Err(client::Failure::Again(reason)) => {
                    tracing::warn!(reason, retry_in_ms = wait.as_millis() as u64, "cannot deliver to elasticsearch");
                    false
                }
            };
            if progress {
                wait = self.settings.backoff.0;
                continue;
            }
            self.stats.retried.fetch_add(count as u64, Ordering::Relaxed);
            if !self.pause(wait) {
                return;
            }
            wait = (wait * 2).min(self.settings.backoff.1);
        }
        tickets.into_iter().for_each(Ticket::acknowledge);
    }

    /// Takes away what is settled of the first `count`; whether that was anything.
    fn settle(&mut self, answer: &[u8], count: usize, items: &mut Vec<Item>) -> bool {
        let Some(fates) = fates(answer, count) else {
            tracing::warn!("elasticsearch's answer cannot be read");
            return false;
        };
        let mut kept = Vec::new();
        let mut reason = None;
        for (item, fate) in items.drain(..count).zip(fates) {
            match fate {
                Fate::Delivered => drop(self.stats.acknowledged.fetch_add(1, Ordering::Relaxed)),
                Fate::Again(why) => {
                    reason = Some(why);
                    kept.push(item);
                }
                Fate::Never(why) => {
                    if !self.reject(&item, &why) {
                        kept.push(item);
                    }
                }
            }
        }
        let progress = kept.len() < count;
        if let Some(reason) = reason {
            tracing::warn!(reason, documents = kept.len(), "elasticsearch cannot take documents now");
        }
        // They go first again, so that the order stays.
        kept.append(items);
        *items = kept;
        progress
    }

    /// Keeps what will never be taken; `false` when it cannot be kept.
    fn reject(&self, item: &Item, reason: &str) -> bool {
        let kept = self.rejected.keep(&item.source, reason);
        if kept {
            self.stats.rejected.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Waits; `false` when the agent stops meanwhile.
    fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20).min(wait));
        }
        !self.stop.load(Ordering::Relaxed)
    }
}

impl Output for Elasticsearch {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        let Elasticsearch { settings, names, items, bytes, rejected, stats, .. } = self;
        let mut written = 0;
        documents.write(&batch, |outgoing| {
            written += 1;
            let index = outgoing.view.text(&names.index).map(std::borrow::Cow::into_owned);
            let Some(index) = index.or_else(|| settings.index.text(&outgoing.view)) else {
                if rejected.keep(outgoing.bytes, "the index names a field that the document does not have") {
                    stats.rejected.fetch_add(1, Ordering::Relaxed);
                }
                return;
            };
            let pipeline = outgoing.view.text(&names.pipeline).map(std::borrow::Cow::into_owned);
            let pipeline = pipeline.or_else(|| settings.pipeline.as_ref()?.text(&outgoing.view));
            let mut action = b"{\"create\":{\"_index\":".to_vec();
            json::write_string(&index, &mut action);
            for (name, value) in [("_id", outgoing.view.text(&names.id)), ("pipeline", pipeline.map(Into::into))] {
                if let Some(value) = value {
                    action.extend_from_slice(format!(",\"{name}\":").as_bytes());
                    json::write_string(&value, &mut action);
                }
            }
            action.extend_from_slice(b"}}");
            *bytes += action.len() + outgoing.bytes.len();
            items.push(Item { action, source: outgoing.bytes.to_vec() });
        });
        stats.took(batch.entries.len(), written);
        self.tickets.push(batch.ticket);
        self.since.get_or_insert_with(Instant::now);
        if self.items.len() >= self.settings.bulk_max_size || self.bytes >= LARGEST {
            self.flush();
        }
    }

    fn poll(&mut self, _: &mut Documents) -> Duration {
        match self.since.map(|since| since.elapsed()) {
            None => Duration::from_millis(200),
            Some(waited) if waited < GATHER => GATHER - waited,
            Some(_) => {
                self.flush();
                Duration::ZERO
            }
        }
    }

    fn close(&mut self, _deadline: Instant) {
        self.flush();
    }
}

#[cfg(test)]
mod tests;
