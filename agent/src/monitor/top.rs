//! `top`: every file of a running agent, live.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{Address, get};

/// What `top` shows and how often.
#[derive(Clone, Debug)]
pub struct TopOptions {
    /// Where the agent listens.
    pub address: Address,
    /// How often the page is drawn again.
    pub interval: Duration,
    /// Draws once and ends.
    pub once: bool,
}

/// Draws until it is interrupted.
///
/// # Errors
/// When the agent does not answer, or the terminal is gone.
pub fn run(options: &TopOptions) -> io::Result<()> {
    let live = !options.once && io::stdout().is_terminal();
    let mut before: Option<(Instant, Value)> = None;
    loop {
        let read = |path: &str| -> io::Result<Value> {
            serde_json::from_slice(&get(&options.address, path)?).map_err(io::Error::other)
        };
        let (stats, files) = (read("/stats")?, read("/inputs")?);
        let now = Instant::now();
        let rows = terminal_rows().saturating_sub(5);
        let since = before.as_ref().map(|(at, stats)| (now - *at, stats));
        let mut page = String::new();
        if live {
            page.push_str("\x1b[H\x1b[J");
        }
        page.push_str(&draw(&stats, &files, since, rows));
        let mut out = io::stdout().lock();
        out.write_all(page.as_bytes())?;
        out.flush()?;
        drop(out);
        if options.once {
            return Ok(());
        }
        before = Some((now, stats));
        std::thread::sleep(options.interval);
    }
}

fn terminal_rows() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row)).max(25)
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn draw(stats: &Value, files: &Value, since: Option<(Duration, &Value)>, rows: usize) -> String {
    let rate = |pointer: &str| {
        since.map_or(0.0, |(time, before)| {
            number(stats, pointer).saturating_sub(number(before, pointer)) as f64 / time.as_secs_f64().max(0.001)
        })
    };
    let list = files.as_array().map(Vec::as_slice).unwrap_or_default();
    let behind = |file: &Value| number(file, "/behind/bytes");
    let total: u64 = list.iter().map(behind).sum();
    let mut page = format!(
        "up {}  events {} ({:.0}/s)  acked {} ({:.0}/s)  read {} ({}/s)  rss {}  files {} (open {}, held {})\n",
        seconds(number(stats, "/beat/info/uptime/ms")),
        number(stats, "/filebeat/events/added"),
        rate("/filebeat/events/added"),
        number(stats, "/libbeat/output/events/acked"),
        rate("/libbeat/output/events/acked"),
        bytes(number(stats, "/tailrace/bytes_read")),
        bytes(rate("/tailrace/bytes_read") as u64),
        bytes(number(stats, "/beat/memstats/rss")),
        list.len(),
        number(stats, "/filebeat/harvester/open_files"),
        number(stats, "/tailrace/held_files"),
    );
    page.push_str(&format!(
        "behind {}  lost {}  rejected {}  retried {}  output {}{}\n",
        bytes(total),
        bytes(number(stats, "/tailrace/lost/bytes")),
        number(stats, "/libbeat/output/events/dropped"),
        number(stats, "/libbeat/output/events/failed"),
        stats.pointer("/libbeat/output/type").and_then(Value::as_str).unwrap_or_default(),
        stats
            .pointer("/tailrace/kafka/error")
            .and_then(Value::as_str)
            .map_or(String::new(), |error| format!(": {error}")),
    ));
    let topics =
        stats.pointer("/tailrace/kafka/topics").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for topic in topics.iter().filter(|topic| topic["open"] == false) {
        page.push_str(&format!(
            "topic {} waits with {}: {}\n",
            topic["name"].as_str().unwrap_or_default(),
            bytes(number(topic, "/waiting/bytes")),
            topic["reason"].as_str().unwrap_or("not answered yet"),
        ));
    }
    page.push_str(&format!("\n{:>10} {:>9} {:>10} {:>9}  {}\n", "BEHIND", "FOR", "SIZE", "LOST", "FILE"));
    let mut shown: Vec<&Value> = list.iter().collect();
    shown.sort_by_key(|file| std::cmp::Reverse((behind(file), number(file, "/size"))));
    for file in shown.iter().take(rows) {
        page.push_str(&format!(
            "{:>10} {:>9} {:>10} {:>9}  {}\n",
            bytes(behind(file)),
            seconds(number(file, "/behind/ms")),
            bytes(number(file, "/size")),
            bytes(number(file, "/lost")),
            file["path"].as_str().unwrap_or_default(),
        ));
    }
    if shown.len() > rows {
        page.push_str(&format!("... and {} more\n", shown.len() - rows));
    }
    page
}

fn bytes(count: u64) -> String {
    let mut size = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

fn seconds(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{:.1}s", millis as f64 / 1000.0),
        60_000..3_600_000 => format!("{}m{:02}s", millis / 60_000, millis / 1000 % 60),
        _ => format!("{}h{:02}m", millis / 3_600_000, millis / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_shows_what_is_furthest_behind_first() {
        let stats = json!({
            "filebeat": {"events": {"added": 300}},
            "tailrace": {"kafka": {"topics": [{"name": "gone", "open": false, "reason": "no such topic", "waiting": {"bytes": 2048}}]}},
        });
        let before = json!({"filebeat": {"events": {"added": 100}}});
        let file = |path: &str, behind: u64| json!({"path": path, "size": 10, "behind": {"bytes": behind, "ms": 1500}});
        let files = json!([file("/small", 1), file("/large", 5000), file("/none", 0)]);
        let page = draw(&stats, &files, Some((Duration::from_secs(2), &before)), 2);
        assert!(page.contains("events 300 (100/s)"), "{page}");
        assert!(page.contains("topic gone waits with 2.0 KiB: no such topic"), "{page}");
        let (large, small) = (page.find("/large"), page.find("/small"));
        assert!(large.is_some() && large < small && page.contains("4.9 KiB      1.5s"), "{page}");
        assert!(page.ends_with("... and 1 more\n"), "{page}");
    }
}
