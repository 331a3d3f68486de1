//! Options that decide which lines are read, when, and what becomes of their files.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::hostile::{agent, lines, messages, once, wait_for};

fn append(path: &Path, text: &str) {
    fs::File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn numbered(count: u32) -> String {
    (0..count).map(|number| format!("line {number}\n")).collect()
}

/// What a run to the end delivers, in order of its lines.
fn read(folder: &Path, input: &str) -> Vec<String> {
    messages(&once(folder, input).0).into_iter().map(str::to_owned).collect()
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_quota_delays_or_drops() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("a.log"), &numbered(2500));
    let delayed = "- {type: filestream, id: a, paths: ['${FOLDER}/a.log'], quota.limit: 1000/s}";
    let started = Instant::now();
    assert_eq!(read(folder.path(), delayed).len(), 2500);
    // A thousand at once, the others at their rate; what one look reads beyond it comes for nothing at the end.
    assert!(started.elapsed() > Duration::from_millis(500), "{:?}", started.elapsed());
    append(&folder.path().join("b.log"), &numbered(2500));
    let dropping = "- {type: log, paths: ['${FOLDER}/b.log'], quota: {limit: 100/h, excess: drop}}";
    let (documents, log) = once(folder.path(), dropping);
    assert_eq!(messages(&documents), numbered(100).lines().collect::<Vec<_>>());
    assert!(log.contains("lines beyond the quota of their input are dropped"), "{log}");
    // They are done with: nothing comes again.
    assert_eq!(read(folder.path(), dropping), Vec::<String>::new());
}

#[test]
fn files_that_log_without_end_keep_no_others_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let noise = format!("{}\n", "noise ".repeat(16)).repeat(40_000);
    for number in 0..6 {
        append(&folder.path().join(format!("a{number}.log")), &noise);
        append(&folder.path().join(format!("b{number}.log")), &format!("quiet {number}\n"));
    }
    let config = "- {type: filestream, id: a, paths: ['${FOLDER}/*.log']}\nqueue.mem.bytes: 1MiB\n";
    let messages = read(folder.path(), config);
    assert_eq!(messages.len(), 6 * 40_001);
    let last = messages.iter().rposition(|message| message.starts_with("quiet")).unwrap();
    // Each of the others had a turn or two of its forty thousand lines.
    assert!(last < 60_000, "the last one came after {last} others");
}

#[test]
fn positions_of_other_inputs_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, "one\n");
    let input =
        |id: &str, more: &str| format!("- {{type: filestream, id: {id}, paths: ['${{FOLDER}}/a.log']{more}}}\n");
    assert_eq!(read(folder.path(), &input("old", "")), ["one"]);
    append(&path, "two\n");
    let (documents, _) = once(folder.path(), &input("new", ", take_over.enabled: true, tags: [t]"));
    assert_eq!(messages(&documents), ["two"]);
    assert_eq!(documents[0]["tags"], serde_json::json!(["t", "take_over"]));
    // An input that is still there keeps its positions.
    append(&path, "three\n");
    let both =
        |more: &str| format!("{}{}", input("third", more), input("new", ", enabled: true, exclude_lines: ['.']"));
    assert_eq!(read(folder.path(), &both("")), ["one", "two", "three"]);
    // Unless another one is told to take them.
    append(&path, "four\n");
    let taking = both("").replace("id: third", "id: fourth, take_over: {enabled: true, from_ids: [new]}");
    assert_eq!(read(folder.path(), &taking), ["four"]);
}

#[test]
fn a_clock_that_jumps_changes_no_position() {
    use tailrace_agent::registry::Store;
    const YEAR: i64 = 365 * 24 * 3600;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/a.log'], ignore_older: 1h, clean_inactive: 2h}";
    let registry = folder.path().join("data/tailrace-registry");
    append(&path, "start\n");
    assert_eq!(read(folder.path(), input), ["start"]);
    // What the registry says was noted under a clock that was far behind, or far ahead.
    for (jump, line) in
        [(-10 * YEAR, "behind"), (10 * YEAR, "ahead"), (i64::MAX / 2, "nowhere"), (i64::MIN / 2, "never")]
    {
        let mut store = Store::open(&registry, 0o600).unwrap();
        let mut states: Vec<_> = store.states().cloned().collect();
        assert_eq!(states.len(), 1, "{line}");
        states[0].updated = jump;
        store.put(states.remove(0));
        store.sync().unwrap();
        drop(store);
        append(&path, &format!("{line}\n"));
        assert_eq!(read(folder.path(), input), [line]);
    }
}

#[test]
fn with_read_until_eof_a_stop_comes_after_the_last_line() {
    for (option, all) in [(", read_until_eof.enabled: true", true), ("", false)] {
        let folder = tempfile::tempdir().unwrap();
        append(&folder.path().join("a.log"), &numbered(6000));
        let input = format!("- {{type: filestream, id: a, paths: ['${{FOLDER}}/a.log'], quota.limit: 2000/s{option}}}");
        let mut child = agent(folder.path(), &input).spawn().unwrap();
        let documents = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        wait_for(&documents, &["line 1999"]);
        signal(&child, rustix::process::Signal::TERM);
        assert!(child.wait().unwrap().success());
        let last = documents.iter().last().unwrap_or_default();
        assert_eq!(last.contains("line 5999"), all, "{last}");
        drop(log);
    }
}

#[test]
fn files_are_deleted_when_they_are_read_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, "one\n");
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/a.log'], delete: {enabled: true, grace_period: 1s}, close.reader.on_eof: true}";
    let mut child = agent(folder.path(), input).spawn().unwrap();
    let documents = lines(child.stdout.take().unwrap());
    let log = lines(child.stderr.take().unwrap());
    wait_for(&documents, &["\"one\""]);
    append(&path, "two\n");
    wait_for(&documents, &["\"two\""]);
    let said = wait_for(&log, &["deleted a file"]);
    assert!(said.contains("a.log") && !path.exists());
    // The next file of that name is another one.
    append(&path, "three\n");
    wait_for(&documents, &["\"three\""]);
    wait_for(&log, &["deleted a file"]);
    super::stop(&mut child);
}

#[test]
fn old_files_are_ignored_since_the_first_or_the_last_start() {
    let folder = tempfile::tempdir().unwrap();
    let touch = |name: &str, time: &str| {
        let path = folder.path().join(name);
        append(&path, &format!("{name}\n"));
        assert!(Command::new("touch").args(["-d", time]).arg(path).status().unwrap().success());
    };
    let input = |kind: &str, pattern: &str| {
        format!(
            "- {{type: filestream, id: '{kind}{pattern}', paths: ['${{FOLDER}}/{pattern}'], ignore_inactive: {kind}}}\n"
        )
    };
    touch("before.log", "2020-01-01");
    let first = input("since_first_start", "*.log");
    assert_eq!(read(folder.path(), &first), Vec::<String>::new());
    append(&folder.path().join("before.log"), "more\n");
    touch("between.log", "now");
    std::thread::sleep(Duration::from_millis(50));
    let mut found = read(folder.path(), &first);
    found.sort();
    assert_eq!(found, ["between.log", "more"]);
    touch("later.log", "now");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(read(folder.path(), &input("since_last_start", "later.*")), Vec::<String>::new());
}

#[test]
fn a_new_input_begins_at_the_end_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("a.log"), "a\n");
    append(&folder.path().join("b.log"), "b\n");
    let input = |name: &str, more: &str| {
        format!("- {{type: filestream, id: {name}, paths: ['${{FOLDER}}/{name}.log']{more}}}\n")
    };
    assert_eq!(read(folder.path(), &input("a", "")), ["a"]);
    let both = format!("{}{}", input("a", ""), input("b", ", seek_to_tail: true"));
    assert_eq!(read(folder.path(), &both), Vec::<String>::new());
    append(&folder.path().join("b.log"), "more\n");
    assert_eq!(read(folder.path(), &both), ["more"]);
}

#[test]
fn sighup_takes_over_inputs_and_processors_and_says_what_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, "one\n");
    let input = "- {type: filestream, id: a, paths: ['${FOLDER}/a.log']}";
    let mut child = agent(folder.path(), input).spawn().unwrap();
    let documents = lines(child.stdout.take().unwrap());
    let log = lines(child.stderr.take().unwrap());
    wait_for(&documents, &["\"one\""]);
    let config = fs::read_to_string(folder.path().join("filebeat.yml")).unwrap();
    let changed = format!("{config}processors: [{{add_fields: {{target: '', fields: {{kind: new}}}}}}]\nname: other\n");
    fs::write(folder.path().join("filebeat.yml"), changed).unwrap();
    signal(&child, rustix::process::Signal::HUP);
    wait_for(&log, &["'name' of the configuration changed", "takes effect at the next start"]);
    wait_for(&log, &["going on with the inputs"]);
    append(&path, "two\n");
    let two: Value = serde_json::from_str(&wait_for(&documents, &["\"two\""])).unwrap();
    assert_eq!(two["kind"], "new");
    super::stop(&mut child);
    assert!(!log.iter().any(|line| line.contains("'output' of the configuration changed")));
}

/// What libbeat's `readjson.MergeJSONFields` makes of a line.
#[test]
fn json_of_the_older_inputs_leaves_a_message_only_where_it_did_not_decode() {
    let lines = r#"{"msg":"hi","a.b":1,"meta":{"id":"x"}}
not json
{"n":1}
null
"#;
    for (json, wanted) in [
        (
            "message_key: msg, keys_under_root: true, add_error_key: true",
            [
                r#"{"msg":"hi","a.b":1,"meta":{"id":"x"}}"#,
                r#"{"msg":"not json","error":{"type":"json","message":"Error decoding JSON: invalid character 'o' in literal null (expecting 'u')"}}"#,
                r#"{"msg":"","n":1,"error":{"type":"json","message":"Key 'msg' not found"}}"#,
                r#"{"msg":"null","error":{"type":"json","message":"Error decoding JSON: <nil>"}}"#,
            ],
        ),
        (
            "add_error_key: true, document_id: meta.id",
            [
                r#"{"json":{"msg":"hi","a.b":1,"meta":{}}}"#,
                r#"{"message":"not json","json":{"error":{"type":"json","message":"Error decoding JSON: invalid character 'o' in literal null (expecting 'u')"}}}"#,
                r#"{"json":{"n":1}}"#,
                r#"{"message":"null","json":{"error":{"type":"json","message":"Error decoding JSON: <nil>"}}}"#,
            ],
        ),
        (
            "keys_under_root: true, expand_keys: true",
            [
                r#"{"msg":"hi","a":{"b":1},"meta":{"id":"x"}}"#,
                r#"{"message":"not json","json":{}}"#,
                r#"{"n":1}"#,
                r#"{"message":"null","json":{}}"#,
            ],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        append(&folder.path().join("a.log"), lines);
        let (documents, _) =
            once(folder.path(), &format!("- {{type: log, paths: ['${{FOLDER}}/a.log'], json: {{{json}}}}}"));
        assert_eq!(documents.len(), 4);
        for (mut document, wanted) in documents.into_iter().zip(wanted) {
            let fields = document.as_object_mut().unwrap();
            let id = fields["@metadata"]["_id"].as_str().unwrap().to_owned();
            assert_eq!(id == "x", json.contains("document_id") && wanted.contains("hi"));
            for name in ["@timestamp", "@metadata", "agent", "ecs", "host", "input", "log"] {
                fields.remove(name);
            }
            assert_eq!(document, serde_json::from_str::<Value>(wanted).unwrap(), "{json}");
        }
    }
}
