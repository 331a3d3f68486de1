//! What is the same in all documents of a file, prepared once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tailrace_common::{Event, Object, Str, Value, json};

use super::escape::to_text;
use super::event::process;
use super::format::{Fields, Reference, text_of};
use super::{Codec, Decor, DocumentSettings, Identity, deep_merge};
use crate::pipeline::{Batch, Entry, FileMeta};
use crate::tail::settings::InputSettings;

/// Templates are made again when more than so many files were written at once.
const KEPT: usize = 512;

/// Names that an entry itself fills; added fields of these names take the general way.
const FILLED: [&str; 8] = ["@timestamp", "@metadata", "message", "stream", "log", "input", "ecs", "host"];

/// The constant parts of a file's documents.
#[derive(Debug)]
pub(crate) struct Template {
    file: Arc<FileMeta>,
    pub(super) decor: Arc<Decor>,
    /// `log.file`
    pub(super) log_file: Object,
    /// When what processors looked up for the file is to be looked up again.
    until: Option<Instant>,
    /// The constant fields and `@metadata`, as values.
    pub(super) fixed: Event,
    /// Whether plain entries can be written from the parts below.
    pub(super) straight: bool,
    /// Whether processors drop all plain entries of the file; only where they are written straight.
    pub(super) dropped: bool,
    /// Behind the timestamp, up to the id's text or, without ids, the end of `@metadata`.
    pub(super) after_time: Vec<u8>,
    /// Behind `@metadata`, up to the offset.
    pub(super) before_offset: Vec<u8>,
    /// Behind the offset and flags, the end of `log`.
    pub(super) after_offset: Vec<u8>,
}

impl Template {
    fn new(file: &Arc<FileMeta>, decor: &Arc<Decor>, settings: &DocumentSettings) -> Template {
        let log_file = log_file(file);
        let mut fixed = fixed(decor, settings, file, &log_file);
        let added_plainly = !decor.added.keys().any(|name| FILLED.contains(&name.as_str()) || name == "agent");
        let formats = [&decor.pipeline, &decor.index];
        let formats_fixed = formats.into_iter().flatten().all(super::Format::is_per_file);
        let straight = decor.processors.is_per_file()
            && settings.processors.is_per_file()
            && added_plainly
            && formats_fixed
            && !reads_stream(decor)
            && (file.input.kind.has_offset() || file.source.is_some());
        // Processors that do the same to all lines do it once, here.
        let processed = !(decor.processors.is_empty() && settings.processors.is_empty());
        let dropped = straight && processed && process(&mut fixed, decor, settings, file).is_none();
        let lasting = [decor.processors.valid_for(file), settings.processors.valid_for(file)];
        let until = lasting.into_iter().flatten().min().map(|time| Instant::now() + time);
        let mut template = Template {
            file: file.clone(),
            decor: decor.clone(),
            log_file,
            until,
            fixed,
            straight,
            dropped,
            after_time: Vec::new(),
            before_offset: Vec::new(),
            after_offset: Vec::new(),
        };
        template.write_parts(settings);
        template
    }

    /// Whether entries have a place: `log.offset`.
    pub(super) fn has_offset(&self) -> bool {
        self.decor.input.kind.has_offset()
    }

    fn write_parts(&mut self, settings: &DocumentSettings) {
        self.after_time.push(b'"');
        if !matches!(settings.codec, Codec::Source) {
            self.after_time.extend_from_slice(b",\"@metadata\":");
            json::write_object(self.fixed.metadata(), &mut self.after_time);
            self.after_time.pop();
            self.after_time.extend_from_slice(if settings.ids { b",\"_id\":\"" } else { b"}" });
        }
        let fields = self.fixed.fields().iter();
        for (name, value) in fields.filter(|(name, _)| !matches!(name.as_str(), "@timestamp" | "log")) {
            self.before_offset.push(b',');
            json::write_string(name, &mut self.before_offset);
            self.before_offset.push(b':');
            json::write(value, &mut self.before_offset);
        }
        if let Some(source) = &self.file.source {
            self.before_offset.extend_from_slice(b",\"log\":{\"source\":{\"address\":");
            json::write_string(source, &mut self.before_offset);
            self.before_offset.push(b'}');
            self.after_offset.push(b'}');
            return;
        }
        self.before_offset.extend_from_slice(b",\"log\":{\"offset\":");
        if let Some(file) = self.fixed.fields().get("log").and_then(Value::as_object).and_then(|log| log.get("file")) {
            self.after_offset.extend_from_slice(b",\"file\":");
            json::write(file, &mut self.after_offset);
        }
        self.after_offset.push(b'}');
    }
}

/// `log.file`: the older inputs name nothing but the path.
fn log_file(file: &FileMeta) -> Object {
    let mut object = Object::new();
    object.insert("path", path_text(&file.path));
    if file.input.kind == crate::tail::settings::InputKind::Filestream {
        object.insert("device_id", file.device.to_string());
        object.insert("inode", file.inode.to_string());
    }
    let optional = [("fingerprint", &file.fingerprint), ("owner", &file.owner), ("group", &file.group)];
    for (name, text) in optional {
        if let Some(text) = text {
            object.insert(name, text.as_str());
        }
    }
    object
}

/// `log` of what came from an address.
pub(super) fn log_source(address: &str) -> Object {
    let source: Object = [("address", address)].into_iter().collect();
    [("source", source)].into_iter().collect()
}

fn path_text(path: &Path) -> Value {
    Value::String(to_text(path.as_os_str().as_encoded_bytes()))
}

/// An event with everything that does not depend on the entry.
fn fixed(decor: &Decor, settings: &DocumentSettings, file: &FileMeta, log_file: &Object) -> Event {
    let mut fields = Object::with_capacity(12);
    fields.insert("agent", settings.identity.agent());
    fields.insert("ecs", Identity::ecs());
    fields.insert("input", input_of(&decor.input));
    if !decor.disable_host {
        fields.insert("host", settings.identity.host());
    }
    if !decor.tags.is_empty() {
        fields.insert("tags", decor.tags.iter().map(|tag| Value::from(tag.as_str())).collect::<Vec<_>>());
    }
    if let Some(source) = &file.source {
        fields.insert("log", log_source(source));
    } else if decor.input.kind.has_offset() {
        fields.insert("log", [("file", log_file.clone())].into_iter().collect::<Object>());
    }
    deep_merge(&mut fields, decor.added.clone(), true);
    let mut event = Event::bare(fields);
    let metadata = metadata(decor, &settings.identity, &event);
    *event.metadata_mut() = metadata;
    event
}

/// `input`
pub(super) fn input_of(input: &InputSettings) -> Object {
    [("type", input.kind.name())].into_iter().collect()
}

/// `@metadata` without the id.
pub(super) fn metadata(decor: &Decor, identity: &Identity, fields: &impl Fields) -> Object {
    let mut metadata = identity.metadata();
    for (name, format) in [("pipeline", &decor.pipeline), ("raw_index", &decor.index)] {
        if let Some(text) = format.as_ref().and_then(|format| format.text(fields)) {
            metadata.insert(name, text);
        }
    }
    metadata
}

/// Whether `pipeline` or `index` depend on the entry's stream, which the constant parts do not know.
fn reads_stream(decor: &Decor) -> bool {
    [&decor.pipeline, &decor.index].into_iter().flatten().any(|format| format.names("stream"))
}

/// The templates of the files written lately, and what the configuration says of their inputs.
#[derive(Debug, Default)]
pub(super) struct Templates {
    /// By the address of the input's settings.
    decors: HashMap<usize, Arc<Decor>>,
    /// By the address of the file's facts, which the template keeps alive.
    files: HashMap<usize, Template>,
    last: usize,
}

impl Templates {
    pub(super) fn new(decors: Vec<Decor>) -> Templates {
        let mut templates = Templates::default();
        templates.reload(decors);
        templates
    }

    /// Inputs that nobody but us holds are forgotten, others may still have batches on the way.
    pub(super) fn reload(&mut self, decors: Vec<Decor>) {
        self.files.clear();
        self.decors.retain(|_, decor| Arc::strong_count(&decor.input) > 1);
        for decor in decors {
            self.decors.insert(address(&decor.input), Arc::new(decor));
        }
    }

    pub(super) fn of(&mut self, file: &Arc<FileMeta>, settings: &DocumentSettings) -> &Template {
        let key = address(file);
        if self.files.len() > KEPT && key != self.last {
            self.files.clear();
        }
        self.last = key;
        if self.files.get(&key).and_then(|template| template.until).is_some_and(|until| until <= Instant::now()) {
            self.files.remove(&key);
        }
        let Templates { decors, files, .. } = self;
        let template = files.entry(key).or_insert_with(|| {
            let decor = decors
                .get(&address(&file.input))
                .cloned()
                .unwrap_or_else(|| Arc::new(Decor::plain(file.input.clone())));
            Template::new(file, &decor, settings)
        });
        debug_assert!(Arc::ptr_eq(&template.file, file), "a template keeps its file's address taken");
        template
    }
}

fn address<T>(shared: &Arc<T>) -> usize {
    Arc::as_ptr(shared).addr()
}

/// The fields of a document that was written straight.
#[derive(Clone, Copy)]
pub struct PlainView<'a> {
    pub(super) template: &'a Template,
    pub(super) batch: &'a Batch,
    pub(super) entry: &'a Entry,
}

impl PlainView<'_> {
    /// The value of a field.
    pub(super) fn value(&self, field: &Reference) -> Option<Value> {
        match field.name.as_str() {
            "log.offset" => Some(Value::from(self.entry.start)),
            "@timestamp" => Some(Value::Timestamp(self.entry.timestamp)),
            "message" | "stream" | "@metadata._id" => {
                self.text(field).map(|text| Value::String(Str::from(text.as_ref())))
            }
            _ => self.template.fixed.get(&field.path).cloned(),
        }
    }

    /// The text of a field.
    pub(super) fn text(&self, field: &Reference) -> Option<Cow<'_, str>> {
        match field.name.as_str() {
            "message" => Some(Cow::Owned(to_text(self.batch.message(self.entry)).to_string())),
            "stream" => self.entry.stream.name().map(Cow::Borrowed),
            "@timestamp" => text_of(&Value::Timestamp(self.entry.timestamp)).map(|text| Cow::Owned(text.into_owned())),
            "log.offset" if self.template.has_offset() => Some(Cow::Owned(self.entry.start.to_string())),
            "@metadata._id" => {
                Some(Cow::Owned(self.batch.file.event_id(self.entry, &self.batch.text).as_str().to_owned()))
            }
            _ => self.template.fixed.get(&field.path).and_then(text_of),
        }
    }
}
