//! Output `zabbix`, against a server that speaks its protocol.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::start;

/// Takes one request and answers it.
fn serve(listener: &TcpListener) -> Value {
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = [0; 13];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head[..5], b"ZBXD\x01");
    let mut body = vec![0; u64::from_le_bytes(head[5..].try_into().unwrap()) as usize];
    stream.read_exact(&mut body).unwrap();
    let answer = br#"{"response":"success","info":"processed: 2; failed: 0; total: 2; seconds spent: 0.000055"}"#;
    let mut message = b"ZBXD\x01".to_vec();
    message.extend_from_slice(&(answer.len() as u64).to_le_bytes());
    message.extend_from_slice(answer);
    stream.write_all(&message).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn values_go_to_trapper_items() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let lines = r#"'{"h":"web1","k":"app.errors","v":3}', '{"h":"web1","k":"app.text","v":"ü"}', '{"nothing":1}'"#;
    let config = format!(
        "input {{ generator {{ codec => json lines => [{lines}] count => 1 }} }}
         output {{ zabbix {{ zabbix_host => h zabbix_key => k zabbix_value => v zabbix_server_host => \"127.0.0.1\" zabbix_server_port => {port} }} }}"
    );
    let config = config.replace("=> h ", "=> \"h\" ").replace("=> k ", "=> \"k\" ").replace("=> v ", "=> \"v\" ");
    let running = start(&config, folder.path());
    let request = serve(&listener);
    let value = |at: usize, name: &str| request["data"][at][name].clone();
    assert_eq!(request["request"], "sender data");
    assert_eq!(
        [value(0, "host"), value(0, "key"), value(0, "value")],
        [json!("web1"), json!("app.errors"), json!("3")]
    );
    assert_eq!([value(1, "key"), value(1, "value")], [json!("app.text"), json!("ü")]);
    let monitor = running.monitor();
    assert!(running.join());
    assert_eq!(monitor.stats().dead_letters, 1, "an event without a host is kept");
}
