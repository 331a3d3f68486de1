//! Lines of container runtimes: docker's json-file and CRI.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_agent::decode::{Moments, cri, docker};

fuzz_target!(|line: &[u8]| {
    let _ = cri::parse(line, &mut Moments::default());
    // Escapes are undone in place.
    let mut line = line.to_vec();
    let _ = docker::parse(&mut line, &mut Moments::default());
});
