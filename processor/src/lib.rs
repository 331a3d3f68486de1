//! Tailrace's processor: runs Logstash pipelines, from Kafka to Elasticsearch.

#[cfg(feature = "edges")]
pub mod admin;
#[cfg(feature = "edges")]
pub mod cli;
pub mod codec;
#[cfg(feature = "edges")]
mod command;
#[cfg(feature = "edges")]
pub mod delivery;
pub mod filters;
#[cfg(feature = "edges")]
mod http_client;
#[cfg(feature = "edges")]
pub mod index;
#[cfg(feature = "edges")]
pub mod input;
pub mod javahash;
#[cfg(feature = "edges")]
mod kafka;
pub mod lang;
mod lookup;
pub mod options;
#[cfg(feature = "edges")]
pub mod output;
#[cfg(feature = "edges")]
pub mod pipeline;
pub mod plan;
pub mod plugin;
pub mod settings;
pub mod tune;
