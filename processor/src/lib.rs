//! Tailrace's processor: runs Logstash pipelines, from Kafka to Elasticsearch.

pub mod admin;
pub mod cli;
pub mod codec;
pub mod delivery;
pub mod filters;
pub mod index;
pub mod input;
pub mod javahash;
mod kafka;
pub mod lang;
pub mod options;
pub mod output;
pub mod pipeline;
pub mod plan;
pub mod plugin;
pub mod settings;
pub mod tune;
