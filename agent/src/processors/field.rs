//! Fields as Filebeat names them: `a.b` is the key `a.b`, else the key `b` of the map `a`.

use tailrace_common::object::Key;
use tailrace_common::{Event, FieldPath, Object, Str, Value};

use super::Failure;

/// A named field of an event.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    name: String,
    root: Root,
    levels: Vec<Level>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Timestamp,
    Metadata,
    Fields,
}

/// One step down.
#[derive(Clone, Debug)]
struct Level {
    /// The rest of the name, which may be a key as it is.
    rest: Str,
    /// The key up to the next dot.
    head: Str,
}

/// What all events have, and no processor takes away.
const METADATA: &str = "@metadata";
const TIMESTAMP: &str = "@timestamp";

impl Field {
    /// The field of that name.
    pub(crate) fn new(name: &str) -> Field {
        let (root, inner) = match name.strip_prefix(METADATA) {
            Some("") => (Root::Metadata, ""),
            Some(rest) if rest.starts_with('.') => (Root::Metadata, &rest[1..]),
            _ if name == TIMESTAMP => (Root::Timestamp, ""),
            _ => (Root::Fields, name),
        };
        let mut levels = Vec::new();
        let mut rest = inner;
        while !rest.is_empty() {
            let (head, below) = rest.split_once('.').unwrap_or((rest, ""));
            levels.push(Level { rest: rest.to_owned().into(), head: head.to_owned().into() });
            rest = below;
        }
        Field { name: name.to_owned(), root, levels }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it differs between plain lines of one file.
    pub(crate) fn varies(&self) -> bool {
        match self.root {
            Root::Timestamp => true,
            Root::Metadata => self.levels.first().is_none_or(|level| level.head == "_id"),
            Root::Fields => {
                let (first, second) = (self.levels.first(), self.levels.get(1));
                match first.map(|level| level.head.as_str()) {
                    None | Some("message" | "stream") => true,
                    Some("log") => second.is_none_or(|level| level.head != "file"),
                    Some(_) => false,
                }
            }
        }
    }

    /// Its value.
    pub(crate) fn get<'e>(&self, event: &'e Event) -> Option<&'e Value> {
        match self.root {
            Root::Timestamp => event.fields().get(TIMESTAMP),
            Root::Metadata if self.levels.is_empty() => event.get(&FieldPath::parse("[@metadata]").ok()?),
            Root::Metadata => self.find(event.metadata()),
            Root::Fields => self.find(event.fields()),
        }
    }

    /// Its value, or the failure that it is missing, in Filebeat's words.
    pub(crate) fn require<'e>(&self, event: &'e Event) -> Result<&'e Value, Failure> {
        let missing = || Failure(format!("could not fetch value for key: {}, Error: key not found", self.name));
        self.get(event).ok_or_else(missing)
    }

    fn find<'e>(&self, mut object: &'e Object) -> Option<&'e Value> {
        for level in &self.levels {
            if let Some(value) = object.get(&level.rest) {
                return Some(value);
            }
            object = object.get(&level.head)?.as_object()?;
        }
        None
    }

    /// Sets it; maps on the way are made.
    pub(crate) fn put(&self, event: &mut Event, value: impl Into<Value>) -> Result<(), Failure> {
        let value = value.into();
        match (self.root, value) {
            (Root::Timestamp, Value::Timestamp(moment)) => {
                event.set_timestamp(moment);
                Ok(())
            }
            (Root::Timestamp, _) => Err(Failure("value is no timestamp".into())),
            (Root::Metadata, Value::Object(object)) if self.levels.is_empty() => {
                *event.metadata_mut() = object;
                Ok(())
            }
            (Root::Metadata, value) => self.put_in(event.metadata_mut(), value),
            (Root::Fields, value) => self.put_in(event.fields_mut(), value),
        }
    }

    fn put_in(&self, mut object: &mut Object, value: Value) -> Result<(), Failure> {
        let Some((last, above)) = self.levels.split_last() else {
            return Err(Failure(format!("'{}' cannot be set", self.name)));
        };
        for level in above {
            if object.contains(&level.rest) {
                object.insert(level.rest.clone(), value);
                return Ok(());
            }
            let slot = object.entry(&Key::new(level.head.clone()));
            if slot.is_null() {
                *slot = Value::Object(Object::new());
            }
            let kind = slot.type_name();
            object = match slot {
                Value::Object(inner) => inner,
                _ => return Err(Failure(format!("expected map but type is {kind}"))),
            };
        }
        object.insert(last.rest.clone(), value);
        Ok(())
    }

    /// Takes it away. `@timestamp` and `@metadata` stay.
    pub(crate) fn remove(&self, event: &mut Event) -> Option<Value> {
        match self.root {
            Root::Timestamp => None,
            Root::Metadata => self.remove_in(event.metadata_mut()),
            Root::Fields => self.remove_in(event.fields_mut()),
        }
    }

    fn remove_in(&self, mut object: &mut Object) -> Option<Value> {
        for level in &self.levels {
            if let Some(value) = object.remove(&level.rest) {
                return Some(value);
            }
            object = object.get_mut(&level.head)?.as_object_mut()?;
        }
        None
    }
}

/// The text of a value, as Go's `%v` prints it.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        other => crate::document::text_of(other).map_or_else(String::new, std::borrow::Cow::into_owned),
    }
}

/// Go's name of a value's type, for the messages that stand in documents.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::BigInt(_) | Value::Float(_) | Value::Decimal(_) => "float64",
        Value::String(_) => "string",
        Value::Timestamp(_) => "time.Time",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "mapstr.M",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use tailrace_common::json::{Numbers, parse};
    use tailrace_common::{Str, Timestamp};

    use super::*;

    /// The event of a JSON text.
    pub(crate) fn event(text: &str) -> Event {
        let Value::Object(mut fields) = parse(&Str::from(text), Numbers::Float).unwrap() else { panic!("{text}") };
        let metadata = fields.remove("@metadata");
        fields.insert("@timestamp", Timestamp::from_millis(1_700_000_000_123));
        let mut event = Event::bare(fields);
        if let Some(Value::Object(metadata)) = metadata {
            *event.metadata_mut() = metadata;
        }
        event
    }

    /// Its fields as JSON, without the timestamp.
    pub(crate) fn fields_of(event: &Event) -> serde_json::Value {
        let mut out = Vec::new();
        event.write_json(&mut out);
        let mut read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        read.as_object_mut().unwrap().remove("@timestamp");
        read
    }

    #[test]
    fn a_key_with_dots_comes_before_nesting() {
        let mut event = event(r#"{"a.b":1,"a":{"b":2,"c.d":3},"@metadata":{"x":{"y":4}}}"#);
        for (name, wanted) in [("a.b", Some(1)), ("a.c.d", Some(3)), ("@metadata.x.y", Some(4)), ("a.x", None)] {
            assert_eq!(Field::new(name).get(&event), wanted.map(Value::Int).as_ref(), "{name}");
        }
        Field::new("a.b").put(&mut event, 9).unwrap();
        Field::new("n.e.w").put(&mut event, 1).unwrap();
        assert_eq!(Field::new("a.c.d").remove(&mut event), Some(Value::Int(3)));
        assert_eq!(fields_of(&event), serde_json::json!({"a.b": 9, "a": {"b": 2}, "n": {"e": {"w": 1}}}));
        assert!(Field::new("a.b.c").put(&mut event, 1).is_err());
        assert!(Field::new("n.e.w.x").put(&mut event, 1).is_err());
        assert!(Field::new("@timestamp").put(&mut event, "x").is_err());
        assert_eq!(Field::new("@timestamp").remove(&mut event), None);
    }

    #[test]
    fn what_differs_between_lines_is_known() {
        for (name, varies) in [
            ("message", true),
            ("message.x", true),
            ("log", true),
            ("log.offset", true),
            ("log.file.path", false),
            ("@metadata._id", true),
            ("@metadata.pipeline", false),
            ("@timestamp", true),
            ("host.name", false),
        ] {
            assert_eq!(Field::new(name).varies(), varies, "{name}");
        }
    }
}
