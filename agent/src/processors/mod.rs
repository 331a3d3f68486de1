//! `processors` of an input and of the agent: what changes events between reader and output. One file, one processor.
//!
//! A processor that does the same to every event of a file says so ([`Processor::is_per_file`]); chains of nothing else
//! are run once per file, over its template, and its lines are still written straight from the read buffer.

mod add_cloud_metadata;
mod add_docker_metadata;
mod add_fields;
mod add_host_metadata;
mod add_id;
mod add_kubernetes_metadata;
mod add_labels;
mod add_locale;
mod add_network_direction;
mod add_observer_metadata;
mod add_process_metadata;
mod add_tags;
mod append;
mod case;
mod community_id;
mod condition;
mod convert;
mod copy_fields;
mod decode_base64_field;
mod decode_csv_fields;
mod decode_duration;
mod decode_json_fields;
mod decode_xml;
mod decompress_gzip_field;
mod detect_mime_type;
mod dissect;
mod dns;
mod dnsmessage;
mod drop_event;
mod drop_fields;
mod edit;
mod extract_array;
mod field;
mod fingerprint;
mod golayout;
mod include_fields;
mod move_fields;
mod network;
mod now;
mod rate_limit;
mod read;
mod registered_domain;
mod rename;
mod replace;
mod syslog;
mod timestamp;
mod tokenizer;
mod truncate_fields;
mod urldecode;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tailrace_common::Event;

pub(crate) use condition::Condition;
pub(crate) use field::Field;
pub(crate) use read::read;

use crate::pipeline::{Awaited, Awaits, FileMeta};

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Keep,
    /// It is dropped.
    Drop,
}

/// Why a processor could not do its work; the event goes on as the processor left it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// What a processor comes to.
pub type Outcome = Result<Verdict, Failure>;

/// One processor.
pub trait Processor: Send + Sync + fmt::Debug {
    /// Changes an event of this file.
    ///
    /// # Errors
    /// When it could not do its work.
    fn run(&self, event: &mut Event, file: &FileMeta) -> Outcome;

    /// Whether it does the same to all plain lines of a file: it neither reads nor writes what differs between them
    /// ([`Field::varies`]).
    fn is_per_file(&self) -> bool {
        false
    }

    /// After which time a processor of files is to be asked again about this one.
    fn valid_for(&self, _file: &FileMeta) -> Option<Duration> {
        None
    }

    /// Begins to look up what it adds. Called when the agent starts and when it takes over another configuration; may be
    /// called again and must not wait.
    fn start(&self) {}

    /// Whether the lines of a file should wait for what it adds; `waited` is how long they have been.
    fn awaits(&self, _file: &FileMeta, _waited: Duration) -> Awaits {
        Awaits::Nothing
    }
}

/// Processors in order.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    steps: Arc<[Arc<dyn Processor>]>,
    failures: Arc<AtomicU64>,
}

impl Chain {
    /// These processors.
    pub fn new(processors: Vec<Arc<dyn Processor>>) -> Chain {
        Chain { steps: processors.into(), failures: Arc::default() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether all of them do the same to every plain line of a file.
    pub fn is_per_file(&self) -> bool {
        self.steps.iter().all(|step| step.is_per_file())
    }

    /// After which time the shortest-lived of what they add to a file is to be looked up again.
    pub fn valid_for(&self, file: &FileMeta) -> Option<Duration> {
        self.steps.iter().filter_map(|step| step.valid_for(file)).min()
    }

    /// Lets them begin to look up what they add.
    pub fn start(&self) {
        self.steps.iter().for_each(|step| step.start());
    }

    /// How often one of them failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Runs them; a failure is counted, and the event goes on.
    pub fn run(&self, event: &mut Event, file: &FileMeta) -> Verdict {
        for step in self.steps.iter() {
            match step.run(event, file) {
                Ok(Verdict::Keep) => {}
                Ok(Verdict::Drop) => return Verdict::Drop,
                Err(failure) => {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(processor = ?step, %failure, "a processor failed");
                }
            }
        }
        Verdict::Keep
    }
}

impl Awaited for Chain {
    fn awaits(&self, file: &FileMeta, waited: Duration) -> Awaits {
        self.steps.iter().map(|step| step.awaits(file, waited)).max().unwrap_or(Awaits::Nothing)
    }
}
