//! Entries become Filebeat's documents.
//!
//! Plain entries of inputs without processors are written straight as bytes: what is the same in all documents of a file
//! stands ready in its [`Template`], and time, id, offset, stream and message are filled in. Everything else goes through
//! an [`Event`], which processors can change. Both ways write the same document.

mod escape;
mod event;
mod format;
mod identity;
mod old_syslog;
mod plain;
mod template;

use std::sync::Arc;

use tailrace_common::{Event, Object, Timestamp, Value, json};

pub use format::{Format, FormatError, Reference};
pub use identity::{COMPATIBLE_VERSION, ECS_VERSION, Identity};

pub(crate) use escape::to_text;
pub(crate) use event::{expand, set_error, syslog_fields, write_keys};
pub(crate) use format::{Fields, path_of, text_of};
pub(crate) use identity::deep_merge;
pub use template::PlainView;

use crate::pipeline::{Batch, Entry};
use crate::processors::Chain;
use crate::tail::settings::InputSettings;
use template::Templates;

/// `timestamp.precision`: how many digits of a second `@timestamp` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// `millisecond`; what is finer is cut off.
    #[default]
    Milliseconds,
    /// `microsecond`
    Microseconds,
    /// `nanosecond`
    Nanoseconds,
}

impl Precision {
    /// Cuts off what is finer.
    fn cut(self, moment: Timestamp) -> Timestamp {
        match self {
            Precision::Milliseconds => moment.truncated_to_millis(),
            Precision::Microseconds => Timestamp { nanos: moment.nanos / 1000 * 1000, ..moment },
            Precision::Nanoseconds => moment,
        }
    }
}

/// What the configuration adds to the events of one input.
#[derive(Clone, Debug)]
pub struct Decor {
    /// The input, the same `Arc` as the reader has.
    pub input: Arc<InputSettings>,
    /// `fields` and `fields_under_root` of the input over those of all inputs, as they stand in the document.
    pub added: Object,
    /// `tags` of all inputs and of this one.
    pub tags: Vec<String>,
    /// `pipeline`: `@metadata.pipeline`
    pub pipeline: Option<Format>,
    /// `index`: `@metadata.raw_index`
    pub index: Option<Format>,
    /// `keep_null`
    pub keep_null: bool,
    /// `publisher_pipeline.disable_host`
    pub disable_host: bool,
    /// `processors` of the input.
    pub processors: Chain,
}

impl Decor {
    /// Nothing added.
    pub fn plain(input: Arc<InputSettings>) -> Decor {
        Decor {
            input,
            added: Object::new(),
            tags: Vec::new(),
            pipeline: None,
            index: None,
            keep_null: false,
            disable_host: false,
            processors: Chain::default(),
        }
    }
}

/// `codec`: how a document becomes bytes.
#[derive(Clone, Debug, Default)]
pub enum Codec {
    /// `codec.json`
    #[default]
    Json,
    /// `codec.json.pretty`
    PrettyJson,
    /// `codec.format.string`
    Format(Format),
    /// The document without `@metadata`, for Elasticsearch's bulk requests.
    Source,
    /// No bytes at all: `output.discard` only counts.
    Nothing,
}

/// What holds for the documents of all inputs.
#[derive(Clone, Debug)]
pub struct DocumentSettings {
    /// Who we are.
    pub identity: Identity,
    /// `processors` of all inputs, after each input's own.
    pub processors: Chain,
    /// `timestamp.precision`
    pub precision: Precision,
    /// Whether events bear their deterministic `@metadata._id`: `document_id.enabled`. Ours.
    pub ids: bool,
    /// `codec` of the output.
    pub codec: Codec,
    /// Whether the output looks at events as a whole; none is written straight then.
    pub events: bool,
}

/// One document on its way to the output.
pub(crate) struct Outgoing<'a> {
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// `@timestamp`
    pub(crate) timestamp: Timestamp,
    /// Its fields, for topics, keys and conditions.
    pub(crate) view: View<'a>,
}

/// The fields of a document.
#[derive(Clone, Copy)]
pub enum View<'a> {
    /// It was written straight from its entry.
    Plain(PlainView<'a>),
    /// It went through an event.
    Event(&'a Event),
}

impl View<'_> {
    /// The whole event, with [`DocumentSettings::events`].
    pub(crate) fn event(&self) -> Option<&Event> {
        match self {
            View::Plain(_) => None,
            View::Event(event) => Some(event),
        }
    }

    /// The value of a field, for conditions and for partitions by hash.
    pub(crate) fn value(&self, field: &Reference) -> Option<Value> {
        match self {
            View::Plain(plain) => plain.value(field),
            View::Event(event) => event.get(&field.path).cloned(),
        }
    }
}

impl Fields for View<'_> {
    fn text(&self, field: &Reference) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            View::Plain(plain) => plain.text(field),
            View::Event(event) => event.text(field),
        }
    }

    fn timestamp(&self) -> Timestamp {
        match self {
            View::Plain(plain) => plain.entry.timestamp,
            View::Event(event) => Fields::timestamp(*event),
        }
    }
}

/// Writes the documents of all inputs.
#[derive(Debug)]
pub struct Documents {
    settings: DocumentSettings,
    templates: Templates,
    buffer: Vec<u8>,
}

impl Documents {
    /// A writer for these inputs.
    pub fn new(settings: DocumentSettings, decors: Vec<Decor>) -> Documents {
        Documents { settings, templates: Templates::new(decors), buffer: Vec::new() }
    }

    /// Goes on with other inputs, and other `processors` of all inputs. Batches of the inputs before may still come.
    pub fn reload(&mut self, decors: Vec<Decor>, processors: Chain) {
        self.settings.processors = processors;
        self.templates.reload(decors);
    }

    /// Writes every entry's document in order. Entries that processors drop are left out.
    pub(crate) fn write(&mut self, batch: &Batch, mut send: impl FnMut(&Outgoing<'_>)) {
        let template = self.templates.of(&batch.file, &self.settings);
        if template.dropped && batch.entries.iter().all(Entry::is_plain) {
            return;
        }
        let codec = &self.settings.codec;
        let straight =
            template.straight && !self.settings.events && matches!(codec, Codec::Json | Codec::Source | Codec::Nothing);
        let mut clock = plain::SecondCache::default();
        for entry in &batch.entries {
            self.buffer.clear();
            if straight && entry.is_plain() {
                if template.dropped {
                    continue;
                }
                if !matches!(codec, Codec::Nothing) {
                    plain::write(template, batch, entry, &self.settings, &mut clock, &mut self.buffer);
                }
                let view = View::Plain(PlainView { template, batch, entry });
                send(&Outgoing { bytes: &self.buffer, timestamp: entry.timestamp, view });
                continue;
            }
            let Some(event) = event::build(template, batch, entry, &self.settings) else {
                continue;
            };
            write_event(&event, codec, &mut self.buffer);
            let timestamp = event.timestamp().unwrap_or(entry.timestamp);
            send(&Outgoing { bytes: &self.buffer, timestamp, view: View::Event(&event) });
        }
    }
}

/// Appends a document: `@timestamp` first, `@metadata` second, as Filebeat does.
fn write_event(event: &Event, codec: &Codec, out: &mut Vec<u8>) {
    match codec {
        Codec::Json | Codec::PrettyJson => {
            let start = out.len();
            out.push(b'{');
            write_timestamp(event, out);
            out.extend_from_slice(b",\"@metadata\":");
            json::write_object(event.metadata(), out);
            write_rest(event, out);
            if matches!(codec, Codec::PrettyJson) {
                prettify(out, start);
            }
        }
        Codec::Source => {
            out.push(b'{');
            write_timestamp(event, out);
            write_rest(event, out);
        }
        Codec::Nothing => {}
        Codec::Format(format) => {
            let mut text = String::new();
            // A missing field without default leaves the text that stands before it, as Filebeat logs an error and
            // drops the event; we keep what there is.
            format.fill(event, &mut text);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn write_timestamp(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"@timestamp\":\"");
    event.timestamp().unwrap_or(Timestamp::EPOCH).write_iso8601(out);
    out.push(b'"');
}

fn write_rest(event: &Event, out: &mut Vec<u8>) {
    for (name, value) in event.fields().iter().filter(|(name, _)| name != "@timestamp") {
        out.push(b',');
        json::write_string(name, out);
        out.push(b':');
        json::write(value, out);
    }
    out.push(b'}');
}

fn prettify(out: &mut Vec<u8>, start: usize) {
    let parsed = serde_json::from_slice::<serde_json::Value>(&out[start..]);
    if let Ok(pretty) = parsed.and_then(|value| serde_json::to_vec_pretty(&value)) {
        out.truncate(start);
        out.extend_from_slice(&pretty);
    }
}
