//! `tailrace processor`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::lang::{ParseOptions, has_errors, render};
use crate::options::Ecs;
use crate::pipeline::{Pipeline, PipelineSettings, Running};
use crate::settings::{files, variables};

/// Run a Logstash pipeline: inputs, filters, outputs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailrace processor -f /etc/logstash/conf.d
  tailrace processor -t -f 'conf.d/*.conf'
  echo hello | tailrace processor -e 'filter { mutate { add_tag => [\"x\"] } }'

SIGINT and SIGTERM stop the inputs and wait until everything read is delivered; a second one gives up.

Exit codes: 0 all delivered, 1 failed or given up, 2 wrong usage.")]
pub struct ProcessorArgs {
    /// Configuration: file, folder or glob; may be given several times.
    #[arg(
        short = 'f',
        long = "path.config",
        value_name = "FILE|DIR|GLOB",
        required_unless_present = "string",
        conflicts_with = "string"
    )]
    files: Vec<String>,
    /// Configuration as text; without input it reads stdin, without output it prints.
    #[arg(short = 'e', long = "config.string", value_name = "TEXT")]
    string: Option<String>,
    /// Check the configuration and exit.
    #[arg(short = 't', long = "config.test_and_exit")]
    test: bool,
    /// Threads that filter and deliver [default: one per core].
    #[arg(short = 'w', long = "pipeline.workers", value_name = "COUNT")]
    workers: Option<usize>,
    /// Records per batch.
    #[arg(short = 'b', long = "pipeline.batch.size", value_name = "COUNT", default_value_t = 1000)]
    batch_size: usize,
    /// Milliseconds that an input waits for a batch to fill.
    #[arg(short = 'u', long = "pipeline.batch.delay", value_name = "MS", default_value_t = 50)]
    batch_delay: u64,
    /// Name of the pipeline.
    #[arg(long = "pipeline.id", value_name = "ID", default_value = "main")]
    id: String,
    /// Shapes of documents: disabled, v1 or v8.
    #[arg(long = "pipeline.ecs_compatibility", value_name = "MODE", default_value = "v8", value_parser = ecs)]
    ecs: Ecs,
    /// Folder for data, such as dead letters.
    #[arg(long = "path.data", value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Process escapes such as \n in quoted text.
    #[arg(long = "config.support_escapes")]
    support_escapes: bool,
    /// How much is logged: error, warn, info, debug, trace.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    log_level: String,
}

fn ecs(text: &str) -> Result<Ecs, String> {
    Ecs::parse(text).ok_or_else(|| "must be disabled, v1 or v8".into())
}

impl ProcessorArgs {
    /// Runs the pipeline to its end.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        tailrace_common::telemetry::init(&self.log_level)?;
        let options = ParseOptions { support_escapes: self.support_escapes };
        let (config, mut findings) = match &self.string {
            Some(text) => files::from_string(text, options),
            None => files::load(&self.files, options)?,
        };
        let settings = self.settings();
        let expand = |text: &str| variables::expand(text, &variables::environment);
        let pipeline = Pipeline::compile(&config, &settings, &expand, &mut findings);
        let colours = render::Colours(io::stderr().is_terminal());
        for finding in &findings {
            write!(io::stderr(), "{}", render::human(finding, colours))?;
        }
        if has_errors(&findings) {
            return Ok(ExitCode::FAILURE);
        }
        if self.test {
            println!("Configuration OK");
            return Ok(ExitCode::SUCCESS);
        }
        let running = pipeline.start(&settings)?;
        tracing::info!(pipeline = settings.id, workers = settings.workers, "pipeline started");
        wait(running)
    }

    fn settings(&self) -> PipelineSettings {
        let defaults = PipelineSettings::default();
        PipelineSettings {
            id: self.id.clone(),
            workers: self.workers.unwrap_or(defaults.workers).max(1),
            batch_size: self.batch_size,
            batch_delay: Duration::from_millis(self.batch_delay),
            ecs: self.ecs,
            data: self.data.clone(),
            dead_letters: self.data.join("dead_letter_queue"),
            ..defaults
        }
    }
}

/// Waits for the end of the inputs or a signal, and for the delivery of the rest.
fn wait(running: Running) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot watch for signals")?;
    let delivered = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while !running.inputs_ended() {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = tick.tick() => {}
            }
        }
        if !running.inputs_ended() {
            tracing::info!("stopping: waiting for what is on the way; a second signal gives up");
        }
        running.stop();
        let give_up = running.abandon_handle();
        let joined = tokio::task::spawn_blocking(move || running.join());
        tokio::pin!(joined);
        loop {
            tokio::select! {
                joined = &mut joined => return anyhow::Ok(joined?),
                _ = terminate.recv() => give_up.set(),
                _ = interrupt.recv() => give_up.set(),
            }
        }
    })?;
    Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
