//! What librdkafka tells of itself: errors, logs, statistics.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::Deserialize;

/// What is known of the brokers, for `/stats`, `/metrics` and `/health`.
#[derive(Debug, Default)]
pub struct Cluster(Mutex<ClusterState>);

/// See [`Cluster`].
#[derive(Clone, Debug, Default)]
pub struct ClusterState {
    /// Every broker by name.
    pub brokers: Vec<Broker>,
    /// Bytes sent and received since the start.
    pub bytes: (u64, u64),
    /// The last error, until a broker is up again.
    pub error: Option<String>,
}

/// One broker as librdkafka's statistics show it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Broker {
    /// `host:port/id`
    pub name: String,
    /// `UP`, `DOWN`, `CONNECT`, ...
    pub state: String,
    /// The broker's number; negative for the addresses of the configuration.
    pub nodeid: i64,
    /// Records waiting to be sent.
    pub outbuf_msg_cnt: u64,
    /// Records sent and not acknowledged.
    pub waitresp_msg_cnt: u64,
    /// Requests sent.
    pub tx: u64,
    /// Bytes sent.
    pub txbytes: u64,
    /// Bytes received.
    pub rxbytes: u64,
    /// Failed sends.
    pub txerrs: u64,
    /// Retried requests.
    pub txretries: u64,
    /// Connections broken.
    pub disconnects: u64,
    /// Round trips.
    pub rtt: Window,
}

/// A window of measured times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Window {
    /// Their average.
    pub avg: u64,
    /// The 99th percentile.
    pub p99: u64,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: HashMap<String, Broker>,
    #[serde(default)]
    tx_bytes: u64,
    #[serde(default)]
    rx_bytes: u64,
}

impl Cluster {
    /// What is known now.
    pub fn state(&self) -> ClusterState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut ClusterState)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Something was delivered: whatever was wrong is over.
    pub(super) fn works(&self) {
        self.change(|state| state.error = None);
    }
}

/// librdkafka's view of us.
pub(super) struct Context {
    pub(super) servers: String,
    pub(super) cluster: Arc<Cluster>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // Errors come as events as well, with a code.
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::debug!(facility, message, "kafka"),
            _ => tracing::trace!(facility, message, "kafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            tracing::warn!("cannot reach kafka at {}; still trying", self.servers);
        } else {
            tracing::warn!(%error, reason, servers = self.servers, "kafka");
        }
        self.cluster.change(|state| state.error = Some(format!("{error}: {reason}")));
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let Ok(read) = serde_json::from_slice::<Statistics>(statistics) else { return };
        let mut brokers: Vec<Broker> = read.brokers.into_values().collect();
        brokers.sort_by(|a, b| a.name.cmp(&b.name));
        self.cluster.change(|state| {
            state.brokers = brokers;
            state.bytes = (read.tx_bytes, read.rx_bytes);
        });
    }
}
