//! Input `http`.

use std::io::{Read, Write};

use serde_json::Value;

use crate::support::{connect, free_port, start};

fn post(port: u16, headers: &str, body: &str) -> String {
    let mut stream = connect(port);
    let length = body.len();
    let request =
        format!("POST /in HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn answered_when_the_events_are_safe() {
    let folder = tempfile::tempdir().unwrap();
    let (port, out) = (free_port(), folder.path().join("out"));
    let config = format!(
        "input {{ http {{ port => {port} user => \"u\" password => \"p\" }} }} output {{ file {{ path => \"{}\" }} }}",
        out.display()
    );
    let running = start(&config, folder.path());
    assert!(post(port, "", "nobody").starts_with("HTTP/1.1 401"));
    let known = "authorization: Basic dTpw\r\n";
    assert!(post(port, known, "plain text").starts_with("HTTP/1.1 200"));
    let json = format!("{known}content-type: application/json\r\n");
    assert!(post(port, &json, r#"[{"n":1},{"n":2}]"#).starts_with("HTTP/1.1 200"));
    let text = std::fs::read_to_string(&out).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 3);
    assert_eq!((&events[0]["message"], &events[0]["host"]["ip"]), (&"plain text".into(), &"127.0.0.1".into()));
    assert_eq!((&events[1]["n"], &events[2]["n"]), (&1.into(), &2.into()));
    assert!(!text.contains("dTpw"), "credentials are no part of the event");
    running.stop();
    assert!(running.join());
}
