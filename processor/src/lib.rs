//! Tailrace's processor: runs Logstash pipelines, from Kafka to Elasticsearch.

#[cfg(feature = "edges")]
pub mod admin;
mod charset;
#[cfg(feature = "edges")]
pub mod cli;
#[cfg(feature = "edges")]
mod cloud;
pub mod codec;
#[cfg(feature = "edges")]
mod command;
#[cfg(feature = "edges")]
pub mod delivery;
pub mod filters;
mod globbing;
#[cfg(feature = "edges")]
mod http_client;
#[cfg(feature = "edges")]
pub mod index;
#[cfg(feature = "edges")]
pub mod input;
#[cfg(feature = "edges")]
mod java_store;
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
#[cfg(feature = "edges")]
mod proofs;
pub mod settings;
#[cfg(feature = "edges")]
mod tls;
pub mod tune;
