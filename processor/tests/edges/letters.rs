//! Dead letters, from the output that cannot deliver to the pipeline that reads them.

use crate::support::{events, eventually, start};

#[test]
fn undeliverable_events_are_kept_read_once_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    // No datagram holds 100,000 bytes.
    let long = "x".repeat(100_000);
    let config = format!(
        "input {{ generator {{ lines => [\"{long}\"] count => 3 }} }} output {{ udp {{ host => \"127.0.0.1\" port => 9 }} }}"
    );
    let running = start(&config, folder.path());
    assert!(running.join());

    let out = folder.path().join("out");
    let letters = folder.path().join("dead_letter_queue");
    let config = format!(
        "input {{ dead_letter_queue {{ path => \"{}\" add_field => {{ \"why\" => \"%{{[@metadata][dead_letter_queue][reason]}}\" }} }} }}
         output {{ file {{ path => \"{}\" }} }}",
        letters.display(),
        out.display()
    );
    let running = start(&config, folder.path());
    eventually("the letters are read", || (events(&out).len() == 3).then_some(()));
    running.stop();
    assert!(running.join());
    let seen = events(&out);
    let first = &seen[0];
    assert_eq!(first["message"], long.as_str());
    assert!(first["why"].as_str().unwrap().contains("Message too long"), "{}", first["why"]);

    let running = start(&config, folder.path());
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.stop();
    assert!(running.join());
    assert_eq!(events(&out).len(), 3, "what was delivered is not read again");
}
