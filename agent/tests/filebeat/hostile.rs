//! Files and file systems that are not as they should be: each is read as far as it can be, and said what is wrong.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long something may take; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The agent with documents on its standard output and its log on the standard error.
pub(super) fn agent(folder: &Path, input: &str) -> Command {
    let config = format!("filebeat.inputs:\n{input}\noutput.console: {{}}\nlogging.metrics.enabled: false\n");
    fs::write(folder.join("filebeat.yml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace-agent"));
    command.args(["-e", "-c", "filebeat.yml", "--path.config"]).arg(folder).arg("--path.home").arg(folder);
    command.env("FOLDER", folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end, with a limit in time; the documents and the log.
pub(super) fn once(folder: &Path, input: &str) -> (Vec<Value>, String) {
    let mut child = agent(folder, input).arg("--once").spawn().unwrap();
    let (documents, log) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < PATIENCE, "it does not end:\n{}", log.try_iter().collect::<Vec<_>>().join("\n"));
        thread::sleep(Duration::from_millis(20));
    }
    let log: Vec<String> = log.iter().collect();
    (documents.iter().map(|line| serde_json::from_str(&line).unwrap()).collect(), log.join("\n"))
}

#[allow(clippy::disallowed_methods, reason = "nobody listens until the agent has ended")]
pub(super) fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The first line that has all of these words.
pub(super) fn wait_for(lines: &Receiver<String>, words: &[&str]) -> String {
    let started = Instant::now();
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
        if words.iter().all(|word| line.contains(word)) {
            return line;
        }
        seen.push(line);
    }
    panic!("{words:?} did not come:\n{}", seen.join("\n"));
}

pub(super) fn messages(documents: &[Value]) -> Vec<&str> {
    documents.iter().map(|document| document["message"].as_str().unwrap()).collect()
}

#[test]
fn what_is_no_file_never_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.log"), "a\n").unwrap();
    fs::create_dir(path("directory.log")).unwrap();
    let made = Command::new("mkfifo").arg(path("fifo.log")).status().unwrap();
    assert!(made.success());
    symlink(path("fifo.log"), path("to-fifo.log")).unwrap();
    symlink("/dev/zero", path("zero.log")).unwrap();
    symlink(path("nowhere"), path("dangling.log")).unwrap();
    symlink(path("loop.log"), path("loop.log")).unwrap();
    let _socket = UnixListener::bind(path("socket.log")).unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"\xff\n.log")), "b\n").unwrap();
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/*.log'], prospector.scanner.symlinks: true}";
    let (documents, _) = once(folder.path(), input);
    let mut found = messages(&documents);
    found.sort_unstable();
    assert_eq!(found, ["a", "b"]);
    assert!(
        documents.iter().any(|document| document["log"]["file"]["path"].as_str().unwrap().ends_with("\u{fffd}\n.log"))
    );
}

#[test]
fn binary_files_are_read_to_the_last_byte() {
    let folder = tempfile::tempdir().unwrap();
    // Every byte, in runs of all lengths, with line ends where they happen to be.
    let bytes: Vec<u8> = (0..60_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(folder.path().join("b.log"), &bytes).unwrap();
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/b.log'], line_terminator: line_feed}";
    let (documents, _) = once(folder.path(), input);
    let ends = bytes.ends_with(b"\n");
    let mut wanted: Vec<(u64, &[u8])> = Vec::new();
    let mut offset = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        wanted.push((offset, line));
        offset += line.len() as u64 + 1;
    }
    wanted.truncate(wanted.len() - usize::from(ends));
    wanted.retain(|(_, line)| !line.is_empty());
    assert_eq!(documents.len(), wanted.len());
    for (document, (offset, line)) in documents.iter().zip(wanted) {
        assert_eq!(document["log"]["offset"], offset);
        let message = document["message"].as_str().unwrap();
        // Filebeat's way: one replacement for every byte that is no UTF-8.
        let mut left = line;
        for character in message.chars() {
            let mut buffer = [0; 4];
            let encoded = character.encode_utf8(&mut buffer).as_bytes();
            left = match left.strip_prefix(encoded) {
                Some(rest) => rest,
                None if character == '\u{fffd}' => &left[1..],
                None => panic!("{message:?} is not {line:?}"),
            };
        }
        assert!(left.is_empty(), "{message:?} is not all of {line:?}");
    }
}

#[test]
fn any_bytes_are_read_in_any_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes: Vec<u8> = (0..20_001_u32).map(|number| (number.wrapping_mul(40_503) >> 7) as u8).collect();
    bytes.extend_from_slice(b"\nplain text\nand some more without an end");
    fs::write(folder.path().join("b.log"), &bytes).unwrap();
    let encodings = [
        "plain",
        "utf-8",
        "utf-16-bom",
        "utf-16be-bom",
        "utf-16le-bom",
        "utf-16be",
        "utf-16le",
        "gbk",
        "gb18030",
        "hz-gb-2312",
        "big5",
        "euc-kr",
        "euc-jp",
        "iso-2022-jp",
        "shift-jis",
        "iso8859-1",
        "windows-1252",
        "koi8-r",
    ];
    let inputs: String = encodings
        .iter()
        .map(|name| {
            format!(
                "- {{type: filestream, id: {name}, paths: ['${{FOLDER}}/b.log'], encoding: {name}, tags: [{name}]}}\n"
            )
        })
        .collect();
    let (documents, log) = once(folder.path(), &inputs);
    for encoding in encodings {
        let lines = documents.iter().filter(|document| document["tags"][0] == encoding);
        let offsets: Vec<u64> = lines.map(|document| document["log"]["offset"].as_u64().unwrap()).collect();
        // In two bytes a character there may be no line end among these bytes: then they are one line.
        let is_wide = encoding.starts_with("utf-16");
        assert!(is_wide && offsets == [0] || offsets.last() > Some(&19_000), "{encoding}: {offsets:?}\n{log}");
    }
}

/// A line of so many NULs in a sparse file; the most memory that the agent took for it, in KiB.
fn read_long_line(length: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("long.log")).unwrap();
    file.write_all(b"before\n").unwrap();
    file.set_len(length).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(folder.path().join("long.log")).unwrap();
    file.write_all(b"\nafter\n").unwrap();
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/long.log'], message_max_bytes: 1KiB}";
    let mut child = agent(folder.path(), input).spawn().unwrap();
    let documents = lines(child.stdout.take().unwrap());
    let log = lines(child.stderr.take().unwrap());
    wait_for(&documents, &["\"before\""]);
    let long: Value = serde_json::from_str(&wait_for(&documents, &["truncated"])).unwrap();
    let after: Value = serde_json::from_str(&wait_for(&documents, &["\"after\""])).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    super::stop(&mut child);
    drop(log);
    assert_eq!(long["message"], "\0".repeat(1024));
    assert_eq!((&long["log"]["offset"], &after["log"]["offset"]), (&Value::from(7), &Value::from(length + 1)));
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_line_longer_than_the_memory_is_cut() {
    let peak = read_long_line(256 << 20);
    assert!(peak < 100 << 10, "{peak} KiB");
}

#[test]
#[ignore = "long: scripts/test --long"]
fn a_line_of_8_gigabytes_is_cut() {
    let peak = read_long_line(8 << 30);
    println!("peak of memory: {peak} KiB");
    assert!(peak < 100 << 10, "{peak} KiB");
}

/// Without the rights of root, for whom nothing is forbidden.
fn without_rights(command: &mut Command, folder: &Path) {
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
}

#[test]
fn what_may_not_be_read_is_said_once_and_read_as_soon_as_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("open.log"), "open\n").unwrap();
    fs::write(path("secret.log"), "secret\n").unwrap();
    fs::create_dir(path("closed")).unwrap();
    fs::write(path("closed/in.log"), "within\n").unwrap();
    let allow = |name: &str, mode: u32| fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    allow("secret.log", 0);
    allow("closed", 0);
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/*.log', '${FOLDER}/*/*.log'], prospector.scanner.check_interval: 1s, backoff.max: 1s}";
    let mut command = agent(folder.path(), input);
    without_rights(&mut command, folder.path());
    let mut child = command.spawn().unwrap();
    let documents = lines(child.stdout.take().unwrap());
    let log = lines(child.stderr.take().unwrap());
    wait_for(&documents, &["\"open\""]);
    let forbidden = wait_for(&log, &["cannot look into a directory"]);
    assert!(forbidden.contains("closed"), "{forbidden}");
    wait_for(&log, &["cannot open a file", "secret.log", "ermission denied"]);
    thread::sleep(Duration::from_secs(3));
    allow("secret.log", 0o644);
    wait_for(&documents, &["\"secret\""]);
    allow("closed", 0o755);
    wait_for(&documents, &["\"within\""]);
    super::stop(&mut child);
    let more: Vec<String> = log.iter().filter(|line| line.contains("\"warn\"")).collect();
    assert!(more.is_empty(), "{more:?}");
}

/// A limit on the size of files stands for a full disk; it can be lifted while the agent runs.
fn with_small_files(command: &Command, blocks: u32) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"")]).arg(command.get_program());
    shell.args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

fn lift_limit(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    let limit = rustix::process::Rlimit { current: None, maximum: None };
    let all = rustix::process::prlimit(Some(pid), rustix::process::Resource::Fsize, limit);
    all.unwrap();
}

#[test]
fn a_full_disk_under_the_registry_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |number: u32| fs::write(folder.path().join(format!("{number}.log")), format!("line {number}\n")).unwrap();
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/*.log']}";
    (0..20).for_each(write);
    // The registry of twenty files has no room in four blocks of a kilobyte.
    let mut child = with_small_files(&agent(folder.path(), input), 4).spawn().unwrap();
    let documents = lines(child.stdout.take().unwrap());
    let log = lines(child.stderr.take().unwrap());
    wait_for(&log, &["\"error\"", "cannot write the registry", "sent again after a restart"]);
    (20..40).for_each(write);
    let mut seen: Vec<String> = (0..40).map(|_| documents.recv_timeout(PATIENCE).unwrap()).collect();
    lift_limit(&child);
    wait_for(&log, &["the registry can be written again"]);
    super::stop(&mut child);
    seen.extend(documents.iter());
    assert_eq!(seen.len(), 40);
    // Nothing was forgotten: nothing comes again.
    assert_eq!(once(folder.path(), input).0, Vec::<Value>::new());
}

#[test]
fn a_full_disk_under_the_spool_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..4000).map(|number| format!("line {number} {}\n", "x".repeat(60))).collect();
    fs::write(folder.path().join("a.log"), &text).unwrap();
    let command = agent(folder.path(), "- {type: filestream, id: a, paths: ['${FOLDER}/a.log']}");
    // Nobody listens at this port: everything goes to disk.
    let config = fs::read_to_string(folder.path().join("filebeat.yml")).unwrap().replace(
        "output.console: {}",
        "output.kafka: {hosts: ['127.0.0.1:9'], topic: logs}\nqueue.disk.max_size: 100MB\nqueue.mem.bytes: 1MiB\nfilebeat.registry.flush: 0",
    );
    fs::write(folder.path().join("filebeat.yml"), config).unwrap();
    let mut child = with_small_files(&command, 64).spawn().unwrap();
    let log = lines(child.stderr.take().unwrap());
    wait_for(&log, &["\"error\"", "queue.disk takes no more events"]);
    lift_limit(&child);
    // There is room again: all of it is safe on disk, and only then is the file's position behind it.
    let spooled = || {
        let files = fs::read_dir(folder.path().join("data/diskqueue/logs")).unwrap().flatten();
        files.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum::<u64>()
    };
    let started = Instant::now();
    let offset = || {
        let states = tailrace_agent::registry::Store::read(&folder.path().join("data/tailrace-registry")).unwrap();
        states.first().map_or(0, |state| state.offset)
    };
    while offset() < text.len() as u64 {
        assert!(started.elapsed() < PATIENCE, "{} bytes of {} are safe", offset(), text.len());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(spooled() > text.len() as u64, "{} bytes are on disk", spooled());
    super::stop(&mut child);
}

#[test]
fn the_agent_starts_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log"), "a\n").unwrap();
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/*.log']}";
    let mut child = with_small_files(&agent(folder.path(), input), 0).spawn().unwrap();
    let documents = lines(child.stdout.take().unwrap());
    let log = lines(child.stderr.take().unwrap());
    wait_for(&documents, &["\"a\""]);
    wait_for(&log, &["cannot write the registry"]);
    lift_limit(&child);
    wait_for(&log, &["the registry can be written again"]);
    super::stop(&mut child);
    assert_eq!(once(folder.path(), input).0, Vec::<Value>::new());
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

#[test]
fn a_registry_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let registry = folder.path().join("data/tailrace-registry");
    fs::create_dir_all(&registry).unwrap();
    let record = r#"{"registry":{"version":99,"seed":1}}"#;
    let text = format!("{:016x} {record}\n", xxhash_rust::xxh3::xxh3_64(record.as_bytes()));
    fs::write(registry.join("tailrace.log"), &text).unwrap();
    let output = run(&mut agent(folder.path(), "- {type: filestream, id: a, paths: ['${FOLDER}/*.log']}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("has version 99") && said.contains("run the newer agent"), "{said}");
    assert_eq!(fs::read_to_string(registry.join("tailrace.log")).unwrap(), text);
}

#[test]
fn times_of_files_may_be_anything() {
    let folder = tempfile::tempdir().unwrap();
    for (name, time) in [("future", "2199-01-01"), ("past", "1970-01-02"), ("now", "now")] {
        let path = folder.path().join(format!("{name}.log"));
        fs::write(&path, format!("{name}\n")).unwrap();
        assert!(Command::new("touch").args(["-d", time]).arg(&path).status().unwrap().success());
    }
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/*.log'], ignore_older: 1h}
- {type: log, paths: ['${FOLDER}/*.log'], scan: {sort: modtime, order: desc}, tags: [all]}";
    let (documents, _) = once(folder.path(), input);
    let with = |tagged: bool| {
        let chosen = documents.iter().filter(|document| document["tags"].is_array() == tagged).cloned();
        let chosen: Vec<Value> = chosen.collect();
        let mut found: Vec<String> = messages(&chosen).into_iter().map(str::to_owned).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(
        (with(false), with(true)),
        (vec!["future".into(), "now".into()], ["future", "now", "past"].map(String::from).to_vec())
    );
}

#[test]
fn files_that_vanish_under_its_hands_are_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = |number: u32| folder.path().join(format!("{number}.log"));
    (0..200).for_each(|number| fs::write(path(number), format!("{number}\n")).unwrap());
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/*.log']}";
    let mut child = agent(folder.path(), input).spawn().unwrap();
    let documents = lines(child.stdout.take().unwrap());
    let log = lines(child.stderr.take().unwrap());
    (0..200).filter(|number| number % 2 == 0).for_each(|number| drop(fs::remove_file(path(number))));
    fs::write(folder.path().join("last.log"), "last\n").unwrap();
    let mut kept: Vec<u32> = (0..200).filter(|number| number % 2 == 1).collect();
    let started = Instant::now();
    let mut last = false;
    while !kept.is_empty() || !last {
        let document: Value = serde_json::from_str(&documents.recv_timeout(PATIENCE).unwrap()).unwrap();
        let message = document["message"].as_str().unwrap();
        last |= message == "last";
        kept.retain(|number| number.to_string() != message);
        assert!(started.elapsed() < PATIENCE);
    }
    super::stop(&mut child);
    let errors: Vec<String> = log.iter().filter(|line| line.contains("\"log.level\":\"error\"")).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn once_ends_although_something_listens() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log"), "a\n").unwrap();
    let listening = "- {type: unix, path: '${FOLDER}/socket'}\n";
    let (documents, _) =
        once(folder.path(), &format!("{listening}- {{type: filestream, id: a, paths: ['${{FOLDER}}/a.log']}}"));
    assert_eq!(messages(&documents), ["a"]);
    let alone = run(agent(folder.path(), listening).arg("--once"));
    assert_eq!(alone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--once has nothing to wait for"));
}
