//! Tailrace's agent: finds and follows log files, decodes their lines, and sends Filebeat's documents onwards.

mod autodiscover;
mod block;
pub mod cli;
pub mod config;
pub mod decode;
pub mod discover;
pub mod document;
pub mod engine;
pub mod enrich;
mod http;
pub mod keystore;
pub mod listen;
mod memory;
mod metadata;
pub mod monitor;
pub mod output;
pub mod pipeline;
pub mod processors;
pub mod queue;
pub mod registry;
mod rolling;
pub mod run;
pub mod tail;
pub mod wrap;
