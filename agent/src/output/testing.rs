//! Batches for the tests of outputs.

use std::sync::Arc;

use tailrace_common::Timestamp;

use crate::document::{Codec, Decor, DocumentSettings, Documents, Identity, Precision};
use crate::pipeline::{Acks, Batch, Commit, Entry, FileMeta, Flags, Position, Span, Stream, Text};
use crate::processors::Chain;

/// Writes the documents of one file's input.
pub(crate) fn documents(file: &FileMeta, codec: Codec) -> Documents {
    let identity = Identity {
        beat: "filebeat".into(),
        name: "n".into(),
        id: "i".into(),
        ephemeral_id: "e".into(),
        first_start: Timestamp::EPOCH,
    };
    let settings = DocumentSettings {
        identity,
        processors: Chain::default(),
        precision: Precision::Milliseconds,
        ids: true,
        codec,
        events: false,
    };
    Documents::new(settings, vec![Decor::plain(file.input.clone())])
}

/// A batch of plain lines.
pub(crate) fn batch(lines: &[&str], file: &Arc<FileMeta>, acks: &Acks) -> Batch {
    let mut text = Vec::new();
    let entries = lines.iter().map(|line| {
        let start = text.len();
        text.extend_from_slice(line.as_bytes());
        Entry {
            message: Span { start: start as u32, len: line.len() as u32 },
            start: start as u64,
            end: text.len() as u64,
            timestamp: Timestamp::EPOCH,
            stream: Stream::None,
            flags: Flags::default(),
            extra: None,
        }
    });
    let entries = entries.collect();
    let commit = Commit { key: file.key, position: Position::at(text.len() as u64) };
    Batch { file: file.clone(), text: Text::from(text), entries, ticket: acks.issue([commit]) }
}
