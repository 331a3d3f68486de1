//! Tailrace's agent: finds and follows log files, decodes their lines, and sends Filebeat's documents onwards.

pub mod decode;
pub mod engine;
pub mod pipeline;
pub mod tail;
