//! `tailrace agent`, also the binary `tailrace-agent`.

mod exec;
mod keystore;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config, ConfigError, Overrides};
use crate::monitor::http::Address;
use crate::monitor::{self, MetricsLog, SOCKET};
use crate::output::probe;
use crate::registry::RegistryArgs;
use crate::run::Running;

/// Tail logs and send them on, as filebeat.yml says.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailrace-agent -c agent.yml
  tailrace-agent -c agent.yml --once
  tailrace-agent -c agent.yml -E output.kafka.hosts=kafka1:9092 test output
  tailrace-agent exec -- java -jar app.jar
  tailrace-agent top

SIGINT and SIGTERM stop reading and wait until what was read is acknowledged (filebeat.shutdown_timeout).
SIGHUP reads the configuration again and goes on with its inputs.

Exit codes: 0 done, 1 failed or stopped before everything was acknowledged, 2 wrong usage.")]
#[command(args_conflicts_with_subcommands = false)]
pub struct AgentArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Read every file and the standard input to their end, wait for the acknowledgements, and exit. Inputs that listen
    /// run meanwhile.
    #[arg(long)]
    once: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
struct FileArgs {
    /// Configuration file; later ones go over earlier ones.
    #[arg(short = 'c', long = "c", value_name = "FILE", global = true)]
    config: Vec<PathBuf>,
    /// Set a key over the files, such as output.kafka.topic=logs.
    #[arg(short = 'E', value_name = "KEY=VALUE", global = true)]
    set: Vec<String>,
    /// Log to standard error, whatever logging.to_files says.
    #[arg(short = 'e', global = true)]
    stderr: bool,
    /// Log more; Filebeat's selectors are accepted, everything is logged.
    #[arg(short = 'd', value_name = "SELECTORS", global = true)]
    debug: Option<String>,
    /// Log on level info.
    #[arg(short = 'v', global = true)]
    verbose: bool,
    /// Where `data` and other relative folders are.
    #[arg(long = "path.home", value_name = "DIR", global = true)]
    home: Option<PathBuf>,
    /// Where the registry is.
    #[arg(long = "path.data", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Where relative configuration files are.
    #[arg(long = "path.config", value_name = "DIR", global = true)]
    config_folder: Option<PathBuf>,
    /// Where logs go, with logging.to_files.
    #[arg(long = "path.logs", value_name = "DIR", global = true)]
    logs: Option<PathBuf>,
    /// Accepted for Filebeat's sake; permissions of configuration files are not checked.
    #[arg(long = "strict.perms", value_name = "BOOL", global = true, hide = true)]
    strict_permissions: Option<bool>,
    /// Accepted for Filebeat's sake.
    #[arg(long = "environment", value_name = "NAME", global = true, hide = true)]
    environment: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run; the same as no command.
    Run,
    /// Run an application and ship what it prints.
    Exec(exec::ExecArgs),
    /// Test the configuration or the output.
    #[command(subcommand)]
    Test(Test),
    /// Print what the agent was told.
    #[command(subcommand)]
    Export(Export),
    /// Show every file of a running agent, live.
    Top(TopArgs),
    /// Keep secrets for ${NAME} in the configuration.
    #[command(subcommand)]
    Keystore(keystore::Keystore),
    /// How to run without a configuration file, by environment variables alone.
    #[command(long_about = config::ENVIRONMENT_HELP)]
    Environment,
    /// Print the version.
    Version,
    /// Show, export or forget how far files are delivered.
    Registry(RegistryArgs),
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

#[derive(Debug, Args)]
struct TopArgs {
    /// Where the agent listens: host:port or unix:///path. The default is the socket in its data folder.
    #[arg(long)]
    host: Option<String>,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 1.0)]
    interval: f64,
    /// Print one page and end.
    #[arg(short = 'n', long)]
    snapshot: bool,
}

impl AgentArgs {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(Command::Version) => {
                let version = env!("CARGO_PKG_VERSION");
                println!("tailrace-agent version {version} (filebeat {})", crate::document::COMPATIBLE_VERSION);
                return Ok(ExitCode::SUCCESS);
            }
            Some(Command::Environment) => {
                println!("{}", config::ENVIRONMENT_HELP);
                return Ok(ExitCode::SUCCESS);
            }
            Some(Command::Keystore(command)) => return command.run(&self.files.keystore_path()),
            Some(Command::Top(args)) => return top(&self.files, &args),
            Some(Command::Exec(args)) => return args.run(&self.files),
            _ => {}
        }
        let config = match self.files.load()? {
            Ok(config) => config,
            Err(error) => {
                writeln!(std::io::stderr(), "{error}")?;
                return Ok(ExitCode::FAILURE);
            }
        };
        self.files.start_logging(&config)?;
        match self.command {
            Some(Command::Test(Test::Config)) => {
                println!("Config OK");
                Ok(ExitCode::SUCCESS)
            }
            Some(Command::Test(Test::Output)) => {
                Ok(if probe::output(&config.output) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Some(Command::Registry(registry)) => {
                registry.run(&config.data)?;
                Ok(ExitCode::SUCCESS)
            }
            Some(Command::Export(Export::Config)) => {
                println!("{config:#?}");
                Ok(ExitCode::SUCCESS)
            }
            _ => run(&config, &self.files, self.once),
        }
    }
}

impl FileArgs {
    fn overrides(&self) -> Overrides {
        Overrides {
            settings: self.set.clone(),
            data: self.data.clone(),
            home: self.home.clone(),
            config: self.config_folder.clone(),
            logs: self.logs.clone(),
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        let folder = self.config_folder.clone().unwrap_or_default();
        if self.config.is_empty() {
            // Without a file the environment says everything.
            Some(folder.join("filebeat.yml")).filter(|path| path.exists()).into_iter().collect()
        } else {
            self.config.iter().map(|file| folder.join(file)).collect()
        }
    }

    /// Reads the configuration; names are looked up in the keystore, then in the environment.
    fn load(&self) -> anyhow::Result<Result<Config, ConfigError>> {
        let keystore = crate::keystore::Keystore::open(&self.keystore_path())?;
        let look_up = |name: &str| keystore.get(name).or_else(|| std::env::var(name).ok());
        Ok(config::load(&self.paths(), &self.overrides(), &look_up))
    }

    fn start_logging(&self, config: &Config) -> anyhow::Result<()> {
        let mut logging = config.logging.clone();
        if self.stderr {
            logging.files = None;
        }
        if self.debug.is_some() {
            logging.level = "debug".into();
        } else if self.verbose && logging.level != "debug" {
            logging.level = "info".into();
        }
        monitor::log::init(&logging).context("cannot write logs")?;
        for notice in &config.notices {
            tracing::warn!(file = %notice.file.display(), line = notice.position.line, "{}", notice.message);
        }
        Ok(())
    }

    /// The data folder, as far as it is known without the whole configuration.
    fn data_folder(&self) -> PathBuf {
        let known = config::peek(&self.paths(), &self.overrides(), "path.data");
        let home = || config::peek(&self.paths(), &self.overrides(), "path.home").unwrap_or_else(|| ".".into());
        let data = self.data.clone().or_else(|| known.map(PathBuf::from));
        data.unwrap_or_else(|| self.home.clone().unwrap_or_else(|| home().into()).join("data"))
    }

    /// `keystore.path`
    fn keystore_path(&self) -> PathBuf {
        let known = config::peek(&self.paths(), &self.overrides(), "keystore.path");
        known.map_or_else(|| self.data_folder().join("filebeat.keystore"), PathBuf::from)
    }
}

fn top(files: &FileArgs, args: &TopArgs) -> anyhow::Result<ExitCode> {
    let address = match &args.host {
        Some(host) => Address::parse(host, 5066),
        None => Address::Unix(files.data_folder().join(SOCKET)),
    };
    let interval = Duration::from_secs_f64(args.interval.clamp(0.1, 3600.0));
    let options = monitor::top::TopOptions { address, interval, once: args.snapshot };
    monitor::top::run(&options).with_context(|| format!("no agent answers at {}", options.address))?;
    Ok(ExitCode::SUCCESS)
}

fn run(config: &Config, files: &FileArgs, once: bool) -> anyhow::Result<ExitCode> {
    let running = Running::start(config, once)?;
    tracing::info!(inputs = config.inputs.len(), data = %config.data.display(), "agent started");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot watch for signals")?;
    let mut metrics = config.logging.metrics.filter(|_| !once).map(MetricsLog::every);
    let changes = Changes::of(config);
    runtime.block_on(wait(&running, files, once, &mut metrics, changes))?;
    let started = Instant::now();
    let progress = running.progress();
    let all = running.stop();
    tracing::info!(read = progress.read, seconds = started.elapsed().as_secs_f64(), "agent stopped");
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for a signal, or with `once` for the end of the files.
async fn wait(
    running: &Running,
    files: &FileArgs,
    once: bool,
    metrics: &mut Option<MetricsLog>,
    mut changes: Option<Changes>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut tick = tokio::time::interval(if once { Duration::from_millis(20) } else { Duration::from_secs(1) });
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => reload(running, files),
            _ = tick.tick() => {
                if once && running.wait_done(Duration::ZERO) {
                    return Ok(());
                }
                if changes.as_mut().is_some_and(Changes::happened) {
                    reload(running, files);
                }
                if let Some(metrics) = metrics {
                    metrics.tick(running.sources());
                }
            }
        }
    }
}

/// Looks at the files of `filebeat.config.inputs` now and then.
struct Changes {
    files: config::InputFiles,
    known: config::Signature,
    period: Duration,
    next: Instant,
}

impl Changes {
    /// Nothing where the configuration does not ask for it.
    fn of(config: &Config) -> Option<Changes> {
        let files = config.input_files.clone()?;
        let period = files.reload?;
        Some(Changes { known: files.signature(), files, period, next: Instant::now() + period })
    }

    /// Whether the files have changed since the last look.
    fn happened(&mut self) -> bool {
        if Instant::now() < self.next {
            return false;
        }
        self.next = Instant::now() + self.period;
        let now = self.files.signature();
        let changed = now != self.known;
        self.known = now;
        changed
    }
}

/// A configuration that does not work changes nothing.
fn reload(running: &Running, files: &FileArgs) {
    match files.load() {
        Ok(Ok(config)) => running.reload(&config),
        Ok(Err(error)) => tracing::error!("the configuration does not work, going on with the old one: {error}"),
        Err(error) => tracing::error!("the configuration cannot be read, going on with the old one: {error:#}"),
    }
}
