//! The fast way: a document from its file's template.

use tailrace_common::Timestamp;

use super::escape::write_text;
use super::template::Template;
use super::{Codec, DocumentSettings, Precision};
use crate::pipeline::{Batch, Entry, Flags};
use crate::tail::settings::InputKind;

/// The text of the second of the entry before: consecutive lines mostly share it.
#[derive(Default)]
pub(super) struct SecondCache {
    second: Option<i64>,
    text: Vec<u8>,
}

impl SecondCache {
    fn write(&mut self, moment: Timestamp, precision: Precision, out: &mut Vec<u8>) {
        if precision != Precision::Milliseconds {
            precision.cut(moment).write_iso8601(out);
            return;
        }
        if self.second != Some(moment.secs) {
            self.text.clear();
            Timestamp { nanos: 0, ..moment }.write_iso8601(&mut self.text);
            self.text.truncate(self.text.len() - "000Z".len());
            self.second = Some(moment.secs);
        }
        out.extend_from_slice(&self.text);
        let millis = moment.nanos / 1_000_000;
        let digit = |number: u32| b'0' + (number % 10) as u8;
        out.extend_from_slice(&[digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
    }
}

/// Appends the document of an entry without [`Extra`](crate::pipeline::Extra).
pub(super) fn write(
    template: &Template,
    batch: &Batch,
    entry: &Entry,
    settings: &DocumentSettings,
    clock: &mut SecondCache,
    out: &mut Vec<u8>,
) {
    let message = batch.message(entry);
    out.reserve(
        message.len() + template.after_time.len() + template.before_offset.len() + template.after_offset.len() + 160,
    );
    out.extend_from_slice(b"{\"@timestamp\":\"");
    clock.write(entry.timestamp, settings.precision, out);
    out.extend_from_slice(&template.after_time);
    if settings.ids && !matches!(settings.codec, Codec::Source) {
        out.extend_from_slice(batch.file.event_id(entry, &batch.text).as_str().as_bytes());
        out.extend_from_slice(b"\"}");
    }
    out.extend_from_slice(&template.before_offset);
    if template.has_offset() {
        out.extend_from_slice(itoa::Buffer::new().format(entry.start).as_bytes());
    }
    if !entry.flags.is_empty() {
        write_flags(entry.flags, out);
    }
    out.extend_from_slice(&template.after_offset);
    if let Some(stream) = entry.stream.name() {
        out.extend_from_slice(b",\"stream\":\"");
        out.extend_from_slice(stream.as_bytes());
        out.push(b'"');
    }
    if has_message(template, entry) {
        out.extend_from_slice(b",\"message\":");
        write_text(message, out);
    }
    out.push(b'}');
}

fn write_flags(flags: Flags, out: &mut Vec<u8>) {
    let mut names = flags.names();
    let Some(first) = names.next() else { return };
    out.extend_from_slice(b",\"flags\":[\"");
    out.extend_from_slice(first.as_bytes());
    for name in names {
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(b"\"]");
}

/// An empty line of CRI makes a document without `message`. Docker's has a line end in it, which filestream keeps, so that
/// its document has an empty message; the older inputs take it away.
pub(super) fn has_message(template: &Template, entry: &Entry) -> bool {
    entry.message.len > 0 || keeps_line_end(template, entry)
}

/// Whether the entry is a docker line of filestream, with the line end in its text.
pub(super) fn keeps_line_end(template: &Template, entry: &Entry) -> bool {
    template.decor.input.kind == InputKind::Filestream && entry.flags.contains(Flags::NEWLINE)
}
