//! `exec -- CMD`: runs an application as a child and ships what it prints.
//!
//! ```text
//! child ──pipe──► pump ──► own stdout/stderr
//!                   └────► backlog (memory, then spool) ──► mover ──► batches ──► sender
//! ```
//!
//! The pump never waits for Kafka: when the backlog is full, the policy decides what gives way. The child's end ends the
//! program, with the child's exit code.

mod backlog;
mod child;
mod mover;
mod pump;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use backlog::Policy;

use crate::config::Config;
use crate::run::Running;
use backlog::Backlog;
use child::Child;
use mover::Mover;

/// What `exec` is told.
#[derive(Clone, Debug)]
pub struct ExecOptions {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What happens when more waits than the memory may hold.
    pub when_full: Policy,
    /// How many bytes of output may wait in memory.
    pub buffer: usize,
    /// How many bytes may wait on disk, with [`Policy::Spool`].
    pub spool: u64,
    /// How long the end waits until everything is acknowledged.
    pub drain: Duration,
    /// Whether stack traces become one event.
    pub multiline: bool,
    /// Whether a configuration that does not work keeps the application from starting.
    pub strict: bool,
}

/// Why `exec` could not do its work. The application was not started.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The program could not be started.
    #[error("cannot run '{program}': {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something else.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Runs the application to its end; what it prints goes where the configuration says, and to our own standard output and
/// error. Without a configuration it only goes there.
///
/// # Errors
/// When the application could not be started.
pub fn run(config: Option<&Config>, options: &ExecOptions) -> Result<u8, ExecError> {
    // Signals that come from now on are for the child.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let signals = runtime.block_on(async { child::Signals::listen() })?;
    let running = config.and_then(|config| match Running::start(config, false) {
        Ok(running) => Some(running),
        Err(error) => {
            tracing::error!(%error, "nothing is shipped, but the application runs");
            None
        }
    });
    if config.and_then(|config| config.input_files.as_ref()).is_some_and(|files| files.reload.is_some()) {
        tracing::warn!("filebeat.config.inputs is read once: exec does not reload");
    }
    let spool = config.map_or_else(|| PathBuf::from("data"), |config| config.data.clone()).join("exec-spool");
    let backlog = Arc::new(Backlog::new(options, running.is_some(), &spool));
    let mut child = Child::start(&options.command)?;
    tracing::info!(pid = child.pid(), "the application runs");
    let pumps = pump::start(child.take_streams(), &backlog)?;
    let mover = match &running {
        Some(running) => Some(Mover::start(backlog.clone(), running.outlet(), running.exec_input(options.multiline))?),
        None => None,
    };
    let code = runtime.block_on(child.wait(signals))?;
    let deadline = Instant::now() + options.drain;
    pump::finish(pumps);
    backlog.close();
    let mut left = 0;
    if let Some(mover) = mover {
        left = mover.finish(deadline, backlog.is_spooling());
    }
    let dropped = backlog.dropped();
    if let Some(running) = running {
        let all = running.stop_by(deadline);
        tracing::info!(code, dropped, left, delivered = all && left == 0, "the application ended");
    }
    Ok(code)
}

/// As an exit code.
pub fn exit_code(result: &Result<u8, ExecError>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(*code),
        // As shells and `env` say it.
        Err(ExecError::Start { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => ExitCode::from(127),
        Err(ExecError::Start { .. }) => ExitCode::from(126),
        Err(ExecError::Io(_)) => ExitCode::from(125),
    }
}
