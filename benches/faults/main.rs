//! What the agent loses or sends twice when it is killed and its files are rotated: `scripts/bench-faults`.
//!
//! Every line is numbered and every record in Kafka is counted. A line that is sent twice carries the same id both times, so that it is one document.
#![allow(clippy::unwrap_used)]

#[path = "../../tests/support/mod.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod support;
#[path = "../pipeline/usage.rs"]
#[allow(dead_code, reason = "shared with the other benchmarks")]
mod usage;
mod writer;

use std::collections::HashMap;
use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use support::kafka;
use support::stage::Stage;
use usage::Usage;
use writer::{Rotation, Writing};

/// Count what the agent loses or sends twice under faults.
#[derive(Parser)]
struct Args {
    /// Only rows whose name holds this text.
    #[arg(long, default_value = "")]
    only: String,
    /// The seed of the moments of the kills.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One row of the table.
struct Row {
    name: &'static str,
    writing: Writing,
    glob: &'static str,
    kills: u32,
}

const ROTATED: Writing =
    Writing { lines: 400_000, rate: Some(10_000), rotation: Rotation::Rename, every: Duration::from_secs(2) };

const ROWS: &[Row] = &[
    Row {
        name: "SIGKILL once in the middle of 2,000,000 lines",
        writing: Writing { lines: 2_000_000, rate: None, rotation: Rotation::None, every: Duration::ZERO },
        glob: "*.log",
        kills: 1,
    },
    Row {
        name: "SIGKILL 4 times in the middle of 2,000,000 lines",
        writing: Writing { lines: 2_000_000, rate: None, rotation: Rotation::None, every: Duration::ZERO },
        glob: "*.log",
        kills: 4,
    },
    Row { name: "renamed every 2 s, glob matches the old files", writing: ROTATED, glob: "app.log*", kills: 0 },
    Row {
        name: "renamed every 2 s, glob matches the old files, SIGKILL twice",
        writing: ROTATED,
        glob: "app.log*",
        kills: 2,
    },
    Row { name: "renamed every 2 s, only the new name in the glob", writing: ROTATED, glob: "app.log", kills: 0 },
    Row {
        name: "copytruncate every 2 s, only the live file in the glob",
        writing: Writing { rotation: Rotation::CopyTruncate, ..ROTATED },
        glob: "app.log",
        kills: 0,
    },
    Row {
        name: "copytruncate every 10 s, only the live file in the glob",
        writing: Writing {
            lines: 600_000,
            rotation: Rotation::CopyTruncate,
            every: Duration::from_secs(10),
            ..ROTATED
        },
        glob: "app.log",
        kills: 0,
    },
    Row {
        name: "copytruncate every 2 s, copies in the glob",
        writing: Writing { rotation: Rotation::CopyTruncate, ..ROTATED },
        glob: "app.log*",
        kills: 0,
    },
    Row {
        name: "renamed every 2 s at 20,000 lines/s, SIGKILL 50 times",
        writing: Writing { lines: 2_400_000, rate: Some(20_000), ..ROTATED },
        glob: "app.log*",
        kills: 50,
    },
];

/// What a topic holds of the numbered lines.
struct Count {
    lost: u64,
    sent_twice: u64,
    /// Documents too many: records of one line with different ids.
    doubled: u64,
}

fn text_after<'a>(text: &'a str, start: &str, end: char) -> Option<&'a str> {
    let from = text.find(start)? + start.len();
    let length = text[from..].find(end)?;
    Some(&text[from..from + length])
}

fn count(topic: &str, lines: u64) -> Count {
    let mut ids: HashMap<u64, Vec<String>> = HashMap::with_capacity(lines as usize);
    let mut records = 0;
    kafka::each_record(topic, |record| {
        let text = std::str::from_utf8(&record.value).unwrap();
        let number = text_after(text, "seq=", ' ').unwrap_or_else(|| panic!("a record without number: {text}"));
        let id = text_after(text, "\"_id\":\"", '"').unwrap_or_else(|| panic!("a record without id: {text}"));
        let known = ids.entry(number.parse().unwrap()).or_default();
        if !known.iter().any(|k| k == id) {
            known.push(id.to_owned());
        }
        records += 1;
    });
    let distinct = ids.len() as u64;
    let doubled = ids.values().map(|ids| ids.len() as u64 - 1).sum();
    Count { lost: lines - distinct, sent_twice: records - distinct, doubled }
}

/// Waits until the topic has `lines` records or gets no more for a while.
fn settle(topic: &str, lines: u64) {
    const QUIET: Duration = Duration::from_secs(20);
    let (mut last, mut since) = (-1, Instant::now());
    while since.elapsed() < QUIET {
        let now = kafka::count_records(topic);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if now >= lines as i64 && since.elapsed() > Duration::from_secs(3) {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn run(row: &Row, rng: &mut fastrand::Rng) -> Count {
    let stage = Stage::new("faults");
    stage.write_agent_input("filestream", row.glob);
    let Writing { lines, rate, .. } = row.writing;
    let folder = stage.logs();
    let writing = row.writing;
    let writer = thread::spawn(move || writer::write(&folder, writing));
    // The kills spread over the time that the writing takes, or over the first seconds where it is at full speed.
    let span = rate.map_or(Duration::from_secs(6), |rate| Duration::from_secs(lines / rate));
    let mut agent = stage.start_agent(&[]);
    for _ in 0..row.kills {
        thread::sleep(span.mul_f64(rng.f64() * 1.6 / f64::from(row.kills + 1)));
        assert!(agent.is_running(), "{}", agent.output());
        agent.kill();
        agent = stage.start_agent(&[]);
    }
    writer.join().unwrap();
    settle(&stage.topic, lines);
    let status = agent.stop();
    assert!(status.success(), "{status}");
    count(&stage.topic, lines)
}

/// 500 small files: how soon they are all sent, and what waiting for more costs.
fn many_files(out: &mut String) {
    const FILES: u64 = 500;
    const LINES: u64 = 200;
    let stage = Stage::new("faults");
    stage.write_agent_input("filestream", "*.log");
    for file in 0..FILES {
        let text: String = (0..LINES).map(|line| format!("seq={} of a small file\n", file * LINES + line)).collect();
        std::fs::write(stage.logs().join(format!("{file}.log")), text).unwrap();
    }
    let begun = Instant::now();
    let agent = stage.start_agent(&[]);
    while kafka::count_records(&stage.topic) < (FILES * LINES) as i64 {
        thread::sleep(Duration::from_millis(5));
        assert!(begun.elapsed() < support::PATIENCE, "the lines did not come");
    }
    let ready = begun.elapsed();
    thread::sleep(Duration::from_secs(10));
    let before = Usage::of(agent.id()).unwrap();
    const IDLE: Duration = Duration::from_secs(20);
    thread::sleep(IDLE);
    let after = Usage::of(agent.id()).unwrap();
    let idle = (after.cpu - before.cpu).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    let peak = after.peak_kb / 1024;
    writeln!(
        out,
        "{FILES} files of {LINES} lines: all in Kafka after {:.2} s, {peak} MB peak, idle {idle:.2} % of a core",
        ready.as_secs_f64()
    )
    .unwrap();
    let count = count(&stage.topic, FILES * LINES);
    writeln!(out, "  {} lost, {} sent twice, {} documents too many", count.lost, count.sent_twice, count.doubled)
        .unwrap();
}

fn main() {
    let args = Args::parse();
    let mut rng = fastrand::Rng::with_seed(args.seed);
    println!("| fault | lines | lost | sent twice | documents too many |\n|---|---|---|---|---|");
    for row in ROWS.iter().filter(|row| row.name.contains(&args.only)) {
        let count = run(row, &mut rng);
        println!(
            "| {} | {} | {} | {} | {} |",
            row.name, row.writing.lines, count.lost, count.sent_twice, count.doubled
        );
    }
    if "500 files".contains(&args.only) {
        let mut text = String::new();
        many_files(&mut text);
        print!("\n{text}");
    }
}
