//! How the agent is watched: HTTP on loopback or a Unix socket, `top`, logs.

pub mod http;
pub mod log;
mod metrics;
mod process;
mod stats;
pub mod top;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::engine::{Remote, Stats};
use crate::output::{ClusterState, LaneStats, OutputStats};
use crate::pipeline::Holds;
use http::{Address, Request, Response, Server};

/// `http.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// `http.enabled`, `http.host` and `http.port`; none when it is off.
    pub address: Option<Address>,
    /// The socket in the data folder that `top` connects to; always there.
    pub socket: PathBuf,
}

impl HttpSettings {
    /// Off, but for the socket in the data folder.
    pub fn off(data: &Path) -> HttpSettings {
        HttpSettings { address: None, socket: data.join(SOCKET) }
    }
}

/// The name of the socket in the data folder.
pub const SOCKET: &str = "agent.sock";

/// Where what is shown comes from.
pub struct Sources {
    /// The reader.
    pub reader: Remote,
    /// The sender.
    pub output: Arc<OutputStats>,
    /// `kafka`, `file`, ...
    pub output_kind: &'static str,
    /// Files that the output holds back.
    pub holds: Holds,
    /// `name`
    pub name: String,
    /// The agent's lasting id.
    pub id: String,
    /// The id of this run.
    pub ephemeral_id: String,
    /// When it started.
    pub started: Instant,
    /// `queue.mem`, in bytes.
    pub memory_limit: usize,
}

/// Everything at one moment.
pub(crate) struct Snapshot<'s> {
    sources: &'s Sources,
    reader: Stats,
    lanes: Vec<LaneStats>,
    cluster: ClusterState,
}

impl Sources {
    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            sources: self,
            reader: self.reader.stats().unwrap_or_default(),
            lanes: self.output.lanes(),
            cluster: self.output.cluster.state(),
        }
    }

    fn answer(&self, request: &Request) -> Response {
        match request.path.trim_end_matches('/') {
            "" => Response::json(&stats::info(self), request.is_pretty()),
            "/stats" => Response::json(&stats::stats(&self.snapshot()), request.is_pretty()),
            "/state" => Response::json(&stats::state(self), request.is_pretty()),
            "/inputs" | "/dataset" => Response::json(&stats::inputs(&self.snapshot()), request.is_pretty()),
            "/metrics" => Response::text(metrics::render(&self.snapshot())),
            "/health" => self.health(request),
            _ => Response::not_found(),
        }
    }

    /// 200 while the agent itself works: what it sends to may be away for a while, and ending the agent would not mend
    /// that. With `?strict` also 503 when nothing gets out.
    fn health(&self, request: &Request) -> Response {
        let mut problems = Vec::new();
        let reader = self.reader.stats();
        let works = reader.is_some();
        if !works {
            problems.push("the reader does not answer".to_owned());
        }
        if let Some(error) = reader.and_then(|reader| reader.registry_error) {
            problems.push(format!("the registry cannot be written: {error}"));
        }
        if let Some(error) = self.output.cluster.state().error {
            problems.push(format!("kafka: {error}"));
        }
        let shut = self
            .output
            .lanes()
            .into_iter()
            .filter_map(|lane| lane.reason.map(|reason| format!("topic '{}': {reason}", lane.topic)));
        problems.extend(shut);
        let status = match (works, problems.is_empty()) {
            (false, _) => "red",
            (true, false) => "yellow",
            (true, true) => "green",
        };
        let is_well = works && (problems.is_empty() || !request.has("strict"));
        let body = json!({"status": status, "problems": problems});
        Response::json(&body, request.is_pretty()).with_status(if is_well { 200 } else { 503 })
    }
}

/// Logs every while which numbers of `/stats` have changed, as Filebeat does.
pub struct MetricsLog {
    period: std::time::Duration,
    next: Instant,
    before: serde_json::Value,
}

impl MetricsLog {
    /// The first of them is due after one period.
    pub fn every(period: std::time::Duration) -> MetricsLog {
        MetricsLog { period, next: Instant::now() + period, before: serde_json::Value::Null }
    }

    /// Logs if it is time.
    pub fn tick(&mut self, sources: &Sources) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + self.period;
        let now = stats::stats(&sources.snapshot());
        if let Some(changed) = stats::changed(&self.before, &now) {
            let monitoring = json!({"metrics": changed}).to_string();
            tracing::info!(monitoring, "non-zero metrics in the last {:?}", self.period);
        }
        self.before = now;
    }
}

/// Starts listening where the settings say.
///
/// # Errors
/// When an address cannot be listened on. The socket in the data folder is not worth failing for.
pub fn listen(settings: &HttpSettings, sources: &Arc<Sources>) -> std::io::Result<Vec<Server>> {
    let mut servers = Vec::new();
    let start = |address: &Address| {
        let sources = sources.clone();
        Server::start(address, Arc::new(move |request: &Request| sources.answer(request)))
    };
    if let Some(address) = &settings.address {
        servers.push(start(address)?);
        tracing::info!(%address, "listening for http");
    }
    match start(&Address::Unix(settings.socket.clone())) {
        Ok(server) => servers.push(server),
        Err(error) => tracing::debug!(%error, path = %settings.socket.display(), "no socket for top"),
    }
    Ok(servers)
}
