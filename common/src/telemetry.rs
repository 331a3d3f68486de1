//! Logs of the program itself: for people on a terminal, JSON with ECS names otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// The level is no level.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no log level; use error, warn, info, debug or trace")]
pub struct BadLevel(String);

/// Starts logging to standard error. `RUST_LOG` overrides the level. A second call changes nothing.
pub fn init(level: &str) -> Result<(), BadLevel> {
    let level = match level {
        "fatal" => "error",
        "warning" => "warn",
        other => other,
    };
    let default = level.parse::<tracing::Level>().map_err(|_| BadLevel(level.into()))?;
    let filter = EnvFilter::builder().with_default_directive(default.into()).from_env_lossy();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let started =
        if io::stderr().is_terminal() { builder.try_init() } else { builder.json().flatten_event(true).try_init() };
    // Somebody else has set up logging: theirs stays.
    drop(started);
    Ok(())
}
