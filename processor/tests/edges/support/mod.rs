//! Pipelines started from text, free ports, patience.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tailrace_processor::delivery::Bus;
use tailrace_processor::lang::{ParseOptions, has_errors, render};
use tailrace_processor::pipeline::{Pipeline, PipelineSettings, Running};
use tailrace_processor::settings::{files, variables};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The events that a file holds, one a line; the last line may still be on its way.
pub(crate) fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Starts a pipeline; its data goes below `folder`.
pub(crate) fn start(text: &str, folder: &Path) -> Running {
    start_on(text, folder, &Arc::default())
}

/// Starts a pipeline among others.
pub(crate) fn start_on(text: &str, folder: &Path, bus: &Arc<Bus>) -> Running {
    start_with(text, folder, bus, PATIENCE)
}

/// Starts a pipeline that gives up that long after it is told to stop.
pub(crate) fn start_with(text: &str, folder: &Path, bus: &Arc<Bus>, drain: Duration) -> Running {
    let (config, mut findings) = files::from_string(text, ParseOptions::default());
    let settings = PipelineSettings {
        workers: 2,
        data: folder.to_path_buf(),
        dead_letters: folder.join("dead_letter_queue"),
        drain,
        bus: bus.clone(),
        ..PipelineSettings::default()
    };
    let expand = |text: &str| variables::expand(text, &variables::environment);
    let pipeline = Pipeline::compile(&config, &settings, &expand, &mut findings);
    let shown: String = findings.iter().map(|finding| render::human(finding, render::Colours(false))).collect();
    assert!(!has_errors(&findings), "{shown}");
    pipeline.start(&settings).unwrap()
}

/// A port of the loopback interface that nobody uses now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Calls `probe` until it gives a value.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Connects as soon as somebody listens.
pub(crate) fn connect(port: u16) -> std::net::TcpStream {
    eventually("somebody listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok())
}

/// A name that no other run has.
pub(crate) fn unique() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("edges-{}-{}", std::process::id(), since.as_nanos())
}
