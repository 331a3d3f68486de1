//! The counting oracle: numbered lines, agent and processor killed at random moments, every number indexed exactly once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::elastic::elastic;
use crate::support::kafka;
use crate::support::logs::{ContainerLog, Format};
use crate::support::program::Program;
use crate::support::stage::Stage;

const FILTERS: &str = r#"
  dissect { mapping => { "message" => "seq=%{n} file=%{file} %{}" } convert_datatype => { "n" => "int" } }
"#;

/// How a run goes.
#[derive(Clone, Copy)]
struct Run {
    /// How often each of agent and processor is killed.
    kills: u32,
    /// Lines that are written, to two files, while that goes on and until it is over.
    lines_per_file: u64,
}

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_doubled() {
    check(Run { kills: 10, lines_per_file: 15_000 });
}

#[test]
#[ignore = "long: scripts/test --long"]
fn killed_fifty_times_nothing_is_lost_and_nothing_doubled() {
    check(Run { kills: 50, lines_per_file: 200_000 });
}

fn check(run: Run) {
    let seed =
        std::env::var("TAILRACE_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("TAILRACE_TEST_SEED={seed}");
    let stage = Arc::new(Stage::new("kill"));
    stage.write_agent_config();
    stage.write_pipeline(FILTERS);

    let killing = Arc::new(AtomicBool::new(true));
    let written = Arc::new(AtomicU64::new(0));
    let writers = [("docker", Format::Docker), ("cri", Format::Cri)].map(|(name, format)| {
        let (stage, killing, written) = (Arc::clone(&stage), Arc::clone(&killing), Arc::clone(&written));
        thread::spawn(move || write(&stage, name, format, run, &killing, &written))
    });
    let first = Mutex::new(fastrand::Rng::with_seed(seed));
    let killers = ["agent", "processor"].map(|which| {
        let stage = Arc::clone(&stage);
        let rng = fastrand::Rng::with_seed(first.lock().unwrap().u64(..));
        thread::spawn(move || kill(&stage, which, run.kills, rng))
    });
    let survivors = killers.map(|killer| killer.join().unwrap());
    killing.store(false, Ordering::SeqCst);
    let issued: u64 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();

    let _missing = OnPanic(|| println!("{issued} lines; {}", gaps(&stage)));
    elastic().await_count(&stage.index, issued);
    for survivor in survivors {
        let status = survivor.stop();
        assert!(status.success(), "{status}");
    }
    let sent = kafka::count_records(&stage.topic);
    println!("{issued} lines, {} kills of each, {sent} records in Kafka", run.kills);
    compare(&stage, issued);
}

/// Appends numbered lines until all are written and the killing is over; returns how many.
fn write(stage: &Stage, name: &str, format: Format, run: Run, killing: &AtomicBool, written: &AtomicU64) -> u64 {
    let mut log = ContainerLog::open(&stage.logs().join(format!("{name}.log")), format);
    let mut number = 0;
    while number < run.lines_per_file || killing.load(Ordering::SeqCst) {
        for _ in 0..50 {
            log.line("stdout", &format!("seq={number} file={name} {}", "x".repeat(number as usize % 300)));
            number += 1;
        }
        log.flush();
        written.fetch_add(50, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(10));
    }
    number
}

/// Starts a program, kills it after a random time, and so on; returns the last one, which lives.
fn kill(stage: &Stage, which: &str, kills: u32, mut rng: fastrand::Rng) -> Program {
    let start = || if which == "agent" { stage.start_agent(&[]) } else { stage.start_processor(&[]) };
    for _ in 0..kills {
        let mut program = start();
        thread::sleep(Duration::from_millis(rng.u64(100..2500)));
        assert!(program.is_running(), "the {which} ended by itself");
        program.kill();
    }
    start()
}

/// Says what there is to say when a test fails before it could compare.
struct OnPanic<F: Fn()>(F);

impl<F: Fn()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)();
        }
    }
}

/// How many records Kafka has, and which numbers of which file are not indexed.
fn gaps(stage: &Stage) -> String {
    let mut seen: HashMap<String, Vec<u64>> = HashMap::new();
    for document in elastic().documents(&stage.index) {
        if let (Some(file), Some(number)) = (document.source["file"].as_str(), document.source["n"].as_u64()) {
            seen.entry(file.to_owned()).or_default().push(number);
        }
    }
    let mut report = format!("{} records in Kafka", kafka::count_records(&stage.topic));
    for (file, mut numbers) in seen {
        numbers.sort_unstable();
        report += &format!("; {file}: {} indexed up to {}, gaps", numbers.len(), numbers[numbers.len() - 1]);
        for pair in numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1).take(10) {
            report += &format!(" {}..{}", pair[0] + 1, pair[1]);
        }
    }
    report
}

/// Every number of every file is in exactly one document.
fn compare(stage: &Stage, issued: u64) {
    let mut seen: HashMap<(String, u64), u64> = HashMap::new();
    for document in elastic().documents(&stage.index) {
        let source = &document.source;
        let number = source["n"].as_u64().unwrap_or_else(|| panic!("a document without number: {source}"));
        *seen.entry((source["file"].as_str().unwrap().to_owned(), number)).or_default() += 1;
    }
    let doubled: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).take(10).collect();
    assert!(doubled.is_empty(), "indexed more than once: {doubled:?}");
    let mut expected: HashMap<String, u64> = HashMap::new();
    for (file, number) in seen.keys() {
        let most = expected.entry(file.clone()).or_default();
        *most = (*most).max(number + 1);
    }
    assert_eq!(seen.len() as u64, issued, "the highest numbers are {expected:?}");
    assert_eq!(expected.values().sum::<u64>(), issued, "numbers are missing");
}
