//! `tailrace-agent`: the agent alone, small enough for base images.

use std::process::ExitCode;

use clap::Parser;
use tailrace_agent::cli::AgentArgs;

/// Tails container logs and files, and sends Filebeat's documents to Kafka.
#[derive(Debug, Parser)]
#[command(name = "tailrace-agent", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    agent: AgentArgs,
}

fn main() -> ExitCode {
    match Cli::parse().agent.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
