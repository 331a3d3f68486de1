//! The whole agent: reader, sender, registry.

mod inputs;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::inputs::Inputs;
use crate::autodiscover::Discovery;
use crate::config::{Config, Lasting};
use crate::document::{Decor, DocumentSettings, Documents, Identity};
use crate::engine::{Drained, Engine, EngineError, EngineHandle, EngineOptions};
use crate::listen::{ListenError, Listeners};
use crate::monitor::http::Server;
use crate::monitor::{self, Sources};
use crate::output::{LogstashSettings, OutputError, OutputSettings, OutputStats, Sender};
use crate::pipeline::{Outlet, channel};
use crate::tail::settings::{InputKind, InputSettings, MultilineKind, MultilineSettings, Parser};

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
    /// An input cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The reader did not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// With `--once` there must be something that ends.
    #[error("--once has nothing to wait for: every input listens, and none of these ends")]
    NeverDone,
    /// Autodiscover did not start.
    #[error("cannot start autodiscover: {0}")]
    Autodiscover(#[source] std::io::Error),
    /// `http` cannot listen.
    #[error("cannot listen for http: {0}")]
    Http(#[source] std::io::Error),
}

/// A running agent.
pub struct Running {
    engine: EngineHandle,
    listeners: Option<Listeners>,
    sender: Sender,
    outlet: Outlet,
    /// What the application's output is read by, with `exec`.
    exec: [Arc<InputSettings>; 2],
    inputs: Arc<Inputs>,
    discovery: Mutex<Option<Discovery>>,
    drain: Duration,
    servers: Vec<Server>,
    sources: Arc<Sources>,
    /// What it was started with and keeps.
    lasting: Lasting,
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
    /// Starts the agent; with `once` it reads every file, and the standard input, to its end and is done.
    pub fn start(config: &Config, once: bool) -> Result<Running, StartError> {
        let data = |source| StartError::Data { path: config.data.display().to_string(), source };
        std::fs::create_dir_all(&config.data).map_err(data)?;
        let mut identity = Identity::load(config.name.clone(), &config.data).map_err(data)?;
        if let OutputSettings::Logstash(LogstashSettings { index: Some(index), .. }) = &config.output {
            identity.beat = index.to_lowercase();
        }
        let first_start = identity.first_start.into();
        let (id, ephemeral_id) = (identity.id.clone(), identity.ephemeral_id.clone());
        let settings = DocumentSettings {
            identity,
            processors: config.processors.clone(),
            precision: config.precision,
            ids: config.document_ids,
            codec: config.codec.clone(),
            events: config.output.sees_events(),
        };
        let exec = [exec_input(false), exec_input(true)];
        start_processors(config);
        let documents = Documents::new(settings, decors(config, &exec));
        let (outlet, batches) = channel();
        let holds = outlet.holds().clone();
        let sender = Sender::start(&config.output, documents, batches, holds.clone(), &config.data)?;
        let options = EngineOptions {
            once,
            memory_limit: config.memory_limit,
            registry_flush: config.registry_flush,
            registry_permissions: config.registry_permissions,
            first_start,
            import_from: Some(config.filebeat_registry.clone()).filter(|registry| registry.is_dir()),
        };
        let inputs: Vec<_> = config.inputs.iter().map(|decor| decor.input.clone()).collect();
        if once && !inputs.is_empty() && inputs.iter().all(|input| input.listen.is_some()) {
            return Err(StartError::NeverDone);
        }
        let listeners = Listeners::start(&inputs, &outlet, config.memory_limit)?;
        let engine = Engine::start(inputs, &config.data.join("tailrace-registry"), outlet.clone(), options)?;
        let sources = Sources {
            reader: engine.remote(),
            output: sender.stats().clone(),
            output_kind: config.output.kind(),
            holds,
            name: config.name.clone(),
            id,
            ephemeral_id,
            started: Instant::now(),
            memory_limit: config.memory_limit,
        };
        let sources = Arc::new(sources);
        let servers = monitor::listen(&config.http, &sources).map_err(StartError::Http)?;
        let lasting = config.lasting();
        let inputs = Arc::new(Inputs::new(config, &engine, &sender));
        let discovery = discover(config, &inputs)?;
        Ok(Running {
            lasting,
            engine,
            listeners,
            sender,
            outlet,
            exec,
            inputs,
            discovery: Mutex::new(discovery),
            drain: config.shutdown_timeout,
            servers,
            sources,
        })
    }

    /// Goes on with the inputs that read files and with the processors of another configuration. Everything else stays
    /// as it is, and where it should be otherwise that is said.
    pub fn reload(&self, config: &Config) {
        for (name, _) in config.lasting().into_iter().filter(|one| !self.lasting.contains(one)) {
            tracing::warn!("{name} of the configuration changed: that takes effect at the next start");
        }
        start_processors(config);
        let mut discovery = self.discovery.lock().unwrap_or_else(PoisonError::into_inner);
        // What the old one has found is read on until the new one has found it.
        *discovery = None;
        self.inputs.reload(config, decors(config, &self.exec));
        match discover(config, &self.inputs) {
            Ok(new) => *discovery = new,
            Err(error) => tracing::error!("{error}"),
        }
        tracing::info!(inputs = config.inputs.len(), "going on with the inputs of the configuration as it is now");
    }

    /// For showing how it goes.
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// For handing over batches that no file is read for.
    pub fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// What the output of an application is read by.
    pub fn exec_input(&self, multiline: bool) -> Arc<InputSettings> {
        self.exec[usize::from(multiline)].clone()
    }

    /// With `once`: waits until everything is read and acknowledged; `false` when the time-out came first.
    pub fn wait_done(&self, timeout: Duration) -> bool {
        let discovery = self.discovery.lock().unwrap_or_else(PoisonError::into_inner);
        discovery.as_ref().is_none_or(Discovery::is_complete)
            && self.engine.wait_done(Some(timeout))
            && self.listeners.as_ref().is_none_or(Listeners::is_done)
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
        let deadline = Instant::now() + self.drain;
        self.stop_by(deadline)
    }

    /// The same with a deadline.
    pub fn stop_by(self, deadline: Instant) -> bool {
        let Running { engine, listeners, sender, outlet, servers, discovery, .. } = self;
        drop((outlet, discovery));
        let left = || deadline.saturating_duration_since(Instant::now());
        let heard = listeners.is_none_or(|listeners| listeners.stop(left()));
        let drained = engine.stop(left());
        drop(servers);
        sender.give_up();
        sender.join();
        if let Drained::Left(batches) = drained {
            tracing::warn!(batches, "not everything was acknowledged in time; it is read again at the next start");
        }
        if !heard {
            tracing::warn!("not everything that was received was acknowledged in time; it is lost");
        }
        heard && drained == Drained::All
    }
}

/// Begins to look for containers, where the configuration asks for it.
fn discover(config: &Config, inputs: &Arc<Inputs>) -> Result<Option<Discovery>, StartError> {
    let start = |settings| {
        let inputs = inputs.clone();
        Discovery::start(settings, move |found| inputs.found(found))
    };
    config.autodiscover.clone().map(start).transpose().map_err(StartError::Autodiscover)
}

/// Lets processors begin to look up what they add, long before the first event needs it.
fn start_processors(config: &Config) {
    config.processors.start();
    config.inputs.iter().for_each(|decor| decor.processors.start());
}

/// What the sender has to know of the inputs.
fn decors(config: &Config, exec: &[Arc<InputSettings>; 2]) -> Vec<Decor> {
    let like = config.exec.clone();
    let own = exec.iter().map(|input| Decor { input: input.clone(), ..like.clone() });
    config.inputs.iter().cloned().chain(own).collect()
}

/// An application's output looks as if a container runtime had written it to a file.
fn exec_input(multiline: bool) -> Arc<InputSettings> {
    let joined = Parser::Multiline(MultilineSettings::new(MultilineKind::Auto));
    let parsers = if multiline { vec![joined] } else { Vec::new() };
    let (kind, id) = (InputKind::Container, "exec".into());
    Arc::new(InputSettings { kind, id, parsers, ..InputSettings::default() })
}
