//! The general way: an entry as an event, changed by processors.

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, Object, Str, Timestamp, Value};

use super::escape::to_text;
use super::plain::{has_message, keeps_line_end};
use super::template::{Template, input_of, log_source, metadata};
use super::{Codec, Decor, DocumentSettings, Identity, deep_merge};
use crate::decode::ndjson::Parsed;
use crate::decode::syslog::Syslog;
use crate::pipeline::{Batch, Entry, Extra, FileMeta, Loss};
use crate::processors::Verdict;
use crate::tail::settings::InputKind;

/// The event of an entry after all processors; `None` if one of them dropped it.
pub(super) fn build(template: &Template, batch: &Batch, entry: &Entry, settings: &DocumentSettings) -> Option<Event> {
    let decor = &template.decor;
    let mut event = read(template, batch, entry);
    if let Some(extra) = &entry.extra {
        apply(extra, decor.input.kind, &mut event);
    }
    let fields = event.fields_mut();
    deep_merge(fields, [("input", input_of(&decor.input))].into_iter().collect(), true);
    deep_merge(fields, decor.added.clone(), true);
    for tag in &decor.tags {
        event.push_tag(Str::from(tag.as_str()));
    }
    keep_timestamp(&mut event, entry.timestamp);
    complete_metadata(&mut event, template, batch, entry, settings);
    process(&mut event, decor, settings, &batch.file)?;
    if keeps_line_end(template, entry) && !matches!(settings.codec, Codec::Format(_)) {
        remove_line_end(event.fields_mut());
    }
    let moment = event.timestamp().unwrap_or(entry.timestamp);
    event.set_timestamp(settings.precision.cut(moment));
    Some(event)
}

/// The processors of the input, who we are, the processors of all inputs; nothing when one of them dropped the event.
pub(super) fn process(event: &mut Event, decor: &Decor, settings: &DocumentSettings, file: &FileMeta) -> Option<()> {
    if decor.processors.run(event, file) == Verdict::Drop {
        return None;
    }
    add_identity(event.fields_mut(), settings, decor.disable_host);
    if settings.processors.run(event, file) == Verdict::Drop {
        return None;
    }
    if !decor.keep_null {
        remove_nulls(event.fields_mut());
    }
    Some(())
}

/// What the reader of a file sees: time, offset, file, stream, message.
fn read(template: &Template, batch: &Batch, entry: &Entry) -> Event {
    let mut fields = Object::with_capacity(16);
    fields.insert("@timestamp", entry.timestamp);
    let mut log = batch.file.source.as_deref().map(log_source).unwrap_or_default();
    if template.has_offset() {
        log.insert("offset", entry.start);
    }
    if !entry.flags.is_empty() {
        let flags: Vec<Value> = entry.flags.names().map(Value::from).collect();
        if !flags.is_empty() {
            log.insert("flags", flags);
        }
    }
    if template.has_offset() {
        log.insert("file", template.log_file.clone());
    }
    if !log.is_empty() {
        fields.insert("log", log);
    }
    if let Some(stream) = entry.stream.name() {
        fields.insert("stream", stream);
    }
    if has_message(template, entry) {
        let message = to_text(batch.message(entry));
        // Processors see docker's line end, as Filebeat's do; what is written in the end has none.
        let message = if keeps_line_end(template, entry) { format!("{message}\n").into() } else { message };
        fields.insert("message", message);
    }
    Event::bare(fields)
}

fn apply(extra: &Extra, kind: InputKind, event: &mut Event) {
    if let Some(attrs) = &extra.docker_attrs
        && let Ok(attrs) = json::parse(&to_text(attrs), Numbers::Float)
    {
        let docker: Object = [("attrs", attrs)].into_iter().collect();
        event.fields_mut().insert("docker", docker);
    }
    if let Some(syslog) = extra.syslog.as_ref().filter(|_| kind == InputKind::Syslog) {
        deep_merge(event.fields_mut(), super::old_syslog::fields(syslog), true);
    } else if let Some(syslog) = &extra.syslog {
        let log: Object = [("syslog", syslog_fields(syslog))].into_iter().collect();
        deep_merge(event.fields_mut(), [("log", log)].into_iter().collect(), true);
    }
    for parsed in &extra.json {
        match kind {
            InputKind::Container | InputKind::Log | InputKind::Stdin => apply_old_json(parsed, event),
            _ => apply_json(parsed, event),
        }
    }
    if let Some(failure) = &extra.failure {
        set_error(event.fields_mut(), &failure.message, failure.kind.name());
    }
    if let Some(loss) = &extra.loss {
        apply_loss(loss, event);
    }
}

/// The report of bytes that were destroyed unread.
fn apply_loss(loss: &Loss, event: &mut Event) {
    let lost: Object = [
        ("bytes", Value::from(loss.bytes)),
        ("offset", Value::from(loss.offset)),
        ("reason", Value::from(loss.reason)),
    ]
    .into_iter()
    .collect();
    let log: Object =
        [("lost", Value::Object(lost)), ("flags", vec![Value::from("lost")].into())].into_iter().collect();
    deep_merge(event.fields_mut(), [("log", log)].into_iter().collect(), true);
    let message = format!("{} bytes were destroyed before they could be read ({})", loss.bytes, loss.reason);
    set_error(event.fields_mut(), &message, Some("loss"));
    if !event.fields().contains("message") {
        event.fields_mut().insert("message", message);
    }
}

/// `error.message` and `error.type`
pub(crate) fn set_error(fields: &mut Object, message: &str, kind: Option<&str>) {
    let mut error: Object = [("message", message)].into_iter().collect();
    if let Some(kind) = kind {
        error.insert("type", kind);
    }
    deep_merge(fields, [("error", error)].into_iter().collect(), true);
}

/// Puts what an ndjson parser read where its settings say (libbeat's `jsontransform.WriteJSONKeys`).
fn apply_json(parsed: &Parsed, event: &mut Event) {
    let settings = &parsed.settings;
    let mut keys = parsed.fields.clone();
    take_id(&settings.document_id, &mut keys, event);
    if settings.expand_keys {
        keys = expand(keys);
    }
    if settings.target.is_empty() {
        write_keys(keys, settings.overwrite_keys, settings.add_error_key, event);
    } else if !keys.is_empty() || parsed.error.is_some() {
        drop(event.set(&super::path_of(&settings.target), keys));
    }
    if let Some(message) = &parsed.error {
        set_error(event.fields_mut(), message, Some("json"));
    }
}

/// The text under `document_id`, which may be nested, becomes the document's id.
fn take_id(key: &str, keys: &mut Object, event: &mut Event) {
    let mut levels = key.rsplitn(2, '.');
    let (Some(last), parent) = (levels.next().filter(|last| !last.is_empty()), levels.next()) else { return };
    let whole = keys.get(key).is_some();
    let parent = match parent.filter(|_| !whole) {
        None => Some(keys),
        Some(parent) => parent.split('.').try_fold(keys, |object, level| match object.get_mut(level) {
            Some(Value::Object(inner)) => Some(inner),
            _ => None,
        }),
    };
    let Some(parent) = parent else { return };
    let name = if whole { key } else { last };
    if let Some(Value::String(id)) = parent.get(name).cloned() {
        parent.remove(name);
        if !id.is_empty() {
            event.metadata_mut().insert("_id", id);
        }
    }
}

/// The same for `json.*` of the older inputs (libbeat's `readjson.MergeJSONFields`): the keys stand under `json` or at the
/// root, and `message` stays only where the line did not decode.
fn apply_old_json(parsed: &Parsed, event: &mut Event) {
    let settings = &parsed.settings;
    let at_root = settings.target.is_empty();
    let mut keys = parsed.fields.clone();
    if let Some(message) = &parsed.error {
        let error: Object = [("message", message.as_str()), ("type", "json")].into_iter().collect();
        keys.insert("error", error);
    }
    if keys.is_empty() {
        event.fields_mut().insert("json", keys);
        return;
    }
    let text = event.fields_mut().remove("message").unwrap_or_else(|| Value::String(Str::default()));
    if !settings.message_key.is_empty() {
        keys.insert(settings.message_key.as_str(), text.clone());
    }
    if keys.len() == 1 && keys.get("error").is_some_and(|error| *error != Value::Null) {
        event.fields_mut().insert("message", text);
    }
    take_id(&settings.document_id, &mut keys, event);
    if !at_root {
        event.fields_mut().insert("json", keys);
        return;
    }
    let keys = if settings.expand_keys { expand(keys) } else { keys };
    write_keys(keys, settings.overwrite_keys, settings.add_error_key, event);
}

/// Merges decoded keys into the root of an event.
pub(crate) fn write_keys(mut keys: Object, overwrite: bool, add_error: bool, event: &mut Event) {
    if !overwrite {
        keys.remove("@timestamp");
        keys.remove("@metadata");
        deep_merge(event.fields_mut(), keys, false);
        return;
    }
    let complain = |event: &mut Event, message: &str| {
        if add_error {
            set_error(event.fields_mut(), message, Some("json"));
        }
    };
    match keys.remove("@timestamp") {
        Some(Value::String(text)) => match Timestamp::parse_rfc3339(&text) {
            Some(moment) => event.set_timestamp(moment),
            None => complain(event, &format!("@timestamp not overwritten (parse error on {text})")),
        },
        Some(_) => complain(event, "@timestamp not overwritten (not string)"),
        None => {}
    }
    match keys.remove("@metadata") {
        Some(Value::Object(metadata)) => deep_merge(event.metadata_mut(), metadata, true),
        Some(_) => complain(event, "failed to update @metadata"),
        None => {}
    }
    match keys.remove("type") {
        Some(Value::String(text)) if text.is_empty() || text.starts_with('_') => {
            complain(event, &format!("type not overwritten (invalid value [{text}])"));
        }
        Some(Value::String(text)) => drop(event.fields_mut().insert("type", text)),
        Some(_) => complain(event, "type not overwritten (not string)"),
        None => {}
    }
    deep_merge(event.fields_mut(), keys, true);
}

/// Dotted keys become maps: `expand_keys`.
pub(crate) fn expand(keys: Object) -> Object {
    let mut expanded = Object::new();
    for (name, value) in keys {
        let value = match value {
            Value::Object(object) => Value::Object(expand(object)),
            other => other,
        };
        let mut levels = name.rsplit('.');
        let last = levels.next().unwrap_or_default();
        let innermost: Object = [(last.to_owned(), value)].into_iter().collect();
        let nested = levels.fold(innermost, |inner, level| [(level.to_owned(), inner)].into_iter().collect());
        deep_merge(&mut expanded, nested, true);
    }
    expanded
}

pub(crate) fn syslog_fields(syslog: &Syslog) -> Object {
    let mut fields = Object::new();
    if let Some(priority) = syslog.priority {
        fields.insert("priority", i64::from(priority));
    }
    if let Some((code, name)) = syslog.facility() {
        fields.insert("facility", coded(code, name));
    }
    if let Some((code, name)) = syslog.severity() {
        fields.insert("severity", coded(code, Some(name)));
    }
    let texts = [
        ("hostname", &syslog.hostname),
        ("appname", &syslog.appname),
        ("procid", &syslog.procid),
        ("msgid", &syslog.msgid),
        ("version", &syslog.version),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            fields.insert(name, text.as_str());
        }
    }
    if !syslog.structured_data.is_empty() {
        let elements = syslog.structured_data.iter().map(|(id, pairs)| {
            let pairs: Object = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            (id.as_str(), pairs)
        });
        fields.insert("structured_data", elements.collect::<Object>());
    }
    fields
}

fn coded(code: u16, name: Option<&str>) -> Object {
    let mut fields: Object = [("code", i64::from(code))].into_iter().collect();
    if let Some(name) = name {
        fields.insert("name", name);
    }
    fields
}

/// Added fields may not take `@timestamp`'s place with something else.
fn keep_timestamp(event: &mut Event, moment: Timestamp) {
    if event.timestamp().is_none() {
        event.set_timestamp(moment);
    }
}

fn complete_metadata(
    event: &mut Event,
    template: &Template,
    batch: &Batch,
    entry: &Entry,
    settings: &DocumentSettings,
) {
    let mut metadata = if template.decor.pipeline.is_some() || template.decor.index.is_some() {
        // They may name fields that are added only later, such as `agent.version`.
        let mut named = event.clone();
        add_identity(named.fields_mut(), settings, template.decor.disable_host);
        metadata(&template.decor, &settings.identity, &named)
    } else {
        settings.identity.metadata()
    };
    deep_merge(&mut metadata, std::mem::take(event.metadata_mut()), true);
    if settings.ids && !metadata.contains("_id") {
        metadata.insert("_id", batch.file.event_id(entry, &batch.text).as_str());
    }
    *event.metadata_mut() = metadata;
}

/// `agent` and `ecs` are ours whatever a line says; `host` is the line's if it names one.
fn add_identity(fields: &mut Object, settings: &DocumentSettings, disable_host: bool) {
    let ours: Object = [("agent", settings.identity.agent()), ("ecs", Identity::ecs())].into_iter().collect();
    deep_merge(fields, ours, true);
    let named = fields.get("host").and_then(Value::as_object).is_some_and(|host| host.contains("name"));
    if !disable_host && !named {
        deep_merge(fields, [("host", settings.identity.host())].into_iter().collect(), true);
    }
}

/// Takes docker's line end off the message.
fn remove_line_end(fields: &mut Object) {
    if let Some(Value::String(message)) = fields.get_mut("message")
        && let Some(without) = message.strip_suffix("\n")
    {
        *message = without.to_owned();
    }
}

fn remove_nulls(fields: &mut Object) {
    fields.retain(|_, value| {
        if let Value::Object(object) = value {
            remove_nulls(object);
        }
        !value.is_null()
    });
}
