//! `/metrics` for Prometheus.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::Snapshot;
use super::process::usage;
use crate::engine::FileStats;

/// No more files than these are shown one by one: those that are furthest behind.
const MOST_FILES: usize = 1000;

/// Text in the making.
struct Page(String);

impl Page {
    /// A metric with its samples: labels (or none) and value.
    fn metric(&mut self, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (String, f64)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a string cannot fail.
        writeln!(self.0, "# HELP tailrace_agent_{name} {help}\n# TYPE tailrace_agent_{name} {kind}").ok();
        for (labels, value) in samples {
            writeln!(self.0, "tailrace_agent_{name}{labels} {value}").ok();
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "counter", help, [(String::new(), value as f64)]);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "gauge", help, [(String::new(), value as f64)]);
    }
}

/// `{name="value",...}`
fn labels(pairs: &[(&str, &str)]) -> String {
    let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", quote(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

pub(super) fn render(snapshot: &Snapshot<'_>) -> String {
    let mut page = Page(String::with_capacity(16 << 10));
    reader(&mut page, snapshot);
    output(&mut page, snapshot);
    kafka(&mut page, snapshot);
    files(&mut page, &snapshot.reader.files);
    let usage = usage();
    page.counter("cpu_milliseconds_total", "processor time used", usage.user_millis + usage.system_millis);
    page.gauge("resident_memory_bytes", "memory in use", usage.resident_bytes);
    page.gauge("open_handles", "open file descriptors", usage.open_handles);
    page.0
}

fn reader(page: &mut Page, snapshot: &Snapshot<'_>) {
    let reader = &snapshot.reader;
    page.counter("read_bytes_total", "bytes read from files", reader.bytes_read);
    page.counter("events_read_total", "events decoded", reader.entries);
    page.counter("events_truncated_total", "events cut at a limit", reader.truncated);
    page.counter("events_unparsable_total", "lines that a parser could not read, sent as they are", reader.unparsable);
    page.counter("quota_dropped_lines_total", "lines dropped beyond a quota", reader.quota_lines);
    page.counter("quota_dropped_bytes_total", "bytes of lines dropped beyond a quota", reader.quota_bytes);
    page.counter(
        "files_without_metadata_total",
        "files whose first lines went out before their container was known",
        reader.without_facts,
    );
    page.counter("lost_bytes_total", "bytes destroyed before they could be read", reader.lost_bytes);
    page.counter("losses_total", "how often bytes were destroyed before they could be read", reader.losses);
    page.gauge("files", "files known", reader.files.len() as u64);
    page.gauge("open_files", "files open", reader.open_files);
    page.gauge(
        "held_files",
        "files not read because their destination is stuck",
        snapshot.sources.holds.count() as u64,
    );
    page.gauge("queue_bytes", "bytes read and not yet let go", reader.bytes_in_flight);
    page.gauge("queue_limit_bytes", "the most of them", snapshot.sources.memory_limit as u64);
    page.counter("registry_writes_total", "writes of the registry", reader.registry_writes);
    page.gauge("registry_states", "files in the registry", reader.registry_states);
    page.gauge("registry_broken", "1 while the registry cannot be written", u64::from(reader.registry_error.is_some()));
}

fn output(page: &mut Page, snapshot: &Snapshot<'_>) {
    let output = &snapshot.sources.output;
    for (name, help, counter) in [
        ("events_acknowledged_total", "events that are safe", &output.acknowledged),
        ("events_rejected_total", "events that will never be taken, kept in a file", &output.rejected),
        ("events_retried_total", "events refused and sent again", &output.retried),
        ("events_oversized_total", "events larger than the output takes", &output.oversized),
        ("events_filtered_total", "events that processors dropped", &output.filtered),
        ("batches_total", "batches taken", &output.batches),
        ("reloads_total", "configurations taken over while running", &output.reloads),
    ] {
        page.counter(name, help, counter.load(Ordering::Relaxed));
    }
}

fn kafka(page: &mut Page, snapshot: &Snapshot<'_>) {
    let lanes = |value: fn(&crate::output::LaneStats) -> f64| {
        snapshot.lanes.iter().map(move |lane| (labels(&[("topic", &lane.topic)]), value(lane))).collect::<Vec<_>>()
    };
    page.metric("topic_open", "gauge", "1 while events go to the topic", lanes(|lane| f64::from(u8::from(lane.open))));
    page.metric(
        "topic_waiting_bytes",
        "gauge",
        "bytes that wait for the topic",
        lanes(|lane| lane.waiting_bytes as f64),
    );
    page.metric("topic_spooled_bytes", "gauge", "bytes on disk for the topic", lanes(|lane| lane.spooled_bytes as f64));
    page.metric("topic_acknowledged_total", "counter", "events in the topic", lanes(|lane| lane.acknowledged as f64));
    page.metric(
        "topic_rejected_total",
        "counter",
        "events the topic will never take",
        lanes(|lane| lane.rejected as f64),
    );
    page.metric("topic_retried_total", "counter", "events sent again", lanes(|lane| lane.retried as f64));
    let brokers = |value: fn(&crate::output::Broker) -> f64| {
        let named = snapshot.cluster.brokers.iter();
        named.map(move |broker| (labels(&[("broker", &broker.name)]), value(broker))).collect::<Vec<_>>()
    };
    let up = |broker: &crate::output::Broker| f64::from(u8::from(broker.state == "UP"));
    page.metric("broker_up", "gauge", "1 while connected to the broker", brokers(up));
    page.metric("broker_sent_bytes_total", "counter", "bytes sent", brokers(|broker| broker.txbytes as f64));
    page.metric("broker_requests_total", "counter", "requests sent", brokers(|broker| broker.tx as f64));
    page.metric("broker_errors_total", "counter", "failed requests", brokers(|broker| broker.txerrs as f64));
    page.metric("broker_retries_total", "counter", "requests tried again", brokers(|broker| broker.txretries as f64));
    page.metric(
        "broker_disconnects_total",
        "counter",
        "broken connections",
        brokers(|broker| broker.disconnects as f64),
    );
    let unacknowledged = |broker: &crate::output::Broker| broker.waitresp_msg_cnt as f64;
    page.metric("broker_unacknowledged", "gauge", "records sent and not acknowledged", brokers(unacknowledged));
    let p99 = |broker: &crate::output::Broker| broker.rtt.p99 as f64 / 1e6;
    page.metric("broker_round_trip_p99_seconds", "gauge", "99th percentile of round trips", brokers(p99));
}

fn files(page: &mut Page, files: &[FileStats]) {
    let behind = |file: &FileStats| file.size.saturating_sub(file.acknowledged);
    page.gauge("lag_bytes", "bytes in all files that are not acknowledged", files.iter().map(behind).sum());
    let oldest = files.iter().map(|file| file.behind_millis).max().unwrap_or(0);
    page.metric("lag_seconds", "gauge", "how long the oldest of them waits", [(String::new(), oldest as f64 / 1e3)]);
    let mut shown: Vec<&FileStats> =
        files.iter().filter(|file| file.open || behind(file) > 0 || file.lost > 0).collect();
    if shown.len() > MOST_FILES {
        shown.sort_by_key(|file| std::cmp::Reverse(behind(file)));
        shown.truncate(MOST_FILES);
    }
    page.gauge("files_not_shown", "files without lines of their own here", (files.len() - shown.len()) as u64);
    let each = |value: &dyn Fn(&FileStats) -> f64| {
        let named = shown.iter().map(|file| (labels(&[("path", &file.path.to_string_lossy())]), value(file)));
        named.collect::<Vec<_>>()
    };
    page.metric("file_lag_bytes", "gauge", "bytes not acknowledged", each(&|file| behind(file) as f64));
    page.metric(
        "file_lag_seconds",
        "gauge",
        "how long the oldest waits",
        each(&|file| file.behind_millis as f64 / 1e3),
    );
    page.metric("file_lost_bytes_total", "counter", "bytes destroyed unread", each(&|file| file.lost as f64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(labels(&[("path", "a\"b\\c\nd"), ("x", "1")]), "{path=\"a\\\"b\\\\c\\nd\",x=\"1\"}");
    }

    #[test]
    fn only_the_files_furthest_behind_are_shown() {
        let file = |number: u64| FileStats { path: format!("/f{number}").into(), size: number, ..FileStats::default() };
        let all: Vec<FileStats> = (0..1500).map(file).collect();
        let mut page = Page(String::new());
        files(&mut page, &all);
        assert!(page.0.contains("file_lag_bytes{path=\"/f1499\"} 1499\n"));
        assert!(!page.0.contains("path=\"/f300\""));
        assert!(page.0.contains("tailrace_agent_files_not_shown 500\n"));
        assert!(page.0.contains("tailrace_agent_lag_bytes 1124250\n"));
    }
}
