//! Syslog lines of both forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_agent::decode::syslog::{self, SyslogFormat, SyslogSettings, Zone};
use tailrace_common::Timestamp;

fuzz_target!(|line: &str| {
    let now = Timestamp::from_millis(1_700_000_000_123);
    for format in [SyslogFormat::Auto, SyslogFormat::Rfc3164, SyslogFormat::Rfc5424] {
        let settings = SyslogSettings { format, timezone: Zone::Named("UTC".into()), ..SyslogSettings::default() };
        if let Err(position) = syslog::parse(&settings, line, now) {
            assert!(position >= 1 && position <= line.len() + 1, "at {position}");
        }
    }
});
