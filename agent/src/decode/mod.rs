//! Lines become entries: container formats, multiline, ndjson, syslog, filters. No IO, no clock of its own.

pub mod encoding;
pub mod ndjson;
pub mod pattern;
pub mod settings;
pub mod syslog;

pub use encoding::{LineTerminator, TextEncoding};
pub use pattern::Pattern;
