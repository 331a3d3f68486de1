//! `tailrace agent`, also the binary `tailrace-agent`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config, Overrides};
use crate::output::probe;
use crate::run::Running;

/// Tail logs and send them on, as filebeat.yml says.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailrace agent -c agent.yml
  tailrace agent -c agent.yml --once
  tailrace agent -c agent.yml -E output.kafka.hosts=kafka1:9092 test output

SIGINT and SIGTERM stop reading and wait until what was read is acknowledged (filebeat.shutdown_timeout).

Exit codes: 0 done, 1 failed or stopped before everything was acknowledged, 2 wrong usage.")]
#[command(args_conflicts_with_subcommands = false)]
pub struct AgentArgs {
    /// Configuration file; later ones go over earlier ones.
    #[arg(short = 'c', long = "c", value_name = "FILE", global = true)]
    config: Vec<PathBuf>,
    /// Set a key over the files, such as output.kafka.topic=logs.
    #[arg(short = 'E', value_name = "KEY=VALUE", global = true)]
    set: Vec<String>,
    /// Log to standard error; it is what happens anyway.
    #[arg(short = 'e', global = true)]
    stderr: bool,
    /// Read every file to its end, wait for the acknowledgements, and exit.
    #[arg(long)]
    once: bool,
    /// Where `data` and other relative folders are.
    #[arg(long = "path.home", value_name = "DIR", global = true)]
    home: Option<PathBuf>,
    /// Where the registry is.
    #[arg(long = "path.data", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Where relative configuration files are.
    #[arg(long = "path.config", value_name = "DIR", global = true)]
    config_folder: Option<PathBuf>,
    /// Accepted for Filebeat's sake; it is not used.
    #[arg(long = "path.logs", value_name = "DIR", global = true, hide = true)]
    logs: Option<PathBuf>,
    /// Accepted for Filebeat's sake; permissions of configuration files are not checked.
    #[arg(long = "strict.perms", value_name = "BOOL", global = true, hide = true)]
    strict_permissions: Option<bool>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run; the same as no command.
    Run,
    /// Test the configuration or the output.
    #[command(subcommand)]
    Test(Test),
    /// Print what the agent was told.
    #[command(subcommand)]
    Export(Export),
}

#[derive(Debug, Subcommand)]
enum Test {
    /// Read and check the configuration.
    Config,
    /// Connect to the output; exits with 1 when that fails.
    Output,
}

#[derive(Debug, Subcommand)]
enum Export {
    /// The configuration as it was understood.
    Config,
}

impl AgentArgs {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let overrides = Overrides { settings: self.set.clone(), data: self.data.clone(), home: self.home.clone() };
        let loaded = config::load(&self.files(), &overrides, &|name| std::env::var(name).ok());
        let config = match loaded {
            Ok(config) => config,
            Err(error) => {
                writeln!(std::io::stderr(), "{error}")?;
                return Ok(ExitCode::FAILURE);
            }
        };
        tailrace_common::telemetry::init(&config.log_level)?;
        for notice in &config.notices {
            tracing::warn!(line = notice.position.line, "{}", notice.message);
        }
        match self.command {
            None | Some(Command::Run) => run(&config, self.once),
            Some(Command::Test(Test::Config)) => {
                println!("Config OK");
                Ok(ExitCode::SUCCESS)
            }
            Some(Command::Test(Test::Output)) => {
                Ok(if probe::output(&config.output) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Some(Command::Export(Export::Config)) => {
                println!("{config:#?}");
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = self.config_folder.clone().unwrap_or_default();
        if self.config.is_empty() {
            vec![folder.join("filebeat.yml")]
        } else {
            self.config.iter().map(|file| folder.join(file)).collect()
        }
    }
}

fn run(config: &Config, once: bool) -> anyhow::Result<ExitCode> {
    let running = Running::start(config, once)?;
    tracing::info!(inputs = config.inputs.len(), data = %config.data.display(), "agent started");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot watch for signals")?;
    runtime.block_on(wait(&running, once))?;
    let started = Instant::now();
    let progress = running.progress();
    let all = running.stop();
    tracing::info!(read = progress.read, seconds = started.elapsed().as_secs_f64(), "agent stopped");
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for a signal, or with `once` for the end of the files.
async fn wait(running: &Running, once: bool) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = tick.tick() => {
                if once && running.wait_done(Duration::ZERO) {
                    return Ok(());
                }
            }
        }
    }
}
