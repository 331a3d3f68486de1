//! filebeat.yml: read with the place of every key, checked whole, compiled.

mod codec;
mod inputs;
mod load;
mod outputs;
mod parsers;
pub(crate) mod section;
pub(crate) mod value;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use parsers::syslog_settings;

pub use load::{ConfigError, Overrides, from_text, load};
pub use section::Finding;

use crate::document::{Codec, Decor, Precision};
use crate::output::OutputSettings;
use crate::processors::Chain;

/// A configuration, ready to run.
#[derive(Debug)]
pub struct Config {
    /// `name`: of this agent, else the host's.
    pub name: String,
    /// `path.data`
    pub data: PathBuf,
    /// Inputs that are enabled.
    pub inputs: Vec<Decor>,
    /// `processors` of all inputs.
    pub processors: Chain,
    /// `output.*`
    pub output: OutputSettings,
    /// `codec` of the output.
    pub codec: Codec,
    /// `timestamp.precision`
    pub precision: Precision,
    /// `filebeat.registry.flush`
    pub registry_flush: Duration,
    /// `filebeat.registry.file_permissions`
    pub registry_permissions: u32,
    /// `filebeat.shutdown_timeout`: how long a stop waits for acknowledgements.
    pub shutdown_timeout: Duration,
    /// `queue.mem`, in bytes: how much may be read but not yet sent.
    pub memory_limit: usize,
    /// `logging.level`
    pub log_level: String,
    /// `document_id.enabled`: whether events bear a deterministic `@metadata._id`. Ours.
    pub document_ids: bool,
    /// What is worth saying although it is no error.
    pub notices: Vec<Finding>,
}

#[cfg(test)]
mod tests;
