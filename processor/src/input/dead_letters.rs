//! Input `dead_letter_queue`: dead letters, to be mended and sent again. What has been read and delivered is remembered.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tailrace_common::event::{Lane, Origin};
use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, Object, Str, Timestamp, Value};

use super::{Batch, Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::delivery::{Lease, Ledger};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "dead_letter_queue", summary: "Reads dead letters.", build };

/// How often new letters are looked for.
const STEP: Duration = Duration::from_millis(500);
/// Bytes of letters in one batch.
const BATCH_BYTES: u64 = 4 << 20;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let path = PathBuf::from(options.required_string("path"));
    let pipeline = options.string("pipeline_id").unwrap_or_else(|| "main".into());
    let commit = options.boolean("commit_offsets", true);
    let clean = options.boolean("clean_consumed", false);
    let sincedb = options.string("sincedb_path").map(PathBuf::from);
    let start = options.string("start_timestamp");
    let since = start.as_deref().and_then(Timestamp::parse_rfc3339);
    if start.is_some() && since.is_none() {
        options.error_at("start_timestamp", "'start_timestamp' must be a time such as 2024-01-01T00:00:00Z");
    }
    if clean && !commit {
        options.error_at("clean_consumed", "'clean_consumed' needs 'commit_offsets'");
    }
    options.ignored("codec", "letters are documents");
    options.finish()?;
    Ok(Box::new(DeadLetterQueue {
        folder: path.join(pipeline),
        commit,
        clean,
        sincedb,
        since,
        decoration: Arc::new(decoration),
    }))
}

struct DeadLetterQueue {
    folder: PathBuf,
    commit: bool,
    clean: bool,
    sincedb: Option<PathBuf>,
    since: Option<Timestamp>,
    decoration: Arc<InputDecoration>,
}

/// How far the letters are read: everything before this byte of this file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
struct Position {
    file: u64,
    byte: u64,
}

/// What was handed over: ranges in order, and the position after each.
#[derive(Default)]
struct Progress {
    ledger: Ledger,
    given: i64,
    marks: Vec<(i64, Position)>,
}

impl Input for DeadLetterQueue {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let sincedb = self.sincedb.clone().unwrap_or_else(|| default_sincedb(&feed.data, &self.folder));
        let mut next = if self.commit { saved(&sincedb) } else { Position::default() };
        let mut kept = next.clone();
        let progress: Arc<Mutex<Progress>> = Arc::default();
        while !feed.stopping() {
            let read = self.read(&mut next, &progress, feed)?;
            self.keep(&progress, &mut kept, &sincedb)?;
            if !read {
                feed.stop().sleep(STEP);
            }
        }
        let deadline = std::time::Instant::now() + feed.drain;
        while !lock(&progress).ledger.is_settled() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.keep(&progress, &mut kept, &sincedb)
    }
}

fn lock(progress: &Mutex<Progress>) -> std::sync::MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

fn default_sincedb(data: &Path, folder: &Path) -> PathBuf {
    let name = folder.file_name().map_or_else(|| "main".into(), |name| name.to_string_lossy().into_owned());
    data.join("plugins/inputs/dead_letter_queue").join(format!("{name}.json"))
}

fn saved(path: &Path) -> Position {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

impl DeadLetterQueue {
    /// The numbers of the files, in order.
    fn files(&self) -> Vec<u64> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".jsonl")?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }

    fn path(&self, file: u64) -> PathBuf {
        self.folder.join(format!("{file:08}.jsonl"))
    }

    /// Hands over what follows `next`; says whether there was something.
    fn read(&self, next: &mut Position, progress: &Arc<Mutex<Progress>>, feed: &Feed) -> Result<bool, InputError> {
        let files = self.files();
        let Some(file) = files.iter().copied().find(|file| *file >= next.file) else { return Ok(false) };
        if file > next.file {
            *next = Position { file, byte: 0 };
        }
        let path = self.path(file);
        let failed = |error: std::io::Error| InputError(format!("cannot read '{}': {error}", path.display()));
        let mut opened = fs::File::open(&path).map_err(failed)?;
        std::io::Seek::seek(&mut opened, std::io::SeekFrom::Start(next.byte)).map_err(failed)?;
        let mut bytes = Vec::new();
        opened.take(BATCH_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        let Some(end) = memchr::memrchr(b'\n', &bytes) else {
            // All of this file is read; a later one means that nothing is added to it.
            if bytes.is_empty() && files.last() > Some(&file) {
                *next = Position { file: file + 1, byte: 0 };
                return Ok(true);
            }
            return Ok(false);
        };
        bytes.truncate(end + 1);
        let begin = next.byte;
        next.byte += bytes.len() as u64;
        self.hand_over(bytes, file, begin, next.clone(), progress, feed);
        Ok(true)
    }

    fn hand_over(
        &self,
        bytes: Vec<u8>,
        file: u64,
        begin: u64,
        after: Position,
        progress: &Arc<Mutex<Progress>>,
        feed: &Feed,
    ) {
        let mut held = lock(progress);
        held.given += 1;
        let given = held.given;
        held.marks.push((given, after));
        let id = held.ledger.issue(given);
        drop(held);
        let releasing = progress.clone();
        let lease = Lease::new(move || {
            lock(&releasing).ledger.release(id);
        });
        let count = memchr::memchr_iter(b'\n', &bytes).count();
        let (decoration, since) = (self.decoration.clone(), self.since);
        let lane = Arc::new(Lane { topic: format!("dlq-{}-{file}", self.folder.display()), partition: 0 });
        let records = move |now| {
            let text = Str::from(String::from_utf8_lossy(&bytes).as_ref());
            let mut events = Vec::with_capacity(count);
            let mut offset = begin;
            for line in text.as_str().split_inclusive('\n') {
                let origin = Origin { lane: lane.clone(), offset: offset as i64, ordinal: 0 };
                offset += line.len() as u64;
                events.extend(letter(&text.slice_ref(line.trim_end()), since, now).map(|mut event| {
                    event.origin = Some(origin);
                    decoration.apply(&mut event);
                    event
                }));
            }
            events
        };
        if feed.send(Batch { records: Box::new(records), count, lease }).is_err() {
            tracing::debug!("the pipeline ended");
        }
    }

    /// Remembers how far letters are delivered.
    fn keep(&self, progress: &Mutex<Progress>, kept: &mut Position, sincedb: &Path) -> Result<(), InputError> {
        let mut held = lock(progress);
        let Some(safe) = held.ledger.watermark() else { return Ok(()) };
        let count = held.marks.iter().take_while(|(given, _)| *given <= safe).count();
        let Some((_, position)) = held.marks.drain(..count).next_back() else { return Ok(()) };
        drop(held);
        if !self.commit || position == *kept {
            return Ok(());
        }
        write(sincedb, &position)
            .map_err(|error| InputError(format!("cannot write '{}': {error}", sincedb.display())))?;
        for file in self.files().into_iter().filter(|file| self.clean && *file < position.file) {
            if let Err(error) = fs::remove_file(self.path(file)) {
                tracing::warn!(file, %error, "cannot remove consumed dead letters");
            }
        }
        *kept = position;
        Ok(())
    }
}

fn write(path: &Path, position: &Position) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("new");
    fs::write(&fresh, serde_json::to_vec(position)?)?;
    fs::rename(&fresh, path)
}

/// The event of a letter, with `[@metadata][dead_letter_queue]`; `None` when it is older than asked for.
fn letter(line: &Str, since: Option<Timestamp>, now: Timestamp) -> Option<Event> {
    let Ok(Value::Object(mut letter)) = json::parse(line, Numbers::Float) else {
        let mut event = Event::with_message(line.clone(), now);
        event.tag("_jsonparsefailure");
        return Some(event);
    };
    let entered = letter.get("@timestamp").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    if since.is_some_and(|since| entered.is_some_and(|entered| entered < since)) {
        return None;
    }
    let mut queue = Object::new();
    for (name, held) in [("entry_time", "@timestamp"), ("plugin_id", "plugin"), ("reason", "reason")] {
        queue.insert(name, letter.remove(held).unwrap_or_default());
    }
    let mut event = match letter.remove("event") {
        Some(Value::Object(fields)) => Event::from_object(fields, now),
        _ => Event::new(now),
    };
    if let Some(Value::Object(metadata)) = letter.remove("metadata") {
        metadata.into_iter().for_each(|(name, value)| drop(event.metadata_mut().insert(name, value)));
    }
    event.metadata_mut().insert("dead_letter_queue", queue);
    Some(event)
}
