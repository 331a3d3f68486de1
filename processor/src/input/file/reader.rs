//! One file being read.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use tailrace_common::Str;
use tailrace_common::event::{Lane, Origin};

use super::Context;
use super::sincedb::{Entry, Key, SinceDb, now};
use crate::codec::Codec;
use crate::delivery::{Lease, Ledger};
use crate::input::texts::{Cutter, Texts, without_return};
use crate::input::{Batch, Feed};

/// Bytes read at once.
const READ: usize = 256 << 10;
/// A longer line is cut.
const LONGEST_LINE: usize = 20 << 20;
/// Reads in one turn, so that files take turns.
const READS_PER_TURN: usize = 32;

/// One file being read.
pub(super) struct Reader {
    path: PathBuf,
    shown: Str,
    key: Key,
    lane: Arc<Lane>,
    source: Source,
    delimiter: String,
    cutter: Cutter,
    /// Bytes of complete lines that were taken.
    taken: u64,
    /// Bytes that were read.
    read: u64,
    /// Where the ledger began.
    base: u64,
    ledger: Arc<Mutex<Ledger>>,
    at_end: bool,
    active: Instant,
}

enum Source {
    Plain(File),
    Gzip(Box<MultiGzDecoder<File>>),
}

impl Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(file) => file.read(buffer),
            Source::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

fn key_of(metadata: &Metadata) -> Key {
    (metadata.dev(), metadata.ino())
}

impl Reader {
    /// Opens a file where its position says, else at its start or end. `None` when it was read to its end before and is
    /// to be read once.
    pub(super) fn open(
        path: &Path,
        db: &mut SinceDb,
        codec: &dyn Codec,
        delimiter: &str,
        from_start: bool,
        read_once: bool,
    ) -> io::Result<Option<Reader>> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let key = key_of(&metadata);
        let gzip = read_once && path.extension().is_some_and(|extension| extension == "gz" || extension == "gzip");
        // A shorter file is another one with the inode of old.
        let known = db.get(key).filter(|entry| gzip || entry.position <= metadata.len()).cloned();
        let position = match &known {
            Some(entry) => entry.position,
            None if from_start => 0,
            None => metadata.len(),
        };
        if read_once && known.is_some() && !gzip && position == metadata.len() && position > 0 {
            return Ok(None);
        }
        let id = known.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), |entry| entry.id);
        let source = if gzip {
            let mut decoder = MultiGzDecoder::new(file);
            io::copy(&mut Read::take(&mut decoder, position), &mut io::sink())?;
            Source::Gzip(Box::new(decoder))
        } else {
            file.seek(SeekFrom::Start(position))?;
            Source::Plain(file)
        };
        let reader = Reader {
            shown: Str::from(path.to_string_lossy().as_ref()),
            path: path.into(),
            key,
            lane: Arc::new(Lane { topic: format!("file-{id}"), partition: 0 }),
            source,
            cutter: Cutter::new(codec, Some(delimiter), LONGEST_LINE),
            delimiter: delimiter.into(),
            taken: position,
            read: position,
            base: position,
            ledger: Arc::default(),
            at_end: false,
            active: Instant::now(),
        };
        // The id must be known before the first line is.
        reader.note(db);
        if let Err(error) = db.save() {
            return Err(io::Error::other(error.to_string()));
        }
        Ok(Some(reader))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is there, for one turn; says whether there was something.
    pub(super) fn read(&mut self, feed: &Feed, context: &Arc<Context>, last_line_too: bool) -> bool {
        if let Err(error) = self.start_again_if_truncated(context) {
            tracing::warn!(path = %self.path.display(), %error, "cannot look at the file");
        }
        let mut buffer = vec![0; READ];
        let mut something = false;
        for _ in 0..READS_PER_TURN {
            let mut lines = Lines::default();
            match self.source.read(&mut buffer) {
                Ok(0) => {
                    self.at_end = true;
                    if last_line_too {
                        self.cutter.finish(|line, length| lines.push(line, length));
                    } else {
                        self.cutter.flush_due(|line, length| lines.push(line, length));
                    }
                }
                Ok(length) => {
                    (self.at_end, self.active) = (false, Instant::now());
                    self.read += length as u64;
                    self.cutter.push(&buffer[..length], |line, length| lines.push(line, length));
                    something = true;
                }
                Err(error) => {
                    tracing::error!(path = %self.path.display(), %error, "cannot read; what was read so far is kept");
                    self.at_end = true;
                }
            }
            if lines.texts.len() > 0 && self.hand_over(lines, feed, context).is_err() {
                return false;
            }
            if self.at_end || feed.stopping() {
                break;
            }
        }
        something
    }

    fn hand_over(&mut self, lines: Lines, feed: &Feed, context: &Arc<Context>) -> Result<(), crate::input::Stopped> {
        let start = self.taken;
        self.taken += lines.length;
        let id = self.ledger().issue(self.taken as i64);
        let ledger = self.ledger.clone();
        let lease = Lease::new(move || {
            ledger.lock().unwrap_or_else(PoisonError::into_inner).release(id);
        });
        let (context, lane, path) = (context.clone(), self.lane.clone(), self.shown.clone());
        let count = lines.texts.len();
        let records = move |timestamp| {
            lines.texts.events(&*context.codec, timestamp, |number, event| {
                let offset = start + lines.offsets[number];
                event.origin = Some(Origin { lane: lane.clone(), offset: offset as i64, ordinal: 0 });
                context.finish(&path, event);
            })
        };
        feed.send(Batch { records: Box::new(records), count, lease })
    }

    /// A file that has become shorter is read from its start, under a new id.
    fn start_again_if_truncated(&mut self, context: &Context) -> io::Result<()> {
        let Source::Plain(file) = &mut self.source else { return Ok(()) };
        if file.metadata()?.len() >= self.read {
            return Ok(());
        }
        tracing::info!(path = %self.path.display(), "the file was truncated; reading it from its start");
        file.seek(SeekFrom::Start(0))?;
        self.lane = Arc::new(Lane { topic: format!("file-{}", uuid::Uuid::new_v4().simple()), partition: 0 });
        self.cutter = Cutter::new(&*context.codec, Some(&self.delimiter), LONGEST_LINE);
        (self.taken, self.read, self.base) = (0, 0, 0);
        self.ledger = Arc::default();
        Ok(())
    }

    /// Notes how far the file is safe.
    pub(super) fn note(&self, db: &mut SinceDb) {
        let position = self.ledger().watermark().map_or(self.base, |safe| safe as u64);
        let id = self.lane.topic.trim_start_matches("file-").to_string();
        db.put(Entry { device: self.key.0, inode: self.key.1, id, position, seen: now(), path: self.path.clone() });
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the file that has that path now.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.path == path && !self.is_replaced()
    }

    /// Whether its path names another file, or none, by now.
    pub(super) fn is_replaced(&self) -> bool {
        self.at_end && self.path.metadata().map_or(true, |metadata| key_of(&metadata) != self.key)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at_end
    }

    pub(super) fn is_silent_for(&self, time: Duration) -> bool {
        self.at_end && self.active.elapsed() > time
    }

    /// Whether all that was taken is safe.
    pub(super) fn is_settled(&self) -> bool {
        self.ledger().is_settled()
    }
}

/// Lines of one read.
#[derive(Default)]
struct Lines {
    texts: Texts,
    /// Where each begins, from the first.
    offsets: Vec<u64>,
    /// Bytes of all, delimiters included.
    length: u64,
}

impl Lines {
    fn push(&mut self, line: &[u8], length: usize) {
        self.texts.push(without_return(line));
        self.offsets.push(self.length);
        self.length += length as u64;
    }
}
