//! Input `file`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::{eventually, start};

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn config(folder: &Path, options: &str) -> String {
    format!(
        "input {{ file {{ path => \"{0}/*.log\" stat_interval => 0.01 discover_interval => 1 {options} }} }}
         output {{ file {{ path => \"{0}/out\" }} }}",
        folder.display()
    )
}

fn messages(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("out")).unwrap_or_default();
    let message = |line| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_string();
    text.lines().map(message).collect()
}

fn await_messages(folder: &Path, wanted: &[&str]) {
    eventually("the lines have come", || (messages(folder).len() >= wanted.len()).then_some(()));
    assert_eq!(messages(folder), wanted);
}

#[test]
fn followed_over_rotation_truncation_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, log) = (folder.path(), folder.path().join("a.log"));
    append(&log, "one\ntwo\nthr");
    let from_start = config(folder, "start_position => \"beginning\"");
    let running = start(&from_start, folder);
    await_messages(folder, &["one", "two"]);
    append(&log, "ee\n");
    await_messages(folder, &["one", "two", "three"]);
    fs::rename(&log, folder.join("a.log.1")).unwrap();
    append(&folder.join("a.log.1"), "late\n");
    append(&log, "four\n");
    eventually("both files are read", || (messages(folder).len() == 5).then_some(()));
    running.stop();
    assert!(running.join());

    append(&log, "five\n");
    let running = start(&from_start, folder);
    eventually("the new line has come", || (messages(folder).len() == 6).then_some(()));
    assert_eq!(messages(folder)[5], "five");
    fs::write(&log, "six\n").unwrap();
    eventually("the truncated file is read again", || (messages(folder).len() == 7).then_some(()));
    assert_eq!(messages(folder)[6], "six");
    running.stop();
    assert!(running.join());
}

#[test]
fn read_once_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, log) = (folder.path(), folder.path().join("a.log"));
    append(&log, "one\nlast");
    let running = start(&config(folder, "mode => read exit_after_read => true"), folder);
    assert!(running.join());
    // Two workers may write them in either order.
    let mut read = messages(folder);
    read.sort();
    assert_eq!(read, ["last", "one"]);
    assert!(!log.exists());
}
