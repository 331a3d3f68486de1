//! The whole agent: reader, sender, registry.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::config::Config;
use crate::document::{DocumentSettings, Documents, Identity};
use crate::engine::{Drained, Engine, EngineError, EngineHandle, EngineOptions};
use crate::output::{OutputError, OutputStats, Sender};
use crate::pipeline::channel;

/// Why the agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder '{path}': {source}")]
    Data {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The output's settings cannot work.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The reader did not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A running agent.
pub struct Running {
    engine: EngineHandle,
    sender: Sender,
    drain: Duration,
}

/// Where the agent stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries read since the start.
    pub read: u64,
    /// Events acknowledged since the start.
    pub acknowledged: u64,
    /// Events that the output will never take, kept in a file.
    pub rejected: u64,
    /// Bytes in the files that are not acknowledged yet.
    pub behind: u64,
    /// Files known.
    pub files: usize,
}

impl Running {
    /// Starts the agent; with `once` it reads every file to its end and is done.
    pub fn start(config: &Config, once: bool) -> Result<Running, StartError> {
        let data = |source| StartError::Data { path: config.data.display().to_string(), source };
        std::fs::create_dir_all(&config.data).map_err(data)?;
        let identity = Identity::load(config.name.clone(), &config.data).map_err(data)?;
        let settings = DocumentSettings {
            identity,
            processors: config.processors.clone(),
            precision: config.precision,
            ids: config.document_ids,
            codec: config.codec.clone(),
        };
        let documents = Documents::new(settings, config.inputs.clone());
        let (outlet, batches) = channel();
        let sender = Sender::start(&config.output, documents, batches, &config.data)?;
        let options = EngineOptions {
            once,
            memory_limit: config.memory_limit,
            registry_flush: config.registry_flush,
            registry_permissions: config.registry_permissions,
            import_from: imported(&config.data),
        };
        let inputs = config.inputs.iter().map(|decor| decor.input.clone()).collect();
        let engine = Engine::start(inputs, &config.data.join("tailrace-registry"), outlet, options)?;
        Ok(Running { engine, sender, drain: config.shutdown_timeout })
    }

    /// With `once`: waits until everything is read and acknowledged; `false` when the time-out came first.
    pub fn wait_done(&self, timeout: Duration) -> bool {
        self.engine.wait_done(Some(timeout))
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        let stats = self.engine.stats();
        let sent: &Arc<OutputStats> = self.sender.stats();
        Progress {
            read: stats.entries,
            acknowledged: sent.acknowledged.load(Ordering::Relaxed),
            rejected: sent.rejected.load(Ordering::Relaxed),
            behind: stats.files.iter().map(|file| file.size.saturating_sub(file.acknowledged)).sum(),
            files: stats.files.len(),
        }
    }

    /// Stops reading, waits for acknowledgements as long as the configuration allows, saves the positions. Says whether
    /// everything read was acknowledged.
    pub fn stop(self) -> bool {
        let drained = self.engine.stop(self.drain);
        self.sender.give_up();
        self.sender.join();
        if let Drained::Left(batches) = drained {
            tracing::warn!(batches, "not everything was acknowledged in time; it is read again at the next start");
        }
        drained == Drained::All
    }
}

/// Filebeat's registry in the same data folder, to go on where it stopped.
fn imported(data: &Path) -> Option<std::path::PathBuf> {
    let registry = data.join("registry/filebeat");
    registry.is_dir().then_some(registry)
}
