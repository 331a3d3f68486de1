//! Outputs: where events go.

use tailrace_common::Event;

use std::sync::Arc;

use crate::delivery::{Bus, DeadLetters, Share};
use crate::input::Stop;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

mod common;
mod elasticsearch;
mod email;
mod exec;
mod file;
mod http;
mod kafka;
mod local;
mod null;
mod pipeline;
mod socket;
mod stdout;
mod tcp_server;
mod zabbix;

use common::{common_options, connect, document_id};

/// An output, compiled.
pub trait Output: Send + Sync {
    /// Starts what it needs besides the workers: connections, threads.
    ///
    /// # Errors
    /// When it can never work: a folder that cannot be made, an index that another process writes.
    fn start(&self, _services: &Services) -> Result<(), OutputError> {
        Ok(())
    }

    /// Takes events. `share` is done when all of them are safe: delivered or in the dead letters. May wait: that is how
    /// a slow destination holds up its workers.
    fn write(&self, events: &[&Event], share: Share);

    /// Waits until what was taken is safe; gives up when `stop` is set a second time or at the deadline of the pipeline.
    fn close(&self) {}
}

/// What outputs share with their pipeline.
#[derive(Clone)]
pub struct Services {
    /// Where undeliverable events go.
    pub dead_letters: Arc<DeadLetters>,
    /// Set when the pipeline is to end at once, delivered or not.
    pub abandon: Stop,
    /// Counts events that are safe.
    pub delivered: Arc<std::sync::atomic::AtomicU64>,
    /// The other pipelines of this process.
    pub bus: Arc<Bus>,
}

impl Services {
    /// Counts events as delivered.
    pub fn count(&self, delivered: usize) {
        self.delivered.fetch_add(delivered as u64, std::sync::atomic::Ordering::Relaxed);
    }

    /// Keeps an event that cannot be delivered in the dead letters; false when the disk refuses it.
    fn bury(&self, event: &Event, output: &str, reason: &str) -> bool {
        let written = self.dead_letters.write(event, output, reason);
        if let Err(error) = &written {
            tracing::error!(output, %error, reason, "cannot write a dead letter; the batch is not committed");
        }
        written.is_ok()
    }
}

/// Why an output cannot work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OutputError(pub String);

/// Builds an output from its options.
pub type BuildOutput = fn(Options<'_>, &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid>;

/// An output that configurations can name.
pub struct OutputDefinition {
    /// `elasticsearch`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Makes one.
    pub build: BuildOutput,
}

/// All outputs, sorted by name.
pub static OUTPUTS: &[OutputDefinition] = &[
    elasticsearch::DEFINITION,
    email::DEFINITION,
    exec::DEFINITION,
    file::DEFINITION,
    http::DEFINITION,
    kafka::DEFINITION,
    local::DEFINITION,
    null::DEFINITION,
    elasticsearch::OPENSEARCH,
    pipeline::DEFINITION,
    stdout::DEFINITION,
    socket::TCP,
    socket::UDP,
    zabbix::DEFINITION,
];

/// The output of that name.
pub fn find(name: &str) -> Option<&'static OutputDefinition> {
    OUTPUTS.iter().find(|definition| definition.name == name)
}
