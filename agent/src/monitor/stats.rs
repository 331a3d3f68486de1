//! `/`, `/stats`, `/state` and `/inputs` with Filebeat's names.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::process::{load, usage};
use super::{Snapshot, Sources};
use crate::document::COMPATIBLE_VERSION;

/// `/`
pub(super) fn info(sources: &Sources) -> Value {
    json!({
        "beat": "filebeat",
        "hostname": sources.name,
        "name": sources.name,
        "uuid": sources.id,
        "ephemeral_id": sources.ephemeral_id,
        "version": COMPATIBLE_VERSION,
        "build": format!("Tailrace {}", env!("CARGO_PKG_VERSION")),
    })
}

/// `/state`
pub(super) fn state(sources: &Sources) -> Value {
    json!({
        "beat": {"name": sources.name},
        "host": {"hostname": sources.name, "os": {"kernel": kernel(), "platform": "linux"}},
        "management": {"enabled": false},
        "output": {"name": sources.output_kind},
        "queue": {"name": "mem"},
        "service": {"id": sources.id, "name": "filebeat", "version": COMPATIBLE_VERSION},
    })
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// `/stats`
pub(super) fn stats(snapshot: &Snapshot<'_>) -> Value {
    json!({
        "beat": beat(snapshot.sources),
        "filebeat": filebeat(snapshot),
        "libbeat": libbeat(snapshot),
        "registrar": {
            "states": {"current": snapshot.reader.registry_states},
            "writes": {
                "success": snapshot.reader.registry_writes,
                "fail": u64::from(snapshot.reader.registry_error.is_some()),
                "total": snapshot.reader.registry_writes,
            },
        },
        "system": system(),
        "tailrace": ours(snapshot),
    })
}

fn beat(sources: &Sources) -> Value {
    let usage = usage();
    let total = usage.user_millis + usage.system_millis;
    json!({
        "cpu": {
            "system": {"ticks": usage.system_millis, "time": {"ms": usage.system_millis}},
            "user": {"ticks": usage.user_millis, "time": {"ms": usage.user_millis}},
            "total": {"ticks": total, "value": total, "time": {"ms": total}},
        },
        "memstats": {"rss": usage.resident_bytes, "memory_sys": usage.resident_bytes},
        "handles": {"open": usage.open_handles, "limit": {"soft": usage.handle_limit}},
        "runtime": {"threads": usage.threads},
        "info": {
            "ephemeral_id": sources.ephemeral_id,
            "name": "filebeat",
            "uptime": {"ms": sources.started.elapsed().as_millis() as u64},
            "version": COMPATIBLE_VERSION,
        },
    })
}

fn system() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let [one, five, fifteen] = load();
    json!({"cpu": {"cores": cores}, "load": {"1": one, "5": five, "15": fifteen}})
}

fn filebeat(snapshot: &Snapshot<'_>) -> Value {
    let (reader, output) = (&snapshot.reader, &snapshot.sources.output);
    let done = finished(snapshot);
    json!({
        "events": {"added": reader.entries, "done": done, "active": reader.entries.saturating_sub(done)},
        "harvester": {
            "open_files": reader.open_files,
            "running": reader.open_files,
            "started": reader.files_opened,
            "closed": reader.files_closed,
            "skipped": 0,
        },
        "input": {"filtered": output.filtered.load(Ordering::Relaxed)},
    })
}

/// Events that nobody waits for any more.
fn finished(snapshot: &Snapshot<'_>) -> u64 {
    let output = &snapshot.sources.output;
    [&output.acknowledged, &output.rejected, &output.filtered].map(|count| count.load(Ordering::Relaxed)).iter().sum()
}

fn libbeat(snapshot: &Snapshot<'_>) -> Value {
    let (reader, sources) = (&snapshot.reader, snapshot.sources);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let output = &sources.output;
    let (acked, dropped, failed) = (count(&output.acknowledged), count(&output.rejected), count(&output.retried));
    let (filtered, done) = (count(&output.filtered), finished(snapshot));
    let active = reader.entries.saturating_sub(done);
    let filled = reader.bytes_in_flight;
    json!({
        "config": {"module": {"running": 0, "starts": 0, "stops": 0}, "reloads": count(&output.reloads)},
        "output": {
            "type": sources.output_kind,
            "events": {
                "acked": acked, "active": active, "batches": count(&output.batches), "dropped": dropped,
                "duplicates": 0, "failed": failed, "total": acked + dropped + active,
            },
            "write": {"bytes": snapshot.cluster.bytes.0, "errors": errors(snapshot)},
            "read": {"bytes": snapshot.cluster.bytes.1, "errors": 0},
        },
        "pipeline": {
            "clients": reader.open_files,
            "events": {
                "active": active, "dropped": dropped, "failed": failed, "filtered": filtered,
                "published": reader.entries.saturating_sub(filtered), "retry": failed, "total": reader.entries,
            },
            "queue": {
                "max_bytes": sources.memory_limit,
                "filled": {"bytes": filled, "events": active, "pct": filled as f64 / sources.memory_limit.max(1) as f64},
                "added": {"events": reader.entries}, "consumed": {"events": reader.entries},
                "removed": {"events": done}, "acked": done,
            },
        },
    })
}

fn errors(snapshot: &Snapshot<'_>) -> u64 {
    snapshot.cluster.brokers.iter().map(|broker| broker.txerrs).sum()
}

/// What Filebeat has no names for.
fn ours(snapshot: &Snapshot<'_>) -> Value {
    let (reader, cluster) = (&snapshot.reader, &snapshot.cluster);
    let brokers = cluster.brokers.iter().map(|broker| {
        json!({
            "name": broker.name, "state": broker.state, "waiting": broker.outbuf_msg_cnt,
            "unacknowledged": broker.waitresp_msg_cnt, "requests": broker.tx, "errors": broker.txerrs,
            "retries": broker.txretries, "disconnects": broker.disconnects,
            "round_trip": {"avg": {"us": broker.rtt.avg}, "p99": {"us": broker.rtt.p99}},
        })
    });
    let topics = snapshot.lanes.iter().map(|lane| {
        json!({
            "name": lane.topic, "open": lane.open, "reason": lane.reason, "waiting": {"bytes": lane.waiting_bytes},
            "spooled": {"bytes": lane.spooled_bytes}, "held_files": lane.held_files, "acked": lane.acknowledged, "rejected": lane.rejected,
            "retried": lane.retried,
        })
    });
    json!({
        "bytes_read": reader.bytes_read,
        "truncated": reader.truncated,
        "unparsable": reader.unparsable,
        "quota": {"dropped": {"lines": reader.quota_lines, "bytes": reader.quota_bytes}},
        "without_metadata": reader.without_facts,
        "lost": {"bytes": reader.lost_bytes, "times": reader.losses},
        "held_files": snapshot.sources.holds.count(),
        "oversized": snapshot.sources.output.oversized.load(Ordering::Relaxed),
        "registry_error": reader.registry_error,
        "kafka": {
            "error": cluster.error,
            "brokers": brokers.collect::<Vec<_>>(),
            "topics": topics.collect::<Vec<_>>(),
        },
    })
}

/// The numbers that differ from before, counted from there; gauges among them, as Filebeat does not tell them apart.
pub(super) fn changed(before: &Value, now: &Value) -> Option<Value> {
    match now {
        Value::Object(entries) => {
            let changed =
                entries.iter().filter_map(|(name, value)| Some((name.clone(), changed(&before[name], value)?)));
            let changed: serde_json::Map<String, Value> = changed.collect();
            (!changed.is_empty()).then_some(Value::Object(changed))
        }
        Value::Number(_) => {
            let now = now.as_i64()?;
            let difference = now - before.as_i64().unwrap_or(0);
            (difference != 0).then(|| difference.into())
        }
        _ => None,
    }
}

/// `/inputs`: every file.
pub(super) fn inputs(snapshot: &Snapshot<'_>) -> Value {
    let files = snapshot.reader.files.iter().map(|file| {
        json!({
            "input": file.input_id,
            "path": file.path.to_string_lossy(),
            "size": file.size,
            "read": file.read,
            "acked": file.acknowledged,
            "behind": {"bytes": file.size.saturating_sub(file.acknowledged), "ms": file.behind_millis},
            "lost": file.lost,
            "open": file.open,
        })
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_logged() {
        let before = json!({"a": {"b": 1, "c": 2}, "name": "x"});
        let now = json!({"a": {"b": 4, "c": 2}, "name": "x"});
        assert_eq!(changed(&before, &now), Some(json!({"a": {"b": 3}})));
        assert_eq!(changed(&now, &now), None);
        assert_eq!(changed(&Value::Null, &json!({"n": 2})), Some(json!({"n": 2})));
    }
}
