//! Lines through the chain of parsers: container, multiline, ndjson.
//!
//! A flush leaves nothing waiting.
#![no_main]

use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use tailrace_agent::decode::settings::{ContainerSettings, MultilineKind, MultilineSettings, Parser};
use tailrace_agent::decode::{Decoder, Now, Output, RawLine};
use tailrace_agent::pipeline::{Flags, Span};
use tailrace_agent::tail::settings::InputSettings;
use tailrace_common::Timestamp;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let kind = if choice & 1 == 0 { MultilineKind::Auto } else { MultilineKind::Count(usize::from(choice >> 4) + 1) };
    let mut parsers = vec![Parser::Multiline(MultilineSettings { max_lines: 5, ..MultilineSettings::new(kind) })];
    if choice & 2 == 0 {
        parsers.insert(0, Parser::Container(ContainerSettings::default()));
    }
    if choice & 4 == 0 {
        parsers.push(Parser::Ndjson(Arc::default()));
    }
    let mut decoder = Decoder::new(Arc::new(InputSettings { parsers, ..InputSettings::default() }));
    let mut text = bytes.to_vec();
    let (mut entries, mut older) = (Vec::new(), Vec::new());
    let mut now = Now { wall: Timestamp::from_millis(1_700_000_000_123), tick: Instant::now() };
    let mut start = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let end = start + line.len();
        let length = line.strip_suffix(b"\n").unwrap_or(line).len();
        let span = Span { start: start as u32, len: length as u32 };
        let raw = RawLine { text: span, start: start as u64, end: end as u64, flags: Flags::default() };
        decoder.line(raw, now, &mut Output { text: &mut text, entries: &mut entries, older: &mut older });
        now.tick += Duration::from_millis(u64::from(choice));
        decoder.expire(now, &mut Output { text: &mut text, entries: &mut entries, older: &mut older });
        start = end;
    }
    decoder.flush(now, &mut Output { text: &mut text, entries: &mut entries, older: &mut older });
    assert!(decoder.is_idle());
});
