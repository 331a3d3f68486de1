//! The agent while its only broker is killed and comes back: nothing is lost, nothing stands twice, order is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::eventually;
use crate::support::kafka;
use crate::support::program::{Program, tailrace};
use crate::support::services::OwnKafka;

/// How often the broker is killed.
const KILLS: usize = 3;
/// Lines to a file and a hundredth of a second.
const BURST: u64 = 20;

/// Stops the writing also where the test fails: it waits for its threads.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes numbered lines to two files, one of which is renamed now and then, until `stop`; how many there are of each.
fn write_lines(folder: &Path, stop: &AtomicBool, written: &AtomicU64) -> u64 {
    let open = |name: &str| File::options().create(true).append(true).open(folder.join(name)).unwrap();
    let mut files = [open("steady.log"), open("rotated.log")];
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        for (file, name) in files.iter_mut().zip(["steady", "rotated"]) {
            let lines: String = (number..number + BURST).map(|number| format!("{name} {number}\n")).collect();
            file.write_all(lines.as_bytes()).unwrap();
        }
        number += BURST;
        written.store(number, Ordering::Relaxed);
        if number % (BURST * 200) == 0 {
            std::fs::rename(folder.join("rotated.log"), folder.join(format!("rotated.log.{number}"))).unwrap();
            files[1] = open("rotated.log");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    number
}

#[test]
fn a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing() {
    let broker = OwnKafka::start();
    kafka::talk_to(broker.address());
    let topic = kafka::make_topic("restart", 3);
    let folder = TempDir::new().unwrap();
    let config = format!(
        "path.data: {0}/data\nfilebeat.inputs:\n- {{type: filestream, id: a, paths: ['{0}/steady.log', '{0}/rotated.log']}}\n\
         output.kafka: {{hosts: ['{1}'], topic: {topic}, key: '%{{[log.file.inode]}}', backoff.max: 1s}}\n",
        folder.path().display(),
        broker.address()
    );
    std::fs::write(folder.path().join("agent.yml"), config).unwrap();
    let mut command = tailrace();
    command.args(["agent", "-c"]).arg(folder.path().join("agent.yml"));
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let agent = Program::start(&mut command, folder.path(), "agent");
    let count = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_lines(folder.path(), &stop, &written));
        let done = Stop(&stop);
        for _ in 0..KILLS {
            let before = kafka::count_records(&topic);
            eventually("records come", || (kafka::count_records(&topic) > before + 2000).then_some(()));
            broker.kill();
            let seen = written.load(Ordering::Relaxed);
            eventually("lines are written meanwhile", || (written.load(Ordering::Relaxed) > seen + 1000).then_some(()));
            broker.restart();
        }
        drop(done);
        writer.join().unwrap()
    });
    eventually("all records are in kafka", || (kafka::count_records(&topic) >= 2 * count as i64).then_some(()));
    assert!(agent.stop().success());
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    let mut last: BTreeMap<(i32, String), u64> = BTreeMap::new();
    for record in kafka::read_topic(&topic) {
        let message = record.json()["message"].as_str().unwrap().to_owned();
        let (name, number) = message.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        let before = last.insert((record.partition, name.to_owned()), number);
        assert!(before.is_none_or(|before| before < number), "{message} after {before:?}");
        *times.entry(message).or_default() += 1;
    }
    assert_eq!(times.len() as u64, 2 * count, "lines are missing");
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
