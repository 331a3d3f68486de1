//! Output and input `kafka`, with a real one.

use crate::support::{eventually, start, unique};

#[test]
fn records_go_out_and_come_back() {
    let Ok(servers) = std::env::var("TAILRACE_TEST_KAFKA") else {
        eprintln!("skipped: TAILRACE_TEST_KAFKA is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let topic = unique();
    let config = format!(
        "input {{ generator {{ lines => [\"a\", \"b ü\"] count => 500 }} }}
         output {{ kafka {{ bootstrap_servers => \"{servers}\" topic_id => \"{topic}\" codec => json message_key => \"%{{message}}\"
                            message_headers => {{ \"h\" => \"%{{message}}\" }} compression_type => lz4 }} }}"
    );
    let running = start(&config, folder.path());
    assert!(running.join());
    let out = folder.path().join("out");
    let config = format!(
        "input {{ kafka {{ bootstrap_servers => \"{servers}\" topics => \"{topic}\" group_id => \"{topic}\" auto_offset_reset => earliest
                           codec => json decorate_events => extended
                           add_field => {{ \"key\" => \"%{{[@metadata][kafka][key]}}\" \"h\" => \"%{{[@metadata][kafka][headers][h]}}\" }} }} }}
         output {{ file {{ path => \"{}\" }} }}",
        out.display()
    );
    let running = start(&config, folder.path());
    let lines = || std::fs::read_to_string(&out).unwrap_or_default().lines().map(str::to_string).collect::<Vec<_>>();
    eventually("all records have come", || (lines().len() >= 1000).then_some(()));
    running.stop();
    assert!(running.join());
    let lines = lines();
    assert_eq!(lines.len(), 1000);
    for line in lines {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&event["key"], &event["h"]), (&event["message"], &event["message"]));
    }
}
