//! filebeat.yml: read with the place of every key, checked whole, compiled.

mod codec;
mod elasticsearch;
mod environment;
mod filestream;
mod input_files;
mod inputs;
mod kafka;
mod kafka_security;
mod load;
mod network;
mod old_inputs;
mod operation;
mod outputs;
mod parsers;
mod quota;
pub(crate) mod section;
mod sources;
mod trust;
pub(crate) mod value;
mod variables;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use inputs::{Common, input};
pub(crate) use parsers::syslog_settings;
pub(crate) use sources::Sources;
pub(crate) use trust::trust;
pub(crate) use variables::{fill_data, place};

pub use environment::HELP as ENVIRONMENT_HELP;
pub use input_files::{InputFiles, Signature};
pub use load::{ConfigError, Overrides, from_text, load, peek};
pub use section::Finding;

use crate::autodiscover::Autodiscover;
use crate::document::{Codec, Decor, Precision};
use crate::monitor::HttpSettings;
use crate::monitor::log::LogSettings;
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
    /// What the events of an application under `exec` get: what holds for all inputs.
    pub exec: Decor,
    /// `output.*`
    pub output: OutputSettings,
    /// `codec` of the output.
    pub codec: Codec,
    /// `timestamp.precision`
    pub precision: Precision,
    /// `http`
    pub http: HttpSettings,
    /// `filebeat.registry.path`: Filebeat's own registry, whose positions are taken over at the first start.
    pub filebeat_registry: PathBuf,
    /// `filebeat.registry.flush`
    pub registry_flush: Duration,
    /// `filebeat.registry.file_permissions`
    pub registry_permissions: u32,
    /// `filebeat.shutdown_timeout`: how long a stop waits for acknowledgements.
    pub shutdown_timeout: Duration,
    /// `queue.mem`, in bytes: how much may be read but not yet sent.
    pub memory_limit: usize,
    /// `logging`
    pub logging: LogSettings,
    /// `document_id.enabled`: whether events bear a deterministic `@metadata._id`. Ours.
    pub document_ids: bool,
    /// `filebeat.config.inputs`
    pub input_files: Option<InputFiles>,
    /// `filebeat.autodiscover`
    pub(crate) autodiscover: Option<Arc<Autodiscover>>,
    /// What is worth saying although it is no error.
    pub notices: Vec<Finding>,
}

/// Parts of a configuration that a running agent keeps, with what they say.
pub type Lasting = Vec<(&'static str, String)>;

impl Config {
    /// What takes effect at a start only.
    pub fn lasting(&self) -> Lasting {
        let listening = self.inputs.iter().filter_map(|decor| decor.input.listen.as_ref());
        let listening: Vec<_> = listening
            .map(|listen| (&listen.address, &listen.framing, listen.max_message_size, listen.tls.is_some()))
            .collect();
        vec![
            ("'output'", format!("{:?} {:?}", self.output, self.codec)),
            ("'queue'", self.memory_limit.to_string()),
            ("'name'", self.name.clone()),
            ("'path'", format!("{:?}", self.data)),
            ("'http'", format!("{:?}", self.http)),
            ("'logging'", format!("{:?}", self.logging)),
            ("'timestamp' or 'document_id'", format!("{:?} {:?}", self.precision, self.document_ids)),
            (
                "'filebeat.registry' or 'filebeat.shutdown_timeout'",
                format!("{:?} {:o} {:?}", self.registry_flush, self.registry_permissions, self.shutdown_timeout),
            ),
            ("an input that listens", format!("{listening:?}")),
        ]
    }
}

#[cfg(test)]
mod input_tests;
#[cfg(test)]
mod tests;
