//! The inputs that run: those of the configuration, and those that autodiscover finds meanwhile.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::document::Decor;
use crate::engine::{EngineHandle, Remote};
use crate::output::{OutputStats, Reloads, Sender};
use crate::processors::Chain;

/// Tells the sender and the reader of every change.
pub(super) struct Inputs {
    reader: Remote,
    sender: Reloads,
    stats: Arc<OutputStats>,
    known: Mutex<Known>,
}

/// What runs now.
struct Known {
    /// Inputs of the configuration.
    written: Vec<Decor>,
    /// Inputs that autodiscover has found.
    found: Vec<Decor>,
    /// `processors` of all inputs.
    processors: Chain,
}

impl Inputs {
    /// Those that reader and sender were started with.
    pub(super) fn new(config: &Config, engine: &EngineHandle, sender: &Sender) -> Inputs {
        let (written, processors) = (config.inputs.clone(), config.processors.clone());
        Inputs {
            reader: engine.remote(),
            sender: sender.reloads(),
            stats: sender.stats().clone(),
            known: Mutex::new(Known { written, found: Vec::new(), processors }),
        }
    }

    /// Goes on with another configuration; `decors` is what the sender has to know of it.
    pub(super) fn reload(&self, config: &Config, decors: Vec<Decor>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.written.clone_from(&config.inputs);
        known.processors = config.processors.clone();
        if config.autodiscover.is_none() {
            known.found.clear();
        }
        self.go_on(&known, decors);
    }

    /// Goes on with what autodiscover has found.
    pub(super) fn found(&self, decors: Vec<Decor>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.found.is_empty() && decors.is_empty() {
            return;
        }
        tracing::info!(before = known.found.len(), now = decors.len(), "the inputs of autodiscover have changed");
        decors.iter().for_each(|decor| decor.processors.start());
        known.found.clone_from(&decors);
        self.go_on(&known, decors);
    }

    /// The sender is told first: it must know an input before the first line of it comes.
    fn go_on(&self, known: &Known, decors: Vec<Decor>) {
        self.sender.put(decors, known.processors.clone());
        let all = known.written.iter().chain(&known.found);
        self.reader.reload(all.map(|decor| decor.input.clone()).collect());
        self.stats.reloads.fetch_add(1, Ordering::Relaxed);
    }
}
