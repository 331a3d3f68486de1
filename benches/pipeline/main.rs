//! The whole way of a line through real servers: `scripts/bench-pipeline`, or `cargo bench --bench pipeline -- --help`.
//!
//! A docker json-file log of access lines goes through the agent into Kafka, from Kafka through the processor into nothing,
//! and the whole way into Elasticsearch. Every record and every document is counted.
#![allow(clippy::unwrap_used)]

#[path = "../hot_path/lines.rs"]
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod lines;
#[path = "../../tests/support/mod.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod support;
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod usage;

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use support::elastic::elastic;
use support::kafka;
use support::logs::{ContainerLog, Format};
use support::program::Program;
use support::stage::{PARTITIONS, Stage};
use usage::Usage;

/// Measure agent and processor on real Kafka and Elasticsearch.
#[derive(Parser)]
struct Args {
    /// How many lines.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// What the processor does with each event.
    #[arg(long, value_enum, default_value_t = Filters::Access)]
    filters: Filters,
    /// Which container runtime's file format.
    #[arg(long, value_enum, default_value_t = Runtime::Docker)]
    format: Runtime,
    /// How often each step is measured.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Only these steps.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Step::Agent, Step::Processor, Step::Whole])]
    steps: Vec<Step>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Filters {
    /// Nothing: the record becomes the document.
    None,
    /// grok of the access line, its date, numbers converted.
    Access,
}

#[derive(Clone, Copy, ValueEnum)]
enum Runtime {
    Docker,
    Cri,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// file → agent → Kafka.
    Agent,
    /// Kafka → processor → nothing.
    Processor,
    /// file → agent → Kafka → processor → Elasticsearch, all at once.
    Whole,
}

impl Filters {
    fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Access => {
                "grok { match => { message => '%{COMBINEDAPACHELOG}' } }
  date { match => [timestamp, 'dd/MMM/yyyy:HH:mm:ss Z'] remove_field => [timestamp] }"
            }
        }
    }
}

/// A process that is being measured.
struct Measured {
    program: Program,
    usage: Usage,
}

impl Measured {
    fn new(program: Program) -> Self {
        Self { program, usage: Usage::default() }
    }

    /// Reads what it has used; the last reading before its end stands.
    fn sample(&mut self) {
        if let Some(usage) = Usage::of(self.program.id()) {
            self.usage = usage;
        }
    }

    /// Ends the process and prints what it needed.
    fn finish(mut self, step: &str, events: u64, elapsed: Duration) {
        let status = if self.program.is_running() { self.program.stop() } else { self.program.wait() };
        assert!(status.success(), "{step}: {status}");
        let cpu = self.usage.cpu.as_secs_f64();
        println!(
            "{step:<44} {:>9.0} events/s  {:>6.2} CPU-s per million  {:>9.0} events per CPU-s  {:>5} MB peak",
            events as f64 / elapsed.as_secs_f64(),
            cpu * 1e6 / events as f64,
            events as f64 / cpu,
            self.usage.peak_kb / 1024,
        );
    }
}

/// Samples the processes until `done`.
fn run_until(processes: &mut [&mut Measured], mut done: impl FnMut(&mut [&mut Measured]) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        processes.iter_mut().for_each(|process| process.sample());
        if done(processes) {
            return begun.elapsed();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn write_logs(stage: &Stage, args: &Args) {
    let texts = lines::access();
    let format = match args.format {
        Runtime::Docker => Format::Docker,
        Runtime::Cri => Format::Cri,
    };
    let path = stage.logs().join("bench.log");
    let mut log = ContainerLog::open(&path, format);
    texts.iter().cycle().take(args.events as usize).for_each(|text| log.line("stdout", text));
    log.flush();
    let bytes: usize = texts.iter().map(String::len).sum();
    let size = std::fs::metadata(path).unwrap().len();
    println!("{} lines of {} bytes on average, a file of {} MB", args.events, bytes / texts.len(), size >> 20);
}

/// The agent alone, to the end of the file.
fn agent(stage: &Stage, args: &Args) {
    let mut agent = Measured::new(stage.start_agent(&["--once"]));
    let elapsed = run_until(&mut [&mut agent], |p| !p[0].program.is_running());
    agent.finish("file → agent → Kafka", args.events, elapsed);
    assert_eq!(kafka::count_records(&stage.topic), args.events as i64);
}

/// The processor alone, over what the topic holds.
fn processor(stage: &Stage, args: &Args) {
    stage.write_pipeline_to(args.filters.text(), "null {}");
    let mut processor = Measured::new(stage.start_processor(&[]));
    let elapsed = run_until(&mut [&mut processor], |_| {
        kafka::committed(&stage.index, &stage.topic, PARTITIONS) == args.events as i64
    });
    processor.finish("Kafka → processor → null", args.events, elapsed);
}

/// Everything at once, from an empty topic into an empty index.
fn whole(args: &Args) {
    let stage = Stage::new("bench");
    write_logs(&stage, args);
    stage.write_agent_config();
    stage.write_pipeline(args.filters.text());
    let mut processor = Measured::new(stage.start_processor(&[]));
    let mut agent = Measured::new(stage.start_agent(&[]));
    let elapsed = run_until(&mut [&mut agent, &mut processor], |_| elastic().indexed(&stage.index) >= args.events);
    agent.finish("the whole way into Elasticsearch: agent", args.events, elapsed);
    processor.finish("the whole way into Elasticsearch: processor", args.events, elapsed);
    assert_eq!(elastic().count(&stage.index), args.events);
}

fn main() {
    let args = Args::parse();
    for _ in 0..args.runs {
        let stage = Stage::new("bench");
        write_logs(&stage, &args);
        stage.write_agent_config();
        if args.steps.contains(&Step::Agent) || args.steps.contains(&Step::Processor) {
            agent(&stage, &args);
        }
        if args.steps.contains(&Step::Processor) {
            processor(&stage, &args);
        }
        if args.steps.contains(&Step::Whole) {
            whole(&args);
        }
    }
}
