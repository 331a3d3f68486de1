//! The event: what inputs make, filters change and outputs write.

use std::sync::Arc;

use crate::datetime::parse_event_time;
use crate::json;
use crate::object::Key;
use crate::path::{FieldPath, SetError};
use crate::timestamp::Timestamp;
use crate::value::{Object, Str, Value};

/// Where a record came from, as far as its identity goes: one partition of one topic.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// Kafka topic.
    pub topic: String,
    /// Partition of the topic.
    pub partition: i32,
}

/// The record that an event descends from; with [`Origin::ordinal`] it names the event for ever.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Topic and partition.
    pub lane: Arc<Lane>,
    /// Offset in the partition.
    pub offset: i64,
    /// Which of the events of one record it is, in output order; 0 for the first.
    pub ordinal: u32,
}

/// One event: its document, its `@metadata`, and what the pipeline knows of it.
#[derive(Clone, Debug)]
pub struct Event {
    fields: Object,
    /// Always a map; a [`Value`] so that `[@metadata]` can be handed out.
    metadata: Value,
    cancelled: bool,
    /// Which input event of its batch it descends from; the plan keeps order by it.
    pub slot: u32,
    /// The record it came from, where there is one.
    pub origin: Option<Origin>,
}

const TIMESTAMP: &str = "@timestamp";
const TAGS: &str = "tags";

impl Event {
    /// An event with `@timestamp` and `@version` and nothing else.
    pub fn new(now: Timestamp) -> Event {
        let mut fields = Object::with_capacity(8);
        fields.insert(TIMESTAMP, now);
        fields.insert("@version", Value::String(Str::borrowed("1")));
        Event::bare(fields)
    }

    /// An event with a `message`.
    pub fn with_message(message: Str, now: Timestamp) -> Event {
        let mut event = Event::new(now);
        event.fields.insert("message", message);
        event
    }

    /// An event of exactly these fields; nothing is checked or added.
    pub fn bare(fields: Object) -> Event {
        Event { fields, metadata: Value::Object(Object::new()), cancelled: false, slot: 0, origin: None }
    }

    /// An event from a decoded document, as Logstash's Event does it: `@metadata` is taken apart, `@timestamp` becomes
    /// a timestamp (else tag `_timestampparsefailure` and field `_@timestamp`), `tags` must be text or a list of text
    /// (else tag `_tagsparsefailure` and field `_tags`), `@version` is added.
    pub fn from_object(fields: Object, now: Timestamp) -> Event {
        let mut event = Event::bare(fields);
        match event.fields.remove("@metadata") {
            Some(metadata @ Value::Object(_)) => event.metadata = metadata,
            Some(other) => drop(event.fields.insert("@metadata", other)),
            None => {}
        }
        event.sanitise_tags();
        event.sanitise_timestamp(now);
        if !event.fields.contains("@version") {
            event.fields.insert("@version", Value::String(Str::borrowed("1")));
        }
        event
    }

    fn sanitise_timestamp(&mut self, now: Timestamp) {
        let illegal = match self.fields.get_mut(TIMESTAMP) {
            Some(Value::Timestamp(_)) => return,
            None => {
                self.fields.insert(TIMESTAMP, now);
                return;
            }
            Some(place @ Value::Null) => {
                *place = Value::Timestamp(now);
                return;
            }
            Some(place) => {
                if let Value::String(text) = place
                    && let Some(moment) = parse_event_time(text)
                {
                    *place = Value::Timestamp(moment);
                    return;
                }
                std::mem::replace(place, Value::Timestamp(now))
            }
        };
        self.fields.insert("_@timestamp", illegal);
        self.tag("_timestampparsefailure");
    }

    fn sanitise_tags(&mut self) {
        let legal = match self.fields.get(TAGS) {
            None | Some(Value::Null | Value::String(_)) => true,
            Some(Value::Array(tags)) => tags.iter().all(|tag| matches!(tag, Value::String(_) | Value::Null)),
            Some(_) => false,
        };
        if !legal {
            let illegal = self.fields.remove(TAGS);
            self.fields.insert("_tags", illegal);
            self.tag("_tagsparsefailure");
        }
    }

    /// The document without `@metadata`.
    pub fn fields(&self) -> &Object {
        &self.fields
    }

    /// The document without `@metadata`, to be changed; what is put there is not checked.
    pub fn fields_mut(&mut self) -> &mut Object {
        &mut self.fields
    }

    /// The contents of `@metadata`.
    pub fn metadata(&self) -> &Object {
        static EMPTY: Object = Object::new();
        self.metadata.as_object().unwrap_or(&EMPTY)
    }

    /// The contents of `@metadata`, to be changed.
    pub fn metadata_mut(&mut self) -> &mut Object {
        if self.metadata.as_object().is_none() {
            self.metadata = Value::Object(Object::new());
        }
        match &mut self.metadata {
            Value::Object(object) => object,
            _ => unreachable!("made a map just above"),
        }
    }

    /// The value at a reference; `None` when there is none, `Some(Null)` when it is null.
    pub fn get(&self, path: &FieldPath) -> Option<&Value> {
        match (path.is_metadata(), path.is_whole_root()) {
            (false, _) => path.get_in(&self.fields),
            (true, true) => Some(&self.metadata),
            (true, false) => path.get_in(self.metadata()),
        }
    }

    /// The value at a reference, to be changed in place; not for `@timestamp`.
    pub fn get_mut(&mut self, path: &FieldPath) -> Option<&mut Value> {
        match (path.is_metadata(), path.is_whole_root()) {
            (false, _) => path.get_mut_in(&mut self.fields),
            (true, true) => Some(&mut self.metadata),
            (true, false) => path.get_mut_in(self.metadata_mut()),
        }
    }

    /// Puts a value at a reference, making maps on the way.
    pub fn set(&mut self, path: &FieldPath, value: impl Into<Value>) -> Result<(), SetError> {
        let value = value.into();
        if path.is_timestamp() && !matches!(value, Value::Timestamp(_)) {
            return Err(SetError::NotATimestamp(value.type_name()));
        }
        match (path.is_metadata(), path.is_whole_root()) {
            (false, _) => path.set_in(&mut self.fields, value),
            (true, true) => {
                if matches!(value, Value::Object(_)) {
                    self.metadata = value;
                }
                Ok(())
            }
            (true, false) => path.set_in(self.metadata_mut(), value),
        }
    }

    /// The place of a value, to be filled in; null when it is new. Not for `@timestamp` and `@metadata` as a whole, which do
    /// not take every value.
    #[inline]
    pub fn place(&mut self, path: &FieldPath) -> Result<&mut Value, SetError> {
        match path.is_metadata() {
            _ if path.is_timestamp() => Err(SetError::NotATimestamp("value of any kind")),
            false => path.place_in(&mut self.fields),
            true => path.place_in(self.metadata_mut()),
        }
    }

    /// Takes the value at a reference out.
    pub fn remove(&mut self, path: &FieldPath) -> Option<Value> {
        match (path.is_metadata(), path.is_whole_root()) {
            (false, _) => path.remove_in(&mut self.fields),
            (true, true) => Some(std::mem::replace(&mut self.metadata, Value::Object(Object::new()))),
            (true, false) => path.remove_in(self.metadata_mut()),
        }
    }

    /// `@timestamp`; missing only when a filter took it out.
    pub fn timestamp(&self) -> Option<Timestamp> {
        match self.fields.get(TIMESTAMP) {
            Some(Value::Timestamp(moment)) => Some(*moment),
            _ => None,
        }
    }

    /// Sets `@timestamp`.
    pub fn set_timestamp(&mut self, moment: Timestamp) {
        self.fields.insert(TIMESTAMP, moment);
    }

    /// Adds a tag unless it is there already (failure tags; `add_tag` of a filter does not look).
    pub fn tag(&mut self, tag: &str) {
        if !self.has_tag(tag) {
            self.push_tag(Str::from(tag));
        }
    }

    /// Adds a tag even where it stands already.
    pub fn push_tag(&mut self, tag: Str) {
        match self.fields.entry(&Key::new(Str::borrowed(TAGS))) {
            Value::Array(tags) => tags.push(tag.into()),
            slot @ Value::Null => *slot = Value::Array(vec![tag.into()]),
            slot => {
                let single = std::mem::take(slot);
                *slot = Value::Array(vec![single, tag.into()]);
            }
        }
    }

    /// Whether it bears a tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        match self.fields.get(TAGS) {
            Some(Value::Array(tags)) => tags.iter().any(|held| held.as_str() == Some(tag)),
            Some(Value::String(only)) => only.as_str() == tag,
            _ => false,
        }
    }

    /// Drops the event: later filters and outputs do not see it.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// Whether it has been dropped.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Appends the document as JSON, without `@metadata`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write_object(&self.fields, out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::json::{Numbers, parse};

    fn event(text: &str) -> Event {
        match parse(&Str::from(text), Numbers::Float).unwrap() {
            Value::Object(fields) => Event::from_object(fields, Timestamp::EPOCH),
            other => panic!("{other:?}"),
        }
    }

    fn path(text: &str) -> FieldPath {
        FieldPath::parse(text).unwrap()
    }

    #[test]
    fn metadata_is_apart_from_the_document() {
        let mut event = event(r#"{"message":"m","@metadata":{"_id":"x"}}"#);
        assert_eq!(event.get(&path("[@metadata][_id]")), Some(&"x".into()));
        event.set(&path("[@metadata][index]"), "logs").unwrap();
        let mut out = Vec::new();
        event.write_json(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"message":"m","@timestamp":"1970-01-01T00:00:00.000Z","@version":"1"}"#
        );
    }

    #[test]
    fn bad_timestamps_and_tags_are_kept_and_flagged() {
        let event = event(r#"{"@timestamp":"yesterday","tags":{"a":1}}"#);
        assert_eq!(event.timestamp(), Some(Timestamp::EPOCH));
        assert_eq!(event.fields().get("_@timestamp"), Some(&"yesterday".into()));
        assert!(event.has_tag("_timestampparsefailure") && event.has_tag("_tagsparsefailure"));
        assert!(event.fields().get("_tags").unwrap().as_object().is_some());
    }

    #[test]
    fn the_timestamp_stays_one() {
        let mut event = event("{}");
        assert!(event.set(&path("@timestamp"), "now").is_err());
        assert!(event.set(&path("@timestamp"), Timestamp::from_millis(5)).is_ok());
    }
}
