//! The registry's file: as it is, with right checksums, torn and flipped.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_agent::registry::{RegistryError, read_records};
use xxhash_rust::xxh3::xxh3_64;

/// A whole record that the others must not hurt.
const SOUND: &str = r#"{"file":{"key":"000000000000000000000000000000aa","scope":"s","path":"/sound","device":1,"inode":2,"birth":3,"head":{"len":0,"hash":0},"tail":{"at":7,"len":0,"hash":0},"offset":7,"size":7,"updated":1}}"#;

fn line(record: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:016x} ", xxh3_64(record)).as_bytes());
    out.extend_from_slice(record);
    out.push(b'\n');
}

fuzz_target!(|input: (u16, u8, &[u8])| {
    let (place, flip, bytes) = input;
    drop(read_records(bytes));
    // The same bytes as records whose checksums are right.
    let mut text = Vec::new();
    for record in bytes.split(|byte| *byte == b'\n') {
        line(record, &mut text);
    }
    let others = text.len();
    line(SOUND.as_bytes(), &mut text);
    let holds_sound = |text: &[u8]| match read_records(text) {
        Ok(states) => states.iter().any(|state| state.path.to_str() == Some("/sound") && state.offset == 7),
        Err(error) => matches!(error, RegistryError::Newer { .. }),
    };
    assert!(holds_sound(&text), "a sound record at the end is lost");
    // Torn: what is left is read, or said to be none of ours.
    let at = usize::from(place) % text.len();
    match read_records(&text[..at]) {
        Ok(_) | Err(RegistryError::Newer { .. } | RegistryError::Foreign(_)) => {}
        Err(error) => panic!("torn at {at}: {error}"),
    }
    // Flipped: a rotten record costs itself and at most its neighbour, never one further on.
    line(SOUND.as_bytes(), &mut text);
    if at < others && flip != 0 {
        text[at] ^= flip;
        assert!(holds_sound(&text), "a flipped byte at {at} costs records behind it");
    }
});
