//! `tailrace agent exec`: real applications as children.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::program::tailrace;

/// A folder with a configuration that ships into files.
fn stage() -> TempDir {
    let dir = TempDir::new().unwrap();
    let text = format!(
        "path.data: {0}/data\nfilebeat.inputs:\n- {{type: filestream, id: f, paths: [{0}/*.log]}}\noutput.file: {{path: {0}/out, filename: events}}\nlogging.level: error\nfields: {{app: shop}}\n",
        dir.path().display()
    );
    std::fs::write(dir.path().join("agent.yml"), text).unwrap();
    dir
}

fn exec(dir: &Path, options: &[&str], script: &str) -> Command {
    let mut command = tailrace();
    command.args(["agent", "-c"]).arg(dir.join("agent.yml")).arg("exec").args(options).args(["--", "sh", "-c", script]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(dir: &Path, options: &[&str], script: &str) -> Output {
    exec(dir, options, script).output().unwrap()
}

fn events(dir: &Path) -> Vec<Value> {
    let Ok(entries) = std::fs::read_dir(dir.join("out")) else { return Vec::new() };
    let texts = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    // The last line may still be on its way.
    let whole = texts.map(|text| text.rfind('\n').map_or(String::new(), |end| text[..end].to_owned()));
    whole
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>())
        .collect()
}

fn shipped(dir: &Path, stream: &str) -> Vec<String> {
    let of_stream = events(dir).into_iter().filter(|event| event["stream"] == stream);
    of_stream.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn output_is_passed_on_and_shipped() {
    let dir = stage();
    let output = run(dir.path(), &[], "echo one; echo wrong >&2; printf 'two\\nno end'; exit 3");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one\ntwo\nno end");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "wrong\n");
    assert_eq!(shipped(dir.path(), "stdout"), ["one", "two", "no end"]);
    assert_eq!(shipped(dir.path(), "stderr"), ["wrong"]);
    assert!(events(dir.path()).iter().all(|event| event["fields"]["app"] == "shop"));
}

#[test]
fn exit_codes_are_the_applications() {
    let dir = stage();
    for (script, code) in [("exit 0", 0), ("exit 77", 77), ("kill -KILL $$", 137), ("kill -SEGV $$", 139)] {
        assert_eq!(run(dir.path(), &[], script).status.code(), Some(code), "{script}");
    }
    let missing = |program: &str| {
        let mut command = tailrace();
        command.args(["agent", "-c"]).arg(dir.path().join("agent.yml")).args(["exec", "--", program]);
        command.output().unwrap().status.code()
    };
    assert_eq!(missing("/does/not/exist"), Some(127));
    assert_eq!(missing("/etc/passwd"), Some(126));
}

#[test]
fn signals_reach_the_application() {
    let dir = stage();
    let script = "for s in TERM HUP INT USR1 USR2 WINCH; do trap \"echo got $s\" $s; done; trap 'exit 9' QUIT; echo ready; while :; do sleep 0.05; done";
    let mut child = exec(dir.path(), &[], script).spawn().unwrap();
    eventually("the application is ready", || (!shipped(dir.path(), "stdout").is_empty()).then_some(()));
    let signal = |name: &str| {
        assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
    };
    for name in ["TERM", "HUP", "INT", "USR1", "USR2", "WINCH"] {
        signal(name);
        let wanted = format!("got {name}");
        eventually("the signal arrives", || shipped(dir.path(), "stdout").contains(&wanted).then_some(()));
    }
    signal("QUIT");
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn orphans_are_reaped_and_not_waited_for() {
    let dir = stage();
    // The grandchild loses its parent, ends, and is nobody's zombie; another one holds the pipe open beyond the end.
    let script = "(sh -c 'sleep 0.2; echo grandchild' & ) ; sleep 1; ps -o stat= --ppid $PPID | grep -c Z; (sleep 300 & ); exit 0";
    let output = run(dir.path(), &[], script);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "grandchild\n0\n");
    drop(Command::new("pkill").args(["-f", "^sleep 300$", "-P", "1"]).status());
}

#[test]
fn stack_traces_are_one_event() {
    let dir = stage();
    let script = "printf 'Exception in thread \"main\" java.lang.Boom: x\\n\\tat a.b(C.java:1)\\n\\tat d.e(F.java:2)\\n' >&2; echo fine";
    assert!(run(dir.path(), &[], script).status.success());
    assert_eq!(shipped(dir.path(), "stderr").len(), 1);
    let dir = stage();
    assert!(run(dir.path(), &["--no-multiline"], script).status.success());
    assert_eq!(shipped(dir.path(), "stderr").len(), 3);
}

#[test]
fn files_are_followed_as_well() {
    let dir = stage();
    let script = format!("echo from a file > {}/app.log; sleep 1", dir.path().display());
    assert!(run(dir.path(), &[], &script).status.success());
    let messages: Vec<_> = events(dir.path()).iter().map(|event| event["message"].clone()).collect();
    assert_eq!(messages, ["from a file"]);
}

/// A Docker that knows of one container.
fn docker(socket: &Path, id: &str) {
    let listener = UnixListener::bind(socket).unwrap();
    let list = format!(
        r#"[{{"Id":"{id}","Names":["/web"],"Image":"nginx","Labels":{{}},"State":"running","Ports":[],"NetworkSettings":{{"Networks":{{}}}}}}]"#
    );
    let answer = move |mut stream: UnixStream, list: &str| -> std::io::Result<()> {
        let mut asked = BufReader::new(stream.try_clone()?).lines();
        let first = asked.next().unwrap_or_else(|| Ok(String::new()))?;
        asked.by_ref().take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
        if first.contains("/events") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            // Nothing happens, until the other side goes.
            asked.for_each(drop);
            return Ok(());
        }
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{list}", list.len())
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let list = list.clone();
            std::thread::spawn(move || answer(stream, &list));
        }
    });
}

#[test]
fn what_autodiscover_finds_is_read_beside_the_application() {
    let dir = stage();
    let (at, id) = (dir.path().display(), "5".repeat(64));
    docker(&dir.path().join("docker.sock"), &id);
    let text = format!(
        "path.data: {at}/data\noutput.file: {{path: {at}/out, filename: events}}\nlogging.level: error\nfilebeat.autodiscover.providers:\n- type: docker\n  host: unix://{at}/docker.sock\n  hints: {{enabled: true, default_config: {{type: container, paths: ['{at}/${{data.container.id}}-json.log']}}}}\n"
    );
    std::fs::write(dir.path().join("agent.yml"), text).unwrap();
    let line = r#"{"log":"found\n","stream":"stderr","time":"2026-11-23T09:15:00Z"}"#;
    std::fs::write(dir.path().join(format!("{id}-json.log")), format!("{line}\n")).unwrap();
    // The application ends when the line is there.
    let script = format!("until grep -qs found {at}/out/*; do sleep 0.05; done; echo own");
    let output = run(dir.path(), &[], &script);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        (shipped(dir.path(), "stderr"), shipped(dir.path(), "stdout")),
        (vec!["found".into()], vec!["own".into()])
    );
    assert!(events(dir.path()).iter().any(|event| event["container"]["name"] == "web"));
}

#[test]
fn a_dead_kafka_never_blocks_the_application() {
    let dir = TempDir::new().unwrap();
    let text = format!(
        "path.data: {0}/data\nfilebeat.inputs:\n- {{type: filestream, id: f, paths: [{0}/*.log]}}\noutput.kafka: {{hosts: [\"127.0.0.1:1\"], topic: x}}\nlogging.level: error\n",
        dir.path().display()
    );
    std::fs::write(dir.path().join("agent.yml"), text).unwrap();
    for (policy, kept) in [("drop-oldest", false), ("spool", true)] {
        let options = ["--when-full", policy, "--buffer", "1", "--spool", "64", "--drain", "1"];
        let output = run(dir.path(), &options, "seq 1 1000000; echo done >&2");
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.ends_with("999999\n1000000\n") && text.lines().count() == 1_000_000);
        let spool = dir.path().join("data/exec-spool");
        let bytes: u64 = std::fs::read_dir(&spool)
            .map_or(0, |entries| entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum());
        assert_eq!(bytes > 6_000_000, kept, "{policy} left {bytes} bytes");
    }
    // The next run delivers what the one before could not.
    let text = std::fs::read_to_string(dir.path().join("agent.yml")).unwrap();
    let text = text.replace(
        "output.kafka: {hosts: [\"127.0.0.1:1\"], topic: x}",
        &format!("output.file: {{path: {}/out, number_of_files: 1000}}", dir.path().display()),
    );
    std::fs::write(dir.path().join("agent.yml"), text).unwrap();
    assert!(run(dir.path(), &["--drain", "120"], "true").status.success());
    let mut lines: Vec<u64> = shipped(dir.path(), "stdout").iter().map(|line| line.parse().unwrap()).collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((lines.first(), lines.last(), lines.len()), (Some(&1), Some(&1_000_000), 1_000_000));
}

#[test]
fn a_configuration_that_does_not_work_does_not_keep_the_application_from_running() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("agent.yml"), "output.kafak: {}\n").unwrap();
    let output = run(dir.path(), &[], "echo runs; exit 4");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(4), "runs\n"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not shipped"));
    let output = run(dir.path(), &["--strict"], "echo runs");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(125), 0));
}
