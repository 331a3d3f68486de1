//! The HTTP interface of a running processor: numbers for Prometheus and in Logstash's shape, and its health.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::input::Stop;
use crate::pipeline::{Monitor, PluginStats};

/// Ports tried one after the other when the first is taken, as Logstash does.
const PORTS: u16 = 100;

/// What the interface shows.
pub struct Admin {
    monitors: Vec<Monitor>,
    /// Set when the process is about to end.
    stopping: Stop,
    started: Instant,
}

impl Admin {
    /// Shows these pipelines; not healthy any more once `stopping` is set.
    pub fn new(monitors: Vec<Monitor>, stopping: Stop) -> Admin {
        Admin { monitors, stopping, started: Instant::now() }
    }
}

/// Binds the address, or one of the ports that follow.
pub async fn bind(host: &str, port: u16) -> std::io::Result<TcpListener> {
    let mut last = None;
    for port in port..=port.saturating_add(if port == 0 { 0 } else { PORTS }) {
        match TcpListener::bind((host, port)).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => last = Some(error),
            bound => return bound,
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

/// Serves until the task is dropped.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/", get(move |State(admin)| about(admin, address)))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/_node/stats", get(move |State(admin)| node_stats(admin, address)))
        .route("/_node/stats/pipelines", get(move |State(admin)| node_stats(admin, address)))
        .route("/_node/stats/pipelines/{id}", get(pipeline_stats))
        .with_state(admin);
    axum::serve(listener, router).await
}

fn node(address: SocketAddr, admin: &Admin) -> Map<String, Value> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let status = if admin.stopping.is_set() { "red" } else { "green" };
    let node = json!({
        "host": host.trim(),
        "version": env!("CARGO_PKG_VERSION"),
        "http_address": address.to_string(),
        "name": host.trim(),
        "status": status,
    });
    node.as_object().cloned().unwrap_or_default()
}

async fn about(admin: Arc<Admin>, address: SocketAddr) -> Json<Value> {
    Json(Value::Object(node(address, &admin)))
}

async fn health(State(admin): State<Arc<Admin>>) -> Response {
    let stopping = admin.stopping.is_set();
    let status = if stopping { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let word = if stopping { "stopping" } else { "ok" };
    let pipelines: Vec<&str> = admin.monitors.iter().map(Monitor::id).collect();
    (status, Json(json!({ "status": word, "pipelines": pipelines }))).into_response()
}

/// `GET /_node/stats`, in the shape of Logstash's.
async fn node_stats(admin: Arc<Admin>, address: SocketAddr) -> Json<Value> {
    let mut all = node(address, &admin);
    let stats: Vec<_> = admin.monitors.iter().map(|monitor| (monitor.stats(), monitor.busy())).collect();
    let duration: Duration = stats.iter().map(|(_, busy)| *busy).sum();
    all.insert(
        "events".into(),
        json!({
            "in": stats.iter().map(|(stats, _)| stats.received).sum::<u64>(),
            "filtered": stats.iter().map(|(stats, _)| stats.filtered).sum::<u64>(),
            "out": stats.iter().map(|(stats, _)| stats.delivered).sum::<u64>(),
            "duration_in_millis": millis(duration),
        }),
    );
    if let Some((workers, batch_size, batch_delay)) = admin.monitors.first().map(Monitor::sizes) {
        let sizes = json!({ "workers": workers, "batch_size": batch_size, "batch_delay": millis(batch_delay) });
        all.insert("pipeline".into(), sizes);
    }
    let process = Process::now();
    all.insert(
        "process".into(),
        json!({
            "open_file_descriptors": process.files,
            "mem": { "resident_in_bytes": process.resident },
            "uptime_in_millis": millis(admin.started.elapsed()),
        }),
    );
    let pipelines = admin.monitors.iter().map(|monitor| (monitor.id().to_string(), shape(monitor)));
    all.insert("pipelines".into(), Value::Object(pipelines.collect()));
    Json(Value::Object(all))
}

async fn pipeline_stats(State(admin): State<Arc<Admin>>, Path(id): Path<String>) -> Response {
    match admin.monitors.iter().find(|monitor| monitor.id() == id) {
        Some(monitor) => Json(json!({ "pipelines": { id: shape(monitor) } })).into_response(),
        None => {
            (StatusCode::NOT_FOUND, Json(json!({ "error": format!("no pipeline is called '{id}'") }))).into_response()
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn shape(monitor: &Monitor) -> Value {
    let stats = monitor.stats();
    let inputs = monitor
        .inputs()
        .into_iter()
        .map(|plugin| json!({ "id": plugin.id, "name": plugin.name, "events": { "out": plugin.seen.events_out } }));
    let filters = monitor.filters().into_iter().map(|plugin| {
        let mut shown = events_of(&plugin);
        shown["matches"] = plugin.seen.matched.into();
        shown["failures"] = plugin.seen.failed.into();
        plugin.numbers.iter().for_each(|(name, count)| shown[*name] = (*count).into());
        shown
    });
    let outputs = monitor.outputs().iter().map(events_of).collect::<Vec<_>>();
    json!({
        "events": {
            "in": stats.received,
            "filtered": stats.filtered,
            "out": stats.delivered,
            "duration_in_millis": millis(monitor.busy()),
        },
        "plugins": {
            "inputs": inputs.collect::<Vec<_>>(),
            "codecs": [],
            "filters": filters.collect::<Vec<_>>(),
            "outputs": outputs,
        },
        "queue": { "type": "memory" },
        "dead_letter_queue": {
            "queue_size_in_bytes": monitor.dead_letter_bytes(),
            "written_events": stats.dead_letters,
            "dropped_events": stats.dropped,
        },
    })
}

fn events_of(plugin: &PluginStats) -> Value {
    json!({
        "id": plugin.id,
        "name": plugin.name,
        "events": {
            "in": plugin.seen.events_in,
            "out": plugin.seen.events_out,
            "duration_in_millis": millis(plugin.seen.time),
        },
    })
}

/// `GET /metrics`, for Prometheus.
async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let mut page = Page::default();
    page.family("tailrace_events_total", "counter", "Events by how far they have come.");
    for monitor in &admin.monitors {
        let stats = monitor.stats();
        for (stage, count) in [("in", stats.received), ("filtered", stats.filtered), ("delivered", stats.delivered)] {
            page.sample("tailrace_events_total", &[("pipeline", monitor.id()), ("stage", stage)], count as f64);
        }
    }
    page.family("tailrace_dead_letters_total", "counter", "Events kept as dead letters.");
    each(&admin, |monitor, labels| {
        page.sample("tailrace_dead_letters_total", labels, monitor.stats().dead_letters as f64)
    });
    page.family("tailrace_dead_letters_dropped_total", "counter", "Events for which the dead letters had no room.");
    each(&admin, |monitor, labels| {
        page.sample("tailrace_dead_letters_dropped_total", labels, monitor.stats().dropped as f64)
    });
    page.family("tailrace_dead_letter_bytes", "gauge", "Bytes of dead letters on disk.");
    each(&admin, |monitor, labels| {
        page.sample("tailrace_dead_letter_bytes", labels, monitor.dead_letter_bytes() as f64)
    });
    page.family("tailrace_worker_seconds_total", "counter", "Time that workers spent on batches.");
    each(&admin, |monitor, labels| page.sample("tailrace_worker_seconds_total", labels, monitor.busy().as_secs_f64()));
    plugin_metrics(&admin, &mut page);
    let process = Process::now();
    page.family("process_resident_memory_bytes", "gauge", "Resident memory.");
    page.sample("process_resident_memory_bytes", &[], process.resident as f64);
    page.family("process_open_fds", "gauge", "Open files.");
    page.sample("process_open_fds", &[], process.files as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0).into_response()
}

fn each(admin: &Admin, mut page: impl FnMut(&Monitor, &[(&str, &str)])) {
    admin.monitors.iter().for_each(|monitor| page(monitor, &[("pipeline", monitor.id())]));
}

fn plugin_metrics(admin: &Admin, page: &mut Page) {
    type Number = fn(&PluginStats) -> f64;
    let families: [(&str, &str, Number); 5] = [
        ("tailrace_plugin_events_in_total", "Events that came to a plugin.", |plugin| plugin.seen.events_in as f64),
        ("tailrace_plugin_events_out_total", "Events that left a plugin.", |plugin| plugin.seen.events_out as f64),
        ("tailrace_plugin_matches_total", "Events on which a filter did its work.", |plugin| {
            plugin.seen.matched as f64
        }),
        ("tailrace_plugin_failures_total", "Events on which a filter failed.", |plugin| plugin.seen.failed as f64),
        ("tailrace_plugin_seconds_total", "Time in a plugin.", |plugin| plugin.seen.time.as_secs_f64()),
    ];
    for (name, help, number) in families {
        page.family(name, "counter", help);
        for monitor in &admin.monitors {
            let kinds = [("input", monitor.inputs()), ("filter", monitor.filters()), ("output", monitor.outputs())];
            for (kind, plugins) in kinds {
                for plugin in plugins {
                    let labels = [
                        ("pipeline", monitor.id()),
                        ("kind", kind),
                        ("plugin", plugin.name),
                        ("id", plugin.id.as_str()),
                    ];
                    page.sample(name, &labels, number(&plugin));
                }
            }
        }
    }
    page.family(
        "tailrace_filter_total",
        "counter",
        "What filters count of their own: refreshes, cache hits, look-ups.",
    );
    for monitor in &admin.monitors {
        for plugin in monitor.filters() {
            for (what, count) in &plugin.numbers {
                let labels =
                    [("pipeline", monitor.id()), ("plugin", plugin.name), ("id", plugin.id.as_str()), ("what", *what)];
                page.sample("tailrace_filter_total", &labels, *count as f64);
            }
        }
    }
}

/// A page in Prometheus' text format.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to memory does not fail.
        let _written = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _written = write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _written = writeln!(self.0, "{close} {value}");
    }
}

/// What the system says of this process; 0 where it says nothing.
struct Process {
    resident: u64,
    files: usize,
}

impl Process {
    fn now() -> Process {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Process { resident: kilobytes.unwrap_or_default() * 1024, files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.sample("x_total", &[("id", "a\"b\\c\n"), ("kind", "filter")], 2.0);
        page.sample("y", &[], 0.5);
        assert_eq!(page.0, "x_total{id=\"a\\\"b\\\\c\\n\",kind=\"filter\"} 2\ny 0.5\n");
    }
}
