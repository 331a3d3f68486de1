//! The agent's own logs: for people on a terminal, else JSON with ECS names, as Filebeat writes them.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tailrace_common::{Timestamp, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::rolling;

/// `logging`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `level`
    pub level: String,
    /// `to_files` and `files`; else logs go to standard error.
    pub files: Option<LogFiles>,
    /// `metrics.enabled` and `metrics.period`
    pub metrics: Option<Duration>,
}

/// `logging.files`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFiles {
    /// `path`
    pub folder: PathBuf,
    /// `name`
    pub name: String,
    /// `rotateeverybytes`
    pub rotate_every: u64,
    /// `keepfiles`
    pub keep: usize,
    /// `interval`: a file that was begun so long ago is written no further.
    pub interval: Option<Duration>,
    /// `rotateonstartup`: every start begins a new file.
    pub rotate_on_startup: bool,
    /// `permissions`
    pub permissions: u32,
}

/// Starts logging. `RUST_LOG` goes over the level. A second call changes nothing.
///
/// # Errors
/// When the files cannot be written.
pub fn init(settings: &LogSettings) -> io::Result<()> {
    let level = settings.level.parse::<tracing::Level>().unwrap_or(tracing::Level::INFO);
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let started = match &settings.files {
        Some(files) => {
            let files = Mutex::new(Rolling::open(files.clone())?);
            builder.with_ansi(false).event_format(Ecs).with_writer(files).try_init()
        }
        None if io::stderr().is_terminal() => builder.with_writer(io::stderr).try_init(),
        None => builder.with_ansi(false).event_format(Ecs).with_writer(io::stderr).try_init(),
    };
    // Somebody else has set up logging: theirs stays.
    drop(started);
    Ok(())
}

/// One JSON object a line.
struct Ecs;

impl<S, N> FormatEvent<S, N> for Ecs
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let meta = event.metadata();
        let mut line = Line { message: String::new(), fields: Vec::new() };
        event.record(&mut line);
        let mut out = b"{\"log.level\":\"".to_vec();
        out.extend_from_slice(meta.level().as_str().to_ascii_lowercase().as_bytes());
        out.extend_from_slice(b"\",\"@timestamp\":\"");
        Timestamp::now().write_iso8601_millis(&mut out);
        out.extend_from_slice(b"\",\"log.logger\":");
        json::write_string(meta.target(), &mut out);
        if let (Some(file), Some(number)) = (meta.file(), meta.line()) {
            out.extend_from_slice(b",\"log.origin\":{\"file.name\":");
            json::write_string(file, &mut out);
            out.extend_from_slice(format!(",\"file.line\":{number}}}").as_bytes());
        }
        out.extend_from_slice(b",\"message\":");
        json::write_string(&line.message, &mut out);
        out.extend_from_slice(b",\"service.name\":\"filebeat\",\"ecs.version\":\"1.6.0\"");
        out.extend_from_slice(&line.fields);
        out.extend_from_slice(b"}\n");
        writer.write_str(&String::from_utf8_lossy(&out))
    }
}

/// The parts of one event.
struct Line {
    message: String,
    fields: Vec<u8>,
}

impl Line {
    fn name(&mut self, field: &Field) {
        self.fields.push(b',');
        json::write_string(field.name(), &mut self.fields);
        self.fields.push(b':');
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => self.message = text.to_owned(),
            // It is JSON already.
            MONITORING => {
                self.name(field);
                self.fields.extend_from_slice(text.as_bytes());
            }
            _ => {
                self.name(field);
                json::write_string(text, &mut self.fields);
            }
        }
    }

    fn plain(&mut self, field: &Field, text: &str) {
        self.name(field);
        self.fields.extend_from_slice(text.as_bytes());
    }
}

/// The field with the metrics of the last while.
pub(crate) const MONITORING: &str = "monitoring";

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, if value { "true" } else { "false" });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, &value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.plain(field, &value.to_string());
        } else {
            self.text(field, &value.to_string());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

/// `NAME-20240315.ndjson` and so on, with a limit for each file and for their number.
struct Rolling {
    settings: LogFiles,
    file: File,
    written: u64,
    begun: Instant,
}

impl Rolling {
    fn open(settings: LogFiles) -> io::Result<Rolling> {
        let largest = if settings.rotate_on_startup { 0 } else { settings.rotate_every.saturating_sub(1) };
        let (file, written) = next_file(&settings, largest)?;
        Ok(Rolling { settings, file, written, begun: Instant::now() })
    }
}

fn next_file(settings: &LogFiles, largest: u64) -> io::Result<(File, u64)> {
    let opened = rolling::open(&settings.folder, &settings.name, settings.permissions, largest)?;
    rolling::keep(&settings.folder, &settings.name, settings.keep)?;
    Ok(opened)
}

impl Write for Rolling {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_old = self.settings.interval.is_some_and(|interval| self.begun.elapsed() >= interval);
        if self.written >= self.settings.rotate_every || is_old && self.written > 0 {
            (self.file, self.written) = next_file(&self.settings, 0)?;
            self.begun = Instant::now();
        }
        let written = self.file.write(line)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::sync::{Arc, PoisonError};

    use super::*;

    #[test]
    fn lines_are_ecs() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = Written(written.clone());
        let builder = tracing_subscriber::fmt().with_ansi(false).event_format(Ecs);
        let subscriber = builder.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(count = 3, path = %"/a \"b\"", ratio = 0.5, ok = true, "it is\nso");
            tracing::info!(monitoring = "{\"metrics\":{}}", "metrics");
        });
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["log.level"], "warn");
        assert_eq!(lines[0]["message"], "it is\nso");
        assert_eq!((lines[0]["count"].as_u64(), lines[0]["path"].as_str()), (Some(3), Some("/a \"b\"")));
        assert_eq!((lines[0]["ratio"].as_f64(), lines[0]["ok"].as_bool()), (Some(0.5), Some(true)));
        assert!(lines[0]["log.origin"]["file.line"].is_u64() && lines[0]["@timestamp"].is_string());
        assert!(lines[1]["monitoring"]["metrics"].is_object());
    }

    #[derive(Clone)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn log_files_have_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let settings = LogFiles {
            folder: folder.path().into(),
            name: "agent".into(),
            rotate_every: 100,
            keep: 3,
            interval: None,
            rotate_on_startup: false,
            permissions: 0o600,
        };
        let mut files = Rolling::open(settings.clone()).unwrap();
        for _ in 0..50 {
            files.write_all(&[b'x'; 40]).unwrap();
        }
        let sizes: Vec<u64> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
        assert!(sizes.len() <= 3 && sizes.iter().all(|size| *size <= 140), "{sizes:?}");
        let mut next = Rolling::open(LogFiles { rotate_on_startup: true, ..settings.clone() }).unwrap();
        assert_eq!(next.written, 0);
        next.write_all(b"begun").unwrap();
        let next = Rolling::open(settings.clone()).unwrap();
        assert_eq!(next.written, 5);
        let mut old = Rolling::open(LogFiles { interval: Some(Duration::from_millis(1)), ..settings }).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        old.write_all(b"x").unwrap();
        assert_eq!(old.written, 1);
    }
}
