//! Format strings: `logs-%{[fields.env]:dev}-%{+yyyy.MM.dd}`, as Filebeat's topic, key, index and `codec.format` take
//! them.

use std::borrow::Cow;

use tailrace_common::datetime::Pattern;
use tailrace_common::{Event, FieldPath, Timestamp, Value, json};

/// What a format string is filled from.
pub(crate) trait Fields {
    /// The text of a field; `None` when it is missing or a map.
    fn text(&self, field: &Reference) -> Option<Cow<'_, str>>;
    /// `@timestamp`
    fn timestamp(&self) -> Timestamp;
}

/// A compiled format string.
#[derive(Clone, Debug)]
pub struct Format(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Field { reference: Reference, default: Option<String> },
    Time(Pattern),
}

/// A field named in a format string or a condition: `a.b`, `[a.b]` and `[a][b]` are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Its keys joined by dots.
    pub name: String,
    /// Where to find it in an event.
    pub path: FieldPath,
}

impl Reference {
    /// Reads `a.b`.
    pub fn dotted(name: &str) -> Reference {
        Reference { name: name.to_owned(), path: path_of(name) }
    }

    /// Reads what stands between `%{` and `}`.
    fn bracketed(text: &str) -> Option<Reference> {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        let name = inner.split("][").collect::<Vec<_>>().join(".");
        (!name.is_empty()).then(|| Reference::dotted(&name))
    }
}

/// The path of a dotted name.
pub(crate) fn path_of(name: &str) -> FieldPath {
    let bracketed: String = name.split('.').map(|key| format!("[{key}]")).collect();
    FieldPath::parse(&bracketed).unwrap_or_else(|_| FieldPath::field(name))
}

/// A format string that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid format string '{text}': {reason}")]
pub struct FormatError {
    /// The format string.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

impl Format {
    /// Compiles a format string.
    ///
    /// # Errors
    /// When a `%{` is not closed, or holds neither a field nor a date pattern.
    pub fn parse(text: &str) -> Result<Format, FormatError> {
        let bad = |reason: &str| FormatError { text: text.to_owned(), reason: reason.to_owned() };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("%{") {
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            let inner = &rest[start + 2..];
            let end = inner.find('}').ok_or_else(|| bad("'%{' is not closed"))?;
            parts.push(Part::of(&inner[..end]).map_err(|reason| bad(&reason))?);
            rest = &inner[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Format(parts))
    }

    /// The text, if it is the same for every event.
    pub fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it depends on nothing but the file and the stream of an event.
    pub(crate) fn is_per_file(&self) -> bool {
        self.0.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Time(_) => false,
            Part::Field { reference, .. } => !matches!(
                reference.name.as_str(),
                "message" | "@timestamp" | "log.offset" | "log.flags" | "@metadata._id"
            ),
        })
    }

    /// Whether it names a field.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Field { reference, .. } if reference.name == field))
    }

    /// Appends the filled text; `false` when a field without default is missing.
    pub(crate) fn fill(&self, fields: &impl Fields, out: &mut String) -> bool {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Time(pattern) => {
                    let mut text = Vec::new();
                    pattern.print(&fields.timestamp(), &mut text);
                    out.push_str(&String::from_utf8_lossy(&text));
                }
                Part::Field { reference, default } => match (fields.text(reference), default) {
                    (Some(text), _) => out.push_str(&text),
                    (None, Some(default)) => out.push_str(default),
                    (None, None) => return false,
                },
            }
        }
        true
    }

    /// The filled text; `None` when a field without default is missing.
    pub(crate) fn text(&self, fields: &impl Fields) -> Option<String> {
        let mut out = String::new();
        self.fill(fields, &mut out).then_some(out)
    }
}

impl Part {
    fn of(inner: &str) -> Result<Part, String> {
        if let Some(pattern) = inner.strip_prefix('+') {
            return Pattern::joda(pattern).map(Part::Time).map_err(|error| error.to_string());
        }
        let (field, default) = match inner.rfind(']').map(|end| inner.split_at(end + 1)) {
            Some((field, "")) => (field, None),
            Some((field, rest)) => (field, rest.strip_prefix(':').map(str::to_owned)),
            None => return Err(format!("'%{{{inner}}}' is neither a field ('%{{[name]}}') nor a date ('%{{+yyyy}}')")),
        };
        let reference = Reference::bracketed(field).ok_or_else(|| format!("'{field}' is no field"))?;
        Ok(Part::Field { reference, default })
    }
}

/// The text of a value in a format string; `None` for null.
pub(crate) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Timestamp(moment) => {
            let mut text = Vec::with_capacity(24);
            moment.write_iso8601_millis(&mut text);
            Cow::Owned(String::from_utf8_lossy(&text).into_owned())
        }
        other => {
            let mut text = Vec::new();
            json::write(other, &mut text);
            Cow::Owned(String::from_utf8_lossy(&text).into_owned())
        }
    })
}

impl Fields for Event {
    fn text(&self, field: &Reference) -> Option<Cow<'_, str>> {
        self.get(&field.path).and_then(text_of)
    }

    fn timestamp(&self) -> Timestamp {
        Event::timestamp(self).unwrap_or(Timestamp::EPOCH)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_common::Object;

    use super::*;

    fn event() -> Event {
        let mut fields = Object::new();
        fields.insert("@timestamp", Timestamp::from_millis(1_700_000_000_123));
        fields.insert("stream", "stdout");
        fields.insert("n", 7);
        fields.insert("fields", [("env", "prod")].into_iter().collect::<Object>());
        Event::bare(fields)
    }

    #[test]
    fn fields_defaults_and_dates_are_filled_in() {
        for (format, expected) in [
            ("plain", Some("plain")),
            ("", Some("")),
            ("t-%{[stream]}-%{[fields.env]}-%{[fields][env]}-%{[n]}", Some("t-stdout-prod-prod-7")),
            ("%{[nope]:dflt}", Some("dflt")),
            ("%{[nope]:}", Some("")),
            ("x-%{[nope]}", None),
            ("%{[@timestamp]} %{+yyyy.MM.dd}", Some("2023-11-14T22:13:20.123Z 2023.11.14")),
        ] {
            assert_eq!(Format::parse(format).unwrap().text(&event()).as_deref(), expected, "{format}");
        }
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for format in ["%{[a]", "%{a}", "%{}", "%{[]}", "%{+qqq}"] {
            assert!(Format::parse(format).is_err(), "{format}");
        }
    }

    #[test]
    fn what_differs_within_a_file_is_known() {
        assert!(Format::parse("%{[stream]}-%{[log.file.path]}").unwrap().is_per_file());
        assert!(!Format::parse("%{+yyyy}").unwrap().is_per_file());
        assert!(!Format::parse("%{[message]}").unwrap().is_per_file());
    }
}
