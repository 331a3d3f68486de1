//! `tailrace quickstart`: agent and processor in one process, on an embedded index, with a page to search it.

mod progress;
mod samples;
mod sources;
mod web;

use std::io::{self, IsTerminal, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use tailrace_agent::config::{self, Overrides};
use tailrace_agent::run as agent;
use tailrace_common::Timestamp;
use tailrace_processor::index::LocalIndex;
use tailrace_processor::lang::{ParseOptions, ast::Source, has_errors, parse, render};
use tailrace_processor::pipeline::{Pipeline, PipelineSettings, Running};
use tailrace_processor::settings::{files, variables};
use tokio::signal::unix::{SignalKind, signal};

use crate::data::DataFolder;
use progress::{Progress, Rate};
use web::Site;

/// Where the page is unless told otherwise or taken.
const PORT: u16 = 7180;
/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Read logs into an embedded index and search them: agent and processor in one process.
///
/// Without paths it reads the container logs of this machine, or sample logs if there are none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailrace quickstart
  tailrace quickstart '/var/log/nginx/*.log'
  tailrace quickstart --once --no-web app.log && tailrace search 'log.level:error'

Started again it goes on where it stopped: nothing is read twice.

Exit codes: 0 all indexed, 1 failed or not all indexed, 2 wrong usage.")]
pub(crate) struct QuickstartArgs {
    /// Log files: plain, docker's json-file or CRI.
    #[arg(value_name = "PATH|GLOB")]
    paths: Vec<String>,
    /// Folder for index and registry [default: ~/.local/share/tailrace/quickstart].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Read to the end of every file, print the totals, and exit.
    #[arg(long)]
    once: bool,
    /// Do without the page.
    #[arg(long)]
    no_web: bool,
    /// Port of the page on 127.0.0.1 [default: 7180, or a free one].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Pipeline to run instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
    /// How much is logged: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log_level: String,
}

impl QuickstartArgs {
    /// Runs until it is told to stop, or with `--once` to the end of the files.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        tailrace_common::telemetry::init(&self.log_level)?;
        let folder = DataFolder::or_default(self.data.clone());
        let sources = sources::find(&self.paths, &folder.samples(), Timestamp::now())?;
        say(&format!("reading {}", sources.description));
        let port = free_port().context("cannot find a free port")?;
        let pipeline = self.start_pipeline(&folder, port)?;
        let configuration = sources.configuration(port, &folder);
        let overrides = Overrides { data: Some(folder.registry()), ..Overrides::default() };
        let configuration = config::from_text("quickstart", &configuration, &overrides)?;
        let agent = agent::Running::start(&configuration, self.once)?;
        let running = Arc::new(Both { agent, pipeline, rate: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let started = Instant::now();
        let finished = runtime.block_on(self.watch(&folder, &running))?;
        runtime.shutdown_timeout(Duration::from_secs(1));
        let Ok(both) = Arc::try_unwrap(running) else { bail!("the page still uses the index") };
        both.finish(finished, started)
    }

    fn start_pipeline(&self, folder: &DataFolder, port: u16) -> anyhow::Result<Running> {
        let source = match &self.pipeline {
            Some(path) => files::read(path)?,
            None => {
                let text = include_str!("../../config/pipelines/quickstart.conf").to_string();
                Arc::new(Source { name: "quickstart.conf".into(), text })
            }
        };
        let (parsed, mut findings) = parse(&source, ParseOptions::default());
        let index = folder.index().display().to_string();
        let lookup = move |name: &str| match name {
            "QUICKSTART_PORT" => Some(port.to_string()),
            "QUICKSTART_INDEX" => Some(index.clone()),
            other => variables::environment(other),
        };
        let expand = |text: &str| variables::expand(text, &lookup);
        let settings = PipelineSettings {
            id: "quickstart".into(),
            dead_letters: folder.dead_letters(),
            ..PipelineSettings::default()
        };
        let pipeline = Pipeline::compile(&parsed, &settings, &expand, &mut findings);
        if has_errors(&findings) {
            let colours = render::Colours(io::stderr().is_terminal());
            let text: String = findings.iter().map(|finding| render::human(finding, colours)).collect();
            bail!("the pipeline has errors\n{text}");
        }
        Ok(pipeline.start(&settings)?)
    }

    /// Shows progress until a signal, or with `--once` until everything is read; says whether it was.
    async fn watch(&self, folder: &DataFolder, running: &Arc<Both>) -> anyhow::Result<bool> {
        let page = if self.no_web { None } else { Some(self.serve(folder, running).await?) };
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut tick = tokio::time::interval(TICK);
        let mut line = StatusLine::default();
        let finished = loop {
            tokio::select! {
                _ = terminate.recv() => break false,
                _ = interrupt.recv() => break false,
                _ = tick.tick() => {
                    line.show(&running.progress());
                    if self.once && running.agent.wait_done(Duration::ZERO) {
                        break true;
                    }
                }
            }
        };
        line.end();
        if let Some(page) = page {
            page.abort();
            // An aborted task has nothing to say.
            page.await.ok();
        }
        Ok(finished)
    }

    async fn serve(&self, folder: &DataFolder, running: &Arc<Both>) -> anyhow::Result<tokio::task::JoinHandle<()>> {
        let listener = match (self.port, web::bind(self.port.unwrap_or(PORT)).await) {
            (_, Ok(listener)) => listener,
            (None, Err(_)) => web::bind(0).await?,
            (Some(port), Err(error)) => bail!("cannot listen on 127.0.0.1:{port}: {error}"),
        };
        say(&format!("search at http://{}/", listener.local_addr()?));
        let progress = running.clone();
        let index = LocalIndex::open_or_create(&folder.index())?;
        let site = Site { index, progress: Box::new(move || progress.progress()) };
        Ok(tokio::spawn(async move {
            if let Err(error) = web::serve(listener, Arc::new(site)).await {
                tracing::error!(%error, "the page ended");
            }
        }))
    }
}

/// Agent and processor.
struct Both {
    agent: agent::Running,
    pipeline: Running,
    rate: Mutex<Rate>,
}

impl Both {
    fn progress(&self) -> Progress {
        let (agent, pipeline) = (self.agent.progress(), self.pipeline.stats());
        let lines_per_second = self.rate.lock().unwrap_or_else(PoisonError::into_inner).at(Instant::now(), agent.read);
        Progress {
            lines_per_second,
            read: agent.read,
            indexed: pipeline.delivered,
            behind: agent.behind,
            failed: pipeline.dead_letters + pipeline.dropped + agent.rejected,
        }
    }

    /// Stops both, the agent first, and prints the totals.
    fn finish(self, finished: bool, started: Instant) -> anyhow::Result<ExitCode> {
        let acknowledged = self.agent.stop();
        self.pipeline.stop();
        let monitor = self.pipeline.monitor();
        let delivered = self.pipeline.join();
        let stats = monitor.stats();
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "indexed {} documents in {seconds:.1} s, {} failed",
            stats.delivered,
            stats.dead_letters + stats.dropped
        );
        let all = acknowledged && delivered;
        if !all {
            say("not everything was indexed; it is read again at the next start");
        } else if !finished {
            say("stopped; start again to go on");
        }
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The line that shows progress: written over on a terminal, every few seconds elsewhere.
#[derive(Default)]
struct StatusLine {
    last: Option<Instant>,
    written: bool,
}

impl StatusLine {
    fn show(&mut self, progress: &Progress) {
        let mut out = io::stderr().lock();
        let written = if io::stderr().is_terminal() {
            self.written = true;
            write!(out, "\r\x1b[K{progress}").and_then(|()| out.flush())
        } else if self.last.is_none_or(|last| last.elapsed() >= Duration::from_secs(5)) {
            self.last = Some(Instant::now());
            writeln!(out, "{progress}")
        } else {
            Ok(())
        };
        // Without a standard error there is nobody to tell.
        written.ok();
    }

    fn end(&self) {
        if self.written {
            eprintln!();
        }
    }
}

fn say(text: &str) {
    println!("{text}");
    // The line must be seen before the work begins, also through a pipe.
    io::stdout().flush().ok();
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
