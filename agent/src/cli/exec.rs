//! `exec`

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::FileArgs;
use crate::wrap::{self, ExecOptions, Policy};

/// Runs an application and ships what it prints.
#[derive(Debug, Args)]
#[command(after_help = "\
The application's output goes on to standard output and error, and line by line where the configuration says. Signals are
passed on to it, its orphans are reaped, and the exit code is its own (128 + number for a signal). It never waits for
Kafka unless --when-full block says so. Files of the configuration are followed as well.

Example: tailrace-agent exec -- java -jar app.jar")]
pub(super) struct ExecArgs {
    /// What gives way when more output waits than --buffer holds.
    #[arg(long, value_enum, default_value_t = Policy::Spool, env = "TAILRACE_WHEN_FULL")]
    when_full: Policy,
    /// How many MiB of output may wait in memory.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096), env = "TAILRACE_BUFFER")]
    buffer: u32,
    /// How many MiB of output may wait in the data folder, with --when-full spool.
    #[arg(long, default_value_t = 256, env = "TAILRACE_SPOOL")]
    spool: u32,
    /// How many seconds the end waits until everything is delivered.
    #[arg(long, default_value_t = 10, env = "TAILRACE_DRAIN")]
    drain: u32,
    /// Send each line of a stack trace on its own.
    #[arg(long)]
    no_multiline: bool,
    /// Do not start the application when the configuration does not work.
    #[arg(long)]
    strict: bool,
    /// The application and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl ExecArgs {
    pub(super) fn run(self, files: &FileArgs) -> anyhow::Result<ExitCode> {
        let options = ExecOptions {
            command: self.command,
            when_full: self.when_full,
            buffer: (self.buffer as usize) << 20,
            spool: u64::from(self.spool) << 20,
            drain: Duration::from_secs(u64::from(self.drain)),
            multiline: !self.no_multiline,
            strict: self.strict,
        };
        let config = match files.load().map_err(|error| error.to_string()) {
            Ok(Ok(config)) => Some(config),
            Ok(Err(error)) => not_shipping(&options, &error.to_string())?,
            Err(error) => not_shipping(&options, &error)?,
        };
        match &config {
            Some(config) => files.start_logging(config)?,
            None if options.strict => return Ok(ExitCode::from(125)),
            None => {}
        }
        let result = wrap::run(config.as_ref(), &options);
        if let Err(error) = &result {
            writeln!(std::io::stderr(), "error: {error}")?;
        }
        Ok(wrap::exit_code(&result))
    }
}

/// Logs are not worth the application: it runs without them, unless told otherwise.
fn not_shipping<T>(options: &ExecOptions, error: &str) -> std::io::Result<Option<T>> {
    let so = if options.strict { "the application is not started" } else { "its output is not shipped" };
    writeln!(std::io::stderr(), "{error}\ntailrace-agent: the configuration does not work: {so}")?;
    Ok(None)
}
