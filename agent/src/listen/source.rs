//! One sender of messages: a connection, the datagrams of an address, the standard input. Its messages become batches.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tailrace_common::Timestamp;
use uuid::Uuid;

use super::Room;
use crate::decode::{Decoder, Now, Output, RawLine};
use crate::pipeline::{Acks, Batch, Commit, Entry, FileKey, FileMeta, Flags, Outlet, Position, Span, Text};
use crate::tail::settings::InputSettings;

/// What all sources share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) outlet: Outlet,
    pub(super) acks: Acks,
    pub(super) room: Room,
    /// Sources that are gone, until all that came from them is acknowledged.
    pub(super) closed: Arc<Mutex<Vec<FileKey>>>,
}

impl Shared {
    /// Forgets sources that are gone and wait for nothing.
    pub(super) fn sweep(&self) {
        // Positions in a stream need not be kept anywhere.
        self.acks.take_commits();
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).retain(|key| {
            let waits = self.acks.outstanding(*key) > 0;
            if !waits {
                self.acks.forget(*key);
            }
            waits
        });
    }
}

/// A sender of messages.
pub(super) struct Source {
    shared: Shared,
    meta: Arc<FileMeta>,
    decoder: Decoder,
    /// Bytes of messages so far; a message is named by where it stands in this stream.
    offset: u64,
}

/// Messages that arrived together, on their way into one batch.
pub(super) struct Gathered {
    text: Text,
    entries: Vec<Entry>,
}

impl Source {
    /// `address` is where the messages come from, as `log.source.address` shows it.
    pub(super) fn new(shared: Shared, input: Arc<InputSettings>, address: Option<String>, path: &str) -> Source {
        let meta = FileMeta {
            key: FileKey(Uuid::new_v4().into_bytes()),
            input: input.clone(),
            path: PathBuf::from(path),
            source: address,
            device: 0,
            inode: 0,
            fingerprint: None,
            owner: None,
            group: None,
        };
        Source { shared, meta: Arc::new(meta), decoder: Decoder::new(input), offset: 0 }
    }

    /// Room for so many bytes of messages; waits while the outputs hold too much.
    pub(super) async fn gather(&self, bytes: usize) -> Gathered {
        // Decoding may write the text once more.
        Gathered { text: self.shared.room.take(bytes * 2 + 64).await, entries: Vec::new() }
    }

    /// Adds a message.
    pub(super) fn add(&mut self, message: &[u8], truncated: bool, gathered: &mut Gathered) {
        let start = gathered.text.len();
        gathered.text.extend_from_slice(message);
        let mut flags = Flags::default();
        if truncated {
            flags.insert(Flags::TRUNCATED);
        }
        let end = self.offset + message.len() as u64 + 1;
        let text = Span { start: start as u32, len: message.len() as u32 };
        let line = RawLine { text, start: self.offset, end, flags };
        self.offset = end;
        self.decode(gathered, |decoder, out| decoder.line(line, now(), out));
    }

    fn decode(&mut self, gathered: &mut Gathered, work: impl FnOnce(&mut Decoder, &mut Output<'_>)) {
        let mut older = Vec::new();
        let mut out = Output { text: &mut gathered.text, entries: &mut gathered.entries, older: &mut older };
        work(&mut self.decoder, &mut out);
    }

    /// When [`Source::expire`] is to be called next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.decoder.deadline()
    }

    /// Sends on what waited too long for its rest, or with `all` whatever waits.
    pub(super) async fn expire(&mut self, all: bool) -> bool {
        let mut gathered = self.gather(0).await;
        self.decode(
            &mut gathered,
            |decoder, out| {
                if all { decoder.flush(now(), out) } else { decoder.expire(now(), out) }
            },
        );
        self.send(gathered)
    }

    /// Hands the messages over; `false` when nobody takes them any more.
    pub(super) fn send(&self, gathered: Gathered) -> bool {
        if gathered.entries.is_empty() {
            return true;
        }
        let commit = Commit { key: self.meta.key, position: Position::at(self.offset) };
        let ticket = self.shared.acks.issue([commit]);
        let batch = Batch { file: self.meta.clone(), text: gathered.text, entries: gathered.entries, ticket };
        self.shared.outlet.send(batch).is_ok()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.shared.closed.lock().unwrap_or_else(PoisonError::into_inner).push(self.meta.key);
    }
}

fn now() -> Now {
    Now { wall: Timestamp::now(), tick: Instant::now() }
}
