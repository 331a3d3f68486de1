//! A running agent: what is sent to it, and files of inputs that change.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

/// How long something may take; only a failure takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(folder: &Path, config: &str) -> Child {
    fs::write(folder.join("filebeat.yml"), config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tailrace-agent"))
        .args(["-e", "-c", "filebeat.yml", "--path.config"])
        .arg(folder)
        .arg("--path.home")
        .arg(folder)
        .env("FOLDER", folder)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The documents, once there are so many.
fn documents(folder: &Path, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let files = fs::read_dir(folder.join("out")).map(|files| files.map(|file| file.unwrap().path()).collect());
        let files: Vec<_> = files.unwrap_or_default();
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let read: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if read.len() >= count {
            return read;
        }
        assert!(started.elapsed() < PATIENCE, "{count} documents wanted, these came: {whole}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn message<'d>(documents: &'d [Value], text: &str) -> &'d Value {
    let found = documents.iter().find(|document| document["message"] == text);
    found.unwrap_or_else(|| panic!("{text} is not among {documents:?}"))
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Connects as soon as the agent listens.
fn connect(port: u16) -> TcpStream {
    let started = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_sent_becomes_documents() {
    let folder = tempfile::tempdir().unwrap();
    let (tcp, udp) = (free_port(), free_port());
    let config = format!(
        "filebeat.inputs:
- {{type: tcp, host: '127.0.0.1:{tcp}'}}
- {{type: syslog, protocol.udp.host: '127.0.0.1:{udp}', timezone: UTC}}
- {{type: stdin, tags: [piped]}}
output.file: {{path: '${{FOLDER}}/out', filename: o}}
processors:
- add_fields: {{target: '', fields: {{kind: any}}}}
- if.equals.input.type: syslog
  then: [{{add_tags: {{tags: [syslog]}}}}]
"
    );
    let mut agent = start(folder.path(), &config);
    connect(tcp).write_all(b"by tcp\n").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"<13>Oct 11 22:14:15 box su[42]: by syslog", ("127.0.0.1", udp)).unwrap();
    agent.stdin.take().unwrap().write_all(b"by stdin").unwrap();
    let documents = documents(folder.path(), 3);
    super::stop(&mut agent);
    let tcp = message(&documents, "by tcp");
    assert!(tcp["log"]["source"]["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{tcp}");
    assert!(tcp["log"].get("offset").is_none() && tcp["kind"] == "any", "{tcp}");
    let syslog = message(&documents, "by syslog");
    assert_eq!((&syslog["hostname"], &syslog["process"]["program"]), (&Value::from("box"), &Value::from("su")));
    assert_eq!(syslog["tags"], serde_json::json!(["syslog"]));
    let piped = message(&documents, "by stdin");
    assert_eq!((&piped["log"]["file"]["path"], &piped["tags"][0]), (&Value::from("-"), &Value::from("piped")));
}

#[test]
fn files_of_inputs_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("inputs.d")).unwrap();
    let input = |name: &str| {
        let text = format!("- {{type: filestream, id: {name}, paths: ['${{FOLDER}}/{name}.log']}}\n");
        fs::write(path.join(format!("{name}.log")), format!("{name}\n")).unwrap();
        fs::write(path.join(format!("inputs.d/{name}.yml")), text).unwrap();
    };
    input("first");
    let config = "
filebeat.config.inputs: {path: '${path.config}/inputs.d/*.yml', reload: {enabled: true, period: 1s}}
output.file: {path: '${FOLDER}/out', filename: o}
";
    let mut agent = start(path, config);
    message(&documents(path, 1), "first");
    // A file that does not work changes nothing.
    fs::write(path.join("inputs.d/wrong.yml"), "- {type: filestrem}\n").unwrap();
    input("second");
    thread::sleep(Duration::from_millis(100));
    fs::remove_file(path.join("inputs.d/wrong.yml")).unwrap();
    let all = documents(path, 2);
    super::stop(&mut agent);
    message(&all, "second");
    assert_eq!(all.len(), 2);
}
