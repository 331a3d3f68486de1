//! `tailrace processor`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tailrace_common::path::EscapeStyle;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::{self, Admin};
use crate::input::Stop;
use crate::lang::lint::lint;
use crate::lang::{ParseOptions, has_errors, render};
use crate::options::Ecs;
use crate::pipeline::{Pipeline, PipelineSettings, Running};
use crate::settings::files;
use crate::settings::yaml::{self, Instance, ProcessSettings, Source};

/// Run Logstash pipelines: inputs, filters, outputs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailrace processor -f /etc/logstash/conf.d
  tailrace processor -t -f 'conf.d/*.conf'
  tailrace processor --path.settings /etc/logstash
  echo hello | tailrace processor -e 'filter { mutate { add_tag => [\"x\"] } }'

SIGINT and SIGTERM stop the inputs and wait until everything read is delivered; a second one gives up.

Exit codes: 0 all delivered, 1 failed or given up, 2 wrong usage.")]
pub struct ProcessorArgs {
    /// Configuration: file, folder or glob; may be given several times.
    #[arg(short = 'f', long = "path.config", value_name = "FILE|DIR|GLOB", conflicts_with = "string")]
    files: Vec<String>,
    /// Configuration as text; without input it reads stdin, without output it prints.
    #[arg(short = 'e', long = "config.string", value_name = "TEXT")]
    string: Option<String>,
    /// Folder of logstash.yml and, without -f and -e, of pipelines.yml.
    #[arg(long = "path.settings", value_name = "DIR")]
    settings: Option<PathBuf>,
    /// Check the configuration and exit.
    #[arg(short = 't', long = "config.test_and_exit")]
    test: bool,
    /// Threads that filter and deliver [default: one per core].
    #[arg(short = 'w', long = "pipeline.workers", value_name = "COUNT")]
    workers: Option<usize>,
    /// Records per batch [default: 1000].
    #[arg(short = 'b', long = "pipeline.batch.size", value_name = "COUNT")]
    batch_size: Option<usize>,
    /// Milliseconds that an input waits for a batch to fill [default: 50].
    #[arg(short = 'u', long = "pipeline.batch.delay", value_name = "MS")]
    batch_delay: Option<u64>,
    /// Name of the pipeline [default: main].
    #[arg(long = "pipeline.id", value_name = "ID")]
    id: Option<String>,
    /// Shapes of documents: disabled, v1 or v8 [default: v8].
    #[arg(long = "pipeline.ecs_compatibility", value_name = "MODE", value_parser = ecs)]
    ecs: Option<Ecs>,
    /// Folder for data, such as dead letters and positions [default: data].
    #[arg(long = "path.data", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Process escapes such as \n in quoted text.
    #[arg(long = "config.support_escapes")]
    support_escapes: bool,
    /// Serve numbers and health over HTTP: true or false [default: true].
    #[arg(long = "api.enabled", value_name = "BOOL")]
    api: Option<bool>,
    /// Address of that [default: 127.0.0.1].
    #[arg(long = "api.http.host", value_name = "HOST")]
    api_host: Option<String>,
    /// Port of that; the next free one is taken [default: 9600].
    #[arg(long = "api.http.port", value_name = "PORT")]
    api_port: Option<u16>,
    /// How much is logged: error, warn, info, debug, trace [default: info].
    #[arg(long = "log.level", value_name = "LEVEL")]
    log_level: Option<String>,
    /// Keep the order of events, with one worker: true, false or auto [default: auto].
    #[arg(long = "pipeline.ordered", value_name = "true|false|auto")]
    ordered: Option<String>,
    /// How field references write brackets: none, percent or ampersand [default: none].
    #[arg(long = "config.field_reference.escape_style", value_name = "STYLE", value_parser = escape_style)]
    escape_style: Option<EscapeStyle>,
    #[command(flatten)]
    accepted: Accepted,
}

/// Flags of Logstash that scripts hand over and that change nothing here.
#[derive(Debug, Args)]
struct Accepted {
    #[arg(short = 'r', long = "config.reload.automatic", hide = true)]
    reload: bool,
    #[arg(long = "config.reload.interval", value_name = "TIME", hide = true)]
    reload_interval: Option<String>,
    #[arg(long = "config.debug", hide = true)]
    debug: bool,
    #[arg(short = 'l', long = "path.logs", value_name = "DIR", hide = true)]
    logs: Option<String>,
    #[arg(long = "log.format", value_name = "FORMAT", hide = true)]
    log_format: Option<String>,
    #[arg(short = 'n', long = "node.name", value_name = "NAME", hide = true)]
    node_name: Option<String>,
    #[arg(long = "pipeline.unsafe_shutdown", hide = true)]
    unsafe_shutdown: bool,
}

impl Accepted {
    /// Says which of them are given.
    fn report(&self) {
        for (flag, given, why) in [
            ("--config.reload.automatic", self.reload, "restart to reload"),
            ("--config.reload.interval", self.reload_interval.is_some(), "restart to reload"),
            ("--config.debug", self.debug, "see --log.level"),
            ("--path.logs", self.logs.is_some(), "logs go to stderr"),
            ("--log.format", self.log_format.is_some(), "see --log.level"),
            ("--node.name", self.node_name.is_some(), "the host is named by its own name"),
            ("--pipeline.unsafe_shutdown", self.unsafe_shutdown, "a second signal gives up"),
        ] {
            if given {
                tracing::info!("the flag {flag} has no effect: {why}");
            }
        }
    }
}

fn escape_style(text: &str) -> Result<EscapeStyle, String> {
    EscapeStyle::parse(text).ok_or_else(|| "must be none, percent or ampersand".into())
}

fn ecs(text: &str) -> Result<Ecs, String> {
    Ecs::parse(text).ok_or_else(|| "must be disabled, v1 or v8".into())
}

impl ProcessorArgs {
    /// Runs the pipelines to their end.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut process = ProcessSettings::new(PipelineSettings::default());
        if let Some(folder) = &self.settings {
            process = process.read(folder)?;
        }
        self.overrule(&mut process);
        tailrace_common::telemetry::init(process.log_level.as_deref().unwrap_or("info"))?;
        self.accepted.report();
        let instances = self.instances(&process)?;
        let Some(pipelines) = compile(&instances)? else { return Ok(ExitCode::FAILURE) };
        if self.test {
            println!("Configuration OK");
            return Ok(ExitCode::SUCCESS);
        }
        let bus = &process.defaults.settings.bus;
        bus.set_starting(true);
        let mut running = Vec::new();
        for (pipeline, instance) in pipelines.into_iter().zip(&instances) {
            running.push(pipeline.start(&instance.settings)?);
            tracing::info!(pipeline = instance.settings.id, workers = instance.settings.workers, "pipeline started");
        }
        bus.set_starting(false);
        wait(running, process.api)
    }

    /// What is given on the command line wins over the files.
    fn overrule(&self, process: &mut ProcessSettings) {
        let Instance { settings, source, support_escapes, .. } = &mut process.defaults;
        if let Some(data) = &self.data {
            settings.data.clone_from(data);
            settings.dead_letters = data.join("dead_letter_queue");
        }
        if let Some(id) = &self.id {
            settings.id.clone_from(id);
        }
        settings.workers = self.workers.unwrap_or(settings.workers).max(1);
        settings.batch_size = self.batch_size.unwrap_or(settings.batch_size).max(1);
        settings.batch_delay = self.batch_delay.map_or(settings.batch_delay, Duration::from_millis);
        if self.ordered.as_deref() == Some("true") {
            settings.workers = 1;
        }
        if let Some(style) = self.escape_style {
            style.install();
        }
        settings.ecs = self.ecs.unwrap_or(settings.ecs);
        *support_escapes |= self.support_escapes;
        if let Some(text) = &self.string {
            *source = Some(Source::Text(text.clone()));
        } else if !self.files.is_empty() {
            *source = Some(Source::Files(self.files.clone()));
        }
        let enabled = self.api.unwrap_or(process.api.is_some());
        let (host, port) = process.api.take().unwrap_or_else(|| ("127.0.0.1".into(), 9600));
        let address = (self.api_host.clone().unwrap_or(host), self.api_port.unwrap_or(port));
        process.api = enabled.then_some(address);
        if self.log_level.is_some() {
            process.log_level.clone_from(&self.log_level);
        }
    }

    /// The one pipeline of the command line or of logstash.yml, else those of pipelines.yml.
    fn instances(&self, process: &ProcessSettings) -> anyhow::Result<Vec<Instance>> {
        match (&process.defaults.source, &self.settings) {
            (Some(_), _) => Ok(vec![process.defaults.clone()]),
            (None, Some(folder)) => Ok(yaml::read_pipelines(folder, &process.defaults)?),
            (None, None) => bail!("nothing to run: give -f FILE, -e TEXT or --path.settings DIR"),
        }
    }
}

/// Compiles all; prints what was found; `None` when there are errors.
fn compile(instances: &[Instance]) -> anyhow::Result<Option<Vec<Pipeline>>> {
    let colours = render::Colours(io::stderr().is_terminal());
    let (mut pipelines, mut failed) = (Vec::new(), false);
    for instance in instances {
        let expand = |text: &str| instance.keystore.expand(text);
        let options = ParseOptions { support_escapes: instance.support_escapes };
        let (config, mut findings) = match &instance.source {
            Some(Source::Text(text)) => files::from_string(text, options),
            Some(Source::Files(files)) => files::load(files, options)?,
            None => continue,
        };
        findings.extend(lint(&config));
        pipelines.push(Pipeline::compile(&config, &instance.settings, &expand, &mut findings));
        for finding in &findings {
            write!(io::stderr(), "{}", render::human(finding, colours))?;
        }
        failed |= has_errors(&findings);
    }
    Ok((!failed).then_some(pipelines))
}

/// Waits for the end of the inputs or a signal, and for the delivery of the rest.
fn wait(running: Vec<Running>, api: Option<(String, u16)>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot watch for signals")?;
    let delivered = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stopping = Stop::default();
        if let Some((host, port)) = api {
            serve_admin(&host, port, &running, stopping.clone()).await?;
        }
        let ended = || running.iter().all(Running::inputs_ended);
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while !ended() {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = tick.tick() => {}
            }
        }
        if !ended() {
            tracing::info!("stopping: waiting for what is on the way; a second signal gives up");
        }
        stopping.set();
        running.iter().for_each(Running::stop);
        let give_up: Vec<Stop> = running.iter().map(Running::abandon_handle).collect();
        let joined = tokio::task::spawn_blocking(move || join_all(running));
        tokio::pin!(joined);
        loop {
            tokio::select! {
                joined = &mut joined => return anyhow::Ok(joined?),
                _ = terminate.recv() => give_up.iter().for_each(Stop::set),
                _ = interrupt.recv() => give_up.iter().for_each(Stop::set),
            }
        }
    })?;
    Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for all side by side: those that others send to end last.
fn join_all(running: Vec<Running>) -> bool {
    let joins: Vec<_> = running.into_iter().map(|running| std::thread::spawn(move || running.join())).collect();
    let delivered: Vec<bool> = joins.into_iter().map(|join| join.join().unwrap_or(false)).collect();
    delivered.into_iter().all(|one| one)
}

async fn serve_admin(host: &str, port: u16, running: &[Running], stopping: Stop) -> anyhow::Result<()> {
    let listener = admin::bind(host, port).await.with_context(|| format!("cannot listen on {host}:{port}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving /metrics, /health and /_node/stats");
    let monitors = running.iter().map(Running::monitor).collect();
    tokio::spawn(async move {
        if let Err(error) = admin::serve(listener, Arc::new(Admin::new(monitors, stopping))).await {
            tracing::error!(%error, "the HTTP interface has ended");
        }
    });
    Ok(())
}
