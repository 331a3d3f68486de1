//! One file's bytes become lines: settings, offsets, encodings, rotation, truncation, gzip.

pub mod lines;
pub mod settings;
pub mod source;
