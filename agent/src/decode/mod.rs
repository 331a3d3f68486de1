//! Lines become entries: container formats, multiline, ndjson, syslog, filters. No IO, no clock of its own.

mod chain;
pub mod codepage;
mod container;
pub mod cri;
pub mod docker;
pub mod encoding;
pub(crate) mod gojson;
mod hz;
mod multiline;
pub mod ndjson;
pub mod pattern;
mod pending;
pub mod settings;
pub mod syslog;
mod timestamp;
mod trace;
mod usual;

pub use chain::{Decoder, Now, Output, RawLine};
pub use encoding::{LineTerminator, TextEncoding};
pub use pattern::Pattern;
pub use timestamp::Moments;
