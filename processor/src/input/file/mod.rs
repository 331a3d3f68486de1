//! Input `file`: lines of files, followed as they grow or read once.
//!
//! Positions are kept in a file of our own (Logstash's sincedb), behind what is safe downstream; each file has an id
//! there, so that lines read again after a crash are indexed once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tailrace_common::{Event, FieldPath, Str};

use super::stdin::host_name;
use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec};
use crate::globbing;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

mod reader;
mod sincedb;

use reader::Reader;
use sincedb::SinceDb;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "file", summary: "Reads lines of files, followed as they grow or read once.", build };

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let codec = codec::from_option(&mut options, build, "plain");
    options.require("path");
    let patterns = patterns(&mut options, "path");
    let exclude = patterns_of_names(&mut options);
    let read_once = options.one_of("mode", &["tail", "read"], "tail") == "read";
    let from_start = options.one_of("start_position", &["beginning", "end"], "end") == "beginning";
    let delimiter = options.string("delimiter").filter(|text| !text.is_empty()).unwrap_or_else(|| "\n".into());
    let stat = seconds(&mut options, "stat_interval").unwrap_or(Duration::from_secs(1));
    let discover = options.integer("discover_interval").unwrap_or(15).max(1) as u32;
    let close_older = seconds(&mut options, "close_older").unwrap_or(Duration::from_secs(3600));
    let ignore_older = seconds(&mut options, "ignore_older");
    let sincedb = options.string("sincedb_path").map(PathBuf::from);
    let completed = options.one_of("file_completed_action", &["delete", "log", "log_and_delete"], "delete");
    let completed_log = options.string("file_completed_log_path").map(PathBuf::from);
    if completed != "delete" && read_once && completed_log.is_none() {
        options.error_at("file_completed_action", format!("'{completed}' needs 'file_completed_log_path'"));
    }
    let exit_after_read = options.boolean("exit_after_read", false);
    if exit_after_read && !read_once {
        options.error_at("exit_after_read", "'exit_after_read' needs mode => read");
    }
    let most_open = options.integer("max_open_files").unwrap_or(4095).max(1) as usize;
    for (option, why) in WITHOUT_MEANING {
        options.ignored(option, why);
    }
    options.finish()?;
    let names = Names {
        path: if ecs { FieldPath::field("log").child("file").child("path") } else { FieldPath::field("path") },
        host: if ecs { FieldPath::field("host").child("name") } else { FieldPath::field("host") },
    };
    let context = Context { codec: codec?, decoration, names, host: host_name() };
    Ok(Box::new(FileInput {
        patterns,
        exclude,
        read_once,
        from_start,
        delimiter,
        stat,
        discover,
        close_older,
        ignore_older,
        sincedb,
        delete: completed != "log",
        completed_log: completed_log.filter(|_| completed != "delete"),
        exit_after_read,
        most_open,
        context: Arc::new(context),
    }))
}

/// Options that change nothing here, and why.
const WITHOUT_MEANING: [(&str, &str); 7] = [
    ("sincedb_write_interval", "positions are written every second"),
    ("sincedb_clean_after", "positions of files that are gone are dropped after two weeks"),
    ("file_chunk_size", "files are read by 256 KiB"),
    ("file_chunk_count", "files take turns"),
    ("file_sort_by", "files are read in the order of their last change"),
    ("file_sort_direction", "files are read in the order of their last change"),
    ("check_archive_validity", "a damaged archive is reported when it is read"),
];

fn seconds(options: &mut Options<'_>, option: &'static str) -> Option<Duration> {
    let text = options.string(option)?;
    let parsed = match text.parse::<f64>() {
        Ok(number) => Duration::try_from_secs_f64(number).ok(),
        Err(_) => duration_in_words(&text),
    };
    if parsed.is_none() {
        options.error_at(option, format!("'{option}' must be seconds or such as \"2 hours\", this is '{text}'"));
    }
    parsed
}

/// `1 hour`, `90 sec`, `500ms` (`friendly_durations.rb`).
fn duration_in_words(text: &str) -> Option<Duration> {
    let at = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let number: f64 = text[..at].parse().ok()?;
    let unit = match text[at..].trim() {
        "w" | "week" | "weeks" => 604_800.0,
        "d" | "day" | "days" => 86_400.0,
        "h" | "hour" | "hours" => 3600.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "ms" | "msec" | "msecs" => 1e-3,
        "us" | "usec" | "usecs" => 1e-6,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}

fn patterns(options: &mut Options<'_>, option: &'static str) -> Vec<String> {
    let texts = options.strings(option);
    for text in &texts {
        if let Err(error) = globbing::check(text) {
            options.error_at(option, format!("'{text}': {error}"));
        } else if !Path::new(text).is_absolute() {
            options.error_at(option, format!("'{text}' must be an absolute path"));
        }
    }
    texts
}

fn patterns_of_names(options: &mut Options<'_>) -> Vec<glob::Pattern> {
    let texts = options.strings("exclude");
    let mut patterns = Vec::new();
    for text in &texts {
        match glob::Pattern::new(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => options.error_at("exclude", format!("'{text}': {error}")),
        }
    }
    patterns
}

struct FileInput {
    patterns: Vec<String>,
    exclude: Vec<glob::Pattern>,
    read_once: bool,
    from_start: bool,
    delimiter: String,
    stat: Duration,
    /// New files are looked for in every so many rounds.
    discover: u32,
    close_older: Duration,
    ignore_older: Option<Duration>,
    sincedb: Option<PathBuf>,
    delete: bool,
    completed_log: Option<PathBuf>,
    exit_after_read: bool,
    most_open: usize,
    context: Arc<Context>,
}

/// What decoding needs.
struct Context {
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    names: Names,
    host: Str,
}

/// Where the file and the host go.
struct Names {
    path: FieldPath,
    host: FieldPath,
}

impl Context {
    fn finish(&self, path: &Str, event: &mut Event) {
        for (name, value) in [(&self.names.path, path), (&self.names.host, &self.host)] {
            if event.get(name).is_none() {
                // Something in the way keeps what it is.
                let _unset = event.set(name, value.clone());
            }
        }
        event.metadata_mut().insert("path", path.clone());
        event.metadata_mut().insert("host", self.host.clone());
        self.decoration.apply(event);
    }
}

impl Input for FileInput {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let path = self.sincedb.clone().unwrap_or_else(|| SinceDb::default_path(&feed.data, &self.patterns));
        let mut db = SinceDb::open(&path)?;
        let mut readers: Vec<Reader> = Vec::new();
        let mut round = 0;
        let mut first = true;
        while !feed.stopping() {
            if round % self.discover == 0 {
                self.look_for_files(&mut readers, &mut db, first);
                first = false;
            }
            round += 1;
            let began = Instant::now();
            let mut read = false;
            for reader in &mut readers {
                read |= reader.read(feed, &self.context, self.read_once);
            }
            self.complete(&mut readers, &mut db);
            readers.iter().for_each(|reader| reader.note(&mut db));
            db.save_if_due();
            if self.exit_after_read && readers.is_empty() {
                break;
            }
            if !read {
                feed.stop().sleep(self.stat.saturating_sub(began.elapsed()).max(Duration::from_millis(1)));
            }
        }
        settle(&readers, &mut db, feed)
    }
}

impl FileInput {
    /// Opens files that are not read yet; `first` when the input has just begun.
    fn look_for_files(&self, readers: &mut Vec<Reader>, db: &mut SinceDb, first: bool) {
        let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
        for path in self.patterns.iter().filter_map(|pattern| globbing::find(pattern).ok()).flatten().flatten() {
            let excluded = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| self.exclude.iter().any(|pattern| pattern.matches(name)));
            let Ok(metadata) = path.metadata() else { continue };
            if metadata.is_file() && !excluded {
                found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), path));
            }
        }
        found.sort();
        for (modified, path) in found {
            if readers.len() >= self.most_open {
                tracing::warn!(limit = self.most_open, "'max_open_files' is reached; further files wait");
                break;
            }
            let age = modified.elapsed().unwrap_or_default();
            let ignored = self.ignore_older.is_some_and(|limit| age > limit)
                || (!self.read_once && age > self.close_older && !first);
            if ignored || readers.iter().any(|reader| reader.is_at(&path)) {
                continue;
            }
            let from_start = self.from_start || self.read_once || !first;
            match Reader::open(&path, db, &*self.context.codec, &self.delimiter, from_start, self.read_once) {
                Ok(Some(reader)) => readers.push(reader),
                Ok(None) => {}
                Err(error) => tracing::warn!(path = %path.display(), %error, "cannot open"),
            }
        }
    }

    /// Lets go of files that are done with: read once and safe, rotated away, or silent for long.
    fn complete(&self, readers: &mut Vec<Reader>, db: &mut SinceDb) {
        readers.retain_mut(|reader| {
            if !reader.is_settled() {
                return true;
            }
            if self.read_once && reader.is_at_end() {
                reader.note(db);
                self.act_on_completed(reader.path());
                return false;
            }
            let done = reader.is_replaced() || reader.is_silent_for(self.close_older);
            if done {
                reader.note(db);
            }
            !done
        });
    }

    fn act_on_completed(&self, path: &Path) {
        if let Some(log) = &self.completed_log {
            let line = format!("{}\n", path.display());
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(log);
            if let Err(error) = opened.and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes())) {
                tracing::error!(path = %log.display(), %error, "cannot log a completed file");
            }
        }
        if self.delete
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::error!(path = %path.display(), %error, "cannot delete a completed file");
        }
    }
}

/// Waits until what was read is safe, and keeps the positions.
fn settle(readers: &[Reader], db: &mut SinceDb, feed: &Feed) -> Result<(), InputError> {
    let deadline = Instant::now() + feed.drain;
    while !readers.iter().all(Reader::is_settled) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    readers.iter().for_each(|reader| reader.note(db));
    db.save()
}
