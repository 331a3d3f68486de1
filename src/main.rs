//! `tailrace`: the one command line over agent, processor and tools.

mod data;
mod quickstart;
mod search;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tailrace_agent::cli::AgentArgs;
use tailrace_processor::cli::ProcessorArgs;
use tailrace_processor::settings::keystore::KeystoreArgs;
use tailrace_processor::tune::check::CheckArgs;
use tailrace_processor::tune::grok::GrokArgs;
use tailrace_processor::tune::plugins::PluginsArgs;
use tailrace_processor::tune::test::TestArgs;

/// A log pipeline that takes the place of Filebeat and Logstash.
///
/// The agent reads filebeat.yml and writes Filebeat's documents to Kafka; the processor runs Logstash pipelines from Kafka
/// into Elasticsearch. Try both at once, on an embedded index, with `tailrace quickstart`.
#[derive(Debug, Parser)]
#[command(name = "tailrace", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage. Each command's --help says more.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read logs into an embedded index and search them: agent and processor in one process.
    Quickstart(quickstart::QuickstartArgs),
    /// Tail logs and send them on, as filebeat.yml says.
    Agent(Box<AgentArgs>),
    /// Run a Logstash pipeline: inputs, filters, outputs.
    Processor(Box<ProcessorArgs>),
    /// Search the documents that `tailrace quickstart` indexed.
    Search(search::SearchArgs),
    /// Check pipeline configurations: every error at once, with its place.
    Check(CheckArgs),
    /// Run golden cases, or suites of logstash-filter-verifier, against the filters.
    Test(Box<TestArgs>),
    /// Try grok patterns on lines, explain them, look them up.
    Grok(GrokArgs),
    /// List inputs, filters, outputs and codecs, or the options of one.
    Plugins(PluginsArgs),
    /// Keep values of `${NAME}` in a file that only its owner may read.
    Keystore(KeystoreArgs),
    /// Print a completion script for a shell.
    #[command(after_help = "Example: tailrace completions bash > /etc/bash_completion.d/tailrace")]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Quickstart(args) => args.run(),
            Command::Agent(args) => args.run(),
            Command::Processor(args) => args.run(),
            Command::Search(args) => args.run(),
            Command::Check(args) => args.run(),
            Command::Test(args) => args.run(),
            Command::Grok(args) => args.run(),
            Command::Plugins(args) => args.run(),
            Command::Keystore(args) => args.run(),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "tailrace", &mut io::stdout());
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
