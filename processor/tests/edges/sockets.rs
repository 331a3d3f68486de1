//! Inputs and outputs over sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use tailrace_processor::pipeline::Running;

use crate::support::{connect, events, eventually, free_port, start};

fn file_output(folder: &Path) -> (String, std::path::PathBuf) {
    let path = folder.join("out/events.log");
    (format!("output {{ file {{ path => \"{}\" }} }}", path.display()), path)
}

#[test]
fn lines_over_tcp_through_two_pipelines() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (free_port(), free_port());
    let (output, path) = file_output(folder.path());
    let config = format!("input {{ tcp {{ port => {second} codec => json_lines }} }} {output}");
    let end = start(&config, folder.path());
    let config = format!(
        "input {{ tcp {{ port => {first} add_field => {{ \"from\" => \"%{{[@metadata][input][tcp][source][ip]}}\" }} }} }}
         output {{ tcp {{ host => \"127.0.0.1\" port => {second} codec => json_lines }} }}"
    );
    let begin = start(&config, folder.path());
    let mut stream = connect(first);
    stream.write_all("one\r\ntwo ü\nrest without end".as_bytes()).unwrap();
    drop(stream);
    eventually("all lines have come", || (events(&path).len() == 3).then_some(()));
    let mut seen = events(&path);
    // Two workers may change the order.
    seen.sort_by_key(|event| event["message"].as_str().unwrap().to_string());
    let messages: Vec<_> = seen.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["one", "rest without end", "two ü"]);
    assert_eq!((&seen[0]["from"], &seen[0]["event"]["original"]), (&"127.0.0.1".into(), &"one".into()));
    stop([begin, end]);
}

#[test]
fn datagrams_come_with_their_sender() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (output, path) = file_output(folder.path());
    let running = start(&format!("input {{ udp {{ port => {port} }} }} {output}"), folder.path());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // What comes before the input listens is lost, as datagrams are.
    eventually("a datagram comes through", || {
        socket.send_to(b"hello\nworld", ("127.0.0.1", port)).unwrap();
        (!events(&path).is_empty()).then_some(())
    });
    let event = &events(&path)[0];
    assert_eq!((&event["message"], &event["host"]["ip"]), (&"hello\nworld".into(), &"127.0.0.1".into()));
    stop([running]);
}

#[test]
fn syslog_over_udp_and_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (output, path) = file_output(folder.path());
    let running = start(&format!("input {{ syslog {{ port => {port} }} }} {output}"), folder.path());
    let mut stream = connect(port);
    stream.write_all(b"<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed\nno syslog at all\n").unwrap();
    drop(stream);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    eventually("all have come", || {
        socket.send_to(b"<13>Oct 11 22:14:15 other app: hello", ("127.0.0.1", port)).unwrap();
        (events(&path).len() >= 3).then_some(())
    });
    let events = events(&path);
    let find = |message: &str| events.iter().find(|event| event["message"] == message).unwrap();
    let failed = find("'su root' failed");
    assert_eq!(failed["log"]["syslog"]["severity"], serde_json::json!({"code": 2, "name": "Critical"}));
    assert_eq!(failed["log"]["syslog"]["facility"], serde_json::json!({"code": 4, "name": "security/authorization"}));
    assert_eq!((&failed["host"]["hostname"], &failed["process"]["pid"]), (&"mymachine".into(), &12.into()));
    assert!(failed["@timestamp"].as_str().unwrap().contains("-10-11T22:14:15"));
    assert_eq!(find("no syslog at all")["tags"], serde_json::json!(["_grokparsefailure_sysloginput"]));
    assert_eq!(find("hello")["log"]["syslog"]["priority"], 13);
    stop([running]);
}

fn tls_file(name: &str) -> String {
    format!("{}/tests/edges/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The options of a plugin that listens with the certificate of the tests, and asks for the same from those who come.
fn listening() -> String {
    let (certificate, key, authority) = (tls_file("host.pem"), tls_file("host.key"), tls_file("authority.pem"));
    format!(
        "ssl_enabled => true ssl_certificate => \"{certificate}\" ssl_key => \"{key}\"
         ssl_client_authentication => required ssl_certificate_authorities => \"{authority}\""
    )
}

/// The options of a plugin that connects to it.
fn connecting() -> String {
    let (certificate, key, authority) = (tls_file("host.pem"), tls_file("host.key"), tls_file("authority.pem"));
    format!("ssl_certificate => \"{certificate}\" ssl_key => \"{key}\" ssl_certificate_authorities => \"{authority}\"")
}

fn stop(pipelines: impl IntoIterator<Item = Running>) {
    for running in pipelines {
        running.stop();
        assert!(running.join());
    }
}

/// The options of a plugin that takes the same from key stores of Java's.
fn by_stores(keys: &str, trust: &str) -> String {
    let (keys, trust) = (tls_file(keys), tls_file(trust));
    format!(
        "ssl_keystore_path => \"{keys}\" ssl_keystore_password => \"store-password\"
         ssl_truststore_path => \"{trust}\" ssl_truststore_password => \"store-password\""
    )
}

/// Sends a line through two pipelines: one ends with the output, the other begins with the input.
fn goes_through(output: &str, input: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (file, path) = file_output(folder.path());
    let end = start(&format!("input {{ {input} }} {file}"), folder.path());
    let port = free_port();
    let begin = start(&format!("input {{ tcp {{ port => {port} }} }} output {{ {output} }}"), folder.path());
    // A listening output has nobody to write to at first.
    eventually("the line has come", || {
        connect(port).write_all(b"secret\n").unwrap();
        (!events(&path).is_empty()).then_some(())
    });
    assert_eq!(events(&path)[0]["message"], "secret");
    stop([begin, end]);
}

#[test]
fn tls_between_output_and_input() {
    let port = free_port();
    let address = format!("host => localhost port => {port} codec => json_lines");
    goes_through(
        &format!("tcp {{ {address} ssl_enabled => true {} }}", connecting()),
        &format!("tcp {{ port => {port} codec => json_lines {} }}", listening()),
    );
}

#[test]
fn http_over_tls() {
    let port = free_port();
    // Who does not speak TLS does not hold up others.
    let silent = std::thread::spawn(move || connect(port));
    goes_through(
        &format!("http {{ url => \"https://localhost:{port}\" http_method => post {} }}", connecting()),
        &format!("http {{ port => {port} {} }}", listening()),
    );
    drop(silent.join());
}

#[test]
fn http_over_tls_with_stores_of_java() {
    let (jks, pkcs12) = (by_stores("host-same.jks", "trust.jks"), by_stores("host.p12", "trust.p12"));
    for (output, input) in [(&jks, &pkcs12), (&pkcs12, &jks)] {
        let port = free_port();
        goes_through(
            &format!("http {{ url => \"https://localhost:{port}\" http_method => post {output} }}"),
            &format!("http {{ port => {port} ssl_enabled => true ssl_client_authentication => required {input} }}"),
        );
    }
}

#[test]
fn a_tcp_output_can_listen() {
    let port = free_port();
    let address = format!("host => \"127.0.0.1\" port => {port} codec => json_lines");
    goes_through(&format!("tcp {{ mode => server {address} }}"), &format!("tcp {{ mode => client {address} }}"));
}

/// Hands the lines that come to one port to whoever connects to the other.
fn handing_out(from: u16, to: u16, folder: &Path) -> Running {
    start(
        &format!(
            "input {{ tcp {{ port => {from} }} }}
             output {{ tcp {{ mode => server host => \"127.0.0.1\" port => {to} codec => line {{ format => \"%{{message}}\" }} }} }}"
        ),
        folder,
    )
}

#[test]
fn whoever_connects_to_a_listening_output_gets_all_that_comes_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (from, port) = (free_port(), free_port());
    let running = handing_out(from, port, folder.path());
    let mut clients = [connect(port), connect(port)];
    drop(connect(port));
    let mut stream = connect(from);
    eventually("both are admitted", || {
        stream.write_all(b"hello\n").unwrap();
        clients.iter().all(has_bytes).then_some(())
    });
    for number in 0..200 {
        writeln!(stream, "{number}").unwrap();
    }
    drop(stream);
    for client in &mut clients {
        let mut numbers: Vec<u32> =
            BufReader::new(client).lines().filter_map(|line| line.unwrap().parse().ok()).take(200).collect();
        // Two workers may change the order.
        numbers.sort_unstable();
        assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    }
    stop([running]);
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_the_others_get_all() {
    /// More than the system keeps for a connection.
    const LINES: usize = 2000;
    let folder = tempfile::tempdir().unwrap();
    let (from, port) = (free_port(), free_port());
    let running = handing_out(from, port, folder.path());
    let (mut silent, reading, mut stream) = (connect(port), connect(port), connect(from));
    eventually("both are admitted", || {
        stream.write_all(b"hello\n").unwrap();
        [&silent, &reading].into_iter().all(has_bytes).then_some(())
    });
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(reading).lines().map(|line| line.unwrap().len());
        lines.filter(|length| *length > 100).take(LINES).count()
    });
    let line = format!("{}\n", "x".repeat(20_000));
    (0..LINES).for_each(|_| stream.write_all(line.as_bytes()).unwrap());
    assert_eq!(reader.join().unwrap(), LINES);
    // What the system had kept is all there is.
    let mut kept = Vec::new();
    let end = silent.read_to_end(&mut kept);
    assert!(kept.len() < LINES * line.len(), "{end:?} after {} bytes", kept.len());
    stop([running]);
}

fn has_bytes(stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let some = stream.peek(&mut [0]).is_ok_and(|length| length > 0);
    stream.set_read_timeout(None).unwrap();
    some
}
