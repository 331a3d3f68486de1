//! What the agent costs and how soon a line is there: `scripts/bench-agent`, or `cargo bench --bench agent -- --help`.
//!
//! Everything runs on the small `tailrace-agent` binary and a real Kafka; every record is counted.
#![allow(clippy::unwrap_used)]

mod latency;
#[path = "../hot_path/lines.rs"]
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod lines;
#[path = "../../tests/support/mod.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod support;
#[path = "../pipeline/usage.rs"]
mod usage;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use support::kafka;
use support::logs::{ContainerLog, Format};
use support::program::Program;
use tempfile::TempDir;
use usage::Usage;

/// Measure the agent: throughput, latency, memory, start.
#[derive(Parser)]
struct Args {
    /// How many lines the steps `discard` and `kafka` read.
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// How often each step is measured.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// How many lines the step `latency` writes, ten in a second; and twenty times as many, 2,000 in a second.
    #[arg(long, default_value_t = 600)]
    lines: usize,
    /// Only these steps.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Step::Size, Step::Discard, Step::Kafka, Step::Latency, Step::Idle, Step::Start])]
    steps: Vec<Step>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The size of the binary.
    Size,
    /// file → agent → nothing.
    Discard,
    /// file → agent → Kafka, lz4, acks=all.
    Kafka,
    /// From a line's writing to its reading from Kafka.
    Latency,
    /// Memory and processor time while nothing is written.
    Idle,
    /// From the start of the process to the first event.
    Start,
}

/// A folder with logs and a configuration.
struct Site {
    dir: TempDir,
}

impl Site {
    fn new(kind: &str, output: &str) -> Site {
        let site = Site { dir: TempDir::new().unwrap() };
        let at = site.dir.path().display();
        let config = format!(
            "path.data: {at}/data\nfilebeat.inputs:\n  - type: {kind}\n    id: bench\n    paths: [\"{at}/logs/*.log\"]\n{output}\n"
        );
        std::fs::create_dir(site.logs()).unwrap();
        std::fs::write(site.path().join("agent.yml"), config).unwrap();
        site
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn logs(&self) -> std::path::PathBuf {
        self.path().join("logs")
    }

    fn start(&self, arguments: &[&str]) -> Program {
        let mut command = Command::new(binary());
        command.stdin(Stdio::null()).arg("-c").arg(self.path().join("agent.yml")).args(arguments);
        Program::start(&mut command, self.path(), "agent")
    }

    /// Access lines in a container's log, or plain ones in a file; the same ones again and again.
    fn write_logs(&self, format: Option<Format>, events: u64) {
        let texts = lines::access();
        let texts = texts.iter().cycle().take(events as usize);
        let path = self.logs().join("bench.log");
        let Some(format) = format else {
            let mut file = BufWriter::new(File::create(path).unwrap());
            texts.for_each(|text| writeln!(file, "{text}").unwrap());
            return file.flush().unwrap();
        };
        let mut log = ContainerLog::open(&path, format);
        texts.for_each(|text| log.line("stdout", text));
        log.flush();
    }
}

/// `tailrace-agent`, built beside `tailrace`.
fn binary() -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_tailrace")).with_file_name("tailrace-agent");
    assert!(path.exists(), "no {}: cargo build --release --workspace --bin tailrace-agent", path.display());
    path
}

fn to_kafka(topic: &str) -> String {
    let hosts = support::services::services().kafka().replace(',', "\", \"");
    format!("output.kafka:\n  hosts: [\"{hosts}\"]\n  topic: {topic}\n  compression: lz4\n  required_acks: -1")
}

/// The size of the binary with its line tables and, where it was built, of the one that is shipped.
fn size() {
    let folder = binary().parent().and_then(Path::parent).unwrap().to_owned();
    for profile in ["release", "dist"] {
        if let Ok(found) = std::fs::metadata(folder.join(profile).join("tailrace-agent")) {
            println!("{:<40} {:.1} MiB", format!("tailrace-agent, {profile}"), found.len() as f64 / (1 << 20) as f64);
        }
    }
}

/// Reads a file to its end and prints what that took.
fn read_all(site: &Site, name: &str, events: u64) {
    let begun = Instant::now();
    let mut agent = site.start(&["--once"]);
    let mut used = Usage::default();
    while agent.is_running() {
        used = Usage::of(agent.id()).unwrap_or(used);
        thread::sleep(Duration::from_millis(5));
    }
    let elapsed = begun.elapsed().as_secs_f64();
    assert!(agent.wait().success(), "{}", agent.output());
    let cpu = used.cpu.as_secs_f64();
    println!(
        "{name:<40} {:>10.0} events per CPU-s {:>10.0} events/s {:>4} MB peak",
        events as f64 / cpu,
        events as f64 / elapsed,
        used.peak_kb / 1024
    );
}

/// What is read, with the input that reads it.
const SOURCES: [(&str, &str, Option<Format>); 3] = [
    ("docker", "container", Some(Format::Docker)),
    ("CRI", "container", Some(Format::Cri)),
    ("file", "filestream", None),
];

fn discard(args: &Args) {
    for (name, kind, format) in SOURCES {
        let site = Site::new(kind, "output.discard.enabled: true");
        site.write_logs(format, args.events);
        read_all(&site, &format!("{name} → discard"), args.events);
    }
}

fn kafka(args: &Args) {
    for (name, kind, format) in SOURCES {
        let topic = kafka::make_topic("bench", 3);
        let site = Site::new(kind, &to_kafka(&topic));
        site.write_logs(format, args.events);
        read_all(&site, &format!("{name} → Kafka"), args.events);
        assert_eq!(kafka::count_records(&topic), args.events as i64);
        kafka::delete_topic(&topic);
    }
}

/// Memory and processor time with so many files at rest.
fn idle(files: usize) {
    const WATCH: Duration = Duration::from_secs(30);
    let topic = kafka::make_topic("bench", 3);
    let site = Site::new("filestream", &to_kafka(&topic));
    for file in 0..files {
        let text: String = (0..20).map(|line| format!("line {line} of file {file}, {}\n", "x".repeat(60))).collect();
        std::fs::write(site.logs().join(format!("{file}.log")), text).unwrap();
    }
    let begun = Instant::now();
    let mut agent = site.start(&[]);
    support::eventually("all lines are in Kafka", || (kafka::count_records(&topic) == files as i64 * 20).then_some(()));
    let read = begun.elapsed().as_secs_f64();
    // What was needed for reading goes first, then the restart shows an agent that has nothing to do.
    agent.stop();
    agent = site.start(&[]);
    thread::sleep(Duration::from_secs(15));
    let before = Usage::of(agent.id()).unwrap();
    thread::sleep(WATCH);
    let after = Usage::of(agent.id()).unwrap();
    println!(
        "{:<40} {:>7} kB resident, {:.2} % of a core idle, {read:.2} s to send them all",
        format!("{files} files at rest"),
        after.resident_kb,
        (after.cpu - before.cpu).as_secs_f64() / WATCH.as_secs_f64() * 100.0
    );
    agent.stop();
    kafka::delete_topic(&topic);
}

/// From the start of the process to the first event in a file, and in Kafka.
fn start() {
    let site = Site::new("container", "PLACEHOLDER");
    let out = site.path().join("out");
    let config = std::fs::read_to_string(site.path().join("agent.yml")).unwrap();
    let config = config.replace("PLACEHOLDER", &format!("output.file:\n  path: {}\n  filename: out", out.display()));
    std::fs::write(site.path().join("agent.yml"), config).unwrap();
    site.write_logs(Some(Format::Docker), 1);
    let begun = Instant::now();
    let agent = site.start(&[]);
    let there = |dir: &Path| {
        std::fs::read_dir(dir).is_ok_and(|files| files.flatten().any(|f| f.metadata().is_ok_and(|m| m.len() > 0)))
    };
    while !there(&out) {
        assert!(begun.elapsed() < support::PATIENCE, "{}", agent.output());
        thread::sleep(Duration::from_micros(500));
    }
    let file = begun.elapsed();
    agent.stop();
    let topic = kafka::make_topic("bench", 1);
    let reader = latency::Reader::at_end(&topic);
    let site = Site::new("container", &to_kafka(&topic));
    site.write_logs(Some(Format::Docker), 1);
    let begun = Instant::now();
    let agent = site.start(&[]);
    reader.next();
    let kafka = begun.elapsed();
    agent.stop();
    println!("{:<40} {file:>9.1?} in a file {kafka:>9.1?} in Kafka", "start to first event");
}

fn main() {
    let args = Args::parse();
    let wanted = |step| args.steps.contains(&step);
    if wanted(Step::Size) {
        size();
    }
    for _ in 0..args.runs {
        if wanted(Step::Discard) {
            discard(&args);
        }
        if wanted(Step::Kafka) {
            kafka(&args);
        }
        if wanted(Step::Latency) {
            latency::measure(args.lines, Duration::from_millis(100));
            latency::measure(args.lines * 20, Duration::from_micros(500));
        }
        if wanted(Step::Start) {
            start();
        }
    }
    if wanted(Step::Idle) {
        [1, 100, 10_000].into_iter().for_each(idle);
    }
}
