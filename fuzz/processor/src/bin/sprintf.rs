//! `%{...}` in texts.
//!
//! The first line is a template, the rest the event's message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_common::{Event, Str, Timestamp};
use tailrace_processor::plan::template::Template;

fuzz_target!(|text: &str| {
    let (template, message) = text.split_once('\n').unwrap_or((text, ""));
    let now = Timestamp::from_millis(1_700_000_000_123);
    let event = Event::with_message(Str::from(message), now);
    let template_read = Template::parse(template);
    if let Some(constant) = template_read.as_constant() {
        assert_eq!(constant.as_str(), template);
    }
    let _ = template_read.render(&event);
});
