//! Lumberjack frames: the same come out however the bytes are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_common::lumberjack::{Decoder, Limits};

const LIMITS: Limits = Limits { frame: 1 << 16, inflated: 1 << 18, window: 1000 };

fn frames(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut decoder = Decoder::new(LIMITS);
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        loop {
            match decoder.frame() {
                Ok(Some(frame)) => found.push(format!("{frame:?}")),
                Ok(None) => break,
                Err(error) => {
                    found.push(error.to_string());
                    return found;
                }
            }
        }
    }
    found
}

fuzz_target!(|bytes: &[u8]| {
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(whole, frames(bytes, 7));
});
